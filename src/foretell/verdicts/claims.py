"""What a verdict claims, and what it does not: the one place where sentences about a forecast are made of its score.

Every sentence is made of numbers of score.json, rounded so that no bound says more than was computed. What is not known
is said to be unknown. `claims_withheld.py` has the sentences about what is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from foretell.scoring.losses import LossMetric, loss_metric
from foretell.verdicts.claim import Claim, Claims, count, estimate, percent, percent_up, span, up
from foretell.verdicts.claims_context import Context
from foretell.verdicts.claims_withheld import best_reference, told_skill, unsandboxed, withheld
from foretell.verdicts.named_models import named_models

Record = Mapping[str, Any]
_DECISIONS = {
    "pass": "The tolerance of {limit} is met: {reasons}.",
    "fail": "The tolerance of {limit} is not met: {reasons}.",
    "inconclusive": "Whether the tolerance of {limit} is met is open: {reasons}.",
}


def claims(score: Record, forecast: Record, context: Context | None = None) -> Claims:
    """What one forecast's verdict claims and what it does not.

    Args:
        score: content of score.json; truth, settings, forecasts and differences are read.
        forecast: one of its forecasts.
        context: what is known besides; nothing where None.

    >>> bounds = {"mean": 0.4, "lo": 0.3, "hi": 0.50001, "level": 0.95, "method": "m"}
    >>> truth = {"name": "t", "prompts": 8, "documents": 8, "positions": 9, "slices": {"a": 8}, "kind": "dense",
    ...          "suite": {"name": "s", "digest": "d"}, "weights": "w"}
    >>> settings = {"metric": "kl_nats", "tolerance": None, "cap": 7.0, "level": 0.95}
    >>> record = {"name": "f", "reference": False, "source": {}, "loss": bounds, "slices": [], "capped_prompts": 0,
    ...           "within_tolerance": None, "verdict": {"decision": "unjudged", "reasons": []}}
    >>> found = claims({"truth": truth, "settings": settings, "forecasts": [record], "differences": []}, record)
    >>> found["mean"].sentence
    'The mean KL divergence over that population is 0.3 to 0.501 nats, with 95% confidence.'
    >>> "rare" in [claim.id for claim in found.not_claimed]
    True
    """
    context = context or Context()
    if context.inadmissible:
        claimed = [_sampled(score, context), _inadmissible(context)]
    else:
        claimed = list(_claimed(score, forecast, context))
    return Claims(tuple(claimed), tuple(withheld(score, forecast, context)))


def with_claims(score: dict[str, Any], context: Context | None = None) -> dict[str, Any]:
    """The score with a `claims` key in every forecast: {context, claimed, not_claimed}."""
    context = context or Context()
    entries = [
        one | {"claims": {"context": context.record()} | claims(score, one, context).record()}
        for one in score["forecasts"]
    ]
    return score | {"forecasts": entries}


def one_line(found: Claims) -> str:
    """The claims as one line for a terminal.

    >>> one_line(Claims((Claim("mean", "The mean is 1 to 2."),), (Claim("rare", "That …"),)))
    'Claimed of what the prompts are drawn from: The mean is 1 to 2. Not claimed: all else (1 limit, in the report).'
    """
    shown = [one.sentence for one in found.claimed if one.id in ("mean", "beyond", "inadmissible")]
    limits = f"Not claimed: all else ({count(len(found.not_claimed), 'limit')}, in the report)."
    return f"Claimed of what the prompts are drawn from: {' '.join(shown)} {limits}"


def _claimed(score: Record, forecast: Record, context: Context) -> Iterator[Claim]:
    yield _sampled(score, context)
    yield _mean(score, forecast)
    if forecast["verdict"]["decision"] in _DECISIONS:
        yield _verdict(score, forecast)
    if forecast["within_tolerance"]:
        yield _beyond(score, forecast)
    if forecast["slices"]:
        yield _worst_slice(score, forecast)
    yield _capped(score, forecast)
    yield _helpers(forecast, context)
    reference = best_reference(score)
    if reference is not None:
        yield _text(score, forecast, reference)
    if told_skill(context) is not None:
        yield _skill(context)
    if context.track is not None:
        yield _order(forecast, context)


def _metric(score: Record) -> LossMetric:
    return loss_metric(score["settings"]["metric"], "score.json")


def _sampled(score: Record, context: Context) -> Claim:
    truth = score["truth"]
    numbers = {name: truth[name] for name in ("prompts", "documents", "positions")} | {"slices": len(truth["slices"])}
    asked = (
        f"{truth['name']} was asked at {count(truth['positions'], 'position')} of {count(truth['prompts'], 'prompt')} "
        f"from {count(truth['documents'], 'document')}, in {count(len(truth['slices']), 'slice')} of the suite "
        f"{truth['suite']['name']}."
    )
    if context.pool is None:
        meant = "The population meant below is whatever these documents are independent draws from."
        return Claim("sampled", f"{asked} {meant}", numbers)
    held = count(context.pool_prompts or 0, "prompt")
    drawn = f"They were drawn by rule, each slice in proportion, from the pool {context.pool} of {held}"
    sentence = f"{asked} {drawn}; that pool is the population meant below."
    return Claim("sampled", sentence, numbers | {"pool_prompts": context.pool_prompts})


def _inadmissible(context: Context) -> Claim:
    reasons = "; ".join(context.inadmissible)
    return Claim("inadmissible", f"The attempt is inadmissible, and nothing is claimed from its score: {reasons}.")


def _bounds(record: Record) -> dict[str, Any]:
    return {name: record[name] for name in ("mean", "lo", "hi", "level")}


def _mean(score: Record, forecast: Record) -> Claim:
    loss, metric = forecast["loss"], _metric(score)
    amount, level = metric.amount(span(loss)), percent(loss["level"])
    sentence = f"The mean {metric.title} over that population is {amount}, with {level} confidence."
    return Claim("mean", sentence, _bounds(loss))


def _verdict(score: Record, forecast: Record) -> Claim:
    tolerance, verdict = score["settings"]["tolerance"], forecast["verdict"]
    limit = _metric(score).amount(f"{tolerance:g}")
    sentence = _DECISIONS[verdict["decision"]].format(limit=limit, reasons="; ".join(verdict["reasons"]))
    return Claim("verdict", sentence, {"tolerance": tolerance})


def _beyond(score: Record, forecast: Record) -> Claim:
    within, tolerance = forecast["within_tolerance"], score["settings"]["tolerance"]
    share, missed = 1 - within["lo"], within["of"] - within["count"]
    sample = f"{missed:,} of {within['of']:,} in the sample"
    if isinstance(within["fraction"], Mapping):
        sample = f"at most {sample}"
    sentence = (
        f"At most {percent_up(share)} of that population's {within['unit']} are mispredicted beyond "
        f"{_metric(score).amount(f'{tolerance:g}')} on their own mean ({sample}; {percent(within['level'])}, exact "
        "binomial)."
    )
    return Claim("beyond", sentence, {"share": share, "missed": missed, "of": within["of"], "level": within["level"]})


def _worst_slice(score: Record, forecast: Record) -> Claim:
    slices, metric = forecast["slices"], _metric(score)
    worst = next(one for one in slices if one["slice"] == forecast["worst_slice"]["slice"])
    loss, number = worst["loss"], len(slices)
    sentence = (
        f"The worst slice is {worst['slice']}: mean {metric.amount(estimate(loss['mean']))} over "
        f"{count(worst['prompts'], 'prompt')}, bounds {span(loss)} at {percent(loss['level'])}"
    )
    # By the union bound: it was chosen because its mean was the largest.
    together = max(0.0, round(1 - number * (1 - loss["level"]), 12))
    if number > 1:
        left = f"at least {percent(together)} confidence" if together > 0 else "no stated confidence"
        sentence += f" for a slice named beforehand; it was picked as the worst of {number}, whose bounds hold all at "
        sentence += f"once with {left}"
    numbers = _bounds(loss) | {"prompts": worst["prompts"], "slices": number, "level_together": together}
    return Claim("worst-slice", f"{sentence}.", numbers)


def _capped(score: Record, forecast: Record) -> Claim:
    capped, cap = forecast["capped_prompts"], score["settings"]["cap"]
    limit = _metric(score).amount(up(cap))
    sentence = f"In every mean prompts count by their weights, and a prompt's loss as {limit} at most; "
    sentence += "none was above." if capped == 0 else f"{count(capped, 'prompt')} lost more, and how much is not in it."
    return Claim("capped", sentence, {"capped": capped, "cap": cap})


def _helpers(forecast: Record, context: Context) -> Claim:
    found = sorted({*named_models(forecast["source"]), *context.helpers})
    if not found:
        sentence = "The record of the forecast names no AI system that helped to make it."
    else:
        sentence = f"AI systems that helped, as the record names them: {'; '.join(found)}."
    return Claim("helpers", sentence, {"helpers": found})


def _text(score: Record, forecast: Record, reference: Record) -> Claim:
    metric = _metric(score)
    own, other = (metric.amount(estimate(one["loss"]["mean"])) for one in (forecast, reference))
    numbers = {"reference": reference["name"], "reference_mean": reference["loss"]["mean"]}
    if forecast["reference"]:
        sentence = (
            f"{forecast['name']} is itself a text-only reference: it knows text, not the model. It is off by {own}"
        )
        if forecast["name"] != reference["name"]:
            sentence += f", and the best such reference here, {reference['name']}, by {other}"
        return Claim("text", f"{sentence}.", numbers)
    sentence = (
        f"A reader of text who does not know the model was off by {other} ({reference['name']}, the best text-only "
        f"reference here), this forecast by {own}"
    )
    names = {forecast["name"], reference["name"]}
    pair = next((one for one in score["differences"] if {one["a"], one["b"]} == names), None)
    if pair is not None:
        turned = pair if pair["a"] == forecast["name"] else {"lo": -pair["hi"], "hi": -pair["lo"]}
        numbers |= {"difference_lo": turned["lo"], "difference_hi": turned["hi"], "level": pair["level"]}
        sentence += f"; the difference on the same prompts is {span(turned)} ({percent(pair['level'])})"
    return Claim("text", f"{sentence}.", numbers)


def _skill(context: Context) -> Claim:
    skill = told_skill(context)
    assert skill is not None
    sentence = (
        f"Of the loss of the best pool of text-only references, fitted on other prompts, the forecast avoids a share "
        f"of {estimate(skill['mean'])} (skill; {span(skill)}, {percent(skill['level'])}); 0 is what any reader of "
        "ordinary text has."
    )
    return Claim("skill", sentence, _bounds(skill))


def _order(forecast: Record, context: Context) -> Claim:
    numbers: dict[str, Any] = {"track": context.track}
    if context.track == "blind":
        how = "without a sandbox" if unsandboxed(forecast, context) else "in a sandbox without network"
        bits = "" if context.program_bits is None else f" of {context.program_bits:,} bits"
        sentence = (
            f"The forecast was made by a program{bits}, committed before its prompts were opened, and run by the "
            f"evaluator {how}."
        )
        return Claim("order", sentence, numbers | {"program_bits": context.program_bits})
    sentence = "By the ledger, the forecast was committed before the answer was revealed"
    if context.track == "prospective":
        sentence += ", and before the model's digest was in the ledger"
    return Claim("order", f"{sentence}.", numbers)
