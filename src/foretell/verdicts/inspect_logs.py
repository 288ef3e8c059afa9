"""One figure in a log of Inspect AI: `.eval`, a .zip of which one small member is read, or `.json`.

Source: inspect_ai 0.3, `log/_log.py` (EvalLog, version 2) and `log/_recorders/eval.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretell.base.archives import read_member
from foretell.base.errors import InputError
from foretell.verdicts.evidence_files import (
    MOST_BYTES,
    Result,
    another_shape,
    digest_of,
    finite,
    json_object,
    model_name,
    not_there,
    open_evidence,
    read_bounded,
    table_of,
    written_time,
)

#: The version of its logs that is read.
VERSION = 2
SUCCESS = "success"
_HEADER, _ZIP = "header.json", b"PK"


def read_inspect(path: Path, task: str, metric: str, scorer: str | None = None) -> Result:
    """A metric in a log.

    Args:
        task: whose log it has to be.
        metric: as the log names it: 'accuracy'.
        scorer: whose metric; 'NAME/REDUCER' where one scorer was reduced in several ways. None where there is only one.

    Raises:
        InputError: no such file, another task's, a run that did not end well, a log of another version, no such scorer
            or metric, or no number there; the message lists what there is.
        DamageError: not JSON, or JSON that can be read in two ways.
        ForgeryError: an archive that grows without end.
    """
    where = str(path)
    with open_evidence(path) as file:
        digest = digest_of(file)
        is_zip = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        data = read_member(file, _HEADER, where, MOST_BYTES) if is_zip else read_bounded(file, where)
    if data is None:
        raise _unfinished(where, f"an archive without {_HEADER}")
    log = json_object(data, where)
    _check_complete(log, where)
    spec, results = table_of(log, "eval", where), table_of(log, "results", where)
    if spec.get("task") != task:
        raise not_there("task", where, task, [str(spec.get("task"))], "Give the log of that task.")
    score = _score(results, scorer, where)
    metrics = table_of(score, "metrics", where)
    if metric not in metrics:
        raise not_there("metric", f"{where}: {_label(score)}", metric, metrics, "Name a metric that the scorer has.")
    what = f"{task} {_label(score)} {metric}"
    return Result(
        value=finite(table_of(metrics, metric, where).get("value"), where, what),
        what=what,
        model=model_name(spec.get("model")),
        made=written_time(spec["created"], where, "created") if spec.get("created") is not None else None,
        partly=_partly(spec, results, score, where),
        file=path.name,
        digest=digest,
    )


def _check_complete(log: Mapping[str, Any], where: str) -> None:
    version = log.get("version")
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        raise InputError(
            "an Inspect log of a newer version" if newer else "an Inspect log of another version, or none",
            where=where,
            got=f"version {version!r}",
            expected=f"version {VERSION}",
            fix="Get a newer foretell, or export the log anew with an Inspect that writes this version."
            if newer
            else "Write it anew with `inspect log convert`.",
        )
    if log.get("status") != SUCCESS:
        raise _unfinished(where, f"status {log.get('status')!r}")
    if log.get("invalidated"):
        raise _unfinished(where, "a log whose samples were invalidated")


def _unfinished(where: str, got: str) -> InputError:
    return InputError(
        "a run that did not end well",
        where=where,
        got=got,
        expected=f"status {SUCCESS!r}",
        fix="Run the evaluation again (`inspect eval-retry`), and give the log of the run that ended.",
    )


def _score(results: Mapping[str, Any], scorer: str | None, where: str) -> dict[str, Any]:
    scores = results.get("scores")
    if not isinstance(scores, list) or not all(isinstance(one, dict) and _label(one).isprintable() for one in scores):
        raise another_shape(where, "'scores'", scores, "a list of objects with names")
    found = [one for one in scores if scorer in (None, _label(one))]
    found = found or [one for one in scores if one.get("name") == scorer]
    if len(found) != 1:
        named = "none named" if scorer is None else scorer
        raise not_there("scorer", where, named, map(_label, scores), "Name one of them.")
    return dict(found[0])


def _label(score: Mapping[str, Any]) -> str:
    """A scorer's name, with the way its samples were reduced."""
    reducer = score.get("reducer")
    return f"{score.get('name')}" if reducer is None else f"{score.get('name')}/{reducer}"


def _partly(spec: Mapping[str, Any], results: Mapping[str, Any], score: Mapping[str, Any], where: str) -> str | None:
    """How much less than the whole task was run, where the log says so."""
    total = finite(results.get("total_samples", 0), where, "total_samples")
    done = finite(results.get("completed_samples", 0), where, "completed_samples")
    dataset, config = table_of(spec, "dataset", where), table_of(spec, "config", where)
    if config.get("limit") is not None and dataset.get("samples") is not None:
        there = finite(dataset["samples"], where, "samples") * finite(config.get("epochs") or 1, where, "epochs")
        total = max(total, there)
    unscored = finite(score.get("unscored_samples") or 0, where, "unscored_samples")
    counted = done - unscored
    return f"on {counted:g} of {total:g} samples" if counted < total else None
