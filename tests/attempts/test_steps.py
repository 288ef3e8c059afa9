"""The steps in order: every other order is refused, nothing is done twice, and a truth may come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foretell import attempts
from foretell.base.errors import ForgeryError, InputError, OrderError
from foretell.evaluation import collect
from foretell.forecasters.program_folder import load_program
from foretell.suites import Suite
from foretell.verifier import verify
from foretell.verifier.statements import ORDER
from tests.attempts.playing import TINY, Game, new_game

Take = Callable[[Game], object]


def take(game: Game, step: str) -> object:
    """A step with whatever it needs, right or wrong."""
    steps: dict[str, Take] = {
        "seal": lambda g: attempts.seal(g.ledger, g.pool, g.evaluator),
        "open": lambda g: attempts.open_prompts(g.ledger, g.evaluator),
        "commit": commit,
        "run": lambda g: attempts.run_program(g.ledger, TINY.vocabulary, g.evaluator),
        "reveal": lambda g: attempts.reveal(g.ledger, TINY, g.evaluator),
        "judge": lambda g: attempts.judge(g.ledger, g.evaluator),
        "publish": lambda g: attempts.publish(g.ledger, g.folder / "published", g.evaluator),
    }
    return steps[step](game)


def commit(game: Game) -> object:
    blind = attempts.status(game.ledger).attempts[-1].charter.track.kind == "blind"
    if blind:
        folder = game.folder / "program"
        return attempts.commit_program(game.ledger, folder if folder.exists() else game.program(), game.team)
    folder = game.folder / "forecast"
    return attempts.commit_forecast(game.ledger, folder if folder.exists() else game.forecast(), game.team)


@pytest.mark.parametrize("track", ["open", "blind"])
def test_every_other_order_is_refused(tmp_path: Path, track: str) -> None:
    game = new_game(tmp_path)
    with pytest.raises(OrderError, match="no charter to seal prompts under"):
        take(game, "seal")
    attempts.fix_charter(game.ledger, game.charter(track), game.evaluator)
    with pytest.raises(OrderError, match="no such attempt"):
        take(game, "judge")
    for done, step in enumerate(ORDER[track]):
        take(game, step)
        size = len(attempts.status(game.ledger).entries)
        assert size == done + 2
        for other in ("open", "run", "reveal", "judge"):
            if ORDER[track][done + 1 : done + 2] != (other,):
                with pytest.raises(OrderError, match=f"not the time to {other}"):
                    take(game, other)
        assert len(attempts.status(game.ledger).entries) == size
    assert all(check.holds for check in verify(game.ledger))


def test_a_charter_goes_in_once(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    charter = game.charter("open")
    attempts.fix_charter(game.ledger, charter, game.evaluator)
    with pytest.raises(OrderError, match="the charter is in the log already"):
        attempts.fix_charter(game.ledger, charter, game.evaluator)


def test_another_pool_is_refused(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    attempts.fix_charter(game.ledger, game.charter("open"), game.evaluator)
    with pytest.raises(InputError, match="another pool than the charter's"):
        attempts.seal(game.ledger, type(game.pool)("pool", game.pool.prompts[:-1]), game.evaluator)
    assert len(attempts.status(game.ledger).entries) == 1


def test_after_the_deadline_nothing_is_taken(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    game.begin("open", track={"kind": "open", "deadline": past})
    attempts.open_prompts(game.ledger, game.evaluator)
    with pytest.raises(OrderError, match="after the deadline"):
        attempts.commit_forecast(game.ledger, game.forecast(), game.team)


def test_each_track_takes_its_own_kind(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    attempts.open_prompts(game.ledger, game.evaluator)
    with pytest.raises(OrderError, match="the open track takes no program"):
        attempts.commit_program(game.ledger, game.program(), game.team)


def test_prompts_stay_closed_until_they_are_opened(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    with pytest.raises(OrderError, match="the prompts are not open"):
        attempts.read_opened(game.ledger, game.team)
    attempts.open_prompts(game.ledger, game.evaluator)
    assert len(attempts.read_opened(game.ledger, game.team)) == 4
    sealed = next(game.ledger.rglob("sealed.age")).read_bytes()
    assert not any(prompt.text.encode() in sealed for prompt in game.pool)


def test_a_forecast_of_other_prompts_is_refused(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.play("open")
    attempts.seal(game.ledger, game.pool, game.evaluator)
    attempts.open_prompts(game.ledger, game.evaluator)
    with pytest.raises(InputError, match="a forecast of other prompts"):
        attempts.commit_forecast(game.ledger, game.folder / "forecast-1-open", game.team)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scored": "last"}, "distributions about other prompts or positions"),
        ({"weight": 9.0}, "distributions about other prompts or positions"),
    ],
)
def test_a_forecast_that_would_not_verify_is_refused_in_time(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    attempts.open_prompts(game.ledger, game.evaluator)
    suite = attempts.read_opened(game.ledger, game.team)
    changed = Suite(suite.name, tuple(replace(prompt, **change) for prompt in suite))
    truth = collect(TINY, changed, tmp_path / "forecast")
    with pytest.raises(InputError, match=message):
        attempts.commit_forecast(game.ledger, truth.folder, game.team)


def test_a_program_over_its_budget_is_refused(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("blind")
    folder = game.program()
    (folder / "table.bin").write_bytes(bytes(200_000))
    with pytest.raises(InputError, match=r"a program over its size budget: got 200\d\d\d bytes"):
        attempts.commit_program(game.ledger, folder, game.team)
    (folder / "table.bin").unlink()
    assert load_program(folder).size_bytes < 1000
    attempts.commit_program(game.ledger, folder, game.team)


def test_a_truth_from_elsewhere(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open")
    game.answer("open")
    truth = collect(TINY, attempts.read_opened(game.ledger, game.evaluator), tmp_path / "truth")
    attempts.reveal(game.ledger, truth.folder, game.evaluator)
    assert attempts.judge(game.ledger, game.evaluator).score is not None
    assert all(check.holds for check in verify(game.ledger))


def test_published_again_it_is_the_same(tmp_path: Path, folder_bytes: Callable[[Path], dict[str, bytes]]) -> None:
    game = new_game(tmp_path)
    first = game.play("open")
    attempts.seal(game.ledger, game.pool, game.evaluator)  # the ledger goes on
    attempts.publish(game.ledger, tmp_path / "again", game.evaluator, number=1)
    assert folder_bytes(tmp_path / "again") == folder_bytes(first)
    with pytest.raises(InputError, match="the folder exists"):
        attempts.publish(game.ledger, first, game.evaluator, number=1)
    next(game.ledger.rglob("score.json")).write_text("{}")
    with pytest.raises(ForgeryError, match="files that are not what was published"):
        attempts.publish(game.ledger, tmp_path / "third", game.evaluator, number=1)


def test_weights_of_the_charter_count(tmp_path: Path) -> None:
    game = new_game(tmp_path)
    game.begin("open", weights={"code": 3.0})
    attempts.open_prompts(game.ledger, game.evaluator)
    suite = attempts.read_opened(game.ledger, game.team)
    assert {prompt.slice: prompt.weight for prompt in suite} == {"code": 3.0, "facts": 1.0}


@pytest.mark.parametrize("metric", ["tv", "js_nats", "abs_logprob_nats", "topk_logprob_rmse"])
def test_other_metrics(tmp_path: Path, metric: str) -> None:
    game = new_game(tmp_path)
    tolerance, cap = (0.6, 0.65) if metric in ("tv", "js_nats") else (7.0, 7.6)
    game.begin("open", score={"metric": metric, "tolerance": tolerance, "cap": cap})
    game.answer("open")
    attempts.reveal(game.ledger, TINY, game.evaluator)
    judged = attempts.judge(game.ledger, game.evaluator)
    assert judged.score is not None
    assert judged.score["forecasts"][0]["loss"]["metric"] == metric
    assert all(check.holds for check in verify(game.ledger))
