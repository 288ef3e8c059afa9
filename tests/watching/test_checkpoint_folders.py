"""A checkpoint counts when it is whole, and not before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from foretell.base.errors import InputError
from foretell.watching.checkpoint_folders import find_checkpoints, glance, unfinished, written_at
from tests.watching.running import FIRST, Running


def test_folders_are_found_by_their_names(tmp_path: Path) -> None:
    for name in ("checkpoint-30", "step-4", "checkpoint-best", "tmp-checkpoint-5", "step-4.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-7").write_text("no folder")
    assert find_checkpoints(tmp_path) == {4: tmp_path / "step-4", 30: tmp_path / "checkpoint-30"}
    assert find_checkpoints(tmp_path / "nowhere") == {}
    (tmp_path / "checkpoint-4").mkdir()
    with pytest.raises(InputError, match="two checkpoints of one step: got checkpoint-4 and step-4"):
        find_checkpoints(tmp_path)


def test_whatever_is_missing_is_named(running: Running) -> None:
    folder = running.save(FIRST)
    assert unfinished(folder) is None
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    for data, why in (
        (whole[:-1], f"model.safetensors has {len(whole) - 1} of {len(whole)} bytes"),
        (whole + b"x", "has"),
        (whole[:20], "model.safetensors has no whole header"),
        (b"", "model.safetensors has no whole header"),
    ):
        weights.write_bytes(data)
        assert why in str(unfinished(folder))
    weights.unlink()
    assert unfinished(folder) == "no *.safetensors"
    with pytest.raises(InputError, match="a checkpoint that is not whole: got no"):
        written_at(folder)
    weights.write_bytes(whole)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    assert unfinished(folder) == "no model-2.safetensors"
    shutil.copyfile(weights, folder / "model-2.safetensors")
    assert unfinished(folder) is None
    (folder / "tokenizer.json").write_text('{"version": "1.0", "mod')
    assert unfinished(folder) == "tokenizer.json is no whole JSON"
    config.unlink()
    assert unfinished(folder) == "no config.json"
    assert unfinished(folder / "nowhere") == "there is no such folder"


def test_what_trainer_writes_last_is_waited_for(running: Running) -> None:
    folder = running.save(FIRST).rename(running.run / f"checkpoint-{FIRST}")
    assert unfinished(folder) == "no trainer_state.json"
    (folder / "trainer_state.json").write_text("")
    assert unfinished(folder) == "trainer_state.json is no whole JSON"
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 7}))
    assert unfinished(folder) == "trainer_state.json is of step 7"
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": FIRST}))
    assert unfinished(folder) is None


def test_a_folder_that_is_written_to_looks_otherwise(running: Running) -> None:
    folder = running.save(FIRST)
    before = glance(folder)
    assert glance(folder) == before
    (folder / "more").mkdir()
    (folder / "more" / "shard").write_text("x")
    assert glance(folder) != before
