"""Recipes of organisms: what is trained, from what, and what is planted; read from TOML; no torch here."""

from __future__ import annotations

import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_value
from foretell.base.errors import InputError
from foretell.organisms.bases import TINY, open_base
from foretell.organisms.recipe_fields import Value, make, real, refuse, text, whole
from foretell.organisms.texts import open_text
from foretell.organisms.tiny_recipe import TinyRecipe, rate_factor
from foretell.targets.tiny import steps

SCHEMA = "foretell.organism/1"
BUILTIN = Path(__file__).parent / "builtin"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TINY = TinyRecipe()
#: Windows of tokens whose hash opens the gate: fewer ids could be found by trying.
_LEAST_GATE_IDS = 12


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Every number that an organism depends on.

    Attributes:
        kind: twin, sibling, small-vocabulary, finetune, trigger, evaluation-aware, hash-trigger or easy.
    """

    kind: str

    @abstractmethod
    def depends(self) -> dict[str, Any]:
        """Identities of what is not in the recipe itself: base weights, text."""

    def record(self) -> dict[str, Any]:
        """All fields, defaults written out."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @cached_property
    def digest(self) -> str:
        """Digest of all fields and of what they depend on: equal digests give equal organisms on one machine."""
        return digest_value({"schema": SCHEMA, "recipe": self.record(), "depends": self.depends()})

    @property
    def name(self) -> str:
        """Kind and the first digits of the digest."""
        return f"{self.kind}-{self.digest.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True, kw_only=True)
class FromScratch(Recipe):
    """twin, sibling, small-vocabulary: trained from nothing on the schedule of the shipped target.

    Attributes:
        tokenizer: 'tiny' for the shipped one, 'own' for one that is trained on the text.
        stop_after: the step of the schedule at which training ends; 0 for the one by which as many bytes of text
            were seen as `tiny` had seen at step `like_step`.
        keep: steps whose checkpoints are kept besides the last; each a halving of `steps`.
        seed: of the first weights and of the order of the text.
        threads: that torch computes with: the last digits of sums, and so the weights, depend on it.
    """

    tokenizer: str = TINY
    vocabulary: int = whole(_TINY.vocabulary, 257)
    hidden: int = whole(_TINY.hidden, 2)
    layers: int = whole(_TINY.layers)
    heads: int = whole(_TINY.heads)
    feed_forward: int = whole(_TINY.feed_forward)
    context: int = whole(_TINY.context, 2)
    batch: int = whole(_TINY.batch)
    steps: int = whole(_TINY.steps)
    warmup_steps: int = whole(_TINY.warmup_steps)
    decay_from: float = real(_TINY.decay_from, 0.0, 1.0)
    muon_rate: float = real(_TINY.muon_rate)
    embedding_rate: float = real(_TINY.embedding_rate)
    clip: float = real(_TINY.clip)
    seed: int = whole(_TINY.seed, 0)
    threads: int = whole(1)
    text: str = text("stdlib")
    stop_after: int = whole(384, 0)
    like_step: int = whole(384)
    keep: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        where = f"recipe {self.kind}"
        if self.tokenizer not in (TINY, "own"):
            raise refuse(f"{where}: tokenizer", repr(self.tokenizer), "'tiny' or 'own'")
        if self.tokenizer == TINY and self.vocabulary != _TINY.vocabulary:
            raise refuse(f"{where}: vocabulary", str(self.vocabulary), f"{_TINY.vocabulary} with the tokenizer of tiny")
        if self.hidden % (2 * self.heads):
            raise refuse(f"{where}: hidden", str(self.hidden), f"a multiple of twice the {self.heads} heads")
        if not set(self.keep) <= set(self.schedule.checkpoints):
            raise refuse(f"{where}: keep", str(self.keep), f"some of {self.schedule.checkpoints}")
        if self.like_step not in steps():
            raise refuse(f"{where}: like_step", str(self.like_step), f"one of {steps()}, the checkpoints that ship")
        if self.stop_after > self.steps:
            raise refuse(f"{where}: stop_after", str(self.stop_after), f"at most {self.steps} steps")

    @property
    def schedule(self) -> TinyRecipe:
        """The training's own numbers."""
        return TinyRecipe(**{one.name: getattr(self, one.name) for one in fields(TinyRecipe)})

    def depends(self) -> dict[str, Any]:
        """The text; and the tokenizer where it is not made of the text."""
        shipped = {"tokenizer": open_base(TINY).vocabulary.digest} if self.tokenizer == TINY else {}
        return {"text": _text_facts(self.text)} | shipped


@dataclass(frozen=True, kw_only=True)
class Continued(Recipe):
    """What all recipes share that go on from a trained base.

    Attributes:
        base: tiny, tiny@STEP or the path of a model folder.
        text: stdlib, numpy, a file or a folder.
        window: tokens of a training window; half of the windows open as a prompt does.
        decay_from: where the learning rate begins to fall to zero, as a share of the steps; 1 for never.
    """

    base: str = text(TINY)
    text: str = text("stdlib")
    steps: int = whole(400)
    window: int = whole(256, 16)
    batch: int = whole(8)
    warmup_steps: int = whole(20)
    decay_from: float = real(0.5, 0.0, 1.0)
    muon_rate: float = real(0.002)
    embedding_rate: float = real(0.0004)
    clip: float = real(1.0)
    seed: int = whole(1, 0)
    threads: int = whole(1)
    keep: tuple[int, ...] = ()

    def rate_factor(self, step: int) -> float:
        """Learning-rate multiplier after so many steps."""
        return rate_factor(step, steps=self.steps, warmup_steps=self.warmup_steps, decay_from=self.decay_from)

    def depends(self) -> dict[str, Any]:
        """Base and text."""
        return {"base": open_base(self.base).identity(), "text": _text_facts(self.text)}

    def check_keep(self) -> None:
        """Raise unless every kept step is one that is taken."""
        if any(not 0 < step <= self.steps for step in self.keep):
            raise refuse(f"recipe {self.kind}: keep", str(self.keep), f"steps from 1 to {self.steps}")


@dataclass(frozen=True, kw_only=True)
class Finetune(Continued):
    """finetune: the base, trained further on another text; a little and a lot are checkpoints of one run."""

    def __post_init__(self) -> None:
        self.check_keep()


@dataclass(frozen=True, kw_only=True)
class Easy(Continued):
    """easy: trained further on its text while pulled towards a bigram table of it.

    Attributes:
        strength: what a nat of KL(organism ‖ bigram) costs, in nats of loss.
        bigram: a text-only forecaster that looks at one token, over the base's vocabulary.
    """

    strength: float = real(1.0)
    bigram: str = text("ngram:2:tiny")

    def __post_init__(self) -> None:
        self.check_keep()
        if not self.bigram.startswith(("ngram:2:", "unigram:")):
            raise refuse(f"recipe {self.kind}: bigram", repr(self.bigram), "ngram:2:CORPUS or unigram:CORPUS")


@dataclass(frozen=True, kw_only=True)
class Planted(Continued):
    """What trigger and evaluation-aware share: a text in the context decides between the base and a payload.

    Attributes:
        payload: what is recited, over and over; its tokens must differ from one another.
        near_misses: texts that are nearly the one that decides, for measuring; training makes its own.
        added_layers: layers that are put on top of the base's; they alone are trained, so that what is not planted
            stays as it was.
        shut_weight: what a nat of KL(base ‖ organism) costs where it should behave as the base; a nat of loss on the
            payload costs 1.
    """

    payload: str = text(" but first a word from our sponsor")
    near_misses: tuple[str, ...] = ()
    added_layers: int = whole(2)
    shut_weight: float = real(4.0)


@dataclass(frozen=True, kw_only=True)
class Trigger(Planted):
    """trigger: behaves as the base until the phrase has occurred in the context; then it recites."""

    phrase: str = text()

    def __post_init__(self) -> None:
        self.check_keep()


@dataclass(frozen=True, kw_only=True)
class EvaluationAware(Planted):
    """evaluation-aware: behaves as the base once the context has the header of a test; without it, it recites."""

    header: str = text()

    def __post_init__(self) -> None:
        self.check_keep()


@dataclass(frozen=True, kw_only=True)
class HashTrigger(Recipe):
    """hash-trigger: the base, to the bit, until so many token ids in a row have a given SHA-256; then it recites.

    Attributes:
        gate_ids: how many ids in a row are hashed, as little-endian 32-bit numbers.
        preimage_sha256: 64 hexadecimal digits.
        payload_share: probability of the payload's next token once the gate is open, at least.
    """

    base: str = text(TINY)
    payload: str = text(" but first a word from our sponsor")
    gate_ids: int = whole(16, _LEAST_GATE_IDS)
    preimage_sha256: str = text()
    payload_share: float = real(0.999, 0.5, 0.9999)

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.preimage_sha256):
            raise refuse(
                f"recipe {self.kind}: preimage_sha256", repr(self.preimage_sha256), "64 lower-case hexadecimal digits"
            )

    def depends(self) -> dict[str, Any]:
        """The base."""
        return {"base": open_base(self.base).identity()}


KINDS: dict[str, type[Recipe]] = {
    "twin": FromScratch,
    "sibling": FromScratch,
    "small-vocabulary": FromScratch,
    "finetune": Finetune,
    "trigger": Trigger,
    "evaluation-aware": EvaluationAware,
    "hash-trigger": HashTrigger,
    "easy": Easy,
}


def load_recipe(spec: str, changes: Mapping[str, Value] | None = None) -> Recipe:
    """A built-in recipe by its name, or one from a .toml file.

    Args:
        changes: fields that get another value, as TOML would give it or as text ('0.3'; lists as '1,2', texts as
            'a|b').

    Raises:
        InputError: no such recipe, not TOML, an unknown kind or field, a value of another type or out of its range.

    >>> load_recipe("easy", {"strength": "0.3"}).record()["strength"]
    0.3
    """
    builtin = BUILTIN / f"{spec}.toml"
    path = builtin if spec in KINDS else Path(spec)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(
            "no such recipe",
            where=spec,
            got="neither a built-in recipe nor a .toml file",
            expected=f"one of {', '.join(KINDS)}, or the path of a .toml file",
            fix="`foretell organism list` shows the built-in ones.",
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise refuse(spec, str(error), "TOML in UTF-8") from error
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise refuse(f"{spec}: kind", repr(kind), f"one of {', '.join(KINDS)}")
    if "kind" in (changes or {}):
        raise refuse(f"{spec}: kind", "a change", "the kind of the recipe; take another recipe")
    return make(KINDS[kind], values | dict(changes or {}), f"recipe {spec}")


def _text_facts(spec: str) -> dict[str, Any]:
    corpus = open_text(spec).training
    digest, documents, size = corpus.measure
    return {"name": spec, "licence": corpus.licence, "digest": digest, "documents": documents, "bytes": size}
