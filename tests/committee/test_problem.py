import math

import numpy as np
import pytest

from sgdsim.committee.problem import Committee
from sgdsim.committee.scaling import Region
from sgdsim.errors import ArgumentError

VALID = {"d": 1000, "p": 4, "k": 4, "gamma": 4.0}
SCALED = {"d": 1000, "k": 4, "p0": 4.0}


def test_width_and_rate_follow_the_scaling():
    problem = Committee.from_scaling(d=10_000, k=4, kappa=0.25, delta=0.5, p0=3.0, gamma0=2.0)
    assert problem.p == 30
    assert problem.gamma == pytest.approx(2.0 / 100, rel=1e-14)
    assert problem.dt == pytest.approx(10_000**-1.75, rel=1e-13)
    assert problem.region is Region.GREEN
    assert problem.step_size == pytest.approx(problem.gamma / (30 * 10_000), rel=1e-14)


def test_gamma0_is_p0_unless_given():
    assert Committee.from_scaling(d=100, k=2, p0=7.0).gamma == 7.0


def test_the_exponent_of_the_rounded_width_is_reported():
    problem = Committee.from_scaling(d=1000, k=2, kappa=0.1, p0=4.0)
    parameters = problem.parameters()
    assert problem.p == round(4 * 1000**0.1) == 8
    assert parameters["kappa"] == 0.1
    assert parameters["kappa_realised"] == pytest.approx(math.log(2) / math.log(1000), rel=1e-14)
    assert parameters["log_p"] == pytest.approx(math.log(8), rel=1e-14)


def test_a_plain_problem_lives_on_the_blue_line():
    problem = Committee(d=500, p=6, k=2, gamma=1.5, noise=0.1, batch=3)
    assert (problem.dt, problem.region) == (1 / 500, Region.BLUE)
    assert problem.parameters()["gamma0"] == 1.5
    assert problem.parameters()["batch"] == problem.samples_per_step == 3


def test_steps_are_the_nearest_to_the_save_times():
    problem = Committee(**VALID)
    np.testing.assert_array_equal(problem.steps(np.array([0.001, 0.0014, 0.0016, 5.0])), [1, 1, 2, 5000])


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("d", 1),
        ("d", True),
        ("p", 0),
        ("k", 0),
        ("batch", 0),
        ("gamma", 0.0),
        ("gamma", math.nan),
        ("gamma", math.inf),
        ("noise", -1e-9),
        ("noise", math.nan),
    ],
)
def test_a_value_out_of_range_is_named(argument, value):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must") as caught:
        Committee(**VALID | {argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "value"),
    [("kappa", math.nan), ("delta", math.inf), ("p0", 0.0), ("gamma0", -1.0), ("d", 1)],
)
def test_a_scaling_out_of_range_is_named(argument, value):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        Committee.from_scaling(**SCALED | {argument: value})


def test_a_student_without_units_is_refused():
    with pytest.raises(ArgumentError, match="at least one unit"):
        Committee.from_scaling(d=1000, k=1, kappa=-1.0, p0=4.0)
