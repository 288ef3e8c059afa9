"""Training under watch: each scheduled checkpoint is forecast before it is there, and training goes on only on a pass.

    plan.py ──▶ terms.py (charters) ──▶ watch.py (prepare, checkpoint) ──▶ the ledger
                                          ▲            ▲
                              callback.py (in a training)   follow.py (beside one), permission.py

`standing.py` reads the ledger back; nothing else remembers anything. `record.py` is the timeline for reports.
"""

from foretell.watching.callback import waiting_callback, watch_callback
from foretell.watching.follow import WAITING, End, Patience, follow
from foretell.watching.permission import Permission, read_permission, wait_for_permission
from foretell.watching.plan import Plan
from foretell.watching.record import watch_record
from foretell.watching.standing import Judgement
from foretell.watching.watch import Watch, open_watch

__all__ = [
    "WAITING",
    "End",
    "Judgement",
    "Patience",
    "Permission",
    "Plan",
    "Watch",
    "follow",
    "open_watch",
    "read_permission",
    "wait_for_permission",
    "waiting_callback",
    "watch_callback",
    "watch_record",
]
