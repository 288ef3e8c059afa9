"""`foretell demo --protocol`: evaluator and team play one attempt on each track, with the commands that people type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer

from foretell.cli import demo_moves
from foretell.cli.console import out
from foretell.cli.demo_moves import Move, begin
from foretell.cli.demo_program import write_program
from foretell.distributions.vocabulary import TOKENIZER

_POOL, _PROMPTS = "foretell-300", 60


def play(context: typer.Context, folder: Path) -> None:
    """Play all three tracks in one ledger, publish each attempt, and verify what was published.

    Raises:
        InputError: the folder exists.
        Exit: with the code of a command that did not do what it should.
    """
    write_program(folder / "program", begin(folder))
    demo_moves.play(context, _moves(folder))
    out.print(f"\nThree attempts, one ledger: {folder}/ledger. Hand {folder}/open to anybody.", markup=False)


def _moves(folder: Path) -> Iterator[Move]:
    ledger, keys = str(folder / "ledger"), folder / "keys"
    evaluator, team = ["--key", str(keys / "evaluator.key")], ["--key", str(keys / "team.key")]
    yield Move("evaluator", ["keys", "new", "evaluator", "--out", str(keys)])
    yield Move("team", ["keys", "new", "team", "--out", str(keys)])
    for track in ("prospective", "open", "blind"):  # the first must not know the target, which the others name
        charter, published = str(folder / f"{track}.toml"), str(folder / track)
        yield Move("evaluator", ["charter", "init", charter, *_terms(track), *_rules(keys)])
        yield Move("evaluator", ["charter", "sign", ledger, charter, *evaluator])
        yield Move("evaluator", ["seal", ledger, "--pool", _POOL, *evaluator])
        yield from _answer(track, folder, evaluator, team)
        yield Move("evaluator", ["reveal", ledger, "--target", "tiny", *evaluator])
        yield Move("evaluator", ["judge", ledger, *evaluator])
        yield Move("evaluator", ["publish", ledger, "--out", published, *evaluator])
        yield Move("a stranger", ["verify", published, "--evaluator", str(keys / "evaluator.pub")])


def _rules(keys: Path) -> list[str]:
    parties = ["--evaluator", str(keys / "evaluator.key"), "--team", str(keys / "team.pub")]
    return ["--pool", _POOL, "--prompts", str(_PROMPTS), *parties]


def _terms(track: str) -> list[str]:
    """Tolerances that the demo's forecasts meet: this shows how the protocol goes, not how good they are."""
    if track == "open":
        return ["--target", "tiny", "--track", track, "--tolerance", "3"]
    if track == "blind":
        return ["--target", "tiny", "--track", track, "--tolerance", "3.5", "--size-budget", "1000000"]
    future = ["--future", "the checkpoint of tiny after step 1536", "--tokenizer-of", "tiny"]
    return [*future, "--track", track, "--tolerance", "1.5", "--helpers", "declared"]


def _answer(track: str, folder: Path, evaluator: list[str], team: list[str]) -> Iterator[Move]:
    ledger = str(folder / "ledger")
    if track == "blind":
        yield Move("team", ["commit", ledger, "--program", str(folder / "program"), *team])
        yield Move("evaluator", ["run", ledger, "--like", "tiny", *evaluator])
        return
    prompts, forecast = str(folder / f"{track}-prompts.jsonl"), str(folder / f"{track}-forecast")
    like = str(folder / TOKENIZER)
    with_ = "ngram:3:tiny" if track == "open" else "model:tiny@1536"
    yield Move("evaluator", ["open", ledger, *evaluator])
    yield Move("team", ["open", ledger, *team, "--out", prompts])
    yield Move("team", ["forecast", "--with", with_, "--suite", prompts, "--like", like, "--out", forecast])
    yield Move("team", ["commit", ledger, "--forecast", forecast, *team])
