"""The score computed again, and compared with what was told: equal but for rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from foretell.base.canonical import read_json
from foretell.base.errors import ForgeryError
from foretell.distributions import Distributions
from foretell.evaluation import score
from foretell.verdicts.claims import with_claims
from foretell.verdicts.claims_context import Context
from foretell.verifier.record import Attempt

#: Numbers computed again may differ by rounding: another processor adds in another order.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8
#: What a later version may put otherwise: who computed it, and advice. Claims have a comparison of their own.
_NOT_COMPARED = ("made_by", "claims", "prompts_needed")
_VERDICT, _LOSS = {"decision", "reasons"}, {"metric", "mean", "lo", "hi"}


def score_attempt(attempt: Attempt, truth: Distributions, forecast: Distributions, context: Context) -> dict[str, Any]:
    """The content of score.json as the charter's rules make it, with what may be claimed of it."""
    charter = attempt.charter
    return score(
        truth, [forecast], settings=charter.score_settings(), judging=charter.judge_settings(), context=context
    )


def read_score(data: bytes, where: str) -> dict[str, Any]:
    """The content of a score.json, with what is read of it: one forecast, its loss and its verdict.

    Raises:
        ForgeryError: something of it is missing, or it can be read in two ways.
    """
    try:
        told: dict[str, Any] = read_json(data)
        (only,) = told["forecasts"]
        missing = sorted(_VERDICT - only["verdict"].keys() | _LOSS - only["loss"].keys())
        got = f"no {missing[0]!r}" if missing else ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = repr(error)
    if got:
        fix = "Ask for the score that was signed."
        raise ForgeryError("no score", where=where, got=got, expected="a forecast's loss and verdict", fix=fix)
    return told


def differences(told: Any, again: Any, path: str = "score") -> Iterator[tuple[str, str]]:
    """Where two values differ by more than rounding: (found, expected) in words.

    What a later version says besides is left alone, and so is the maker: only what was told must hold.

    >>> list(differences({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}))
    [('score.a[1] = 2.0', '2.1')]
    """
    if isinstance(told, dict) and isinstance(again, dict) and told.keys() <= again.keys():
        for key in told:
            if key not in _NOT_COMPARED:
                yield from differences(told[key], again[key], f"{path}.{key}")
    elif isinstance(told, list) and isinstance(again, list) and len(told) == len(again):
        for index, (a, b) in enumerate(zip(told, again, strict=True)):
            yield from differences(a, b, f"{path}[{index}]")
    elif _is_number(told) and _is_number(again):
        if not math.isclose(told, again, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
            yield f"{path} = {told}", str(again)
    elif told != again or isinstance(told, bool) is not isinstance(again, bool):
        yield f"{path} = {told}", str(again)


def claim_differences(told: dict[str, Any], again: dict[str, Any], context: Context) -> Iterator[tuple[str, str]]:
    """Where the claims of a score are not those that follow from it: (found, expected) in words.

    Where this version made the score, every sentence must come out again from the numbers that were told. Where
    another did, its claims are matched by id and their numbers must be those computed again; the words are its own.

    Args:
        told, again: scores that do not differ (`differences`); a score without claims claims nothing.
    """
    (claimed,), (computed,) = told["forecasts"], again["forecasts"]
    if "claims" not in claimed:
        return
    if told.get("made_by") == again["made_by"]:
        try:
            expected = with_claims(told, context)["forecasts"][0]["claims"]
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            yield "a score that claims cannot be made of again", repr(error)
            return
        if claimed["claims"] != expected:
            yield next(differences(claimed["claims"], expected, "claims"), ("claims", "what follows from the score"))
        return
    yield from differences(_by_id(claimed["claims"]), _by_id(computed["claims"]), "claims")


def _by_id(claims: Any) -> Any:
    """Claims without their words, by id; what is no record of claims stays what it is, and then differs."""
    try:
        return {"context": claims["context"]} | {
            side: {one["id"]: one["numbers"] for one in claims[side]} for side in ("claimed", "not_claimed")
        }
    except (KeyError, TypeError):
        return claims


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
