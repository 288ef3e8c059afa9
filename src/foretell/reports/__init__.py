"""Pages and plots: the report of a run and of a ledger, each as one file that opens offline."""

from foretell.reports.ledger_page import LedgerView, write_ledger_page
from foretell.reports.page import write_report

__all__ = ["LedgerView", "write_ledger_page", "write_report"]
