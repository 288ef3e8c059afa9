"""`python:MODULE:FUNCTION`: a function from token ids to log-probabilities, called once a position."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError
from foretell.distributions import Block, DenseBlock, TokenizedPrompt, TopKBlock, concatenate
from foretell.forecasters.rows import RowRules, full_row, listed_row, one_number, stack_listed

_FIX = "Correct the function; it gets a list of token ids and answers for the token that comes next."


class PythonForecaster:
    """A function of the user's, in this process.

    The function gets the token ids 0 … t as a list, and returns one of
    - V log-probabilities (a list or array);
    - a tuple (token_ids, logprobs): what is not listed is one mass, 1 minus the listed;
    - a tuple (token_ids, logprobs, rest_logprob).

    It answers in the same form each time. Every answer is checked.

    Args:
        module: a module's name, or the path of a `.py` file.

    Raises:
        InputError: no such module, file or function, or it fails while being loaded.
    """

    def __init__(self, module: str, function: str, rules: RowRules) -> None:
        self.name = f"python:{module}:{function}"
        self.rules = rules
        self._module = _load(module, self.name)
        found = getattr(self._module, function, None)
        if not callable(found):
            raise InputError(
                "no such function",
                where=self.name,
                got=f"nothing callable named {function!r}",
                expected=f"a function in {module}",
                fix="Check the name: python:MODULE:FUNCTION, or python:FILE.py:FUNCTION.",
            )
        self._function: Callable[[list[int]], Any] = found
        self._kind: type[Block] | None = None

    def describe(self) -> dict[str, Any]:
        """Name and digest of the source file; what that file imports is not covered."""
        source = inspect.getsourcefile(self._module)
        return {
            "forecaster": "python function",
            "source": digest_file(Path(source)) if source else "not a file",
            "vocabulary": self.rules.vocabulary,
            "renormalise": self.rules.renormalise,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Any prompt can be asked."""

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        """Ask the function at every scored position.

        Raises:
            InputError: the function raised; the message has the prompt and the last line of the traceback.
            DistributionError, VocabularyError: its answer is no distribution over the vocabulary.
        """
        blocks = [self._ask(prompt, position) for position in prompt.positions]
        listed = [block for block in blocks if isinstance(block, TopKBlock)]
        return stack_listed(listed) if listed else concatenate([*blocks])

    def _ask(self, prompt: TokenizedPrompt, position: int) -> Block:
        where = f"{self.name} (prompt {prompt.id!r} position {position})"
        try:
            answer = self._function(list(prompt.token_ids[: position + 1]))
        except Exception as error:  # whatever a user's function raises
            raise _failed(error, where) from error
        block = self._read(answer, where)
        if self._kind not in (None, type(block)):
            raise InputError(
                "answers of two forms",
                where=where,
                got="a full vector here and listed tokens elsewhere, or the other way round",
                expected="one form for all positions",
                fix=_FIX,
            )
        self._kind = type(block)
        return block

    def _read(self, answer: Any, where: str) -> DenseBlock | TopKBlock:
        if not isinstance(answer, tuple):
            return full_row(answer, self.rules, where)
        match answer:
            case (ids, logprobs):
                return listed_row(ids, logprobs, None, self.rules, where)
            case (ids, logprobs, rest):
                return listed_row(ids, logprobs, one_number(rest, where), self.rules, where)
        raise InputError(
            "an answer that cannot be read",
            where=where,
            got=f"a tuple of {len(answer)}",
            expected="a list of log-probabilities, (token_ids, logprobs) or (token_ids, logprobs, rest_logprob)",
            fix=_FIX,
        )


def _failed(error: Exception, where: str) -> InputError:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return InputError(
        "the function failed",
        where=where,
        got=f"{type(error).__name__}: {error} ({Path(last.filename).name} line {last.lineno}: {last.line})",
        expected="an answer for every prompt",
        fix=_FIX,
    )


def _load(module: str, where: str) -> ModuleType:
    try:
        if not module.endswith(".py"):
            return importlib.import_module(module)
        spec = importlib.util.spec_from_file_location(f"foretell_function_{Path(module).stem}", module)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    except Exception as error:  # whatever a user's module raises
        raise InputError(
            "cannot load the module",
            where=where,
            got=f"{type(error).__name__}: {error}",
            expected="an importable module, or the path of a .py file",
            fix="Check the name; a module that is not installed can be given by its path.",
        ) from error
    return loaded
