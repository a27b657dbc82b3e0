"""What should be known of a committee's step size before it is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdsim.committee.scaling import Region
from sgdsim.committee.stability import LARGE, LARGEST_STEP
from sgdsim.training.inputs import NormalInputs

if TYPE_CHECKING:
    from sgdsim.committee.problem import Committee


def cautions(problem: Committee) -> list[str]:
    """A line where gamma is above the stable rule although the region learns, and one where steps are large.

    A third tells where the samples of a batch do more together than the exact ODE knows of, and a fourth of finite data
    which theory stands beside them. Other optimisers than SGD have no such rule.
    """
    if problem.student is not None:  # no rule of a step is of any module, and no theory stands beside it
        return []
    found, gamma = [], problem.effective_gamma
    rate = gamma / problem.p * problem.mean_square
    with_momentum = "" if gamma == problem.gamma else "/(1 - mu)"
    where = f"d = {problem.d}, p = {problem.p}, batch = {problem.batch}, {problem.activation.name}"
    descends = problem.optimiser is None or problem.optimiser.plain
    free = descends and (problem.update is None or not problem.update.spherical)
    if free and problem.region in (Region.GREEN, Region.BLUE) and gamma > problem.stable_gamma:
        found.append(
            f"gamma{with_momentum} = {gamma:g} is above the stable rule, {problem.stable_gamma:.3g} at {where}: "
            "SGD may not learn, or its weights grow without bound."
        )
    drift, noise = rate / problem.d, rate**2 / (problem.batch * problem.d)
    if descends and problem.region is not Region.RED and max(drift, noise) > LARGE:
        found.append(
            f"Steps are large at gamma{with_momentum} = {gamma:g}, {where}: A dt = {drift:.2g} (drift), "
            f"B dt = {noise:.2g} (noise), and above {LARGE:g} SGD visibly leaves the ODE. Lower gamma or raise d."
        )
    if (
        descends
        and problem.region is not Region.RED
        and problem.plain
        and problem.batch > 1
        and not problem.has_small_steps
    ):
        found.append(
            f"A dt = {problem.step_size:.3g} is above {LARGEST_STEP:g}, {where}: the theory `exact` leaves out "
            "what the samples of a batch do together, which corrects it below."
        )
    if problem.n is not None:
        found.append(
            f"There are n = {problem.n} data: a theory beside them is that of fresh data, which SGD follows in its "
            f"first pass, up to t = {problem.n / problem.batch * problem.dt:.3g}, and GD on ever more data."
        )
    law, wide = problem.law, problem.region is not Region.RED
    if law is not None and not isinstance(law, NormalInputs) and wide:
        found.append(
            f"The theories are of inputs N(0, I): beside inputs = {law.name} their curve is what universality would "
            "predict, a comparison and no theory of these inputs."
        )
    return found
