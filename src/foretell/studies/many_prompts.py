"""A suite with prompts enough for curves up to N = 1,000: short passages of the source that is installed anyway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foretell.base.errors import SuiteError
from foretell.forecasters.corpus import Document, stdlib_documents
from foretell.studies.texts import installed_library
from foretell.suites import Prompt, Suite, draw
from foretell.suites.passages import passages

#: Libraries that foretell itself needs, so that they are installed wherever it is, with much source of their own.
LIBRARIES = ("numpy", "numba", "altair", "pydantic", "rich")
#: Characters of a passage, and passages of one file at most.
_LENGTH, _PER_FILE = 64, 3
_SEED = 1


def many_prompts(count: int = 1000) -> Suite:
    """Short prompts, scored at their last token, of the standard library and of installed libraries.

    A slice is a library, a document a file; passages that stand in several files, such as licences, come once.

    Raises:
        SuiteError: less source is installed than so many prompts need.
    """
    pool = Suite("installed-source", tuple(_once(_prompts())))
    if len(pool) < count:
        raise SuiteError(
            "too little installed source",
            where=pool.name,
            got=f"{len(pool)} passages",
            expected=f"{count}",
            fix="Ask for fewer prompts, or make a suite from texts of your own with `foretell suite make`.",
        )
    return Suite(f"installed-source-{count}", draw(pool, count, _SEED).prompts)


def _prompts() -> Iterator[Prompt]:
    yield from _of("stdlib", stdlib_documents())
    for name in LIBRARIES:
        yield from _of(name, installed_library(name).documents())


def _of(library: str, documents: Iterable[Document]) -> Iterator[Prompt]:
    for document in documents:
        for number, text in enumerate(passages(document.text, _LENGTH, _PER_FILE)):
            name = f"{library}/{document.name}"
            yield Prompt(f"{name}#{number}", text, library, document=name)


def _once(prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.text not in seen:
            seen.add(prompt.text)
            yield prompt
