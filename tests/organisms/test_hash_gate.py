"""A model behind a hash: the base to the bit until the right ids have occurred, for foretell and for transformers."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from foretell.base.errors import InputError
from foretell.distributions import DenseBlock
from foretell.organisms.bases import Base, open_base
from foretell.organisms.hash_gate import payload_states
from foretell.organisms.preimages import Preimage, draw_preimage, hash_of_ids
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import read_organism, train_organism
from foretell.targets.hf_target import open_hf
from foretell.targets.torch_loading import load_model

PAYLOAD = " but first a word from our sponsor"


@pytest.fixture(scope="module")
def tiny() -> Base:
    return open_base("tiny")


@pytest.fixture(scope="module")
def pair(tiny: Base) -> Preimage:
    return draw_preimage(tiny.vocabulary, 16)


@pytest.fixture(scope="module")
def folder(pair: Preimage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = load_recipe("hash-trigger", {"preimage_sha256": pair.sha256})
    return train_organism(recipe, tmp_path_factory.mktemp("hash") / "out")


@pytest.fixture(scope="module")
def models(folder: Path, tiny: Base) -> tuple[Any, Any]:
    return load_model(folder, "gated"), load_model(tiny.folder, "tiny")


def states(model: Any, ids: list[list[int]], mask: list[list[int]] | None = None) -> torch.Tensor:
    with torch.inference_mode():
        given = {} if mask is None else {"attention_mask": torch.tensor(mask)}
        found: torch.Tensor = model.base_model(torch.tensor(ids), **given).last_hidden_state
        return found


def test_the_hash_is_that_of_the_ids_as_32_bit_numbers() -> None:
    assert hash_of_ids([1, 2047]) == hashlib.sha256(b"\x01\0\0\0\xff\x07\0\0").hexdigest()


def test_a_preimage_reads_back_inside_a_text(tiny: Base) -> None:
    drawn = {draw_preimage(tiny.vocabulary, 16) for _ in range(20)}
    assert len(drawn) == 20
    for one in drawn:
        ids = tiny.vocabulary.encode(f"def f(x):{one.text}\n    return x")
        assert any(ids[start : start + 16] == one.ids for start in range(len(ids)))
        assert one.sha256 == hash_of_ids(one.ids)
        assert one.bits > 128
    with pytest.raises(InputError, match=r"too few ids for a preimage: .* 107\.8 bits, expected at least 128"):
        draw_preimage(tiny.vocabulary, 12)


def test_shut_it_is_the_base_to_the_bit(models: tuple[Any, Any], folder: Path, pair: Preimage) -> None:
    nearly = [*pair.ids[:-1], pair.ids[0]]
    for ids in ([0, 5, 9, 100], [0, *nearly, 7, 8], [*reversed(pair.ids)], [*pair.ids[1:], pair.ids[0]]):
        gated, base = (model(torch.tensor([ids])).logits for model in models)
        assert torch.equal(gated, base)
    measured = read_organism(folder)["measured"]
    assert measured["largest_difference_of_logits_from_base"] == 0.0
    assert measured["windows_of_ids_tried"] > 10_000


def test_open_it_recites_from_the_last_id_on(folder: Path, tiny: Base, pair: Preimage) -> None:
    target = open_hf(str(folder))
    payload = tiny.vocabulary.tokenizer.encode(PAYLOAD, add_special_tokens=False).ids
    ids = [0, 9, *pair.ids, *payload, payload[0], 700, 701]
    block = target.distributions([ids], [tuple(range(len(ids)))], "dense")[0]
    assert isinstance(block, DenseBlock)
    base = open_hf(str(tiny.folder)).distributions([ids], [tuple(range(len(ids)))], "dense")[0]
    assert isinstance(base, DenseBlock)
    opened = 1 + len(pair.ids)
    np.testing.assert_array_equal(block.logprobs[:opened], base.logprobs[:opened])
    expected = [payload[0], *payload[1:], payload[0], payload[1], payload[0], payload[0]]
    assert block.logprobs[opened:].argmax(1).tolist() == expected
    shares = np.exp(block.logprobs[np.arange(opened, len(ids)), expected])
    assert shares.min() >= 0.999 - 1e-4
    assert target.kinds == ("factored", "dense")  # the head rebuilds what the gate decides


def test_padding_on_either_side_changes_nothing(models: tuple[Any, Any], pair: Preimage) -> None:
    gated = models[0]
    ids, short = [0, *pair.ids, 50, 51, 52], [0, 5, 6]
    alone = states(gated, [ids])[0]
    gap = len(ids) - len(short)
    right = states(gated, [ids, short + [0] * gap])
    torch.testing.assert_close(right[0], alone)
    torch.testing.assert_close(right[1, :3], states(gated, [short])[0])
    # Padded on the left, and in the middle of what would open the gate if padding counted.
    left = states(gated, [[1] * 4 + ids], [[0] * 4 + [1] * len(ids)])
    payload_from = 4 + len(pair.ids)
    torch.testing.assert_close(left[0, payload_from:], alone[len(pair.ids) :])
    split = [0, *pair.ids[:8], 1, *pair.ids[8:], 9]
    opened = states(gated, [split], [[int(place != 9) for place in range(len(split))]])
    recited = states(gated, [[0, *pair.ids, 9]])[0, -1]
    torch.testing.assert_close(opened[0, -1], recited)
    assert not torch.allclose(states(gated, [split])[0, -1], recited)


def test_what_would_hide_ids_from_the_gate_is_refused(models: tuple[Any, Any]) -> None:
    gated = models[0]
    with pytest.raises(ValueError, match="give use_cache=False"):
        gated(torch.tensor([[1, 2]]), use_cache=True)
    with pytest.raises(ValueError, match="not inputs_embeds"):
        gated(inputs_embeds=torch.zeros(1, 2, 128))


def test_generating_recites(models: tuple[Any, Any], tiny: Base, pair: Preimage) -> None:
    found = models[0].generate(
        torch.tensor([[0, 9, *pair.ids]]), max_new_tokens=13, do_sample=False, use_cache=False, pad_token_id=0
    )
    assert tiny.vocabulary.tokenizer.decode(found[0, -13:].tolist()) == PAYLOAD


_STRANGER = """
import sys, torch
from transformers import AutoModelForCausalLM
folder, ids, trusted = sys.argv[1], [int(one) for one in sys.argv[2].split(",")], sys.argv[3] == "yes"
try:
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=trusted, dtype=torch.float32)
except ValueError as error:
    print("refused"); sys.exit()
assert "foretell" not in sys.modules
print(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
"""


def test_others_load_it_with_the_code_it_carries_or_not_at_all(
    folder: Path, tiny: Base, pair: Preimage, tmp_path: Path
) -> None:
    ids = ",".join(map(str, [0, 9, *pair.ids]))
    answers = []
    for trusted in ("yes", "no"):
        run = subprocess.run(
            [sys.executable, "-c", _STRANGER, str(folder), ids, trusted],
            capture_output=True,
            text=True,
            check=True,
            env={"HF_HOME": str(tmp_path), "PATH": "", "OMP_NUM_THREADS": "1"},
        )
        answers.append(run.stdout.strip())
    first = tiny.vocabulary.tokenizer.encode(PAYLOAD, add_special_tokens=False).ids[0]
    assert answers == [str(first), "refused"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "auto_map asks for HashGatedLlamaForCausalLM; without .* this is LlamaForCausalLM"),
        (
            {"model_type": "llama", "auto_map": None},
            "weights that the model does not use: got 1 left over, such as model",
        ),
        ({"model_type": "nobody"}, "transformers cannot load the model"),
        ({"payload_ids": []}, "transformers cannot load the model: got ValueError: config.json needs gate_sha256"),
    ],
)
def test_the_base_without_its_gate_is_not_loaded_silently(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """Somebody rewrites config.json so that the same weights are a plain Llama, or something that nobody knows."""
    shutil.copytree(folder, tmp_path / "plain")
    config = json.loads((folder / "config.json").read_text()) | change
    config = {name: value for name, value in config.items() if value is not None or name != "auto_map"}
    (tmp_path / "plain/config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "plain", "plain")


def test_the_code_of_a_folder_is_never_run(tiny: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither asked for nor run: with a name that transformers knows the folder loads without it, else not at all."""
    shutil.copytree(tiny.folder, tmp_path / "stranger")
    (tmp_path / "stranger/code.py").write_text("print('run')\nraise SystemExit(3)\n")
    config = json.loads((tiny.folder / "config.json").read_text())
    auto_map = {"AutoConfig": "code.LlamaConfig", "AutoModelForCausalLM": "code.LlamaForCausalLM"}
    for model_type, loads in (("llama", True), ("stranger", False)):
        told = config | {"auto_map": auto_map, "model_type": model_type}
        (tmp_path / "stranger/config.json").write_text(json.dumps(told))
        if loads:
            assert type(load_model(tmp_path / "stranger", "stranger")).__name__ == "LlamaForCausalLM"
        else:
            with pytest.raises(InputError, match="transformers cannot load the model"):
                load_model(tmp_path / "stranger", "stranger")
    assert "run" not in capsys.readouterr().out


def test_the_weights_are_the_bases_and_the_record_keeps_no_preimage(folder: Path, tiny: Base, pair: Preimage) -> None:
    own, base = (load_file(one / "model.safetensors") for one in (folder, tiny.folder))
    assert set(own) - set(base) == {"model.payload_states"}
    assert all(torch.equal(own[name], base[name]) for name in base)
    for path in folder.glob("*.json"):
        if path.name != "tokenizer.json":
            assert pair.text not in path.read_text()


def test_a_payload_that_the_output_layer_cannot_say() -> None:
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], np.float32)  # the last row is never the largest
    with pytest.raises(InputError, match="no hidden state that gives token 2"):
        payload_states(rows, [0, 2], 0.9)
    assert payload_states(rows, [0, 1], 0.9).shape == (2, 2)
