"""A Llama checkpoint as an ONNX graph whose weights are the ones in its safetensors file, shared and not copied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

_OPSET = 17
_WEIGHTS = "model.safetensors"
_ONNX_TYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}


def export_onnx(folder: Path) -> Path:
    """Write `model.onnx` beside the folder's config.json and model.safetensors.

    The graph takes `input_ids` (batch, tokens) and gives `logits` (batch, tokens, vocabulary) and `hidden` (batch,
    tokens, d), the states after the final norm. It computes in float32. Its initializers point into the safetensors
    file, so both formats are one set of numbers.

    Returns:
        The path of the graph.
    """
    config = json.loads((folder / "config.json").read_text())
    graph = _LlamaGraph(folder, config)
    model = graph.build()
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


class _LlamaGraph:
    """Collects the nodes of one model, in order."""

    def __init__(self, folder: Path, config: dict[str, float]) -> None:
        self.layers, self.heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self.hidden, self.epsilon = int(config["hidden_size"]), float(config["rms_norm_eps"])
        self.head_size = self.hidden // self.heads
        self.vocabulary = int(config["vocab_size"])
        rope: object = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0)}
        assert isinstance(rope, dict)
        self.theta = float(rope["rope_theta"])
        self.nodes: list[onnx.NodeProto] = []
        self.initializers = _shared_initializers(folder / _WEIGHTS)
        self.names = {tensor.name for tensor in self.initializers}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        assert name in self.names, name
        return self.add("Cast", name, to=TensorProto.FLOAT)

    def norm(self, x: str, name: str) -> str:
        mean = self.add("ReduceMean", self.add("Mul", x, x), axes=[-1])
        root = self.add("Sqrt", self.add("Add", mean, self.constant(np.array(self.epsilon, np.float32))))
        return self.add("Mul", self.add("Div", x, root), self.weight(name))

    def linear(self, x: str, name: str) -> str:
        return self.add("MatMul", x, self.add("Transpose", self.weight(name), perm=[1, 0]))

    def rotary_tables(self) -> tuple[str, str]:
        zero, one = self.constant(np.array(0, np.int64)), self.constant(np.array(1, np.int64))
        length = self.add("Gather", self.add("Shape", "input_ids"), one)
        positions = self.add("Cast", self.add("Range", zero, length, one), to=TensorProto.FLOAT)
        exponents = np.arange(0, self.head_size, 2, dtype=np.float32) / self.head_size
        frequencies = self.constant((1.0 / self.theta**exponents).astype(np.float32)[None])
        angles = self.add("MatMul", self.add("Unsqueeze", positions, self.constant(np.array([1]))), frequencies)
        both = self.add("Concat", angles, angles, axis=-1)
        return self.add("Cos", both), self.add("Sin", both)

    def causal_mask(self) -> str:
        length = self.add(
            "Slice", self.add("Shape", "input_ids"), self.constant(np.array([1])), self.constant(np.array([2]))
        )
        square = self.add("Concat", length, length, axis=0)
        lowest = numpy_helper.from_array(np.array([np.finfo(np.float32).min], np.float32))
        return self.add("Trilu", self.add("ConstantOfShape", square, value=lowest), self.constant(np.array(1)), upper=1)

    def split_heads(self, x: str) -> str:
        shape = self.constant(np.array([0, 0, self.heads, self.head_size]))
        return self.add("Transpose", self.add("Reshape", x, shape), perm=[0, 2, 1, 3])

    def rotate(self, x: str, tables: tuple[str, str]) -> str:
        half = self.head_size // 2
        ends = [self.constant(np.array([value])) for value in (0, half, self.head_size)]
        axis = self.constant(np.array([3]))
        first = self.add("Slice", x, ends[0], ends[1], axis)
        second = self.add("Slice", x, ends[1], ends[2], axis)
        turned = self.add("Concat", self.add("Neg", second), first, axis=-1)
        return self.add("Add", self.add("Mul", x, tables[0]), self.add("Mul", turned, tables[1]))

    def attention(self, x: str, layer: str, tables: tuple[str, str], mask: str) -> str:
        query, key, value = (self.split_heads(self.linear(x, f"{layer}.self_attn.{n}_proj.weight")) for n in "qkv")
        query, key = self.rotate(query, tables), self.rotate(key, tables)
        scores = self.add("MatMul", query, self.add("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.add("Mul", scores, self.constant(np.array(self.head_size**-0.5, np.float32)))
        weights = self.add("Softmax", self.add("Add", scores, mask), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        joined = self.add("Reshape", mixed, self.constant(np.array([0, 0, self.hidden])))
        return self.linear(joined, f"{layer}.self_attn.o_proj.weight")

    def feed_forward(self, x: str, layer: str) -> str:
        gate = self.linear(x, f"{layer}.mlp.gate_proj.weight")
        gate = self.add("Mul", gate, self.add("Sigmoid", gate))
        up = self.linear(x, f"{layer}.mlp.up_proj.weight")
        return self.linear(self.add("Mul", gate, up), f"{layer}.mlp.down_proj.weight")

    def build(self) -> onnx.ModelProto:
        tables, mask = self.rotary_tables(), self.causal_mask()
        x = self.add("Gather", self.weight("model.embed_tokens.weight"), "input_ids")
        for index in range(self.layers):
            layer = f"model.layers.{index}"
            attended = self.attention(self.norm(x, f"{layer}.input_layernorm.weight"), layer, tables, mask)
            x = self.add("Add", x, attended)
            x = self.add("Add", x, self.feed_forward(self.norm(x, f"{layer}.post_attention_layernorm.weight"), layer))
        hidden = self.norm(x, "model.norm.weight")
        logits = self.linear(hidden, "model.embed_tokens.weight")
        self.nodes += [
            helper.make_node("Identity", [hidden], ["hidden"]),
            helper.make_node("Identity", [logits], ["logits"]),
        ]
        floats = {"hidden": self.hidden, "logits": self.vocabulary}
        graph = helper.make_graph(
            self.nodes,
            "llama",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", "tokens", width])
                for n, width in floats.items()
            ],
            self.initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        helper.set_model_props(model, {"foretell.head": "model.embed_tokens.weight"})
        return model


def _shared_initializers(path: Path) -> list[onnx.TensorProto]:
    """Every tensor of a safetensors file as an external initializer that points at its bytes."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    with safe_open(path, framework="numpy") as file:
        names = sorted(file.keys())
    tensors = []
    for name in names:
        start, stop = header[name]["data_offsets"]
        tensor = TensorProto(name=name, data_type=_ONNX_TYPES[header[name]["dtype"]], dims=header[name]["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", path.name), ("offset", 8 + size + start), ("length", stop - start)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        tensors.append(tensor)
    return tensors
