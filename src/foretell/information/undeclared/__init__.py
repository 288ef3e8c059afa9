"""Traces of a model that nobody declared, in a forecast: what `foretell inspect` looks for."""
