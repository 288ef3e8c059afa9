"""The tables of a charter and what each of their fields may be; `charter_rules.py` has what they owe each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from foretell.base.toml_models import Part
from foretell.ledger.keys import PublicKey

#: Fields of a target's identity (targets.TargetIdentity.record()).
IDENTITY = ("name", "weights", "tokenizer", "engine", "dtype")
#: The largest whole number that JSON carries without loss.
_MOST = 2**53 - 1

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Count = Annotated[int, Field(ge=1, le=_MOST)]
Positive = Annotated[float, Field(gt=0)]
Track = Literal["open", "blind", "prospective"]
Loss = Literal["kl_nats", "abs_logprob_nats", "tv", "js_nats", "topk_logprob_rmse"]


class TargetPart(Part):
    """What is forecast: a model that exists, by its whole identity, or one that will, described in words.

    Attributes:
        tokenizer: digest of its tokenizer.json, known in both cases: forecasts are over its tokens.
        name, weights, engine, dtype: the rest of the identity; none of them for a future model.
        future: which model it will be, in words; None where the identity is given.
    """

    tokenizer: Text
    name: Text | None = None
    weights: Text | None = None
    engine: Text | None = None
    dtype: Text | None = None
    future: Text | None = None

    @property
    def identity(self) -> dict[str, str] | None:
        """The declared identity, None for a future model."""
        return None if self.future is not None else {field: getattr(self, field) for field in IDENTITY}

    def differences(self, source: Mapping[str, Any]) -> list[str]:
        """How a truth's source differs from what is declared here; of a future model only the tokenizer is known.

        >>> part = TargetPart(tokenizer="sha256:a", future="the next release")
        >>> part.differences({"tokenizer": "sha256:b", "weights": "sha256:c"})
        ["tokenizer: 'sha256:b', not 'sha256:a'"]
        """
        declared = self.identity or {"tokenizer": self.tokenizer}
        return [
            f"{key}: {source.get(key)!r}, not {said!r}" for key, said in declared.items() if source.get(key) != said
        ]


class PoolPart(Part):
    """What prompts will be drawn from.

    Attributes:
        commitment: root over the salted commitments to every prompt, 64 hex digits.
        slices: prompts by slice; they add up to `prompts`.
    """

    name: Text
    commitment: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    prompts: Count
    slices: dict[Text, Count] = Field(min_length=1)


class DrawPart(Part):
    """How many prompts are drawn, each slice in proportion to the pool."""

    prompts: Count


class ScorePart(Part):
    """What is measured and when it is good enough; tolerance and cap in the metric's unit.

    Attributes:
        slice_tolerances: slices that must meet a tolerance of their own too.
        tail: how the rest of a top-k forecast is spread.
    """

    metric: Loss
    tolerance: Positive
    slice_tolerances: dict[Text, Positive] = Field(default_factory=dict)
    floor: Annotated[float, Field(ge=0, lt=1)]
    cap: Positive
    level: Annotated[float, Field(gt=0.5, lt=1)]
    top_k: Count
    tail: Literal["uniform"]


class TrackPart(Part):
    """Who sees what, and until when forecasts are taken."""

    kind: Track
    deadline: datetime


class HelpersPart(Part):
    """Whether other systems may help to make a forecast.

    Attributes:
        rule: 'none'; 'declared', if each is named; or 'approved', if each is registered and every AI among them has
            passed under a charter at least as strict (see foretell.lineage).
    """

    rule: Literal["none", "declared", "approved"]


class ApprovalPart(Part):
    """How long a pass under this charter lets its target help elsewhere.

    Attributes:
        valid_days: days from the verdict on.
    """

    valid_days: Annotated[int, Field(ge=1, le=36_500)]


class BlindPart(Part):
    """Limits of a blind program."""

    size_budget_bytes: Count
    seconds: Count
    memory_bytes: Count
    processes: Count
    output_bytes: Count


class RolePart(Part):
    """A role's public key.

    Attributes:
        key: what its signatures are checked with (a C2SP signed-note verifier key).
        recipient: what is encrypted to it (an age recipient).
    """

    key: Text
    recipient: Text

    def public(self) -> PublicKey:
        """The key.

        Raises:
            InputError: not a key.
        """
        return PublicKey.parse(f"{self.key}\n{self.recipient}\n")


class Terms(Part):
    """All that a charter says.

    Attributes:
        weights: what each prompt of a slice counts for; the pool's own weights hold for slices that are not named.
        helpers: whether forecasts may use other systems.
        approval: until when a pass counts for its target as a helper; without end where None.
        blind: limits of the program, on the blind track only.
    """

    schema_: Literal["foretell.charter/1"] = Field(alias="schema")
    title: Text
    target: TargetPart
    pool: PoolPart
    draw: DrawPart
    weights: dict[Text, Positive] = Field(default_factory=dict)
    score: ScorePart
    track: TrackPart
    helpers: HelpersPart
    approval: ApprovalPart | None = None
    blind: BlindPart | None = None
    evaluator: RolePart
    team: RolePart
