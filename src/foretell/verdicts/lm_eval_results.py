"""One figure in the results that lm-eval (the Language Model Evaluation Harness) writes.

Source: lm_eval 0.4, `evaluator.simple_evaluate` and `loggers.EvaluationTracker.save_results_aggregated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.verdicts.evidence_files import (
    Result,
    another_shape,
    digest_of,
    finite,
    json_object,
    model_name,
    not_there,
    open_evidence,
    read_bounded,
    seconds_since_1970,
    table_of,
)

#: Between a metric and the filter of answers that it was computed behind: 'acc,none'.
_FILTER = ","
#: How its model_args name the weights; the program's own argument of either name.
_WEIGHTS = ("pretrained", "model")


def read_lm_eval(path: Path, task: str, metric: str) -> Result:
    """A task's metric in a results_*.json.

    Args:
        task: as the file names it; groups of tasks are tasks too.
        metric: with its filter ('acc,none'), or without where there is only one ('acc').

    Raises:
        InputError: no such file, task or metric, or no number there; the message lists what there is.
        DamageError: not JSON, or JSON that can be read in two ways.
    """
    where = str(path)
    with open_evidence(path) as file:
        digest = digest_of(file)
        content = json_object(read_bounded(file, where), where)
    results = table_of(content, "results", where)
    if task not in results:
        raise not_there("task", where, task, results, "Name a task that was run.")
    figures = table_of(results, task, f"{where}: results")
    key = _metric(figures, metric, f"{where}: {task}")
    return Result(
        value=finite(figures[key], where, f"{task} {key}"),
        what=f"{task} {key}",
        model=_model(content),
        made=seconds_since_1970(content["date"], where, "date") if content.get("date") is not None else None,
        partly=_partly(content, task, where),
        file=path.name,
        digest=digest,
    )


def _metric(figures: Mapping[str, Any], metric: str, where: str) -> str:
    """The one key of a metric."""
    keys = [name for name in figures if _FILTER in name]
    found = [metric] if metric in keys else [key for key in keys if key.partition(_FILTER)[0] == metric]
    if len(found) > 1:
        raise InputError(
            "a metric with several filters",
            where=where,
            got=repr(metric),
            expected="one of " + ", ".join(map(repr, found)),
            fix="Name it with its filter.",
        )
    if not found:
        raise not_there("metric", where, metric, keys, "Name a metric that the task has.")
    return found[0]


def _model(content: Mapping[str, Any]) -> str | None:
    """The model's own name; in older files it stands in the arguments only."""
    config = content.get("config")
    config = config if isinstance(config, dict) else {}
    given = config.get("model_args")
    if isinstance(given, str):
        given = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    given = given if isinstance(given, dict) else {}
    names = [content.get("model_name"), *(given.get(name) for name in _WEIGHTS), config.get("model")]
    return next((name for name in map(model_name, names) if name is not None), None)


def _partly(content: Mapping[str, Any], task: str, where: str) -> str | None:
    """How much less than the whole task was run, where the file says so."""
    counts = content.get("n-samples")
    own = counts.get(task) if isinstance(counts, dict) else None
    if isinstance(own, dict):
        done = finite(own.get("effective"), where, f"n-samples of {task}")
        there = finite(own.get("original"), where, f"n-samples of {task}")
        return f"on {done:g} of {there:g} samples" if done < there else None
    config = content.get("config")
    if config is not None and not isinstance(config, dict):
        raise another_shape(where, "'config'", config, "an object")
    limit = (config or {}).get("limit")
    return None if limit is None else f"with --limit {finite(limit, where, 'limit'):g}"
