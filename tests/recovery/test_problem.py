import math

import numpy as np
import pytest

import sgdsim
from sgdsim.errors import ArgumentError
from sgdsim.recovery.observables import distance
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.sections import ProblemSection, SimulatorSection, TheorySection
from sgdsim.recovery.starts import ExactStart


def test_constants_and_derived_numbers():
    problem = Recovery(alpha=2.5, eta=0.1, b=0.2, m0=0.3, C00=0.9, N=33)
    assert problem.dt == 0.1
    assert problem.data == round(2.5 * 33) == 82
    parameters = problem.parameters()
    assert parameters["M"] == 82
    assert parameters["eta_over_b"] == 0.5
    assert problem.samples_per_step == pytest.approx(0.2 * 82, rel=1e-14)  # data used, each time that they are
    given = {"alpha": 2.5, "eta": 0.1, "b": 0.2, "m0": 0.3, "C00": 0.9, "N": 33, "degree": 2}
    assert given.items() <= parameters.items()


def test_waiting_times_are_whole_steps():
    assert Recovery(alpha=2, eta=0.3, waiting=(0.5, 1, 3.0)).waiting_steps == (2, 3, 10)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": math.inf}, "alpha"),
        ({"alpha": 0.001}, "alpha"),
        ({"eta": 0.0}, "eta"),
        ({"eta": math.nan}, "eta"),
        ({"b": 0.0}, "b"),
        ({"b": 1.01}, "b"),
        ({"b": math.nan}, "b"),
        ({"C00": 0.0}, "C00"),
        ({"m0": 1.01}, "m0"),
        ({"m0": math.nan}, "m0"),
        ({"m0": 0.5, "C00": 0.2}, "m0"),
        ({"N": 1}, "N"),
        ({"degree": 3}, "degree"),
        ({"degree": 0}, "degree"),
        ({"waiting": (0.0, 1.0)}, "waiting"),
        ({"waiting": (2.0, 1.0)}, "waiting"),
        ({"waiting": (math.inf,)}, "waiting"),
    ],
)
def test_values_out_of_range_are_refused_by_name(change, argument):
    with pytest.raises(ArgumentError) as caught:
        Recovery(**({"alpha": 2.0, "eta": 0.1, "N": 100} | change))
    assert caught.value.argument == argument


def test_descents_at_the_edge_of_stability_are_told_once_they_have_run():
    problem = Recovery(alpha=1.2, eta=0.25)
    assert problem.doubts({"C": 1.6}) == problem.doubts({}) == []
    (line,) = problem.doubts({"C": 1.7})
    assert line.startswith("C = 1.7 is near the edge of stability of gradient descent, 2/(4.4 eta) = 1.818: descents")
    for other in ({"b": 0.9}, {"temperature": 0.1}, {"degree": 1}, {"eta": 0.125}):
        assert Recovery(**{"alpha": 1.2, "eta": 0.25} | other).doubts({"C": 1.7}) == []


@pytest.mark.parametrize("m0", [-1.0, 0.0, 1.0])
def test_the_ends_of_the_range_are_allowed(m0):
    assert Recovery(alpha=2, eta=0.1, m0=m0).m0 == m0


@pytest.mark.parametrize(
    ("alpha", "b", "degree", "safe"),
    [(2.5, 1.0, 2, 0.8 / 3.5), (2.5, 0.1, 2, 0.8 * 0.14), (4.0, 1.0, 1, 1.6 / 9), (0.25, 1.0, 2, 1.6 / 2.25)],
)
def test_a_step_size_beyond_the_safe_rule_is_cautioned(alpha, b, degree, safe):
    fine = Recovery(alpha=alpha, eta=0.999 * safe, b=b, degree=degree)
    assert fine.stable_eta == pytest.approx(safe, rel=1e-12)
    assert fine.cautions() == []
    (line,) = Recovery(alpha=alpha, eta=1.01 * safe, b=b, degree=degree).cautions()
    assert f"{1.01 * safe:g}" in line
    assert f"{safe:.3g}" in line


def test_the_distance_is_from_the_nearer_of_two_signals_where_there_are_two():
    x, signal = np.array([-1.0, -0.5, 0.3, 0.1]), np.array([1.0, 1.0, -1.0, 1.0])
    m, C = x @ signal / 4, x @ x / 4
    assert m < 0
    assert distance(m, C) == pytest.approx(((x + signal) ** 2).mean(), rel=1e-14)
    assert distance(m, C, degree=1) == pytest.approx(((x - signal) ** 2).mean(), rel=1e-14)


def test_sections_build_what_they_say():
    table = {"alpha": 2.5, "eta": 0.1, "b": 0.5, "N": 50, "waiting": [1.0, 2.0], "degree": 1}
    problem = ProblemSection.model_validate(table).build()
    assert (problem.alpha, problem.b, problem.N, problem.degree, problem.waiting) == (2.5, 0.5, 50, 1, (1.0, 2.0))
    simulator = SimulatorSection.model_validate({"response": True, "precision": "float64"}).build()
    assert simulator.response
    assert simulator.precision == "float64"
    assert SimulatorSection.model_validate({"kind": "none"}).build() is None
    assert TheorySection.model_validate({"kind": "none"}).build() is None
    assert TheorySection.model_validate({"tolerance": 1e-6}).build().tolerance == 1e-6
    assert TheorySection.model_validate({"kind": "linear"}).build().name == "linear"


def test_the_size_of_large_data_is_told():
    """4 bytes times alpha N times N (N - 1)/2; of N numbers in a datum of degree 1."""
    (line,) = Recovery(alpha=2.3, eta=0.1, N=1000).cautions()
    assert "4.6 GB in float32 at N = 1000, alpha = 2.3" in line
    assert Recovery(alpha=2.3, eta=0.1, N=500).cautions() == []
    assert Recovery(alpha=2.3, eta=0.1, N=1000, degree=1).cautions() == []


def test_a_start_without_overlap_is_cautioned():
    """The theory of degree 2 keeps m = 0 for ever; that of degree 1 does not, and any overlap breaks the symmetry."""
    (line,) = Recovery(alpha=2.3, eta=0.1, m0=0.0, N=50).cautions()
    assert line.startswith("m0 = 0 at N = 50: in theory, N -> infinity at fixed t, m stays 0 for ever.")
    assert Recovery(alpha=2.3, eta=0.1, m0=1e-3, N=50).cautions() == []
    assert Recovery(alpha=2.3, eta=0.1, m0=0.0, N=50, degree=1).cautions() == []
    assert np.all(sgdsim.solve(Recovery(alpha=2.3, eta=0.1, m0=0.0), ExactStart(), [1.0, 3.0])["m"] == 0)
