"""What is predicted: the n-gram family, functions, surrogate models, pools, files."""
