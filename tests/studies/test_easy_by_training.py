"""Study 5 by made numbers: what was won, what was paid, and what shows it."""

from __future__ import annotations

from typing import Any

from foretell.studies.s05_easy_by_training import answer, findings
from tests.studies.conftest import record


def model(strength: float, bits: float, bigram: float, pool: float, entropy: float = 2.0) -> dict[str, Any]:
    return {
        "strength": strength,
        "bits_per_byte": bits,
        "bits_per_byte_of_base": 1.07,
        "entropy_nats": entropy,
        "bigram": record(bigram, bigram - 0.1, bigram + 0.1),
        "best_reference": "ngram:5:tiny",
        "pool": record(pool, pool - 0.1, pool + 0.1),
        "base": record(0.3, 0.2, 0.4),
        "skill_of_base": record(0.8, 0.7, 0.9),
    }


CONTROL, WEAK, STRONG = model(0.0, 1.0, 2.2, 2.0), model(0.1, 1.1, 1.7, 1.6), model(3.0, 1.5, 0.4, 0.3, 3.0)


def test_won_and_paid() -> None:
    found = answer([CONTROL, WEAK, STRONG])
    assert found[0] == (
        "Won: from strength 0 to 3 the bigram forecast's loss falls from 2.2 nats (2.1 to 2.3) to 0.4 nats (0.3 to "
        "0.5), and that of the best text-only pool goes from 2 nats (1.9 to 2.1) to 0.3 nats (0.2 to 0.4)."
    )
    assert found[1] == "Paid: 1.5 bits a byte on held-out files at strength 3, against 1 at strength 0: 50% more."
    assert found[2].startswith("At strength 0.1 the bigram's mean loss is 0.5 nats lower for 0.1 bits a byte more")
    assert found[3] == "The mean entropy of the model's own distributions rises from 2 to 3 nats."
    assert found[4].startswith("What shows it in the report: the best text-only pool comes nearer too")


def test_nothing_won_is_said() -> None:
    same = model(3.0, 0.9, 2.2, 2.0, 1.5)
    found = answer([CONTROL, same])
    assert "the bigram forecast's loss is not shown to fall" in found[0]
    assert found[1].endswith("against 1 at strength 0: 10% less.")
    assert "falls from 2 to 1.5 nats" in found[3]
    assert found[4].startswith("The scale does not show it")


def test_the_table_has_a_row_a_strength() -> None:
    found = findings([CONTROL, WEAK, STRONG])
    assert [row[0] for row in found.tables[0].rows] == ["0", "0.1", "3"]
    assert "The base before further training: 1.070 bits a byte." in found.tables[0].note
