"""The command `foretell`: one file a verb, in the order of the flow; `main` turns errors into messages and codes."""

from foretell.cli.app import main

__all__ = ["main"]
