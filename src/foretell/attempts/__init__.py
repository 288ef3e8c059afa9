"""One try under a charter, step by step: each step does its work, then signs what it did into the ledger.

    charter ─▶ seal ─▶ open ─▶ commit ────────▶ reveal ─▶ judge ─▶ publish     open and prospective tracks
    charter ─▶ seal ─▶ commit ─▶ run ─▶ reveal ─▶ judge ─▶ publish             blind track

`step.py` is what all steps share: the lock, the whole log verified first, the order, the signature. `notices.py` signs
what belongs to no attempt: systems, revocations, the ladder, decisions.
"""

from foretell.attempts.answering import commit_forecast, commit_program, run_program
from foretell.attempts.asking import fix_charter, open_one, open_prompts, read_opened, seal
from foretell.attempts.judging import judge, reveal
from foretell.attempts.notices import fix_ladder, record_decision, register, revoke
from foretell.attempts.publishing import publish, stamp
from foretell.attempts.step import status

__all__ = [
    "commit_forecast",
    "commit_program",
    "fix_charter",
    "fix_ladder",
    "judge",
    "open_one",
    "open_prompts",
    "publish",
    "read_opened",
    "record_decision",
    "register",
    "reveal",
    "revoke",
    "run_program",
    "seal",
    "stamp",
    "status",
]
