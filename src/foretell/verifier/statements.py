"""What may stand in a log: the kinds of statements, what each has to say, and the order of an attempt's steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Steps of an attempt by track; a charter stands before them.
ORDER: Mapping[str, tuple[str, ...]] = {
    "open": ("seal", "open", "commit", "reveal", "judge", "publish"),
    "prospective": ("seal", "open", "commit", "reveal", "judge", "publish"),
    "blind": ("seal", "commit", "run", "reveal", "judge", "publish"),
}
#: What each statement's predicate must hold, besides `previous` and `time`.
_FIELDS: Mapping[str, dict[str, type]] = {
    "charter": {"text": str},
    "seal": {"charter": str, "attempt": int, "indices": list},
    "open": {"charter": str, "attempt": int, "openings": str},
    "commit": {"charter": str, "attempt": int, "name": str, "helpers": list},
    "run": {"charter": str, "attempt": int, "outcome": str, "program": dict},
    "reveal": {"charter": str, "attempt": int, "target": dict, "texts": list},
    "judge": {"charter": str, "attempt": int, "decision": str, "reasons": list},
    "publish": {"charter": str, "attempt": int},
    "system": {"system": dict},
    "revoke": {"revoked": dict, "reason": str},
    "ladder": {"text": str},
    "decision": {"text": str, "outcome": str, "parts": list},
}
#: Statements that belong to no attempt; they stand anywhere after the first charter.
NOTICES = ("system", "revoke", "ladder", "decision")
#: What a predicate may hold besides: slices that each helper of a commitment is used for.
_USES = "uses"
#: What lists in a predicate hold.
_ITEMS: Mapping[str, type] = {"indices": int, "helpers": str, "texts": str, "reasons": str, "parts": dict}
_TYPE = "foretell:{step}/1"
_NAMES = {_TYPE.format(step=step): step for step in _FIELDS}


def predicate_type(step: str) -> str:
    """The in-toto predicate type of a step's statement.

    >>> predicate_type("seal")
    'foretell:seal/1'
    """
    return _TYPE.format(step=step)


def step_of(kind: str) -> str:
    """The step of a predicate type; '' where there is none.

    >>> step_of("foretell:seal/1"), step_of("foretell:seal/2")
    ('seal', '')
    """
    return _NAMES.get(kind, "")


def misfit(step: str, predicate: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """What a predicate lacks: (what is wrong, found, expected) in words; None where it has all that its step needs.

    >>> misfit("publish", {"previous": {}, "time": "", "charter": "sha256:ab", "attempt": True})
    ('a publish without its facts', 'attempt True', 'int')
    """
    if not step:
        return "an unknown step", "another predicate type", "one of " + ", ".join(_FIELDS)
    for name, kind in {"previous": dict, "time": str, **_FIELDS[step]}.items():
        if not isinstance(predicate.get(name), kind) or isinstance(predicate.get(name), bool):
            return f"a {step} without its facts", f"{name} {predicate.get(name)!r}", kind.__name__
        for item in predicate[name] if kind is list else ():
            if type(item) is not _ITEMS[name]:  # True is an int to isinstance
                return f"a {step} without its facts", f"{name} {item!r}", _ITEMS[name].__name__
    if _USES in predicate and not (step == "commit" and _are_uses(predicate[_USES])):
        return f"a {step} with uses that are none", repr(predicate[_USES]), "slices by helper, of a commit"
    return None


def _are_uses(uses: Any) -> bool:
    return isinstance(uses, dict) and all(
        isinstance(slices, list) and slices and all(isinstance(one, str) for one in slices) for slices in uses.values()
    )
