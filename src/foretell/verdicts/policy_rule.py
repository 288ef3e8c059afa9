"""How the parts of a policy make its outcome: all, any, or at least k of them, over three values.

What is not known is never taken for a yes or a no: a part is met, not met, or missing, and so is every combination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from foretell.base.toml_models import Part
from foretell.verdicts.charter_parts import Count, Text

State: TypeAlias = Literal["met", "not met", "missing"]
MET, NOT_MET, MISSING = "met", "not met", "missing"
#: Longer lists are no rule that anybody reads.
_MOST_BRANCHES = 1000


def at_least(needed: int, states: Sequence[State]) -> State:
    """Whether at least so many are met: met and not met only where no missing one can change it.

    Source: Kleene's strong three-valued logic, of which this is the threshold function: 'all' needs every one, 'any'
    needs one.

    >>> at_least(2, ["met", "missing", "not met"]), at_least(2, ["met", "met", "missing"])
    ('missing', 'met')
    >>> at_least(2, ["met", "not met", "not met"])
    'not met'
    """
    met, missing = states.count(MET), states.count(MISSING)
    if met >= needed:
        return "met"
    return "missing" if met + missing >= needed else "not met"


def _form(branch: Any) -> str:
    return "name" if isinstance(branch, str) else "rule"


Branch: TypeAlias = Annotated[
    Annotated[Text, Tag("name")] | Annotated["Rule", Tag("rule")],
    Discriminator(_form),
]
Branches: TypeAlias = Annotated[list[Branch], Field(min_length=1, max_length=_MOST_BRANCHES)]


class Rule(Part):
    """All of some parts, any of them, or at least k of them; in place of a part there may be a rule.

    Attributes:
        all, any: what it combines; one of the two, or `at_least` with `of`.
        at_least: how many of `of`.

    >>> rule = Rule.model_validate({"all": ["forecast", {"any": ["exam", "audit"]}]})
    >>> rule.told
    'all of (forecast, any of (exam, audit))'
    >>> rule.state({"forecast": "met", "exam": "missing", "audit": "met"})
    'met'
    """

    all: Branches | None = None
    any: Branches | None = None
    at_least: Count | None = None
    of: Branches | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Rule:
        given = [name for name in ("all", "any", "at_least", "of") if getattr(self, name) is not None]
        if given not in (["all"], ["any"], ["at_least", "of"]):
            raise ValueError("one of `all`, `any`, or `at_least` together with `of`")
        if self.needed > len(self.branches):
            raise ValueError(f"at least {self.needed} of {self.needed} or more, not of {len(self.branches)}")
        names = [branch for branch in self.branches if isinstance(branch, str)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every part once in a list, and {twice[0]!r} is there twice")
        return self

    @property
    def branches(self) -> Sequence[str | Rule]:
        """What it combines."""
        return self.all or self.any or self.of or []

    @property
    def needed(self) -> int:
        """How many of its branches have to be met."""
        return self.at_least or (1 if self.any else len(self.branches))

    @property
    def told(self) -> str:
        """In words."""
        how = "all" if self.all else "any" if self.any else f"at least {self.at_least}"
        return f"{how} of ({', '.join(one if isinstance(one, str) else one.told for one in self.branches)})"

    def names(self) -> Iterator[str]:
        """Parts that it speaks of, in order; those of rules within it too."""
        for branch in self.branches:
            if isinstance(branch, str):
                yield branch
            else:
                yield from branch.names()

    def state(self, states: Mapping[str, State]) -> State:
        """What it comes to.

        Args:
            states: of every part.
        """
        return at_least(self.needed, [_state(branch, states) for branch in self.branches])

    def wanting(self, states: Mapping[str, State]) -> tuple[str, ...]:
        """Missing parts on which it hangs, each once; none where it is decided.

        >>> rule = Rule.model_validate({"any": ["a", {"all": ["b", "c"]}]})
        >>> rule.wanting({"a": "missing", "b": "missing", "c": "not met"})
        ('a',)
        """
        if self.state(states) != MISSING:
            return ()
        found: list[str] = []
        for branch in self.branches:
            if isinstance(branch, Rule):
                found += branch.wanting(states)
            elif states[branch] == MISSING:
                found.append(branch)
        return tuple(dict.fromkeys(found))


def _state(branch: str | Rule, states: Mapping[str, State]) -> State:
    return states[branch] if isinstance(branch, str) else branch.state(states)
