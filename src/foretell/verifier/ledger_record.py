"""All that a ledger's report shows of its log, as one record (schema foretell.ledger-record/1).

{"schema", "origin": the log's name, "entries": how many, "last": time of the last, "signers": [key id, …],
 "lineage": see overview.py,
 "pending": [{"attempt", "title", "track", "last": its latest step, "next"}, …]}
"""

from __future__ import annotations

from typing import Any

from foretell.ledger import Ledger
from foretell.verifier.overview import lineage_record
from foretell.verifier.record import Record

SCHEMA = "foretell.ledger-record/1"


def ledger_record(ledger: Ledger, record: Record) -> dict[str, Any]:
    """The record of a log that was replayed.

    Raises:
        InputError: the ledger is empty.
    """
    return {
        "schema": SCHEMA,
        "origin": ledger.origin,
        "entries": len(record.entries),
        "last": record.entries[-1].time.isoformat(),
        "signers": sorted({entry.signer.id for entry in record.entries}),
        "lineage": lineage_record(record),
        "pending": [
            {
                "attempt": attempt.number,
                "title": attempt.charter.title,
                "track": attempt.charter.track.kind,
                "last": list(attempt.steps)[-1],
                "next": attempt.next_step,
            }
            for attempt in record.attempts
            if "judge" not in attempt.steps
        ],
    }
