"""Does this machine reproduce the shipped target? Compares checkpoints of a (short) run of the recipe with it.

    python -m foretell.organisms.tiny_check build/tiny-check

Equal digests mean the same weights to the bit. Other machines and versions round differently; then the bits per byte
on held-out files have to agree within 1%, and this prints both.
"""

from __future__ import annotations

import sys
from pathlib import Path

from foretell.base.canonical import digest_file
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import stdlib_documents
from foretell.organisms.held_out import ask_target, bits_per_byte
from foretell.organisms.tiny_onnx import export_onnx
from foretell.targets.onnx_target import OnnxTarget
from foretell.targets.tiny import checkpoint_folder, facts, open_tiny, steps

_AGREE = 0.01


def check(run: Path) -> bool:
    """Print one line a checkpoint that both have; whether all agree, to the bit or within 1% in bits per byte."""
    same_tokenizer = digest_file(run / "tokenizer.json") == facts()["digests"]["tokenizer"]
    print(f"tokenizer: {'same digest' if same_tokenizer else 'other digest'}")
    compared = [_compare(run / f"step-{step}", step) for step in steps() if (run / f"step-{step}").is_dir()]
    if not compared:
        print(f"nothing to compare: {run} has none of the checkpoints {steps()}")
    return bool(compared) and all(compared)


def _compare(folder: Path, step: int) -> bool:
    if digest_file(folder / "model.safetensors") == facts()["digests"][f"step-{step}"]:
        print(f"step {step}: same digest")
        return True
    export_onnx(folder)
    mine = OnnxTarget("rerun", folder, folder.parent)
    shipped = open_tiny(f"tiny@{step}")
    held_out = [document for document in stdlib_documents() if document.held_out]
    bits = [
        bits_per_byte(held_out, Vocabulary.load(where), mine.context, ask_target(target))
        for target, where in ((mine, folder.parent), (shipped, checkpoint_folder()))
    ]
    agree = abs(bits[0] / bits[1] - 1) <= _AGREE
    print(f"step {step}: other digest; bits per byte {bits[0]:.4f} against {bits[1]:.4f} shipped")
    return agree


if __name__ == "__main__":
    sys.exit(0 if check(Path(sys.argv[1])) else 1)
