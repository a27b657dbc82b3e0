"""How well a fitted law holds, as the tables, the figures and their captions say it."""

from collections.abc import Iterable
from typing import Any

from sgdsim.analysis.goodness import DOUBT, in_words, p_value

WIDENED = f"where chi2 says that a law does not hold (p < {DOUBT:g}), its errors are widened by sqrt(chi2/dof)"
"""What the errors of all laws with a chi2 are."""


def holds(law: dict[str, Any]) -> bool:
    """Whether chi2 leaves the law standing; a law without a chi2 is not in doubt."""
    return law.get("chi2") is None or not p_value(law["chi2"], law["dof"]) < DOUBT


def sentence(law: dict[str, Any]) -> str:
    """chi2 and, where the law does not hold, that and what was done to its errors; empty without a chi2."""
    return "" if law.get("chi2") is None else in_words(law["chi2"], law["dof"], law.get("widening") or 1.0)


def entry(law: dict[str, Any]) -> str:
    """chi2 in a table: `36.0 / 4, does not hold`, a dash without one."""
    if law.get("chi2") is None:
        return "-"
    return f"{law['chi2']:.1f} / {law['dof']}" + ("" if holds(law) else ", does not hold")


def label(law: dict[str, Any], before: str = "", doubt: str = "\nlaw does not hold") -> str:
    """chi2 in a legend, `before` in front of it and the doubt behind; empty without a chi2."""
    if law.get("chi2") is None:
        return ""
    return rf"{before}$\chi^2$/dof = {law['chi2']:.3g}/{law['dof']}" + ("" if holds(law) else doubt)


def caution(laws: Iterable[dict[str, Any]]) -> str:
    """A sentence for a caption about the laws that do not hold; empty where all do."""
    laws = list(laws)
    failed = sum(not holds(law) for law in laws)
    if not failed:
        return ""
    many = "The law does" if len(laws) == 1 else f"{failed} of {len(laws)} laws do"
    return f" {many} not hold by chi2 (p < {DOUBT:g}): errors quoted are widened by sqrt(chi2/dof)."
