"""Figures and the report page of a run directory, made from its stored results only."""

from sgdsim.report.page import write_report

__all__ = ["write_report"]
