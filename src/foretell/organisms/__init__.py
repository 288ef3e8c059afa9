"""Models that are trained here: the shipped tiny target, and (later) models with planted behaviour."""
