"""The published folder of a format version: its log has every kind of step, its files are those of a blind attempt.

Called by make_golden.py. The keys are made for it and thrown away, so that nobody can ever sign anything like it again.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from foretell import attempts
from foretell.attempts.asking import read_sealed
from foretell.evaluation import collect
from foretell.suites import Suite
from foretell.verifier.layout import SEALED, attempt_folder
from foretell.verifier.prompts import opened_suite, read_openings
from tests.attempts.playing import POOL, TINY, Game, new_game, with_pool

#: Some tokens and the rest, as the tokenizers alone are most of the bytes that a golden folder may have.
PROGRAM = """\
import json
import math
import sys

next(sys.stdin)
for line in sys.stdin:
    asked = json.loads(line)
    listed = sorted({0, 1, asked["token_ids"][-1]})
    top = {"token_ids": listed, "logprobs": [math.log(0.9 / len(listed))] * len(listed), "rest_logprob": math.log(0.1)}
    print(json.dumps({"question": asked["question"], "top": top}), flush=True)
"""
#: No name that ends in .py: no tool that looks after this repository's own code may ever want to change it.
DESCRIPTION = """\
name = "golden"
entry = "command: python3 predict"
helpers = ["the helper in program.toml"]
"""


def make_published(out: Path) -> None:
    """Play an open attempt and a blind one in the same ledger, and publish the second."""
    pool = Suite("golden", tuple(replace(prompt, scored="last") for prompt in POOL))
    with tempfile.TemporaryDirectory() as folder:
        game = with_pool(new_game(Path(folder)), pool)
        game.begin("open", score={"metric": "tv", "tolerance": 0.9, "cap": 1.0})
        game.answer("open")
        end(game)
        game.begin("blind", score={"slice_tolerances": {"code": 7.5}}, weights={"facts": 2.0})
        program = game.folder / "program"
        program.mkdir()
        (program / "predict").write_text(PROGRAM)
        (program / "program.toml").write_text(DESCRIPTION)
        attempts.commit_program(game.ledger, program, game.team, helpers=["another helper"])
        attempts.run_program(game.ledger, TINY.vocabulary, game.evaluator)
        end(game)
        attempts.publish(game.ledger, out, game.evaluator)


def end(game: Game) -> None:
    """Reveal a small truth, and judge."""
    attempt = attempts.status(game.ledger).attempts[-1]
    sealed = read_sealed(attempt_folder(game.ledger, attempt.number), game.evaluator)
    suite = opened_suite(read_openings(sealed, SEALED), attempt.charter, attempt.number)
    truth = collect(TINY, suite, game.folder / f"truth-{attempt.number}", kind="dense").folder
    attempts.reveal(game.ledger, truth, game.evaluator)
    attempts.judge(game.ledger, game.evaluator)
