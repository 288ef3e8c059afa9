"""Write docs/studies/smollm2.md from the results of smollm2.sh: python docs/studies/smollm2_page.py build/smollm2."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from foretell.cli.console import nats

PAGE = Path(__file__).with_name("smollm2.md")


def row(entry: dict[str, Any]) -> str:
    """One forecast as a table row."""
    kl, metrics = entry["kl_nats"], entry["metrics"]
    worst = entry["worst_slice"]
    name = entry["name"].replace("build/smollm2/text.safetensors", "TEXT").replace("build/text", "TEXT")
    cells = [
        name,
        nats(kl["mean"], 4),
        f"{kl['lo']:.4f} to {kl['hi']:.4f}",
        nats(metrics["kl_nats"], 4),
        nats(metrics["top1_agreement"]),
        nats(metrics["tv"]),
        nats(metrics["kl_bits_per_byte"]),
        f"{worst['slice']} {nats(worst['mean'])}",
        entry["verdict"]["decision"],
    ]
    return "| " + " | ".join(cells) + " |\n"


def table(result: dict[str, Any]) -> str:
    """All forecasts of a score."""
    head = ["forecast", "mean (capped)", "95% bounds", "mean (uncapped)", "top-1", "TV", "bits/byte", "worst slice"]
    lines = "| " + " | ".join([*head, "verdict"]) + " |\n" + "|---" * (len(head) + 1) + "|\n"
    return lines + "".join(row(entry) for entry in result["forecasts"])


def what(result: dict[str, Any]) -> str:
    """What was measured, in a line."""
    truth = result["truth"]
    noise = truth["noise_floor"]
    return (
        f"Truth: {truth['name'] if '127.0.0.1' not in truth['name'] else 'llama.cpp server'}, {truth['engine']}, "
        f"{truth['kind']}; {truth['prompts']} prompts, {truth['positions']} positions; noise floor "
        f"{noise['kl_nats']:.1e} nats, largest {noise['max_kl_nats']:.1e} ({noise['method']}).\n\n"
    )


def page(folder: Path) -> str:
    """The whole page."""
    score, int8, engines = (json.loads((folder / f"{n}.json").read_text()) for n in ("score", "int8", "engines"))
    return f"""# SmolLM2-135M: what text knows of it, its int8 copy, and another engine

Made by `docs/studies/text.sh build/text`, `docs/studies/smollm2.sh build/text build/smollm2` and
`docs/studies/smollm2_page.py build/smollm2`. TEXT is 13 MB of English: the Jargon File, Jane Austen, the Linux
kernel's documentation. KL divergence in nats; {score["settings"]["floor"]:g} floor.

## How far do text-only references get?

{what(score)}{table(score)}
The tolerance was {score["settings"]["tolerance_nats"]:g} nat. The 5-gram and the infini-gram know this text and not
the model's; a reference with more of the model's own training text would do better.

![The report of this run](smollm2.png)

## How far is the int8 copy from its original?

`foretell diff smollm2 int8:smollm2` on 100 prompts drawn from foretell-300: torch's dynamic quantisation of
every linear layer.

{what(int8)}{table(int8)}
A large distance. torch's dynamic quantisation takes one scale for all activations of a tensor, which is coarse; why it
costs this model so much was not looked into.

## How far is one engine from another?

`foretell diff endpoint:URL smollm2 --top 100 --cap 1` on the same 100 prompts: llama.cpp's server on the same GGUF
file is the truth, known on its 100 likeliest tokens, so the divergence is an interval; torch in float32 on the
dequantised weights is the forecast.

{what(engines)}{table(engines)}
The upper end is what is possible, not what is likely: the mass that the server does not list could lie on the tokens
to which the forecast gives least. A larger --top narrows it. Both read the same 4-bit weights. llama.cpp also rounds
activations to 8 bits in its matrix products, torch does not.
"""


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
