"""The graph of a ledger: boxes, arrows, columns, and a drawing that is well-formed whatever names are in it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from foretell.reports.lineage_graph import Arrow, Node, columns, graph, lineage_figure, lineage_svg


def system(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": "model", "ai": True, "fingerprint": f"w-{name}", "revoked": None} | {
        "approved_by": [],
        **fields,
    }


def attempt(number: int, target: str, *helpers: str, **fields: Any) -> dict[str, Any]:
    return {
        "attempt": number,
        "target": {"name": target, "weights": f"w-{target}"},
        "decision": "pass",
        "helpers": list(helpers),
        "stands": True,
        **fields,
    }


RECORD = {
    "systems": [
        system("Ada", kind="person", ai=False, fingerprint=None),
        system("m", approved_by=[1]),
        system("int8:m", derived_from=["m"]),
    ],
    "attempts": [attempt(1, "m", "Ada"), attempt(2, "big", "m", "ghost", stands=False)],
}


def test_boxes_and_arrows() -> None:
    nodes, arrows = graph(RECORD)
    assert [node.id for node in nodes] == ["Ada", "m", "int8:m", "attempt 1", "attempt 2", "ghost"]
    assert set(arrows) == {
        Arrow("m", "int8:m", "weights from"),
        Arrow("Ada", "attempt 1", "helped"),
        Arrow("attempt 1", "m", "approved"),
        Arrow("m", "attempt 2", "helped"),
        Arrow("ghost", "attempt 2", "helped"),
    }
    assert [node.under for node in nodes] == [
        "person",
        "model",
        "model, no standing pass",
        "pass",
        "pass, fallen",
        "not registered",
    ]
    assert columns(nodes, arrows) == {"Ada": 0, "attempt 1": 1, "m": 2, "int8:m": 3, "ghost": 0, "attempt 2": 3}


def test_a_pass_that_fell_is_drawn_as_such() -> None:
    fallen = {**RECORD, "attempts": [attempt(1, "m", stands=False)]}
    assert Arrow("attempt 1", "m", "no longer counts") in graph(fallen)[1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]), max_size=20))
def test_columns_end_even_where_arrows_go_round(pairs: list[tuple[int, int]]) -> None:
    nodes = [Node(str(number), "", "", verdict=False, fallen=False) for number in range(6)]
    found = columns(nodes, [Arrow(str(a), str(b), "helped") for a, b in pairs])
    assert found.keys() == {node.id for node in nodes}
    assert max(found.values()) <= 5


@given(st.text(min_size=1))
def test_the_file_is_well_formed(name: str) -> None:
    printable = "".join(letter for letter in name if letter.isprintable()) or "x"
    record = {"systems": [system(f"<{printable}&")], "attempts": [attempt(1, f'">{printable}', f"<{printable}&")]}
    root = ElementTree.fromstring(lineage_svg(record))
    texts = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert any(text and text.startswith("<") for text in texts)
    assert "#a1000" not in lineage_svg(record)


def test_a_page_shows_it_in_its_own_colours_and_nothing_where_there_is_nothing() -> None:
    figure = lineage_figure(RECORD)
    assert figure is not None
    assert "var(--ink)" in figure
    assert lineage_figure({"systems": [], "attempts": []}) is None
