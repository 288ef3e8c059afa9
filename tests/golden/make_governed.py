"""The log of a ledger with every statement that belongs to no attempt: systems, a ladder, a decision, a revocation.

Called by make_golden.py. Only the log is kept: what it says of helpers, ladder and decision follows from it alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from foretell import attempts
from foretell.lineage import System
from foretell.targets.specs import open_target
from foretell.verdicts.policy import Policy
from foretell.verdicts.policy_evidence import read_results
from foretell.verifier.layout import LOG
from tests.attempts.playing import TINY, new_game

LADDER = """\
schema = "foretell.ladder/1"
title = "golden"

[compute]
rule = "6ND"

[requirement]
metric = "kl_nats"
tolerance = 7.0
cap = 7.6
level = 0.95
floor = 1e-6
track = "open"
helpers = "approved"
every_model = true
at_least = 1
reach = 0.1

[[rungs]]
name = "small"
up_to_flop = 1e14

[[rungs]]
name = "large"
up_to_flop = 1e20
"""
POLICY = """\
schema = "foretell.policy/1"
title = "golden"
rule = { any = ["forecast", "review"] }

[[parts]]
name = "forecast"
kind = "verdict"
target = "tiny"

[[parts]]
name = "review"
kind = "json"
file = "review.json"
pointer = "/findings"
at_most = 0
"""


def make_governed(out: Path) -> None:
    """Two models are forecast, the second with the first one's help; then the first one's pass is taken back."""
    helper = open_target("tiny@1536")
    with tempfile.TemporaryDirectory() as folder:
        game = new_game(Path(folder))
        game.approve(helper, approval={"valid_days": 3650})
        person = System.parse({"name": "Ada", "kind": "person", "note": "writes the tables"}, "golden")
        compute = {"flop": 8.0e13, "rule": "6 × 1.06611e+06 parameters × 1.25829e+07 tokens"}
        model = {"name": "helper", "kind": "model", "identity": helper.identity.record(), "compute": compute}
        attempts.register(game.ledger, person, game.team)
        attempts.register(game.ledger, System.parse(model, "golden"), game.evaluator)
        attempts.fix_ladder(game.ledger, LADDER, game.evaluator)
        game.begin("open", helpers={"rule": "approved"})
        game.answer("open", "model:tiny@1536", ["Ada"])
        attempts.reveal(game.ledger, TINY, game.evaluator)
        attempts.judge(game.ledger, game.evaluator)
        policy = Policy.parse(POLICY.encode(), "golden")
        attempts.record_decision(game.ledger, policy, read_results(policy, Path(folder)), game.evaluator)
        attempts.revoke(game.ledger, game.evaluator, "for the golden log", attempt=1)
        out.mkdir(parents=True)
        shutil.copytree(game.ledger / LOG, out / LOG, ignore=shutil.ignore_patterns(".*"))
