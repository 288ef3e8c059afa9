"""How often one distribution alone is taken for the wrong model, by precision: with its own model known, and without.

Every distribution of every truth is one trial. Asked with its own model among the known ones, the answer is right
where it names models with that output layer only. Asked without, it is right where it says 'none of these'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell import __version__
from foretell.base.progress import Progress, quiet
from foretell.distributions import Head
from foretell.information.fingerprint.fingerprint import Fingerprint, Listed, against, answer, same_image
from foretell.information.fingerprint.fingerprint_reading import common_precision
from foretell.information.fingerprint.precision import rounded
from foretell.scoring.confidence import BINOMIAL, fraction_bounds

SCHEMA = "foretell.fingerprint-rates/1"
LEVEL = 0.95
Outcome = Literal["right", "several", "not determined", "wrong"]
OUTCOMES: tuple[Outcome, ...] = ("right", "several", "not determined", "wrong")
Coarsen = Callable[[NDArray[np.floating]], NDArray[np.floating]]
WITH, WITHOUT = "own model known", "own model not known"


@dataclass(frozen=True)
class Source:
    """Distributions whose maker is known.

    Attributes:
        name: of the model that made them.
        head: its output layer, None where it gives none: then no known model is its own.
        rows: its distributions.
    """

    name: str
    head: Head | None
    rows: Sequence[Listed]


@dataclass(frozen=True)
class Rate:
    """Outcomes of one kind of question at one precision.

    Attributes:
        precision: what the distributions were rounded to.
        question: 'own model known' or 'own model not known'.
        source: whose distributions, or 'all'.
        counts: trials by outcome: right; several (its own among models with other layers); not determined; wrong (a
            model that did not make it and not its own, or 'none of these' where its own was there).
    """

    precision: str
    question: str
    source: str
    counts: Mapping[str, int]

    @property
    def tried(self) -> int:
        """All trials."""
        return sum(self.counts.values())

    def record(self) -> dict[str, Any]:
        """For JSON: counts, and exact bounds for the fraction of each outcome."""
        bounds = {name: fraction_bounds(self.counts.get(name, 0), self.tried, LEVEL) for name in OUTCOMES}
        return {
            "precision": self.precision,
            "question": self.question,
            "source": self.source,
            "tried": self.tried,
            "counts": {name: self.counts.get(name, 0) for name in OUTCOMES},
            "bounds": {name: [one.lo, one.hi] for name, one in bounds.items()},
        }


def rates(
    sources: Sequence[Source], known: Mapping[str, Head], precisions: Sequence[str], *, progress: Progress = quiet
) -> list[Rate]:
    """Count outcomes for each precision and question, of each source and of all.

    Args:
        precisions: as `rounded` takes them, such as 'float32', 'float16' or '2' (decimals).
    """
    found: list[Rate] = []
    done, total = 0, len(sources) * len(precisions)
    for precision in precisions:
        totals: dict[str, Counter[str]] = {WITH: Counter(), WITHOUT: Counter()}
        for source in sources:
            counts = _outcomes(source, known, partial(rounded, to=precision))
            for question, own in counts.items():
                if own:
                    found.append(Rate(precision, question, source.name, dict(own)))
                    totals[question].update(own)
            done += 1
            progress("fingerprints", done, total)
        found += [Rate(precision, question, "all", dict(own)) for question, own in totals.items() if own]
    return found


def _outcomes(source: Source, known: Mapping[str, Head], coarsen: Coarsen) -> dict[str, Counter[str]]:
    rows = [Listed(row.tokens, coarsen(row.logprobs)) for row in source.rows]
    precision = common_precision(rows)
    measured = {name: against(head, rows, precision) for name, head in known.items()}
    own = {name for name, head in known.items() if source.head is not None and same_image(head, source.head)}
    counts: dict[str, Counter[str]] = {WITH: Counter(), WITHOUT: Counter()}
    for place in range(sum(len(row.logprobs) for row in rows)):
        alone = {name: one if isinstance(one, str) else one[place : place + 1] for name, one in measured.items()}
        if own:
            counts[WITH][_judged(answer(alone, known, precision), own)] += 1
        others = {name: one for name, one in alone.items() if name not in own}
        counts[WITHOUT][_judged(answer(others, known, precision), set())] += 1
    return counts


def _judged(found: Fingerprint, own: set[str]) -> Outcome:
    """What an answer is worth, where `own` are the models that are right; none of the known ones where it is empty."""
    if found.status == "not determined":
        return "not determined"
    if not own:
        return "right" if found.status == "none" else "wrong"
    named = set(found.candidates)
    if not named & own:
        return "wrong"
    return "right" if named <= own else "several"


def record(found: Sequence[Rate]) -> dict[str, Any]:
    """For JSON."""
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "level": LEVEL,
        "method": BINOMIAL,
        "rates": [one.record() for one in found],
    }
