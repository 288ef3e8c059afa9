"""docs/watching.md: its plan is one, its Python runs, and its commands have the options that they are given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from foretell.cli.app import app
from foretell.ledger import SecretKey
from foretell.organisms.gate_callback import GateCallback
from foretell.watching import Plan, open_watch

PAGE = (Path(__file__).parents[2] / "docs/watching.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_plan_is_one(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    plan = Plan.parse(text.encode())
    evaluator, team = SecretKey.generate("evaluator"), SecretKey.generate("team")
    watch = open_watch(plan, tmp_path / "runs/a", tmp_path / "ledger", evaluator=evaluator, team=team)
    assert watch.plan.steps == [10, 20, 30, 40, 50]
    assert watch.terms.charter(30).score.tolerance == 0.7


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watch.toml").write_text(blocks("toml")[0])
    for name in ("evaluator", "team"):
        SecretKey.generate(name).write(tmp_path / "keys")
    for block in blocks("python"):
        names: dict[str, object] = {}
        exec(compile(block, "docs/watching.md", "exec"), names)
        assert isinstance(names["callback"], GateCallback)


def test_the_commands_are_understood() -> None:
    command = typer.main.get_command(app)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    (keys,) = (line.removeprefix("KEYS=").strip('"') for line in lines if line.startswith("KEYS="))
    commands = [line.replace("$KEYS", keys) for line in lines if line.startswith("foretell ")]
    assert len(commands) == len(lines) - 1
    for line in commands:
        name, *arguments = shlex.split(line.removeprefix("foretell "))
        found = command.get_command(None, name)  # type: ignore[attr-defined]
        if name == "keys":
            found, arguments = found.get_command(None, arguments[0]), arguments[1:]
        found.make_context(name, list(arguments))
