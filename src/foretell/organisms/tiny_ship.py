"""Turning a finished training of the tiny target into what ships: checkpoints in two formats, counts, and facts.

python -m foretell.organisms.tiny_ship build/tiny build/shipped-tiny
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file
from foretell.distributions import Vocabulary
from foretell.forecasters.corpus import stdlib_documents
from foretell.forecasters.specs import TINY_COUNTS, build_table, open_forecaster
from foretell.organisms.held_out import ask_ngram, ask_target, bits_per_byte
from foretell.organisms.tiny_onnx import export_onnx
from foretell.organisms.tiny_recipe import TOKENIZER_SETTINGS
from foretell.targets.onnx_target import OnnxTarget

#: The checkpoints that ship: each has seen twice as much text as the one before.
SHIPPED_STEPS = (96, 192, 384, 768, 1536, 3072)
COUNTS_ORDER = 5


def ship(run: Path, shipped: Path) -> dict[str, Any]:
    """Write the shipped folder from a run of the recipe, measure it on held-out files, and return the facts.

    Args:
        run: what `foretell.organisms.tiny.main` wrote.
        shipped: replaced; see `foretell.targets.tiny`.
    """
    shutil.rmtree(shipped, ignore_errors=True)
    for step in SHIPPED_STEPS:
        folder = shipped / f"step-{step}"
        shutil.copytree(run / f"step-{step}", folder)
        export_onnx(folder)
    last = shipped / f"step-{SHIPPED_STEPS[-1]}"
    shutil.copy(run / "tokenizer.json", last)
    (last / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_SETTINGS, indent=2) + "\n")
    vocabulary = Vocabulary.load(last)
    build_table("stdlib", vocabulary, COUNTS_ORDER, shipped / TINY_COUNTS)
    facts = json.loads((run / "recipe.json").read_text()) | _facts(shipped, last, vocabulary)
    (shipped / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    return dict(facts)


def _facts(shipped: Path, last: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    held_out = [document for document in stdlib_documents() if document.held_out]
    targets = {step: OnnxTarget(f"tiny@{step}", shipped / f"step-{step}", last) for step in SHIPPED_STEPS}
    asks = {target.identity.name: ask_target(target) for target in targets.values()}
    for order in range(2, COUNTS_ORDER + 1):
        spec = f"ngram:{order}:{shipped / TINY_COUNTS}"
        asks[f"ngram:{order}"] = ask_ngram(open_forecaster(spec, vocabulary, open_target=_no_target))
    context = targets[SHIPPED_STEPS[-1]].context
    bits = {name: bits_per_byte(held_out, vocabulary, context, ask) for name, ask in asks.items()}
    return {
        "licence": "Apache-2.0",
        "text": {"name": f"standard library of Python {platform.python_version()}", "licence": "PSF-2.0"},
        "held_out": {"files": len(held_out), "bytes": sum(len(d.text.encode()) for d in held_out)},
        "bits_per_byte_held_out": bits,
        "digests": {f"step-{s}": digest_file(shipped / f"step-{s}" / "model.safetensors") for s in SHIPPED_STEPS}
        | {"tokenizer": vocabulary.digest},
    }


def _no_target(spec: str) -> Any:
    raise AssertionError(f"n-grams need no target: {spec}")


if __name__ == "__main__":
    print(json.dumps(ship(Path(sys.argv[1]), Path(sys.argv[2])), indent=2))
