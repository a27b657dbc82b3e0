"""Fits over the cells of the toy system: levels, factors of a logarithm, and theory seen as the data are."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr

from sgdsim.analysis.bias import fit_bias
from sgdsim.analysis.fits import fit_power_law
from sgdsim.analysis.levels import first_crossing
from sgdsim.analysis.log_power import fit_log_power, fit_log_power_to_means
from sgdsim.analysis.threshold import Window
from sgdsim.analysis.two_term import fit_two_term, fit_two_term_to_means
from sgdsim.laws.bias import BiasFit, FittedBias
from sgdsim.laws.catalogue import fit_law, headline
from sgdsim.laws.law import Members
from sgdsim.laws.log_power import Excluded, LogPowerFit, verdict
from sgdsim.laws.onset import FittedOnset, OnsetFit
from sgdsim.laws.power import FittedPower, PowerFit
from sgdsim.laws.threshold import FittedThreshold
from sgdsim.laws.two_term import FittedTwoTerm, TwoTermFit
from sgdsim.run.ensembles import ensemble_of
from tests.helpers import finish
from tests.toy import SYSTEM, Walk, make_experiment


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """The risk of the walk is exp(-2t) (p = 2) plus scatter of order dt."""
    experiment = make_experiment(d=(50, 100, 200, 400), replicas=200, block=None)
    experiment.fits.update(
        reached=PowerFit(quantity="samples_to_level", against="d", level=0.4),
        unreached=PowerFit(quantity="samples_to_level", against="d", level=1e-6),
        log=PowerFit(quantity="sup_deviation", against="d", log=True),
        final_log=PowerFit(quantity="risk", against="d", log=True),
        plain=PowerFit(quantity="sup_deviation", against="d"),
        kept=PowerFit(quantity="sup_deviation", against="d", where={"d": [400, 50, 200]}),
        steps=PowerFit(quantity="steps_to_level", against="d", level=0.4),
        time=PowerFit(quantity="relaxation_time", against="d", level=0.4),
        onset=OnsetFit(quantity="risk", against="d", level=0.1),
        terms=TwoTermFit(quantity="risk", against="p", second="dt"),
        proportional=TwoTermFit(quantity="sup_deviation", against="d", second="d"),
        growth=LogPowerFit(quantity="sup_deviation", against="dt", second="d", exponent=0.5),
        settled=LogPowerFit(quantity="risk", against="d", second="d"),
    )
    return experiment, finish(experiment, tmp_path_factory.mktemp("laws")).fits


def test_a_law_is_kept_to_values_of_an_axis(fits):
    _, entries = fits
    assert entries["kept"].cells == [0, 2, 3]
    assert entries["kept"].points == [entries["plain"].points[cell] for cell in (0, 2, 3)]


def test_samples_and_steps_to_a_level(fits):
    """A step of the walk uses three samples."""
    experiment, entries = fits
    fit, steps = entries["reached"], entries["steps"]
    assert (fit.quantity, fit.against, fit.level) == ("samples_to_level", "d", 0.4)
    for cell, (d, nu, error), (_, samples, _) in zip(experiment.cells, steps.points, fit.points, strict=True):
        ensemble = ensemble_of(experiment, cell)
        risk = ensemble.run().mean["risk"].mean(axis=0)  # tiles are equally full
        assert nu == pytest.approx(first_crossing(ensemble.steps, risk, 0.4)[0], rel=1e-9)
        assert abs(nu / d - math.log(1 / 0.4) / 2) < 0.05 + 5 * error / d
        assert samples == pytest.approx(3 * nu, rel=1e-12)
    assert fit.slope == pytest.approx(1.0, abs=0.03)
    assert fit.theory_slope == pytest.approx(1.0, abs=1e-9)
    assert fit.theory_points == pytest.approx([3 * nu for nu in steps.theory_points], rel=1e-12)


def test_a_level_that_is_not_reached_gives_no_law_and_says_so(fits):
    fit = fits[1]["unreached"]
    assert fit.slope is None
    assert fit.theory_slope is None
    assert fit.problem == "no fit: `level` must be reached by the curve (4 of 4 cells)"
    assert fit.points == [[d, None, None] for d in (50.0, 100.0, 200.0, 400.0)]


def test_a_factor_of_the_logarithm(fits):
    plain, log = fits[1]["plain"], fits[1]["log"]
    assert (plain.log, log.log) == (False, True)
    for (d, mean, sem), divided in zip(plain.points, log.points, strict=True):
        np.testing.assert_allclose(divided, [d, mean / math.log(d), sem / math.log(d)], rtol=1e-12)
    assert (plain.expected_slope, log.expected_slope) == (-0.5, None)
    assert log.slope < plain.slope - 0.1
    assert fits[1]["final_log"].points[0][1] == pytest.approx(fits[1]["risk"].points[0][1] / math.log(50))


def test_a_deviation_from_theory_has_no_slope_of_theory(fits):
    assert fits[1]["plain"].theory_slope is None
    assert fits[1]["risk"].theory_slope == pytest.approx(0.0, abs=1e-9)


def test_a_kept_scalar_is_fitted_with_its_replicas(fits):
    """The error bars of a bootstrap, not those of means: the same law over the values that the walker keeps."""
    experiment, entries = fits
    samples = [ensemble_of(experiment, cell).run().kept["risk"] for cell in experiment.cells]
    law = fit_power_law([50.0, 100.0, 200.0, 400.0], samples)
    assert entries["risk"].slope == pytest.approx(law.slope, rel=1e-9)
    assert entries["risk"].slope_error == pytest.approx(law.slope_error, rel=1e-12)


def test_the_relaxation_time_is_that_of_the_steps(fits):
    time, steps = fits[1]["time"], fits[1]["steps"]
    assert (time.law, time.expected_slope) == ("power", None)
    for (d, t, error), (_, nu, nu_error) in zip(time.points, steps.points, strict=True):
        assert t == pytest.approx(nu / d)
        assert error == pytest.approx(nu_error / d, rel=0.5)  # which neighbours count for a slope is up to rounding
    assert time.theory_slope == pytest.approx(0.0, abs=1e-9)


def test_the_bias_vanishes_as_one_over_d(tmp_path):
    """E risk(1) = (1 - dt)^(2d) + dt (1 - (1 - dt)^(2d))/(2 - dt), dt = 1/d, whose limit is exp(-2)."""
    experiment = make_experiment(d=(5, 10, 20, 40), replicas=1600, block=None)
    experiment.fits["bias"] = BiasFit(quantity="risk", against="d")
    fit = finish(experiment, tmp_path).fits["bias"]
    d, difference, sem = np.array(fit.points).T
    left = (1 - 1 / d) ** (2 * d)
    exact = left + (1 - left) / (2 * d - 1) - math.exp(-2)
    assert np.abs((difference - exact) / sem).max() < 4
    expected = fit_bias(d, exact, sem)
    assert abs(fit.intercept - expected.intercept) < 4 * fit.intercept_error
    assert abs(fit.coefficient - expected.coefficient) < 4 * fit.coefficient_error
    assert fit.coefficient > 5 * fit.coefficient_error
    assert (fit.law, fit.dof, fit.problem) == ("bias", 2, None)


def test_an_onset_that_is_not_there_is_a_problem(fits):
    fit = fits[1]["onset"]
    assert fit.problem == "no fit: `level` must not be passed at the first point already"
    assert fit.onset is fit.low is fit.high is None


def test_two_terms_beside_what_is_expected_of_them(fits):
    """Of risk(1) = (p/2) exp(-2) + b dt; the errors are those of the replicas."""
    experiment, entries = fits
    fit = entries["terms"]
    assert (fit.law, fit.against, fit.second, fit.together, fit.dof) == ("two_term", "p", "dt", False, 2)
    for term in ("first", "second"):
        assert abs(getattr(fit, f"{term}_coefficient") - getattr(fit, f"{term}_expected")) < 4 * getattr(
            fit, f"{term}_error"
        )
    assert fit.first_coefficient > 20 * fit.first_error
    means = [[2.0, 1 / d, *point] for d, *point in entries["risk"].points]
    np.testing.assert_allclose(fit.points, means, rtol=1e-12)
    samples = [ensemble_of(experiment, cell).run().kept["risk"] for cell in experiment.cells]
    law = fit_two_term([2.0] * 4, [1 / 50, 1 / 100, 1 / 200, 1 / 400], samples)
    assert fit.second_error == pytest.approx(law.second_error, rel=1e-9)
    assert headline(fit).startswith("risk = a p + b dt with a = 0.06")
    assert f", theory {fit.first_theory:.4g})" in headline(fit)


def test_two_terms_of_theory_at_the_same_points(fits):
    """With the weights of the points, from a design of its own."""
    fit = fits[1]["terms"]
    p, dt, _, sem = np.array(fit.points).T
    design = np.stack([p, dt], axis=1) / sem[:, None]
    expected = np.linalg.lstsq(design, np.array(fit.theory_points) / sem, rcond=None)[0]
    np.testing.assert_allclose([fit.first_theory, fit.second_theory], expected, rtol=1e-9, atol=1e-12)


def test_proportional_terms_are_a_problem(fits):
    fit = fits[1]["proportional"]
    assert fit.problem.startswith("no fit: `u and v` must not be proportional over the points")
    assert fit.first_coefficient is fit.second_error is fit.first_expected is None
    assert not hasattr(fits[1]["risk"], "second")


def test_two_terms_from_means_where_no_replica_is_kept():
    datasets = [
        xr.Dataset({"risk": ("time", [mean]), "risk_sem": ("time", [sem]), "n_replicas": 9})
        for mean, sem in ((1.3, 0.1), (0.8, 0.2), (0.4, 0.1))
    ]
    members = Members(SYSTEM, [Walk(d=d) for d in (10, 20, 80)], datasets)
    fit = fit_law(TwoTermFit(quantity="risk", against="p", second="dt"), members)
    law = fit_two_term_to_means([2, 2, 2], [0.1, 0.05, 0.0125], [1.3, 0.8, 0.4], [0.1, 0.2, 0.1])
    assert fit == fit.model_copy(update=dataclasses.asdict(law))


def test_a_logarithm_beside_a_given_power(fits):
    """Of replicas, with the rival, and without a theory: nothing predicts the deviations of the walk."""
    experiment, entries = fits
    fit = entries["growth"]
    x, d = np.array([[1 / d, d] for d in (50.0, 100.0, 200.0, 400.0)]).T
    samples = [ensemble_of(experiment, cell).run().sup_deviation for cell in experiment.cells]
    growth = fit_log_power(x, d, samples, exponent=0.5)
    for found, law in ((fit, growth.law), (fit.rival, growth.rival), (fit.excluded, growth.excluded)):
        for name, value in dataclasses.asdict(law).items():
            assert getattr(found, name) == (None if math.isnan(value) else pytest.approx(value, rel=1e-7)), name
    assert (fit.law, fit.second, fit.exponent, fit.exponent_error) == ("log_power", "d", 0.5, None)
    means = [[1 / d, d, mean, sem] for d, mean, sem in entries["plain"].points]
    np.testing.assert_allclose(fit.points, means, rtol=1e-12)
    assert fit.theory_a is fit.theory_exponent is None
    assert fit.theory_points == [None] * 4
    line = headline(fit)
    assert line.startswith("sup_deviation = (a + b log(d)) dt^s with a = ")
    assert ", s = 0.5 (given), b > 0 at " in line
    assert "; with sqrt(log(d)): chi2/dof = " in line
    assert line.endswith(verdict(fit.excluded, "d"))
    assert not hasattr(entries["plain"], "exponent")


def test_a_logarithm_that_the_points_do_not_settle_is_a_problem(fits):
    fit = fits[1]["settled"]
    assert fit.problem.startswith("no fit: `")
    assert fit.a is fit.b_error is fit.exponent is fit.rival is fit.excluded is fit.theory_b is None


def made_up(p, dt, mean, sem, theory=math.nan, replicas=9):
    """A cell of which only the means are known."""
    data = {"risk": ("time", [mean]), "risk_sem": ("time", [sem]), "risk_theory": ("time", [theory])}
    return Walk(d=round(1 / dt), p=p), xr.Dataset(data | {"n_replicas": replicas})


def grown(theory=math.nan, replicas=9):
    """Means near (0.3 + 0.1 log p) sqrt(dt), and what theory says in units of it."""
    rng = np.random.default_rng(0)
    found = []
    for p in (1, 3, 9, 27):
        for d in (20, 40, 80):
            mean = (0.3 + 0.1 * math.log(p)) * d**-0.5
            found.append(
                made_up(p, 1 / d, mean * (1 + 0.01 * rng.standard_normal()), 0.01 * mean, theory * mean, replicas)
            )
    return Members(SYSTEM, *map(list, zip(*found, strict=True)))


def test_a_logarithm_of_means_beside_the_same_fit_to_theory():
    """Theory is 1.25 times as large: so are its a and b."""
    members = grown(theory=1.25)
    x, p = members.column("dt"), members.column("p")
    fit = fit_law(LogPowerFit(quantity="risk", against="dt", second="p", together=True), members)
    mean, sem = np.array(fit.points)[:, 2:].T
    assert fit == fit.model_copy(update=dataclasses.asdict(fit_log_power_to_means(x, p, mean, sem).law))
    assert fit.theory_a == pytest.approx(0.375, rel=1e-9)
    assert fit.theory_b == pytest.approx(0.125, rel=1e-9)
    assert fit.theory_exponent == pytest.approx(0.5, rel=1e-9)
    assert fit.b > 20 * fit.b_error
    scores = (mean - np.array(fit.theory_points)) / sem
    assert (fit.theory_chi2, fit.theory_dof) == (pytest.approx(scores @ scores), len(scores))
    assert "predicted points, without a fit: chi2/dof = " in headline(fit)
    assert fit.excluded.sqrt_log > 3 > fit.excluded.log
    assert ") (theory 0.125), s = " in headline(fit)


def test_theory_off_the_law_is_fitted_with_the_weights_of_the_data():
    members = grown()
    for place, cell in enumerate(members.cells):
        cell["risk_theory"] = cell["risk"] ** 0.9
        cell["risk_sem"] = cell["risk_sem"] * (1 + place % 4)
    fit = fit_law(LogPowerFit(quantity="risk", against="dt", second="p", together=True), members)
    sem = np.array(fit.points)[:, 3]
    law = fit_log_power_to_means(members.column("dt"), members.column("p"), np.array(fit.theory_points), sem).law
    found = [getattr(fit, f"theory_{name}") for name in ("a", "b", "exponent")]
    np.testing.assert_allclose(found, [law.a, law.b, law.exponent], rtol=1e-9)


def test_a_logarithm_of_theory_alone():
    members = grown(theory=1.25, replicas=0)
    fit = fit_law(LogPowerFit(quantity="risk", against="dt", second="p", together=True), members)
    assert (fit.a, fit.b, fit.exponent) == pytest.approx((0.375, 0.125, 0.5), rel=1e-9)
    assert fit.rival is fit.excluded is fit.theory_a is fit.theory_chi2 is None
    assert fit.b_error is None
    assert headline(fit) == "risk = (a + b log(p)) dt^s with a = 0.375, b = 0.125, s = 0.5"


def test_a_law_that_does_not_hold_is_said_not_to_in_every_line():
    """Points that alternate by five errors: the statistical error, the wider one, and the words."""
    members = grown()
    for place, cell in enumerate(members.cells):
        cell["risk"] = cell["risk"] * (1.05 if place % 2 else 0.95)
    for fit in (
        PowerFit(quantity="risk", against="dt"),
        TwoTermFit(quantity="risk", against="dt", second="p"),
        LogPowerFit(quantity="risk", against="dt", second="p"),
    ):
        entry = fit_law(fit, members)
        assert entry.p_value < 1e-3
        assert entry.widening == pytest.approx(math.sqrt(entry.chi2 / entry.dof))
        name = {"power": "slope", "two_term": "second", "log_power": "b"}[fit.law]
        assert getattr(entry, f"{name}_error") == pytest.approx(
            entry.widening * getattr(entry, f"{name}_statistical_error")
        )
        assert f": the law does not hold, errors widened by {entry.widening:.3g}" in headline(entry)


def test_one_law_for_all_cells_or_one_for_every_value_of_the_other_axes(tmp_path):
    experiment = make_experiment(d=(20, 40), noise=(0.25, 1.0, 4.0), replicas=12, block=None)
    terms = TwoTermFit(quantity="risk", against="dt", second="noise")
    experiment.fits.update(each=terms, every=terms.model_copy(update={"together": True}))
    fits = finish(experiment, tmp_path).fits
    assert [len(fits[f"each[noise={noise}]"].points) for noise in ("0.25", "1", "4")] == [2, 2, 2]
    assert [point[:2] for point in fits["every"].points] == [[dt, b] for b in (0.25, 1, 4) for dt in (0.05, 0.025)]
    assert fits["every"].dof == 4
    assert "each" not in fits


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            FittedTwoTerm(
                quantity="distance",
                against="eps",
                second="inverse_N",
                first_coefficient=1.234,
                first_error=0.02,
                first_expected=1.25,
                second_coefficient=7.0,
                second_error=0.3,
                second_expected=None,
                chi2=17.5,
                dof=18,
            ),
            "distance = a eps + b inverse_N with a = 1.23(2) (expected 1.25), b = 7.0(3); chi2/dof = 17.5/18",
        ),
        (
            FittedBias(
                quantity="m",
                against="N",
                intercept=0.01,
                intercept_error=0.02,
                coefficient=-3.0,
                coefficient_error=0.1,
                chi2=1.5,
                dof=2,
            ),
            "m - theory = 0.01(2) + c/N with c = -3.00(10); chi2/dof = 1.5/2",
        ),
        (
            FittedBias(
                quantity="m",
                against="N",
                intercept=0.01,
                intercept_error=0.06,
                coefficient=-3.0,
                coefficient_error=0.3,
                chi2=18.0,
                dof=2,
                widening=3.0,
            ),
            (
                "m - theory = 0.01(6) + c/N with c = -3.0(3); chi2/dof = 18/2, p = 1e-04: the law does not hold, errors"
                " widened by 3"
            ),
        ),
        (
            FittedPower(
                quantity="sup_deviation",
                against="d",
                slope=-0.41,
                slope_error=0.01,
                constant=0.3,
                constant_error=0.02,
                theory_constant=None,
                chi2=1.5,
                dof=2,
                expected_slope=-0.333333,
                expected_assumes="with the factor log(p)",
            ),
            (
                "sup_deviation = C d^s with s = -0.410(10), expected -0.3333 with the factor log(p); C = 0.30(2);"
                " chi2/dof = 1.5/2"
            ),
        ),
        (
            FittedPower(
                quantity="sup_deviation",
                against="d",
                slope=-0.41,
                slope_error=0.01,
                constant=0.3,
                constant_error=0.02,
                theory_constant=0.31,
                chi2=1.5,
                dof=2,
                expected_slope=-0.333333,
                expected_assumes="with the factor log(p)",
                theory_slope=-0.4204,
            ),
            (
                "sup_deviation = C d^s with s = -0.410(10), expected -0.3333 with the factor log(p), predicted -0.4204;"
                " C = 0.30(2), predicted 0.31; chi2/dof = 1.5/2"
            ),
        ),
        (
            FittedOnset(quantity="risk", against="eta", level=1e-3, onset=0.25, low=0.2, high=0.3125, expected=0.28571),
            "risk rises through 0.001 at eta = 0.25 [0.2, 0.3125], expected 0.2857",
        ),
        (
            FittedThreshold(
                quantity="relaxation_time",
                against="alpha",
                threshold=2.25,
                threshold_low=2.2,
                threshold_high=2.3,
                exponent=1.5,
                exponent_low=1.25,
                exponent_high=2.0,
                windows=[Window(6, 2.25, 1.5, 1.0)] * 11,
                missed=[1.0, 2.0],
                level=0.1,
            ),
            (
                "relaxation_time = C (alpha - x*)^-nu with x* = 2.25 [2.2, 2.3], nu = 1.5 [1.25, 2] over 11 windows;"
                " 2 cells do not recover"
            ),
        ),
        (FittedBias(quantity="m", problem="no fit"), "no fit"),
    ],
)
def test_a_law_in_one_line(entry, line):
    assert headline(entry) == line


@pytest.mark.parametrize(
    ("log", "root", "words"),
    [
        (0.4, 8.12, "sqrt(log(p)) is excluded at 8.1 standard errors, log(p) is not, at 0.4"),
        (5.0, 2.9, "log(p) is excluded at 5.0 standard errors, sqrt(log(p)) is not, at 2.9"),
        (0.4, 1.2, "neither is excluded, log(p) at 0.4 and sqrt(log(p)) at 1.2 standard errors"),
        (
            4.4,
            3.2,
            (
                "both are excluded, log(p) at 4.4 and sqrt(log(p)) at 3.2 standard errors; "
                "a + b log(p) + c sqrt(log(p)) has chi2/dof = 18.3/19"
            ),
        ),
        (None, None, "log(p) and sqrt(log(p)) are not told apart by these points"),
    ],
)
def test_the_verdict(log, root, words):
    assert verdict(Excluded(log=log, sqrt_log=root, chi2=18.29, dof=19), "p") == words


def test_without_a_mixture_there_is_no_verdict():
    assert verdict(None, "N") == "log(N) and sqrt(log(N)) are not told apart by these points"
