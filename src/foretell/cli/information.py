"""`foretell information VERB`: what exact next-token distributions give away about the model behind them."""

from __future__ import annotations

from types import ModuleType

import typer

from foretell.cli import information_fingerprint, information_layer, information_release, information_width

app = typer.Typer(
    help="What exact next-token distributions give away: hidden width, output layer, which model, and how many bits.",
    no_args_is_help=True,
)
#: One file a verb, from the least that is given away to the most.
VERBS: dict[str, ModuleType] = {
    "width": information_width,
    "layer": information_layer,
    "fingerprint": information_fingerprint,
    "release": information_release,
}
for name, module in VERBS.items():
    app.command(name, epilog=module.EXAMPLES)(module.command)
