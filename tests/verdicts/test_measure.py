"""Names of forecasts, and one forecast measured by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.base.progress import quiet
from foretell.distributions import Distributions
from foretell.scoring import ScoreSettings
from foretell.scoring import divergences as by_definition
from foretell.scoring.positions import to_dense
from foretell.verdicts.measure import measure, unique_names, worst_first


def test_prompts_are_means_of_their_positions(
    tiny_truth: Distributions, tiny_forecasts: dict[str, Distributions]
) -> None:
    forecast, size = tiny_forecasts["unigram:tiny"], tiny_truth.vocabulary.size
    got = measure(tiny_truth, forecast, "u", ScoreSettings(1e-6), tail=None, run=None, progress=quiet)
    index = {prompt.id: i for i, prompt in enumerate(tiny_truth.prompts)}
    assert sorted(index) == sorted(key[0] for key in got.prompts)
    for key, kl in zip(got.prompts, got.hi["kl_nats"], strict=True):
        prompt = tiny_truth.prompts[index[key[0]]]
        assert key[1:] == (prompt.slice, prompt.document, prompt.weight)
        p, q = (
            by_definition.normalised(to_dense(d.block(index[prompt.id]), size).logprobs) for d in (tiny_truth, forecast)
        )
        expected = by_definition.kl_nats(p, by_definition.floored(q, 1e-6)).mean()
        assert kl == pytest.approx(expected, rel=1e-5)
    order = [got.hi["kl_nats"][[k[0] for k in got.prompts].index(name)] for name in worst_first(got)]
    assert order == sorted(order, reverse=True)
    assert np.isfinite(order).all()


def test_forecasts_of_one_name_are_told_apart(tiny_forecasts: dict[str, Distributions], tmp_path: Path) -> None:
    one = tiny_forecasts["uniform"]
    shutil.copytree(one.folder, tmp_path / "copy")
    copy = Distributions(tmp_path / "copy")
    assert list(unique_names([one, copy])) == [f"uniform ({one.folder})", f"uniform ({tmp_path / 'copy'})"]
    assert list(unique_names([one, tiny_forecasts["unigram:tiny"]])) == ["uniform", "unigram:tiny"]
    with pytest.raises(InputError, match="nothing to compare: got the same folder twice"):
        unique_names([one, Distributions(one.folder)])
    with pytest.raises(InputError, match="nothing to compare: got no forecast"):
        unique_names([])
