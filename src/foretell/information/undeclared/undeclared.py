"""Traces of a model that nobody declared: what `foretell inspect` looks for in a forecast, and how it says it.

Two looks: whether the log-probabilities have the rank of an output layer (`traced_width`), and whether they follow a
known model beyond what text, declared helpers and the truth explain (`tracking`). Both are evidence, neither is proof;
and no trace is no proof either: other widths, other models, and careful mixing go unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foretell import __version__
from foretell.base.interval import Unscored
from foretell.information.undeclared.layer_trace import TracedWidth
from foretell.information.undeclared.tracking import Tracking
from foretell.scoring.confidence import fraction_bounds

SCHEMA = "foretell.inspection/1"
#: A correlation whose lower bound is not above this is no finding. On the shipped target honest forecasts reach 0.22
#: beside the truth and 0.32 without it (a copying rule; language models copy too), a linear pool of an n-gram table
#: with 5% of a checkpoint 0.4 and 0.65. A logarithmic pool with 20% is seen if its other members are among the
#: explanations, else not (tests/information/undeclared/test_undeclared.py).
LEAST_WITH_TRUTH, LEAST_WITHOUT_TRUTH = 0.3, 0.4
#: Confidence of the bounds of a correlation.
LEVEL = 0.99
#: What the tests measured on the shipped target: honest forecasts against two of its checkpoints, beside the truth
#: and four n-gram references, and how many of them were found to follow one.
HONEST_TRIED, FALSE_ALARMS = 23, 0
#: Confidence of the bound on their rate.
_RATE_LEVEL = 0.95
#: Without the truth, an honest yardstick needs one explanation to be held against the others.
_FOR_YARDSTICK = 2


def most_false_alarms() -> float:
    """The upper bound on the rate of false alarms, as far as the tests tell: honest forecasts as independent draws.

    >>> round(most_false_alarms(), 3)
    0.148
    """
    return fraction_bounds(FALSE_ALARMS, HONEST_TRIED, _RATE_LEVEL).hi


@dataclass(frozen=True)
class Suspicion:
    """How a forecast stands to one known model.

    Attributes:
        model: its name.
        status: found, not found, or not determined.
        found: the partial correlation, or why there is none.
        bar: what its lower bound has to exceed: a fixed least, or the largest yardstick.
        yardsticks: the same correlation for each text-only explanation in the forecast's place.
        beside: what the correlation is beyond.
        with_truth: whether the truth is among that.
    """

    model: str
    status: Literal["found", "not found", "not determined"]
    found: Tracking | Unscored
    bar: float
    yardsticks: dict[str, float]
    beside: tuple[str, ...]
    with_truth: bool

    def record(self) -> dict[str, Any]:
        """For JSON."""
        found = {"unscored": self.found.reason} if isinstance(self.found, Unscored) else self.found.record()
        same = {name: getattr(self, name) for name in ("model", "status", "bar", "yardsticks", "with_truth")}
        return same | {"beside": list(self.beside), "partial_correlation": found}

    def sentence(self) -> str:
        """What was found, in words."""
        if isinstance(self.found, Unscored):
            return f"{self.model}: not determined: {self.found.reason}."
        own = self.found
        told = (
            f"partial correlation {own.correlation:.2f} ({own.lo:.2f} to {own.hi:.2f}, {own.level:.0%}, approximate) "
            f"beyond {', '.join(self.beside)}; the bar is {self.bar:.2f}"
        )
        if self.status == "not found":
            return f"{self.model}: the forecast does not clearly follow it: {told}."
        help_by = f"consistent with help by {self.model} or a relative of it"
        if not self.with_truth:
            help_by += ", or with knowing the target itself, which only the truth (--truth) tells apart"
        return f"{self.model}: the forecast follows it: {told}; {help_by}."


@dataclass(frozen=True)
class Inspection:
    """All that was found in one forecast.

    Attributes:
        forecast: its name.
        named: AI systems that its own record names.
        sampled: prompts, documents and positions that were looked at.
        notes: what was not looked at, and why.
    """

    forecast: str
    named: tuple[str, ...]
    width: TracedWidth
    suspicions: tuple[Suspicion, ...]
    sampled: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def finding(self) -> bool:
        """Whether there is a trace of a model that the forecast's record does not name."""
        unnamed_width = self.width.status in ("found", "stated") and not self.named
        return unnamed_width or any(one.status == "found" for one in self.suspicions)

    def sentences(self) -> list[str]:
        """What was found, in words."""
        named = "Its record names no AI system."
        if self.named:
            named = f"Its record names: {'; '.join(self.named)}. What is found below may come from that."
        suspicions = [one.sentence() for one in self.suspicions]
        if not suspicions:
            suspicions = ["No known model was given (--known) that its record does not name, so none was looked for."]
        return [named, width_sentence(self.width), *suspicions, *self.notes, self._conclusion()]

    def _conclusion(self) -> str:
        if self.finding:
            return (
                "Finding: a trace of a model that the record does not name. It is evidence to ask about, no proof. Of "
                f"{HONEST_TRIED} honest forecasts in foretell's own tests, {FALSE_ALARMS} were found to follow a "
                f"model: a rate of {most_false_alarms():.0%} at most (95%, exact binomial), as far as they are "
                "independent of each other and like this one."
            )
        return "No finding. That is no proof of absence: other models, wider ones and careful mixtures go unseen."

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            "forecast": self.forecast,
            "named": list(self.named),
            "sampled": self.sampled,
            "width": self.width.record(),
            "tracking": [one.record() for one in self.suspicions],
            "finding": self.finding,
            "honest_forecasts_in_tests": {
                "tried": HONEST_TRIED,
                "false_alarms": FALSE_ALARMS,
                "rate_at_most": most_false_alarms(),
            },
            "sentences": self.sentences(),
        }


def suspicion(
    model: str,
    found: Tracking | Unscored,
    yardsticks: dict[str, float],
    beside: Sequence[str],
    *,
    texts: int,
    with_truth: bool,
) -> Suspicion:
    """Weigh a partial correlation against the bar.

    Args:
        yardsticks: of text-only explanations in the forecast's place.
        texts: how many text-only explanations there are.

    >>> found = Tracking(0.4, 0.35, 0.45, 0.1, 50, 0.99)
    >>> suspicion("m", found, {"ngram:5:t": 0.2}, ["ngram:5:t"], texts=2, with_truth=True).status
    'found'
    >>> suspicion("m", found, {}, ["ngram:5:t"], texts=1, with_truth=False).status
    'not determined'
    """
    needed = 1 if with_truth else _FOR_YARDSTICK
    if texts < needed and not isinstance(found, Unscored):
        what = "a text-only forecaster" if with_truth else "two text-only forecasters, or one and the truth"
        found = Unscored(f"needs {what} to explain what any reader of text knows (--known ngram:5:CORPUS …)")
    bar = max([LEAST_WITH_TRUTH if with_truth else LEAST_WITHOUT_TRUTH, *yardsticks.values()])
    if isinstance(found, Unscored):
        status: Literal["found", "not found", "not determined"] = "not determined"
    else:
        status = "found" if found.lo > bar else "not found"
    return Suspicion(model, status, found, bar, yardsticks, tuple(beside), with_truth)


def width_sentence(width: TracedWidth) -> str:
    """What the singular values say, in words."""
    seen = f"{width.positions:,} different positions and {width.tokens:,} tokens"
    layer = f"an output layer of width {width.width}, as a neural language model has"
    match width.status:
        case "stated":
            return f"Rank: it is stored as hidden states and {layer}."
        case "found":
            return (
                f"Rank: {width.width} in {seen}, where the singular values fall by a factor of {width.drop:,.0f}; "
                f"consistent with {layer}, or with another model of so many factors; a forecaster that was built from "
                "the target's own output layer has it too."
            )
        case "not found":
            return (
                f"Rank: no sharp drop up to {width.visible:,} in {seen}. Wider output layers, mixtures of "
                "probabilities and floors of a thousandth are not seen so."
            )
        case _:
            return f"Rank: not determined: {width.reason}."
