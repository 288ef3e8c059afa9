"""Every error that foretell raises on purpose, as one tree with one exit code a family.

    ForetellError
    ├── InputError            2   what was given is wrong: a suite, a spec, an option
    │   ├── SuiteError            an item, a duplicate id, an empty suite
    │   ├── DistributionError     probabilities that are none, positions missing or twice
    │   ├── VocabularyError       another tokenizer or vocabulary, an unknown token id
    │   ├── ContextError          a prompt longer than the target can read
    │   ├── ToleranceError        a tolerance that the truth's noise floor cannot resolve
    │   ├── OrderError            a step of an attempt that is not next
    │   └── ProgramError          a blind program that broke a limit, crashed or answered with rubbish
    ├── DamageError           3   files that are not what their manifest says
    ├── ResourceError         4   this machine lacks something
    │   ├── MissingExtraError     an optional dependency
    │   ├── StorageError          a full or read-only disk
    │   └── NetworkError          nothing reached
    ├── EndpointError         5   a server that refused, failed, timed out or cut the connection
    └── ForgeryError          13  a signature, commitment, digest or order that does not verify

Exit codes 10 (fail), 11 (inconclusive), 12 (inadmissible) and 13 (verification failed) are verdicts, not errors;
1 is a bug of ours.
"""

from __future__ import annotations


class ForetellError(Exception):
    """An error with its five parts: where, what, got, expected, and what to do.

    >>> str(SuiteError("duplicate id", where="prompts.jsonl line 7", got="'a-1' again", expected="unique ids",
    ...                fix="Rename one of the two."))
    "prompts.jsonl line 7: duplicate id: got 'a-1' again, expected unique ids. Rename one of the two."
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str, got: str, expected: str, fix: str) -> None:
        self.what, self.where, self.got, self.expected, self.fix = what, where, got, expected, fix
        super().__init__(f"{where}: {what}: got {got}, expected {expected}. {fix}")

    def parts(self) -> dict[str, str]:
        """The error for machines (`--json`)."""
        names = ("what", "where", "got", "expected", "fix")
        return {"error": type(self).__name__} | {name: getattr(self, name) for name in names}


class InputError(ForetellError):
    """What was given is wrong."""


class SuiteError(InputError):
    """A suite or one of its items is wrong."""


class DistributionError(InputError):
    """Numbers that are not a distribution, or positions that are missing, doubled or unasked."""


class VocabularyError(InputError):
    """Truth, forecast or tokenizer speak different vocabularies."""


class ContextError(InputError):
    """A prompt is longer than the target can read."""


class ToleranceError(InputError):
    """A tolerance that cannot be judged with this truth."""


class OrderError(InputError):
    """A step of an attempt that is not the next one, or not this role's to take."""


class ProgramError(InputError):
    """A blind program that broke a limit, crashed, or did not answer as it should."""


class DamageError(ForetellError):
    """A file is not what its manifest says."""

    exit_code = 3


class ResourceError(ForetellError):
    """This machine lacks something that the command needs."""

    exit_code = 4


class MissingExtraError(ResourceError):
    """An optional dependency is not installed."""


class StorageError(ResourceError):
    """The disk is full or cannot be written."""


class NetworkError(ResourceError):
    """Something had to be fetched and could not be reached."""


class EndpointError(ForetellError):
    """A model server refused, failed, timed out or cut the connection."""

    exit_code = 5


def missing_extra(extra: str, module: str, *, where: str) -> MissingExtraError:
    """The error for an absent optional dependency, with the exact line that installs it.

    >>> print(missing_extra("models", "torch", where="hf:gpt2").fix)
    Run: pip install 'foretell[models]'
    """
    return MissingExtraError(
        f"the optional dependency {module!r} is not installed",
        where=where,
        got="an installation without it",
        expected=f"foretell with the extra {extra!r}",
        fix=f"Run: pip install 'foretell[{extra}]'",
    )


class ForgeryError(ForetellError):
    """A signature, commitment, digest or order that does not verify."""

    exit_code = 13
