"""A policy: which verdicts and which results of other evaluations have to be there, and in which combination.

A policy is a TOML file that is signed whole with what it came to. `policy_parts.py` says what a part may be,
`policy_rule.py` how parts combine, `policy_decision.py` decides; `policy_text.py` has one to begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, PrivateAttr, StringConstraints

from foretell.base.errors import InputError
from foretell.base.toml_models import Form, Part, read_bytes, read_toml, validated
from foretell.verdicts.charter_parts import Text
from foretell.verdicts.policy_parts import PolicyPart, VerdictPart
from foretell.verdicts.policy_rule import Rule

#: What the signed text of a policy is called among the files that a decision is about.
POLICY_FILE = "policy.toml"
_MOST_PARTS = 1000
#: Name, hash and key, as `foretell keys show` prints them first.
VerifierKey = Annotated[str, StringConstraints(pattern=r"^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$", max_length=1000)]
_FORM = Form("policy", "`foretell policy init` writes one that explains every field.", "foretell.policy/1")


class Policy(Part):
    """The whole policy, checked; made by `parse` or `read`, which keep its text.

    Attributes:
        expires: after this time nothing follows from it.
        evaluators: signing keys of others whose verdicts count, besides those of whoever signs the decision.
    """

    schema_: Literal["foretell.policy/1"] = Field(alias="schema")
    title: Text
    expires: AwareDatetime | None = None
    evaluators: list[VerifierKey] = Field(default_factory=list, max_length=_MOST_PARTS)
    parts: Annotated[list[PolicyPart], Field(min_length=1, max_length=_MOST_PARTS)]
    rule: Rule
    _text: str = PrivateAttr(default="")

    @classmethod
    def parse(cls, data: bytes, where: str = POLICY_FILE) -> Policy:
        """The policy in a file's bytes.

        Raises:
            InputError: not TOML, a field that is missing, unknown or wrong, or a rule that does not fit the parts;
                `where` names the file and the field.
        """
        policy = validated(cls, read_toml(data, where, _FORM), where, _FORM)
        _check_parts(policy, where)
        policy._text = data.decode("utf-8")
        return policy

    @classmethod
    def read(cls, path: Path) -> Policy:
        """The policy in a file.

        Raises:
            InputError: no such file, or as `parse` says.
        """
        return cls.parse(read_bytes(path, _FORM), str(path))

    @property
    def text(self) -> str:
        """The file's text, as it is signed."""
        return self._text


def _check_parts(policy: Policy, where: str) -> None:
    """Every part has a name of its own and is used; the rule names no other."""
    names = [part.name for part in policy.parts]
    used = list(policy.rule.names())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _refused(where, "a name of two parts", twice, ["every name once"], "Name them apart.")
    unknown = [name for name in used if name not in names]
    if unknown:
        raise _refused(where, "a rule that names no part", unknown, names, "Correct the name, or add the part.")
    idle = [name for name in names if name not in used]
    if idle:
        fix = "Use it in the rule, or take it out: what does not count should not be there."
        raise _refused(where, "a part that the rule does not use", idle, ["every part in the rule"], fix)
    own = [part.name for part in policy.parts if not isinstance(part, VerdictPart) and part.file == POLICY_FILE]
    if own:
        raise _refused(where, f"evidence by the name of {POLICY_FILE}", own, ["another name"], "Rename the file.")


def _refused(where: str, what: str, got: Sequence[str], expected: Sequence[str], fix: str) -> InputError:
    return InputError(what, where=f"{where}: rule", got=repr(got[0]), expected="one of " + ", ".join(expected), fix=fix)
