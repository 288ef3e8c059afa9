"""What the numbers of a score say, in sentences and table rows."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from typing import Any

from foretell.reports.figures import bounds, figure, lower, missing, percent, plain, upper
from foretell.reports.judged import loss_of
from foretell.verdicts.claim import Claims
from foretell.verdicts.claims import claims
from foretell.verdicts.claims_context import Context

Forecast = dict[str, Any]
_METRICS = {
    "kl_nats": ("KL divergence, nats", False),
    "kl_bits_per_byte": ("KL divergence, bits per byte of text", False),
    "abs_logprob_nats": ("absolute log-probability error, nats", False),
    "js_nats": ("Jensen–Shannon divergence, nats", False),
    "tv": ("total variation", False),
    "top1_agreement": ("same likeliest token", True),
    "topk_logprob_rmse": ("root mean square error of log-probabilities, likeliest tokens", False),
}
_UNIFORM = "uniform"
SIGNS = {"pass": "✓", "fail": "✕", "inconclusive": "?", "unjudged": "–"}


def headline(score: dict[str, Any]) -> Forecast:
    """The forecast that the report is about: the best that is no reference, or the best reference where all are."""
    ranked: list[Forecast] = score["forecasts"]
    return next((forecast for forecast in ranked if not forecast["reference"]), ranked[0])


def best_reference(score: dict[str, Any]) -> Forecast | None:
    """The best reference, if there is one."""
    return next((forecast for forecast in score["forecasts"] if forecast["reference"]), None)


def opening(score: dict[str, Any]) -> str:
    """Who was asked what."""
    truth, count = score["truth"], len(score["forecasts"])
    what = f"{count} forecasts were" if count > 1 else "One forecast was"
    prompts, positions = (f"{truth[key]:,} {key if truth[key] != 1 else key[:-1]}" for key in ("prompts", "positions"))
    return (
        f"{what} made of the next-token probabilities of {truth['name']}, and compared with the model itself at "
        f"{positions} of {prompts} from the suite {truth['suite']['name']}."
    )


def verdict(score: dict[str, Any]) -> str:
    """The decision about the headline forecast in a sentence, with the number that decided."""
    one, tolerance = headline(score), score["settings"]["tolerance"]
    which = "The best forecast" if sum(not f["reference"] for f in score["forecasts"]) > 1 else "The forecast"
    subject = f"The best reference, {one['name']}," if one["reference"] else f"{which}, {one['name']},"
    loss, metric = one["loss"], loss_of(score)
    off, level = metric.amount(figure(loss["mean"])), percent(loss["level"])
    size = f"off by {off} a token on average ({bounds(loss)} with {level} confidence)."
    limit = "" if tolerance is None else f"the tolerance of {metric.amount(plain(tolerance))}"
    match one["verdict"]["decision"]:
        case "pass":
            return f"{subject} meets {limit}. It was {size}"
        case "fail":
            return f"{subject} does not meet {limit}. It was {size}"
        case "inconclusive":
            needed = one["verdict"]["prompts_needed"]
            need = f" About {needed:,} prompts in all are likely to be needed." if needed else ""
            return f"{subject} cannot be judged yet against {limit}. It was {size}{need}"
        case _:
            return f"No tolerance was set, so nothing was judged. {subject} was {size}"


def beside_references(score: dict[str, Any]) -> str:
    """What the headline number is worth beside what a reader of ordinary text achieves."""
    one, reference = headline(score), best_reference(score)
    if one["reference"]:
        return (
            "Every row is a reference: a forecaster that knows text but not this model. No forecast by anyone who "
            "knows the model was scored."
        )
    if reference is None:
        return (
            "No reference was scored beside it, so this page cannot say how much of that a reader of ordinary text "
            "would have known."
        )
    end = "did better" if reference["rank"] < one["rank"] else "did worse"
    return (
        f"The best reference, {reference['name']}, knows text but not this model, and {end}: "
        f"{loss_of(score).amount(figure(reference['loss']['mean']))} a token ({bounds(reference['loss'])})."
    )


def pair(difference: dict[str, Any], first: str) -> dict[str, Any]:
    """A paired difference turned so that it is `first` minus the other, or as it stands where first is no part of it.

    >>> record = {"a": "x", "b": "y", "mean": 0.5, "lo": -0.1, "hi": 1.0, "level": 0.95, "method": "m"}
    >>> pair(record, "y")["a"], pair(record, "y")["lo"], pair(record, "y")["says"]
    ('y', -1.0, 'not told apart')
    """
    turned = dict(difference)
    if difference["b"] == first:
        mean = difference["mean"]
        flipped = {"lo": -mean["hi"], "hi": -mean["lo"]} if isinstance(mean, dict) else -mean
        turned |= {"a": first, "b": difference["a"], "mean": flipped, "lo": -difference["hi"], "hi": -difference["lo"]}
    closer = turned["a"] if turned["hi"] < 0 else turned["b"] if turned["lo"] > 0 else None
    return turned | {"says": "not told apart" if closer is None else f"{closer} is closer", "closer": closer}


def claimed(score: dict[str, Any], scale: dict[str, Any] | None = None) -> Claims:
    """What the verdict on the headline forecast claims and what not, with its skill where a scale tells it."""
    one = headline(score)
    rungs = scale["rungs"] if scale else []
    skill = next((rung.get("skill") for rung in rungs if rung["name"] == one["name"]), None)
    known = Context.of_record(one.get("claims", {}).get("context", {}))
    return claims(score, one, replace(known, skill=skill))


def metric_table(forecasts: list[Forecast]) -> tuple[list[tuple[str, list[str]]], dict[str, list[str]]]:
    """Every metric by forecast as text; and by reason, the metrics that could not be scored."""
    keys = [*_METRICS, *sorted({key for forecast in forecasts for key in forecast["metrics"]} - set(_METRICS))]
    rows: list[tuple[str, list[str]]] = []
    reasons: dict[str, list[str]] = {}
    for key in keys:
        title, share = _METRICS.get(key, (key, False))
        values = [forecast["metrics"].get(key) for forecast in forecasts]
        if any(value is not None for value in values):
            rows.append((title, [figure(value, share) for value in values]))
            why = next((reason for value in values if value is not None and (reason := missing(value))), None)
            if why is not None:
                reasons.setdefault(why, []).append(title)
    return rows, reasons


def commands(score: dict[str, Any]) -> list[str]:
    """The commands that make such a run again."""
    truth, tolerance, metric = score["truth"], score["settings"]["tolerance"], loss_of(score).name
    suite = shlex.quote(truth["suite"]["name"])
    lines = [f"foretell collect --target {shlex.quote(truth['name'])} --suite {suite} --out truth"]
    folders = []
    for forecast in score["forecasts"]:
        folder = f"forecasts/{forecast['rank']}"
        folders.append(f"--forecast {folder}")
        spec = shlex.quote(str(forecast["source"].get("name", forecast["name"])))
        lines.append(f"foretell forecast --with {spec} --suite {suite} --like truth --out {folder}")
    limit = "" if tolerance is None else f" --tolerance {tolerance:g}"
    limit += "" if metric == "kl_nats" else f" --metric {metric}"
    lines.append(f"foretell score --truth truth {' '.join(folders)}{limit} --out run")
    return [*lines, "foretell report run -o report.html"]


def methods(score: dict[str, Any]) -> list[tuple[str, str]]:
    """How each bound was made and what it assumes, a sentence or two each."""
    one, settings, truth = headline(score), score["settings"], score["truth"]
    loss, level = one["loss"], percent(one["loss"]["level"])
    cap = loss_of(score).amount(plain(settings["cap"]))
    found = [
        (
            "Bounds of a mean",
            f"{loss['method']}, at {level}. Assumes that the documents are independent draws from what one wants to "
            f"speak about; a prompt's loss counts up to {cap}.",
        )
    ]
    if one["within_tolerance"]:
        found.append(
            (
                "Bounds of the share within the tolerance",
                f"{one['within_tolerance']['method']}, at {percent(one['within_tolerance']['level'])}. Assumes "
                "independent draws, and nothing about how large the losses are.",
            )
        )
    if missing(one["approximate"]) is None:
        found.append(
            (
                "Approximate bounds",
                f"{one['approximate']['method']}. Assumes that the mean of so many prompts is nearly normal; with "
                "rare large losses they are too narrow. No verdict uses them.",
            )
        )
    if score["differences"]:
        found.append(
            (
                "Bounds of a difference",
                f"{score['differences'][0]['method']}, at {percent(score['differences'][0]['level'])}. Made from the "
                "difference on each prompt, so that what makes a prompt hard for both forecasts cancels.",
            )
        )
    if truth["kind"] == "topk":
        found.append(
            (
                "Intervals in place of a loss",
                "The model told its likeliest tokens only. The lower end takes the rest to be spread as the forecast "
                "spreads it, the upper end puts it where it hurts the forecast most; verdicts use the upper end.",
            )
        )
    floor = truth["noise_floor"]
    if floor:
        found.append(
            (
                "Noise floor",
                f"The model against itself ({floor['method']}): a KL divergence of {plain(floor['kl_nats'])} nats on "
                f"average, {plain(floor['max_kl_nats'])} at most. {_noise_of(score)}",
            )
        )
    return found


def _noise_of(score: dict[str, Any]) -> str:
    """What the noise means for the judged loss."""
    noise, metric = score["settings"]["noise_floor"], loss_of(score)
    if metric.name == "kl_nats":
        return "A loss below that says nothing about a forecast."
    if missing(noise) is not None:
        return f"What that is as {metric.title} is not known."
    amount = metric.amount(plain(noise["value"]))
    return f"That is at most {amount} ({noise['method']}); a loss below says nothing about a forecast."


def origin(forecast: Forecast) -> str:
    """What a forecast was made from, as 'key: value; key: value', nested records flattened.

    >>> origin({"source": {"name": "n", "text": {"digest": "sha256:a", "files": 3}}})
    'name: n; text digest: sha256:a; text files: 3'
    """
    return "; ".join(f"{key}: {value}" for key, value in _flat("", forecast["source"])) or "not recorded"


def _flat(prefix: str, record: Any) -> list[tuple[str, Any]]:
    if isinstance(record, dict):
        return [pair for key, value in record.items() for pair in _flat(f"{prefix} {key}".strip(), value)]
    if isinstance(record, list) and any(isinstance(value, dict) for value in record):
        return [pair for i, value in enumerate(record, 1) for pair in _flat(f"{prefix} {i}", value)]
    return [(prefix, record)]


def uniform_nats(score: dict[str, Any]) -> float | None:
    """KL divergence of knowing nothing, log V − the truth's mean entropy; None where it is a forecast of the run, or
    where another loss was judged.
    """
    from_run = any(
        _UNIFORM in (forecast["name"], forecast["source"].get("forecaster")) for forecast in score["forecasts"]
    )
    entropy = score["truth"]["entropy_nats"]
    if from_run or entropy is None or loss_of(score).name != "kl_nats":
        return None
    return math.log(score["truth"]["vocabulary"]) - float(entropy)


def spread(forecast: Forecast) -> tuple[float, float, float, float]:
    """Mean (lo, hi) and bounds (lo, hi) of the judged loss of a forecast or slice."""
    loss = forecast["loss"]
    return lower(loss["mean"]), upper(loss["mean"]), float(loss["lo"]), float(loss["hi"])
