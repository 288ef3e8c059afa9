"""`tiny` and `tiny@STEP`: the target that ships with foretell, and its checkpoints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.targets.onnx_target import OnnxTarget

TINY = "tiny"
SHIPPED = Path(__file__).parent / "shipped" / "tiny"
_CHECKPOINT = re.compile(r"step-(\d+)")


def facts() -> dict[str, Any]:
    """What is known of the shipped target: recipe, text, bits per byte, digests.

    >>> facts()["licence"]
    'Apache-2.0'
    """
    return dict(json.loads((SHIPPED / "facts.json").read_text(encoding="utf-8")))


def steps() -> list[int]:
    """The training steps whose checkpoints ship, ascending; the last is `tiny` itself.

    >>> len(steps()) >= 6
    True
    """
    found = [int(m[1]) for path in SHIPPED.iterdir() if (m := _CHECKPOINT.fullmatch(path.name))]
    return sorted(found)


def checkpoint_folder(step: int | None = None) -> Path:
    """The folder of a checkpoint, the last one where no step is given; only the last holds the tokenizer of all.

    Raises:
        InputError: no checkpoint of that step ships.
    """
    known = steps()
    chosen = known[-1] if step is None else step
    if chosen not in known:
        raise InputError(
            "no such checkpoint",
            where=f"tiny@{step}",
            got=str(step),
            expected=f"one of {', '.join(map(str, known))}",
            fix=f"Ask for `tiny@{known[0]}` or another of these, or for `tiny`, which is the last.",
        )
    return SHIPPED / f"step-{chosen}"


def open_tiny(spec: str) -> OnnxTarget:
    """The target of `tiny` or `tiny@STEP`."""
    return OnnxTarget(spec, checkpoint_folder(step_of(spec)), checkpoint_folder())


def is_tiny(spec: str) -> bool:
    """Whether a spec names the shipped target or one of its checkpoints.

    >>> is_tiny("tiny@768"), is_tiny("tinyllama")
    (True, False)
    """
    return spec == TINY or spec.startswith(f"{TINY}@")


def step_of(spec: str) -> int | None:
    """The step that `tiny@STEP` names; None for `tiny`.

    Raises:
        InputError: it is no number.

    >>> step_of("tiny@768")
    768
    """
    _, _, step = spec.partition("@")
    if step and not step.isdecimal():
        raise InputError(
            "bad target", where=spec, got=f"step {step!r}", expected="a number", fix="Write it as tiny@768."
        )
    return int(step) if step else None
