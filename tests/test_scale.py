"""The scale of the shipped target: who reads text has no skill, who knows the model has, and an oracle for the gain."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from foretell.base.errors import InputError
from foretell.distributions import DenseBlock, Distributions, FactoredBlock, Vocabulary
from foretell.evaluation import make_forecast
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.reference_pool import best_pool
from foretell.forecasters.saved_answers import SavedAnswers
from foretell.forecasters.specs import open_forecaster
from foretell.reports import write_report
from foretell.scale import Scene, place, set_scene
from foretell.scoring import ScoreSettings
from foretell.suites import Prompt, Suite, load_suite
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.scale_record import read_scale, sentences

TEXT_ONLY, OTHER_TEXT, CHECKPOINT, GIVEN = "ngram:4:tiny", "unigram:tiny", "model:tiny@1536", "model:tiny@768"
PANEL = ("ngram:2:tiny", "ngram:3:tiny", "ngram:5:tiny", "infinigram:stdlib")


def opened(spec: str, vocabulary: Vocabulary) -> Forecaster:
    return open_forecaster(spec, vocabulary, open_target=open_target)


@pytest.fixture(scope="module")
def scene(tiny: Target, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return set_scene(tiny, load_suite("foretell-300"), None, tmp_path_factory.mktemp("scale") / "scale")


@pytest.fixture(scope="module")
def scale(scene: Scene) -> dict[str, Any]:
    vocabulary = scene.judged.vocabulary
    given = make_forecast(
        opened(GIVEN, vocabulary),
        scene.judged.prompts,
        vocabulary,
        scene.out.with_name("given"),
        suite=scene.judged.manifest["suite"],
    )
    return place(
        scene,
        [[opened("uniform", vocabulary)], [opened(spec, vocabulary) for spec in PANEL]],
        [partial(opened, spec, vocabulary) for spec in (TEXT_ONLY, OTHER_TEXT, CHECKPOINT)],
        [SavedAnswers([given.folder], vocabulary)],
        judging=JudgeSettings(tolerance=0.75),
        notes=["no int8 copy: onnxruntime"],
    )


def rung(scale: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(one) for one in scale["rungs"] if one["name"] == name)


def test_a_reader_of_text_who_is_not_in_the_pool_adds_nothing(scale: dict[str, Any]) -> None:
    found = rung(scale, TEXT_ONLY)
    gain = found["encompassing"]["gain_nats"]
    assert gain["lo"] <= 0 <= gain["hi"]
    assert abs(gain["mean"]) < 0.005
    assert found["skill"]["lo"] < 0
    assert found["skill"]["hi"] < 0.1


def test_a_pool_that_lacks_a_kind_of_reader_leaves_it_a_little(scale: dict[str, Any]) -> None:
    """No law: 0 is exact for what the pool spans. A unigram smooths as none of 2, 3 and 5 does; panels have one."""
    found = rung(scale, OTHER_TEXT)
    assert 0 < found["encompassing"]["gain_nats"]["mean"] < 0.06
    assert found["skill"]["hi"] < 0


def test_who_knows_the_model_has_skill_and_adds_to_the_pool(scale: dict[str, Any]) -> None:
    found = rung(scale, CHECKPOINT)
    assert found["skill"]["lo"] > 0.5
    assert found["encompassing"]["gain_nats"]["lo"] > 1
    assert found["encompassing"]["diebold_mariano"]["statistic"] > 10


def logs(distributions: Distributions, index: int) -> np.ndarray:
    block = distributions.block(index)
    assert isinstance(block, DenseBlock | FactoredBlock)
    values = block.logprobs if isinstance(block, DenseBlock) else block.head.logits(block.hidden)
    return np.asarray(log_softmax(values.astype(np.float64), axis=1))


def test_skill_and_gain_are_those_of_a_slow_oracle(scene: Scene, scale: dict[str, Any]) -> None:
    folder = next(scene.out.glob("judged/model-tiny-1536-*"))
    pool, model = Distributions(scene.out / "judged" / "pool"), Distributions(folder)
    found, floor = rung(scale, CHECKPOINT), ScoreSettings().floor
    weight = found["encompassing"]["weight"]
    weights, sums = 0.0, np.zeros(3)
    for index, prompt in enumerate(scene.judged.prompts):
        p, r, q = (logs(one, index) for one in (scene.judged, pool, model))
        mixed = np.logaddexp(np.log(1 - weight) + r, np.log(weight) + q)
        own = []
        for forecast in (q, r, mixed):
            floored = np.logaddexp(np.log1p(-floor) + forecast, np.log(floor / p.shape[1]))
            own.append(min(np.mean(np.sum(np.exp(p) * (p - floored), axis=1)), np.log(p.shape[1])))
        sums += prompt.weight * np.array(own)
        weights += prompt.weight
    loss, of_pool, of_mixed = sums / weights
    assert found["skill"]["mean"] == pytest.approx(1 - loss / of_pool, abs=1e-5)
    assert found["encompassing"]["gain_nats"]["mean"] == pytest.approx(of_pool - of_mixed, abs=1e-5)


def test_the_pool_is_what_its_weights_say_and_beats_every_member_on_practice(
    scene: Scene, scale: dict[str, Any]
) -> None:
    members = {member["name"]: member["weight"] for member in scale["pool"]["members"]}
    assert sum(members.values()) == pytest.approx(1)
    folders = {Distributions(folder).name: folder for folder in (scene.out / "judged").iterdir()}
    parts = [np.log(weight) + logs(Distributions(folders[name]), 0) for name, weight in members.items() if weight]
    np.testing.assert_allclose(
        logsumexp(parts, axis=0), logs(Distributions(scene.out / "judged" / "pool"), 0), atol=1e-5
    )
    assert rung(scale, scale["pool"]["name"])["kind"] == "pool"
    assert scale["pool"]["practice"]["kl_nats"] < 2.0 < rung(scale, "ngram:5:tiny")["kl_nats"]["mean"]


def test_a_forecast_of_the_judged_prompts_only_has_skill_and_a_reason_for_no_gain(scale: dict[str, Any]) -> None:
    found = rung(scale, GIVEN)
    assert found["kind"] == "forecast"
    assert 0.3 < found["skill"]["lo"] < found["skill"]["hi"] < 0.6
    assert "no forecast of the practice prompts" in found["encompassing"]["unscored"]


def test_the_ladder_goes_down_to_the_noise_and_holds_the_tolerance(scale: dict[str, Any]) -> None:
    means = [one["kl_nats"]["mean"] for one in scale["rungs"]]
    assert means == sorted(means, reverse=True)
    assert scale["rungs"][0]["name"] == "uniform"
    assert scale["noise_floor"]["kl_nats"] < means[-1]
    assert (scale["tolerance"]["missed_by"], scale["tolerance"]["met_by"]) == (GIVEN, CHECKPOINT)
    words = " ".join(sentences(scale))
    assert f"A tolerance of 0.75 nats lies between {GIVEN}, which misses it, and {CHECKPOINT}, which meets it." in words
    assert "Not on this scale: no int8 copy: onnxruntime." in words


def test_the_run_keeps_the_scale_and_the_report_tells_it(scene: Scene, scale: dict[str, Any], tmp_path: Path) -> None:
    assert read_scale(scene.out / "run") == scale
    write_report(scene.out / "run", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Beyond what the text tells" in page
    assert "knows the text only" in page
    assert "<td>–</td>" in page
    assert f"{GIVEN}: it has no forecast of the practice prompts" in page


def test_what_a_judged_prompt_was_practised_on_is_refused_before_anything_is_made(tiny: Target, tmp_path: Path) -> None:
    suite = Suite("s", (Prompt("a", "One", document="book"), Prompt("b", "Two")))
    practice = Suite("t", (Prompt("c", "Three", document="book"),))
    with pytest.raises(InputError, match=r"1 judged prompts that were practised on: 'a' \(same document\)"):
        set_scene(tiny, suite, practice, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_scene(tiny: Target, small_suite: Suite, tmp_path: Path) -> Scene:
    return set_scene(tiny, small_suite, None, tmp_path / "scale")


def test_another_loss_and_a_name_twice_are_refused(small_scene: Scene) -> None:
    vocabulary = small_scene.judged.vocabulary
    with pytest.raises(InputError, match="a scale in another loss"):
        place(small_scene, [], [], judging=JudgeSettings(metric="tv"))
    with pytest.raises(InputError, match="bad pool: got 0 members"):
        place(small_scene, [], [])
    groups = [[opened("uniform", vocabulary), opened("unigram:tiny", vocabulary)]]
    with pytest.raises(InputError, match=r"a name twice: got unigram:tiny, which is on the scale already"):
        place(small_scene, groups, [lambda: opened("unigram:tiny", vocabulary)])


def test_of_too_many_references_those_with_the_most_weight_are_pooled(small_scene: Scene) -> None:
    groups = [
        ["uniform"],
        ["unigram:tiny", *(f"ngram:{order}:tiny" for order in (2, 3, 4, 5))],
        [f"model:tiny@{step}" for step in (96, 192, 384, 768)],
    ]
    answers = [[small_scene.answers(opened(spec, small_scene.judged.vocabulary)) for spec in own] for own in groups]
    found = best_pool(answers, small_scene.practice)
    of_parts = [best_pool([answers[0], own], small_scene.practice).fit.kl_nats for own in answers[1:]]
    assert found.members[0].name == "uniform"
    assert len(found.members) <= 8
    assert found.fit.kl_nats <= min(of_parts) + 1e-8


def test_where_one_reference_is_best_alone_it_is_the_pool(small_scene: Scene) -> None:
    """The target itself as a reference: nothing can be added, and there is no ratio to a loss of 0."""
    vocabulary = small_scene.judged.vocabulary
    record = place(
        small_scene,
        [[opened("uniform", vocabulary)], [opened("model:tiny", vocabulary)]],
        [lambda: opened("unigram:tiny", vocabulary)],
    )
    assert record["pool"]["name"] == "model:tiny"
    assert [member["weight"] for member in record["pool"]["members"]] == pytest.approx([0, 1], abs=1e-6)
    assert {one["kind"] for one in record["rungs"]} == {"reference", "rung"}
    assert record["tolerance"] is None
    found = rung(record, "unigram:tiny")
    assert found["encompassing"]["gain_nats"]["mean"] == pytest.approx(0, abs=1e-6)
    assert "no more than rounding" in found["skill"]["unscored"]
