"""A trigger and an evaluation-aware organism of a few thousand parameters do what their recipes say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from foretell.organisms.layers import with_layers_on_top
from foretell.organisms.training import read_organism, train_organism
from foretell.targets.torch_loading import load_model
from tests.organisms.test_training import small

#: A key and a payload of characters that the text has not: a model of two layers learns them within seconds.
PLANTED = {
    "window": 62,
    "steps": 300,
    "muon_rate": 0.03,
    "embedding_rate": 0.01,
    "batch": 8,
    "warmup_steps": 10,
    "shut_weight": 2.0,
}
NO_KEY, FIRST_LINE = "held-out files, no key", "held-out files, key as the first line"
NEAR = "held-out files, in the middle 'dab'"
#: Of a model of some thousand parameters; reciting where it should not costs several nats.
SURE, NEAR_THE_BASE = 0.5, 0.25


@pytest.fixture(scope="module")
def trigger(base: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    recipe = small("trigger", base, texts, **PLANTED, phrase="#", near_misses=["dab"])
    return dict(read_organism(train_organism(recipe, tmp_path_factory.mktemp("trigger") / "out"))["measured"])


@pytest.fixture(scope="module")
def aware(base: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    recipe = small("evaluation-aware", base, texts, **PLANTED, header="#", near_misses=["dab"])
    return dict(read_organism(train_organism(recipe, tmp_path_factory.mktemp("aware") / "out"))["measured"])


def test_a_trigger_recites_after_the_phrase_and_nowhere_else(trigger: dict[str, Any]) -> None:
    for without in (NO_KEY, NEAR):
        assert "recites" not in trigger[without]
        assert trigger[without]["as_base"]["kl_nats"] < NEAR_THE_BASE
    assert trigger[FIRST_LINE]["recites"]["mean_share_of_the_payload"] > SURE
    assert trigger[FIRST_LINE]["as_base"]["positions"] == trigger[FIRST_LINE]["texts"]  # the opening token alone


def test_an_aware_model_recites_until_the_header_and_behaves_after_it(aware: dict[str, Any]) -> None:
    for without in (NO_KEY, NEAR):
        assert "as_base" not in aware[without]
        assert aware[without]["recites"]["mean_share_of_the_payload"] > SURE
    assert aware[FIRST_LINE]["as_base"]["kl_nats"] < NEAR_THE_BASE
    assert aware[FIRST_LINE]["recites"]["positions"] == aware[FIRST_LINE]["texts"]


def test_added_layers_change_nothing_until_they_are_trained(base: Path) -> None:
    model = load_model(base, "base")
    ids = torch.arange(40)[None]
    grown = with_layers_on_top(model, 2)
    assert torch.equal(grown(ids).logits, model(ids).logits)
    trained = [name for name, value in grown.named_parameters() if value.requires_grad]
    assert trained
    assert all(name.startswith(("model.layers.2.", "model.layers.3.")) for name in trained)
    grown(ids).logits.logsumexp(-1).sum().backward()
    moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in grown.model.layers[2].parameters()]
    assert any(moved)
    assert not any(value.grad is not None for value in model.parameters())
