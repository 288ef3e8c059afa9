"""A judged attempt as others may rely on it, and until when: plain facts, whoever read them from a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foretell.lineage.strictness import Strictness


@dataclass(frozen=True)
class Standing:
    """A judged attempt as others may rely on it.

    Attributes:
        attempt: its number; title: of its charter.
        evaluator: who judged it (a C2SP verifier key): anybody may have charters in a ledger.
        target: identity of the model that was forecast: name, weights, tokenizer, engine, dtype.
        decision: as it was signed: pass, fail, inconclusive or inadmissible; reasons: why.
        judged, until: when, and when it expires as an approval (None: never).
        fallen: why it no longer counts; empty where it stands.
    """

    attempt: int
    title: str
    charter: str
    evaluator: str
    target: Mapping[str, Any]
    decision: str
    reasons: tuple[str, ...]
    strictness: Strictness
    helpers: tuple[str, ...]
    judged: datetime
    until: datetime | None
    fallen: tuple[str, ...]

    @property
    def stands(self) -> bool:
        """Whether nothing has taken it back."""
        return not self.fallen
