"""Local identifiability: how many directions of a target's weights its answers to N prompts pin down, in how many bits.

In units of each tensor's root mean square σ the weights have the norm √P. Near the target, KL ≈ ½ uᵀ A u with A = σ F σ
and F the mean Fisher information of the answers (`targets.torch_fisher`). With a tolerance τ (nats) and a size s:

- a direction is *pinned to s* where moving the weights along it by a share s of their norm makes the mean KL exceed τ:
  ½ s² P λ > τ, that is λ > c = 2τ / (s² P);
- the *effective number* of pinned directions is Σ λ / (λ + c): one that is pinned far more tightly counts 1, one at the
  threshold ½, a free one 0 (MacKay 1992, "Bayesian interpolation", the well-determined parameters);
- the *bits* are −log2 of the share of a prior's weights that stay within the tolerance (`version_volume`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretell import __version__
from foretell.base.errors import InputError
from foretell.base.interval import Interval, Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import TokenizedPrompt
from foretell.information.lanczos import Krylov
from foretell.information.local_measuring import (
    HOLDS_WITHIN,
    Effort,
    Fisher,
    Move,
    different_prompts,
    move_to_draw,
    move_to_threshold,
    pooled,
    take_spectrum,
)
from foretell.information.spectrum import Exact, Function, Spectrum, pinned_share
from foretell.information.version_volume import best_tilt, volume_bits

SCHEMA = "foretell.directions/1"
#: Bounds further apart than this factor do not tell how many.
_TELLING = 10.0
_TOO_FEW = (
    f"its bounds are more than a factor of {_TELLING:g} apart; more draws, probes or steps bring them closer together"
)
#: Few prompts cost little and differ much, so up to this many times as many draws are taken of them.
_MOST_DRAWS = 4
#: From prompts to σ F σ.
OpenFisher = Callable[[Sequence[TokenizedPrompt]], Fisher]


@dataclass(frozen=True)
class DirectionSettings:
    """What is asked.

    Attributes:
        prompts: numbers of prompts N.
        tolerances: mean KL in nats.
        sizes: changes of the weights along one direction, as shares of the weights' norm.
        prior: the share of its tensor's root mean square by which each weight may be off beforehand.
        draws: random choices of N prompts; of few prompts up to four times as many.
    """

    prompts: tuple[int, ...] = (1, 5, 20, 100)
    tolerances: tuple[float, ...] = (0.01, 0.1, 0.5)
    sizes: tuple[float, ...] = (0.001, 0.01)
    prior: float = 0.1
    draws: int = 2
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        numbers = {
            "prompts": self.prompts,
            "tolerance": self.tolerances,
            "size": self.sizes,
            "prior": (self.prior,),
            "draws": (self.draws,),
            "probes": (self.effort.probes,),
            "steps": (self.effort.steps,),
        }
        for name, given in numbers.items():
            if not given or not all(0 < one < float("inf") for one in given):
                raise InputError(
                    "not a positive number",
                    where=f"--{name}",
                    got=", ".join(map(str, given)) or "none",
                    expected="positive numbers",
                    fix=f"Give --{name} above 0.",
                )


@dataclass(frozen=True)
class Pinned:
    """How many directions are pinned to a size at a tolerance, on average over the draws.

    Attributes:
        size: as a share of the weights' norm.
        cut: the least eigenvalue that counts.
        effective: Σ λ / (λ + cut).
        counted: how many eigenvalues are above the cut.
        range: bounds that hold for every draw by itself, of the effective number.
        move: what happened when the weights were moved that far; None where no direction is curved enough.
        untold: why the figures tell nothing, or None.
    """

    size: float
    cut: float
    effective: Interval
    counted: Interval
    range: Interval
    move: Move | None
    untold: str | None

    def record(self) -> dict[str, Any]:
        """For JSON: 'by_curvature' is what the curvature at the target says, whether that holds so far out or not."""
        figures = {"effective": _ends(self.effective), "counted": _ends(self.counted), "range": _ends(self.range)}
        told = {"unscored": self.untold} if self.untold else figures["effective"]
        move = None if self.move is None else self.move.record()
        return {"size": self.size, "cut": self.cut, "pinned": told, "by_curvature": figures, "move": move}


@dataclass(frozen=True)
class Volume:
    """The bits that the answers tell about the weights, on average over the draws.

    Attributes:
        bits: bounds.
        range: bounds that hold for every draw by itself.
        move: what happened at a random model at about the tolerance.
        untold: why the figures tell nothing, or None.
    """

    bits: Interval
    range: Interval
    move: Move | None
    untold: str | None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        figures = {"bits": _ends(self.bits), "range": _ends(self.range)}
        told = {"unscored": self.untold} if self.untold else figures["bits"]
        move = None if self.move is None else self.move.record()
        return {"bits": told, "by_curvature": figures, "move": move}


@dataclass(frozen=True)
class Row:
    """One number of prompts at one tolerance."""

    prompts: int
    tolerance: float
    pinned: tuple[Pinned, ...]
    volume: Volume

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "prompts": self.prompts,
            "tolerance": self.tolerance,
            "pinned": [one.record() for one in self.pinned],
            "volume": self.volume.record(),
        }


@dataclass(frozen=True)
class Measured:
    """The Fisher information of N prompts.

    Attributes:
        prompts, draws: N, and how many choices of N prompts were measured.
        positions: distributions, on average.
        largest: the largest eigenvalue of any draw.
        total: the sum of all eigenvalues, mean over draws.
        exact: whether all eigenvalues were taken, so that the bounds are points.
    """

    prompts: int
    draws: int
    positions: float
    largest: Interval
    total: Interval
    exact: bool

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self)) | {"largest": _ends(self.largest), "total": _ends(self.total)}


@dataclass(frozen=True)
class LocalInformation:
    """Curves over N and the tolerance.

    Attributes:
        target: its name.
        weights: how many it has.
        different: how many prompts ask different things.
        given: how many were given.
        measured: a number of prompts each.
        missing: numbers of prompts that were asked for and could not be measured, and why.
        symmetries: directions that no prompt can pin, by kind, or why they are not known.
    """

    target: str
    weights: int
    different: int
    given: int
    settings: DirectionSettings
    measured: tuple[Measured, ...]
    rows: tuple[Row, ...]
    missing: dict[int, str]
    symmetries: dict[str, int] | Unscored

    def record(self) -> dict[str, Any]:
        """For JSON."""
        settings = {name: value for name, value in vars(self.settings).items() if name != "effort"}
        known = self.symmetries
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            "target": self.target,
            "weights": self.weights,
            "prompts_given": self.given,
            "prompts_different": self.different,
            "settings": settings | vars(self.settings.effort),
            "measured": [one.record() for one in self.measured],
            "rows": [row.record() for row in self.rows],
            "not_determined": {str(count): reason for count, reason in self.missing.items()},
            "symmetries": {"unscored": known.reason} if isinstance(known, Unscored) else known,
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What was found, in words."""
        told = [f"{self.target} has {self.weights:,} weights."]
        if self.different < self.given:
            told.append(f"Of {self.given} prompts {self.different} ask different things; the others were merged.")
        told += [f"{count} prompts: not determined: {reason}." for count, reason in self.missing.items()]
        if isinstance(self.symmetries, Unscored):
            told.append(f"Directions that no prompt can pin: not determined: {self.symmetries.reason}.")
        else:
            total = sum(self.symmetries.values())
            parts = ", ".join(f"{count:,} {name}" for name, count in self.symmetries.items())
            told.append(
                f"No prompt can pin {total:,} directions, {total / max(self.weights, 1):.1%} of them all: {parts}."
            )
        return [*told, *(self._curvature(one) for one in self.measured), *self._at_most()]

    def _curvature(self, one: Measured) -> str:
        draws = "1 draw" if one.draws == 1 else f"{one.draws} draws"
        return (
            f"{one.prompts} prompts ({draws}): a largest eigenvalue of {one.largest.lo:.3g} ({one.largest.hi:.3g} at "
            f"most), and {whole(one.total)} for the sum of all."
        )

    def _at_most(self) -> list[str]:
        """The largest number of prompts, in words."""
        if not self.measured:
            return []
        most = self.measured[-1].prompts
        told = []
        for row in (row for row in self.rows if row.prompts == most):
            for one in row.pinned:
                if one.untold is None:
                    told.append(
                        f"{most} prompts pin {whole(one.effective)} directions to {one.size:.2%} of the weights' norm "
                        f"at {row.tolerance:g} nats: {one.effective.hi / self.weights:.2%} of all at most."
                    )
        return told


def _ends(interval: Interval) -> dict[str, Any]:
    hi = interval.hi
    return {"lo": interval.lo, "hi": hi if hi < float("inf") else None}


def whole(interval: Interval) -> str:
    """An interval of counts in words.

    >>> whole(Interval(1234.4, 2345.6)), whole(Interval(3.0, 3.0)), whole(Interval(2.0, float("inf")))
    ('1,234 to 2,346', '3', 'at least 2')
    """
    if interval.hi == float("inf"):
        return f"at least {interval.lo:,.0f}"
    ends = f"{interval.lo:,.0f}", f"{interval.hi:,.0f}"
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def local_information(
    name: str,
    open_fisher: OpenFisher,
    prompts: Sequence[TokenizedPrompt],
    settings: DirectionSettings,
    rng: np.random.Generator,
    *,
    symmetries: dict[str, int] | Unscored,
    progress: Progress = quiet,
) -> LocalInformation:
    """How many directions of the weights the answers to N prompts pin down, for each N and tolerance.

    Args:
        name: of the target.
        open_fisher: from chosen prompts to the Fisher information of the answers.
        prompts: to draw from, without replacement; those that ask the same are merged.
        symmetries: directions that no prompt can pin, by kind, or why they are not known.
    """
    different = different_prompts(prompts)
    wanted = sorted(set(settings.prompts))
    missing = {n: f"only {len(different)} different prompts were given" for n in wanted if n > len(different)}
    draws = _draws(settings, [n for n in wanted if n not in missing], len(different))
    work = sum(n * count for n, count in draws.items()) * settings.effort.probes * settings.effort.steps
    done = 0
    taken = []
    for n, count in draws.items():

        def after(n: int = n) -> None:
            nonlocal done
            done += n
            progress("Fisher information", done, work)

        chosen = [sorted(rng.permutation(len(different))[:n].tolist()) for _ in range(count)]
        opened = (open_fisher([different[index] for index in one]) for one in chosen)
        taken.append(_take(n, opened, settings, rng, after))
    return LocalInformation(
        name,
        taken[0].weights if taken else 0,
        len(different),
        len(prompts),
        settings,
        tuple(one.measured(settings.effort.level) for one in taken),
        tuple(one.row(tolerance, settings) for one in taken for tolerance in settings.tolerances),
        missing,
        symmetries,
    )


def _draws(settings: DirectionSettings, counts: Sequence[int], different: int) -> dict[int, int]:
    """How many draws of each number of prompts: more of few prompts, one where there is one choice only."""
    times = {n: min(_MOST_DRAWS, max(counts) // n) for n in counts}
    return {n: 1 if n == different else settings.draws * times[n] for n in counts}


@dataclass(frozen=True)
class _Taken:
    """What was measured with one number of prompts; moves by tolerance, and by size or None for the prior."""

    prompts: int
    weights: int
    positions: float
    spectrum: Spectrum
    moves: dict[tuple[float, float | None], Move | None]

    def measured(self, level: float) -> Measured:
        exact = isinstance(self.spectrum, Exact)
        total = self.spectrum.trace(lambda values: values, level)
        draws = len(self.spectrum.alone)
        return Measured(self.prompts, draws, self.positions, self.spectrum.largest, total, exact)

    def row(self, tolerance: float, settings: DirectionSettings) -> Row:
        pinned = tuple(self._pinned(tolerance, size, settings) for size in settings.sizes)
        return Row(self.prompts, tolerance, pinned, self._volume(tolerance, settings))

    def _pinned(self, tolerance: float, size: float, settings: DirectionSettings) -> Pinned:
        spectrum, level = self.spectrum, settings.effort.level
        cut = 2 * tolerance / (size**2 * self.weights)
        share = pinned_share(1 / cut)
        effective, counted = spectrum.trace(share, level), spectrum.above(cut, level)
        move = self.moves[tolerance, size]
        untold = _not_holding(move)
        if cut < spectrum.floor:
            untold = f"eigenvalues of {cut:.1e} cannot be told from rounding ({spectrum.floor:.1e})"
        elif effective.hi > _TELLING * max(effective.lo, 1.0):
            untold = _TOO_FEW
        return Pinned(size, cut, effective, counted, _hull(spectrum, share, level), move, untold)

    def _volume(self, tolerance: float, settings: DirectionSettings) -> Volume:
        level = settings.effort.level
        bits = volume_bits(self.spectrum, tolerance, settings.prior, level)
        alone = [volume_bits(one, tolerance, settings.prior, level) for one in self.spectrum.alone]
        move = self.moves[tolerance, None]
        untold = _not_holding(move)
        if bits.hi > _TELLING * max(bits.lo, 1.0):
            untold = _TOO_FEW
        return Volume(bits, Interval(min(one.lo for one in alone), max(one.hi for one in alone)), move, untold)


def _take(
    n: int, opened: Iterable[Fisher], settings: DirectionSettings, rng: np.random.Generator, after: Callable[[], None]
) -> _Taken:
    """The spectra of all draws of n prompts, and moves of the weights on the first."""
    spectra, positions, weights = [], [], 0
    moves: dict[tuple[float, float | None], Move | None] = {}
    for fisher in opened:
        spectrum, krylov, length = take_spectrum(fisher, settings.effort, rng, after)
        spectra.append(spectrum)
        positions.append(fisher.positions)
        weights = fisher.weights
        if not moves:
            moves = _moves(fisher, krylov, length, spectrum, settings)
    return _Taken(n, weights, float(np.mean(positions)), pooled(spectra), moves)


def _moves(
    fisher: Fisher, krylov: Krylov, length: float, spectrum: Spectrum, settings: DirectionSettings
) -> dict[tuple[float, float | None], Move | None]:
    moves: dict[tuple[float, float | None], Move | None] = {}
    for tolerance in settings.tolerances:
        tilt = best_tilt(spectrum, tolerance, settings.prior)
        moves[tolerance, None] = move_to_draw(fisher, krylov, length, tilt, tolerance, settings.prior)
        for size in settings.sizes:
            moves[tolerance, size] = move_to_threshold(fisher, krylov, tolerance, size)
    return moves


def _not_holding(move: Move | None) -> str | None:
    if move is None or move.holds:
        return None
    return (
        f"the quadratic approximation does not hold so far out: moved by {move.size:.2%} of the weights' norm, the "
        f"mean KL is {move.ratio:.2g} times what it predicts (a factor of {HOLDS_WITHIN:g} at most was wanted)"
    )


def _hull(spectrum: Spectrum, function: Function, level: float) -> Interval:
    alone = [one.trace(function, level) for one in spectrum.alone]
    return Interval(min(one.lo for one in alone), max(one.hi for one in alone))
