"""The rule of docs/extending.md: its laws, known asymptotics, fluctuations, and its way through all commands."""

import numpy as np
import pytest
import xarray as xr

import sgdsim
from sgdsim import testing
from sgdsim.errors import ArgumentError
from sgdsim.rules import ExplicitRuleStart, Rule, RuleChain, RuleFullWeights, RuleODE, laws
from sgdsim.testing import BrokenContractError, check_system
from tests.extending.guests import EXAMPLES, example, install
from tests.extending.test_least_squares import run

START = ExplicitRuleStart([[1.3]], [[0.2]], [[0.8]])
CONFIG = """
title = "The perceptron rule against its ODE"
system = "perceptron"

[problem]
eta = 1.0

[grid]
d = [100, 400]

[start]
kind = "explicit"
P = [[1.3]]
M0 = [[0.2]]
Q0 = [[0.8]]

[times]
final = 2.0
count = 4

[theory]
kind = "exact"
fluctuations = true

[ensemble]
replicas = 64
block = 32

[fits.scaling]
quantity = "sup_deviation"
against = "d"

[report]
figures = ["scaling", "risk"]
"""


@pytest.fixture
def guest(monkeypatch):
    return example(monkeypatch, "perceptron")


@pytest.mark.slow
def test_the_laws_of_the_contract_and_of_the_rule(guest):
    check_system(guest.SYSTEM, guest.Perceptron(d=20, eta=1.0), START)


def test_a_wrong_moment_is_told_by_check_system(guest, monkeypatch):
    """E off by 2 %, by the one law that is about it: of the others the test above has compiled what it takes."""
    monkeypatch.setattr(testing, "LAWS", (testing._rule,))
    monkeypatch.setattr(laws, "LAWS", (laws._moments,))

    class Wrong(guest.PerceptronRule):
        def moments(self, *where):
            right = super().moments(*where)
            return right._replace(squares=1.02 * right.squares)

    monkeypatch.setattr(guest.Perceptron, "rule", property(lambda self: Wrong(self.eta / self.d)))
    with pytest.raises(BrokenContractError, match=r"^rule: moments: `moments` gives squares"):
        check_system(guest.SYSTEM, guest.Perceptron(d=20, eta=1.0), START)


def test_the_error_falls_by_the_known_law(guest):
    """E -> (2/3)^(1/3)/pi t^(-1/3), whatever eta is."""
    for eta in (1.0, 3.0):
        end = sgdsim.solve(guest.Perceptron(d=10**6, eta=eta), START, [1e6])
        assert float(end.error[0]) * 1e2 == pytest.approx((2 / 3) ** (1 / 3) / np.pi, rel=1e-3)


def test_means_and_spread_are_as_predicted(guest):
    """d = 1000, where 2 % of any coefficient and 3 % of any spread would be seen."""
    data = sgdsim.simulate(
        guest.Perceptron(d=1000, eta=1.5), START, [0.3, 2.0], replicas=2**14, theory=RuleODE(fluctuations=True)
    )
    for name in ("M", "Q"):
        assert (abs(data[name] - data[f"{name}_theory"]) < 5 * data[f"{name}_sem"] + 1e-3 * data[name]).all()
    for name in ("M", "Q", "error"):
        assert np.abs(data[f"{name}_std"] / data[f"{name}_predicted_std"] - 1).max() < 0.03
    assert float(data.sup_deviation.mean()) == pytest.approx(float(data.sup_deviation_predicted), rel=0.02)


@pytest.mark.slow
def test_the_way_of_a_rule(monkeypatch, tmp_path):
    """Installed, it is planned, run, resumed and reported as ours; the chain and the full weights agree."""
    install(monkeypatch, tmp_path / "site", {"sgdsim.systems": {"perceptron": "perceptron:SYSTEM"}})
    config, out = tmp_path / "guest.toml", tmp_path / "out"
    config.write_text(CONFIG)
    assert "2 cells" in run("plan", config)
    run("run", config, "-o", out)
    with xr.open_dataset(out / "results.nc", engine="netcdf4") as data:
        whole = data.load()
    assert (abs(whole.error - whole.error_theory) < 5 * whole.error_sem + 0.02).all()
    next((out / "blocks").rglob("*.npz")).unlink()
    run("run", out)
    with xr.open_dataset(out / "results.nc", engine="netcdf4") as data:
        assert data.identical(whole)
    assert "report.html" in run("report", out)
    assert "part of the data that is wrong" in (out / "report.html").read_text()


def test_a_plan_counts_what_the_rule_has(guest):
    """By sizes: full weights by d, the chain by vectors and not by d."""
    small, large = (guest.Perceptron(d=d, eta=1.0) for d in (100, 10**6))
    chain, weights = RuleChain(kernel="xla"), RuleFullWeights()
    assert chain.step_cost(small) == chain.step_cost(large)
    assert weights.step_cost(large).operations == 10**4 * weights.step_cost(small).operations
    assert RuleODE(fluctuations=True).cost(small, START, np.array([1.0])) > RuleODE().cost(
        small, START, np.array([1.0])
    )


def test_what_does_not_fit_is_told(guest):
    with pytest.raises(ArgumentError, match="`d` must be an integer >= 2"):
        guest.Perceptron(d=1, eta=1.0)
    with pytest.raises(ArgumentError, match="`eta` must be finite and > 0"):
        guest.Perceptron(d=20, eta=0.0)
    with pytest.raises(ArgumentError, match="`M0` must have shape"):
        START_OF_TWO.check(guest.Perceptron(d=20, eta=1.0))


START_OF_TWO = ExplicitRuleStart([[1.0]], [[0.2], [0.1]], [[0.8, 0.0], [0.0, 0.8]])


def test_the_page_shows_the_file_which_is_short(guest):
    text = (EXAMPLES / "perceptron.py").read_text()
    assert f"```python\n{text}```" in (EXAMPLES.parent / "extending.md").read_text()
    assert len(text.splitlines()) < 60
    assert issubclass(guest.PerceptronRule, Rule)
