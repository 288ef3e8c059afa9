"""A charter in plain words, for people who have to agree to it."""

from __future__ import annotations

from collections.abc import Iterator

from foretell.scoring.losses import NATS, loss_metric
from foretell.verdicts.charter import Charter

_PERCENT = 100
_TRACKS = {
    "open": "open: the team sees the prompts and sends forecasts",
    "blind": "blind: the team sends a program, and the evaluator runs it without showing it anything else",
    "prospective": "prospective: forecasts are sealed before the target is revealed",
}
_HELPERS = {
    "none": "no other model may help to forecast",
    "declared": "other models may help to forecast, if the team names each",
    "approved": "other systems may help to forecast, if each is registered, and each AI among them has passed under a "
    "charter at least as strict",
}


def summary(charter: Charter) -> list[tuple[str, str]]:
    """What is promised, as (name, words) in the order of reading."""
    rows = [
        ("title", charter.title),
        ("digest", charter.digest),
        ("target", _target(charter)),
        ("prompts", _prompts(charter)),
        ("passes when", "; and ".join(_conditions(charter))),
        ("fails when", "a lower bound is above its tolerance; else the outcome is inconclusive"),
        ("losses", _losses(charter)),
        ("track", f"{_TRACKS[charter.track.kind]}, until {charter.track.deadline:%Y-%m-%d %H:%M:%S} UTC"),
        ("helpers", _HELPERS[charter.helpers.rule]),
    ]
    if charter.approval is not None:
        rows.append(("approval", f"a pass lets the target help elsewhere for {charter.approval.valid_days:,} days"))
    if charter.blind is not None:
        rows.append(("program", _limits(charter)))
    return [*rows, ("evaluator", charter.evaluator.public().id), ("team", charter.team.public().id)]


def _target(charter: Charter) -> str:
    target = charter.target
    if target.future is not None:
        return f"not there yet: {target.future}; tokenizer {target.tokenizer}"
    return (
        f"{target.name}, weights {target.weights}, tokenizer {target.tokenizer}, "
        f"computed by {target.engine} in {target.dtype}"
    )


def _prompts(charter: Charter) -> str:
    pool = charter.pool
    slices = ", ".join(f"{name} {count}" for name, count in pool.slices.items())
    words = f"{charter.draw.prompts} drawn from the {pool.prompts} of {pool.name} ({slices}), each slice in proportion"
    if charter.weights:
        words += "; a prompt counts " + ", ".join(f"{own:g} in {name}" for name, own in charter.weights.items())
    return f"{words}; commitment {pool.commitment}"


def _conditions(charter: Charter) -> Iterator[str]:
    score = charter.score
    metric = loss_metric(score.metric)
    unit = " nats" if metric.unit == NATS else ""
    yield (
        f"the {_PERCENT * score.level:g}% bounds of the mean {metric.title} over all prompts end at "
        f"{score.tolerance:g}{unit} or below"
    )
    for name, own in score.slice_tolerances.items():
        yield f"those over the prompts of {name} at {own:g}{unit} or below"


def _losses(charter: Charter) -> str:
    score = charter.score
    words = f"a prompt counts {loss_metric(score.metric).amount(f'{score.cap:.4g}')} at most"
    words += f"; {score.floor:g} of every forecast is replaced by the uniform one"
    if score.metric == "topk_logprob_rmse":
        words += f"; over the {score.top_k} likeliest tokens"
    return words


def _limits(charter: Charter) -> str:
    blind = charter.blind
    assert blind is not None
    return (
        f"at most {blind.size_budget_bytes:,} bytes; {blind.seconds:,} s, {blind.memory_bytes:,} bytes of memory, "
        f"{blind.processes:,} processes, {blind.output_bytes:,} bytes of output"
    )
