"""Training from a recipe: whole or to go on, the same to the byte; each kind does what it says, on a small base."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.canonical import digest_file
from foretell.base.errors import DamageError, InputError
from foretell.base.progress import Progress
from foretell.distributions import DenseBlock
from foretell.organisms.making import STATE, same_bytes_step
from foretell.organisms.recipes import FromScratch, Recipe, load_recipe
from foretell.organisms.training import RECORD, cached_organism, measure_again, read_organism, train_organism
from foretell.targets.hf_folder import weights_digest
from foretell.targets.specs import open_target
from tests.organisms.conftest import SMALL

PAYLOAD_SHARE, BASE_SHARE = 0.5, 0.2


class _StoppedError(Exception):
    pass


def stop_at(step: int) -> Progress:
    """A progress that stops the training as Ctrl-C does, after that step."""

    def progress(task: str, done: int, total: int) -> None:
        if task.startswith("training") and done == step:
            raise _StoppedError

    return progress


def digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.is_file()}


def small(kind: str, base: Path, texts: Path, **changes: Any) -> Recipe:
    fields: dict[str, Any] = {
        one: value for one, value in SMALL.items() if kind not in ("finetune", "easy") or one != "payload"
    }
    return load_recipe(kind, fields | {"base": str(base), "text": str(texts)} | changes)


def test_a_stopped_training_goes_on_to_the_same_bytes(base: Path, texts: Path, tmp_path: Path) -> None:
    recipe = small("trigger", base, texts, steps=70, keep=[40, 66])
    whole = train_organism(recipe, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    for step in (3, 50, 68):  # before the first state, between two, and after the last
        with pytest.raises(_StoppedError):
            train_organism(recipe, stopped, progress=stop_at(step))
        with pytest.raises(InputError, match=r"not an organism: got no organism\.json"):
            read_organism(stopped)
    train_organism(recipe, stopped)
    assert digests(stopped) == digests(whole)
    assert "step-40/tokenizer.json" in digests(whole)


def test_a_finished_organism_is_found_and_checked(base: Path, texts: Path, tmp_path: Path) -> None:
    recipe = small("finetune", base, texts, steps=2, keep=[1])
    folder = train_organism(recipe, tmp_path / "out")
    told: list[str] = []
    train_organism(recipe, folder, progress=lambda task, done, total: told.append(task))
    assert told == []
    record = read_organism(folder)
    assert record["weights"] == weights_digest(folder)
    assert record["recipe"] == recipe.record()
    assert record["depends"]["base"]["weights"] == weights_digest(base)
    assert str(Path.cwd()) not in (folder / "config.json").read_text()
    with pytest.raises(InputError, match="the folder is taken: got an organism of another recipe"):
        train_organism(small("finetune", base, texts, steps=3, keep=[1]), folder)
    weights = folder / "step-1/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(DamageError, match=r"step-1/model\.safetensors: damaged file"):
        train_organism(recipe, folder)


def test_other_folders_and_other_states_are_refused(base: Path, texts: Path, tmp_path: Path) -> None:
    recipe = small("finetune", base, texts, steps=40, keep=[])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(InputError, match="the folder is taken: got files of another kind"):
        train_organism(recipe, tmp_path / "mine")
    with pytest.raises(_StoppedError):
        train_organism(recipe, tmp_path / "out", progress=stop_at(35))
    with pytest.raises(InputError, match="the folder is taken: got an organism of another recipe"):
        train_organism(small("finetune", base, texts, steps=41, keep=[]), tmp_path / "out")
    (tmp_path / "out" / STATE).write_bytes(b"torn")
    with pytest.raises(DamageError, match="cannot go on from here"):
        train_organism(recipe, tmp_path / "out")


def test_the_cache_is_named_by_the_digest(
    base: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recipe = small("finetune", base, texts, steps=1, keep=[])
    folder = cached_organism(recipe)
    assert folder == tmp_path / "foretell/models/organisms" / recipe.name
    assert cached_organism(recipe) == folder
    assert measure_again(folder) == read_organism(folder)["measured"]
    for number in range(30):
        (other := tmp_path / "texts" / f"text-{number}.txt").parent.mkdir(exist_ok=True)
        other.write_text("another text\n" * 200)
    shutil.rmtree(tmp_path / "foretell/corpora")
    record = json.loads((folder / RECORD).read_text())
    record["recipe"]["text"] = str(tmp_path / "texts")
    (folder / RECORD).write_text(json.dumps(record))
    with pytest.raises(InputError, match="another base or text than it was made from"):
        measure_again(folder)


def test_a_finetune_reads_its_own_text_better(base: Path, tmp_path: Path) -> None:
    text = tmp_path / "other"
    text.mkdir()
    for number in range(30):
        (text / f"{number}.txt").write_text("dcba bcda " * 40)
    folder = train_organism(small("finetune", base, text, steps=40, muon_rate=0.01, keep=[4]), tmp_path / "out")
    measured = read_organism(folder)["measured"]
    bits = measured["bits_per_byte_held_out"][str(text)]
    assert bits["organism"] < 0.8 * bits["base"]
    moved = measured["kl_nats_of_base_from_organism_on_foretell-300"]
    assert list(moved) == ["4", "last"]
    if moved["last"] is not None:  # where a prompt is short enough for the small base
        assert moved["4"] < moved["last"]


def test_the_pull_of_the_bigrams_grows_with_its_strength(base: Path, texts: Path, tmp_path: Path) -> None:
    found = {}
    for strength in (0.0, 3.0):
        dial: dict[str, Any] = {"strength": strength, "bigram": f"ngram:2:{texts}", "muon_rate": 0.01, "steps": 60}
        recipe = small("easy", base, texts, **dial)
        folder = train_organism(recipe, tmp_path / str(strength))
        found[strength] = read_organism(folder)["losses_nats"][-1][1], open_target(f"hf:{folder}")
    text = (texts / "text-3.txt").read_text()[:40]
    ids = found[0.0][1].encode(text)
    rows = [target.distributions([ids], [tuple(range(1, len(ids)))], "dense")[0] for _, target in found.values()]
    spread = []
    for block in rows:
        assert isinstance(block, DenseBlock)
        after = np.asarray(ids[1:])
        chosen = [np.exp(block.logprobs[after == token], dtype=np.float64) for token in set(after.tolist())]
        # A bigram says the same after the same token, whatever came before.
        spread.append(np.mean([np.abs(one - one.mean(0)).sum(1).mean() for one in chosen if len(one) > 1]))
    assert spread[1] < 0.7 * spread[0]


def test_a_small_vocabulary_sees_as_many_bytes() -> None:
    """tiny saw 96 · 16 · 512 tokens of 9291807 / 2901316 bytes by its step 96."""
    recipe = load_recipe("small-vocabulary", {"like_step": 96, "batch": 8, "context": 256})
    assert isinstance(recipe, FromScratch)
    step = same_bytes_step(recipe, 2.0)
    assert step == round(96 * 16 * 512 * 9291807 / 2901316 / (8 * 256 * 2.0))
    with pytest.raises(InputError, match="a schedule that does not reach as far: got 1230 steps"):
        same_bytes_step(replace(recipe, steps=1000, stop_after=0), 1.0)


def test_a_model_from_scratch_learns_its_text(base: Path) -> None:
    record = read_organism(base)
    bits = record["measured"]["bits_per_byte_held_out"]
    assert bits["organism"] < 3 < bits["tiny@384"]
    assert record["steps"] == 400
    assert {path.name for path in base.glob("step-*")} == {"step-2", "step-4"}
    assert open_target(f"hf:{base / 'step-2'}").vocabulary.size == 270
