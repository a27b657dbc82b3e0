"""Every mistake is told by file, line, key and remedy, all of them at once, and nothing is written."""

import re
from pathlib import Path

import pytest

from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.wording import must
from tests.experiment.bad_configs import BAD, GOOD, Bad

CONFIGS = Path(__file__).parents[2] / "configs"


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def problems_of(bad, folder, monkeypatch):
    """What is wrong with an experiment file in the working folder."""
    monkeypatch.chdir(folder)
    bad.write(folder)
    before = listing(folder)
    with pytest.raises(ExperimentError) as caught:
        load_experiment(Path(bad.path), bad.options, bad.quick)
    assert listing(folder) == before
    return caught.value.problems


def test_the_good_file_is_good(tmp_path):
    Bad("good", content=GOOD.encode()).write(tmp_path)
    assert len(load_experiment(tmp_path / "experiment.toml").cells) == 2


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_mistake_is_told(bad, tmp_path, monkeypatch):
    problems = problems_of(bad, tmp_path, monkeypatch)
    assert bad.tells(problems), "\n".join(problems)


def test_there_are_many_and_no_two_are_the_same():
    assert len({bad.name for bad in BAD}) == len(BAD) >= 30
    assert len({(bad.content, *bad.options, bad.path, bad.quick) for bad in BAD}) == len(BAD)


def test_the_file_is_named_as_it_was_given(tmp_path):
    Bad("", content=b"x = 1\n").write(tmp_path)
    with pytest.raises(ExperimentError) as caught:
        load_experiment(tmp_path / "experiment.toml")
    assert all(line.startswith(f"{tmp_path}/experiment.toml") for line in caught.value.problems)


def test_one_line_for_a_thousand_cells(tmp_path, monkeypatch):
    text = GOOD.replace("d = [50, 100]", "d = { linear = [50, 549, 500] }\nk = [2, 700]").replace("k = 2\n", "")
    (line,) = problems_of(Bad("", content=text.encode()), tmp_path, monkeypatch)
    assert line.startswith("experiment.toml:9: grid.d: must be >= k + p = 702")
    assert "(got 50 at k = 700, and alike in 499 more cells)" in line


def test_an_end_that_a_key_must_stay_below_is_told(tmp_path):
    (tmp_path / "dmft.toml").write_text((CONFIGS / "recovery" / "dmft.toml").read_text())
    (line,) = refusal(tmp_path / "dmft.toml", "theory.tolerance=1.0")
    assert line.endswith("theory.tolerance: must be < 1 (got 1.0)")


def test_no_words_of_pydantic():
    """An error of a kind that no key can have today is still told in plain words."""
    assert must("url_scheme", {}) == "must be a value of another type"


NASTY = (
    *("nan", "inf", "0", "-1", "1e308", "5e-324", "1.5", "true", "1" + "0" * 400),
    *('""', '"x"', "1979-05-27", "[]", "[[]]", "[[1, 2], [3]]", '[1, "a"]', "[[nan]]"),
    *("{}", "{ log = 3 }", "{ log = [1, nan, 3] }", "{ linear = [-1e308, 1e308, 9] }", "[{}]"),
)
KEYS = (
    *("title", "system", "problem", "grid", "start", "times", "theory", "simulator", "ensemble", "fits", "report"),
    *(f"problem.{key}" for key in ("d", "k", "p", "gamma", "p0", "gamma0", "kappa", "delta", "b0", "mu", "rho")),
    *("problem.noise", "problem.activation", "problem.batch"),
    *("grid.d", "grid.kappa", "grid.p0", "grid.activation", "grid.zip", "grid.zip.d", "times.final", "times.first"),
    *("times.count", "times.spacing", "start.kind", "start.overlap", "start.seed", "start.per_replica", "start.A"),
    *("start.P", "start.M0", "start.Q0", "theory.kind", "simulator.kind", "simulator.precision", "fits.scaling"),
    *("fits.scaling.quantity", "fits.scaling.against", "fits.scaling.exponent", "ensemble.replicas", "ensemble.seed"),
    *("ensemble.batch", "ensemble.block", "report.figures", "times.start", "digests", "digests.x"),
)
STARTS = {
    "A": '{ kind = "combination" }',
    **dict.fromkeys(
        ("P", "M0", "Q0"),
        '{ kind = "explicit", P = [[1, 0], [0, 1]], M0 = [[0, 0], [0, 0]], Q0 = [[1, 0], [0, 1]] }',
    ),
}


@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=[pytest.mark.slow] * bool(place % 4)) for place, key in enumerate(KEYS)]
)
def test_no_value_of_any_key_breaks_the_loader(key, tmp_path):
    """Every value loads or is refused in the house's words, whatever its kind and size."""
    path = tmp_path / "experiment.toml"
    path.write_text(GOOD)
    start = [f"start={STARTS[name]}" for name in STARTS if key == f"start.{name}"]
    for value in NASTY:
        for line in refusal(path, *start, f"{key}={value}"):
            assert re.fullmatch(r"(--set .*|.*experiment.toml(:\d+)?): .+: .+", line)
            assert not re.search("[Ii]nput should|Argument|[Vv]alidat", line)


def refusal(path, *options):
    """The lines that refuse an experiment; none where it loads."""
    try:
        load_experiment(path, options)
    except ExperimentError as error:
        return error.problems
    return []
