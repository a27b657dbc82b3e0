"""Laws of two terms of a sweep, beside what theory expects of their coefficients."""

from collections.abc import Sequence
from dataclasses import dataclass

from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.analysis.numbers import rounded
from sgdsim.analysis.two_term import TwoTerm, fit_two_term, fit_two_term_to_means
from sgdsim.laws.law import Entry, Law, Members, attempt, judgement, numbers, stated
from sgdsim.laws.quantities import Fit, each_replica, quantity_of


@dataclass(frozen=True)
class TwoTermLaw(Law):
    """quantity = first_coefficient * against + second_coefficient * second.

    `first_expected` and `second_expected` are the system's own values of the coefficients (None without).
    """

    takes_second = True

    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """Deviations and scalar observables."""
        return (*DEVIATIONS, *names)

    def takes_level(self, quantity: str) -> bool:
        """Never."""
        return False

    def fit(self, fit: Fit, members: Members) -> Entry:
        """Both coefficients; their errors from the replicas where these are known, else from those of the means."""
        second = str(fit.second)
        u, v = members.x(fit), members.column(second)
        points = [quantity_of(members.system, fit, cell)[:2] for cell in members.cells]
        mean, sem = map(list, zip(*points, strict=True))
        replicas = [each_replica(fit, cell) for cell in members.cells]
        known = [values for values in replicas if values is not None]
        law, problem = attempt(
            lambda: fit_two_term(u, v, known) if len(known) == len(u) else fit_two_term_to_means(u, v, mean, sem)
        )
        expected = members.system.expected_two_term
        pair = expected(fit.quantity, fit.against, second, members.problems) if expected else None
        return {
            **numbers(TwoTerm, law),
            **dict(zip(("first_expected", "second_expected"), pair or (None, None), strict=True)),
            "points": [list(point) for point in zip(u, v, mean, sem, strict=True)],
            **stated(problem),
        }

    def headline(self, entry: Entry) -> str:
        """Both coefficients beside what theory expects."""
        a, b = (
            rounded(entry[f"{term}_coefficient"], entry[f"{term}_error"])
            + ("" if entry[f"{term}_expected"] is None else f" (expected {entry[f'{term}_expected']:.4g})")
            for term in ("first", "second")
        )
        return (
            f"{entry['quantity']} = a {entry['against']} + b {entry['second']} with a = {a}, b = {b};"
            f" {judgement(entry)}"
        )
