"""The table [data] and the optimisers of [rule] in an experiment file."""

import pytest
import tomli_w

from sgdsim.committee import Weights
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.training import SGD, Adam, FiniteData, HeavyBall, Nesterov, RMSProp, SignDescent

TEXT = """
system = "committee"
problem = { d = 20, k = 1, p = 2, gamma = 0.5 }
start = { kind = "overlap", overlap = 0.5 }
theory = { kind = "none" }
simulator = { kind = "weights" }
times = { final = 1.0, count = 2 }
ensemble = { replicas = 4 }
"""


@pytest.fixture
def load(tmp_path):
    def load_text(*options, text=TEXT):
        (tmp_path / "test.toml").write_text(text)
        return load_experiment(tmp_path / "test.toml", options)

    return load_text


def test_data_are_a_table_of_their_own(load):
    """Fixed, an axis, or a multiple of d; what is resolved is read again as the same."""
    (cell,) = load("data.n=30").cells
    assert cell.problem.data == FiniteData(n=30)
    assert cell.problem.optimiser is None
    assert cell.problem.parameters()["n"] == 30
    grown = load("grid.d=[20,40]", "data.n0=1.5", "data.draws=replacement")
    assert [cell.problem.n for cell in grown.cells] == [30, 60]
    assert {cell.problem.data.draws for cell in grown.cells} == {"replacement"}
    axis = load("grid.n=[10,30]", "grid.momentum=[0.5,0.9]", "rule.optimiser=momentum")
    assert [(cell.problem.n, cell.problem.optimiser.momentum) for cell in axis.cells] == [
        *((10, 0.5), (10, 0.9), (30, 0.5), (30, 0.9))
    ]
    again = load(text=tomli_w.dumps(axis.resolved))
    assert again.resolved == axis.resolved
    assert list(axis.resolved)[2:5] == ["problem", "rule", "data"] or "data" not in axis.resolved
    assert "data" not in load().resolved


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["rule.optimiser=sgd"], SGD()),
        (["rule.optimiser=sgd", "rule.decay=0.1", "rule.clip=2.0"], SGD(decay=0.1, clip=2.0)),
        (["rule.optimiser=momentum", "rule.momentum=0.5"], HeavyBall(momentum=0.5)),
        (["rule.optimiser=nesterov", "rule.momentum=0.7"], Nesterov(momentum=0.7)),
        (["rule.optimiser=adam", "rule.beta1=0.8"], Adam(beta1=0.8)),
        (["rule.optimiser=adamw", "rule.decay=0.2"], Adam(decay=0.2)),
        (["rule.optimiser=rmsprop", "rule.beta2=0.5", "rule.epsilon=0.1"], RMSProp(beta2=0.5, epsilon=0.1)),
        (["rule.optimiser=sign"], SignDescent()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_optimisers_by_name(load, options, expected):
    (cell,) = load(*options).cells
    assert cell.problem.optimiser == expected
    assert cell.problem.update is None
    assert cell.problem.parameters()["optimiser"] == expected.name


def test_a_schedule_stands_beside_an_optimiser(load):
    (cell,) = load("rule.optimiser=adam", "rule.schedule=power", "rule.t0=2.0").cells
    assert cell.problem.schedule.t0 == 2.0
    assert cell.problem.optimiser == Adam()


MISTAKES = {
    "data.n: must be given, or n0": ["data.draws=shuffled"],
    "must be at most the data, n = 3": ["data.n=3", "problem.batch=4"],
    "data.N: unknown key; did you mean `n`": ["data.N=3"],
    "did you mean `optimiser`": ["rule.optimizer=adam"],
    "beta1: must be given beside an optimiser": ["rule.beta1=0.5"],
    'momentum: must not be given beside optimiser = "adam"': ["rule.optimiser=adam", "rule.momentum=0.5"],
    "write optimiser = sgd or": ["rule.optimiser=adam", "rule.decay=0.5"],
    'momentum: must be above 0 beside optimiser = "momentum"': ["rule.optimiser=momentum"],
    'spherical: must not be given beside optimiser = "sgd"': ["rule.optimiser=sgd", "rule.spherical=true"],
    "must be left out beside data": ["data.n=9", "rule.momentum=0.5"],
    "for the simulator `chain`": ["data.n=9", "simulator.kind=chain"],
    "must be none beside optimiser = adam": ["rule.optimiser=adam", "theory.kind=exact"],
    "inputs: must be Gaussian beside optimiser = sign": [
        *("rule.optimiser=sign", "theory.kind=exact", "problem.inputs=rademacher"),
    ],
}


@pytest.mark.parametrize(("said", "options"), MISTAKES.items())
def test_mistakes_are_told(load, said, options):
    with pytest.raises(ExperimentError) as caught:
        load(*options)
    assert said in " ".join(caught.value.problems)


def test_cells_may_be_paired(load):
    assert load("simulator.paired=true").cells[0].simulator == Weights(paired=True)
    assert "paired" not in load().resolved["simulator"]
