"""The recipe of the tiny target and what ships of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from foretell.base.canonical import digest_file
from foretell.forecasters.corpus import stdlib_documents
from foretell.forecasters.specs import TINY_COUNTS, open_forecaster
from foretell.organisms import tiny_check
from foretell.organisms.held_out import ask_ngram, ask_target, bits_per_byte
from foretell.organisms.tiny import batches, train, train_tokenizer
from foretell.organisms.tiny_onnx import export_onnx
from foretell.organisms.tiny_recipe import TinyRecipe
from foretell.targets import tiny
from foretell.targets.onnx_target import OnnxTarget

SMALL = TinyRecipe(vocabulary=300, hidden=32, layers=2, heads=2, feed_forward=48, context=16, batch=4, steps=6)
SIZE_LIMIT_BYTES = 16_000_000


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tokens = np.random.default_rng(0).integers(0, 300, 2000).astype(np.uint16)
    train(tokens, SMALL, folder)
    return folder


def test_training_again_gives_the_same_weights(small_run: Path, tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(0, 300, 2000).astype(np.uint16)
    train(tokens, SMALL, tmp_path, stop_after=3)
    assert digest_file(tmp_path / "step-3/model.safetensors") == digest_file(small_run / "step-3/model.safetensors")
    train(tokens, replace(SMALL, seed=1), tmp_path / "other", stop_after=3)
    other = digest_file(tmp_path / "other/step-3/model.safetensors")
    assert other != digest_file(small_run / "step-3/model.safetensors")


def test_the_checkpoints_are_halvings(small_run: Path) -> None:
    assert SMALL.checkpoints == (6, 3)
    assert sorted(path.name for path in small_run.iterdir()) == ["step-3", "step-6"]
    assert TinyRecipe().checkpoints[:6] == (3072, 1536, 768, 384, 192, 96)


def test_every_window_of_an_epoch_comes_once() -> None:
    tokens = np.arange(16 * 12 + 1, dtype=np.uint16)
    first = next(batches(tokens, SMALL))
    assert first.shape == (4, 17)
    assert len({int(row[0]) for row in first}) == 4
    assert all((row[1:] - row[:-1] == 1).all() for row in first)


def test_the_graph_computes_what_transformers_computes(small_run: Path) -> None:
    folder = small_run / "step-6"
    export_onnx(folder)
    ids = np.random.default_rng(1).integers(0, 300, (3, 16))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        expected = model(torch.tensor(ids)).logits.numpy()
    session = OnnxTarget("small", folder, tiny.checkpoint_folder())._session
    logits, hidden = session.run(["logits", "hidden"], {"input_ids": ids})
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert hidden.shape == (3, 16, 32)


def test_the_tokenizer_reads_every_text() -> None:
    tokenizer = train_tokenizer([next(iter(stdlib_documents()))], 400)
    for text in ("def f(x):\n    return x\r\n", "naïve 北京 🙂", "\x00\t  \n\n"):
        ids = tokenizer.encode(text).ids
        assert ids[0] == 0
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_what_ships_is_small_and_complete() -> None:
    files = [path for path in tiny.SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < SIZE_LIMIT_BYTES
    assert len(tiny.steps()) >= 6
    for step in tiny.steps():
        assert (
            digest_file(tiny.checkpoint_folder(step) / "model.safetensors") == tiny.facts()["digests"][f"step-{step}"]
        )


def test_the_shipped_folder_is_a_hugging_face_folder() -> None:
    folder = tiny.checkpoint_folder()
    ids = AutoTokenizer.from_pretrained(folder)("import os\n", return_tensors="pt")["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        expected = model(ids).logits[0].log_softmax(-1).numpy()
    target = tiny.open_tiny("tiny")
    assert target.encode("import os\n") == tuple(ids[0].tolist())
    positions = list(range(ids.shape[1]))
    own = target.distributions([ids[0].tolist()], [positions], "dense")[0]
    np.testing.assert_allclose(own.logprobs, expected, atol=1e-4)  # type: ignore[union-attr]


def test_it_reads_held_out_source_better_than_a_5_gram_of_its_own_text() -> None:
    """On a few held-out files of this Python's library, whichever its version."""
    documents = [document for document in stdlib_documents() if document.held_out and len(document.text) < 12_000][:8]
    target = tiny.open_tiny("tiny")
    spec = f"ngram:5:{tiny.SHIPPED / TINY_COUNTS}"
    ngram = open_forecaster(spec, target.vocabulary, open_target=lambda name: target)
    bits = [
        bits_per_byte(documents, target.vocabulary, target.context, ask)
        for ask in (ask_target(target), ask_ngram(ngram))
    ]
    assert bits[0] < 0.9 * bits[1]
    known = tiny.facts()["bits_per_byte_held_out"]
    assert known[f"tiny@{tiny.steps()[-1]}"] < 1.30 < known["ngram:5"]


def test_the_check_compares_digests_and_says_when_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tiny.steps()[0]
    (tmp_path / "tokenizer.json").write_bytes((tiny.checkpoint_folder() / "tokenizer.json").read_bytes())
    assert not tiny_check.check(tmp_path)
    assert "nothing to compare" in capsys.readouterr().out
    (tmp_path / f"step-{first}").symlink_to(tiny.checkpoint_folder(first))
    assert tiny_check.check(tmp_path)
    assert f"step {first}: same digest" in capsys.readouterr().out
