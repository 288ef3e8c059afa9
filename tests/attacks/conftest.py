"""What attacks begin with: programs in the real sandbox with small limits, and honest attempts to forge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from foretell.distributions import TokenizedPrompt
from foretell.forecasters.program import Limits, ProgramForecaster, load_program
from tests.attempts.playing import Game, new_game

#: From a program's source to a forecaster of a vocabulary of 4; keywords are limits.
Blind = Callable[..., ProgramForecaster]
#: Puts three prompts of three positions to a forecaster.
Put = Callable[[ProgramForecaster], None]

SMALL = {"seconds": 10, "memory_bytes": 256 << 20, "processes": 8, "output_bytes": 1 << 20, "scratch_bytes": 8 << 20}
HONEST = """
import math

def honest(token_ids):
    weights = [1.0 + (token == token_ids[-1]) for token in range(4)]
    return [math.log(weight / 5) for weight in weights]
"""


@pytest.fixture
def blind(tmp_path: Path) -> Blind:
    """The program attack.py, which defines next_token and may call honest(token_ids); or another entry."""

    def build(
        source: str, entry: str = "python:attack:next_token", unsafe: bool = False, **limits: Any
    ) -> ProgramForecaster:
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        (folder / "program.toml").write_text(f'name = "attack"\nentry = "{entry}"\nhelpers = []\n')
        (folder / "attack.py").write_text(HONEST + source)
        chosen = Limits(**SMALL | limits)
        return ProgramForecaster(load_program(folder), 4, chosen, seed=7, unsafe_unsandboxed=unsafe)

    return build


@pytest.fixture
def put() -> Put:
    """Prompts that differ; all answers are read back."""

    def ask(forecaster: ProgramForecaster, rows: Sequence[Sequence[int]] = ((0, 1, 2), (3, 1, 0), (2, 2, 3))) -> None:
        prompts = [
            TokenizedPrompt(f"p{i}", "all", 1.0, f"p{i}", "text", tuple(row), (0, 1, 2)) for i, row in enumerate(rows)
        ]
        forecaster.prepare(prompts)
        assert [len(forecaster.forecast(prompt)) for prompt in prompts] == [3, 3, 3]

    return ask


@pytest.fixture(scope="session")
def open_game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """An honest attempt on the open track, published."""
    game = new_game(tmp_path_factory.mktemp("open"))
    game.play("open")
    return game


@pytest.fixture(scope="session")
def prospective_game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """An honest attempt on the prospective track."""
    game = new_game(tmp_path_factory.mktemp("prospective"))
    game.play("prospective")
    return game


@pytest.fixture(scope="session")
def blind_game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    """An honest attempt on the blind track."""
    game = new_game(tmp_path_factory.mktemp("blind"))
    game.play("blind")
    return game
