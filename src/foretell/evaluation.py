"""READ FIRST: the whole flow, top to bottom: suite → truth → forecast → score → verdict → report.

truth    = collect(open_target("tiny"), load_suite("foretell-300"), Path("truth"))
forecast = make_forecast(forecaster, truth.prompts, truth.vocabulary, Path("forecast"), suite=truth.manifest["suite"])
result   = score(truth, [forecast], Path("run"), judging=JudgeSettings(tolerance=0.5))
write_report(Path("run"), Path("report.html"))
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foretell.base.errors import InputError
from foretell.base.progress import Progress, quiet
from foretell.distributions import (
    Distributions,
    DistributionWriter,
    FactoredBlock,
    TokenizedPrompt,
    Vocabulary,
    check_block,
    concatenate,
)
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import is_reference
from foretell.scoring import ScoreSettings
from foretell.suites import Suite
from foretell.targets import collection
from foretell.targets.target import Target
from foretell.verdicts.claims import with_claims
from foretell.verdicts.claims_context import Context
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.measure import measure, tail_name, truth_record, unique_names, worst_first
from foretell.verdicts.noise import require_resolvable
from foretell.verdicts.run_folder import RunWriter
from foretell.verdicts.scorecard import scorecard

#: Positions of a forecast that go into one shard.
_FORECAST_SHARD_ROWS = 512
MeasuredBy = Callable[[Sequence[TokenizedPrompt]], dict[str, Any]]


def collect(
    target: Target,
    suite: Suite,
    out: Path,
    *,
    kind: str = "auto",
    dtype: str = "float32",
    measured_by: MeasuredBy | None = None,
    progress: Progress = quiet,
) -> Distributions:
    """What is true: the target's next-token distributions on a suite, bound to its identity and its noise.

    Stopped at any moment, the same call goes on, and the result is the same to the byte.

    Args:
        kind: 'dense', 'factored', 'topk', or 'auto': the most exact that is small.
        dtype: of dense log-probabilities, 'float32' or 'float16'.
        measured_by: what the target itself knows about its answers on the sampled prompts, for the manifest.

    Raises:
        ForetellError: of the family that fits; a folder that this call began is removed when the input was wrong.
    """
    collection.check_dtype(dtype)
    prompts = collection.tokenize(suite, target.encode, target.context)
    sample = collection.sample_of(prompts)
    chosen, measured = collection.choose_kind(target, sample, kind)
    plan = collection.batches_by_length(prompts, target.batch_tokens, collection.row_bytes(target, chosen, dtype))
    facts = {
        "role": "truth",
        "source": target.identity.record(),
        "suite": {"name": suite.name, "digest": suite.digest},
        "dtype": dtype if chosen == "dense" else "float32",
    }
    writer = DistributionWriter(out, prompts, plan, target.vocabulary, facts)
    if writer.finished:
        return Distributions(out)
    if chosen == "dense" and dtype != "float32":
        measured["rounding_kl_nats"] = collection.rounding_nats(target, sample, dtype)
    if chosen == "factored" and target.head is not None:
        writer.write_head(target.head)
    for shard, batch in enumerate(plan):
        if not writer.has(shard):
            asked = [prompts[index] for index in batch]
            with discarding(writer):
                block = concatenate(collection.ask(target, asked, chosen))
                check_block(block, target.vocabulary.size, f"target {target.identity.name}, shard {shard}")
            writer.write(shard, collection.round_block(block, dtype))
        progress("collecting truth", shard + 1, len(plan))
    with discarding(writer):
        stored = [writer.stored(prompt, target.head) for prompt in sample]
        noise = collection.noise_floor(target, sample, stored)
    if measured_by is not None:
        measured |= measured_by(sample)
    writer.finish(noise_floor=noise, measured=measured)
    return Distributions(out)


def make_forecast(
    forecaster: Forecaster,
    prompts: Sequence[TokenizedPrompt],
    vocabulary: Vocabulary,
    out: Path,
    *,
    suite: dict[str, str],
    dtype: str = "float32",
    progress: Progress = quiet,
) -> Distributions:
    """What is predicted: a forecaster's distributions on tokenized prompts. It sees the prompts, never a truth."""
    collection.check_dtype(dtype)
    forecaster.prepare(prompts)
    plan = collection.batches_by_length(prompts, sys.maxsize, collection.SHARD_BYTES // _FORECAST_SHARD_ROWS)
    source = {"name": forecaster.name, "reference": is_reference(forecaster.name)} | forecaster.describe()
    facts = {"role": "forecast", "source": source, "suite": suite, "dtype": dtype}
    writer = DistributionWriter(out, prompts, plan, vocabulary, facts)
    if writer.finished:
        return Distributions(out)
    for shard, batch in enumerate(plan):
        if not writer.has(shard):
            with discarding(writer):
                block = concatenate([forecaster.forecast(prompts[index]) for index in batch])
                check_block(block, vocabulary.size, f"forecaster {forecaster.name}, shard {shard}")
            if isinstance(block, FactoredBlock) and shard == 0:
                writer.write_head(block.head)
            writer.write(shard, collection.round_block(block, dtype))
        progress(f"forecasting with {forecaster.name}", shard + 1, len(plan))
    with discarding(writer):
        writer.finish()
    return Distributions(out)


def score(
    truth: Distributions,
    forecasts: Sequence[Distributions],
    out: Path | None = None,
    *,
    settings: ScoreSettings | None = None,
    judging: JudgeSettings | None = None,
    tail: Distributions | None = None,
    context: Context | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """How far off, and what that decides: the content of score.json; with `out`, the run folder for a report.

    Streams both sides: memory does not grow with the number of positions.

    Args:
        tail: spread the rest of top-k forecasts along these distributions; uniformly where None.
        context: what is known besides the numbers (an attempt's charter, say), for what the verdict claims.

    Raises:
        ToleranceError: a tolerance under the truth's noise floor.
        VocabularyError, DistributionError: truth and forecast are not about the same positions.
    """
    settings, judging = settings or ScoreSettings(), judging or JudgeSettings()
    require_resolvable(
        judging.tolerance,
        truth.manifest["noise_floor"],
        str(truth.folder),
        metric=judging.metric,
        slices=judging.slices.values(),
    )
    named = unique_names(forecasts)
    run = RunWriter(out) if out is not None else None
    try:
        measured = [
            measure(truth, f, name, settings, tail=tail, run=run, progress=progress) for name, f in named.items()
        ]
        facts = truth_record(truth, measured[0], settings)
        result = with_claims(scorecard(facts, measured, settings, judging, tail_name(tail)), context)
        if run is not None:
            run.finish(
                result,
                truth,
                {scores.name: (named[scores.name], worst_first(scores, judging.metric)) for scores in measured},
            )
    except BaseException:
        if run is not None:
            run.abandon()
        raise
    return result


@contextmanager
def discarding(writer: DistributionWriter) -> Iterator[None]:
    """Leave nothing of a folder that was begun on what turns out to be no distribution."""
    try:
        yield
    except InputError:
        writer.discard()
        raise
