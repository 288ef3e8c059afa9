"""What the truth's noise implies holds for any two distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import ToleranceError
from foretell.base.interval import Unscored
from foretell.scoring import divergences
from foretell.verdicts.noise import implied_noise, noise_record, require_resolvable

LOGITS = st.lists(st.lists(st.floats(-8, 8), min_size=6, max_size=6), min_size=1, max_size=5)


@given(LOGITS, LOGITS, st.floats(0, 1))
def test_the_implied_noise_bounds_the_mean(first: list[list[float]], second: list[list[float]], near: float) -> None:
    rows = min(len(first), len(second))
    p = divergences.normalised(first[:rows])
    q = divergences.normalised(near * np.array(first[:rows]) + (1 - near) * np.array(second[:rows]))
    kl = float(divergences.kl_nats(p, q).mean())
    for metric in ("kl_nats", "tv", "js_nats", "abs_logprob_nats"):
        implied = implied_noise(metric, kl)
        assert not isinstance(implied, Unscored)
        assert getattr(divergences, metric)(p, q).mean() <= implied[0] * (1 + 1e-6) + 1e-7


def test_where_nothing_is_implied_the_reason_is_recorded() -> None:
    assert isinstance(implied_noise("topk_logprob_rmse", 0.1), Unscored)
    assert "does not bound topk_logprob_rmse" in noise_record("topk_logprob_rmse", {"kl_nats": 0.1})["unscored"]
    assert noise_record("tv", {"kl_nats": 0.02})["value"] == pytest.approx(0.1)


def test_tolerances_are_held_against_the_noise_of_their_metric() -> None:
    noise = {"kl_nats": 0.02}
    require_resolvable(0.1001, noise, "truth/", metric="tv")
    require_resolvable(1e-9, noise, "truth/", metric="topk_logprob_rmse")
    with pytest.raises(
        ToleranceError, match=r"got 0.09 of total variation, .* noise floor of 0.1 of total var.*Pinsker"
    ):
        require_resolvable(0.09, noise, "truth/", metric="tv")
    with pytest.raises(ToleranceError, match=r"got 0.01 nats"):
        require_resolvable(0.5, noise, "truth/", slices=[None, 0.01])
    with pytest.raises(ToleranceError, match=r"expected a finite number above 0\. Set"):
        require_resolvable(0.0, noise, "truth/", metric="topk_logprob_rmse")
