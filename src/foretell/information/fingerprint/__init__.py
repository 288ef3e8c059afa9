"""Which of known models gave some distributions, or none of these."""
