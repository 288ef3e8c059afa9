"""Attacks, one file each: every one is tried for real, and caught with its own message."""
