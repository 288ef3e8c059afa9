"""What tests of policies begin with: a policy with some parts, results, and judged attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from foretell.lineage import Standing, Strictness
from foretell.verdicts.evidence_files import Result
from foretell.verdicts.policy import Policy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
JUDGE = "institute+01234567+AA+A"
DIGEST = "sha256:" + "ab" * 32
STRICT = Strictness("kl_nats", 0.5, 7.6, 1e-6, 0.95, 10, "blind", frozenset({"code", "facts"}))
HEAD = 'schema = "foretell.policy/1"\ntitle = "t"\n'
FORECAST = '[[parts]]\nname = "forecast"\nkind = "verdict"\ntarget = "tiny"\n'
EXAM = '[[parts]]\nname = "exam"\nkind = "lm-eval"\nfile = "exam.json"\ntask = "sums"\nmetric = "acc,none"\n'
AUDIT = '[[parts]]\nname = "audit"\nkind = "json"\nfile = "audit.json"\npointer = "/verdict"\n'
ASKED = 'metric = "kl_nats"\ntolerance = 0.5\ncap = 7.6\n'


def policy(rule: str, *parts: str, head: str = HEAD) -> Policy:
    """A policy of parts."""
    return Policy.parse((head + f"rule = {rule}\n" + "".join(parts)).encode())


def result(value: float | str | bool, **changes: Any) -> Result:
    """What a file said last month, of the model 'tiny'."""
    facts: dict[str, Any] = {
        "value": value,
        "what": "sums acc,none",
        "model": "tiny",
        "made": NOW - timedelta(days=31),
        "partly": None,
        "file": "exam.json",
        "digest": DIGEST,
    }
    return Result(**{**facts, **changes})


def standing(attempt: int = 1, decision: str = "pass", **changes: Any) -> Standing:
    """A verdict on the model 'tiny', of ten days ago."""
    facts: dict[str, Any] = {
        "attempt": attempt,
        "title": "t",
        "charter": DIGEST,
        "evaluator": JUDGE,
        "target": {"name": "tiny", "weights": DIGEST},
        "decision": decision,
        "reasons": ("0.4 is within 0.5",),
        "strictness": STRICT,
        "helpers": (),
        "judged": NOW - timedelta(days=10),
        "until": None,
        "fallen": (),
    }
    return Standing(**{**facts, **changes})
