"""`foretell demo --governance`: who may help, what may be trained next, what falls with a revocation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer

from foretell.cli import demo_moves
from foretell.cli.console import out
from foretell.cli.demo_moves import Move, begin
from foretell.distributions.vocabulary import TOKENIZER

_POOL, _PROMPTS, _TOLERANCE = "foretell-300", 60, "3.0"
#: What the shipped model and its checkpoint at step 768 were trained with.
_PARAMETERS, _TOKENS_768, _TOKENS = "1066112", "6291456", "25165824"
_LOCKED, _UNDECIDED, _INADMISSIBLE = 10, 11, 12
_LADDER = f"""\
# 6 x {_PARAMETERS} parameters x {_TOKENS_768} tokens = 4.02e13 for tiny@768, and four times as much for tiny.
schema = "foretell.ladder/1"
title = "tiny, step by step"

[compute]
rule = "6ND"

[requirement]
metric = "kl_nats"
tolerance = {_TOLERANCE}
cap = 7.6
level = 0.95
floor = 1e-6
track = "open"
helpers = "approved"
every_model = true
at_least = 1
reach = 0.5

[[rungs]]
name = "small"
up_to_flop = 5e13

[[rungs]]
name = "large"
up_to_flop = 2e14
"""
_POLICY = """\
schema = "foretell.policy/1"
title = "tiny, before the next step"
rule = { all = ["forecast", "review"] }

[[parts]]
name = "forecast"
kind = "verdict"
target = "tiny"

[[parts]]
name = "review"
kind = "json"
file = "review.json"
pointer = "/findings/high"
at_most = 0
"""


def play(context: typer.Context, folder: Path) -> None:
    """Two models are forecast, the second with the help of the first; then the first one's pass is taken back.

    Raises:
        InputError: the folder exists.
        Exit: with the code of a command that did not end as it should.
    """
    begin(folder)
    (folder / "ladder.toml").write_text(_LADDER, encoding="utf-8")
    (folder / "policy.toml").write_text(_POLICY, encoding="utf-8")
    demo_moves.play(context, _moves(folder))
    out.print(f"\nThe ledger: {folder}/ledger. All of it on one page: {folder}/ledger.html", markup=False)


def _moves(folder: Path) -> Iterator[Move]:
    ledger, keys = str(folder / "ledger"), folder / "keys"
    evaluator, team = ["--key", str(keys / "evaluator.key")], ["--key", str(keys / "team.key")]
    yield Move("evaluator", ["keys", "new", "evaluator", "--out", str(keys)])
    yield Move("team", ["keys", "new", "team", "--out", str(keys)])
    yield from _charter(folder, "tiny@768", evaluator)
    yield Move("team", ["lineage", "add", ledger, "Ada", "--kind", "person", *team])
    yield from _attempt(folder, "tiny@768", "ngram:5:tiny", evaluator, team)
    model = ["--kind", "model", "--target", "tiny@768", "--parameters", _PARAMETERS, "--tokens", _TOKENS_768]
    yield Move("evaluator", ["lineage", "add", ledger, "tiny@768", *model, *evaluator])
    yield Move("evaluator", ["ladder", "sign", ledger, str(folder / "ladder.toml"), *evaluator])
    job = ["ladder", "check", ledger, "--parameters", _PARAMETERS, "--tokens", _TOKENS]
    yield Move("a training job", job)
    yield from _charter(folder, "tiny", evaluator)
    yield from _attempt(folder, "tiny", "model:tiny@768", evaluator, team)
    yield Move("evaluator", ["policy", "decide", ledger, str(folder / "policy.toml"), *evaluator], _UNDECIDED)
    yield Move("anybody", ["lineage", "show", ledger, "--svg", str(folder / "lineage.svg")])
    leaked = ["lineage", "revoke", ledger, "--attempt", "1", "--reason", "its prompts had leaked"]
    yield Move("evaluator", [*leaked, *evaluator])
    yield Move("a training job", job, _LOCKED)
    yield Move("anybody", ["lineage", "check", ledger], _INADMISSIBLE)
    yield Move("a stranger", ["verify", ledger, "--evaluator", str(keys / "evaluator.pub")])
    yield Move("anybody", ["report", ledger, "-o", str(folder / "ledger.html")])


def _charter(folder: Path, target: str, evaluator: list[str]) -> Iterator[Move]:
    charter, keys = str(folder / f"{target}.toml"), folder / "keys"
    rules = ["--target", target, "--track", "open", "--tolerance", _TOLERANCE, "--helpers", "approved"]
    prompts = ["--pool", _POOL, "--prompts", str(_PROMPTS)]
    parties = ["--evaluator", str(keys / "evaluator.key"), "--team", str(keys / "team.pub")]
    yield Move("evaluator", ["charter", "init", charter, *rules, *prompts, *parties])
    yield Move("evaluator", ["charter", "sign", str(folder / "ledger"), charter, *evaluator])


def _attempt(folder: Path, target: str, with_: str, evaluator: list[str], team: list[str]) -> Iterator[Move]:
    ledger, suite, forecast = (str(folder / name) for name in ("ledger", f"{target}.jsonl", f"{target}-forecast"))
    yield Move("evaluator", ["seal", ledger, "--pool", _POOL, *evaluator])
    yield Move("evaluator", ["open", ledger, *evaluator])
    yield Move("team", ["open", ledger, *team, "--out", suite])
    like = ["--like", str(folder / TOKENIZER)]
    yield Move("team", ["forecast", "--with", with_, "--suite", suite, *like, "--out", forecast])
    yield Move("team", ["commit", ledger, "--forecast", forecast, "--helper", "Ada", *team])
    yield Move("evaluator", ["reveal", ledger, "--target", target, *evaluator])
    yield Move("evaluator", ["judge", ledger, *evaluator])
