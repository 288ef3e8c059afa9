"""Composed forecasts: perfect parts give the perfect composite, for every rule; members are named in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretell.base.errors import ContextError, InputError
from foretell.distributions import DenseBlock, TokenizedPrompt, check_block
from foretell.evaluation import make_forecast
from foretell.forecasters.composed import ComposedForecaster, split_members
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import is_reference, open_forecaster
from foretell.forecasters.uniform import UniformForecaster
from foretell.targets.composite_definition import load_definition
from foretell.targets.specs import open_target
from foretell.targets.target import Target
from foretell.verdicts.named_models import named_models

EXAMPLES = Path(__file__).parents[2] / "examples" / "composites"
FILES = sorted(path.name for path in EXAMPLES.glob("*.toml"))
TEXT = "import os\n\n\ndef area(width, height):\n    return"


@pytest.fixture(scope="module")
def tiny() -> Target:
    return open_target("tiny")


@pytest.fixture(scope="module")
def prompts(tiny: Target) -> list[TokenizedPrompt]:
    texts = {"code": TEXT, "prose": "The lamp in the hall"}
    found = []
    for name, text in texts.items():
        ids = tiny.encode(text)
        found.append(TokenizedPrompt(name, "all", 1.0, name, text, ids, (0, 3, len(ids) - 1)))
    return found


def composed(file: str, tiny: Target, members: str | None = None) -> Forecaster:
    parts = load_definition(EXAMPLES / file).parts
    told = members or ",".join(f"{part.name}=model:{part.spec}" for part in parts)
    spec = f"composed:{EXAMPLES / file}:{told}"
    return open_forecaster(spec, tiny.vocabulary, open_target=open_target)


@pytest.mark.parametrize("file", FILES)
def test_perfect_forecasts_of_the_parts_give_the_composite(
    file: str, tiny: Target, prompts: list[TokenizedPrompt]
) -> None:
    forecaster = composed(file, tiny)
    forecaster.prepare(prompts)
    target = open_target(f"composite:{EXAMPLES / file}")
    truths = target.distributions([p.token_ids for p in prompts], [p.positions for p in prompts], "dense")
    for prompt, truth in zip(prompts, truths, strict=True):
        block = forecaster.forecast(prompt)
        assert isinstance(block, DenseBlock)
        assert isinstance(truth, DenseBlock)
        check_block(block, tiny.vocabulary.size, file)
        np.testing.assert_allclose(np.exp(block.logprobs), np.exp(truth.logprobs), atol=1e-4)


def test_other_forecasts_of_the_parts_give_another_forecast(tiny: Target, prompts: list[TokenizedPrompt]) -> None:
    forecaster = composed("best-of-n.toml", tiny, "judge=ngram:3:tiny,drafter=pool:model:tiny@96+uniform")
    forecaster.prepare(prompts)
    block = forecaster.forecast(prompts[0])
    check_block(block, tiny.vocabulary.size, "mixed")
    assert isinstance(forecaster, ComposedForecaster)
    assert list(forecaster.members) == ["drafter", "judge"]
    assert not is_reference(forecaster.name)


def test_the_record_names_the_rule_and_every_model(tiny: Target) -> None:
    record = composed("linear-pool.toml", tiny, "late=model:tiny@768,early=ngram:2:tiny").describe()
    assert record["composite"] == {"schema": "foretell.composite/1", "kind": "linear-pool"}
    assert [(member["part"], member["name"], member["weight"]) for member in record["members"]] == [
        ("late", "model:tiny@768", 0.7),
        ("early", "ngram:2:tiny", 0.3),
    ]
    weights = open_target("tiny@768").identity.weights
    assert named_models(record) == [f"tiny@768 {weights}"]


def test_a_composite_as_a_model_names_its_parts_too(tiny: Target) -> None:
    spec = f"model:composite:{EXAMPLES / 'best-of-n.toml'}"
    named = named_models(open_forecaster(spec, tiny.vocabulary, open_target=open_target).describe())
    assert len(named) == 3
    assert any(open_target("tiny@1536").identity.weights in one for one in named)


def test_a_nested_composite_may_be_forecast_by_its_own_parts(tiny: Target, prompts: list[TokenizedPrompt]) -> None:
    best = EXAMPLES / "best-of-n.toml"
    inner = f"composed:{best}:drafter=model:tiny@1536,judge=model:tiny"
    routed = f"model:composite:{EXAMPLES / 'router-confidence.toml'}"
    outer = composed("composite-of-composites.toml", tiny, f"routed={routed},picked={inner}")
    other = composed("composite-of-composites.toml", tiny)
    for forecaster in (outer, other):
        forecaster.prepare(prompts)
    one, two = (forecaster.forecast(prompts[0]) for forecaster in (outer, other))
    assert isinstance(one, DenseBlock)
    assert isinstance(two, DenseBlock)
    np.testing.assert_allclose(np.exp(one.logprobs), np.exp(two.logprobs), atol=1e-5)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ("drafter=uniform", "got none for judge, expected one forecaster for each of drafter, judge"),
        ("drafter=uniform,judge=uniform,drafter=uniform", "got drafter twice"),
        ("jury=uniform,judge=uniform", "got 'jury', expected one forecaster for each of drafter, judge"),
        ("drafter=uniform,judge=", "unknown forecaster: got ''"),
        ("drafter=uniform,judge=wizard", "unknown forecaster: got 'wizard'"),
    ],
)
def test_members_that_do_not_fit_are_refused(members: str, message: str, tiny: Target) -> None:
    with pytest.raises(InputError, match=message):
        composed("best-of-n.toml", tiny, members)


def test_a_spec_without_members_or_without_a_file_is_refused(tiny: Target) -> None:
    for spec in (f"composed:{EXAMPLES / 'best-of-n.toml'}", "composed:best.toml:"):
        with pytest.raises(InputError, match="got no part with its forecaster, expected composed:FILE:NAME=SPEC"):
            open_forecaster(spec, tiny.vocabulary, open_target=open_target)
    with pytest.raises(InputError, match=r"nowhere\.toml: .*got No such file"):
        open_forecaster("composed:nowhere.toml:a=uniform", tiny.vocabulary, open_target=open_target)
    assert split_members("s", "C:/x=y/best.toml:a=b") == ("C:/x=y/best.toml", "a=b")


class Kept(UniformForecaster):
    """A forecaster that keeps what it was prepared with, and knows the prompts of its file only."""

    def __init__(self, size: int, known: Callable[[TokenizedPrompt], bool] = lambda prompt: True) -> None:
        super().__init__(size)
        self.prepared: list[list[TokenizedPrompt]] = []
        self.known = known

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        if not all(map(self.known, prompts)):
            raise InputError("no such prompt", where="file", got="another", expected="these", fix="Add it.")
        self.prepared.append(list(prompts))


def test_a_pipeline_prepares_its_members_with_all_that_they_will_be_asked(
    tiny: Target, prompts: list[TokenizedPrompt]
) -> None:
    writer, reader = Kept(tiny.vocabulary.size), Kept(tiny.vocabulary.size)
    definition = load_definition(EXAMPLES / "pipeline.toml")
    forecaster = ComposedForecaster("p", definition, {"writer": writer, "reader": reader}, tiny.vocabulary)
    with pytest.raises(InputError, match=r"p \(prompt 'code'\): a prompt that the pipeline has not read"):
        forecaster.forecast(prompts[0])
    forecaster.prepare(prompts)
    positions = sum(len(prompt.positions) for prompt in prompts)
    assert [len(asked) for asked in writer.prepared] == [positions] * 4
    assert [len(asked) for asked in reader.prepared] == [positions]
    ids = [prompt.id for prompt in reader.prepared[0]]
    assert len(set(ids)) == len(ids)
    first = reader.prepared[0][1].token_ids
    assert first == (prompts[0].token_ids[0], 0, 0, 0, 0, *prompts[0].token_ids[1:4])  # uniform: the lowest id
    assert len(forecaster.forecast(prompts[0])) == len(prompts[0].positions)


def test_a_file_cannot_go_on_writing(tiny: Target, prompts: list[TokenizedPrompt]) -> None:
    known = {prompt.token_ids for prompt in prompts}
    writer = Kept(tiny.vocabulary.size, lambda prompt: prompt.token_ids in known)
    definition = load_definition(EXAMPLES / "pipeline.toml")
    members: dict[str, Forecaster] = {"writer": writer, "reader": UniformForecaster(tiny.vocabulary.size)}
    with pytest.raises(InputError, match="no such prompt"):
        ComposedForecaster("p", definition, members, tiny.vocabulary).prepare(prompts)


def test_a_pipeline_that_outgrows_a_members_context_is_refused_before_anything_is_written(
    tiny: Target, tmp_path: Path
) -> None:
    ids = (0, *[5] * (tiny.context - 1))
    long = TokenizedPrompt("long", "all", 1.0, "long", "", ids, (len(ids) - 1,))
    forecaster = composed("pipeline.toml", tiny)
    suite: dict[str, Any] = {"name": "s", "digest": "d"}
    with pytest.raises(ContextError, match="got 513 tokens, expected at most 512"):
        make_forecast(forecaster, [long], tiny.vocabulary, tmp_path / "out", suite=suite)
    assert not (tmp_path / "out").exists()
