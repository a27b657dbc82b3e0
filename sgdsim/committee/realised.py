"""Sizes and rates that a scaling gives at one dimension: whole numbers that come closest to its powers of d."""

from dataclasses import replace

from sgdsim.checks import Integer, Real, real
from sgdsim.committee.scaling import Scaling
from sgdsim.committee.second_layer import GAMMA_A0, SecondLayer
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.problem import MAX_DIMENSION

STEPS_PER_TIME = Parameter("", "steps of a unit of time, in place of d", above=0)


def scaled_second(second: SecondLayer | None, gamma_a0: Real | None, growth: float) -> SecondLayer | None:
    """The second layer with the rate gamma_a0 d^-delta batch^rho, `growth` being the powers."""
    if gamma_a0 is None:
        return second
    second = SecondLayer() if second is None else second
    if second.gamma_a > 0:
        raise ArgumentError("gamma_a", "not be given beside gamma_a0", second.gamma_a, "Keep one of the two.")
    return replace(second, gamma_a=real("gamma_a0", gamma_a0, GAMMA_A0) * growth)


def chosen_dimension(d: int | None, steps_per_time: Real | None, scaling: Scaling) -> int:
    """d as it was given, or as it follows from the number of steps of a unit of time."""
    if steps_per_time is None:
        if d is None:
            raise ArgumentError("d", "be given", None, "Add d = 1000, or steps_per_time = 1000 in its place.")
        return d
    if d is not None:
        raise ArgumentError("steps_per_time", "not be given beside d", steps_per_time, "Keep one of the two.")
    found = scaling.dimension(real("steps_per_time", steps_per_time, STEPS_PER_TIME))
    if not 2 <= found <= MAX_DIMENSION * (1 + 1e-9):  # 1000^5 is a power that rounding may leave above 1e15
        remedy = f"At theta = {scaling.theta:g} a unit of time takes d^{scaling.steps_exponent:g} steps."
        must = f"give a dimension between 2 and {MAX_DIMENSION:g}, but that is {found:.3g} here"
        raise ArgumentError("steps_per_time", must, steps_per_time, remedy)
    return min(round(found), MAX_DIMENSION)


def scaled_batch(d: int, batch: Integer | None, scaling: Scaling) -> int:
    """The batch at dimension d of a scaling of it, beside which none may be fixed."""
    if batch is not None:
        raise ArgumentError("batch", "not be given beside b0 or mu", batch, "Keep either batch, or b0 and mu.")
    realised = round(scaling.b0 * float(d) ** scaling.mu)
    if realised < 1:
        raise ArgumentError("b0", "give a batch of at least one sample, batch = round(b0 d^mu) >= 1", scaling.b0)
    return realised
