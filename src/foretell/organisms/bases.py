"""The models that organisms start from: the shipped target, a checkpoint of it, or a folder; no torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary
from foretell.targets.hf_folder import CONFIG, find_model, read_json, weights_digest
from foretell.targets.tiny import checkpoint_folder

TINY = "tiny"
_ARCHITECTURE = "llama"


@dataclass(frozen=True)
class Base:
    """A model that an organism starts from, or is compared with.

    Attributes:
        name: as the recipe names it.
        folder: config.json and weights.
        tokenizer: the folder with tokenizer.json.
    """

    name: str
    folder: Path
    tokenizer: Path

    @property
    def vocabulary(self) -> Vocabulary:
        """As many tokens as the model gives probabilities to."""
        return Vocabulary.load(self.tokenizer, int(read_json(self.folder / CONFIG)["vocab_size"]))

    @property
    def context(self) -> int:
        """Tokens that the model can read."""
        return int(read_json(self.folder / CONFIG)["max_position_embeddings"])

    def identity(self) -> dict[str, str]:
        """Name and digests, for records."""
        return {"name": self.name, "weights": weights_digest(self.folder), "tokenizer": self.vocabulary.digest}


def open_base(name: str) -> Base:
    """The base that a recipe names: `tiny`, `tiny@STEP`, or the path of a model folder.

    Raises:
        InputError: no such checkpoint or folder, or not a Llama that shares its embedding with its output layer.

    >>> open_base("tiny").vocabulary.size
    2048
    """
    kind, _, step = name.partition("@")
    if kind == TINY and (not step or step.isdecimal()):
        return Base(name, checkpoint_folder(int(step) if step else None), checkpoint_folder())
    folder = find_folder(name)
    config = read_json(folder / CONFIG)
    shape = config.get("model_type"), config.get("tie_word_embeddings")
    if shape != (_ARCHITECTURE, True):
        raise InputError(
            "not a base that organisms can be made of",
            where=name,
            got=f"model_type {shape[0]!r}, tie_word_embeddings {shape[1]!r}",
            expected="a Llama whose output layer is its embedding, as tiny is",
            fix="Start from tiny, tiny@STEP, or an organism that was trained from one.",
        )
    return Base(name, folder, folder)


def find_folder(name: str) -> Path:
    """A model folder by its path; nothing is fetched."""
    if not Path(name).expanduser().is_dir():
        raise InputError(
            "no such base",
            where=name,
            got="no folder of that name",
            expected="tiny, tiny@STEP, or the path of a model folder",
            fix="Check the path.",
        )
    return find_model(name, lambda _: None)
