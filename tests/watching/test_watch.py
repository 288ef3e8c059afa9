"""Each checkpoint is one attempt: sealed and forecast before it is there, judged once, and taken up after a kill."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell import attempts
from foretell.base.errors import InputError, OrderError
from foretell.evaluation import make_forecast
from foretell.forecasters.specs import open_forecaster
from foretell.ledger import PublicKey, SecretKey
from foretell.targets.collection import tokenize
from foretell.targets.specs import open_target
from foretell.verifier import verify
from foretell.watching import Plan, Watch
from foretell.watching.terms import Terms
from tests.watching.running import FAILED, FIRST, FROM_LAST, OPEN, PASSED, SECOND, THIRD, Running, new_run


def test_a_run_that_passes_is_in_the_ledger_as_attempts(running: Running) -> None:
    running = running.changed(forecasters=FROM_LAST, tolerances=((0, PASSED), (THIRD, 6.9)))
    assert [running.train(step) for step in (FIRST, SECOND, THIRD)] == ["pass"] * 3
    checks = verify(running.ledger)
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    tried = attempts.status(running.ledger).attempts
    assert [attempt.charter.target.future for attempt in tried] == [
        f"checkpoint {step} of the training run shipped" for step in (FIRST, SECOND, THIRD)
    ]
    assert [attempt.charter.score.tolerance for attempt in tried] == [PASSED, PASSED, 6.9]
    assert [attempt.charter.track.kind for attempt in tried] == ["prospective"] * 3
    assert tried[1].steps["commit"]["name"] == f"model:onnx:{running.run}/step-192"
    assert "step-192 sha256:" in tried[1].steps["commit"]["helpers"][0]
    drawn = [set(attempt.steps["seal"]["indices"]) for attempt in tried]
    assert not drawn[0] & drawn[1] | drawn[1] & drawn[2] | drawn[0] & drawn[2]


@pytest.mark.parametrize(
    ("tolerance", "decision", "words"),
    [
        (FAILED, "fail", "FAIL: .*; training stops here"),
        (OPEN, "inconclusive", r"INCONCLUSIVE: .*; about \d+ prompts would decide; training stops here"),
    ],
)
def test_nothing_goes_on_without_a_pass(running: Running, tolerance: float, decision: str, words: str) -> None:
    running = running.changed(tolerances=((0, tolerance),))
    watch = running.watch()
    watch.prepare(FIRST)
    judgement = watch.checkpoint(FIRST, running.save(FIRST))
    assert (judgement.decision, judgement.passed) == (decision, False)
    assert re.search(words, judgement.words)
    with pytest.raises(OrderError, match=f"training that may not go on: got checkpoint {FIRST}: {decision}"):
        watch.prepare(SECOND)
    assert watch.checkpoint(FIRST, running.run / "step-192") == judgement
    assert len(attempts.status(running.ledger).entries) == 3 + 5
    assert all(check.holds for check in verify(running.ledger))


def test_an_earlier_checkpoint_that_was_not_judged_stops_too(running: Running) -> None:
    watch = running.watch()
    watch.prepare(FIRST)
    with pytest.raises(OrderError, match=f"training that may not go on: got checkpoint {FIRST}: commit"):
        watch.prepare(SECOND)


class _KilledError(BaseException):
    pass


STEPS = ("fix_charter", "seal", "open_prompts", "commit_forecast", "reveal", "judge")


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_goes_on(running: Running, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Killed as soon as a step was signed, the same calls end with the same attempt, each step there once.

    Killed before, it is killed after the step before; killed within, see tests/attacks/test_kills.py.
    """

    def killed(*arguments: object, **named: object) -> None:
        original(*arguments, **named)
        raise _KilledError

    original: Callable[..., object] = getattr(attempts, step)
    with monkeypatch.context() as patch:
        patch.setattr(attempts, step, killed)
        with pytest.raises(_KilledError):
            running.train(FIRST)
    watch = running.watch()
    if not (running.run / "step-192").exists():
        watch.prepare(FIRST)
        running.save(FIRST)
    assert watch.checkpoint(FIRST, running.run / "step-192").decision == "pass"
    (attempt,) = attempts.status(running.ledger).attempts
    assert list(attempt.steps) == ["seal", "open", "commit", "reveal", "judge"]
    assert len(attempts.status(running.ledger).charters) == 3
    assert all(check.holds for check in verify(running.ledger))


def test_a_truth_that_was_begun_before_a_checkpoint_was_trained_anew(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = running.watch()
    watch.prepare(FIRST)
    folder = running.save(FIRST, like=96)

    def killed(*_: object, **__: object) -> None:
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr("foretell.distributions.DistributionWriter.finish", killed)
        with pytest.raises(_KilledError):
            watch.checkpoint(FIRST, folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert watch.checkpoint(FIRST, running.save(FIRST)).passed


def test_prepared_twice_is_prepared_once(running: Running) -> None:
    first = running.watch().prepare(FIRST)
    again = running.watch().prepare(FIRST)
    assert (first.state, again.state) == ("commit", "commit")
    assert len(attempts.status(running.ledger).entries) == 3 + 3


def commit_by_hand(running: Running, spec: str = "model:tiny@96") -> None:
    """What a team does on a machine of its own."""
    suite, vocabulary = attempts.read_opened(running.ledger, running.team), open_target("tiny").vocabulary
    made = make_forecast(
        open_forecaster(spec, vocabulary, open_target=open_target),
        tokenize(suite, vocabulary.encode, None),
        vocabulary,
        running.folder / "by-hand",
        suite={"name": suite.name, "digest": suite.digest},
    )
    attempts.commit_forecast(running.ledger, made.folder, running.team)


def test_without_forecasters_the_team_commits(running: Running) -> None:
    running = running.changed(forecasters=())
    watch = running.watch(running.team.public)
    assert watch.prepare(FIRST).state == "open"
    commit_by_hand(running)
    assert watch.prepare(FIRST).state == "commit"
    assert watch.checkpoint(FIRST, running.save(FIRST)).passed


@pytest.mark.parametrize("prepared", [False, True])
def test_a_checkpoint_that_nobody_forecast(running: Running, prepared: bool) -> None:
    running = running.changed(forecasters=())
    watch = running.watch(running.team.public)
    if prepared:
        watch.prepare(FIRST)
    size = len(watch.record().entries)
    judgement = watch.checkpoint(FIRST, running.save(FIRST))
    assert (judgement.decision, judgement.passed) == ("unforecast", False)
    how_far = "attempt 1 got no further than open" if prepared else "nothing was sealed"
    assert how_far in judgement.words
    assert len(watch.record().entries) == size
    with pytest.raises(OrderError, match="the target exists already: got a folder of step 192"):
        watch.prepare(FIRST)


def test_a_checkpoint_that_comes_while_it_is_forecast(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = running.watch()
    monkeypatch.setattr(Watch, "filled", lambda self, spec, step: (running.save(step), spec)[1])
    with pytest.raises(OrderError, match="the target exists already"):
        watch.prepare(FIRST)
    assert watch.standing(FIRST).state == "open"


def test_a_step_that_is_not_scheduled(running: Running) -> None:
    with pytest.raises(InputError, match="a checkpoint that is not on the schedule: got 7, expected one of 192, 384"):
        running.watch().prepare(7)
    with pytest.raises(InputError, match="a checkpoint that is not on the schedule"):
        running.watch().checkpoint(7, running.run)


def test_a_pool_that_is_too_small_is_seen_before_anything_is_signed(tmp_path: Path) -> None:
    running = new_run(tmp_path, prompts=10)
    with pytest.raises(
        OrderError, match=r"a pool that is too small for the schedule: got 10 .*, expected 12: 4 for each"
    ):
        running.watch()
    assert not running.ledger.exists()


def test_a_pool_that_others_used_up(running: Running) -> None:
    assert running.train(FIRST) == "pass"
    plan = running.plan_text.replace('run = "shipped"', 'run = "other"')
    with pytest.raises(
        OrderError, match="a pool that is too small for the schedule: got 8 prompts that no attempt used"
    ):
        running.watch(text=plan)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tolerance = 7.0", "tolerance = 7.5", r"got score\.tolerance 7\.0, where the plan has 7\.5"),
        ("prompts = 4", "prompts = 3", r"got draw\.prompts 4, where the plan has 3"),
        ("cap = 7.6", "cap = 7.7", r"got score\.cap 7\.6, where the plan has 7\.7"),
        ("192, 384, 768", "192, 768", "got no checkpoint 384, which has a charter"),
    ],
)
def test_a_plan_that_was_changed_is_refused(running: Running, old: str, new: str, message: str) -> None:
    """From the first checkpoint on, the whole schedule is signed."""
    running.watch().prepare(FIRST)
    with pytest.raises(OrderError, match=f"another plan than was signed: {message}"):
        running.watch(text=running.plan_text.replace(old, new))


def test_a_later_tolerance_cannot_be_loosened_either(running: Running) -> None:
    running.watch().prepare(FIRST)
    with pytest.raises(OrderError, match="the charter of step 768: another plan than was signed"):
        running.changed(tolerances=((0, PASSED), (THIRD, 7.5))).watch()


def test_other_prompts_in_the_pool_are_another_plan(running: Running) -> None:
    running.watch().prepare(FIRST)
    pool = running.folder / "pool.jsonl"
    pool.write_text(pool.read_text().replace('"text": "', '"text": "Note: '))
    with pytest.raises(OrderError, match=r"another plan than was signed: got pool\.commitment"):
        running.watch()


def test_what_no_charter_has_may_change(tmp_path: Path) -> None:
    running = new_run(tmp_path, prompts=16)
    running.watch().prepare(FIRST)
    longer = running.plan_text.replace("192, 384, 768", "192, 384, 768, 1536")
    running.watch(text=longer.replace("model:tiny@96", "uniform"))
    running.changed(more='deadline_days = 3\nreferences = ["ngram:2:tiny"]').watch()


def test_two_tries_at_one_checkpoint_are_refused(running: Running) -> None:
    watch = running.watch()
    watch.prepare(FIRST)
    charter = watch.standing(FIRST).charter
    assert charter is not None
    attempts.seal(running.ledger, watch.terms.pool, running.evaluator, charter.digest)
    with pytest.raises(OrderError, match="two attempts for one checkpoint: got 1, 2"):
        watch.standing(FIRST)


def test_two_charters_for_one_checkpoint_are_refused(running: Running) -> None:
    watch = running.watch()
    watch.prepare(FIRST)
    other = Terms(Plan.parse(running.changed(tolerances=((0, 6.5),)).plan_text.encode()), *_keys(running))
    attempts.fix_charter(running.ledger, other.charter(FIRST), running.evaluator)
    with pytest.raises(OrderError, match="two charters for one checkpoint: got sha256:"):
        running.watch()


def _keys(running: Running) -> tuple[SecretKey, PublicKey]:
    return running.evaluator, running.team.public


def test_forecasters_need_the_team_s_key(running: Running) -> None:
    with pytest.raises(InputError, match="forecasters without a key to commit with: got the team's public key"):
        running.watch(running.team.public)


def test_a_forecaster_of_the_last_checkpoint_needs_one(running: Running) -> None:
    with pytest.raises(InputError, match=r"no earlier checkpoint to forecast from: got 'model:onnx:\{last\}'"):
        running.changed(forecasters=((0, "model:onnx:{last}"),)).watch().prepare(FIRST)


def test_a_tolerance_that_no_charter_may_have(running: Running) -> None:
    plan = running.changed(tolerances=((0, 9.0),)).plan_text.replace("cap = 7.6", "")
    with pytest.raises(InputError, match=r"the charter of step 192: score\.tolerance: a charter that contradicts"):
        running.watch(text=plan)
