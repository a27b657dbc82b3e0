"""The example of docs/extending.md: its theory against quadrature and simulation, and its way through all commands."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import sgdsim
from sgdsim import cli
from sgdsim.errors import ArgumentError
from sgdsim.testing import check_system
from tests.extending.guests import EXAMPLES, example, install

ENTRIES = {
    "sgdsim.systems": {"least_squares": "least_squares:SYSTEM"},
    "sgdsim.figures": {"settled_risk": "settled_risk:FIGURE"},
}
CONFIG = """
title = "One-pass least squares against its exact means"
system = "least_squares"

[problem]
gamma = 0.7
noise = 0.3

[grid]
d = [5, 10, 20]

[start]
overlap = 0.4

[times]
final = 2.0
count = 4

[ensemble]
replicas = 64
block = 32

[fits.scaling]
quantity = "sup_deviation"
against = "d"

[report]
figures = ["scaling", "settled_risk"]
"""


@pytest.fixture
def guest(monkeypatch):
    return example(monkeypatch, "least_squares")


def test_the_laws_of_the_contract(guest):
    check_system(guest.SYSTEM, guest.LeastSquares(d=6, gamma=0.7, noise=0.3), guest.Aligned(0.4))


@pytest.mark.parametrize("gamma", [0.3, 1.0, 1.6])
def test_one_step_by_quadrature(guest, gamma):
    """E over x in R^2 and the noise by Gauss and Hermite, exact for polynomials; a = 1 at gamma = 1."""
    d, noise, overlap = 2, 0.3, 0.4
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    weights = weights / weights.sum()
    star = np.full(d, d**-0.5)
    w = overlap * star
    risk = m = 0.0
    for i, j, k in itertools.product(range(8), repeat=3):
        x, xi, weight = np.array([nodes[i], nodes[j]]), nodes[k], weights[i] * weights[j] * weights[k]
        after = w - gamma / d * (w @ x - star @ x - noise**0.5 * xi) * x
        risk += weight * ((after - star) ** 2).sum() / 2
        m += weight * (after @ star)
    problem = guest.LeastSquares(d=d, gamma=gamma, noise=noise)
    solved = sgdsim.solve(problem, guest.Aligned(overlap), [problem.dt])
    assert float(solved["excess_risk"][0]) == pytest.approx(risk, rel=1e-12)
    assert float(solved["m"][0]) == pytest.approx(m, rel=1e-12)


@pytest.mark.slow
def test_many_steps_by_simulation(guest):
    """Means of 2^15 replicas, of which 2 % of any coefficient would be seen; early, in between, and settled."""
    problem = guest.LeastSquares(d=5, gamma=0.7, noise=0.3)
    data = sgdsim.simulate(problem, guest.Aligned(0.4), [0.14, 1.4, 7.0], replicas=2**15)
    for name in ("excess_risk", "m"):
        assert (abs(data[name] - data[f"{name}_theory"]) < 5 * data[f"{name}_sem"]).all()
        assert (5 * data[f"{name}_sem"] < 0.03 * data[name]).all()
    settled = 0.7 * 0.3 / (2 * (2 - 0.7 * 1.4))
    assert float(data["excess_risk_theory"][-1]) == pytest.approx(settled, rel=1e-2)


@pytest.mark.parametrize(
    ("argument", "value", "must"), [("gamma", 0.0, "> 0"), ("noise", -1.0, ">= 0"), ("d", 0, ">= 1")]
)
def test_wrong_values_are_told(guest, argument, value, must):
    with pytest.raises(ArgumentError, match=f"`{argument}` must .*{must}"):
        guest.LeastSquares(**{"d": 5, "gamma": 0.7} | {argument: value})


def run(*arguments):
    """A command of the command line that succeeds; what it prints."""
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def results(folder):
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as data:
        return data.load()


@pytest.mark.slow
def test_the_way_of_a_guest(monkeypatch, tmp_path):
    """Installed, it is planned, run, interrupted, resumed, fitted, drawn, reported, verified and extended as ours."""
    install(monkeypatch, tmp_path / "site", ENTRIES)
    config, out = tmp_path / "guest.toml", tmp_path / "out"
    config.write_text(CONFIG)
    assert "3 cells" in run("plan", config)
    assert re.search(r"scaling: sup_deviation = C d\^s with s = -0\.\d+\(\d+\)", run("run", config, "-o", out))
    whole = results(out)
    assert (whole.attrs["system"], whole.attrs["axes"]) == ("least_squares", "d")
    assert (abs(whole.m - whole.m_theory) < 5 * whole.m_sem).all()
    for block in list((out / "blocks").rglob("*.npz"))[:2]:
        block.unlink()
    run("run", out)
    assert results(out).identical(whole)
    assert {path.name for path in map(Path, run("report", out).split())} >= {"settled_risk.png", "report.html"}
    page = (out / "report.html").read_text()
    assert "Excess risk at the last save time" in page
    assert "6 of 6 blocks sound, results compared, 0 problems" in run("verify", out)
    run("extend", out, "--replicas", 96)
    assert results(out).n_replicas.values.tolist() == [96, 96, 96]


def test_a_mistake_in_a_guests_file_is_told_as_ours(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site", ENTRIES)
    config = tmp_path / "guest.toml"
    config.write_text(CONFIG.replace("noise = 0.3", "noise = -0.3\nT = 3.0").replace('"d"', '"D"'))
    done = CliRunner().invoke(cli.main, ["plan", str(config)])
    assert done.exit_code == 2
    assert "guest.toml:7: problem.noise: must be >= 0 (got -0.3)" in done.output
    assert "guest.toml:8: problem.T: unknown key; did you mean `final` in [times]" in done.output


def test_the_page_shows_the_files_as_they_are():
    page = (EXAMPLES.parent / "extending.md").read_text()
    for name in ("least_squares.py", "settled_risk.py", "factor.py"):
        assert f"```python\n{(EXAMPLES / name).read_text()}```" in page, name


def test_it_is_short():
    assert len((EXAMPLES / "least_squares.py").read_text().splitlines()) < 100
