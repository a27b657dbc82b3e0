"""How well a fitted law holds, as tables and lines say it."""

from sgdsim.analysis.goodness import DOUBT, p_value
from sgdsim.laws.law import Judged


def holds(law: Judged) -> bool:
    """Whether chi2 leaves the law standing; a law without a chi2 is not in doubt."""
    # `not <`, as p is NaN where no degree of freedom is left: nothing speaks against the law then.
    return law.chi2 is None or law.dof is None or not p_value(law.chi2, law.dof) < DOUBT


def in_table(law: Judged | None) -> str:
    """chi2 in a table: `36.0 / 4, does not hold`, a dash without one."""
    if law is None or law.chi2 is None:
        return "-"
    return f"{law.chi2:.1f} / {law.dof}" + ("" if holds(law) else ", does not hold")
