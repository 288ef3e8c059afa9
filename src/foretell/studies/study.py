"""What a study is: a question, the code that answers it with numbers, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from foretell.base.errors import InputError
from foretell.studies.workshop import Workshop

#: The claims and objections that studies are about, in our own words.
CLAIMS = {
    "D1": "Predicting outputs precisely over diverse prompts needs knowledge of the model's own workings; below some "
    "threshold of misprediction, statistics of text no longer do.",
    "D2": "Statistics of the training text, and practice at the next-token game, get part of the way.",
    "D3": "One could read web text superbly, and predict a model without understanding it: its details would be "
    "irrelevant.",
    "D4": "One could train another, similar model and watch that; nothing would be understood.",
    "D6": "Understanding the parts is not understanding the composite: what is composed of helpers must itself be "
    "predicted.",
    "D7": "Even a perfect score says nothing off the sampled distribution: a deceptive model behaves until it sees its "
    "chance.",
    "D8": "A trigger like the preimage of a hash can't be sampled at all.",
    "D11": "Models should grow step by step, each only after the one before was predicted, with forecasts throughout "
    "training.",
    "D12": "Exact logits leak bits about the internals; how many is open.",
    "D13": "Given a tolerance, a range of algorithms gives the same logits: 200 distributions may not pin the model "
    "down.",
    "D16": "A model could be trained to be easy to predict on the test without being understood.",
    "D17": "If a model is only slightly fine-tuned, the old understanding should still predict it.",
    "D18": "The metric rewards small vocabularies.",
    "D19": "Responses to unseen prompts can be rebuilt from the model's answers to unrelated prompts.",
}
EACH_ALONE = (
    "Bounds hold with 95% confidence, each by itself: those of one page do not hold all at once. They cover the draw "
    "of prompts from what the suite's prompts are a sample of, and not the choice of models, texts or seeds."
)


@dataclass(frozen=True)
class Table:
    """Numbers of a page.

    Attributes:
        columns: heads; the first column is aligned to the left, the others to the right.
        rows: texts, as many in each as there are columns.

    Raises:
        ValueError: a row of another length.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise ValueError(f"table {self.title!r}: {len(wrong[0])} cells for {len(self.columns)} columns")


@dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes:
        answer: sentences made from the numbers, with bounds; the first one answers the question.
        figure: an altair chart, or SVG as `reports.plots.intervals_file` gives it.
        caption: what the figure shows, its axes and what its bars are.
        facts: everything for machines (JSON).
        bounds: which confidence the bounds have, and whether together.
        method: sentences on what was done that the workshop cannot know (definitions, corpora).

    Raises:
        ValueError: no answer.
    """

    answer: tuple[str, ...]
    tables: tuple[Table, ...]
    figure: Any
    caption: str
    facts: dict[str, Any]
    bounds: str = EACH_ALONE
    method: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.answer:
            raise ValueError("findings without an answer")


@dataclass(frozen=True)
class Study:
    """One question with what answers it.

    Attributes:
        number: of the page, NN-name.
        claims: keys of CLAIMS.
        limits: what the answer does not say.
        minutes: what a full run takes on 2 cores, about, with the training of its organisms.

    Raises:
        ValueError: an unknown claim.
    """

    number: int
    name: str
    question: str
    claims: tuple[str, ...]
    limits: tuple[str, ...]
    minutes: int
    run: Callable[[Workshop], Findings]

    def __post_init__(self) -> None:
        unknown = [claim for claim in self.claims if claim not in CLAIMS]
        if unknown:
            raise ValueError(f"study {self.name}: no claim {unknown[0]}")

    @property
    def page(self) -> str:
        """Name of the page's files, without their endings.

        >>> Study(7, "logs", "?", ("D19",), (), 5, lambda workshop: None).page
        '07-logs'
        """
        return f"{self.number:02d}-{self.name}"


def find_study(studies: dict[str, Study], name: str) -> Study:
    """The study of that name.

    Raises:
        InputError: there is none, with those that there are.
    """
    if name not in studies:
        raise InputError(
            "no such study",
            where="foretell study run",
            got=repr(name),
            expected="one of " + ", ".join(studies),
            fix="`foretell study list` says what each asks.",
        )
    return studies[name]
