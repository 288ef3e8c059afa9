"""Study 7, logs of other prompts (D19): how far recorded answers to unrelated prompts go, with and without probes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from foretell.distributions import Distributions
from foretell.forecasters.corpus import stdlib_documents
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.lowrank import LowRankForecaster
from foretell.forecasters.specs import TINY
from foretell.studies.drawing import Axis, Point, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import mean_of, side, told
from foretell.studies.workshop import Rung, Workshop
from foretell.suites import Prompt, Suite
from foretell.suites.passages import passages
from foretell.verdicts.scale_record import POOL

QUESTION = "How well do a model's answers to other prompts rebuild its answers to unseen ones?"
RUNS, PROBES = (10, 100, 1_000, 10_000), (0, 16, 64, 160)
#: Recorded positions at the end of each passage, characters of a passage, and passages of a document at most.
_SCORED, _LENGTH, _PER_DOCUMENT = 8, 300, 8
_SHORTEST = 120
_NOTHING = "uniform"


def run(workshop: Workshop) -> Findings:
    """Record answers to passages of the standard library, and rebuild those to foretell-300 from them."""
    runs, probes = workshop.pick(RUNS, RUNS[:2]), workshop.pick(PROBES, PROBES[:2])
    logs = workshop.truth(TINY, log_suite(max(runs)))
    suite = workshop.suite()
    rungs: list[Rung] = [
        (lowrank_name(count, asked), partial(_lowrank, workshop, logs.folder, count, asked))
        for asked in probes
        for count in runs
    ]
    scale = workshop.scale(TINY, suite, (TINY,), rungs)
    return findings(scale, runs, probes)


def lowrank_name(runs: int, probes: int) -> str:
    """What the page calls it: the spec, with the logs' folder left out.

    >>> lowrank_name(10, 0), lowrank_name(10, 16)
    ('lowrank:logs:runs=10', 'lowrank:logs:runs=10:probes=16')
    """
    return f"lowrank:logs:runs={runs}" + (f":probes={probes}" if probes else "")


def _lowrank(workshop: Workshop, logs: Path, runs: int, probes: int) -> Forecaster:
    recorded = Distributions(logs)
    name = lowrank_name(runs, probes)
    return LowRankForecaster(name, recorded, recorded.vocabulary, runs=runs, probes=probes, open_target=workshop.target)


def log_suite(runs: int) -> Suite:
    """Passages of the standard library, held-out files left out, with enough scored positions for so many runs.

    From every document the first passage, then from every document the second, and so on.
    """
    needed = -(-runs // _SCORED)
    rounds: list[list[Prompt]] = [[] for _ in range(_PER_DOCUMENT)]
    for prompt, place in _log_prompts():
        rounds[place].append(prompt)
    prompts = [prompt for one in rounds for prompt in one][:needed]
    return Suite(f"logs-of-{len(prompts)}-stdlib-passages", tuple(prompts))


def _log_prompts() -> Iterator[tuple[Prompt, int]]:
    for document in stdlib_documents():
        if document.held_out:
            continue
        found = [text for text in passages(document.text, _LENGTH, _PER_DOCUMENT) if len(text) >= _SHORTEST]
        for place, text in enumerate(found):
            scored = tuple(range(-_SCORED, 0))
            yield Prompt(f"{document.name}#{place}", text, "logs", document=document.name, scored=scored), place


def findings(scale: dict[str, Any], runs: tuple[int, ...], probes: tuple[int, ...]) -> Findings:
    """What the numbers say."""
    rungs = {rung["name"]: rung for rung in scale["rungs"]}
    pool = next(rung for rung in scale["rungs"] if rung["kind"] == POOL)
    grid = {(count, asked): rungs[lowrank_name(count, asked)] for asked in probes for count in runs}
    facts = {
        "target": scale["truth"]["name"],
        "pool_kl_nats": pool["kl_nats"],
        "no_logs_kl_nats": rungs[_NOTHING]["kl_nats"],
        "grid": [
            {"runs": count, "probes": asked, "kl_nats": rung["kl_nats"], "skill": rung["skill"]}
            for (count, asked), rung in grid.items()
        ],
    }
    return Findings(
        answer(grid, pool, rungs[_NOTHING]),
        (_table(grid, pool, rungs[_NOTHING]),),
        _figure(grid, pool, rungs[_NOTHING]),
        "Mean KL divergence from the target in nats, against the number of recorded answers (logarithmic from 10 on; "
        "without logs the forecast is uniform). A probe asks the target itself for the log-probability of one token "
        "at the position that is forecast. Points are means, bars 95% bounds.",
        facts,
        method=(
            f"Logs: the target's full next-token distributions at the last {_SCORED} positions of passages of the "
            f"standard library (at most {_LENGTH} characters, {_PER_DOCUMENT} of a file at most, held-out files left "
            "out): text that the target was trained on, none of it in foretell-300. A run is one recorded "
            "distribution; fewer runs are always a part of more, in an order that depends on names alone.",
            "Forecaster: `lowrank:DIR:runs=N:probes=M`; skill is over the best pool of text-only references, fitted on "
            "one half of foretell-300, and everything is judged on the other half.",
        ),
    )


def answer(
    grid: dict[tuple[int, int], dict[str, Any]], pool: dict[str, Any], nothing: dict[str, Any]
) -> tuple[str, ...]:
    """The sentences; the first one is about logs alone, without a probe."""
    most = max(count for count, _ in grid)
    fewest = min(count for count, _ in grid)
    alone = grid[most, 0]
    standing = {
        1: "closer than the best text-only pool",
        0: "not told apart from the best text-only pool",
        -1: "farther than the best text-only pool",
    }[side(alone["skill"])]
    found = [
        f"From {most:,} logged runs alone, unseen answers are rebuilt to {told(alone['kl_nats'], ' nats')}: {standing}"
        f", which is at {told(pool['kl_nats'], ' nats')}; skill {told(alone['skill'])}.",
        f"More logs: {told(nothing['kl_nats'], ' nats')} with none (uniform), "
        f"{told(grid[fewest, 0]['kl_nats'], ' nats')} with {fewest:,}, and {told(alone['kl_nats'], ' nats')} with "
        f"{most:,}.",
    ]
    for asked in sorted({asked for _, asked in grid if asked}):
        rung = grid[most, asked]
        found.append(
            f"With {asked} probes a position and {most:,} runs: {told(rung['kl_nats'], ' nats')}, skill "
            f"{told(rung['skill'])}."
        )
    beaten = sorted((asked, count) for (count, asked), rung in grid.items() if side(rung["skill"]) > 0)
    if beaten:
        asked, count = beaten[0]
        found.append(
            f"The fewest probes whose skill is above 0 with its bounds: {asked}, from {count:,} logged runs on. So who "
            "holds such logs and may ask so much is no reader of text, and knows the model's answers without its "
            "workings."
        )
    else:
        found.append("No number of runs and probes tried here has skill above 0 with its bounds.")
    return tuple(found)


def _table(grid: dict[tuple[int, int], dict[str, Any]], pool: dict[str, Any], nothing: dict[str, Any]) -> Table:
    rows = [("0 (uniform)", "0", told(nothing["kl_nats"]), "–")]
    rows += [
        (f"{count:,}", str(asked), told(rung["kl_nats"]), told(rung["skill"])) for (count, asked), rung in grid.items()
    ]
    rows.append(("best text-only pool", "0", told(pool["kl_nats"]), "0"))
    return Table("Logged runs and probes", ("logged runs", "probes", "KL, nats", "skill"), tuple(rows))


def _figure(grid: dict[tuple[int, int], dict[str, Any]], pool: dict[str, Any], nothing: dict[str, Any]) -> Any:
    points = []
    for (count, asked), rung in [((0, 0), nothing), *grid.items()]:
        series = f"{asked} probes a position" if asked else "logs alone"
        loss = rung["kl_nats"]
        points.append(Point(series, count, mean_of(loss), loss["lo"], loss["hi"]))
    counts, highest = sorted({count for count, _ in grid}), max(point.hi for point in points)
    return curves(
        points,
        Axis("logged runs of other prompts", log=True, from_zero=counts[0], ticks=(0, *counts)),
        Axis("mean KL divergence, nats", log=True, from_zero=0.1, ticks=(0, 0.1, 0.3, 1, 3), domain=(0, highest)),
        rules=[(mean_of(pool["kl_nats"]), "best text-only pool")],
    )


STUDY = Study(
    number=7,
    name="logs-of-other-prompts",
    question=QUESTION,
    claims=("D19",),
    limits=(
        "One target with 128 hidden dimensions: its logits have rank 129 at most, so 130 probes in all settle a "
        "position. A wider model's logits have a higher rank, and take more of both to settle.",
        "Logs are of the target's own training text and hold every probability. Logs of other text, or of the "
        "likeliest tokens only, were not tried.",
        "Without probes the combination is found by kernel regression on how alike the texts are. A better guess of "
        "the combination would do better with the same logs: this is a lower bound on what logs give away.",
        "Forecasts with probes ask the target about the judged prompts: they are no forecasts, and show what a few "
        "allowed queries are worth.",
    ),
    minutes=27,
    run=run,
)
