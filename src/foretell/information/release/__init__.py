"""How to publish a truth: what each release rule leaks, and what it costs the score."""
