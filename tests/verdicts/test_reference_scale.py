"""A tolerance among references, in words."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.scoring.losses import LOSSES
from foretell.scoring.summary import Losses
from foretell.verdicts.reference_scale import ReferenceScale


def scale(tolerance: float, metric: str = "kl_nats", noise: float = 1e-4, **means: float) -> ReferenceScale:
    losses = {
        name: Losses.of([("p", "s", "d", 1.0), ("q", "s", "e", 3.0)], np.zeros(2), np.array([mean, mean]), 9.0)
        for name, mean in means.items()
    }
    return ReferenceScale.of(LOSSES[metric], tolerance, losses, noise)


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        (0.75, "A tolerance of 0.75 nats lies between tiny (0.31) and ngram (2.4)."),
        (3.0, "Every reference meets a tolerance of 3 nats; the worst of them is ngram (2.4)."),
        (0.3, "No reference meets a tolerance of 0.3 nats; the best of them is tiny (0.31)."),
    ],
)
def test_where_it_lies(tolerance: float, words: str) -> None:
    assert scale(tolerance, ngram=2.4, tiny=0.31).sentences()[0] == words


def test_in_units_of_noise() -> None:
    assert scale(0.5).sentences() == [
        "The practice run has no reference to hold a tolerance of 0.5 nats against.",
        "It is 5e+03 times the truth's own noise of 1.0e-04 nats (measured).",
    ]
    assert (
        scale(0.5, "tv", 0.02).sentences()[1].startswith("It is at least 5 times the truth's own noise of 1.0e-01 of")
    )
    assert "not known" in scale(0.5, "topk_logprob_rmse").sentences()[1]
    assert scale(0.5, noise=0.0).sentences()[1] == "The truth's own noise is 0."


def test_the_record_names_all() -> None:
    record = scale(0.75, ngram=2.4, tiny=0.31).record()
    assert record["between"] == ["tiny", "ngram"]
    assert [entry["name"] for entry in record["references"]] == ["tiny", "ngram"]
    assert scale(0.5, "topk_logprob_rmse").record()["noise_floor"].keys() == {"unscored"}
