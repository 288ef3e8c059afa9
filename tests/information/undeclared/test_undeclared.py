"""What honest forecasts and hidden models look like to the inspection, on the shipped target and in simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from foretell.base.interval import Unscored
from foretell.distributions.combining import log_normalised
from foretell.information import Suspicion, TracedWidth, Tracking, cross_moments, traced_width, tracking
from foretell.information.undeclared.undeclared import (
    FALSE_ALARMS,
    HONEST_TRIED,
    LEAST_WITH_TRUTH,
    LEAST_WITHOUT_TRUTH,
    LEVEL,
    Inspection,
    suspicion,
    width_sentence,
)
from foretell.scoring.confidence import fraction_bounds
from tests.information.conftest import CHECKPOINTS, Float64, Scene, floored, linear, listed, logarithmic

TEXTS = ("unigram:tiny", "ngram:2:tiny", "ngram:3:tiny", "ngram:5:tiny")
TRUTH = "model:tiny"
Pool = Callable[[Float64, Float64, float], Float64]


def follow(scene: Scene, forecast: Float64, model: str, beside: tuple[str, ...]) -> Tracking | Unscored:
    names = [*beside, f"model:{model}"]
    parts = [scene.by_prompt(forecast), *(scene.by_prompt(scene.answers[name]) for name in names)]
    moments = [cross_moments(np.stack(one), np.exp(one[-1])) for one in zip(*parts, strict=True)]
    return tracking(np.stack(moments), [prompt.document for prompt in scene.prompts], LEVEL)


def judged(scene: Scene, forecast: Float64, model: str, *, truth: bool = True, texts: tuple[str, ...] = TEXTS) -> str:
    beside = (*texts, TRUTH) if truth else texts
    yardsticks = {}
    for name in texts if len(texts) > 1 else ():
        own = follow(scene, scene.answers[name], model, tuple(other for other in beside if other != name))
        assert isinstance(own, Tracking)
        yardsticks[name] = own.correlation
    found = follow(scene, forecast, model, beside)
    return suspicion(model, found, yardsticks, beside, texts=len(texts), with_truth=truth).status


def test_honest_forecasts_raise_no_finding(scene: Scene) -> None:
    told = {(name, model): judged(scene, own, model) for name, own in scene.honest.items() for model in CHECKPOINTS}
    assert len(scene.honest) == HONEST_TRIED
    assert sum("found" in (told[name, model] for model in CHECKPOINTS) for name in scene.honest) == FALSE_ALARMS
    # A forecast that the explanations give exactly leaves nothing to look at.
    assert {name for (name, _), status in told.items() if status == "not determined"} == {"text: log pool"}


@pytest.mark.parametrize(
    ("beside", "kinds", "bar"),
    [((*TEXTS, TRUTH), ("text", "knows"), LEAST_WITH_TRUTH), (TEXTS, ("text",), LEAST_WITHOUT_TRUTH)],
)
def test_honest_correlations_are_below_the_bar(
    scene: Scene, beside: tuple[str, ...], kinds: tuple[str, ...], bar: float
) -> None:
    honest = [own for name, own in scene.honest.items() if name.startswith(kinds)]
    found = [follow(scene, own, model, beside) for own in honest for model in CHECKPOINTS]
    # The estimates, not their lower bounds: with more prompts these meet.
    assert max(one.correlation for one in found if isinstance(one, Tracking)) < 0.85 * bar


def test_text_alone_raises_no_finding_without_the_truth(scene: Scene) -> None:
    honest = {name: own for name, own in scene.honest.items() if name.startswith("text")}
    assert len(honest) == 11
    told = [judged(scene, own, model, truth=False) for own in honest.values() for model in CHECKPOINTS]
    assert told.count("not found") == 20
    assert told.count("not determined") == 2


def test_knowing_the_target_is_told_apart_by_the_truth_only(scene: Scene) -> None:
    knowing = scene.honest["knows: half the truth"]
    assert judged(scene, knowing, "tiny@1536", truth=False) == "found"
    assert judged(scene, knowing, "tiny@1536", truth=True) == "not found"


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("pool", [linear, logarithmic])
@pytest.mark.parametrize("truth", [True, False])
def test_a_hidden_checkpoint_is_found(scene: Scene, share: float, pool: Pool, truth: bool) -> None:
    hidden = pool(scene.answers["ngram:5:tiny"], scene.answers["model:tiny@1536"], share)
    assert judged(scene, hidden, "tiny@1536", truth=truth) == "found"


@pytest.mark.parametrize(
    ("share", "pool", "status"),
    [
        (0.05, linear, "found"),
        (0.2, linear, "found"),
        (0.5, logarithmic, "found"),
        # The power ends here: what the other member adds drowns what the hidden one does.
        (0.2, logarithmic, "not found"),
        (0.02, linear, "not found"),
    ],
)
def test_beside_text_that_nothing_explains(scene: Scene, share: float, pool: Pool, status: str) -> None:
    hidden = pool(scene.answers["ngram:3:notes"], scene.answers["model:tiny@1536"], share)
    assert judged(scene, hidden, "tiny@1536") == status


def test_a_hidden_checkpoint_with_its_tail_cut_off_is_found(scene: Scene) -> None:
    assert judged(scene, floored(listed(scene.answers["model:tiny@1536"])), "tiny@1536") == "found"


def test_a_relative_of_the_hidden_model_will_do(scene: Scene) -> None:
    assert judged(scene, scene.answers["model:tiny@1536"], "tiny@768") == "found"


def test_without_text_there_is_nothing_to_compare_with(scene: Scene) -> None:
    hidden = scene.answers["model:tiny@1536"]
    assert judged(scene, hidden, "tiny@768", texts=()) == "not determined"
    assert judged(scene, hidden, "tiny@768", texts=TEXTS[:1], truth=False) == "not determined"


def test_the_width_of_the_target_is_read_from_its_answers(scene: Scene) -> None:
    for own in (scene.answers["model:tiny@1536"], scene.answers["model:tiny@1536"].astype(np.float16)):
        found = traced_width(own)
        assert (found.status, found.width) == ("found", 128)
    assert traced_width(scene.answers["model:tiny@1536"][:120]).status == "not found"


def test_text_and_rules_have_no_width(scene: Scene) -> None:
    honest = {name: traced_width(own) for name, own in scene.honest.items() if name.startswith("text")}
    assert {found.status for found in honest.values()} == {"not found"}, honest


def test_pools_hide_the_width_and_the_target_layer_shows_it(scene: Scene) -> None:
    hidden = linear(scene.answers["ngram:5:tiny"], scene.answers["model:tiny@1536"], 0.2)
    assert traced_width(hidden).status == "not found"
    assert traced_width(scene.honest["knows: layer 2"]).width == 128


@pytest.mark.parametrize("floor", [1e-6, 1e-4])
def test_a_floor_hides_the_width_from_the_first_look_only(scene: Scene, floor: float) -> None:
    model = scene.answers["model:tiny@1536"]
    found = traced_width(linear(model, np.full_like(model, -np.log(model.shape[1])), floor))
    assert (found.status, found.width) == ("found", 128)
    assert found.tokens < model.shape[1]


def table(rng: np.random.Generator) -> Float64:
    """A made-up table of counts: contexts that repeat, few or many tokens ever seen, backing off to one unigram."""
    positions, tokens = int(rng.integers(60, 300)), int(rng.integers(60, 300))
    unigram = rng.dirichlet(np.full(tokens, rng.uniform(0.05, 2)))
    contexts = rng.integers(0, rng.integers(20, 200), positions)
    seen = rng.permutation(tokens)[: rng.integers(5, tokens)]
    counts = np.zeros((contexts.max() + 1, tokens))
    counts[:, seen] = rng.poisson(rng.exponential(1, (len(counts), len(seen))))
    weight = counts.sum(axis=1, keepdims=True) / (counts.sum(axis=1, keepdims=True) + rng.uniform(0.5, 5))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.log(weight * shares + (1 - weight) * unigram + 1e-9)[contexts])


def test_false_alarms_of_the_rank_in_simulation() -> None:
    rng, tried = np.random.default_rng(0), 300
    found = [traced_width(table(rng)).status for _ in range(tried)]
    assert found.count("found") == 0
    assert found.count("not found") > 200
    assert fraction_bounds(0, tried, 0.95).hi < 0.013


def test_the_rank_of_made_up_layers_is_found_in_simulation() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        width, positions, tokens = int(rng.integers(8, 60)), int(rng.integers(100, 300)), int(rng.integers(200, 400))
        logits = rng.normal(size=(positions, width)) @ rng.normal(size=(width, tokens)) + rng.normal(size=tokens)
        found = traced_width(log_normalised(logits).astype(np.float32))
        assert found.status == "found"
        assert found.width in (width, width + 1)  # one more for the bias


def simulated(rng: np.random.Generator, knows: float, helped: float) -> str:
    """One forecast in a made-up world: text, what the target has beyond it, a relative of the target."""
    documents, positions, tokens = 40, 2, 60

    def world(scale: float = 1.0) -> Float64:
        return np.asarray(scale * rng.normal(size=(documents, positions, tokens)))

    text, beyond = world(), world()
    truth = text + beyond
    model = 0.9 * text + 0.6 * beyond + world(0.5)
    references = [0.6 * text + world(0.3), 0.9 * text + world(0.3)]
    forecast = (1 - helped) * (0.8 * text + knows * beyond + world(0.4)) + helped * model
    parts = [log_normalised(x.reshape(-1, tokens)).reshape(x.shape) for x in (forecast, *references, truth, model)]
    weights = np.exp(parts[-1])
    moments = np.stack([cross_moments(np.stack([x[d] for x in parts]), weights[d]) for d in range(documents)])
    found = tracking(moments, range(documents), LEVEL)
    return suspicion("m", found, {}, ("a", "b", "truth"), texts=2, with_truth=True).status


def test_false_alarms_and_power_of_tracking_in_simulation() -> None:
    rng, tried = np.random.default_rng(2), 150
    for knows in (0.0, 0.5):
        assert [simulated(rng, knows, 0.0) for _ in range(tried)].count("found") == 0
    assert [simulated(rng, 0.0, 0.5) for _ in range(tried)].count("found") > 0.95 * tried
    assert fraction_bounds(0, 2 * tried, 0.95).hi < 0.013


def test_the_bounds_of_a_correlation_hold_it() -> None:
    rng, inside, tried = np.random.default_rng(4), 0, 200
    for _ in range(tried):
        text, model, own = rng.normal(size=(3, 30, 1, 40))
        parts = [0.5 * text + 0.3 * model + own, text, model]
        moments = [cross_moments(np.stack([x[d] for x in parts]), np.full((1, 40), 1 / 40)) for d in range(30)]
        found = tracking(np.stack(moments), range(30), 0.95)
        assert isinstance(found, Tracking)
        inside += found.lo <= 0.3 / np.hypot(0.3, 1) <= found.hi
    assert inside / tried > 0.9


def test_what_is_explained_leaves_nothing() -> None:
    rng = np.random.default_rng(5)
    text, model = rng.normal(size=(2, 10, 3, 20))
    weights = np.full((3, 20), 0.05)

    def of(*parts: Float64) -> Tracking | Unscored:
        moments = [cross_moments(np.stack([x[d] for x in parts]), weights) for d in range(10)]
        return tracking(np.stack(moments), range(10), LEVEL)

    assert of(3 * text + 1, text, model) == Unscored("the explanations leave nothing of the forecast")
    assert of(model, text, 2 * text) == Unscored("the explanations leave nothing of the known model")
    both = of(text + model, text, text, model)
    assert isinstance(both, Tracking)
    assert both.correlation == pytest.approx(1)
    assert tracking(np.ones((2, 2, 2)), ["d", "d"], LEVEL) == Unscored("fewer than two documents")


def test_the_words_are_careful() -> None:
    found = suspicion("m", Tracking(0.5, 0.45, 0.6, 0.2, 50, 0.99), {}, ["t", "u"], texts=2, with_truth=False)
    width = TracedWidth("found", 128, 1e5, 14.0, 400, 2048, 300)
    inspection = Inspection("f", (), width, (found,), {"prompts": 50, "documents": 50, "positions": 400})
    assert inspection.finding
    text = " ".join(inspection.sentences())
    assert "consistent with help by m or a relative" in text
    assert "only the truth (--truth) tells apart" in text
    assert "no proof" in text
    assert "prove" not in text.replace("proof", "")
    assert (
        "Of 23 honest forecasts in foretell's own tests, 0 were found to follow a model: a rate of 15% at most" in text
    )
    assert inspection.record()["honest_forecasts_in_tests"]["rate_at_most"] == pytest.approx(1 - 0.025 ** (1 / 23))
    named = Inspection("f", ("m w",), width, (), {})
    assert not named.finding
    assert "What is found below may come from that" in " ".join(named.sentences())
    assert "not determined" in width_sentence(TracedWidth("not determined", reason="too few"))


def test_a_suspicion_is_recorded_with_its_evidence() -> None:
    one = suspicion("m", Unscored("no"), {"t": 0.35}, ["t"], texts=2, with_truth=True)
    assert isinstance(one, Suspicion)
    record = one.record()
    assert (record["status"], record["bar"], record["partial_correlation"]) == (
        "not determined",
        0.35,
        {"unscored": "no"},
    )
