"""Every shipped experiment loads in full and quick, and its quick variant, cut down further, finds its exponents."""

import json
import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from sgdsim.experiment.experiment import load_experiment
from sgdsim.report import write_report
from tests.drawn import draw
from tests.helpers import finish

ALL = Path(__file__).parents[1] / "configs"
FOLDER = ALL / "committee"
CONFIGS = sorted(ALL.rglob("*.toml"))
QUICK = [path for path in CONFIGS if "\n[quick]\n" in path.read_text()]

NEAR_TEACHER = "start.A=[[0.999,0.04,0,0.02],[0.02,0.999,-0.04,0],[0,0.02,0.999,0.04],[0.04,0,0.02,0.999]]"
"""A start of p = k = 4 from which the risk settles by t = 150."""
SHAPE = ("problem.p0=4", "times.count=20", "ensemble.replicas=64")
"""Of all cuts of the chain: compiled programs depend on p, k, the number of save times and that of replicas only."""
FLOOR = (*SHAPE, NEAR_TEACHER, "grid.noise=[0.01]", "times.final=150")

CUTS: dict[str, tuple[str, ...]] = {
    "figure_3_blue_noise": (*SHAPE, "grid.noise=[0.001]", "problem.d=100", "times.final=400"),
    "figure_4_green_half": (*FLOOR, "grid.d=[40,120]"),
    "figure_5_green_quarter": (*FLOOR, "grid.d=[100,300]"),
    "figure_6_trade_off": (*SHAPE, "problem.d=300", "times.final=20", "grid.delta=[0.25,0.5]"),
    "gradient_flow": ("times.count=20", "ensemble.replicas=2048", "grid.delta=[0.6,1.0]"),
    "sign_floor": ("problem.d=50", "grid.gamma=[0.025,0.1]", "ensemble.replicas=256"),
    "figure_7_orange": (*SHAPE, "grid.d=[1000000,1000000000000]", "times.final=20"),
}
"""Overrides on top of a quick variant that leave a few seconds of work."""


def run(path, folder, overrides):
    """The summary of a quick variant with overrides, its figures drawn too."""
    summary = finish(load_experiment(path, overrides, quick=True), folder)
    (folder / "provenance.json").write_text(json.dumps({"seed": 0}))
    assert draw(folder)
    return summary


@cache
def loaded(path, quick):
    """An experiment, read once for all tests."""
    return load_experiment(path, quick=quick)


@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_loads(path, quick):
    experiment = loaded(path, quick)
    assert len(experiment.title) > 20
    assert "\n" not in experiment.title
    assert experiment.cells
    assert path.parent.name == experiment.system.name
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.stem)
def test_its_quick_variant_is_less_work(path):
    full, quick = loaded(path, False), loaded(path, True)
    assert quick.resolved != full.resolved
    assert "quick" not in quick.resolved
    work = [
        sum(int(cell.problem.steps(cell.times)[-1]) * max(item.replicas, 1) for cell in item.cells)
        for item in (full, quick)
    ]
    assert work[1] < work[0]


NUMBER = r"-?\d[\d.]*(?:e-?\d+)?(?:/\d+)?"
CLAIM = re.compile(rf"((?:-?[A-Za-z]\w*(?:\(0\))? = )+)({NUMBER}(?:(?:, | and | to ){NUMBER})*)")
COUNT = re.compile(r"\b(two|three|four|five|six) (noise level|region)s\b")
OF_ONE_VALUE = {"batch", "regularisation", "rates_sgd", "small_gamma"}
"""Titles about one value of an axis that has several."""


def mistakes(title, cells, of_one_value=False):
    """What a title ("d = 1000", "kappa = -delta = 0 to 1/2", "three regions") says of the cells that is not so."""
    rows, found = [cell.problem.parameters() for cell in cells], []
    for names, text in CLAIM.findall(title):
        told = [float(Fraction(number)) for number in re.findall(NUMBER, text)]
        for name in names.removesuffix(" = ").split(" = "):
            key = name.removeprefix("-").replace("(0)", "0")
            values = {-row[key] if name[0] == "-" else row[key] for row in rows}
            true = {min(values), max(values)} if " to " in text else values
            if not (set(told) <= true if of_one_value else set(told) == true):
                found.append(f"{name} is {sorted(values)}")
    for number, what in COUNT.findall(title):
        values = {row[{"noise level": "noise", "region": "region"}[what]] for row in rows}
        if len(values) != ("two", "three", "four", "five", "six").index(number) + 2:
            found.append(f"{what}s: {len(values)}")
    colour = re.match(r"(Green|Blue|Orange|Red) (?:region|line)", title)
    if colour and {row["region"] for row in rows} != {colour[1].lower()}:
        found.append(f"not all {colour[1].lower()}")
    return found


@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.stem)
def test_its_title_says_what_is_run(path, quick):
    experiment = loaded(path, quick)
    assert not mistakes(experiment.title, experiment.cells, path.stem in OF_ONE_VALUE)


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Blue line: excess risk at four noise levels, d = 1000, p = 8, k = 4", []),
        ("at three noise levels, p = 8, d = 1e3", ["noise levels: 4"]),
        ("Red region, d = 100", ["d is [1000]", "not all red"]),
        ("kappa = -delta = 1/4, and k = 2 to 4", ["kappa is [0.0]", "-delta is [-0.0]", "k is [4]"]),
    ],
)
def test_a_title_that_says_something_else_is_noticed(title, found):
    assert mistakes(title, load_experiment(FOLDER / "figure_3_blue_noise.toml", quick=True).cells) == found


def test_every_figure_of_the_paper_has_a_quick_variant():
    figures = {path.stem for path in CONFIGS if path.stem.startswith("figure_")}
    assert figures <= {path.stem for path in QUICK}
    # Figures 2 and 8 have no exponent, and figure 9 has the plateaus of figure 3 at other exponents.
    assert figures - set(CUTS) == {"figure_2_regions", "figure_8_wide", "figure_9_blue_wide"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_it_finds_its_exponents(name, tmp_path):
    """Each exponent within 3 standard errors of theory, the ODE's own at these d where it has one, and within 0.05."""
    summary = run(FOLDER / f"{name}.toml", tmp_path, CUTS[name])
    assert summary.n_diverged == 0
    for label, fit in summary.fits.items():
        if fit.expected_slope is None:
            continue
        assert fit.slope_error < 0.05, label
        assert abs(fit.slope - fit.expected_slope) < 0.05, label
        theory = fit.expected_slope if fit.theory_slope is None else fit.theory_slope
        assert abs(fit.slope - theory) < 3 * fit.slope_error, label
    if name == "figure_3_blue_noise":
        assert {path.suffix for path in write_report(tmp_path)} == {".png", ".pdf", ".html"}
        for cell in summary.cells:
            measured, theory = cell.plateau, cell.plateau_theory
            assert measured.height == pytest.approx(theory.height, rel=0.1)
            assert measured.end == pytest.approx(theory.end, rel=0.3)
