"""Local identifiability: how many directions of a target's weights the answers to N prompts pin down, in how many bits.

In units of each tensor's root mean square σ the P weights have the norm √P. Near the target, KL ≈ ½ uᵀ A u with
A = σ F σ and F the mean Fisher information of the answers (`targets.torch_fisher`). With a tolerance τ (nats) and a
size s:

- a direction is *pinned to s* where moving the weights along it by a share s of their norm makes the mean KL exceed τ:
  ½ s² P λ > τ, that is λ > c = 2τ / (s² P);
- the *effective number* of pinned directions is Σ λ / (λ + c): one that is pinned far more tightly counts 1, one at the
  threshold ½, a free one 0 (MacKay 1992, "Bayesian interpolation", the well-determined parameters);
- the *bits* are −log2 of the share of a prior's weights that stay within the tolerance (`version_volume`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from foretell.base.interval import Interval, Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import TokenizedPrompt
from foretell.information.directions.curvature import Exact, Function, Spectrum, pinned_share
from foretell.information.directions.direction_settings import DirectionSettings
from foretell.information.directions.lanczos import Krylov
from foretell.information.directions.local_measuring import (
    HOLDS_WITHIN,
    Fisher,
    Move,
    different_prompts,
    move_to_draw,
    move_to_threshold,
    pooled,
    take_spectrum,
)
from foretell.information.directions.local_results import LocalInformation, Measured, Pinned, Row, Volume
from foretell.information.directions.version_volume import best_tilt, volume_bits

#: Bounds further apart than this factor do not tell how many.
_TELLING = 10.0
_TOO_FEW = (
    f"its bounds are more than a factor of {_TELLING:g} apart; more draws, probes or steps bring them closer together"
)
#: Few prompts cost little and differ much, so up to this many times as many draws are taken of them.
_MOST_DRAWS = 4
#: From prompts to σ F σ.
OpenFisher = Callable[[Sequence[TokenizedPrompt]], Fisher]


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
