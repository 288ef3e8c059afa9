"""The charter of one watched checkpoint: what the plan says of its step, as the protocol has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from foretell.attempts.pool import PoolCommitment, commit_pool
from foretell.base.files import MANIFEST
from foretell.distributions import Vocabulary
from foretell.distributions.folder import read_vocabulary
from foretell.ledger import PublicKey, SecretKey
from foretell.scoring import ScoreSettings
from foretell.scoring.losses import loss_metric
from foretell.suites import Suite, load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.target import Target
from foretell.verdicts.charter import Charter
from foretell.verdicts.charter_text import charter_toml
from foretell.watching.plan import Plan

#: What a charter has that its plan does not fix: when it was written.
_WHEN = "track.deadline"


def the_checkpoint(run: str, step: int) -> str:
    """What a charter calls the model that will be: the words by which an attempt is known again.

    >>> the_checkpoint("stdlib-a", 20)
    'checkpoint 20 of the training run stdlib-a'
    """
    return f"checkpoint {step} of the training run {run}"


def step_of(future: str, run: str) -> int | None:
    """The step that a charter's words mean; None where they are about something else.

    >>> step_of(the_checkpoint("stdlib-a", 20), "stdlib-a"), step_of("checkpoint 20 of the training run b", "stdlib-a")
    (20, None)
    """
    digits = future.removeprefix("checkpoint ").partition(" ")[0]
    step = int(digits) if digits.isdecimal() else None
    return step if step is not None and the_checkpoint(run, step) == future else None


@dataclass(frozen=True)
class Terms:
    """A plan with the keys of both parties: all that the charters of its checkpoints follow from."""

    plan: Plan
    evaluator: SecretKey
    team: PublicKey

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The run's: of a tokenizer.json or its folder, a truth, or a target."""
        path = Path(self.plan.tokenizer)
        if (path / MANIFEST).is_file():
            return read_vocabulary(path)
        return Vocabulary.load(path) if path.exists() else open_target(self.plan.tokenizer).vocabulary

    @cached_property
    def pool(self) -> Suite:
        """What prompts are drawn from."""
        return load_suite(self.plan.pool)

    @cached_property
    def committed(self) -> PoolCommitment:
        """The pool as the evaluator commits to it."""
        return commit_pool(self.pool, self.evaluator)

    def open(self, spec: str) -> Target:
        """A target by its spec, with the run's tokenizer where it brings none."""
        return open_target(spec, OpenOptions(spare_tokenizer=self.vocabulary.path))

    def charter(self, step: int) -> Charter:
        """The charter of a scheduled step, with a deadline from now on.

        Raises:
            InputError: the plan's values make no charter; named by its field.
        """
        plan, score, pool = self.plan, self.plan.score, self.committed
        future = the_checkpoint(plan.run, step)
        cap = score.cap if score.cap is not None else loss_metric(score.metric).cap(self.vocabulary.size)
        deadline = datetime.now(UTC).replace(microsecond=0) + timedelta(days=plan.deadline_days)
        content: dict[str, Any] = {
            "schema": "foretell.charter/1",
            "title": f"{future}, forecast before it is there",
            "target": {"future": future, "tokenizer": self.vocabulary.digest},
            "pool": {
                "name": self.pool.name,
                "commitment": pool.root,
                "prompts": pool.prompts,
                "slices": pool.slices,
            },
            "draw": {"prompts": plan.prompts},
            "score": {
                "metric": score.metric,
                "tolerance": plan.tolerance(step),
                "cap": cap,
                "level": score.level,
                "floor": score.floor,
                "top_k": ScoreSettings().top_k,
                "tail": "uniform",
            },
            "track": {"kind": "prospective", "deadline": deadline},
            "helpers": plan.helpers.model_dump(exclude_none=True),
            "evaluator": _role(self.evaluator.public),
            "team": _role(self.team),
        }
        return Charter.parse(charter_toml(content).encode(), f"the charter of step {step}")


def differences(signed: Charter, planned: Charter) -> list[str]:
    """Where a signed charter is not what the plan says now, in words."""
    there, here = (_flat(one.model_dump(mode="json")) for one in (signed, planned))
    return [
        f"{name} {there.get(name)!r}, where the plan has {here.get(name)!r}"
        for name in dict.fromkeys([*there, *here])
        if name != _WHEN and there.get(name) != here.get(name)
    ]


def _flat(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted name."""
    flat: dict[str, Any] = {}
    for name, own in value.items():
        flat |= _flat(own, f"{path}{name}.") if isinstance(own, Mapping) else {f"{path}{name}": own}
    return flat


def _role(key: PublicKey) -> dict[str, str]:
    return {"key": key.verifier, "recipient": key.recipient}
