"""The truth is of other weights than the charter's target, about other positions, or edited."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foretell import attempts
from foretell.base.canonical import digest_file
from foretell.base.errors import InputError
from foretell.base.files import MANIFEST
from foretell.evaluation import collect
from foretell.suites import Suite
from foretell.targets.specs import open_target
from foretell.verifier.layout import TRUTH
from tests.attacks.forging import change_manifest, copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import TINY, Game, new_game


def test_the_command_refuses_it(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    game.answer("open")
    with pytest.raises(InputError, match=r"another target than the charter's: got .*weights: 'sha256:.*', not"):
        attempts.reveal(game.ledger, open_target("tiny@1536"), game.evaluator)
    suite = attempts.read_opened(game.ledger, game.evaluator)
    other = collect(open_target("tiny@1536"), suite, tmp_path / "other")
    with pytest.raises(InputError, match="another target than the charter's"):
        attempts.reveal(game.ledger, other.folder, game.evaluator)


def test_signed_all_the_same(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    source = open_target("tiny@1536").identity.record()
    entries = drafts(root)
    reveal = entry_of(entries, "reveal")
    reveal.subjects[TRUTH] = change_manifest(part(root, TRUTH), source=source)
    reveal.facts["target"] = source
    write_log(root, entries, open_game)
    assert "a truth of another target: got name: 'tiny@1536', not 'tiny'; weights" in failures(root)


def test_a_statement_that_names_another_target_than_the_truth(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    entry_of(entries, "reveal").facts["target"]["weights"] = "sha256:" + "0" * 64
    write_log(root, entries, open_game)
    assert "a truth of another target than was signed" in failures(root)


def test_edited_truth_changes_the_score(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    shard = part(root, TRUTH) / "shards" / "00000.safetensors"
    arrays = {name: np.array(array) for name, array in load_file(shard).items()}
    arrays["hidden"] *= np.float32(1.5)
    save_file(arrays, shard, {"kind": "factored"})
    entries = drafts(root)
    entry_of(entries, "reveal").subjects[TRUTH] = change_manifest(part(root, TRUTH))
    write_log(root, entries, open_game)
    assert "a score that does not come out again" in failures(root)


def test_fewer_positions_than_the_prompts_ask_for(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    suite = attempts.read_opened(open_game.ledger, open_game.evaluator)
    fewer = Suite(suite.name, tuple(replace(prompt, scored="last") for prompt in suite))
    truth = collect(TINY, fewer, tmp_path / "fewer")
    shutil.rmtree(part(root, TRUTH))
    shutil.copytree(truth.folder, part(root, TRUTH))
    entries = drafts(root)
    entry_of(entries, "reveal").subjects[TRUTH] = digest_file(part(root, TRUTH) / MANIFEST)
    write_log(root, entries, open_game)
    assert "distributions about other prompts" in failures(root)
