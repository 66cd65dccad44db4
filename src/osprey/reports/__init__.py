"""The single-file HTML report, from the run folder's files alone. No torch here."""

from osprey.reports.build import build_report, confusion_page

__all__ = ["build_report", "confusion_page"]
