"""Losses of a family against a truth: what `foretell score` would give, kept member by member, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DamageError, InputError, VocabularyError
from foretell.distributions import Distributions
from foretell.evaluation import collect, make_forecast, score
from foretell.forecasters.specs import open_forecaster
from foretell.information.survivors.family_members import Member
from foretell.information.survivors.member_losses import LEAST_NOISE_NATS, MEMBERS, member_losses, reference_loss
from foretell.suites import Prompt, Suite
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.verdicts.run_folder import read_losses

FAMILY = [Member.of("tiny@96"), Member.of("tiny@1536")]


def test_losses_are_those_of_a_score(tiny_truth: Distributions, tmp_path: Path) -> None:
    found = member_losses(tiny_truth, FAMILY, tmp_path, open_target)
    for row, member in enumerate(FAMILY):
        forecast = make_forecast(
            open_forecaster(f"model:{member.spec}", tiny_truth.vocabulary, open_target=open_target),
            tiny_truth.prompts,
            tiny_truth.vocabulary,
            tmp_path / f"forecast-{row}",
            suite=tiny_truth.manifest["suite"],
        )
        score(tiny_truth, [forecast], tmp_path / f"run-{row}")
        scored = read_losses(tmp_path / f"run-{row}", forecast.name, "kl_nats", found.cap)
        by_prompt = dict(zip(scored.prompts, scored.hi.tolist(), strict=True))
        # The score replaces a millionth of the forecast by uniform, these losses less.
        for prompt, loss in zip(found.prompts, found.losses[row], strict=True):
            assert loss == pytest.approx(by_prompt[prompt.id], abs=1e-4)
    assert [one["name"] for one in found.record()] == ["tiny@96", "tiny@1536"]
    assert found.record()[0]["weights"] == open_target("tiny@96").identity.weights


def test_a_stopped_run_asks_only_whom_it_has_not_asked(tiny_truth: Distributions, tmp_path: Path) -> None:
    asked: list[str] = []

    def opening(spec: str) -> Target:
        asked.append(spec)
        if spec == "tiny@1536" and asked.count(spec) == 1:
            raise KeyboardInterrupt
        return open_target(spec)

    with pytest.raises(KeyboardInterrupt):
        member_losses(tiny_truth, FAMILY, tmp_path, opening)
    found = member_losses(tiny_truth, FAMILY, tmp_path, opening)
    assert asked == ["tiny@96", "tiny@1536", "tiny@1536"]
    whole = member_losses(tiny_truth, FAMILY, tmp_path / "other", open_target)
    np.testing.assert_array_equal(found.losses, whole.losses)


def test_a_model_that_changed_under_its_name_is_asked_again(
    tiny_truth: Distributions, tmp_path: Path, shipped_copy: Path
) -> None:
    member = [Member("mine", "given", f"hf:{shipped_copy}")]
    first = member_losses(tiny_truth, member, tmp_path, open_target)
    other = Path(open_target("tiny@96").graph.parent)  # type: ignore[attr-defined]
    (shipped_copy / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    second = member_losses(tiny_truth, member, tmp_path, open_target)
    assert not np.array_equal(first.losses, second.losses)
    known = member_losses(tiny_truth, FAMILY[:1], tmp_path, open_target)
    np.testing.assert_allclose(second.losses, known.losses, atol=1e-5)


def test_the_same_weights_in_another_engine_are_within_the_noise(tiny_truth: Distributions, tmp_path: Path) -> None:
    found = member_losses(tiny_truth, [Member.of("float16:tiny")], tmp_path, open_target)
    assert found.losses.max() < LEAST_NOISE_NATS <= found.noise["mean"] <= found.noise["every"]


def test_prompts_that_stand_twice_count_once(tiny: Target, tmp_path: Path) -> None:
    suite = Suite("twice", (Prompt("a", "def f("), Prompt("b", "def f("), Prompt("c", "def f(", scored="all")))
    truth = collect(tiny, suite, tmp_path / "truth")
    found = member_losses(truth, FAMILY[:1], tmp_path, open_target)
    assert [prompt.id for prompt in found.prompts] == ["a", "c"]
    assert found.losses.shape == (1, 2)
    assert found.notes == ("1 prompt with the tokens and positions of another counted once with it.",)


def test_other_metrics_have_their_own_noise(tiny_truth: Distributions, tmp_path: Path) -> None:
    found = member_losses(tiny_truth, FAMILY[:1], tmp_path, open_target, metric="tv")
    assert 0 < found.losses.mean() < found.cap == 1.0
    assert found.noise["mean"] >= (LEAST_NOISE_NATS / 2) ** 0.5
    with pytest.raises(InputError, match=r"--metric topk_logprob_rmse: .*does not bound topk_logprob_rmse"):
        member_losses(tiny_truth, FAMILY[:1], tmp_path, open_target, metric="topk_logprob_rmse")


def test_a_reference_beside_the_family(tiny_truth: Distributions, tmp_path: Path) -> None:
    found = member_losses(tiny_truth, [], tmp_path, open_target)
    assert found.losses.shape == (0, len(tiny_truth.prompts))
    uniform = open_forecaster("uniform", tiny_truth.vocabulary, open_target=open_target)
    assert 1 < reference_loss(tiny_truth, found, uniform) < found.cap


@pytest.mark.parametrize(
    ("members", "match"),
    [
        (["tiny@96", "tiny@96"], "member tiny@96: no family to count in: got the same member again"),
        (["tiny@96", "tiny"], "member tiny: .*got the target itself, expected other models"),
        (["tiny@3072"], "got the target itself"),
    ],
)
def test_members_that_do_not_count(tiny_truth: Distributions, tmp_path: Path, members: list[str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        member_losses(tiny_truth, [Member.of(spec) for spec in members], tmp_path, open_target)


def test_a_family_with_mixed_vocabularies(tiny_truth: Distributions, tmp_path: Path, shipped_copy: Path) -> None:
    text = (shipped_copy / "tokenizer.json").read_text()
    changed = text.replace('"use_regex":false', '"use_regex":true').replace('"use_regex": false', '"use_regex": true')
    assert changed != text
    (shipped_copy / "tokenizer.json").write_text(changed)
    with pytest.raises(VocabularyError, match="member mine: a family with mixed vocabularies: got 2048 tokens of"):
        member_losses(tiny_truth, [Member("mine", "given", f"hf:{shipped_copy}")], tmp_path, open_target)


def test_a_truth_of_top_tokens_only(tiny_truth: Distributions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_truth, "kind", "topk")
    with pytest.raises(InputError, match="a truth that lists its likeliest tokens only, expected full distributions"):
        member_losses(tiny_truth, FAMILY, tmp_path, open_target)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "damaged file"),
        ('{"weights": "x"}', "expected a member's losses"),
        ('{"weights": "x", "losses": [1.0]}', "losses of shape \\(1,\\), expected 8 numbers"),
    ],
)
def test_damaged_losses(tiny_truth: Distributions, tmp_path: Path, content: str, match: str) -> None:
    member_losses(tiny_truth, FAMILY[:1], tmp_path, open_target)
    (file,) = (tmp_path / MEMBERS).iterdir()
    assert json.loads(file.read_text())["member"] == "tiny@96"
    file.write_text(content)
    with pytest.raises(DamageError, match=match):
        member_losses(tiny_truth, FAMILY[:1], tmp_path, open_target)
