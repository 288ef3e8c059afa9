"""What is true: models that can be asked for their next-token distributions."""
