"""From an experiment file to cells: defaults, options, the resolved form, and the shipped experiments."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdsim.committee.chain import Chain
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.starts import CombinationStart, ExplicitStart, GaussianStart, OverlapStart, SphereStart
from sgdsim.committee.theory.ode import ExactODE, LimitODE
from sgdsim.committee.update import Update
from sgdsim.committee.weights import Weights
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.schema import COMMON_FIGURES, Document
from sgdsim.experiment.source import FURTHER
from sgdsim.figures.catalogue import FIGURES
from sgdsim.laws.power import PowerFit
from sgdsim.store.identity import differing_keys
from sgdsim.systems import SYSTEMS, load_system
from tests.experiment.bad_configs import GOOD

SHIPPED = sorted((Path(__file__).parents[2] / "configs").rglob("*.toml"))
LEAST = """\
system = "committee"
problem = { d = 100, k = 2, p0 = 3 }
start = { kind = "overlap", overlap = 0.5 }
times = { final = 1.0, count = 2 }
ensemble.replicas = 4
"""


@pytest.fixture
def load(tmp_path):
    """Loads an experiment from its text."""

    def load_text(text, *options, quick=False):
        (tmp_path / "test.toml").write_text(text)
        return load_experiment(tmp_path / "test.toml", options, quick)

    return load_text


def same_cells(first, second):
    """Whether two experiments have the same cells, compared by all that defines them."""
    return [describe(cell) for cell in first.cells] == [describe(cell) for cell in second.cells]


def describe(cell):
    start = {key: np.asarray(value).tolist() for key, value in vars(cell.start).items()}
    parts = (type(cell.start), start, cell.theory, cell.simulator, cell.times.tolist())
    return (cell.index, cell.problem.parameters(), cell.axes, *parts)


def test_defaults(load):
    experiment = load(LEAST)
    (cell,) = experiment.cells
    assert (experiment.name, experiment.title) == ("test", "test")
    assert (experiment.replicas, experiment.seed, experiment.batch, experiment.block) == (4, 0, None, None)
    assert (experiment.fits, experiment.figures) == ({}, ("trajectories",))
    assert (cell.index, cell.axes) == (0, {})
    assert (cell.start, cell.theory, cell.simulator) == (OverlapStart(0.5), ExactODE(), Chain())
    np.testing.assert_array_equal(cell.times, [0.5, 1.0])
    expected = {"d": 100, "p": 3, "k": 2, "gamma": 3.0, "noise": 0.0, "batch": 1, "activation": "erf", "region": "blue"}
    assert expected.items() <= cell.problem.parameters().items()


def test_every_default_is_in_the_resolved_table(load):
    assert load(LEAST).resolved == {
        "title": "test",
        "system": "committee",
        "problem": {
            "d": 100,
            "k": 2,
            "p0": 3.0,
            "gamma0": 3.0,
            "kappa": 0.0,
            "delta": 0.0,
            "noise": 0.0,
            "activation": "erf",
            "batch": 1,
        },
        "grid": {},
        "start": {"kind": "overlap", "overlap": 0.5, "seed": 1, "per_replica": False},
        "times": {"final": 1.0, "count": 2, "spacing": "linear", "start": False},
        "theory": {"kind": "exact", "fluctuations": False},
        "simulator": {"kind": "chain", "precision": "float32", "kernel": "auto"},
        "ensemble": {"replicas": 4, "seed": 0},
        "fits": {},
        "report": {"figures": ["trajectories"], "samples": False, "steps": False, "against": []},
    }


def test_a_full_file(load):
    experiment = load(GOOD)
    assert [cell.problem.d for cell in experiment.cells] == [50, 100]
    assert [cell.axes for cell in experiment.cells] == [{"d": 50}, {"d": 100}]
    assert [cell.index for cell in experiment.cells] == [0, 1]
    assert experiment.fits == {"scaling": PowerFit(quantity="sup_deviation", against="dt")}
    assert experiment.figures == ("scaling",)
    assert experiment.system is load_system("committee")


def test_plain_width_and_learning_rate(load):
    (cell,) = load(LEAST.replace("p0 = 3", "p = 5, gamma = 0.25")).cells
    assert (cell.problem.p, cell.problem.gamma) == (5, 0.25)


def test_a_default_that_follows_an_axis(load):
    """gamma0 = p0 holds in every cell, so it is no constant of the problem."""
    experiment = load(LEAST.replace(", p0 = 3", ""), "grid.p0=[2, 4]")
    assert [cell.problem.gamma for cell in experiment.cells] == [2.0, 4.0]
    assert "gamma0" not in experiment.resolved["problem"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        ('{ kind = "sphere", per_replica = true }', SphereStart),
        ('{ kind = "gaussian", seed = 3 }', GaussianStart),
        ('{ kind = "combination", A = [[1, 0], [0, 1], [0.5, 0.5]] }', CombinationStart),
        ('{ kind = "combination" }', CombinationStart),
        ('{ kind = "equal", M0 = 0.5, diagonal = 1, off_diagonal = 0.5 }', EqualStart),
        ('{ kind = "equal", M0 = [0.5, -0.5], diagonal = 1, off_diagonal = 0.5 }', EqualStart),
        ('{ kind = "explicit", P = [[1, 0], [0, 1]], M0 = [[0, 0], [0, 0], [0, 0]], Q0 = %s }', ExplicitStart),
    ],
)
def test_starts(load, start, kind):
    text = LEAST.replace('{ kind = "overlap", overlap = 0.5 }', start.replace("%s", str(np.eye(3).tolist())))
    (cell,) = load(text).cells
    assert type(cell.start) is kind
    assert cell.start.per_replica == ("per_replica = true" in start)
    assert cell.start.seed == (3 if "seed" in start else 0 if kind in (EqualStart, ExplicitStart) else 1)


def test_theories_and_simulators(load):
    assert load(LEAST, "theory.kind=limit").cells[0].theory == LimitODE()
    assert load(LEAST, "theory.kind=none").cells[0].theory is None
    (cell,) = load(LEAST, "simulator.kind=weights", "simulator.precision=float64").cells
    assert cell.simulator == Weights("float64")


def test_log_times(load):
    experiment = load(LEAST, "times.spacing=log", "times.count=4")
    np.testing.assert_allclose(experiment.cells[0].times, [0.001, 0.01, 0.1, 1.0])
    assert experiment.resolved["times"]["first"] == 0.001


@pytest.mark.parametrize("spacing", ["linear", "log"])
def test_the_start_may_be_saved_too(load, spacing):
    options = [f"times.spacing={spacing}"]
    (later,), (all_times,) = load(LEAST, *options).cells, load(LEAST, *options, "times.start=true").cells
    np.testing.assert_array_equal(all_times.times, [0.0, *later.times])


def test_save_times_per_a_parameter_are_divided_by_it(load):
    """Twice the learning rate is there in half of the time."""
    text = LEAST.replace("p0 = 3 }", "p = 3 }\ngrid.gamma = [2.0, 4.0]")
    first, second = load(text.replace("count = 2", 'count = 2, per = "gamma"')).cells
    np.testing.assert_array_equal(first.times, [0.25, 0.5])
    np.testing.assert_array_equal(second.times, [0.125, 0.25])
    np.testing.assert_array_equal(first.asked, second.asked)


def test_save_times_may_share_a_step(load):
    (cell,) = load(LEAST, "times.spacing=log", "times.count=20").cells
    steps = cell.problem.steps(cell.times)
    assert steps[0] == 0
    assert len(set(steps)) < len(steps)


def test_red_region_without_theory(load):
    (cell,) = load(LEAST, "problem.delta=-0.5", "theory.kind=none", "times.final=10").cells
    assert (cell.problem.region, cell.problem.dt, cell.theory) == ("red", 1.0, None)


@pytest.mark.parametrize(
    ("option", "table", "value"),
    [
        ("title=A long title", "title", "A long title"),
        ('title="1"', "title", "1"),
        ("report.figures=[]", "report", {"figures": [], "samples": False, "steps": False, "against": []}),
        ("ensemble.seed = 7", "ensemble", {"replicas": 8, "seed": 7}),
        ("theory={ kind = 'limit' }", "theory", {"kind": "limit", "fluctuations": False}),
        ("fits.again.quantity=excess_risk", "fits", None),
    ],
)
def test_options(load, option, table, value):
    resolved = load(GOOD, option).resolved
    assert resolved[table] == value or (value is None and resolved["fits"]["again"]["quantity"] == "excess_risk")


def test_the_last_option_counts(load):
    assert load(GOOD, "ensemble.seed=7", "ensemble.seed=8").seed == 8


def test_an_option_makes_an_axis_a_constant_and_back(load):
    fixed = load(GOOD, "problem.d=200")
    assert ([cell.problem.d for cell in fixed.cells], fixed.resolved["grid"]) == ([200], {})
    spread = load(GOOD, "grid.noise={ log = [0.01, 1, 3] }")
    assert spread.resolved["grid"] == {"d": [50, 100], "noise": [0.01, 0.1, 1.0]}
    assert "noise" not in spread.resolved["problem"]


def test_an_option_takes_an_axis_out_of_its_zip_group(load):
    text = GOOD.replace("d = [50, 100]", "[[grid.zip]]\nd = [50, 100]\nkappa = [0.0, 0.1]")
    assert load(text, "problem.d=60").resolved["grid"] == {"zip": [{"kappa": [0.0, 0.1]}]}
    assert load(text, "grid.kappa=[0.0]").resolved["grid"] == {"kappa": [0.0], "zip": [{"d": [50, 100]}]}


def test_an_option_is_blamed_for_what_it_set_only(load):
    with pytest.raises(ExperimentError) as caught:
        load(GOOD.replace("replicas = 8", "replicas = 0"), "ensemble.seed=-1")
    first, second = caught.value.problems
    assert "test.toml:27: ensemble.replicas" in first
    assert second.startswith("--set ensemble.seed=-1: ensemble.seed:")


QUICK = """
[quick]
"grid.d" = [60]
"problem.noise" = 0.5
"simulator.precision" = "float64"
'ensemble.replicas' = 2
"""


def test_quick_does_what_the_same_options_do(load):
    plain = load(GOOD)
    options = ("grid.d=[60]", "problem.noise=0.5", "simulator.precision=float64", "ensemble.replicas=2")
    quick = load(GOOD + QUICK, quick=True)
    assert quick.resolved == load(GOOD, *options).resolved != plain.resolved
    assert "quick" not in quick.resolved
    assert (quick.name, plain.name) == ("test-quick", "test")


def test_quick_is_left_out_unless_asked_for(load):
    left_out = load(GOOD + QUICK)
    assert left_out.resolved == load(GOOD).resolved
    assert left_out.name == "test"


def test_an_option_comes_after_quick(load):
    experiment = load(GOOD + QUICK, "ensemble.replicas=3", "problem.d=70", quick=True)
    assert (experiment.replicas, experiment.resolved["grid"]) == (3, {})
    assert experiment.resolved["problem"]["d"] == 70


def test_the_line_in_quick_is_blamed_for_what_it_set_only(load):
    with pytest.raises(ExperimentError) as caught:
        load(GOOD + QUICK.replace("= 2", "= 0"), "ensemble.seed=-1", "grid.d=[1]", quick=True)
    assert [line.rpartition("test.toml:")[2].partition(": must")[0] for line in caught.value.problems] == [
        "40: ensemble.replicas",
        "--set ensemble.seed=-1: ensemble.seed",
        "--set grid.d=[1]: grid.d",
    ]


SCALINGS = st.fixed_dictionaries(
    {"d": st.integers(100, 10**6), "k": st.integers(1, 4), "p0": st.sampled_from([1, 2.5, 7])},
    optional={
        "gamma0": st.floats(1e-3, 10),
        "kappa": st.floats(0, 0.1),
        "delta": st.floats(0, 0.5),
        "noise": st.floats(0, 10),
        "batch": st.integers(1, 20),
        "b0": st.sampled_from([1, 2.5]),
        "mu": st.floats(0, 0.3),
        "rho": st.floats(0, 1),
    },
)
AXES = st.fixed_dictionaries(
    {},
    optional={
        "d": st.sampled_from([[500, 10**6], {"log": [100, 1e6, 3]}]),
        "noise": st.lists(st.floats(0, 10), min_size=1, max_size=3, unique=True),
        "zip": st.sampled_from([[{"kappa": [0, 0.1], "delta": [0.2, 0]}], [{"p0": [1, 3]}, {"mu": [0.1, 0]}]]),
    },
)
STARTS = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["sphere", "gaussian", "combination"])},
        optional={"seed": st.integers(0, 2**63 - 1), "per_replica": st.booleans()},
    ),
    st.fixed_dictionaries({"kind": st.just("overlap"), "overlap": st.floats(-1, 1)}),
)
TABLES = st.fixed_dictionaries(
    {
        "system": st.just("committee"),
        "problem": SCALINGS,
        "grid": AXES,
        "start": STARTS,
        "times": st.fixed_dictionaries(
            {"final": st.floats(1, 100), "count": st.integers(1, 9), "spacing": st.sampled_from(["linear", "log"])},
            optional={"start": st.booleans()},
        ),
        "simulator": st.fixed_dictionaries({}, optional={"kind": st.just("weights"), "precision": st.just("float64")}),
        "ensemble": st.fixed_dictionaries({"replicas": st.integers(1, 99)}, optional={"batch": st.integers(1, 99)}),
    },
    optional={
        "title": st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20),
        "theory": st.just({"kind": "none"}),
    },
)


@settings(max_examples=40)
@given(TABLES)
def test_the_resolved_table_loads_as_the_same_experiment(tmp_path_factory, table):
    axes = {*table["grid"], *(key for group in table["grid"].get("zip", []) for key in group)}
    if {"b0", "mu"} & {*table["problem"], *axes}:
        table["problem"].pop("batch", None)
    table["problem"] = {key: value for key, value in table["problem"].items() if key not in axes}
    path = tmp_path_factory.mktemp("round_trip") / "test.toml"
    path.write_text(tomli_w.dumps(table))
    first = load_experiment(path)
    path.write_text(tomli_w.dumps(first.resolved))
    second = load_experiment(path)
    assert second.resolved == first.resolved == tomllib.loads(tomli_w.dumps(first.resolved))
    assert same_cells(first, second)
    assert differing_keys(first.resolved, second.resolved) == []


def test_differing_keys(load):
    first = load(GOOD).resolved
    same = ("title=other", "report.figures=[]", "fits.scaling.against=d", "ensemble.batch=3")
    assert differing_keys(first, load(GOOD, *same).resolved) == []
    other = load(GOOD, "grid.d=[50]", "problem.noise=1", "ensemble.block=2", "times.spacing=log").resolved
    expected = ["problem.noise", "grid.d", "times.spacing", "times.first", "ensemble.block"]
    assert differing_keys(first, other) == expected
    assert set(differing_keys(other, first)) == set(expected)


def test_the_demo():
    experiment = load_experiment(next(path for path in SHIPPED if path.stem == "scaling_law"))
    assert [cell.problem.d for cell in experiment.cells] == [100, 300, 1000, 3000, 10000, 30000]
    assert {(cell.problem.p, cell.problem.k, cell.problem.gamma, cell.problem.noise) for cell in experiment.cells} == {
        (4, 4, 1.0, 1e-3)
    }
    assert (experiment.replicas, experiment.cells[0].times[-1], len(experiment.cells[0].times)) == (512, 5.0, 50)


def test_the_update_is_a_table_of_its_own(load):
    """Keys of [rule] are fixed, axes, or options; without them nothing is said of a rule, and the network is plain."""
    plain, fixed = load(LEAST), load(LEAST, "rule.momentum=0.5", "rule.decay=0.1")
    assert "rule" not in plain.resolved
    assert plain.cells[0].problem.update is None
    schedule = {"schedule": "constant", "scheduled": "both"}
    assert fixed.resolved["rule"] == vars(Update()) | schedule | {"decay": 0.1, "momentum": 0.5}
    assert list(fixed.resolved)[:4] == ["title", "system", "problem", "rule"]
    assert fixed.cells[0].problem.update == Update(decay=0.1, momentum=0.5)
    assert differing_keys(plain.resolved, fixed.resolved)[0].startswith("rule.")


def test_keys_of_the_update_may_be_axes(load):
    text = LEAST + '[rule]\nmomentum = 0.9\n[grid]\nnoise = [0.0, 0.1]\n[quick]\n"grid.momentum" = [0.0, 0.5]\n'
    assert [cell.problem.update.momentum for cell in load(text).cells] == [0.9, 0.9]
    quick = load(text, quick=True)
    assert [cell.axes for cell in quick.cells[:2]] == [{"noise": 0.0, "momentum": 0.0}, {"noise": 0.0, "momentum": 0.5}]
    assert [cell.problem.update.momentum for cell in quick.cells] == [0.0, 0.5, 0.0, 0.5]
    assert [cell.problem.plain for cell in quick.cells[:2]] == [True, False]
    assert [cell.problem.parameters()["momentum"] for cell in quick.cells[:2]] == [0.0, 0.5]
    assert "momentum" not in quick.resolved["rule"]
    again = load(tomli_w.dumps(quick.resolved))
    assert same_cells(quick, again)
    assert again.resolved == quick.resolved
    assert load(text, "rule.momentum=0.1", quick=True).cells[0].problem.update.momentum == 0.1


def test_other_systems_have_no_table_of_the_update():
    path = next(path for path in SHIPPED if path.stem == "dmft")
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path, ["rule.momentum=0.5"])
    said = "rule: must be left out: the system recovery has no such table; remove the table"
    assert caught.value.problems == [f"{path}: {said}"]


def test_no_two_tables_that_may_have_axes_share_a_key():
    """Axes of a grid are named by the bare key."""
    for system in map(load_system, SYSTEMS):
        keys = [key for section in system.homes.values() for key in section.model_fields]
        assert len(keys) == len(set(keys))
        assert [name for name in FURTHER if name in system.tables] == list(system.tables)


def test_tables_beside_the_problem_are_those_of_a_document():
    assert tuple(Document.model_fields)[3 : 3 + len(FURTHER)] == FURTHER


def test_figures_are_those_of_the_report(load):
    """Every figure is of one system or of all of them: what a file may ask for is what can be drawn."""
    own = [name for system in SYSTEMS for name in load_system(system).figures]
    assert sorted([*COMMON_FIGURES, *own]) == sorted(FIGURES)
    known = (*COMMON_FIGURES, *load_system("committee").figures)
    assert load(GOOD, f"report.figures={list(known)}").figures == known


def test_systems():
    assert [load_system(name).name for name in SYSTEMS] == list(SYSTEMS)
    with pytest.raises(ArgumentError, match=r"`system` must be one of committee, .*, but got 'os'"):
        load_system("os")


def test_no_cell_is_held_against_all_others(load):
    """Calls of functions are in proportion to the cells: neither a busy machine nor a slow one matters to their number.

    One call for each pair of cells, added by hand, would be 200 in the second difference of 10, 20 and 30 cells.
    """

    def calls(count):
        number = 0

        def add(frame, event, argument):
            nonlocal number
            number += event in ("call", "c_call")

        sys.setprofile(add)
        try:
            experiment = load(GOOD, f"grid.d={{ log = [100, 1e9, {count}] }}", "grid.noise={ linear = [0, 1, 5] }")
        finally:
            sys.setprofile(None)
        assert len(experiment.cells) == 5 * count
        return number

    calls(2)  # what is kept from the first time on
    few, more, most = (calls(count) for count in (2, 4, 6))
    assert more > few + 10
    assert abs((most - more) - (more - few)) < 100
