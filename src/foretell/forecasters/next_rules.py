"""How far to go on the line that forecasts a next checkpoint: measured on the run's earlier checkpoints.

`next_checkpoint` says what the line is, and what each rule is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError
from foretell.distributions import TokenizedPrompt
from foretell.forecasters.extrapolation import (
    LEAST,
    MOST,
    fit_power_law,
    least_kl,
    mean_kl,
    mean_kl_to_base,
    pace,
    reaching,
)
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.spooled_rows import SpooledRows

#: Prompts and scored positions of each that a coefficient is measured on, at most.
_PROMPTS, _POSITIONS = 64, 8
#: … and numbers that are laid down for it, of three sources at most: 512 MB.
_MOST_NUMBERS, _SOURCES = 1 << 27, 3
_DIGITS = 6
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Two forecasters whose distributions span the line, and the identities of all models that are used."""

    base: Forecaster
    latest: Forecaster
    models: list[dict[str, Any]]


@dataclass(frozen=True)
class Choice:
    """A coefficient on the line, and how it was found (for the record)."""

    coefficient: float
    found: dict[str, Any]


class Rule(Protocol):
    """How far to go on a line."""

    def choose(self, line: Line, prompts: Sequence[TokenizedPrompt], vocabulary: int) -> Choice:
        """Measure on practice prompts."""
        ...


def practice_sample(prompts: Sequence[TokenizedPrompt], vocabulary: int) -> list[TokenizedPrompt]:
    """A few prompts, evenly spaced over all, each with a few of its scored positions: few enough for any vocabulary."""
    most = min(_PROMPTS, max(1, _MOST_NUMBERS // (_SOURCES * _POSITIONS * vocabulary)))
    chosen = [prompts[place] for place in _spaced(len(prompts), most)]
    return [
        replace(prompt, positions=tuple(prompt.positions[at] for at in _spaced(len(prompt.positions), _POSITIONS)))
        for prompt in chosen
    ]


def _spaced(count: int, most: int) -> list[int]:
    """Places that lie evenly.

    >>> _spaced(3, 8), _spaced(100, 4)
    ([0, 1, 2], [0, 25, 50, 75])
    """
    kept = min(count, most)
    return [index * count // kept for index in range(kept)]


class PaceRule:
    """The coefficient that would have been best one transition ago, carried on; see the module's first lines.

    Args:
        oldest: the checkpoint before the line's base.
        steps: of the oldest, the base and the latest.
        ahead: the step that is forecast.
    """

    def __init__(self, oldest: Forecaster, steps: Sequence[int], ahead: int) -> None:
        self._oldest, self._ahead = oldest, ahead
        self._first, self._middle, self._last = steps

    def choose(self, line: Line, prompts: Sequence[TokenizedPrompt], vocabulary: int) -> Choice:
        rows = _rows((line.latest, self._oldest, line.base), prompts, vocabulary)
        before = least_kl(rows.blocks)
        scale = pace(self._middle, self._last, self._ahead) / pace(self._first, self._middle, self._last)
        return Choice(
            before * scale if before > 0 else before,
            {
                "coefficient_before": round(before, _DIGITS),
                "at_an_end": before in (LEAST, MOST),
                "scale": round(scale, _DIGITS) if before > 0 else None,
                "kl_nats_before": round(mean_kl(rows.blocks, before), _DIGITS),
                "kl_nats_before_of_last": round(mean_kl(rows.blocks, 0.0), _DIGITS),
                "positions": rows.shape[1],
            },
        )


class ScalingRule:
    """As far out as a power law says that is fitted on the reference curve; see the module's first lines.

    Args:
        others: the earlier checkpoints but the latest, by step; each is opened when its turn comes, and let go.
        last: the latest's step.
        ahead: the step that is forecast.
    """

    def __init__(self, others: Sequence[tuple[int, Callable[[], Forecaster]]], last: int, ahead: int) -> None:
        self._others, self._last, self._ahead = others, last, ahead

    def choose(self, line: Line, prompts: Sequence[TokenizedPrompt], vocabulary: int) -> Choice:
        curve = [(step, _away(line.base, opened(), prompts, vocabulary)) for step, opened in self._others]
        rows = _rows((line.base, line.latest), prompts, vocabulary)
        curve.append((self._last, mean_kl_to_base(rows.blocks, 0.0)))
        law = fit_power_law(*zip(*curve, strict=True))
        wanted = law.at(self._ahead)
        coefficient = reaching(lambda tried: mean_kl_to_base(rows.blocks, tried), wanted)
        return Choice(
            coefficient,
            {
                "curve": [[step, round(kl, _DIGITS)] for step, kl in curve],
                "law": {name: round(value, _DIGITS) for name, value in asdict(law).items()},
                "predicted_kl_nats": round(wanted, _DIGITS),
                "reached_kl_nats": round(mean_kl_to_base(rows.blocks, coefficient), _DIGITS),
                "at_an_end": coefficient in (LEAST, MOST),
                "positions": rows.shape[1],
            },
        )


def _away(base: Forecaster, model: Forecaster, prompts: Sequence[TokenizedPrompt], vocabulary: int) -> float:
    """Mean KL(model ‖ base) in nats: one point of the reference curve."""
    return mean_kl_to_base(_rows((base, model), prompts, vocabulary).blocks, 0.0)


def _rows(sources: Sequence[Forecaster], prompts: Sequence[TokenizedPrompt], vocabulary: int) -> SpooledRows:
    for one in sources:
        one.prepare(prompts)
    rows = SpooledRows([one.forecast for one in sources], prompts, vocabulary)
    for logs, _ in rows.blocks():
        require_finite(" and ".join(dict.fromkeys(one.name for one in sources)), *logs)
    return rows


def require_finite(name: str, *logs: _Floats) -> None:
    """Refuse a token of probability zero: no line goes through it.

    Raises:
        DistributionError: as said.
    """
    if not all(np.isfinite(one).all() for one in logs):
        raise DistributionError(
            "a probability of zero",
            where=name,
            got="log-probabilities of -inf",
            expected="finite ones: they are extrapolated",
            fix="Forecast with next:last, or name a reference that gives every token some mass.",
        )
