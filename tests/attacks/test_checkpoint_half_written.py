"""Attack, or bad luck: a checkpoint is judged while half of it is there, or a killed training left half of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foretell.base.errors import InputError
from tests.watching.running import FIRST, Running, new_run


@pytest.fixture
def running(tmp_path: Path) -> Running:
    made = new_run(tmp_path)
    made.watch().prepare(FIRST)
    return made


@pytest.mark.parametrize(
    ("name", "kept", "message"),
    [
        ("model.safetensors", 100_000, r"model\.safetensors has 100000 of 2136256 bytes"),
        ("model.safetensors", 4, r"model\.safetensors has no whole header"),
        ("config.json", 10, r"config\.json is no whole JSON"),
        ("tokenizer.json", 1000, r"tokenizer\.json is no whole JSON"),
    ],
)
def test_a_file_that_ends_too_early(running: Running, name: str, kept: int, message: str) -> None:
    path = running.save(FIRST) / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=f"a checkpoint that is not whole: got {message}"):
        running.watch().checkpoint(FIRST, path.parent)
    assert running.watch().standing(FIRST).state == "commit"


def test_trainer_s_own_last_file(running: Running) -> None:
    """Weights and tokenizer are there, the state is not, or is the one of an earlier checkpoint."""
    folder = running.save(FIRST).rename(running.run / "checkpoint-192")
    with pytest.raises(InputError, match=r"a checkpoint that is not whole: got no trainer_state\.json"):
        running.watch().checkpoint(FIRST, folder)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 96}))
    with pytest.raises(InputError, match=r"a checkpoint that is not whole: got trainer_state\.json is of step 96"):
        running.watch().checkpoint(FIRST, folder)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 192}))
    assert running.watch().checkpoint(FIRST, folder).passed
