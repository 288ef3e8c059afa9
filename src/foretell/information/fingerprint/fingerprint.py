"""Which of a set of known models gave these next-token distributions, and 'none of these'.

The rule: a model fits when the distance of the log-probabilities from its image (`model_image`) is at most what
rounding can have made, which is read from the numbers. The fit says something only where an unrelated model would
hardly be so near; where it would, the precision is too low, or too few tokens are listed, and nothing is determined.
Models with one output layer (a fine-tune that left it alone) have one image and cannot be told apart so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell import __version__
from foretell.distributions import Head
from foretell.information.fingerprint.model_image import Distance, columns_of, distance
from foretell.information.fingerprint.precision import Precision

SCHEMA = "foretell.fingerprint/1"
Fits = Literal["fits", "does not fit", "not determined"]
Status = Literal["found", "tie", "none", "not determined"]
#: An unrelated model may be as near with this probability at most, over all known models.
LEVEL = 1e-6
_SEED = 0


@dataclass(frozen=True)
class ModelFit:
    """How a set of distributions stands to one known model.

    Attributes:
        model: its name.
        status: fits, does not fit, or not determined.
        residual_nats: root mean square over positions and tokens of what its image leaves, None where not computed.
        threshold_nats: the same, of the most that rounding leaves.
        unrelated_nats: the same, of what an unrelated model would leave.
        relative: residual as a share of the spread of the log-probabilities, as Finlayson et al. give it.
        visible: the share that another layer has to leave to be told from this one.
        log10_chance: an upper bound on the probability that an unrelated model is as near as the threshold.
        tokens: that each position had, at least.
        columns: dimensions of the image.
        reason: why it was not determined, or cannot be at all.
    """

    model: str
    status: Fits
    residual_nats: float | None = None
    threshold_nats: float | None = None
    unrelated_nats: float | None = None
    relative: float | None = None
    visible: float | None = None
    log10_chance: float | None = None
    tokens: int = 0
    columns: int = 0
    reason: str | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    def sentence(self) -> str:
        """What was found, in words."""
        if self.residual_nats is None:
            return f"{self.model}: {self.status}: {self.reason}."
        told = (
            f"its output layer leaves {self.residual_nats:.1e} nats of each log-probability (relative residual "
            f"{self.relative:.1e}), rounding at most {self.threshold_nats:.1e}, an unrelated model "
            f"{self.unrelated_nats:.1e}"
        )
        return f"{self.model}: {self.status}: {told}{'; ' + self.reason if self.reason else ''}."


@dataclass(frozen=True)
class Fingerprint:
    """Which known models a set of distributions can be from.

    Attributes:
        status: found (one), tie (several that this cannot tell apart), none, or not determined.
        candidates: models that it may be.
        fits: of each known model.
        positions: distributions that were looked at, all taken to be of one model.
        precision: how their log-probabilities are rounded.
        one_layer: whether candidates that fit have the same output layer, up to scale.
    """

    status: Status
    candidates: tuple[str, ...]
    fits: tuple[ModelFit, ...]
    positions: int
    precision: Precision
    one_layer: bool = False

    def sentences(self) -> list[str]:
        """What was found, in words."""
        return [*(fit.sentence() for fit in self.fits), self.conclusion()]

    def conclusion(self) -> str:
        """The answer, in words."""
        many = "distribution" if self.positions == 1 else "distributions"
        seen = f"{self.positions} {many} in {self.precision.words()}"
        told = ", ".join(self.candidates)
        match self.status:
            case "found":
                return f"From {seen}: {told}, or a model with the same output layer that was not given."
            case "tie" if self.one_layer:
                return f"From {seen}: one of these, which share an output layer and so have one image: {told}."
            case "tie":
                return f"From {seen}: one of these, which cannot be told apart in this precision: {told}."
            case "none":
                return f"From {seen}: none of these."
            case _:
                return f"From {seen}: not determined; what is left: {told}."

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            "status": self.status,
            "candidates": list(self.candidates),
            "one_layer": self.one_layer,
            "positions": self.positions,
            "precision": self.precision.record(),
            "models": [fit.record() for fit in self.fits],
            "sentences": self.sentences(),
        }


@dataclass(frozen=True)
class Listed:
    """Log-probabilities of some tokens at positions that list the same tokens.

    Attributes:
        tokens: their ids, (tokens,).
        logprobs: (positions, tokens), finite, in the type that they were given in.
    """

    tokens: NDArray[np.intp]
    logprobs: NDArray[np.floating]


def fingerprint(rows: Sequence[Listed], known: Mapping[str, Head | str], precision: Precision) -> Fingerprint:
    """Which of these output layers made the log-probabilities, all of them together.

    Args:
        rows: what is known of each position.
        known: output layers by model; words where a model gives none.
        precision: how the numbers are rounded (`precision_of`).

    >>> rng = np.random.default_rng(0)
    >>> heads = {name: Head(rng.normal(size=(300, 20)).astype(np.float32)) for name in "ab"}
    >>> logits = heads["b"].logits(rng.normal(size=(2, 20)))
    >>> logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    >>> fingerprint([Listed(np.arange(300), logprobs)], heads, Precision(23)).conclusion()
    'From 2 distributions in float32: b, or a model with the same output layer that was not given.'
    >>> fingerprint([Listed(np.arange(20), logprobs[:, :20])], heads, Precision(23)).status
    'not determined'
    """
    return answer({name: against(head, rows, precision) for name, head in known.items()}, known, precision)


def against(head: Head | str, rows: Sequence[Listed], precision: Precision) -> list[Distance] | str:
    """The distance of each position from a layer's image, in order; words where there is none."""
    if isinstance(head, str):
        return head
    rng = np.random.default_rng(_SEED)
    found: list[Distance] = []
    for row in rows:
        measured = distance(head, row.logprobs, row.tokens, precision, rng)
        if isinstance(measured, str):
            return measured
        found += measured
    return found


def answer(
    distances: Mapping[str, Sequence[Distance] | str], known: Mapping[str, Head | str], precision: Precision
) -> Fingerprint:
    """The decision from distances that were measured already, by model; all of the same positions."""
    level = LEVEL / max(len(known), 1)
    fits = tuple(_fit(name, known[name], measured, level) for name, measured in distances.items())
    fitting = [fit.model for fit in fits if fit.status == "fits"]
    open_ones = [fit.model for fit in fits if fit.status == "not determined"]
    candidates = tuple(fit.model for fit in fits if fit.status != "does not fit")
    status: Status = "none"
    if fitting and len(candidates) > 1:
        status = "tie"
    elif fitting:
        status = "found"
    elif open_ones or not fits:
        status = "not determined"
    heads = [head for name in fitting if isinstance(head := known[name], Head)]
    one_layer = len(fitting) > 1 and not open_ones and all(same_image(heads[0], head) for head in heads[1:])
    positions = max((len(one) for one in distances.values() if not isinstance(one, str)), default=0)
    return Fingerprint(status, candidates, fits, positions, precision, one_layer)


def same_image(a: Head, b: Head) -> bool:
    """Whether two layers are the same numbers, up to a scale of all of them: then their images are equal.

    >>> head = Head(np.ones((3, 2), np.float32))
    >>> same_image(head, Head(np.ones((3, 2), np.float32), scale=0.5)), same_image(head, Head(np.eye(3, 2)))
    (True, False)
    """
    same_bias = (a.bias is None) == (b.bias is None)
    if a.bias is not None and b.bias is not None:
        same_bias = a.scale == b.scale and np.array_equal(a.bias, b.bias)
    return same_bias and a.softcap == b.softcap and np.array_equal(a.weight, b.weight)


def _fit(name: str, head: Head | str, distances: Sequence[Distance] | str, level: float) -> ModelFit:
    if isinstance(distances, str):
        return ModelFit(name, "not determined" if isinstance(head, str) else "does not fit", reason=distances)
    assert isinstance(head, Head)
    tokens, columns = min((one.tokens for one in distances), default=0), columns_of(head)
    if tokens <= columns:
        few = f"{tokens} tokens are listed, and its image has {columns} dimensions: anything fits"
        return ModelFit(name, "not determined", tokens=tokens, columns=columns, reason=few)
    residual, threshold, unrelated, spread = (
        math.sqrt(math.fsum(getattr(one, part) ** 2 for one in distances))
        for part in ("residual", "threshold", "unrelated", "spread")
    )
    chance = log10_chance(threshold, unrelated, sum(one.freedom for one in distances))
    status: Fits = "fits" if residual <= threshold else "does not fit"
    reason: str | None = None
    if status == "fits" and chance > math.log10(level):
        status, reason = "not determined", "so near are unrelated models by chance: too coarse, or too few tokens"
    root = math.sqrt(sum(one.tokens for one in distances))
    return ModelFit(
        name,
        status,
        residual / root,
        threshold / root,
        unrelated / root,
        residual / spread if spread else 0.0,
        threshold / spread if spread else 1.0,
        chance,
        tokens,
        columns,
        reason,
    )


def log10_chance(threshold: float, unrelated: float, freedom: int) -> float:
    """Log10 of a bound on the probability that an unrelated model's residual is at most the threshold.

    With `freedom` normal residuals of the size that shuffled tokens leave, their sum of squares is σ²χ², and
    P(χ² ≤ x) ≤ (x/f · e^(1 − x/f))^(f/2) for x < f.

    Source: Chernoff's bound; Dasgupta & Gupta 2003, lemma 2.2.

    >>> round(log10_chance(0.1, 1.0, 2), 2), log10_chance(1.0, 1.0, 10), log10_chance(0.0, 1.0, 10)
    (-1.57, 0.0, -inf)
    """
    if unrelated == 0 or threshold >= unrelated or freedom == 0:
        return 0.0
    share = (threshold / unrelated) ** 2
    if share == 0:
        return -math.inf
    return freedom / 2 * (math.log(share) + 1 - share) / math.log(10)
