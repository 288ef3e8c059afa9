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
    return ReferenceScale.of(LOSSES[metric], tolerance, losses, noise, ["ngram"])


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        (0.75, "A tolerance of 0.75 nats lies between tiny (0.31) and ngram (2.4)."),
        (3.0, "Every forecast of the practice run meets a tolerance of 3 nats; the worst is ngram (2.4)."),
        (0.3, "No forecast of the practice run meets a tolerance of 0.3 nats; the best is tiny (0.31)."),
    ],
)
def test_where_it_lies(tolerance: float, words: str) -> None:
    assert scale(tolerance, ngram=2.4, tiny=0.31).sentences()[0] == words


def test_in_units_of_noise() -> None:
    expected = "It is 5,000 times the truth's own noise of 1.0e-04 nats (measured)."
    assert scale(0.5, a=0.1).sentences()[1] == expected
    assert (
        scale(0.5, "tv", 0.02, a=0.1).sentences()[1].startswith("It is at least 5 times the truth's own noise of 1.0e")
    )
    assert "not known" in scale(0.5, "topk_logprob_rmse", a=0.1).sentences()[1]
    assert scale(0.5, noise=0.0, a=0.1).sentences()[1] == "The truth's own noise is 0."


def test_the_record_names_all() -> None:
    record = scale(0.75, ngram=2.4, tiny=0.31).record()
    assert record["between"] == ["tiny", "ngram"]
    assert [(entry["name"], entry["reference"]) for entry in record["forecasts"]] == [("tiny", False), ("ngram", True)]
    assert scale(0.5, "topk_logprob_rmse", a=0.1).record()["noise_floor"].keys() == {"unscored"}
