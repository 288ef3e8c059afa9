"""Benchmark results of the models on a ladder, read from files; one that cannot be read is unknown, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.base.errors import ForetellError
from foretell.base.interval import Unscored
from foretell.verdicts.ladder_batch import Model
from foretell.verdicts.ladder_parts import MODEL, CapabilityPart, LadderParts
from foretell.verdicts.other_evals import Result, read_result

#: What lm-eval replaces in a model's name when it names a folder after it, and by what (lm_eval 0.4,
#: `utils.sanitize_model_name`).
_SPECIAL, _INSTEAD = re.compile(r"[\"<>:/|\\?*\[\]]+"), "__"


@dataclass(frozen=True)
class Capability:
    """What a benchmark showed of a model.

    Attributes:
        value: its result, or why there is none.
        read: the file that says so; None where there is none.
    """

    model: str
    benchmark: str
    value: float | Unscored
    read: Result | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"model": self.model, "benchmark": self.benchmark}
        if isinstance(self.value, Unscored):
            return {**found, "unknown": self.value.reason}
        assert self.read is not None
        named = {"model_in_file": self.read.model, "file": self.read.file, "digest": self.read.digest}
        return {**found, "result": self.value, "what": self.read.what, **named}


def file_name(model: str) -> str:
    r"""A model's name as a part of a path: what no file's name should have becomes '__', as lm-eval does it.

    >>> file_name("hf:EleutherAI/pythia-160m"), file_name("../../etc")
    ('hf__EleutherAI__pythia-160m', '..__..__etc')
    """
    return _SPECIAL.sub(_INSTEAD, model)


def read_capabilities(ladder: LadderParts, found: Sequence[Model], folder: Path | None) -> list[Capability]:
    """Every benchmark's result for every model, known or not.

    Args:
        folder: of results; None where none was given.
    """
    return [_read(table, model, folder) for model in found for table in ladder.capability]


def by_model(read: Sequence[Capability]) -> Mapping[str, Mapping[str, float | Unscored]]:
    """As `ladder_status.climb` takes them."""
    table: dict[str, dict[str, float | Unscored]] = {}
    for one in read:
        table.setdefault(one.model, {})[one.benchmark] = one.value
    return table


def _read(table: CapabilityPart, model: Model, folder: Path | None) -> Capability:
    def unknown(reason: str) -> Capability:
        return Capability(model.name, table.benchmark, Unscored(reason))

    if folder is None:
        return unknown("no folder of results was given (--results)")
    patterns = [table.source.file.replace(MODEL, file_name(name)) for name in model.names]
    if any(".." in pattern.split("/") for pattern in patterns):
        return unknown(f"{model.name!r} leads out of the folder of results")
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    if len(files) != 1:
        return unknown(f"{len(files) or 'no'} files match {' or '.join(patterns)}")
    try:
        read = read_result(folder, table.source.model_copy(update={"file": files[0].relative_to(folder).as_posix()}))
        value = read.number
    except ForetellError as error:
        where = error.where.removeprefix(f"{folder}/")
        return unknown(f"{where}: {error.what}: got {error.got}, expected {error.expected}")
    if read.partly is not None:
        return unknown(f"{read.file}: only run {read.partly}")
    return Capability(model.name, table.benchmark, value, read)
