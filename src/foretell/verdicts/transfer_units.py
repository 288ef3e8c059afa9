"""Units of a transfer table: slices of a run, or whole runs, with the losses of the same forecasts on each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foretell.base.errors import InputError
from foretell.base.files import MANIFEST
from foretell.scoring.losses import loss_metric
from foretell.scoring.summary import Losses
from foretell.verdicts.run_folder import read_losses, read_score

By = Literal["slice", "run"]
#: Settings in which runs have to agree for their losses to be compared.
_SAME = ("metric", "floor", "tail")
#: How many names an error tells.
_MOST_NAMED = 6
#: Where `foretell scale` keeps its run.
_WITHIN_SCALE = "run"


@dataclass(frozen=True)
class Unit:
    """Prompts on which the same forecasts were scored.

    Attributes:
        name: unique among the units.
        facts: what was asked of which target, for the record.
        losses: of each forecast, in the order of the table's forecasts.
    """

    name: str
    facts: dict[str, Any]
    losses: tuple[Losses, ...]

    @property
    def documents(self) -> frozenset[str]:
        """The documents that its prompts come from."""
        return frozenset(self.losses[0].clusters)


@dataclass(frozen=True)
class Units:
    """All units of a table.

    Attributes:
        forecasts: names, those that lose least over all units first.
        left_out: forecasts that not every run has, by run.
        settings: those that all runs share.
    """

    units: tuple[Unit, ...]
    forecasts: tuple[str, ...]
    left_out: dict[str, list[str]]
    settings: dict[str, Any]


def read_units(folders: Sequence[Path], by: By | None = None, *, common: bool = False) -> Units:
    """Read runs as units.

    Args:
        folders: of `foretell score --out`, or of `foretell scale --out`.
        by: what a unit is; slices where there is one run, else whole runs.
        common: compare the forecasts that all runs have, and record which were left out.

    Raises:
        InputError: fewer than two units, a folder twice, no run, or runs with other settings or forecasts.
        DamageError: a file is not what its manifest says.
    """
    runs = [_found(folder) for folder in folders]
    _require_different(runs)
    scores = {run: read_score(run) for run in runs}
    settings = _shared_settings(scores)
    names, left_out = _shared_forecasts(scores, common)
    slices = by == "slice" or (by is None and len(runs) == 1)
    units = [unit for run in runs for unit in _units_of(run, scores[run], names, slices)]
    if len(units) < 2:
        raise InputError(
            "nothing to transfer to",
            where=", ".join(map(str, folders)) or "RUN",
            got=f"one unit ({units[0].name})" if units else "no run",
            expected="two slices or two runs at least",
            fix="Name a run of a suite with several slices, or several runs; --by slice makes slices the units.",
        )
    units = _named(units, slices and len(runs) == 1)
    means = {
        name: sum(float(unit.losses[i].weights @ unit.losses[i].hi / unit.losses[i].weights.sum()) for unit in units)
        for i, name in enumerate(names)
    }
    order = sorted(range(len(names)), key=lambda i: means[names[i]])
    ordered = [Unit(unit.name, unit.facts, tuple(unit.losses[i] for i in order)) for unit in units]
    return Units(tuple(ordered), tuple(names[i] for i in order), left_out, settings)


def _found(folder: Path) -> Path:
    """The run itself, where the folder of a scale is given."""
    inner = folder / _WITHIN_SCALE
    return inner if not (folder / MANIFEST).is_file() and (inner / MANIFEST).is_file() else folder


def _require_different(runs: Sequence[Path]) -> None:
    twice = [str(path) for path, times in Counter(run.resolve() for run in runs).items() if times > 1]
    if twice:
        raise InputError(
            "a run twice",
            where="RUN",
            got=twice[0],
            expected="different runs",
            fix="Name each run once.",
        )


def _shared_settings(scores: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """What all runs were scored with; caps may differ where vocabularies do."""
    first, *others = scores
    expected = _settings(scores[first])
    for run in others:
        own = _settings(scores[run])
        same_words = scores[run]["truth"]["vocabulary"] == scores[first]["truth"]["vocabulary"]
        for name in (*_SAME, "cap") if same_words else _SAME:
            if own[name] != expected[name]:
                raise InputError(
                    "runs that were scored in different ways",
                    where=str(run),
                    got=f"{name} {own[name]}",
                    expected=f"{name} {expected[name]}, as in {first}",
                    fix="Score both again with the same options.",
                )
    return {name: expected[name] for name in (*_SAME, "unit")}


def _settings(score: dict[str, Any]) -> dict[str, Any]:
    """The settings under the names of today; the first scores knew KL divergence only."""
    own: dict[str, Any] = score["settings"]
    return own | {"cap": own.get("cap", own.get("cap_nats")), "unit": loss_metric(own["metric"], "score.json").unit}


def _shared_forecasts(scores: dict[Path, dict[str, Any]], common: bool) -> tuple[list[str], dict[str, list[str]]]:
    """Names that all runs have, and what is left out of each run."""
    own = {run: [entry["name"] for entry in score["forecasts"]] for run, score in scores.items()}
    shared = [name for name in next(iter(own.values()), []) if all(name in names for names in own.values())]
    left_out = {str(run): [name for name in names if name not in shared] for run, names in own.items()}
    left_out = {run: names for run, names in left_out.items() if names}
    if left_out and not (common and shared):
        told = "; ".join(f"{run} alone has {_few(names)}" for run, names in left_out.items())
        raise InputError(
            "runs with other forecasts",
            where=", ".join(map(str, own)),
            got=told,
            expected="forecasts of the same names in every run",
            fix="Score the missing ones too, or add --common to compare the ones that all runs have."
            if shared
            else "Score forecasts of the same forecasters on each target.",
        )
    return shared, left_out


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _units_of(run: Path, score: dict[str, Any], names: Sequence[str], slices: bool) -> Iterator[Unit]:
    truth, settings = score["truth"], _settings(score)
    losses = [read_losses(run, name, settings["metric"], settings["cap"]) for name in names]
    for part in dict.fromkeys(losses[0].slices) if slices and losses else (None,):
        own = tuple(losses if part is None else (one.only(part) for one in losses))
        facts = {
            "run": str(run),
            "truth": {name: truth[name] for name in ("name", "weights", "vocabulary")},
            "suite": truth["suite"],
            "slice": part,
            "cap": settings["cap"],
            "prompts": len(own[0].prompts),
            "documents": len(set(own[0].clusters)),
        }
        yield Unit("", facts, own)


def _named(units: Sequence[Unit], bare: bool) -> list[Unit]:
    """Units under the shortest names that tell them apart, with their slice.

    These are the end of a target's path, the target, the target and the suite, or the folder of the run.
    """

    def names(facts: dict[str, Any]) -> tuple[str, ...]:
        target, suite, part = facts["truth"]["name"], facts["suite"]["name"], facts["slice"]
        end = f": {part}" if part is not None else ""
        short = target.rstrip("/").rpartition("/")[2]
        wholes = (f"{short}{end}", f"{target}{end}", f"{target} on {suite}{end}", f"{facts['run']}{end}")
        return (*((part,) if bare else ()), *wholes)

    options = list(zip(*(names(unit.facts) for unit in units), strict=True))
    chosen = next(given for given in options if len(set(given)) == len(given))
    return [Unit(name, unit.facts, unit.losses) for name, unit in zip(chosen, units, strict=True)]
