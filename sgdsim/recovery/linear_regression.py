"""The warm-up: linear regression by GD and SGD, whose path for N -> infinity is known in closed form."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import Once
from sgdsim.errors import ArgumentError
from sgdsim.recovery.path import Path, SharedCurve
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import SignalOverlaps


@dataclass(frozen=True)
class SpectralMoments:
    """Averages over the eigenvalues l of A = J^T J/N for k = 0, 1, ...: nu_j[k] = E l^j (1 - eta l)^k."""

    nu0: Float[np.ndarray, " k"]
    nu1: Float[np.ndarray, " k"]
    nu2: Float[np.ndarray, " k"]


def moments(alpha: float, eta: float, count: int) -> SpectralMoments:
    """nu_0, nu_1, nu_2 for k < count of the law of Marchenko and Pastur, exact but for rounding.

        rho(l) = sqrt((l+ - l)(l - l-))/(2 pi l), l+- = (sqrt(alpha) +- 1)^2,  and mass max(1 - alpha, 0) at l = 0

    With l = alpha + 1 + 2 sqrt(alpha) cos(theta), rho l dl is a Gauss-Chebyshev weight of the second kind, for which n
    nodes are exact up to degree 2n - 1. nu_0 = 1 + E[((1 - eta l)^k - 1)/l l] needs neither 1/l nor the mass at 0.
    """
    nodes = count // 2 + 2
    theta = np.pi * np.arange(1, nodes + 1) / (nodes + 1)
    weights = 2 * alpha * np.sin(theta) ** 2 / (nodes + 1)  # of rho l dl
    # alpha + 1 + 2 sqrt(alpha) cos(theta) would cancel near the lower edge at alpha = 1, where l is divided by.
    l = (1 - math.sqrt(alpha)) ** 2 + 4 * math.sqrt(alpha) * np.cos(theta / 2) ** 2  # noqa: E741
    power, nu = np.ones(nodes), np.empty((3, count))
    for k in range(count):
        nu[:, k] = 1 + weights @ ((power - 1) / l), weights @ power, weights @ (l * power)
        power = power * (1 - eta * l)
    return SpectralMoments(*nu)


class RegressionCurve(SharedCurve):
    """The closed form for one problem, on the host."""

    problem: Recovery

    def solve(self, initial: SignalOverlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Observables at the steps rint(t/eta).

            m(t) = 1 + (m0 - 1) nu_{0,t},   C(t,0) = m0 + (C00 - m0) nu_{0,t},   R(t,t') = nu_{0,t-t'-1}
            E(t,t') = (x(t) - x*).(x(t') - x*)/N
                    = Delta0 nu_{0,t+t'} + sum_{s<t'} [V e2(s) nu_{1,t+t'-2-2s} + 2 T eta nu_{0,t+t'-2-2s}],   t' <= t
            C(t,t') = E(t,t') + m(t) + m(t') - 1

        with Delta0 = 1 - 2 m0 + C00 and V = eta^2 (1/b - 1), the strength of the noise of SGD; T is the temperature.
        """
        problem, at = self.problem, self.problem.steps(times)
        m0, C00 = float(initial.m), float(initial.C)
        # Beyond the largest stable eta the powers overflow: `Path.observe` marks what is left as grown beyond all
        # numbers.
        with np.errstate(over="ignore", invalid="ignore"):
            nu = moments(problem.alpha, problem.eta, 2 * int(at.max()) + 1)
            V, Delta0 = problem.eta**2 * (1 / problem.b - 1), 1 - 2 * m0 + C00
            heat = 2 * problem.temperature * problem.eta
            e2 = squared_residuals(nu, problem.alpha, V, Delta0, int(at.max()), heat)
            m = 1 + (m0 - 1) * nu.nu0

            def correlation(late: int, early: int) -> float:
                span = slice(late - early, late + early, 2)  # k = late + early - 2, ..., late - early
                error = Delta0 * nu.nu0[late + early] + V * (e2[:early] @ nu.nu1[span][::-1])
                error += heat * nu.nu0[span].sum()
                return float(error + m[late] + m[early] - 1)

            early = [[min(t, waiting) for waiting in problem.waiting_steps] for t in at.tolist()]
            path = Path(
                m=m[at],
                C=np.array([correlation(t, t) for t in at.tolist()]),
                e2=e2[at],
                earlier=np.array(
                    [
                        [m0 + (C00 - m0) * nu.nu0[t], *(correlation(t, s) for s in row)]
                        for t, row in zip(at.tolist(), early, strict=True)
                    ]
                ),
                R_start=np.where(at > 0, nu.nu0[np.maximum(at, 1) - 1], 0.0),
                **_responses(nu, at, problem),
            )
            return path.observe(problem)


def _responses(nu: SpectralMoments, at: Int[np.ndarray, " times"], problem: Recovery) -> dict[str, np.ndarray]:
    """R(t,t_w) and chi(t,t_w) = eta sum_{s<t-t_w} nu_{0,s}: the response depends on the time since alone."""
    since = np.maximum(at[:, None] - np.array(problem.waiting_steps, np.int64), 0)
    sums = np.concatenate([[0.0], problem.eta * np.cumsum(nu.nu0)])
    return {"R_waiting": np.where(since > 0, nu.nu0[np.maximum(since, 1) - 1], 0.0), "chi_waiting": sums[since]}


def squared_residuals(
    nu: SpectralMoments, alpha: float, V: float, Delta0: float, steps: int, heat: float
) -> Float[np.ndarray, " steps"]:
    """e2(t) for t = 0..steps: alpha e2(t) = Delta0 nu_{1,2t} + sum_{s<t} [V e2(s) nu_2 + heat nu_1]_{2(t-1-s)}.

    Step s adds noise of covariance V sum_mu r_mu(s)^2 J_mu J_mu^T/N to x, and r_mu^2 may be replaced by its mean;
    `heat` = 2 T eta is the variance of Langevin noise.
    """
    e2, kicks = np.empty(steps + 1), nu.nu2[::2]
    for t in range(steps + 1):
        warmth = heat * nu.nu1[: 2 * t : 2].sum()
        e2[t] = (Delta0 * nu.nu1[2 * t] + V * (e2[:t] @ kicks[:t][::-1]) + warmth) / alpha
    return e2


@dataclass(frozen=True)
class LinearRegression(Theory):
    """The closed form of degree 1, exact for N -> infinity.

    For alpha < 1 the loss vanishes on a whole canyon of solutions: GD ends at distance (1 - alpha) Delta0 from x*.
    """

    takes: ClassVar[type[Problem]] = Recovery
    name: ClassVar[str] = "linear"

    def exists(self, problem: Recovery) -> bool:
        """Whether the problem is linear regression, degree 1."""
        return problem.degree == 1

    def check(self, problem: Recovery) -> None:
        """Raises ArgumentError for another degree, and where data are not selected fresh in each step."""
        if not self.exists(problem):
            raise ArgumentError(
                "theory", "be 'dmft' for degree 2", self.name, "Only linear regression has a closed form."
            )
        if problem.selection != "fresh":
            remedy = "The closed form is that of fresh selections: write [theory] kind = 'none'."
            raise ArgumentError(
                "theory", f"be 'none' for a {problem.selection} selection of degree 1", self.name, remedy
            )

    def once(self, problem: Recovery, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """Nothing: it is all NumPy."""
        return ()

    def bind(self, problem: Recovery) -> RegressionCurve:
        """The curve of this problem."""
        return RegressionCurve(problem=problem)
