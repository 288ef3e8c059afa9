"""After the answer: the truth is revealed with the prompts, and the verdict follows from what is signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.attempts.asking import read_sealed
from foretell.attempts.step import Step, copy_folder, taking
from foretell.base.canonical import digest_bytes, digest_file
from foretell.base.errors import InputError
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions
from foretell.evaluation import collect
from foretell.ledger import SecretKey
from foretell.suites import Suite
from foretell.targets.target import Target
from foretell.verdicts.run_folder import write_json
from foretell.verifier.evidence import Evidence
from foretell.verifier.folders import check_folder
from foretell.verifier.layout import FORECAST, OPENINGS, PROGRAM, SCORE, TRUTH
from foretell.verifier.prompts import opened_suite, read_openings
from foretell.verifier.record import Attempt
from foretell.verifier.rescore import score_attempt
from foretell.verifier.verdict import Outcome, beside


def reveal(
    root: Path, target: Target | Path, secret: SecretKey, *, number: int | None = None, progress: Progress = quiet
) -> Attempt:
    """Ask the target the sealed prompts, and open prompts and truth to everybody.

    Args:
        target: the model, or a truth of it that was collected on these prompts elsewhere.

    Raises:
        OrderError: the forecast is not committed yet.
        InputError: another target than the charter's.
    """
    with taking(root, "reveal", secret, number) as step:
        data = read_sealed(step.folder, secret)
        openings = read_openings(data, str(step.folder))
        suite = opened_suite(openings, step.charter, step.attempt.number)
        truth = _truth(step, target, suite, progress)
        step.write(OPENINGS, data)
        subjects = {OPENINGS: digest_bytes(data), TRUTH: digest_file(truth.folder / MANIFEST)}
        texts = [opening.text_digest for opening in openings]
        step.sign(subjects, {"target": truth.manifest["source"], "texts": texts})
        return step.attempt


def _truth(step: Step, target: Target | Path, suite: Suite, progress: Progress) -> Distributions:
    if isinstance(target, Path):
        check_folder(target)
        source = Distributions(target).manifest["source"]
        _require_target(step, source)
        copy_folder(target, step.folder / TRUTH)
        return Distributions(step.folder / TRUTH)
    _require_target(step, target.identity.record())
    return collect(target, suite, step.folder / TRUTH, progress=progress)


def _require_target(step: Step, source: dict[str, Any]) -> None:
    if differences := step.charter.target.differences(source):
        raise InputError(
            "another target than the charter's",
            where="--target",
            got="; ".join(differences),
            expected="the target that the charter declares",
            fix="Give that target, or write a charter for this one.",
        )


@dataclass(frozen=True)
class Judged:
    """What an attempt came to.

    Attributes:
        score: content of score.json; None where a program gave no forecast.
        beside: what has to be read beside the decision, in words.
    """

    attempt: Attempt
    outcome: Outcome
    score: dict[str, Any] | None
    beside: tuple[str, ...]


def judge(root: Path, secret: SecretKey, *, number: int | None = None) -> Judged:
    """Score the committed forecast against the truth, and sign the verdict that follows.

    Everything that was signed before is checked again first.

    Raises:
        OrderError: nothing is revealed yet.
        ForgeryError: files are not what was signed.
    """
    with taking(root, "judge", secret, number) as step:
        evidence = Evidence(root, step.record, step.attempt)
        for done in step.attempt.steps:
            getattr(evidence, done)()
        score = None
        if step.attempt.failed:
            subjects = {PROGRAM: step.attempt.steps["commit"].digest(PROGRAM)}
        else:
            truth, forecast = Distributions(step.folder / TRUTH), Distributions(step.folder / FORECAST)
            score = score_attempt(step.attempt, truth, forecast, evidence.context())
            write_json(step.folder / SCORE, score)
            subjects = {SCORE: digest_file(step.folder / SCORE)}
        outcome = evidence.outcome(score)
        step.sign(subjects, {"decision": outcome.decision, "reasons": list(outcome.reasons)})
        return Judged(step.attempt, outcome, score, beside(step.attempt, score))
