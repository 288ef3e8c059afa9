"""Write the report of a run: one HTML file that opens offline and holds everything it shows."""

from __future__ import annotations

import base64
import hashlib
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from foretell.base.errors import InputError
from foretell.base.files import write_text_atomically
from foretell.reports import beyond_text, figures, heatmap, plots, sentences
from foretell.reports.judged import loss_of
from foretell.reports.run import Run

#: Panels (slot × forecast) that a page embeds: about 4 MB of text.
MAX_PANELS = 24_000
_HERE = Path(__file__).parent
_TEMPLATE, _STYLE, _SCRIPT = "page.html.j2", "page.css", "page.js"


def write_report(run: Path, out: Path, *, compare: str | None = None, max_panels: int = MAX_PANELS) -> None:
    """Write the report of a run folder to one self-contained HTML file.

    Args:
        run: a folder that `foretell score` wrote.
        out: the HTML file; it appears whole or not at all.
        compare: the forecast that the paired differences are turned to and the slices plot shows; the headline
            forecast (the best that is no reference) where none is named.
        max_panels: the most slots × forecasts whose probabilities are embedded; beyond it only each forecast's worst
            prompts are, and the page says so.

    Raises:
        InputError: no run folder, or no forecast of that name.
        DamageError: a file is not what the manifest says.
        StorageError: out cannot be written.
    """
    read = Run.read(run)
    write_text_atomically(out, render(read, _chosen(read, compare), max_panels))


def render(run: Run, chosen: str, max_panels: int = MAX_PANELS) -> str:
    """The page of a run as text; `chosen` is the forecast that slices and differences are shown for."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"plain": figures.plain, "percent": figures.percent, "figure": figures.figure}
    steps = heatmap.steps_of(loss_of(run.score).name)
    environment.filters |= {"bounds": figures.bounds, "upper": figures.upper}
    environment.filters |= {"step": partial(heatmap.step, steps=steps), "amount": loss_of(run.score).amount}
    script = _asset(_SCRIPT)
    return environment.get_template(_TEMPLATE).render(
        style=Markup(_asset(_STYLE)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        score=run.score,
        truth=run.score["truth"],
        settings=run.score["settings"],
        loss=loss_of(run.score),
        forecasts=run.score["forecasts"],
        signs=sentences.SIGNS,
        known=lambda value: figures.missing(value) is None,
        claims=sentences.claimed(run.score, run.scale),
        **_words(run.score, chosen),
        **_beyond(run),
        **_plots(run, chosen),
        **_heat(run, chosen, max_panels),
    )


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _chosen(run: Run, compare: str | None) -> str:
    if compare is not None and compare not in run.names:
        raise InputError(
            "no such forecast",
            where=str(run.folder),
            got=repr(compare),
            expected="one of " + ", ".join(map(repr, run.names)),
            fix="Name a forecast of this run.",
        )
    return compare if compare is not None else str(sentences.headline(run.score)["name"])


def _words(score: dict[str, Any], chosen: str) -> dict[str, Any]:
    metrics, unscored = sentences.metric_table(score["forecasts"])
    return {
        "opening": sentences.opening(score),
        "verdict": sentences.verdict(score),
        "beside": sentences.beside_references(score),
        "headline": sentences.headline(score),
        "chosen": chosen,
        "pairs": [sentences.pair(difference, chosen) for difference in score["differences"]],
        "metrics": metrics,
        "unscored": unscored,
        "methods": sentences.methods(score),
        "origins": [(forecast["name"], sentences.origin(forecast)) for forecast in score["forecasts"]],
    }


def _beyond(run: Run) -> dict[str, Any]:
    """What is told of runs that a scale was made of, and only of them."""
    if run.scale is None:
        return {"scale": None, "commands": sentences.commands(run.score)}
    return {
        "scale": run.scale,
        "skill": beyond_text.in_words(run.scale, sentences.headline(run.score)["name"]),
        "skill_plot": beyond_text.skill_plot(run.scale),
        "skill_table": beyond_text.table(run.scale),
        "skill_reasons": beyond_text.reasons(run.scale),
        "scale_words": beyond_text.words(run.scale),
        "commands": beyond_text.commands(run.scale),
    }


def _tolerance(score: dict[str, Any]) -> list[plots.Rule]:
    tolerance = score["settings"]["tolerance"]
    return [] if tolerance is None else [plots.Rule(tolerance, f"tolerance {figures.plain(tolerance)}")]


def _axis(score: dict[str, Any], what: str) -> str:
    unit = loss_of(score).unit
    return f"{what} in {unit} a token, logarithmic axis"


def _plots(run: Run, chosen: str) -> dict[str, Any]:
    score = run.score
    return {
        "ladder": _ladder(score, beyond_text.labels(run.scale)),
        "difference_plot": _differences(score, chosen),
        "slice_plot": _slices(score, chosen),
        "tail_plot": plots.histograms(
            [_losses(run, forecast) for forecast in score["forecasts"]],
            title=_axis(score, "loss of a prompt"),
            label="Histogram of the prompts' losses for each forecast; the marks' numbers are in the table below.",
            rules=_tolerance(score),
        ),
    }


def _row(name: str, record: dict[str, Any], reference: bool) -> plots.Row:
    loss = record["loss"]
    text = f"{figures.figure(loss['mean'])} ({figures.bounds(loss)})"
    return plots.Row(name, *sentences.spread(record), text, reference)


def _ladder(score: dict[str, Any], labels: dict[str, str]) -> Markup:
    """All forecasts, under their names or shorter ones."""
    rows = [
        _row(labels.get(forecast["name"], forecast["name"]), forecast, forecast["reference"])
        for forecast in score["forecasts"]
    ]
    uniform = sentences.uniform_nats(score)
    if uniform is not None:
        text = f"{figures.plain(uniform)} (computed)"
        rows.append(plots.Row("knowing nothing (uniform)", uniform, uniform, uniform, uniform, text, reference=True))
    return plots.intervals(
        rows,
        title=_axis(score, "mean loss"),
        label="Every forecast's mean loss with its bounds, best first; the numbers are in the table below.",
        rules=_tolerance(score),
        noise=score["settings"]["noise_floor"].get("value"),
    )


def _differences(score: dict[str, Any], chosen: str) -> Markup | None:
    pairs = [sentences.pair(difference, chosen) for difference in score["differences"]]
    rows = [
        plots.Row(
            f"against {pair['b']}",
            figures.lower(pair["mean"]),
            figures.upper(pair["mean"]),
            pair["lo"],
            pair["hi"],
            f"{figures.figure(pair['mean'])} ({figures.bounds(pair)})",
        )
        for pair in pairs
        if pair["a"] == chosen
    ]
    if not rows:
        return None
    return plots.intervals(
        rows,
        title=_axis(score, "difference"),
        label=f"Paired differences of {chosen} with each other forecast; the numbers are in the table below.",
        rules=[plots.Rule(0.0, "no difference")],
    )


def _slices(score: dict[str, Any], chosen: str) -> Markup:
    record = next(forecast for forecast in score["forecasts"] if forecast["name"] == chosen)
    ordered = sorted(record["slices"], key=lambda part: -figures.upper(part["loss"]["mean"]))
    return plots.intervals(
        [_row(part["slice"], part, record["reference"]) for part in ordered],
        title=_axis(score, "mean loss"),
        label=f"Mean loss of {chosen} in each slice with its bounds, worst first; the numbers are in the table below.",
        rules=_tolerance(score),
    )


def _median(run: Run, name: str) -> float:
    return statistics.median(high for _, high in run.losses[name].values())


def _losses(run: Run, forecast: dict[str, Any]) -> plots.Losses:
    tail = forecast["tail"]
    marks = {
        "median": _median(run, forecast["name"]),
        "90%": figures.upper(tail["q90"]),
        "99%": figures.upper(tail["q99"]),
        "worst": figures.upper(tail["worst"]["loss"]),
    }
    values = [high for _, high in run.losses[forecast["name"]].values()]
    text = f"worst {figures.figure(tail['worst']['loss'])}"
    return plots.Losses(forecast["name"], values, marks, text, forecast["reference"])


def _heat(run: Run, chosen: str, max_panels: int) -> dict[str, Any]:
    heat = heatmap.build(run, chosen, max_panels)
    return {
        "heat": heat,
        "heat_losses": heat.losses[chosen],
        "heat_means": {prompt: {"lo": lo, "hi": hi} for prompt, (lo, hi) in run.losses[chosen].items()},
        "heat_data": Markup(heat.data),
        "legend": heatmap.legend(heatmap.steps_of(loss_of(run.score).name)),
        "medians": {name: _median(run, name) for name in run.names},
    }
