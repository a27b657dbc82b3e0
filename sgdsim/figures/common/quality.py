"""How well a fitted law holds, as figures and their captions say it."""

from collections.abc import Iterable

from sgdsim.analysis.goodness import DOUBT
from sgdsim.figures.typeset import shown
from sgdsim.laws.law import Judged
from sgdsim.laws.quality import holds


def label(law: Judged, before: str = "", doubt: str = "\nlaw does not hold") -> str:
    """chi2 in a legend, `before` in front of it and the doubt behind; empty without a chi2 or degrees of freedom."""
    if law.chi2 is None or not law.dof:
        return ""
    return rf"{before}$\chi^2$/dof = {shown(law.chi2, digits=3)}/{law.dof}" + ("" if holds(law) else doubt)


def caution(laws: Iterable[Judged]) -> str:
    """A sentence for a caption about the laws that do not hold; empty where all do."""
    laws = list(laws)
    failed = sum(not holds(law) for law in laws)
    if not failed:
        return ""
    many = "The law does" if len(laws) == 1 else f"{failed} of {len(laws)} laws do"
    return f" {many} not hold by chi2 (p < {DOUBT:g}): errors quoted are widened by sqrt(chi2/dof)."
