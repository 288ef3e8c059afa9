"""Local identifiability: in how many directions of its weights N answers pin a model down."""
