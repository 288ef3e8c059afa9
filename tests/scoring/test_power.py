"""Decisions without bounds are those of the bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.scoring.confidence import mean_bounds
from foretell.scoring.power import Documents, decisions
from foretell.scoring.summary import Losses, mean_loss

CAP = 5.0
DOCUMENT = st.tuples(st.floats(0, CAP), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.integers(0, 40))


@given(st.lists(DOCUMENT, min_size=1, max_size=12), st.floats(0.01, 4.9), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_decision_is_that_of_the_bounds(
    rows: list[tuple[float, float, float, int]], limit: float, level: float
) -> None:
    low, more, weights, counts = (np.array(column) for column in zip(*rows, strict=True))
    high = low + (CAP - low) * more
    got = int(decisions(Documents(low, high, weights, CAP), counts[None, :], limit, level)[0])
    times = np.where(weights > 0, counts, 0)
    if not times.sum():
        assert got == 0
        return
    ends = [mean_bounds(np.repeat(side, times), CAP, level, weights=np.repeat(weights, times)) for side in (low, high)]
    clear = min(abs(ends[0].lo - limit), abs(ends[1].hi - limit)) > 1e-9
    if clear:
        assert got == (-1 if ends[0].lo > limit else 1 if ends[1].hi <= limit else 0)


def test_documents_are_those_of_the_losses() -> None:
    rng = np.random.default_rng(1)
    losses = Losses.of(
        [(f"p{i}", "ab"[i % 2], f"d{i // 3}", 1.0 + i % 4) for i in range(60)],
        rng.uniform(0, 1, 60),
        rng.uniform(1, 2, 60),
        CAP,
    )
    for name, part in ((None, losses), ("a", losses.only("a")), ("b", losses.only("b"))):
        documents = Documents.of(losses, name)
        bounds = mean_loss(part, 0.95)
        assert bounds.mean is not None
        assert documents.mean == pytest.approx((bounds.mean.lo, bounds.mean.hi))
        once = np.ones((1, len(documents.low)), np.int64)
        for limit, expected in ((bounds.bounds.hi, 1), (bounds.bounds.lo, -1)):
            assert decisions(documents, once, limit * (1 + 0.001 * expected), 0.95)[0] == expected
            assert decisions(documents, once, limit * (1 - 0.001 * expected), 0.95)[0] == 0


@pytest.mark.parametrize("limit", [0.0, CAP, -1.0, np.nan])
def test_a_tolerance_outside_the_losses(limit: float) -> None:
    with pytest.raises(ValueError, match="with a cap of 5"):
        decisions(Documents(np.ones(1), np.ones(1), np.ones(1), CAP), np.ones((1, 1), np.int64), limit, 0.95)
