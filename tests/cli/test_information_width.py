"""`foretell information width` and `layer` on the shipped target, on smollm2, and on truths that tell too little."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foretell.base.errors import ForetellError, InputError, VocabularyError
from foretell.cli.app import app
from foretell.distributions import (
    Block,
    DenseBlock,
    Distributions,
    DistributionWriter,
    FactoredBlock,
    TopKBlock,
    Vocabulary,
    log_softmax,
)
from foretell.distributions.release import parse_rule, released
from foretell.evaluation import collect
from foretell.information.layer.hidden_width import width_of
from foretell.information.layer.output_layer import linear_error, recovered_layer, visible_layer
from foretell.information.layer.width_report import measure_width
from foretell.suites import Prompt, Suite, load_suite
from foretell.targets.smollm2 import open_smollm2
from foretell.targets.specs import open_target

from ..information.layer.made_models import in_blocks, spectrum

TOKENS = 620


def asked(verb: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["information", verb, *map(str, arguments)])


def found(verb: str, *arguments: str | Path) -> dict[str, Any]:
    result = asked(verb, *arguments, "--json", "-")
    assert result.exit_code == 0, (result.output, result.exception)
    return dict(json.loads(result.stdout))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A factored truth of tiny at every position of ten prompts, two of them the same text."""
    prompts = [Prompt(one.id, one.text, scored="all") for one in load_suite("foretell-300").prompts[::32]]
    suite = Suite("ten", (*prompts, Prompt("again", prompts[0].text, scored="all")))
    return collect(open_target("tiny"), suite, tmp_path_factory.mktemp("width") / "truth").folder


def copied(truth: Path, to: Path, change: Callable[[Block], Block], vocabulary: Vocabulary | None = None) -> Path:
    """A truth with other blocks, or with another tokenizer."""
    opened = Distributions(truth)
    facts = {name: opened.manifest[name] for name in ("role", "source", "suite")} | {"dtype": "float32"}
    plan = [[at] for at in range(len(opened.prompts))]
    writer = DistributionWriter(to, opened.prompts, plan, vocabulary or opened.vocabulary, facts)
    blocks = [change(opened.block(at)) for at in range(len(opened.prompts))]
    for at, block in enumerate(blocks):
        writer.write(at, block)
    if isinstance(blocks[0], FactoredBlock):
        writer.write_head(blocks[0].head)
    writer.finish()
    return to


def exact(block: Block) -> DenseBlock:
    assert isinstance(block, FactoredBlock)
    return DenseBlock(log_softmax(block.head.logits(block.hidden)))


@pytest.mark.parametrize("step", ["96", "768", "3072"])
def test_the_shipped_checkpoints(step: str, tmp_path: Path) -> None:
    few = load_suite("foretell-300").prompts[:6]
    suite = Suite("few", tuple(Prompt(one.id, one.text, scored="all") for one in few))
    truth = collect(open_target(f"tiny@{step}"), suite, tmp_path / "truth")
    report = measure_width(truth, rules=())
    assert report.width.found.rank == 128
    assert report.stated == 128


def test_width_of_a_factored_truth(tiny: Path) -> None:
    told = found("width", "--truth", tiny)
    assert (told["width"]["rank"], told["width"]["offset"], told["stated"]) == (128, False, 128)
    assert [one["width"] for one in told["width"]["widths"]] == [128, 129]
    assert told["fewest_positions"] == 136
    assert 1 <= told["fewest_prompts"] <= 4
    assert told["repeated"] > 50
    by_rule = {one["rule"]: one for one in told["precisions"]}
    assert [by_rule[rule]["rank"] for rule in ("float16", "round:3", "round:1")] == [128, 128, 128]
    assert by_rule["topk:20"]["status"] == "not determined"
    gaps = [by_rule[f"round:{digits}"]["gap_nats"] for digits in (4, 3, 2, 1)]
    assert gaps == sorted(gaps, reverse=True)
    shown = asked("width", "--truth", tiny, "--rule", "round:2", "--rule", "noise:0.01", "--positions", "400")
    assert shown.exit_code == 0
    assert "Rank: 128" in shown.output
    assert "noise:0.01" in shown.output


def test_width_of_dense_truths(tiny: Path, tmp_path: Path) -> None:
    dense = copied(tiny, tmp_path / "dense", exact)
    told = found("width", "--truth", dense, "--rule", "float16")
    assert (told["kind"], told["stated"], told["width"]["rank"]) == ("dense", None, 128)

    def some_never(block: Block) -> DenseBlock:
        logprobs = exact(block).logprobs
        logprobs[:, :100], logprobs[:, 100:150] = -100.0, -np.inf
        return DenseBlock(logprobs)

    told = found("width", "--truth", copied(tiny, tmp_path / "never", some_never), "--rule", "float16")
    assert (told["left_out"], told["width"]["rank"]) == (150, 128)

    def uniform(block: Block) -> DenseBlock:
        return DenseBlock(np.full((len(block), 2048), -np.log(2048), np.float32))

    told = found("width", "--truth", copied(tiny, tmp_path / "same", uniform))
    assert told["width"]["status"] == "not determined"
    assert "0 tokens that are possible everywhere and change are too few" in told["width"]["reason"]


def test_top_k_tells_neither(tiny: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    listed = copied(tiny, tmp_path / "listed", lambda block: released(parse_rule("topk:20"), block, rng))
    assert isinstance(Distributions(listed).block(0), TopKBlock)
    for verb in ("width", "layer"):
        told = found(verb, "--truth", listed)
        assert told["width"]["status"] == "not determined"
        assert "likeliest tokens only" in told["width"]["reason"]
        assert asked(verb, "--truth", listed).exit_code == 0


def test_too_few_positions(tiny: Path) -> None:
    for verb in ("width", "layer"):
        told = found(verb, "--truth", tiny, "--positions", "100")
        assert told["width"]["status"] == "not determined"
        assert told["width"]["at_least"] == 92
    assert found("width", "--truth", tiny, "--positions", "1")["width"]["status"] == "not determined"


def test_layer_of_the_shipped_target(tiny: Path, tmp_path: Path) -> None:
    told = found("layer", "--truth", tiny)
    assert told["directions"] == 128
    assert told["after_linear_map"]["rms"] < 1e-6
    assert told["after_linear_map"]["bits"]["free_numbers"] == 128 * (2047 - 128)
    assert told["symmetry"] == {"linear": 128 * 128, "norm_known": 128 * 127 // 2}
    assert "it takes 8,256 different positions" in told["sphere"]["unscored"]
    dense = copied(tiny, tmp_path / "dense", exact)
    assert "no true layer was given" in found("layer", "--truth", dense)["after_linear_map"]["unscored"]
    for against in ("tiny", str(tiny)):
        assert found("layer", "--truth", dense, "--against", against)["after_linear_map"]["rms"] < 1e-6
    assert found("layer", "--truth", dense, "--against", "tiny@96")["after_linear_map"]["relative"] > 0.1
    shown = asked("layer", "--truth", tiny)
    assert "After the best linear map: RMS error" in shown.output


def refused(error: type[ForetellError], match: str, *arguments: str | Path) -> None:
    with pytest.raises(error, match=match):
        CliRunner().invoke(app, ["information", "layer", *map(str, arguments)], catch_exceptions=False)


def test_what_is_refused(tiny: Path, tmp_path: Path) -> None:
    refused(InputError, "unknown target", "--truth", tiny, "--against", "nobody")
    dense = copied(tiny, tmp_path / "dense", exact)
    refused(InputError, "no output layer to compare with", "--truth", tiny, "--against", dense)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text((tiny / "tokenizer.json").read_text() + "\n")
    other = copied(tiny, tmp_path / "other", lambda block: block, Vocabulary(tokenizer, 2048))
    refused(VocabularyError, "another vocabulary", "--truth", tiny, "--against", other)


def test_smollm2() -> None:
    target = open_smollm2()
    ids = target.encode(" ".join(one.text for one in load_suite("foretell-300").prompts[:80]))[:TOKENS]
    assert len(ids) == TOKENS
    (block,) = target.distributions([ids], [range(TOKENS)], "factored")
    logprobs = exact(block).logprobs
    width = width_of(spectrum(logprobs))
    assert (width.found.rank, width.offset) == (576, False)
    assert width.found.gap_nats is not None
    assert width.found.gap_nats > 5
    assert target.head is not None
    layer = recovered_layer(in_blocks(logprobs), len(target.head.weight), TOKENS, 576)
    assert linear_error(layer.basis, visible_layer(target.head)).rms <= 1e-5
