"""The answer: the team commits a forecast or a program; on the blind track the evaluator runs the program."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foretell.attempts.asking import read_sealed
from foretell.attempts.step import Step, copy_folder, taking
from foretell.base.canonical import digest_file
from foretell.base.errors import ForgeryError, InputError, OrderError, ProgramError
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions, Vocabulary
from foretell.evaluation import make_forecast
from foretell.forecasters.program import Limits, Program, ProgramForecaster, load_program
from foretell.ledger import SecretKey
from foretell.suites import Suite
from foretell.targets.collection import tokenize
from foretell.verdicts.named_models import named_models
from foretell.verifier.folders import check_folder
from foretell.verifier.layout import FORECAST, OPENED, PROGRAM
from foretell.verifier.prompts import opened_suite, read_openings
from foretell.verifier.questions import check_questions
from foretell.verifier.record import Attempt


def commit_forecast(
    root: Path,
    forecast: Path,
    secret: SecretKey,
    *,
    helpers: Sequence[str] = (),
    uses: Mapping[str, Sequence[str]] | None = None,
    number: int | None = None,
) -> Attempt:
    """Bind the team to a forecast: the folder is copied and its digest signed, before anything is revealed.

    Args:
        helpers: systems that helped, besides the models that the forecast's own record names (they are declared
            anyway).
        uses: slices that a helper was used for, where not for all; of helpers that the record does not name.

    Raises:
        OrderError: after the deadline, on the blind track, or out of order.
        InputError: the forecast is not about the opened prompts.
    """
    with taking(root, "commit", secret, number) as step:
        _require_track(step, blind=False)
        check_folder(forecast)
        told = Distributions(forecast)
        data = secret.decrypt((step.folder / OPENED).read_bytes())
        suite = opened_suite(read_openings(data, OPENED), step.charter, step.attempt.number)
        _require_questions(told, suite, step.charter.target.tokenizer)
        copy_folder(forecast, step.folder / FORECAST)
        declared = sorted({*helpers, *named_models(told.manifest["source"])})
        digest = digest_file(step.folder / FORECAST / MANIFEST)
        step.sign({FORECAST: digest}, {"name": told.name, "helpers": declared, **_uses(uses)})
        return step.attempt


def commit_program(
    root: Path,
    folder: Path,
    secret: SecretKey,
    *,
    helpers: Sequence[str] = (),
    uses: Mapping[str, Sequence[str]] | None = None,
    number: int | None = None,
) -> Attempt:
    """Bind the team to a program, before its prompts are opened to anybody.

    Raises:
        OrderError: after the deadline, on another track, or out of order.
        InputError: no program, larger than the charter's budget, or with hidden files.
    """
    with taking(root, "commit", secret, number) as step:
        _require_track(step, blind=True)
        program = load_program(folder)
        assert step.charter.blind is not None
        _require_publishable(program, step.charter.blind.size_budget_bytes)
        copy_folder(folder, step.folder / PROGRAM)
        declared = sorted({*helpers, *program.helpers})
        facts = {"name": program.name, "helpers": declared, "size_bytes": program.size_bytes}
        step.sign({PROGRAM: program.digest}, facts | _uses(uses))
        return step.attempt


def _uses(uses: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    return {"uses": {helper: sorted(slices) for helper, slices in uses.items()}} if uses else {}


def run_program(
    root: Path,
    vocabulary: Vocabulary,
    secret: SecretKey,
    *,
    number: int | None = None,
    unsafe_unsandboxed: bool = False,
    progress: Progress = quiet,
) -> Attempt:
    """Run the committed program on the sealed prompts, in the sandbox, and sign what it said.

    A program that breaks a limit, crashes or answers with rubbish ends the attempt: it is judged inadmissible.

    Raises:
        OrderError: out of order.
        InputError: the vocabulary is not the charter's.
        ResourceError: there is no sandbox here.
    """
    with taking(root, "run", secret, number) as step:
        if vocabulary.digest != step.charter.target.tokenizer:
            raise InputError(
                "another tokenizer than the charter's",
                where=str(vocabulary.path),
                got=vocabulary.digest,
                expected=step.charter.target.tokenizer,
                fix="Give the target itself, or its tokenizer.json.",
            )
        program = load_program(step.folder / PROGRAM)
        forecaster = _forecaster(step, program, vocabulary, unsafe_unsandboxed)
        data = read_sealed(step.folder, secret)
        suite = opened_suite(read_openings(data, str(step.folder)), step.charter, step.attempt.number)
        out = step.folder / FORECAST
        try:
            prompts = tokenize(suite, vocabulary.encode, None)
            named = {"name": suite.name, "digest": suite.digest}
            make_forecast(forecaster, prompts, vocabulary, out, suite=named, progress=progress)
        except ProgramError as error:
            shutil.rmtree(out, ignore_errors=True)
            facts = {"outcome": f"{error.what}: {error.got}", "program": forecaster.describe()}
            step.sign({PROGRAM: program.digest}, facts)
        else:
            facts = {"outcome": "forecast", "program": forecaster.describe()}
            step.sign({FORECAST: digest_file(out / MANIFEST)}, facts)
        return step.attempt


def _forecaster(step: Step, program: Program, vocabulary: Vocabulary, unsafe: bool) -> ProgramForecaster:
    blind = step.charter.blind
    assert blind is not None
    limits = Limits(
        seconds=blind.seconds,
        memory_bytes=blind.memory_bytes,
        processes=blind.processes,
        output_bytes=blind.output_bytes,
    )
    return ProgramForecaster(program, vocabulary.size, limits, seed=step.attempt.seed, unsafe_unsandboxed=unsafe)


def _require_track(step: Step, *, blind: bool) -> None:
    kind = step.charter.track.kind
    if (kind == "blind") != blind:
        raise OrderError(
            f"the {kind} track takes no {'program' if blind else 'forecast'}",
            where=f"attempt {step.attempt.number}",
            got="a program" if blind else "a forecast",
            expected="a forecast" if blind else "a program",
            fix="Commit with --forecast." if blind else "Commit with --program.",
        )
    if datetime.now(UTC) > step.charter.track.deadline:
        raise OrderError(
            "after the deadline",
            where=f"attempt {step.attempt.number}",
            got=datetime.now(UTC).isoformat(),
            expected=f"by {step.charter.track.deadline.isoformat()}",
            fix="This attempt cannot be answered any more; the evaluator may seal a new one.",
        )


def _require_publishable(program: Program, budget: int) -> None:
    if program.size_bytes > budget:
        raise InputError(
            "a program over its size budget",
            where=str(program.folder),
            got=f"{program.size_bytes} bytes",
            expected=f"at most {budget}, files and their names",
            fix="Make its tables smaller; what a program carries counts.",
        )
    if hidden := [name for name in program.files if any(part.startswith(".") for part in name.split("/"))]:
        raise InputError(
            "a hidden file in a program",
            where=str(program.folder),
            got=hidden[0],
            expected="no name that begins with a dot: a published folder has none",
            fix="Delete it, or rename it.",
        )


def _require_questions(forecast: Distributions, suite: Suite, tokenizer: str) -> None:
    """Refuse now what would not verify once the prompts are revealed, and could not be mended then."""
    expected = {prompt.id: prompt.text for prompt in suite}
    got = {prompt.id: prompt.text for prompt in forecast.prompts}
    if got != expected:
        raise InputError(
            "a forecast of other prompts",
            where=str(forecast.folder),
            got=f"{len(got)} prompts, {len(expected.items() - got.items())} of the opened ones missing or different",
            expected=f"the {len(expected)} opened prompts",
            fix="Forecast the suite that `foretell open` wrote: foretell forecast --suite FILE …",
        )
    try:
        check_questions(forecast, suite, tokenizer)
    except ForgeryError as error:
        raise InputError(
            error.what,
            where=str(forecast.folder),
            got=error.got,
            expected=error.expected,
            fix="Forecast the suite that `foretell open` wrote, unchanged.",
        ) from error
