"""score.json says what the numbers say: ranks, slices, verdicts, intervals, and no infinity."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import InputError
from foretell.scoring import COLUMNS, ScoreSettings
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.prompt_scores import PromptScores
from foretell.verdicts.scorecard import scorecard

SLICES = ("code", "prose")
NOISE = {"kl_nats": 2e-6, "max_kl_nats": 3e-6, "method": "made up"}
TRUTH = {"name": "t", "vocabulary": 100, "slices": dict.fromkeys(SLICES, 20), "noise_floor": NOISE}


def scores_of(name: str, kl: np.ndarray, hi: np.ndarray | None = None, **changed: list[float]) -> PromptScores:
    """Forty prompts, two slices in turn, documents of two; other columns are constants."""
    made = PromptScores(name, {"name": name})
    made.prompts = [(f"p{i}", SLICES[i % 2], f"d{i // 4}-{i % 2}", 1.0) for i in range(len(kl))]
    for side, values in ((made.lo, kl), (made.hi, kl if hi is None else hi)):
        side |= {column: [0.5] * len(kl) for column in COLUMNS} | {"kl_nats": values.tolist()} | changed
    return made


def card(*scores: PromptScores, **judging: Any) -> dict[str, Any]:
    result = scorecard(TRUTH, list(scores), ScoreSettings(), JudgeSettings(**judging), "uniform")
    json.dumps(result, allow_nan=False)
    return result


RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0, 0.1, 40), RNG.uniform(1, 2, 40)


def test_forecasts_are_ranked_and_compared() -> None:
    result = card(scores_of("far", FAR), scores_of("near", NEAR), scores_of("middle", NEAR + 0.4))
    assert [(entry["rank"], entry["name"]) for entry in result["forecasts"]] == [(1, "near"), (2, "middle"), (3, "far")]
    assert [(row["a"], row["b"]) for row in result["differences"]] == [
        ("near", "middle"),
        ("near", "far"),
        ("middle", "far"),
    ]
    assert result["differences"][0]["mean"] == pytest.approx(-0.4)
    assert result["forecasts"][0]["kl_nats"]["mean"] == pytest.approx(NEAR.mean())
    assert result["schema"] == "foretell.score/1"


@pytest.mark.parametrize(
    ("kl", "tolerance", "decision"),
    [(NEAR, 2.0, "pass"), (FAR, 0.2, "fail"), (FAR, 1.5, "inconclusive"), (FAR, None, "unjudged")],
)
def test_the_verdict_is_that_of_the_bounds(kl: np.ndarray, tolerance: float | None, decision: str) -> None:
    entry = card(scores_of("f", kl), tolerance=tolerance)["forecasts"][0]
    assert entry["verdict"]["decision"] == decision
    needed = [value for name, value in entry["verdict"].items() if name not in ("decision", "reasons")]
    assert (needed[0] is not None) == (decision == "inconclusive")
    assert (entry["within_tolerance"] is None) == (tolerance is None)
    if tolerance is not None:
        documents = [
            np.mean([kl[i] for i in range(40) if (i // 4, i % 2) == d]) for d in {(i // 4, i % 2) for i in range(40)}
        ]
        assert entry["within_tolerance"]["of"] == 20
        assert entry["within_tolerance"]["count"] == sum(mean <= tolerance for mean in documents)


def test_a_judged_slice_can_fail_a_good_mean() -> None:
    kl = np.where(np.arange(40) % 2, 0.01, 1.5)
    plain = card(scores_of("f", kl), tolerance=1.4)["forecasts"][0]
    judged = card(scores_of("f", kl), tolerance=0.2, slices={"code": None})["forecasts"][0]
    assert plain["worst_slice"] == {"slice": "code", "mean": pytest.approx(1.5)}
    assert judged["verdict"]["decision"] == "fail"
    assert any(reason.startswith("code: lower bound") for reason in judged["verdict"]["reasons"])
    assert {part["slice"]: part["prompts"] for part in plain["slices"]} == {"code": 20, "prose": 20}


def test_a_slice_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"--judge-slice: no such slice: got 'maths', expected one of code, prose"):
        card(scores_of("f", NEAR), tolerance=1.0, slices={"code": None, "maths": 0.5})


@pytest.mark.parametrize("cap", [0.0, -1.0, math.inf, math.nan])
def test_a_bad_cap(cap: float) -> None:
    with pytest.raises(InputError, match="--cap: bad cap"):
        card(scores_of("f", NEAR), cap=cap)


def test_the_cap_is_log_of_the_vocabulary_unless_given() -> None:
    losses = FAR.copy()
    losses[:3] = 9.0
    result = card(scores_of("f", losses))
    assert result["settings"]["cap_nats"] == math.log(100)
    assert result["forecasts"][0]["capped_prompts"] == 3
    assert result["forecasts"][0]["tail"]["worst"]["kl_nats"] == math.log(100)
    assert card(scores_of("f", losses), cap=10.0)["forecasts"][0]["capped_prompts"] == 0


def test_intervals_stay_intervals() -> None:
    made = scores_of("f", NEAR, NEAR + 0.2)
    del made.lo["entropy_nats"], made.hi["entropy_nats"], made.lo["expected_bytes"], made.hi["expected_bytes"]
    made.unscored = {"entropy_nats": "top k only", "expected_bytes": "top k only"}
    entry = card(made, tolerance=0.15)["forecasts"][0]
    assert entry["kl_nats"]["mean"] == {"lo": pytest.approx(NEAR.mean()), "hi": pytest.approx(NEAR.mean() + 0.2)}
    assert entry["metrics"]["kl_bits_per_byte"] == {"unscored": "top k only"}
    assert entry["approximate"] == {"unscored": "losses are known within intervals only"}
    assert entry["kl_nats"]["hi"] >= NEAR.mean() + 0.2


def test_an_infinite_loss_is_said_in_words() -> None:
    losses = NEAR.copy()
    losses[0] = math.inf
    entry = card(scores_of("f", losses, topk_logprob_rmse=[math.inf] * 40))["forecasts"][0]
    assert entry["kl_nats"]["mean"] == pytest.approx((NEAR[1:].sum() + math.log(100)) / 40)
    for metric in ("kl_nats", "topk_logprob_rmse", "kl_bits_per_byte"):
        assert entry["metrics"][metric]["unscored"].startswith("infinite")


def test_bits_per_byte() -> None:
    entry = card(scores_of("f", NEAR, expected_bytes=[4.0] * 40))["forecasts"][0]
    assert entry["metrics"]["kl_bits_per_byte"] == pytest.approx(NEAR.mean() / math.log(2) / 4)
    nothing = card(scores_of("f", NEAR, expected_bytes=[0.0] * 40))["forecasts"][0]
    assert "stand for no bytes" in nothing["metrics"]["kl_bits_per_byte"]["unscored"]


def judged(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry says of the judged loss, slices included, without the metric's name."""
    parts = [entry, *entry["slices"]]
    losses = [{key: value for key, value in part["loss"].items() if key != "metric"} for part in parts]
    tail = entry["tail"] | {"worst": {key: entry["tail"]["worst"][key] for key in ("prompt", "loss")}}
    names = ("name", "rank", "verdict", "approximate", "within_tolerance", "worst_slice", "capped_prompts")
    decided = [(part["decision"], part["within_tolerance"], part["tolerance"]) for part in entry["slices"]]
    return {name: entry[name] for name in names} | {"losses": losses, "tail": tail, "decided": decided}


@pytest.mark.parametrize("metric", ["tv", "js_nats", "abs_logprob_nats", "topk_logprob_rmse"])
def test_another_metric_is_judged_as_kl_would_be_by_its_numbers(metric: str) -> None:
    one, two = RNG.uniform(0, 0.3, 40), RNG.uniform(0.2, 0.9, 40)
    how = {"tolerance": 0.25, "cap": 0.8, "slices": {"code": None, "prose": 0.2}}
    plain = card(scores_of("one", one), scores_of("two", two), **how)
    # By KL the other is closer, so that a rank by KL would be seen.
    other = card(
        scores_of("one", FAR, **{metric: one.tolist()}), scores_of("two", NEAR, **{metric: two.tolist()}),
        metric=metric, **how,
    )  # fmt: skip
    assert [judged(entry) for entry in other["forecasts"]] == [judged(entry) for entry in plain["forecasts"]]
    assert other["differences"] == plain["differences"]
    assert [entry["loss"]["metric"] for entry in other["forecasts"]] == [metric, metric]
    assert other["forecasts"][0]["kl_nats"] == card(scores_of("one", FAR))["forecasts"][0]["kl_nats"]
    assert "kl_nats" not in other["forecasts"][0]["tail"]["worst"]
    assert plain["forecasts"][0]["kl_nats"] | {"metric": "kl_nats"} == plain["forecasts"][0]["loss"]


def test_settings_name_metric_and_unit_and_mislead_no_old_reader() -> None:
    plain = card(scores_of("f", NEAR), tolerance=0.5)["settings"]
    assert (plain["metric"], plain["unit"], plain["tolerance"], plain["cap"]) == ("kl_nats", "nats", 0.5, math.log(100))
    assert (plain["tolerance_nats"], plain["cap_nats"]) == (plain["tolerance"], plain["cap"])
    other = card(scores_of("f", NEAR), tolerance=0.5, metric="tv", slices={"code": 0.4, "prose": None})["settings"]
    assert (other["metric"], other["unit"], other["tolerance"], other["cap"]) == ("tv", "total variation", 0.5, 1.0)
    assert (other["tolerance_nats"], other["cap_nats"]) == (None, None)
    assert (other["judged_slices"], other["slice_tolerances"]) == (["code", "prose"], {"code": 0.4})
    assert other["noise_floor"]["value"] == pytest.approx(0.001)


def test_a_slice_with_a_tolerance_of_its_own() -> None:
    kl = np.where(np.arange(40) % 2, 0.01, 1.5)
    for own, decision in ((0.3, "fail"), (4.0, "pass")):
        entry = card(scores_of("f", kl), tolerance=2.5, slices={"code": own})["forecasts"][0]
        assert entry["verdict"]["decision"] == decision
        parts = {part["slice"]: part for part in entry["slices"]}
        assert (parts["code"]["tolerance"], parts["prose"]["tolerance"]) == (own, 2.5)
        assert parts["code"]["decision"] == decision
        assert parts["code"]["within_tolerance"]["count"] == (10 if own > 1.5 else 0)


def test_a_metric_that_the_truth_does_not_tell() -> None:
    made = scores_of("f", NEAR)
    made.unscored = {"topk_logprob_rmse": "needs more"}
    with pytest.raises(
        InputError, match="--metric topk_logprob_rmse: a loss that this truth does not tell: got needs more"
    ):
        card(made, metric="topk_logprob_rmse")


def test_prompts_needed_are_those_that_the_open_slice_needs() -> None:
    kl = np.where(np.arange(40) % 2, 0.01, RNG.uniform(0.9, 1.1, 40))
    whole = card(scores_of("f", kl), tolerance=4.0)["forecasts"][0]["verdict"]
    slice_only = card(scores_of("f", kl), tolerance=4.0, slices={"code": 1.3})["forecasts"][0]["verdict"]
    alone = card(scores_of("f", kl[::2]), tolerance=1.3)["forecasts"][0]["verdict"]
    assert (whole["decision"], whole["prompts_needed"]) == ("pass", None)
    assert slice_only["decision"] == alone["decision"] == "inconclusive"
    assert slice_only["prompts_needed"] == pytest.approx(2 * alone["prompts_needed"], rel=0.5)
    assert slice_only["prompts_needed"] > 40
