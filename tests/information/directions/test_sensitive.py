"""Tests of the sensitive directions: they move the shipped target's answers more than others, as much as predicted."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.information.directions.sensitive import sensitive_directions
from foretell.suites import Suite
from foretell.targets.collection import tokenize
from foretell.targets.target import Target
from foretell.targets.torch_fisher import open_fisher


def test_they_move_the_answers_most_and_as_predicted(tiny: Target, small_suite: Suite) -> None:
    prompts = tokenize(small_suite, tiny.encode, tiny.context)
    asked = [prompt.token_ids for prompt in prompts], [prompt.positions for prompt in prompts]
    fisher = open_fisher(tiny, *asked)
    found = sensitive_directions(tiny, *asked, 2, np.random.default_rng(0))
    assert [set(one) for one in found] == [{tensor.name for tensor in fisher.tensors}] * 2
    units = [np.concatenate([(one[t.name] / t.rms).ravel() for t in fisher.tensors]) for one in found]
    assert np.round(np.stack(units) @ np.stack(units).T, 4) == pytest.approx(np.eye(2))
    sizes = [float(unit @ fisher.product(unit)) for unit in units]
    any_direction = np.random.default_rng(1).standard_normal(fisher.size)
    any_direction /= np.linalg.norm(any_direction)
    assert sizes[0] >= sizes[1] > 1000 * float(any_direction @ fisher.product(any_direction))
    assert fisher.kl_nats(0.01 * units[0]) == pytest.approx(0.5 * 0.01**2 * sizes[0], rel=0.05)
