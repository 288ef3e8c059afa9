"""One forecast against the truth, streamed: positions are scored in chunks and kept as one number a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from foretell.base.errors import InputError
from foretell.base.progress import Progress
from foretell.distributions import Block, Distributions, concatenate
from foretell.distributions.pairing import check_same_questions, paired_chunks
from foretell.scoring import ScoreSettings, score_positions
from foretell.verdicts.prompt_scores import PromptScores, entropy_of
from foretell.verdicts.run_folder import RunWriter


def measure(
    truth: Distributions,
    forecast: Distributions,
    name: str,
    settings: ScoreSettings,
    *,
    tail: Distributions | None,
    run: RunWriter | None,
    progress: Progress,
) -> PromptScores:
    """Score one forecast at every position; returns the means of each prompt."""
    lengths = truth.vocabulary.token_lengths
    scores = PromptScores(name, dict(forecast.manifest["source"]))
    along = _tail_blocks(truth, tail)
    done = 0
    for chunk in paired_chunks(truth, forecast):
        where = f"{truth.folder}, prompts {truth.prompts[chunk.prompts[0]].id!r} …"
        tail_block = along(chunk.prompts) if along is not None else None
        positions = score_positions(chunk.truth, chunk.forecast, lengths, settings, tail=tail_block, where=where)
        if run is not None:
            run.add_positions(truth, chunk.prompts, name, positions)
        _add_prompt_means(scores, truth, chunk.prompts, positions.lo, positions.hi)
        # A server may list more tokens at some positions than at others: what some lack is not scored.
        scores.unscored |= positions.unscored
        done += len(chunk.prompts)
        progress(f"scoring {name}", done, len(truth.prompts))
    return scores


def _add_prompt_means(
    scores: PromptScores,
    truth: Distributions,
    prompts: tuple[int, ...],
    lo: dict[str, np.ndarray],
    hi: dict[str, np.ndarray],
) -> None:
    sizes = [len(truth.prompts[index].positions) for index in prompts]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for index in prompts:
        prompt = truth.prompts[index]
        scores.prompts.append((prompt.id, prompt.slice, prompt.document, prompt.weight))
    for store, side in ((scores.lo, lo), (scores.hi, hi)):
        for column, values in side.items():
            store.setdefault(column, []).extend((np.add.reduceat(values, starts) / sizes).tolist())


def _tail_blocks(truth: Distributions, tail: Distributions | None) -> Any:
    """A function from the truth's prompt indices to the tail's rows, or None."""
    if tail is None:
        return None
    theirs = check_same_questions(truth, tail)

    def along(prompts: tuple[int, ...]) -> Block:
        return concatenate([tail.block(theirs[index]) for index in prompts])

    return along


def unique_names(forecasts: Sequence[Distributions]) -> dict[str, Distributions]:
    """Forecasts by name; those of one name are told apart by their folders.

    Raises:
        InputError: no forecast, or the same folder twice.
    """
    folders = [str(forecast.folder.resolve()) for forecast in forecasts]
    if not forecasts or len(set(folders)) < len(folders):
        raise InputError(
            "nothing to compare",
            where="--forecast",
            got="no forecast" if not forecasts else "the same folder twice",
            expected="one or more different forecasts",
            fix="Name each forecast's folder once: --forecast A --forecast B.",
        )
    count = Counter(forecast.name for forecast in forecasts)
    return {f.name if count[f.name] == 1 else f"{f.name} ({f.folder})": f for f in forecasts}


def tail_name(tail: Distributions | None) -> str:
    """How the rest of a top-k forecast is spread, in a word."""
    return "uniform" if tail is None else f"along {tail.name}"


def worst_first(scores: PromptScores, metric: str = "kl_nats") -> list[str]:
    """Prompt ids by falling loss (upper end)."""
    order = np.argsort(-np.array(scores.hi[metric]), kind="stable")
    return [scores.prompts[index][0] for index in order]


def truth_record(truth: Distributions, scores: PromptScores, settings: ScoreSettings) -> dict[str, Any]:
    """The facts of a truth for score.json."""
    largest = settings.largest_kl_nats(truth.vocabulary.size)
    return {
        **truth.manifest["source"],
        "kind": truth.kind,
        "suite": truth.manifest["suite"],
        "prompts": len(truth.prompts),
        "documents": len({prompt.document for prompt in truth.prompts}),
        "positions": len(truth),
        "vocabulary": truth.vocabulary.size,
        "slices": dict(Counter(prompt.slice for prompt in truth.prompts)),
        "noise_floor": truth.manifest["noise_floor"],
        "entropy_nats": entropy_of(scores),
        "max_kl_nats": largest if np.isfinite(largest) else None,
    }
