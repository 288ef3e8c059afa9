"""The graph of a ledger's systems and verdicts: what comes from what, who helped whom, and what approved it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from markupsafe import Markup

from foretell.reports.canvas import CARD, GRID, INK, MUTED, OWN, PAPER, REFERENCE, TOLERANCE, on_paper, themed

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN, _LETTERS = 190, 46, 84, 22, 18, 12.5
#: Letters of a name that fit into a box.
_MOST = 24
_LEGEND, _LEGEND_STEP, _BELOW = 34, 168, 46
#: How each kind of arrow is drawn: colour and dashes.
ARROWS = {
    "part of": (MUTED, ""),
    "weights from": (MUTED, "7 3"),
    "helped": (OWN, ""),
    "approved": (INK, ""),
    "no longer counts": (TOLERANCE, "3 3"),
}
_EDGES = {"parts": "part of", "derived_from": "weights from", "helped_by": "helped"}
_FALLEN = "no longer counts"


@dataclass(frozen=True)
class Node:
    """A box: a system, or a judged attempt."""

    id: str
    title: str
    under: str
    verdict: bool
    fallen: bool


@dataclass(frozen=True)
class Arrow:
    """From what was first to what rests on it."""

    start: str
    end: str
    kind: str


def graph(record: Mapping[str, Any]) -> tuple[list[Node], list[Arrow]]:
    """Boxes and arrows of a lineage record (`verifier.overview`); helpers that nobody registered are boxes too."""
    nodes = [_system(one) for one in record["systems"]] + [_attempt(one) for one in record["attempts"]]
    known = {node.id for node in nodes}
    arrows = [
        Arrow(other, one["name"], _EDGES[edge])
        for one in record["systems"]
        for edge in _EDGES
        for other in one.get(edge, [])
    ]
    for attempt in record["attempts"]:
        name = f"attempt {attempt['attempt']}"
        for helper in attempt["helpers"]:
            if helper not in known:
                known.add(helper)
                nodes.append(Node(helper, helper, "not registered", verdict=False, fallen=True))
            arrows.append(Arrow(helper, name, "helped"))
        arrows += _approvals(name, attempt, record["systems"])
    return nodes, arrows


def _approvals(name: str, attempt: Mapping[str, Any], systems: Sequence[Mapping[str, Any]]) -> Iterator[Arrow]:
    weights = attempt["target"].get("weights")
    for system in systems:
        if attempt["decision"] == "pass" and weights is not None and system["fingerprint"] == weights:
            yield Arrow(name, system["name"], "approved" if attempt["stands"] else _FALLEN)


def _system(one: Mapping[str, Any]) -> Node:
    state = "revoked" if one["revoked"] else one["kind"]
    if one["ai"] and not one["approved_by"] and not one["revoked"]:
        state += ", no standing pass"
    return Node(one["name"], one["name"], state, verdict=False, fallen=bool(one["revoked"]))


def _attempt(one: Mapping[str, Any]) -> Node:
    name = f"attempt {one['attempt']}"
    state = one["decision"] if one["stands"] else f"{one['decision']}, fallen"
    return Node(name, f"{name}: {one['target'].get('name', '?')}", state, verdict=True, fallen=not one["stands"])


def columns(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> dict[str, int]:
    """The column of each box: one more than the last of what it rests on; arrows that close a circle do not count.

    >>> boxes = [Node(name, name, "", False, False) for name in "abc"]
    >>> columns(boxes, [Arrow("a", "b", "helped"), Arrow("b", "c", "helped"), Arrow("c", "a", "helped")])
    {'a': 0, 'b': 1, 'c': 2}
    """
    before: dict[str, list[str]] = {node.id: [] for node in nodes}
    for arrow in arrows:
        if not _reaches(before, arrow.start, arrow.end):
            before[arrow.end].append(arrow.start)
    found: dict[str, int] = {}

    def column(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((column(other) for other in before[name]), default=-1)
        return found[name]

    return {node.id: column(node.id) for node in nodes}


def _reaches(before: Mapping[str, Sequence[str]], start: str, end: str) -> bool:
    """Whether `end` already stands before `start`."""
    waiting, seen = [start], set()
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            waiting += before[name]
    return False


def _places(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> dict[str, tuple[int, int]]:
    """Column and row of each box; in a column, boxes stand by the mean row of what they rest on."""
    level = columns(nodes, arrows)
    rows: dict[str, float] = {}
    places: dict[str, tuple[int, int]] = {}
    for number in range(1 + max(level.values(), default=0)):
        here = [node.id for node in nodes if level[node.id] == number]
        wished = {name: _mean(rows[a.start] for a in arrows if a.end == name and a.start in rows) for name in here}
        for row, name in enumerate(sorted(here, key=lambda name: wished[name])):
            rows[name], places[name] = float(row), (number, row)
    return places


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def lineage_svg(record: Mapping[str, Any]) -> str:
    """The graph as an SVG file in light colours."""
    return on_paper(_drawn(record, background=True))


def lineage_figure(record: Mapping[str, Any]) -> Markup | None:
    """The graph for a page, in the page's colours; None where there is nothing to draw."""
    return Markup(themed(_drawn(record, background=False))) if record["systems"] or record["attempts"] else None


def _drawn(record: Mapping[str, Any], *, background: bool) -> str:
    nodes, arrows = graph(record)
    places = _places(nodes, arrows)
    wide = 1 + max((column for column, _ in places.values()), default=0)
    high = 1 + max((row for _, row in places.values()), default=0)
    width = max(2 * _MARGIN + wide * _WIDTH + (wide - 1) * _GAP_X, _MARGIN + _LEGEND_STEP * len(ARROWS))
    height = 2 * _MARGIN + high * (_HEIGHT + _GAP_Y) + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif">'
    ]
    if background:
        parts.append(f'<rect width="{width}" height="{height}" fill="{PAPER}"/>')
    parts += [_heads(), *(_arrow(arrow, places) for arrow in arrows), *(_box(node, places[node.id]) for node in nodes)]
    return "\n".join([*parts, *_legend(height), "</svg>"])


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return _MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y)


def _heads() -> str:
    """A head of each colour."""
    marker = (
        '<marker id="head-{i}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
    )
    drawn = (marker.format(i=i, colour=colour) for i, (colour, _) in enumerate(ARROWS.values()))
    return f"<defs>{''.join(drawn)}</defs>"


def _arrow(arrow: Arrow, places: Mapping[str, tuple[int, int]]) -> str:
    (x1, y1), (x2, y2) = _corner(places[arrow.start]), _corner(places[arrow.end])
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = max(_GAP_X // 2, abs(x2 - x1) // 2)
    # What passes by a column goes below the boxes of its own row, or it would seem to go through them.
    low = _BELOW if places[arrow.end][0] - places[arrow.start][0] > 1 else 0
    curve = f"M{x1} {y1}C{x1 + bend} {y1 + low} {x2 - bend} {y2 + low} {x2} {y2}"
    tip = escape(f"{arrow.start} → {arrow.end}: {arrow.kind}")
    return f'<path d="{curve}" {_line(arrow.kind)}><title>{tip}</title></path>'


def _line(kind: str) -> str:
    colour, dashes = ARROWS[kind]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    head = list(ARROWS).index(kind)
    return f'fill="none" stroke="{colour}" stroke-width="1.4"{dashed} marker-end="url(#head-{head})"'


def _box(node: Node, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    edge = TOLERANCE if node.fallen else REFERENCE if node.verdict else GRID
    dashed = ' stroke-dasharray="3 3"' if node.fallen else ""
    shown = node.title if len(node.title) <= _MOST else node.title[: _MOST - 1] + "…"
    return (
        f"<g><title>{escape(f'{node.title}: {node.under}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{3 if node.verdict else 12}" fill="{CARD}" '
        f'stroke="{edge}" stroke-width="1.6"{dashed}/>'
        f'<text x="{x + 12}" y="{y + 20}" fill="{INK}" font-size="{_LETTERS}">{escape(shown)}</text>'
        f'<text x="{x + 12}" y="{y + 37}" fill="{MUTED}" font-size="{_LETTERS - 1.5}">{escape(node.under)}</text></g>'
    )


def _legend(height: int) -> Iterator[str]:
    y = height - _MARGIN
    for number, kind in enumerate(ARROWS):
        x = _MARGIN + number * _LEGEND_STEP
        yield f'<path d="M{x} {y}H{x + 30}" {_line(kind)}/>'
        yield f'<text x="{x + 38}" y="{y + 4}" fill="{MUTED}" font-size="{_LETTERS - 1}">{escape(kind)}</text>'
