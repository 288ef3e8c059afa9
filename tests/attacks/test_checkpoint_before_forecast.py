"""Attack: a checkpoint is there before its forecast is: openly, hidden elsewhere meanwhile, or a copy of an old one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import ForgeryError, OrderError
from foretell.evaluation import make_forecast
from foretell.forecasters.specs import open_forecaster
from foretell.targets.collection import tokenize
from foretell.targets.specs import open_target
from tests.watching.running import FAILED, FIRST, PASSED, SECOND, Running, new_run


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return new_run(tmp_path)


def test_it_is_there_when_prompts_shall_be_sealed(running: Running) -> None:
    running.save(FIRST)
    with pytest.raises(OrderError, match="the target exists already: got a folder of step 192"):
        running.watch().prepare(FIRST)
    assert not running.ledger.joinpath("log").exists()


def test_it_comes_between_opening_and_commitment(running: Running) -> None:
    """The team has the prompts, trains, looks at the checkpoint, and commits what it saw: too late to be judged."""
    running = running.changed(forecasters=())
    watch = running.watch(running.team.public)
    watch.prepare(FIRST)
    folder = running.save(FIRST)
    assert watch.checkpoint(FIRST, folder).decision == "unforecast"
    commit(running, f"model:onnx:{folder}")
    judgement = watch.checkpoint(FIRST, folder)
    assert judgement.decision == "unforecast"
    assert "its weights were written" in judgement.words
    assert not watch.standing(FIRST).judged


def test_it_was_hidden_until_the_forecast_was_committed(running: Running, tmp_path: Path) -> None:
    """Its file times are older than the commitment. They can be forged, and are no proof; a slip shows in them."""
    hidden = running.save(FIRST).rename(tmp_path / "hidden")
    long_ago = hidden.joinpath("model.safetensors").stat().st_mtime - 60
    os.utime(hidden / "model.safetensors", (long_ago, long_ago))
    watch = running.watch()
    watch.prepare(FIRST)
    shutil.move(hidden, running.run / "step-192")
    judgement = watch.checkpoint(FIRST, running.run / "step-192")
    assert judgement.decision == "unforecast"
    assert "its weights were written 6" in judgement.words
    assert not watch.standing(FIRST).judged


def test_it_is_a_copy_of_one_that_was_judged(running: Running) -> None:
    running.train(FIRST)
    watch = running.watch()
    watch.prepare(SECOND)
    with pytest.raises(OrderError, match="a checkpoint with weights that were known before its forecast"):
        watch.checkpoint(SECOND, running.save(SECOND, like=FIRST))
    assert not watch.standing(SECOND).judged


def test_a_failed_checkpoint_is_tried_again_under_another_name(running: Running) -> None:
    """The log knows its weights since the first try: no forecast of them is prospective any more."""
    assert running.changed(tolerances=((0, FAILED),)).train(FIRST) == "fail"
    shutil.move(running.run / "step-192", running.folder / "aside")
    pool = running.folder / "pool.jsonl"
    pool.write_text(pool.read_text().replace('"text": "', '"text": "Note: '))
    again = running.watch(text=running.plan_text.replace('run = "shipped"', 'run = "again"'))
    again.prepare(FIRST)
    running.save(FIRST)
    with pytest.raises(OrderError, match="a checkpoint with weights that were known before its forecast"):
        again.checkpoint(FIRST, running.run / "step-192")
    attempts.reveal(running.ledger, open_target(f"onnx:{running.run}/step-192"), running.evaluator)
    with pytest.raises(ForgeryError, match="a target that was known before the forecast"):
        attempts.judge(running.ledger, running.evaluator)


def test_a_second_attempt_on_the_same_checkpoint(running: Running) -> None:
    running = running.changed(tolerances=((0, PASSED),))
    watch = running.watch()
    watch.prepare(FIRST)
    charter = watch.standing(FIRST).charter
    assert charter is not None
    attempts.seal(running.ledger, watch.terms.pool, running.evaluator, charter.digest)
    with pytest.raises(OrderError, match="two attempts for one checkpoint: got 1, 2"):
        watch.checkpoint(FIRST, running.save(FIRST))


def commit(running: Running, spec: str) -> None:
    suite, vocabulary = attempts.read_opened(running.ledger, running.team), open_target("tiny").vocabulary
    made = make_forecast(
        open_forecaster(spec, vocabulary, open_target=open_target),
        tokenize(suite, vocabulary.encode, None),
        vocabulary,
        running.folder / "by-hand",
        suite={"name": suite.name, "digest": suite.digest},
    )
    attempts.commit_forecast(running.ledger, made.folder, running.team)
