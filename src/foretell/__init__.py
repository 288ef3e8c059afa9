"""foretell: can you predict your model before you trust it?"""

__version__ = "0.1.0"
