"""What an attempt's evidence decides: the score's own verdict, unless the attempt is not admissible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretell.forecasters.sandbox import UNSAFE
from foretell.verdicts.charter import Charter
from foretell.verifier.record import Attempt

__all__ = ["UNSAFE", "Outcome", "beside", "derive", "objections"]

_BITS = 8


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to.

    Attributes:
        decision: pass, fail, inconclusive or inadmissible.
    """

    decision: str
    reasons: tuple[str, ...]


def objections(
    charter: Charter,
    *,
    declared: list[str],
    found: set[str],
    target: Mapping[str, Any] | None,
    program: Mapping[str, Any] | None,
    failure: str | None,
    unapproved: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Why an attempt is not admissible; empty where it is.

    Args:
        declared: helpers that the commitment names; found: those that the forecast or the program itself names.
        target: identity of the target, once revealed.
        program: size and sandbox of a blind program.
        failure: why the program gave no forecast.
        unapproved: why declared help does not hold, under a charter that asks for approved helpers.
    """
    reasons = [f"undeclared helper: {name}" for name in sorted(found - set(declared))]
    if charter.helpers.rule == "none":
        reasons += [f"the charter allows no helper: {name}" for name in sorted(set(declared))]
    reasons += unapproved
    if target is not None:
        helped = sorted(found.union(declared))
        reasons += [f"the target helped to forecast itself: {name}" for name in helped if target["weights"] in name]
    if program is not None and charter.blind is not None and program["size_bytes"] > charter.blind.size_budget_bytes:
        reasons.append(f"the program has {program['size_bytes']} bytes, over {charter.blind.size_budget_bytes}")
    if failure is not None:
        reasons.append(f"the program gave no forecast: {failure}")
    return tuple(reasons)


def derive(objected: tuple[str, ...], score: Mapping[str, Any] | None) -> Outcome:
    """The outcome of an attempt: the score's own verdict, unless something is objected.

    Args:
        objected: see `objections`.
        score: content of score.json, where there is a forecast.

    >>> derive(("undeclared helper: m",), None).decision
    'inadmissible'
    """
    if objected or score is None:
        return Outcome("inadmissible", objected or ("there is no score",))
    verdict = score["forecasts"][0]["verdict"]
    return Outcome(verdict["decision"], tuple(verdict["reasons"]))


def beside(attempt: Attempt, told: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What has to be read beside a decision: the loss that was measured, and what a blind program carried.

    Args:
        told: content of score.json, where there is a forecast.
    """
    said = []
    if told is not None:
        loss = told["forecasts"][0]["loss"]
        said.append(f"{loss['metric']} {_words(loss['mean'])}, bounds {loss['lo']:.4g} to {loss['hi']:.4g}")
    if attempt.charter.track.kind == "blind":
        said.append(f"by a program of {_BITS * attempt.steps['commit']['size_bytes']:,} bits")
    if "run" in attempt.steps and attempt.steps["run"]["program"].get("sandbox") == UNSAFE:
        said.append("which ran WITHOUT A SANDBOX")
    if attempt.charter.track.kind == "open":
        said.append("that the team ran the model in secret is not excluded on this track")
    return tuple(said)


def _words(mean: Any) -> str:
    return f"{mean['lo']:.4g} to {mean['hi']:.4g}" if isinstance(mean, dict) else f"{mean:.4g}"
