"""Made-up scores of every kind that claims are written for: decisions, metrics, top-k truths, helpers, caps."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.forecasters.sandbox import UNSAFE
from foretell.scoring import COLUMNS, ScoreSettings
from foretell.verdicts.claims import with_claims
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.prompt_scores import PromptScores
from foretell.verdicts.scorecard import scorecard

SLICES = ("code", "prose")
MODEL = {"name": "m", "weights": "w", "tokenizer": "t"}
SKILL = {"mean": 0.6, "lo": 0.49, "hi": 0.7, "level": 0.95, "method": "made up"}
UNKNOWN_SKILL = {"unscored": "the reference may lose nothing"}
_PROMPTS = 60


def made_score(
    kl: float = 0.2,
    *,
    reference: bool = True,
    spread: float = 0.0,
    source: dict[str, Any] | None = None,
    slices: int = 2,
    prompts: int = _PROMPTS,
    **judging: Any,
) -> dict[str, Any]:
    """The score of one forecast, with claims, beside a text-only reference.

    Args:
        kl: about what a prompt loses.
        spread: width of the interval in which each loss is known, of a top-k truth.
    """
    rng = np.random.default_rng(0)
    names = SLICES[:slices]
    truth = {
        "name": "t",
        "weights": "sha256:1",
        "kind": "topk" if spread else "dense",
        "suite": {"name": "s", "digest": "sha256:2"},
        "prompts": prompts,
        "documents": prompts,
        "positions": 3 * prompts,
        "vocabulary": 100,
        "slices": dict.fromkeys(names, prompts // slices),
        "noise_floor": {"kl_nats": 2e-6, "max_kl_nats": 3e-6, "method": "made up"},
    }
    scores = [_scores("f", rng.uniform(0.5, 1.5, prompts) * kl, spread, names, source or {})]
    if reference:
        scores.append(_scores("ngram:2:t", rng.uniform(1.5, 2.5, prompts), spread, names, {"reference": True}))
    settings = JudgeSettings(**judging)
    return with_claims(scorecard(truth, scores, ScoreSettings(), settings, "uniform"))


def _scores(
    name: str, losses: np.ndarray, spread: float, slices: tuple[str, ...], source: dict[str, Any]
) -> PromptScores:
    made = PromptScores(name, {"name": name} | source)
    made.prompts = [(f"p{i}", slices[i % len(slices)], f"d{i}", 1.0) for i in range(len(losses))]
    for side, values in ((made.lo, losses), (made.hi, losses + spread)):
        side |= {column: np.minimum(values, 1.0).tolist() for column in COLUMNS} | {"kl_nats": values.tolist()}
    return made


GOOD = made_score(tolerance=1.0)
GRID = {
    "pass": GOOD,
    "fail": made_score(2.0, tolerance=0.5),
    "inconclusive": made_score(0.5, tolerance=0.5),
    "unjudged": made_score(),
    "judged slices": made_score(tolerance=1.0, slices=2, metric="kl_nats"),
    "one slice": made_score(tolerance=1.0, slices=1),
    "one prompt": made_score(tolerance=1.0, slices=1, prompts=1),
    "one forecast": made_score(tolerance=1.0, reference=False),
    "top-k": made_score(tolerance=0.6, spread=0.4),
    "capped": made_score(tolerance=1.0, cap=0.29),
    "helped": made_score(tolerance=1.0, source={"model": MODEL}),
    "unsandboxed": made_score(tolerance=1.0, source={"sandbox": UNSAFE}),
    "total variation": made_score(tolerance=0.9, metric="tv"),
    "worse than text": made_score(3.0, tolerance=0.5),
}
