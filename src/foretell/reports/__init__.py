"""Pages and plots: one self-contained HTML file that shows what a run measured, and what it does not show."""

from foretell.reports.page import write_report

__all__ = ["write_report"]
