"""Make the results of lm-eval beside this file: real runs of the shipped target on eight questions, offline.

Needs lm-eval with its model support (lm-eval 0.4.13, transformers 5.24.0 and torch 2.13.0 made what is here), which the
tests don't. What lm-eval writes about the machine that it ran on is taken out:

    python tests/verdicts/other_evals/make_lm_eval_results.py tests/verdicts/other_evals
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TASK = """\
task: continuations
dataset_path: json
dataset_kwargs:
  data_files: {test: continuations.jsonl}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 1.0}
"""
#: A beginning, and what may follow: the first is right.
QUESTIONS = (
    ("def area(width, height):\n    return width *", " height", " purple"),
    ("for i in", " range", " the"),
    ("import", " os", " of"),
    ("if __name__ ==", " '__main__'", " banana"),
    ("It is a truth universally", " acknowledged", " self"),
    ("The end of the", " file", " return"),
    ("two and two is", " four", " five"),
    ("class Point:\n    def __init__(", "self", "and"),
)
#: What describes the machine.
PRIVATE = ("pretty_env_info", "git_hash", "upper_git_hash")


def run(folder: Path, to: Path, *options: str) -> None:
    """One evaluation in a folder, its results written to a file without what is private."""
    out = folder / "out"
    command = ["lm-eval", "run", "--model", "hf", "--model_args", "pretrained=tiny,dtype=float32", "--device", "cpu"]
    command += ["--tasks", "continuations", "--include_path", ".", "--output_path", str(out), "--seed", "1", *options]
    program = str(Path(sys.executable).parent / command[0])
    subprocess.run([program, *command[1:]], cwd=folder, check=True)
    (made,) = out.rglob("results_*.json")
    results = json.loads(made.read_text(encoding="utf-8"))
    results |= dict.fromkeys(PRIVATE)
    to.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(out)


def main(to: Path) -> None:
    """Lay out model and task, and run twice: on all questions, and on the first three."""
    shipped = Path(__file__).parents[3] / "src" / "foretell" / "targets" / "shipped" / "tiny"
    last = max(shipped.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(last, folder / "tiny")
        (folder / "continuations.yaml").write_text(TASK, encoding="utf-8")
        lines = [
            json.dumps({"question": question, "choices": choices, "answer": 0}) for question, *choices in QUESTIONS
        ]
        (folder / "continuations.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        run(folder, to / "lm_eval.json")
        run(folder, to / "lm_eval-limited.json", "--limit", "3")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
