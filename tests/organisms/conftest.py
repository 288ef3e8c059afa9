"""A text of a few files, and a base of a few thousand parameters that is trained on it in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foretell.organisms import measuring
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import train_organism

#: What makes any recipe of the kinds that go on from a base small enough for a test.
SMALL = {"window": 32, "batch": 4, "warmup_steps": 2, "payload": "XYZ"}


def write_texts(folder: Path) -> Path:
    """Thirty files of words from a small alphabet: enough that one in sixteen is held out.

    X, Y and Z stand alone on lines of their own, so that the output layer learns to say the payload's tokens.
    """
    folder.mkdir()
    for number in range(30):
        words = [f"{'abcd'[(number + k) % 4]}{'abcd'[k * k % 4]}{'abcd'[k % 3]}" for k in range(60 + number)]
        words[number % 5 :: 5] = ["XYZ"[k % 3] for k in range(len(words[number % 5 :: 5]))]
        (folder / f"text-{number}.txt").write_text("\n".join(words * 4) + "\n")
    return folder


@pytest.fixture(scope="session", autouse=True)
def little_to_read() -> Iterator[None]:
    """Measure on a page of held-out text instead of thirty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "HELD_OUT_CHARACTERS", 2_000)
        yield


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("organisms") / "texts")


@pytest.fixture(scope="session")
def base(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = load_recipe(
        "small-vocabulary",
        {
            "text": str(texts),
            "vocabulary": 270,
            "hidden": 32,
            "heads": 2,
            "layers": 2,
            "feed_forward": 48,
            "context": 64,
            "batch": 8,
            "steps": 512,
            "stop_after": 400,
            "warmup_steps": 4,
            "embedding_rate": 0.03,
            "keep": [2, 4],
        },
    )
    return train_organism(recipe, tmp_path_factory.mktemp("base") / "base")
