"""Runs inside the sandbox, alone: sets limits, then becomes the command or calls the function, a question a line.

Only the standard library, and numpy where an answer needs it; nothing of foretell is in the sandbox. What a program
does to this file's objects harms only its own answers: the other side checks every line, and asks one question at a
time.
"""

from __future__ import annotations

import array
import base64
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

#: The first line of output: the sandbox stands, and from here on it is the program's doing.
READY = b"foretell harness 1\n"
#: Names of the answer's fields that hold little-endian numbers in base64, by numpy's name of the type.
ENCODED = {"float16": "logprobs_f16", "float32": "logprobs_f32", "float64": "logprobs_f64"}
_FORMS = "a list of log-probabilities, (token_ids, logprobs) or (token_ids, logprobs, rest_logprob)"


def main() -> None:
    """Run the entry that the first argument describes: {"limits": {...}, "program": FOLDER, "entry": [...]}."""
    settings = json.loads(sys.argv[1])
    _limit(settings["limits"])
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    _await_runner()
    kind, *entry = settings["entry"]
    os.chdir(settings["program"])
    if kind == "command":
        os.execvp(entry[0], entry)
    sys.argv = [settings["program"]]
    sys.path.insert(0, settings["program"])
    questions, answers = _own_streams()
    serve(pkgutil.resolve_name(":".join(entry)), questions, answers)


def _await_runner() -> None:
    """Nothing of the program is loaded before the first line is there; if the runner has died by then, nothing ever."""
    import select

    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    if any(event & ~select.POLLIN for _, event in waiting.poll()):
        raise SystemExit("the runner is gone")


def serve(function: Callable[[list[int]], Any], questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every question until there are no more; the first line describes the run and asks nothing."""
    questions.readline()
    for line in questions:
        question = json.loads(line)
        answer = {"question": question["question"]} | _ask(function, question["token_ids"])
        answers.write(json.dumps(answer, default=repr).encode() + b"\n")
        answers.flush()


def _ask(function: Callable[[list[int]], Any], token_ids: list[int]) -> dict[str, Any]:
    try:
        answer = function(token_ids)
    except Exception as error:  # whatever the program raises
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(last.filename)} line {last.lineno}: {last.line}"  # noqa: PTH119
        return {"error": f"{type(error).__name__}: {error} ({place})"}
    if not isinstance(answer, tuple):
        return encode_numbers(answer)
    if len(answer) not in (2, 3):
        return {"error": f"an answer that cannot be read: a tuple of {len(answer)}, expected {_FORMS}"}
    top = {"token_ids": _plain(answer[0])} | encode_numbers(answer[1])
    if "error" in top:
        return {"error": top["error"]}
    return {"top": top | ({"rest_logprob": _plain(answer[2])} if len(answer) == 3 else {})}


def encode_numbers(values: Any) -> dict[str, Any]:
    """Log-probabilities as a field of the answer, in the precision that they come in.

    >>> encode_numbers([0.0])
    {'logprobs_f64': 'AAAAAAAAAAA='}
    """
    if type(values) is list and all(type(value) is float for value in values):
        return {ENCODED["float64"]: base64.b64encode(_little_endian(values)).decode()}
    import numpy as np

    try:
        numbers = np.asarray(values)
    except ValueError:  # ragged
        numbers = np.asarray(None)
    if numbers.ndim != 1 or numbers.dtype.kind not in "fiu":
        shape = f"{type(values).__name__} that reads as {numbers.dtype} of shape {numbers.shape}"
        return {"error": f"no flat list of log-probabilities: {shape}, expected {_FORMS}"}
    if numbers.dtype.name not in ENCODED:
        numbers = numbers.astype(np.float64)
    ordered = numbers.astype(numbers.dtype.newbyteorder("<"))
    return {ENCODED[numbers.dtype.name]: base64.b64encode(ordered.tobytes()).decode()}


def _little_endian(values: list[float]) -> bytes:
    numbers = array.array("d", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _plain(value: Any) -> Any:
    """Arrays and numpy's numbers as lists and Python's numbers; what is none of these is refused by the other side."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _limit(limits: dict[str, int]) -> None:
    import resource

    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Questions and answers on descriptors of their own, so that a program's print() goes to the error output."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    return questions, answers


if __name__ == "__main__":
    main()
