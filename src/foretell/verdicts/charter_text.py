"""Writing a charter: TOML in which a comment explains every field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_HEAD = """\
# What will be asked, measured and concluded, fixed before anybody has seen a prompt.
# The SHA-256 of this file's bytes names it: after `foretell charter sign`, as much as a changed comment makes another.
"""
#: Table, field, comment; in the order of the file. A field that is absent from the content is left out.
_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("", "schema", "The format of this file."),
    ("", "title", "What this attempt is about, for readers."),
    ("target", "name", "The spec that the target is opened by."),
    ("target", "weights", "Digest of its weights."),
    ("target", "future", "The model that is meant, in words: it does not exist yet, or nobody here has it."),
    ("target", "tokenizer", "Digest of its tokenizer.json; forecasts are over its tokens."),
    ("target", "engine", "What computes its answers."),
    ("target", "dtype", "What it computes in."),
    ("pool", "name", "The suite that prompts will be drawn from; the evaluator keeps it."),
    ("pool", "commitment", "Root over salted commitments to every prompt of it: none can be swapped later."),
    ("pool", "prompts", "How many prompts it has."),
    ("pool", "slices", "How many of them each slice has."),
    ("draw", "prompts", "How many prompts will be drawn, each slice in proportion to the pool."),
    ("", "weights", "What each prompt of a slice counts for; without an entry, what the pool says."),
    ("score", "metric", "The loss of a forecast at a position; averaged over a prompt's positions, then over prompts."),
    (
        "score",
        "tolerance",
        "The mean loss, in the metric's unit, that is good enough: pass if the upper bound is within.",
    ),
    ("score", "cap", "A prompt's loss above this counts as this; bounds on a mean widen with it."),
    ("score", "level", "Two-sided confidence of all bounds."),
    ("score", "floor", "The epsilon of (1 - epsilon)*forecast + epsilon*uniform, which is what is scored."),
    ("score", "top_k", "How many of the target's likeliest tokens topk_logprob_rmse grades."),
    ("score", "tail", "How the rest of a forecast that lists its top k only is spread over the other tokens."),
    ("score", "slice_tolerances", "Slices that must meet a tolerance of their own too, for a pass."),
    (
        "track",
        "kind",
        "open: the team sees the prompts; blind: it sends a program; prospective: before there is a target.",
    ),
    ("track", "deadline", "Forecasts or programs are taken until then (UTC)."),
    (
        "helpers",
        "rule",
        "Other systems behind a forecast: none, declared (each named), or approved (each AI has passed this test too).",
    ),
    ("approval", "valid_days", "A pass lets the target help to forecast others for so many days."),
    ("blind", "size_budget_bytes", "The program's files together; its size is reported beside its score."),
    ("blind", "seconds", "Its time for the whole run."),
    ("blind", "memory_bytes", "Its memory."),
    ("blind", "processes", "Its processes and threads."),
    ("blind", "output_bytes", "What it may print."),
    ("evaluator", "key", "The evaluator's statements are checked with this (C2SP signed note, Ed25519)."),
    ("evaluator", "recipient", "What only the evaluator may read is encrypted to this (age)."),
    ("team", "key", "The team's statements are checked with this."),
    ("team", "recipient", "What only the team may read is encrypted to this."),
)
_DELETE = "\x7f"


def charter_toml(content: Mapping[str, Any]) -> str:
    """The content of a charter as its file; it is not checked here.

    Args:
        content: by table, what `Terms` describes; absent and empty fields are left out.
    """
    lines = [_HEAD.rstrip()]
    table = ""
    for where, field, comment in _FIELDS:
        value = content.get(field) if where == "" else (content.get(where) or {}).get(field)
        if value is None or value == {}:
            continue
        name = f"{where}.{field}" if where else field
        if isinstance(value, Mapping):
            lines += ["", f"# {comment}", f"[{name}]", *(f"{_text(key)} = {_value(own)}" for key, own in value.items())]
            continue
        if where != table:
            lines += ["", f"[{where}]"]
            table = where
        elif not where:
            lines.append("")
        lines += [f"# {comment}", f"{field} = {_value(value)}"]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    r"""A value in TOML.

    >>> _value("a\nb"), _value(1e-6), _value(3)
    ('"a\\nb"', '1e-06', '3')
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    moment: str = value.isoformat()
    return moment.replace("+00:00", "Z")


def _text(text: str) -> str:
    """A basic string of TOML: what JSON escapes, and the delete character, which JSON does not."""
    return json.dumps(text, ensure_ascii=False).replace(_DELETE, "\\u007f")
