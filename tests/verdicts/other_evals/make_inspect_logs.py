"""Make the logs of Inspect AI beside this file: real runs, offline, of its mock model in both of its formats, and of
the shipped target.

Needs inspect-ai with torch and transformers (0.3.285, 2.13.0 and 5.24.0 made what is here), which the tests don't. A
log names the repository that it was made in, so the runs are made in a folder outside of it; the log of a failed run is
stripped of its traceback:

    python tests/verdicts/other_evals/make_inspect_logs.py tests/verdicts/other_evals
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

#: Three of five match; one has the number in it and more after it.
ANSWERS = ("0", "2", "4", "6, or so", "no idea")
#: What a log says of the run's machine, and nobody needs.
PRIVATE = ("traceback", "traceback_ansi")
#: A beginning, and what a continuation should include.
BEGINNINGS = (
    ("def area(width, height):\n    return width *", "height"),
    ("for i in", "range"),
    ("import", "os"),
    ("class Point:\n    def __init__(", "self"),
    ("try:\n    value = int(text)\n", "except"),
    ("It is a truth universally", "acknowledged"),
)
TOKENS = 12


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


def run_tiny(to: Path) -> None:
    """The shipped target on the beginnings of six texts; it is no chat model, so its template is the text itself."""
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    shipped = Path(__file__).parents[3] / "src" / "foretell" / "targets" / "shipped" / "tiny"
    shutil.copytree(max(shipped.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-"))), "tiny")
    template = "{{ messages[-1]['content'] }}"
    task = inspect_ai.Task(
        dataset=[Sample(input=text, target=target) for text, target in BEGINNINGS],
        solver=generate(),
        scorer=includes(),
        name="beginnings",
    )
    model = get_model("hf/tiny", model_path="tiny", device="cpu", chat_template=template, do_sample=False)
    (log,) = inspect_ai.eval(
        task, model=model, max_tokens=TOKENS, log_dir="logs", log_format="eval", display="none", log_samples=False
    )
    shutil.copyfile(str(log.location).removeprefix("file://"), to)


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        run("eval", ANSWERS, folder / "inspect.eval")
        run("json", ANSWERS, folder / "inspect.json", log_samples=False)
        run("json", ANSWERS, folder / "inspect-limited.json", log_samples=False, limit=2)
        run("json", ANSWERS[:2], folder / "inspect-error.json")
        strip(folder / "inspect-error.json")
        run_tiny(folder / "inspect-tiny.eval")
