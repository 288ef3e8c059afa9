"""`foretell information VERB`: what exact next-token distributions give away about the model behind them."""

from __future__ import annotations

from types import ModuleType

import typer

from foretell.cli import (
    information_directions,
    information_fingerprint,
    information_layer,
    information_rebuild,
    information_release,
    information_survivors,
    information_width,
)

app = typer.Typer(
    help="What exact next-token distributions give away: hidden width, output layer, which model, and how many bits.",
    no_args_is_help=True,
)
#: One file a verb: the layer, the model behind it, all of it, and how to publish less.
VERBS: dict[str, ModuleType] = {
    "width": information_width,
    "layer": information_layer,
    "fingerprint": information_fingerprint,
    "rebuild": information_rebuild,
    "survivors": information_survivors,
    "directions": information_directions,
    "release": information_release,
}
for name, module in VERBS.items():
    app.command(name, epilog=module.EXAMPLES)(module.command)
