"""Losses by name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.scoring import METRICS, divergences
from foretell.scoring.losses import LOSSES, loss_metric


def test_all_metrics_but_agreement_are_losses() -> None:
    assert set(LOSSES) | {"top1_agreement"} == set(METRICS)
    with pytest.raises(InputError, match="no such loss: got 'top1_agreement'"):
        loss_metric("top1_agreement")


@pytest.mark.parametrize("name", ["tv", "js_nats"])
def test_the_most_is_reached_by_what_has_nothing_in_common(name: str) -> None:
    p, q = np.array([[0.0, -math.inf]]), np.array([[-math.inf, 0.0]])
    assert getattr(divergences, name)(p, q)[0] == pytest.approx(LOSSES[name].most)
    assert LOSSES[name].cap(7) == LOSSES[name].most
