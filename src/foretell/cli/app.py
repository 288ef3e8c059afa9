"""The command line itself: verbs in groups, and one place where every error becomes a message and an exit code."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from foretell import __version__
from foretell.base.errors import ForetellError
from foretell.cli import (
    charter,
    collect,
    commit,
    demo,
    diff,
    forecast,
    information,
    inspect_forecast,
    judge,
    keys,
    ladder,
    lineage,
    opening,
    organism,
    plan,
    policy,
    publish,
    report,
    reveal,
    run,
    scale,
    score,
    seal,
    stamp,
    study,
    suite,
    table,
    transfer,
    verify,
    watch,
)
from foretell.cli.console import err, out


class _InOrder(TyperGroup):
    """Commands as the panels list them; the library would put groups of commands last."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for modules in _PANELS.values() for name in modules]


app = typer.Typer(
    name="foretell",
    cls=_InOrder,
    help="Can you predict your model before you trust it? Forecast a language model's next-token probabilities before "
    "you see them; foretell measures how far off you were, and what that is worth.\n\n"
    "Start with: foretell demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done and passed, 1 a bug of ours, 2 bad input or usage, 3 damaged files, 4 this machine "
    "lacks something (an extra, disk, network), 5 a model server failed, 10 verdict fail, 11 inconclusive, "
    "12 inadmissible, 13 verification failed.",
)
_INTERRUPTED = 130
_PANELS = {
    "Measure (in the order of the flow)": {
        "demo": demo,
        "suite": suite,
        "collect": collect,
        "forecast": forecast,
        "score": score,
        "diff": diff,
        "scale": scale,
        "report": report,
        "table": table,
    },
    "Prove (in the order of an attempt)": {
        "keys": keys,
        "plan": plan,
        "charter": charter,
        "seal": seal,
        "open": opening,
        "commit": commit,
        "run": run,
        "reveal": reveal,
        "judge": judge,
        "publish": publish,
        "stamp": stamp,
        "verify": verify,
    },
    "Govern": {
        "lineage": lineage,
        "watch": watch,
        "ladder": ladder,
        "policy": policy,
    },
    "Study": {
        "organism": organism,
        "transfer": transfer,
        "inspect": inspect_forecast,
        "information": information,
        "study": study,
    },
}
for panel, modules in _PANELS.items():
    for name, module in modules.items():
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, epilog=module.EXAMPLES)(module.command)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """Options of foretell itself."""
    if version:
        out.print(f"foretell {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; every error of ours ends in one message and its family's exit code."""
    try:
        app()
    except ForetellError as error:
        if any(argument == "--json" or argument.startswith("--json=") for argument in sys.argv[1:]):
            sys.stderr.write(json.dumps(error.parts(), ensure_ascii=False) + "\n")
        else:
            err.print(f"[bold red]{type(error).__name__}[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:  # typer ends so after Ctrl-C, without a word
            err.print("Stopped. Run the same command again to go on.")
        raise
