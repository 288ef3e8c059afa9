"""What a scale adds to a report: skill over the text-only pool, gain of a forecast, and the ladder as a file."""

from __future__ import annotations

import shlex
from typing import Any

from markupsafe import Markup

from foretell.reports import plots
from foretell.reports.figures import Figure, bounds, figure, lower, missing, percent, plain, upper
from foretell.verdicts.scale_record import label, sentences

_AXIS = "mean KL divergence in nats a token, logarithmic axis"
NOTHING_ABOVE_TEXT = "not told from knowing the text only"
_FIGURE, _RECORD = "mean", "skill"


def in_words(scale: dict[str, Any], name: str) -> str | None:
    """What the loss of one forecast is worth; None where the scale does not tell its skill."""
    rung = next((one for one in scale["rungs"] if one["name"] == name and _RECORD in one), None)
    if rung is None:
        return None
    own, pool = rung[_RECORD], scale["pool"]["practice"]
    if (why := missing(own)) is not None:
        return f"Its skill over the best pool of text-only references cannot be given: {why}."
    text = (
        f"Skill: {figure(own[_FIGURE])} ({bounds(own)} with {percent(own['level'])} confidence), where 0 is what the "
        f"best pool of text-only references knows, fitted on {pool['prompts']} other prompts, and 1 is perfect"
    )
    text += f"; that is {NOTHING_ABOVE_TEXT}." if own["lo"] <= 0 <= own["hi"] else "."
    gain = rung["encompassing"]
    if missing(gain) is None:
        record = gain["gain_nats"]
        text += f" Added to that pool it is worth {figure(record[_FIGURE])} nats a token ({bounds(record)})."
    return text


def labels(scale: dict[str, Any] | None) -> dict[str, str]:
    """What rungs are called where there is little room, by name; empty without a scale."""
    return {} if scale is None else {rung["name"]: label(rung) for rung in scale["rungs"]}


def skill_plot(scale: dict[str, Any]) -> Markup | None:
    """Skill with its bounds of everything that is not in the pool, best first; None where there is nothing."""
    rows = [
        plots.Row(
            rung["name"], lower(own[_FIGURE]), upper(own[_FIGURE]), own["lo"], own["hi"], _told(own), rung["text_only"]
        )
        for rung in reversed(scale["rungs"])
        if (own := rung.get(_RECORD)) is not None and missing(own) is None
    ]
    if not rows:
        return None
    return plots.shares(
        rows,
        title="skill: share of the text-only pool’s loss that is avoided",
        label="Skill of each forecast over the best pool of text-only references; the numbers are in the table below.",
        rules=[plots.Rule(0.0, "knows the text only")],
    )


def table(scale: dict[str, Any]) -> list[list[str]]:
    """Rows of texts, nearest first: name, skill with bounds, gain with bounds, weight, Diebold–Mariano statistic."""
    return [_row(rung) for rung in reversed(scale["rungs"]) if _RECORD in rung]


def reasons(scale: dict[str, Any]) -> list[str]:
    """Why some figures of the table are dashes."""
    found = []
    for rung in scale["rungs"]:
        parts = [rung.get(_RECORD), rung.get("encompassing")]
        if parts[1] is not None and missing(parts[1]) is None:
            parts.append(parts[1]["diebold_mariano"])
        found += [f"{rung['name']}: {why}" for one in parts if one is not None and (why := missing(one)) is not None]
    return found


def ladder_file(scale: dict[str, Any]) -> str:
    """The ladder as an SVG file: every rung's loss with its bounds, and its skill where it has one."""
    noise = float(scale["noise_floor"]["kl_nats"])
    rows = [plots.Row("noise floor", noise, noise, noise, noise, plain(noise), reference=True)]
    for rung in reversed(scale["rungs"]):
        loss, own = rung["kl_nats"], rung.get(_RECORD)
        text = _told(loss)
        if own is not None and missing(own) is None:
            text += f" · skill {_told(own)}"
        spread = (lower(loss[_FIGURE]), upper(loss[_FIGURE]), loss["lo"], loss["hi"])
        rows.append(plots.Row(label(rung), *spread, text, rung["text_only"]))
    limit = scale["settings"]["tolerance"]
    rules = [] if limit is None else [plots.Rule(limit, f"tolerance {plain(limit)}")]
    return plots.intervals_file(rows, title=_AXIS, rules=rules, noise=noise)


def commands(scale: dict[str, Any]) -> list[str]:
    """The commands that make such a scale again."""
    asked = scale["asked"]
    line = ["foretell scale"]
    for option, value in asked.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                line.append(f"--{option} {shlex.quote(str(one))}" if one is not True else f"--{option}")
    return [" ".join([*line, "--out scale"]), "foretell report scale/run -o report.html"]


def words(scale: dict[str, Any]) -> list[str]:
    """What the scale says of its pool, its tolerance and its noise."""
    return sentences(scale)


def _told(record: dict[str, Any]) -> str:
    return f"{figure(record[_FIGURE])} ({bounds(record)})"


def _row(rung: dict[str, Any]) -> list[str]:
    own, gain = rung[_RECORD], rung["encompassing"]
    test: Figure = None if missing(gain) is not None else gain["diebold_mariano"]
    statistic = "–" if missing(test) is not None else plain(test["statistic"])  # type: ignore[index]
    return [
        rung["name"],
        "–" if missing(own) is not None else _told(own),
        "–" if missing(gain) is not None else _told(gain["gain_nats"]),
        "–" if missing(gain) is not None else plain(gain["weight"]),
        statistic,
    ]
