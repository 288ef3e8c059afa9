"""What is asked: prompts with slices and weights."""

from foretell.suites.suite import Prompt, Scored, Suite, resolve_positions

__all__ = ["Prompt", "Scored", "Suite", "resolve_positions"]
