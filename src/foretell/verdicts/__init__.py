"""What a score decides: pass, fail or inconclusive against a tolerance, with reasons."""

from foretell.verdicts.noise import require_resolvable
from foretell.verdicts.tolerance import Verdict, decide, judge

__all__ = ["Verdict", "decide", "judge", "require_resolvable"]
