"""Tests of the sketch: its bounds hold what eigenvalues say, on spectra of many shapes, as often as they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.interval import Interval
from foretell.information.directions.curvature import Exact, Probe, Sketch, log_volume, pinned_share, trace_bounds
from foretell.information.directions.lanczos import lanczos
from foretell.information.directions.version_volume import volume_bits

SIZE = 400


def spectrum_of(rng: np.random.Generator, shape: str) -> np.ndarray:
    """Eigenvalues ascending: a diagonal matrix is as good as any, since Gaussian probes know no directions."""
    values = {
        "spread": np.exp(rng.normal(-6, 3, SIZE)),
        "low rank": np.where(np.arange(SIZE) < 12, rng.uniform(0.5, 5, SIZE), 0.0),
        "one large": np.where(np.arange(SIZE) < 1, 30.0, 1e-3 * rng.random(SIZE)),
        "even": rng.uniform(0, 1, SIZE),
    }
    return np.sort(values[shape])


def probe(values: np.ndarray, steps: int, rng: np.random.Generator) -> Probe:
    start = rng.standard_normal(len(values))
    return Probe.of(lanczos(lambda v: values * v, start, steps), float(start @ start))


def sketch(values: np.ndarray, probes: int, steps: int, rng: np.random.Generator) -> Sketch:
    return Sketch(len(values), (tuple(probe(values, steps, rng) for _ in range(probes)),), 2.0**-52)


SHAPES = ("spread", "low rank", "one large", "even")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [3, 12, 30])
def test_the_quadrature_brackets_each_probe(shape: str, steps: int) -> None:
    rng = np.random.default_rng(5)
    values = spectrum_of(rng, shape)
    for _ in range(10):
        start = rng.standard_normal(SIZE)
        found = Probe.of(lanczos(lambda v: values * v, start, steps), float(start @ start))
        for function in (log_volume(7.0), log_volume(3e3), pinned_share(40.0), lambda given: given):
            form = found.quadratic_form(function)
            exact = float(start**2 @ function(values))
            assert form.lo <= exact * (1 + 1e-6) + 1e-9
            assert exact <= form.hi * (1 + 1e-6) + 1e-9
        for cut in (1e-4, 0.01, 0.7):
            share = found.share_above(cut)
            exact = float(start[values > cut] @ start[values > cut] / (start @ start))
            assert share.lo - 1e-9 <= exact <= share.hi + 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_of_counts_and_traces_hold_as_often_as_promised(shape: str) -> None:
    rng, tried, level = np.random.default_rng(6), 120, 0.9
    values = spectrum_of(rng, shape)
    exact = Exact(values[None], 0.0)
    missed = np.zeros(5, int)
    for _ in range(tried):
        found = sketch(values, 2, 14, rng)
        pairs = [
            (found.above(0.01, level), exact.above(0.01, level).lo),
            (found.trace(log_volume(50.0), level), exact.point(log_volume(50.0))),
            (found.trace(pinned_share(50.0), level), exact.point(pinned_share(50.0))),
            (found.trace(lambda given: given, level), exact.point(lambda given: given)),
            (found.largest, float(values[-1])),
        ]
        missed += [not interval.lo * (1 - 1e-9) <= value <= interval.hi * (1 + 1e-9) for interval, value in pairs]
    assert max(missed) <= (1 - level) * tried, missed


def test_means_over_matrices_are_bounded() -> None:
    rng, tried, missed = np.random.default_rng(7), 100, 0
    several = [spectrum_of(rng, shape) for shape in ("spread", "low rank", "even")]
    exact = Exact(np.stack(several), 0.0)
    for _ in range(tried):
        found = Sketch(SIZE, tuple((probe(values, 20, rng),) for values in several), 2.0**-52)
        assert len(found.alone) == 3
        bounds = found.trace(pinned_share(50.0), 0.9)
        missed += exact.point(pinned_share(50.0)) not in bounds
        assert found.above(0.01, 0.9).lo <= exact.above(0.01, 0.9).lo <= found.above(0.01, 0.9).hi
    assert missed <= 0.1 * tried


@given(st.integers(1, 400), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_trace_bounds_hold_the_count_of_a_projection(rank: int, probes: int, seed: int) -> None:
    seen = float(np.random.default_rng(seed).chisquare(rank * probes))
    # A failure probability so small that it does not happen.
    found = trace_bounds(Interval(seen, seen), 1.0, probes, 1 - 1e-9)
    assert found.lo <= rank <= found.hi


def test_nothing_seen_is_not_nothing() -> None:
    assert trace_bounds(Interval(0.0, 0.0), 1.0, 4, 0.95).hi == pytest.approx(math.log(40))
    assert trace_bounds(Interval(0.0, 0.0), 0.0, 4, 0.95) == Interval(0.0, 0.0)


def test_more_steps_and_probes_tighten() -> None:
    values = spectrum_of(np.random.default_rng(8), "spread")
    widths = [
        sketch(values, probes, steps, np.random.default_rng(9)).trace(log_volume(50.0), 0.95).width
        for probes, steps in ((1, 4), (1, 30), (8, 30))
    ]
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tolerance", [0.02, 0.3, 2.0])
def test_the_volume_is_bounded_against_simulation(shape: str, tolerance: float) -> None:
    rng, tried = np.random.default_rng(10), 20_000
    values = spectrum_of(rng, shape)
    prior = 0.3
    quadratic = 0.5 * prior**2 * (rng.chisquare(1, size=(tried, SIZE)) @ values)
    inside = int(np.sum(quadratic <= tolerance))
    for found in (
        volume_bits(Exact(values[None], 0.0), tolerance, prior, 0.99),
        volume_bits(sketch(values, 4, 30, rng), tolerance, prior, 0.99),
    ):
        if inside > 20:
            error = 4 / math.sqrt(inside) * math.log2(math.e)
            assert found.lo - error <= -math.log2(inside / tried) <= found.hi + error
        else:
            # Fewer than 20 of 20,000.
            assert found.hi > 9


def test_the_volume_of_equally_pinned_directions_has_a_closed_form() -> None:
    """P(χ² with 2k degrees of freedom ≤ 2x) = e^(−x) Σ x^j / j! for j ≥ k."""
    half, ratio = 15, 0.2
    exact = -math.log2(math.exp(-ratio) * sum(ratio**j / math.factorial(j) for j in range(half, 40)))
    found = volume_bits(Exact(np.ones((1, 2 * half)), 0.0), tolerance=ratio, prior=1.0, level=0.95)
    assert exact - 6 < found.lo < exact < found.hi < exact + 20
