"""`onnx:PATH` on graphs made here, whose answers are known by hand; and graphs that cannot serve."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from foretell.base.errors import InputError, VocabularyError
from foretell.distributions import DenseBlock, FactoredBlock, Vocabulary, log_softmax
from foretell.scoring.divergences import normalised
from foretell.targets.onnx_target import OnnxTarget
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.tiny import checkpoint_folder as tiny_folder

SIZE, WIDTH = 320, 4
EMBEDDING = np.random.default_rng(0).normal(size=(SIZE, WIDTH)).astype(np.float32)
OUTPUT = np.random.default_rng(1).normal(size=(SIZE, WIDTH)).astype(np.float32)
Build = Callable[..., Path]


def graph(*, inputs: tuple[str, ...] = ("input_ids",), outputs: tuple[str, ...] = ("logits",)) -> onnx.ModelProto:
    """A bigram model: hidden = embedding[token], logits = hidden @ outputᵀ."""
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "head"], [outputs[0]]),
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs]
    widths = {"hidden": WIDTH}
    made = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", "tokens", widths.get(n, SIZE)]) for n in outputs
    ]
    weights = [numpy_helper.from_array(EMBEDDING, "embedding"), numpy_helper.from_array(OUTPUT.T.copy(), "head")]
    model = helper.make_model(
        helper.make_graph(nodes, "bigram", given, made, weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    return model


@pytest.fixture
def build(tmp_path: Path, tokenizer_file: Path) -> Build:
    """A model folder."""

    def make(model: onnx.ModelProto | bytes, config: object = None, head: str | None = None) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        if isinstance(model, bytes):
            (folder / "model.onnx").write_bytes(model)
        else:
            if head is not None:
                helper.set_model_props(model, {"foretell.head": head})
            onnx.save(model, folder / "model.onnx")
        (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 16} if config is None else config))
        shutil.copy(tokenizer_file, folder)
        return folder

    return make


@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask", "position_ids")])
def test_a_bigram_model_by_hand(inputs: tuple[str, ...], build: Build) -> None:
    folder = build(graph(inputs=inputs))
    for path in (folder, folder / "model.onnx"):
        target = OnnxTarget("onnx:bigram", path)
        assert (target.context, target.vocabulary.size, target.head, target.kinds) == (16, SIZE, None, ("dense",))
        blocks = target.distributions([(3, 5, 300), (7,)], [(0, 2), (0,)], "dense")
        for block, tokens in zip(blocks, ([3, 300], [7]), strict=True):
            assert isinstance(block, DenseBlock)
            assert block.logprobs.dtype == np.float32
            np.testing.assert_allclose(block.logprobs, normalised(EMBEDDING[tokens] @ OUTPUT.T), atol=1e-5)


def test_a_graph_that_names_its_output_layer_can_be_factored(build: Build) -> None:
    folder = build(graph(outputs=("logits", "hidden")), head="head.weight")
    save_file({"head.weight": OUTPUT}, folder / "model.safetensors")
    target = OnnxTarget("onnx:bigram", folder)
    assert target.kinds == ("factored", "dense")
    block = target.distributions([(3, 5)], [(1,)], "factored")[0]
    assert isinstance(block, FactoredBlock)
    np.testing.assert_array_equal(block.hidden, EMBEDDING[[5]])
    np.testing.assert_array_equal(block.head.weight, OUTPUT)


def test_its_identity_is_that_of_the_weights(build: Build, tokenizer_file: Path) -> None:
    folder = build(graph())
    first = OnnxTarget("onnx:a", folder).identity
    assert OnnxTarget("onnx:a", folder, tokenizer_file).identity == first
    assert first.engine.startswith("onnxruntime ")
    (folder / "notes.txt").write_text("no weights")
    assert OnnxTarget("onnx:a", folder).identity == first
    save_file({"x": np.zeros(1, np.float32)}, folder / "more.safetensors")
    assert OnnxTarget("onnx:a", folder).identity.weights != first.weights


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"no graph", r"model.onnx: cannot open the target 'onnx:x'.*a graph that onnxruntime can load"),
        (
            graph(inputs=("input_ids", "past_key_values")),
            "got inputs .*past_key_values.*without a cache of past states",
        ),
        (graph(outputs=("scores",)), r"outputs \['scores'\]"),
    ],
    ids=["garbage", "cache", "no logits"],
)
def test_graphs_that_cannot_serve(model: onnx.ModelProto | bytes, message: str, build: Build) -> None:
    with pytest.raises(InputError, match=message):
        OnnxTarget("onnx:x", build(model))


@pytest.mark.parametrize("config", [{}, [], {"max_position_embeddings": "many"}, {"n_positions": None}])
def test_a_config_without_a_context(config: object, build: Build) -> None:
    with pytest.raises(InputError, match=r"config.json: .*expected a config.json with max_position_embeddings"):
        OnnxTarget("onnx:x", build(graph(), config))


def test_missing_files(build: Build, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no such file"):
        OnnxTarget("onnx:x", tmp_path / "nowhere")
    folder = build(graph())
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="cannot read the tokenizer"):
        OnnxTarget("onnx:x", folder)


def test_log_softmax_stands_large_numbers() -> None:
    logits = np.array([[1e4, 0.0, -1e4], [88.0, 88.0, 88.0]], np.float32)
    np.testing.assert_allclose(log_softmax(logits), normalised(logits), rtol=1e-6)


def test_its_own_tokenizer_comes_first_and_another_is_refused(build: Build, tmp_path: Path) -> None:
    """A spare one serves graphs that bring none; read by another's tokenizer, a model would be silently wrong."""
    folder = build(graph())
    own = Vocabulary.load(folder, SIZE)
    assert open_target(f"onnx:{folder}", OpenOptions(spare_tokenizer=tiny_folder())).vocabulary.digest == own.digest
    assert open_target(f"onnx:{folder}", OpenOptions(folder)).vocabulary.digest == own.digest
    settings = json.loads((folder / "tokenizer.json").read_text())
    words = settings["model"]["vocab"]
    words["a"], words["b"] = words["b"], words["a"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tokenizer.json").write_text(json.dumps(settings))
    with pytest.raises(VocabularyError, match="two tokenizers for one model"):
        open_target(f"onnx:{folder}", OpenOptions(tmp_path / "other"))
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    assert open_target(f"onnx:{folder}", OpenOptions(spare_tokenizer=tmp_path)).vocabulary.digest == own.digest
