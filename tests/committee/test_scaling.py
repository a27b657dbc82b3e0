import math

import pytest

from sgdsim.committee import Committee
from sgdsim.committee.scaling import Region, Scaling
from sgdsim.errors import ArgumentError


def scaling(kappa, delta):
    return Scaling(kappa=kappa, delta=delta, p0=4.0, gamma0=4.0)


@pytest.mark.parametrize(
    ("kappa", "delta", "region"),
    [
        (0.0, 0.5, Region.GREEN),
        (0.0, 1e-6, Region.GREEN),
        (0.0, 0.0, Region.BLUE),
        (0.5, -0.5, Region.BLUE),
        (0.0, -1e-6, Region.ORANGE),
        (0.0, -0.375, Region.ORANGE),
        (0.0, -0.5 + 1e-6, Region.ORANGE),
        (0.0, -0.5, Region.RED),
        (1.1, -2.2, Region.RED),
    ],
)
def test_regions_of_the_phase_diagram(kappa, delta, region):
    assert scaling(kappa, delta).region is region


def test_a_boundary_missed_by_rounding_counts_as_the_boundary():
    assert 0.1 + 0.2 - 0.3 != 0
    assert scaling(0.1 + 0.2, -0.3).region is Region.BLUE
    assert scaling(0.1 + 0.2, -0.3).theta == 0.0
    assert scaling(0.1 + 0.2, -0.8).region is Region.RED
    assert scaling(-0.3, -0.2 + 1e-10).theta == -0.5
    assert scaling(0.0, 1e-8).region is Region.GREEN


@pytest.mark.parametrize(
    ("theta", "exponent"),
    [(0.5, 1.5), (0.25, 1.25), (0.0, 1.0), (-0.25, 0.5), (-0.375, 0.25), (-0.5, 0.0), (-2.0, 0.0)],
)
def test_time_step_is_a_power_of_d(theta, exponent):
    assert scaling(0.0, theta).time_step(1000) == pytest.approx(1000**-exponent, rel=1e-14)


def test_time_step_follows_the_larger_term_of_the_theorem():
    for theta in (0.7, 0.2, -0.1, -0.4):
        rates = {d: float(d) ** -theta for d in (100, 10_000)}  # gamma/p up to a constant
        larger = {d: max(rate / d, rate**2 / d) for d, rate in rates.items()}
        steps = {d: scaling(0.0, theta).time_step(d) for d in rates}
        assert math.log(larger[100] / larger[10_000]) == pytest.approx(math.log(steps[100] / steps[10_000]), rel=1e-12)


@pytest.mark.parametrize(("kappa", "delta"), [(0.0, 0.5), (0.25, -0.25), (0.0, -0.3), (0.1, -0.5), (0.0, -0.5)])
def test_steps_per_time_give_the_dimension(kappa, delta):
    """1/dt = d^x comes as close as a whole d can; in the red region, where time counts steps, d is the number."""
    problem = Committee.from_scaling(k=1, kappa=kappa, delta=delta, steps_per_time=500)
    if problem.region is Region.RED:
        assert (problem.d, problem.dt) == (500, 1.0)
        return
    around = [scaling(kappa, delta).time_step(problem.d + change) for change in (-1, 0, 1)]
    assert abs(1 / around[1] - 500) == min(abs(1 / dt - 500) for dt in around)
    assert problem.p == round(problem.d**kappa)


def test_steps_per_time_that_no_dimension_has_are_refused():
    for words, more in (
        ("not be given beside d", {"d": 100, "steps_per_time": 100}),
        ("be given", {}),
        ("dimension between", {"steps_per_time": 1e4, "delta": -0.45}),
        ("dimension between", {"steps_per_time": 1.2}),
    ):
        with pytest.raises(ArgumentError, match=words):
            Committee.from_scaling(k=1, **more)
