"""Checkpoints of a training run: where they are, at which steps, and which of them a forecast may use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foretell.base.errors import InputError
from foretell.distributions.vocabulary import TOKENIZER
from foretell.targets import tiny

#: What transformers' Trainer calls its folders, and what organisms and the shipped target call theirs.
_FOLDER = re.compile(r"(?:checkpoint|step)-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: the steps that were made before it was saved, and the spec that opens it as a target."""

    step: int
    target: str


def checkpoints(run: str) -> list[Checkpoint]:
    """All checkpoints of a run by their names, by rising step; none is opened.

    Args:
        run: a folder with `checkpoint-N` or `step-N` in it, or 'tiny' for the shipped checkpoints.

    Raises:
        InputError: no such folder, none in it, or two of one step.

    >>> [one.target for one in checkpoints("tiny")][:2]
    ['tiny@96', 'tiny@192']
    """
    if run == tiny.TINY:
        return [Checkpoint(step, f"{tiny.TINY}@{step}") for step in tiny.steps()]
    folder = Path(run).expanduser()
    places = [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    found: dict[int, Path] = {}
    for path in places:
        if named := _FOLDER.fullmatch(path.name):
            step = int(named[1])
            if step in found:
                raise _bad_run(run, f"{found[step].name} and {path.name}", "one folder a step", "Remove one of them.")
            found[step] = path
    if not found:
        got = f"none among {len(places)} folders" if folder.is_dir() else "no such folder"
        fix = "Give the output folder of transformers' Trainer, or an organism that kept checkpoints."
        raise _bad_run(run, got, "folders named checkpoint-N or step-N, or 'tiny'", fix)
    return [Checkpoint(step, f"hf:{found[step]}") for step in sorted(found)]


def earlier_checkpoints(where: str, run: str, step: int, *, until: int | None, least: int) -> list[Checkpoint]:
    """The checkpoints that a forecast of one step may be made from: those before it, and only they.

    Args:
        where: the forecaster's spec, for messages.
        until: leave out later ones than this step.
        least: how many are needed.

    Raises:
        InputError: too few; `until` is not before the step; or one of transformers' lacks its tokenizer.

    >>> [one.step for one in earlier_checkpoints("next:last:tiny@768", "tiny", 768, until=200, least=1)]
    [96, 192]
    """
    if until is not None and until >= step:
        raise InputError(
            "a forecast of what is known",
            where=where,
            got=f"checkpoints up to step {until} for step {step}",
            expected="earlier ones only",
            fix="Leave :from out, or give an earlier step.",
        )
    last = step - 1 if until is None else until
    known = checkpoints(run)
    earlier = [one for one in known if one.step <= last]
    if len(earlier) < least:
        raise InputError(
            "too few earlier checkpoints",
            where=where,
            got=f"{_steps(earlier)} up to step {last}; the run has {_steps(known)}",
            expected=f"at least {least}",
            fix="Save checkpoints earlier, or begin with next:last, which needs one only."
            if least > 1
            else "A first checkpoint cannot be forecast from earlier ones: forecast it by text, or by another run.",
        )
    return earlier


def require_tokenizer(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint folder without a tokenizer, as Trainer leaves it that was not given one.

    Raises:
        InputError: as said.
    """
    kind, _, place = checkpoint.target.partition(":")
    if kind == "hf" and not (Path(place) / TOKENIZER).is_file():
        raise InputError(
            "a checkpoint without its tokenizer",
            where=place,
            got=f"no {TOKENIZER}",
            expected="the tokenizer beside the weights: it says what the numbers are about",
            fix="Give Trainer its processing_class, or save the tokenizer there: tokenizer.save_pretrained(…).",
        )


def _steps(found: Sequence[Checkpoint]) -> str:
    return "no checkpoint" if not found else "steps " + ", ".join(str(one.step) for one in found)


def _bad_run(run: str, got: str, expected: str, fix: str) -> InputError:
    return InputError("no training run", where=run, got=got, expected=expected, fix=fix)
