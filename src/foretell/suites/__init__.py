"""What is asked: prompts with slices and weights."""

from foretell.suites.draw import draw, proportional_shares
from foretell.suites.formats import ReadOptions, builtin_suites, load_suite, save_suite
from foretell.suites.suite import Prompt, Scored, Suite, resolve_positions

__all__ = [
    "Prompt",
    "ReadOptions",
    "Scored",
    "Suite",
    "builtin_suites",
    "draw",
    "load_suite",
    "proportional_shares",
    "resolve_positions",
    "save_suite",
]
