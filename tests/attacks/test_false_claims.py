"""A file that is signed and fits, but claims beside the point: another attempt, more positions, a run that was not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foretell.base.canonical import digest_file
from foretell.base.files import MANIFEST, write_manifest
from foretell.ledger import Ledger
from foretell.verifier import Outside, verify
from foretell.verifier.layout import FORECAST, LOG, TRUTH
from tests.attacks.forging import change_manifest, copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import Game


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"positions": 1_000_000}, "a manifest that counts other positions: got 1000000, expected 32"),
        ({"suite": {"name": "hard", "digest": "sha256:" + "0" * 64}}, "a truth that names another suite"),
        ({"suite": None}, "a truth that names another suite"),
    ],
)
def test_a_truth(open_game: Game, tmp_path: Path, facts: dict[str, Any], message: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "reveal").subjects[TRUTH] = change_manifest(part(root, TRUTH), **facts)
    write_log(root, entries, open_game)
    assert message in failures(root)


@pytest.mark.parametrize("weights", ["", None, 7])
def test_a_prospective_truth_of_nothing(prospective_game: Game, tmp_path: Path, weights: object) -> None:
    root = copied(prospective_game, tmp_path / "ledger")
    entries = drafts(root)
    reveal = entry_of(entries, "reveal")
    reveal.facts["target"]["weights"] = weights
    reveal.subjects[TRUTH] = change_manifest(part(root, TRUTH), source=reveal.facts["target"])
    write_log(root, entries, prospective_game)
    assert "a truth that does not say of which target: got no weights" in failures(root)


@pytest.mark.parametrize(
    ("number", "message"),
    [(np.nan, "not log-probabilities: got NaN"), (np.inf, "not log-probabilities"), (0.0, "not a distribution")],
)
def test_numbers_that_are_none(blind_game: Game, tmp_path: Path, number: float, message: str) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    shard = part(root, FORECAST) / "shards" / "00000.safetensors"
    arrays = {name: np.array(array) for name, array in load_file(shard).items()}
    arrays["logprobs"][0] = number
    save_file(arrays, shard, {"kind": "dense"})
    entries = drafts(root)
    entry_of(entries, "run").subjects = {FORECAST: change_manifest(part(root, FORECAST))}
    write_log(root, entries, blind_game)
    assert message in failures(root)


def test_other_prompts_than_the_team_was_shown(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "open").facts["openings"] = "sha256:" + "0" * 64
    write_log(root, entries, open_game)
    assert "other prompts than the team was shown" in failures(root)


def test_a_forecast_under_another_name(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "commit").facts["name"] = "by hand"
    write_log(root, entries, open_game)
    assert "a forecast of another name: got ngram:2:tiny, expected by hand" in failures(root)


@pytest.mark.parametrize(("fact", "value"), [("name", "small"), ("size_bytes", 1)])
def test_a_program_under_another_name_or_size(blind_game: Game, tmp_path: Path, fact: str, value: object) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "commit").facts[fact] = value
    write_log(root, entries, blind_game)
    assert "a program of another name or size" in failures(root)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"seed": 7}, "a run with another seed: got 7"),
        ({"limits": None}, "a run with other limits: got None"),
        ({"limits": {"seconds": 6000, "memory_bytes": 2 << 30}}, "a run with other limits: got {'seconds': 6000"),
    ],
)
def test_a_run_that_can_not_be_repeated(blind_game: Game, tmp_path: Path, facts: dict[str, Any], message: str) -> None:
    root = copied(blind_game, tmp_path / "ledger")
    entries = drafts(root)
    run = entry_of(entries, "run")
    run.facts["program"] |= facts
    source = {"name": "program:program", "reference": False} | run.facts["program"]
    run.subjects = {FORECAST: change_manifest(part(root, FORECAST), source=source)}
    write_log(root, entries, blind_game)
    assert message in failures(root)


@pytest.mark.parametrize("helpers", [None, "oracle", 7, {"a": 1}])
def test_helpers_that_are_no_list(open_game: Game, tmp_path: Path, helpers: object) -> None:
    """The record of a forecast is free; whatever stands there as a helper has to be declared."""
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    commit = entry_of(entries, "commit")
    commit.subjects = {
        FORECAST: change_manifest(part(root, FORECAST), source={"name": "ngram:2:tiny", "helpers": helpers})
    }
    write_log(root, entries, open_game)
    told = failures(root)
    assert "unreadable" not in told
    assert "does not come out again" in told or "undeclared helper" in told


def republished(game: Game, to: Path, forge: Callable[[Path], object], **facts: Any) -> Path:
    """A published folder that the evaluator has changed and signed again."""
    folder = Path(shutil.copytree(game.folder / "published-open", to))
    forge(folder)
    entries = drafts(folder)
    for kind, name in (("entries", "00000006.json"), ("checkpoints", "00000007.note")):
        (folder / LOG / kind / name).unlink()
    said = {"attempt": 1, "charter": entries[-1].facts["charter"], "track": "open"}
    write_manifest(folder, "foretell.published/1", said | facts)
    entries[-1].subjects = {MANIFEST: digest_file(folder / MANIFEST)}
    write_log(folder, entries, game)
    return folder


def test_published_again_as_it_was(open_game: Game, tmp_path: Path) -> None:
    assert failures(republished(open_game, tmp_path / "published", lambda _: None)) == ""


@pytest.mark.parametrize("facts", [{"attempt": 7}, {"attempt": True}, {"track": "blind"}, {"charter": "sha256:0"}])
def test_a_published_folder_about_another_attempt(open_game: Game, tmp_path: Path, facts: dict[str, Any]) -> None:
    folder = republished(open_game, tmp_path / "published", lambda _: None, **facts)
    assert "a manifest about another attempt" in failures(folder)


@pytest.mark.parametrize(
    "name", ["README.md", "attempts/001/report.html", "attempts/002/score.json", "log/more", "pools/0.json"]
)
def test_a_file_that_nothing_speaks_of(open_game: Game, tmp_path: Path, name: str) -> None:
    def add(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("The model is understood.")

    folder = republished(open_game, tmp_path / "published", add)
    assert f"a file that no step names: got {name}" in failures(folder)


def test_a_tail_cut_before_the_other_side_spoke(open_game: Game, tmp_path: Path) -> None:
    """The kept checkpoint is the team's, and nothing of the team is left in the log."""
    root = copied(open_game, tmp_path / "ledger")
    kept = Ledger(root / LOG).checkpoint(4)
    write_log(root, drafts(root)[:3], open_game, signers=[])
    told = {check.name: check.detail for check in verify(root, Outside(checkpoint=kept))}
    assert "a log whose tail was cut: got 3 entries, expected at least 4" in told["continuation"]


def test_a_step_after_the_last(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entries.append(drafts(root)[-1])
    write_log(root, entries, open_game)
    assert "a step out of order: got publish, expected no more steps in attempt 1" in failures(root)
