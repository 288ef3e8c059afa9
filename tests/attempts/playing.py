"""A small attempt on each track, played with the shipped target: what tests of the protocol begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from foretell import attempts
from foretell.attempts.pool import commit_pool
from foretell.distributions import Distributions
from foretell.evaluation import make_forecast
from foretell.forecasters.specs import open_forecaster
from foretell.ledger import Ledger, SecretKey
from foretell.suites import Suite, load_suite
from foretell.targets.collection import tokenize
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.verdicts.charter import Charter
from foretell.verdicts.charter_text import charter_toml
from foretell.verifier.layout import LOG

TINY = open_target("tiny")
#: Two slices of six prompts.
POOL = Suite(
    "pool", tuple(p for s in ("code", "facts") for p in [p for p in load_suite("foretell-300") if p.slice == s][:6])
)
BLIND = {
    "size_budget_bytes": 100_000,
    "seconds": 60,
    "memory_bytes": 2 << 30,
    "processes": 16,
    "output_bytes": 1 << 28,
}
PROGRAM = """\
import numpy as np


def predict(token_ids):
    logprobs = np.full(2048, np.log(0.1 / 2047))
    logprobs[token_ids[-1]] = np.log(0.9)
    return logprobs
"""


@dataclass(frozen=True)
class Game:
    """A ledger, both parties, and the rules of the attempts that they play."""

    folder: Path
    evaluator: SecretKey
    team: SecretKey
    pool: Suite = POOL

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def charter(self, track: str, /, **changes: Any) -> Charter:
        """A charter; `changes` replace whole tables of it, or fields of them."""
        committed = commit_pool(self.pool, self.evaluator)
        identity = TINY.identity.record()
        future = {"future": "the next checkpoint", "tokenizer": identity["tokenizer"]}
        content: dict[str, Any] = {
            "schema": "foretell.charter/1",
            "title": f"tiny, {track}",
            "target": future if track == "prospective" else identity,
            "pool": {
                "name": self.pool.name,
                "commitment": committed.root,
                "prompts": committed.prompts,
                "slices": committed.slices,
            },
            "draw": {"prompts": 4},
            "score": {
                "metric": "kl_nats",
                "tolerance": 7.0,
                "cap": 7.6,
                "level": 0.95,
                "floor": 1e-6,
                "top_k": 10,
                "tail": "uniform",
            },
            "track": {"kind": track, "deadline": datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)},
            "helpers": {"rule": "declared"},
            "blind": BLIND if track == "blind" else None,
            "evaluator": {"key": self.evaluator.public.verifier, "recipient": self.evaluator.public.recipient},
            "team": {"key": self.team.public.verifier, "recipient": self.team.public.recipient},
        }
        for name, value in changes.items():
            content[name] = {**content[name], **value} if isinstance(value, dict) and content.get(name) else value
        return Charter.parse(charter_toml(content).encode())

    def begin(self, track: str, /, **changes: Any) -> None:
        """Charter and seal; two charters of one game are never the same, however fast they are written."""
        changes = {"title": f"tiny, {track}, after {Ledger(self.ledger / LOG).size} entries"} | changes
        attempts.fix_charter(self.ledger, self.charter(track, **changes), self.evaluator)
        attempts.seal(self.ledger, self.pool, self.evaluator)

    def forecast(self, name: str = "forecast", with_: str = "ngram:2:tiny") -> Path:
        """The team's forecast of the opened prompts."""
        suite = attempts.read_opened(self.ledger, self.team)
        made = make_forecast(
            open_forecaster(with_, TINY.vocabulary, open_target=open_target),
            tokenize(suite, TINY.encode, TINY.context),
            TINY.vocabulary,
            self.folder / name,
            suite={"name": suite.name, "digest": suite.digest},
        )
        assert isinstance(made, Distributions)
        return made.folder

    def program(self, name: str = "program", source: str = PROGRAM, helpers: str = "[]") -> Path:
        """The team's program."""
        folder = self.folder / name
        folder.mkdir()
        folder.joinpath("predict.py").write_text(source)
        folder.joinpath("program.toml").write_text(
            f'name = "{name}"\nentry = "python:predict:predict"\nhelpers = {helpers}\n'
        )
        return folder

    def answer(self, track: str, with_: str | None = None, helpers: Sequence[str] = ()) -> None:
        """From opening to running; `with_` is what forecasts, and `helpers` what is declared besides."""
        if track == "blind":
            attempts.commit_program(self.ledger, self.program(), self.team, helpers=helpers)
            attempts.run_program(self.ledger, TINY.vocabulary, self.evaluator)
        else:
            attempts.open_prompts(self.ledger, self.evaluator)
            chosen = with_ or ("model:tiny@1536" if track == "prospective" else "ngram:2:tiny")
            number = len(attempts.status(self.ledger).attempts)
            made = self.forecast(f"forecast-{number}-{track}", chosen)
            attempts.commit_forecast(self.ledger, made, self.team, helpers=helpers)

    def end(self, out: str = "published", target: Target = TINY) -> Path:
        """Reveal, judge, publish."""
        attempts.reveal(self.ledger, target, self.evaluator)
        attempts.judge(self.ledger, self.evaluator)
        attempts.publish(self.ledger, self.folder / out, self.evaluator)
        return self.folder / out

    def play(self, track: str, /, **changes: Any) -> Path:
        """A whole attempt; returns the published folder."""
        self.begin(track, **changes)
        self.answer(track)
        return self.end(f"published-{track}")

    def approve(self, target: Target, /, helpers: Sequence[str] = (), with_: str | None = None, **changes: Any) -> None:
        """An attempt, on the open track unless `changes` say otherwise, to forecast a target, up to its verdict."""
        track = changes.get("track", {}).get("kind", "open")
        self.begin(track, **{"target": target.identity.record()} | changes)
        self.answer(track, with_, helpers)
        attempts.reveal(self.ledger, target, self.evaluator)
        attempts.judge(self.ledger, self.evaluator)


def new_game(folder: Path) -> Game:
    """A game with new keys and no ledger yet."""
    return Game(folder, SecretKey.generate("evaluator"), SecretKey.generate("team"))


def with_pool(game: Game, pool: Suite) -> Game:
    """The same parties with another pool."""
    return replace(game, pool=pool)
