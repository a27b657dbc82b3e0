"""The tables of an experiment file about wide networks."""

import pytest

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.averaged import AveragedLimit
from sgdsim.meanfield.bridge import TwoLimits
from sgdsim.meanfield.clt import Clt
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.particles import Approximation, Averaged, Copies, Linearised, Pair, Particles, Regimes
from sgdsim.meanfield.regimes import RegimesLimit
from sgdsim.meanfield.schedule_section import ScheduleSection
from sgdsim.meanfield.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.meanfield.starts import ExplicitStart, LawStart, PointStart
from sgdsim.meanfield.stationary import StationaryLimit
from sgdsim.meanfield.system import SYSTEM, MeanFieldSlopes
from sgdsim.meanfield.theory import MeanFieldLimit, NtkLimit
from sgdsim.rules.schedule import PowerSchedule

SLOPES = MeanFieldSlopes()


def problem(**keys):
    return ProblemSection.model_validate({"N": 100, "gamma": 0.1, "beta": 0.5} | keys).build()


@pytest.mark.parametrize(
    ("keys", "dynamics"),
    [
        ({}, Sgd()),
        ({"noise": "independent", "batch": 3}, Sgd("per_particle", 3)),
        ({"dynamics": "sde"}, Sde("common")),
        ({"dynamics": "sde", "noise": "independent", "dt": 0.05, "batch": 2}, Sde("independent", 0.05, 2)),
    ],
)
def test_dynamics(keys, dynamics):
    assert problem(**keys).dynamics == dynamics


@pytest.mark.parametrize(
    ("keys", "name", "weights"),
    [
        ({}, "tanh", 1),
        ({"model": "output_erf", "loss": "logistic"}, "output_erf", 3),
        ({"model": "radial"}, "radial", 40),
        ({"model": "radial", "d": 7}, "radial", 7),
        ({"model": "teacher"}, "teacher", 16),
        ({"model": "quadratic", "d": 5}, "quadratic", 5),
        ({"model": "teacher", "d": 5, "k": 3, "overlap": 0.4, "label_noise": 0.1}, "teacher", 5),
        ({"model": "output_relu", "support": "cone"}, "output_relu", 3),
    ],
)
def test_models(keys, name, weights):
    assert (problem(**keys).model.name, problem(**keys).model.dim) == (name, weights)


@pytest.mark.parametrize(
    ("keys", "argument"),
    [
        ({"dt": 0.1}, "dt"),
        ({"d": 4}, "d"),
        ({"model": "radial", "k": 2}, "k"),
        ({"model": "output_tanh", "overlap": 0.5}, "overlap"),
        ({"label_noise": 0.1}, "label_noise"),
        ({"model": "teacher", "d": 3, "k": 3}, "d"),
        ({"model": "teacher", "loss": "logistic"}, "loss"),
        ({"model": "teacher", "support": "cone"}, "support"),
        ({"model": "radial", "loss": "logistic"}, "loss"),
        ({"beta": 1.0, "gamma": 2.0}, "gamma"),
    ],
)
def test_keys_that_do_not_fit_together(keys, argument):
    with pytest.raises(ArgumentError) as caught:
        problem(**keys)
    assert caught.value.argument == argument


def test_starts():
    assert StartSection().build() == LawStart()
    given = StartSection(kind="explicit", particles=[[0.0], [1.0]]).build()
    assert given == ExplicitStart(((0.0,), (1.0,)))
    assert StartSection(kind="point", point=[0.4, 1.0]).build() == PointStart((0.4, 1.0))
    for wrong in ({"kind": "explicit"}, {"particles": [[0.0]]}, {"kind": "point"}, {"point": [0.4]}):
        with pytest.raises(ArgumentError, match="be given with kind"):
            StartSection.model_validate(wrong).build()


def test_rules():
    """A table [rule] without a schedule changes nothing; what belongs to a power is refused beside a constant."""
    plain = problem()
    assert ScheduleSection().apply(plain) is plain
    applied = ScheduleSection(schedule="power", exponent=0.5).apply(plain)
    assert applied.schedule == PowerSchedule(t0=1.0, exponent=0.5)
    assert ScheduleSection(schedule="power", t0=3.0).apply(plain).schedule == PowerSchedule(t0=3.0, exponent=1.0)
    with pytest.raises(ArgumentError, match="exponent"):
        ScheduleSection(exponent=0.5).apply(plain)


def test_theories_and_simulators():
    theories = {
        "limit": MeanFieldLimit(),
        "averaged": AveragedLimit(),
        "stationary": StationaryLimit(),
        "regimes": RegimesLimit(),
        "clt": Clt(),
        "bridge": TwoLimits(),
        "ntk": NtkLimit(),
        "none": None,
    }
    assert {kind: TheorySection(kind=kind).build() for kind in theories} == theories
    kinds = ("particles", "pair", "averaged", "regimes", "copies", "approximation", "linearised", "none")
    built = [SimulatorSection(kind=kind, precision="float64").build() for kind in kinds]
    assert built == [
        Particles("float64"),
        Pair("float64"),
        Averaged("float64"),
        Regimes("float64"),
        Copies("float64"),
        Approximation("float64"),
        Linearised("float64"),
        None,
    ]


@pytest.mark.parametrize(
    ("quantity", "keys", "slope"),
    [
        ("coupling", {"beta": 0.25}, -0.75),
        ("distance", {"beta": 1.0}, -1.0),
        ("displacement", {"a": 0.75}, -0.5),
        ("displacement", {}, None),
        ("excess_risk", {}, None),
    ],
)
def test_expected_slopes(quantity, keys, slope):
    assert SLOPES.slope(quantity, "N", [problem(**keys), problem(**keys, N=50)]) == slope
    assert SLOPES.slope(quantity, "gamma", [problem(**keys)]) is None
    assert SYSTEM.expectations == {"power": MeanFieldSlopes(), "power_log": MeanFieldSlopes()}


def test_expected_in_eps():
    """Squares: eps of runs that are apart, eps^2 of laws; the theorem bounds both by eps log(1 + 1/eps)^2."""
    for quantity, slope in (("apart", 1.0), ("assigned_largest", 2.0), ("laws", 2.0)):
        assert SLOPES.slope(quantity, "eps", [problem()]) == slope
        assert SLOPES.bound(quantity, "eps", [problem()]) == (1.0, 2.0)
    assert SLOPES.slope("distance", "eps", [problem()]) is None
    assert SLOPES.bound("apart", "N", [problem()]) is None


def test_problems_of_several_beta_have_no_common_slope():
    assert SLOPES.slope("coupling", "N", [problem(), problem(beta=0.75)]) is None
