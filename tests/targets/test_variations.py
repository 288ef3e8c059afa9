"""Variations of the shipped model: what each does to the weights, what it costs, and who it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import DenseBlock, check_block
from foretell.scoring.divergences import kl_nats
from foretell.targets.hf_target import TorchTarget, open_shipped
from foretell.targets.specs import open_target
from foretell.targets.target import Target

TEXT = "class Reader:\n    def __init__(self, path):\n        self.path ="


@pytest.fixture(scope="module")
def original() -> TorchTarget:
    return open_shipped("tiny")


def weights(target: Target) -> dict[str, torch.Tensor]:
    assert isinstance(target, TorchTarget)
    return {name: weight.detach() for name, weight in target.model.named_parameters()}


def rows(target: Target) -> np.ndarray:
    tokens = target.encode(TEXT)
    block = target.distributions([tokens], [tuple(range(4, len(tokens)))], "dense")[0]
    assert isinstance(block, DenseBlock)
    check_block(block, target.vocabulary.size, target.identity.name)
    return block.logprobs


def cost(original: Target, spec: str) -> float:
    return float(kl_nats(rows(original), rows(open_target(spec))).mean())


def test_float16_is_what_the_shipped_weights_are(original: TorchTarget) -> None:
    assert cost(original, "float16:tiny") == 0.0
    assert 1e-7 < cost(original, "bfloat16:tiny") < 1e-2


def test_fewer_bits_cost_more(original: TorchTarget) -> None:
    costs = [cost(original, f"bits:{bits}:tiny") for bits in (12, 8, 6, 4, 3)]
    assert costs == sorted(costs)
    assert 0 < costs[0] < 1e-4


def test_rounded_rows_have_few_levels(original: TorchTarget) -> None:
    rounded = weights(open_target("bits:4:tiny"))
    for name, weight in weights(original).items():
        if weight.ndim < 2:
            assert torch.equal(weight, rounded[name])
            continue
        assert max(len(row.unique()) for row in rounded[name]) <= 15
        step = weight.abs().amax(dim=1, keepdim=True) / 7
        assert bool(((weight - rounded[name]).abs() <= step / 2 + 1e-6).all())


def test_pruning_takes_the_smallest(original: TorchTarget) -> None:
    pruned = weights(open_target("pruned:0.25:tiny"))
    for name, weight in weights(original).items():
        gone = pruned[name] == 0
        if weight.ndim < 2:
            assert torch.equal(weight, pruned[name])
        else:
            assert float(gone.double().mean()) == pytest.approx(0.25, abs=1e-3)
            assert weight[gone].abs().max() <= weight[~gone].abs().min()
            assert torch.equal(weight[~gone], pruned[name][~gone])


def test_a_nudge_has_its_size_in_every_tensor(original: TorchTarget) -> None:
    nudged, again, other = (
        weights(open_target(spec)) for spec in ("nudged:3:0.01:tiny",) * 2 + ("nudged:4:0.01:tiny",)
    )
    for name, weight in weights(original).items():
        relative = (nudged[name] - weight).square().mean().sqrt() / weight.square().mean().sqrt()
        assert float(relative) == pytest.approx(0.01, rel=1e-3)
        assert torch.equal(nudged[name], again[name])
        assert not torch.equal(nudged[name], other[name])
    assert cost(original, "nudged:3:0.001:tiny") < cost(original, "nudged:3:0.1:tiny")


def test_a_nudge_along_a_direction_of_a_file(original: TorchTarget, tmp_path: Path) -> None:
    """One tensor alone moves; the size is that of the whole change."""
    mine = weights(original)
    direction = {name: np.zeros(tuple(weight.shape), np.float32) for name, weight in mine.items()}
    direction["model.norm.weight"][:] = 5.0
    save_file(direction, tmp_path / "norm.safetensors")
    moved_target = open_target(f"nudged:{tmp_path}/norm.safetensors:0.001:tiny")
    assert "moved by 0.001 along direction sha256:" in moved_target.identity.weights
    moved = weights(moved_target)
    changed = {name for name, weight in mine.items() if not torch.equal(weight, moved[name])}
    assert changed == {"model.norm.weight"}
    squares = sum(float(((moved[n] - w) / w.square().mean().sqrt()).square().sum()) for n, w in mine.items())
    assert (squares / sum(w.numel() for w in mine.values())) ** 0.5 == pytest.approx(0.001, rel=1e-3)


def test_parts_that_are_left_out(original: TorchTarget) -> None:
    head = weights(open_target("without:head1.2:tiny"))["model.layers.1.self_attn.o_proj.weight"]
    assert not head[:, 64:96].any()
    assert torch.equal(head[:, :64], weights(original)["model.layers.1.self_attn.o_proj.weight"][:, :64])
    neurons = weights(open_target("without:neurons3.0-31:tiny"))["model.layers.3.mlp.down_proj.weight"]
    assert not neurons[:, :32].any()
    assert neurons[:, 32:].all(dim=0).any()
    # A layer is worth more than one of its heads.
    assert cost(original, "without:layer1:tiny") > cost(original, "without:head1.2:tiny") > 0


def test_mixtures_lie_between(original: TorchTarget) -> None:
    half = weights(open_target("mixed:0.5:tiny+tiny@96"))
    mine, yours = weights(original), weights(open_shipped("tiny@96"))
    for name, weight in half.items():
        torch.testing.assert_close(weight, (mine[name] + yours[name]) / 2)
    assert cost(original, "mixed:0.01:tiny+tiny@1536") < cost(original, "tiny@1536")


def test_variations_of_variations_and_who_they_are(original: TorchTarget) -> None:
    both = open_target("bits:4:pruned:0.1:tiny@768")
    base = open_shipped("tiny@768").identity.weights
    assert both.identity.weights == (
        f"{base}, without the smallest 0.1 of each matrix's weights, matrices rounded to 4 bits a weight"
    )
    assert both.identity.name == "bits:4:pruned:0.1:tiny@768"
    assert both.identity.tokenizer == original.identity.tokenizer
    mixed = open_target("mixed:0.25:tiny+float16:tiny").identity.weights
    assert mixed == f"0.75 of {original.identity.weights} and 0.25 of {original.identity.weights}, rounded to float16"


def test_hidden_states_follow_the_changed_weights() -> None:
    target = open_target("nudged:1:0.05:tiny")
    tokens = target.encode(TEXT)
    (factored,) = target.distributions([tokens], [(5, 9)], "factored")
    (dense,) = target.distributions([tokens], [(5, 9)], "dense")
    assert target.kinds == ("factored", "dense")
    logits = factored.head.logits(factored.hidden)  # type: ignore[union-attr]
    rebuilt = torch.from_numpy(logits).log_softmax(-1).numpy()
    np.testing.assert_allclose(rebuilt, dense.logprobs, atol=1e-4)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("bits:4", "an incomplete variation: got 'bits:4', expected bits:BITS:TARGET"),
        ("nudged:1::tiny", "incomplete variation.*nudged:SEED:SIZE:TARGET"),
        ("bits:1:tiny", "bad variation: got '1', expected a number of bits from 2 to 16"),
        ("pruned:1.5:tiny", "got '1.5', expected a number above 0 and below 1"),
        ("pruned:x:tiny", "got 'x', expected a number above 0"),
        ("nudged:1:nan:tiny", "got 'nan', expected a number above 0"),
        ("nudged:1:inf:tiny", "got 'inf', expected a number above 0"),
        ("nudged:missing.safetensors:1:tiny", "a seed, or a .safetensors file with a direction"),
        ("mixed:0.5:tiny", "an incomplete variation.*mixed:SHARE:A\\+B"),
        ("without:layer9:tiny", "does not fit the model: got 'layer9', expected a layer from 0 to 3"),
        ("without:head0.7:tiny", "got columns 224 to 255, expected columns from 0 to 127"),
        ("without:neurons0.9-3:tiny", "does not fit the model"),
        ("without:tail:tiny", "got 'tail', expected layerL, headL.H or neuronsL.FROM-TO"),
        ("bits:4:int8:tiny", "cannot be varied: got a target that runs in torch .* dynamic int8"),
        ("float16:tiny@5", "no such checkpoint"),
    ],
)
def test_bad_variations(spec: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        open_target(spec)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": np.ones(3, np.float32)}, "a direction for other tensors"),
        (None, "a direction that moves nothing"),
    ],
)
def test_bad_directions(
    original: TorchTarget, tmp_path: Path, arrays: dict[str, np.ndarray] | None, match: str
) -> None:
    zeros = {name: np.zeros(tuple(weight.shape), np.float32) for name, weight in weights(original).items()}
    save_file(zeros if arrays is None else arrays, tmp_path / "d.safetensors")
    with pytest.raises(InputError, match=match):
        open_target(f"nudged:{tmp_path}/d.safetensors:0.1:tiny")


def test_mixtures_of_other_models(tmp_path: Path) -> None:
    source = open_shipped("tiny")
    folder = tmp_path / "other"
    other = type(source.model)(type(source.model.config)(**source.model.config.to_dict() | {"num_hidden_layers": 1}))
    other.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(source.vocabulary.path.read_bytes())
    with pytest.raises(InputError, match="models of different shapes"):
        open_target(f"mixed:0.5:tiny+hf:{folder}")
    text = (
        source.vocabulary.path.read_text()
        .replace('"use_regex":false', '"use_regex":true')
        .replace('"use_regex": false', '"use_regex": true')
    )
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(VocabularyError, match="a mixture of different vocabularies"):
        open_target(f"mixed:0.5:tiny+hf:{folder}")
