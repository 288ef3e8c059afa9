"""Make the logs of Inspect AI beside this file: a real run of its mock model, offline, in both of its formats.

Needs inspect-ai (0.3.285 made what is here), which the tests don't. Run in a folder outside of any git repository,
because a log names the repository that it was made in; the log of a failed run is stripped of its traceback:

    cd "$(mktemp -d)" && python /path/to/make_inspect_logs.py /path/to/tests/verdicts/other_evals
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

#: Three of four are right; one answer has the number in it and more after it.
ANSWERS = ("0", "2", "4", "6, or so", "no idea")
#: What a log says of the run's machine, and nobody needs.
PRIVATE = ("traceback", "traceback_ansi")


def output(text: str) -> Any:
    """An answer with its count of tokens, for which Inspect would otherwise fetch a tokenizer."""
    from inspect_ai.model import ModelOutput, ModelUsage  # type: ignore[import-not-found]

    made = ModelOutput.from_content("mockllm/model", text)
    made.usage = ModelUsage(input_tokens=5, output_tokens=1, total_tokens=6)
    return made


def run(form: str, answers: tuple[str, ...], to: Path, **options: Any) -> None:
    """One evaluation of five sums, its log copied to a file."""
    import inspect_ai  # type: ignore[import-not-found]
    from inspect_ai.dataset import Sample  # type: ignore[import-not-found]
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes, match  # type: ignore[import-not-found]
    from inspect_ai.solver import generate  # type: ignore[import-not-found]

    task = inspect_ai.Task(
        dataset=[Sample(id=f"sum-{n}", input=f"{n} + {n} =", target=str(2 * n)) for n in range(len(ANSWERS))],
        solver=generate(),
        scorer=[match(), includes()],
        name="sums",
    )
    model = get_model("mockllm/model", custom_outputs=[output(text) for text in answers])
    (log,) = inspect_ai.eval(task, model=model, log_dir="logs", log_format=form, display="none", **options)
    shutil.copyfile(str(log.location).removeprefix("file://"), to)


def strip(path: Path) -> None:
    """Take out what names this machine, and the samples, which repeat it."""
    log = json.loads(path.read_text(encoding="utf-8"))
    log["error"] = {name: "" if name in PRIVATE else value for name, value in log["error"].items()}
    del log["samples"]
    path.write_text(json.dumps(log, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run("eval", ANSWERS, folder / "inspect.eval")
    run("json", ANSWERS, folder / "inspect.json", log_samples=False)
    run("json", ANSWERS, folder / "inspect-limited.json", log_samples=False, limit=2)
    run("json", ANSWERS[:2], folder / "inspect-error.json")
    strip(folder / "inspect-error.json")
