"""Where a law does not hold, every figure, caption, table and headline says so; laws with a logarithm on the page."""

import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.common.quality import caution, label
from sgdsim.figures.style import styled
from sgdsim.laws.law import Judged, judgement
from sgdsim.laws.log_power import Excluded, FittedForm, FittedLogPower
from sgdsim.laws.quality import holds, in_table
from sgdsim.report.laws import headlines, tables
from sgdsim.report.page import write_report
from tests.report.changes import changed, plain_text
from tests.report.recoveries import bias, recovery, write
from tests.report.wide import BETAS, SIZES, lazy_run, power, rates_run, two_terms, wide

GOOD, BAD, NONE = Judged(chi2=3.2, dof=4), Judged(chi2=36.0, dof=4, widening=3.0), Judged(dof=4)
BAD_WORDS = "chi2/dof = 36/4, p = 3e-07: the law does not hold, errors widened by 3"


def bad(found):
    """The same fit, of a law that does not hold."""
    return found.model_copy(update=BAD.model_dump())


def coefficients(a, b, exponent, chi2):
    """The numbers of one form of a law with a logarithm."""
    errors = {"a_error": 0.007, "b_error": 0.002, "exponent_error": 0.003 if exponent != 0.5 else None}
    return FittedForm(a=a, b=b, exponent=exponent, chi2=chi2, dof=4, p_value=0.5, widening=1.0, **errors)


def growth(exponent=0.5, theory=True, chi2=3.2, excluded=True):
    """A law with a logarithm of N."""
    return FittedLogPower(
        **coefficients(0.376, 0.07, exponent, chi2).model_dump(),
        quantity="distance",
        against="eps",
        second="N",
        rival=coefficients(0.23, 0.21, 0.49, 36.0),
        excluded=Excluded(log=0.4, sqrt_log=5.53) if excluded else None,
        theory_a=0.4 if theory else None,
        theory_b=0.066 if theory else None,
        theory_exponent=0.499 if theory else None,
        theory_points=[0.4, 0.5, 0.6],
        points=[[0.1, 2.0, 0.4, 0.01], [0.1, 4.0, 0.5, 0.01], [0.1, 8.0, 0.6, 0.01]],
    )


CHI2 = "\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}"


def told(run):
    """The laws at the top of the page as text, and what stands with them."""
    return [(plain_text(law.statement.head), plain_text(law.statement.note)) for law in headlines(run)]


def numbers(run):
    """The numbers of the first of these laws, by what they are."""
    return {one.what: (one.value, one.theory, one.off) for one in headlines(run)[0].statement.numbers}


def _doubts(run):
    """chi2 of the laws at the top of the page, and whether they hold."""
    return [(law.quality, law.holds) for law in headlines(run)]


def run_of(**laws):
    return wide([{"beta": b, "N": N} for b in BETAS for N in SIZES], laws)


def risks_run():
    """Two power laws of the risk."""
    return run_of(one=power("excess_risk", -0.5, -0.5), two=power("excess_risk", -0.4, None))


def test_the_words_for_one_law():
    assert [holds(law) for law in (GOOD, BAD, NONE)] == [True, False, True]
    assert [judgement(law) for law in (GOOD, BAD, NONE)] == ["chi2/dof = 3.2/4", BAD_WORDS, ""]
    assert [in_table(law) for law in (GOOD, BAD, NONE)] == ["3.2 / 4", "36.0 / 4, does not hold", "-"]
    assert label(GOOD, ", ") == r", $\chi^2$/dof = 3.2/4"
    assert label(BAD) == "$\\chi^2$/dof = 36/4\nlaw does not hold"
    assert label(NONE, ", ") == ""


def test_the_words_for_several():
    assert caution([GOOD, NONE]) == ""
    assert caution([BAD]).startswith(" The law does not hold by chi2 (p < 0.001): errors quoted are widened")
    assert caution([GOOD, BAD, BAD]).startswith(" 2 of 3 laws do not hold")


@pytest.mark.parametrize(("name", "made"), [("rates", rates_run), ("lazy", lazy_run), ("scaling", risks_run)])
def test_a_power_that_does_not_hold_in_its_figure(name, made):
    def texts(run):
        figure = styled(lambda: FIGURES[name].draw(run))
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
        return " ".join(text.get_text() for legend in legends if legend for text in legend.get_texts())

    good = made()
    name_of_first, first = next(iter(good.summary.fits.items()))
    worse = changed(good, fits={**good.summary.fits, name_of_first: bad(first)})
    assert r"$\chi^2$/dof = 2/2" in texts(good)
    assert "fails" not in texts(good)
    assert "not hold" not in texts(good) + FIGURES[name].caption(good)
    assert r"$\chi^2$/dof = 36/4" in texts(worse)
    assert "fails" in texts(worse) or "does not hold" in texts(worse)
    assert " laws do not hold by chi2" in FIGURES[name].caption(worse)


def test_a_bias_and_two_terms_that_do_not_hold():
    run = recovery(fits={"b": bad(bias())})
    assert "does not hold" in FIGURES["bias"].caption(run)
    assert "36.0 / 4, does not hold" in tables(run)[0][0].rows[0]
    (axes,) = styled(lambda: FIGURES["bias"].draw(run)).axes
    assert axes.get_legend().get_texts()[0].get_text().endswith("36/4\nlaw does not hold")
    assert _doubts(run) == [("36/4, p = 2.9e-07", False)]
    run = run_of(noise=bad(two_terms()))
    assert "does not hold" in FIGURES["linear_noise"].caption(run)
    assert "36.0 / 4, does not hold" in tables(run)[0][0].rows[0]
    assert _doubts(run) == [("36/4, p = 2.9e-07", False)]


def test_a_power_on_the_page_and_what_its_exponent_of_theory_assumes(tmp_path):
    assumed = {"expected_assumes": "with the factor log(p) of the bound"}
    one = bad(power("distance", -0.5, -0.41)).model_copy(update=assumed)
    run = run_of(one=one, two=power("distance", -0.5, -0.41))
    assert _doubts(run) == [("36/4, p = 2.9e-07", False), ("2/2, p = 0.37", True)]
    assert [note for _, note in told(run)] == [
        "expected exponent -0.41, with the factor log(p) of the bound",
        "expected exponent -0.41",
    ]
    assert numbers(run)["exponent"] == ("-0.500(12)", "-0.41", "-7.5 s.e.")
    ((table, notes),) = tables(run)
    assert "36.0 / 4, does not hold" in table.rows[0]
    assert notes[1:] == ["The exponent of theory of one is with the factor log(p) of the bound."]
    assert "(with the factor log(p) of the bound)" in FIGURES["scaling"].caption(run)
    page = write_report(write(run, tmp_path))[-1].read_text()
    assert "<li>one: " + BAD_WORDS.replace("chi2", CHI2) + ".</li>" in page
    assert ", with the factor log(p) of the bound<" in page
    assert "is with the factor log(p) of the bound.</p>" in page
    assert f"its errors are widened by sqrt({CHI2}/dof).</p>" in page


def test_an_exponent_is_held_against_the_same_fit_to_theory_where_there_is_one():
    own = {"theory_slope": -0.45, "theory_constant": 0.3}
    run = run_of(one=power("distance", -0.5, -0.41).model_copy(update=own))
    assert numbers(run)["exponent"] == ("-0.500(12)", "-0.45", "-4.2 s.e.")
    assert told(run)[0][1] == "expected exponent -0.41"


def test_a_law_with_a_logarithm_is_told_with_its_coefficients(tmp_path):
    run = run_of(growth=growth(), free=growth(exponent=0.502, theory=False, excluded=False))
    first, second = told(run)
    assert first == (
        "distance = (a + b log N) epss",
        "b > 0 at 35.0 standard errors; sqrt(log(N)) is excluded at 5.5 standard errors, log(N) is not, at 0.4",
    )
    assert numbers(run) == {
        "a": ("0.376(7)", "0.4", "-3.4 s.e."),
        "b": ("0.070(2)", "0.066", "+2.0 s.e."),
        "exponent s": ("0.5 (given)", "0.499", "-"),
    }
    assert second[1] == "b > 0 at 35.0 standard errors; log(N) and sqrt(log(N)) are not told apart by these points"
    free = headlines(run)[1].statement.numbers
    assert [(one.value, one.theory, one.off) for one in free][1:] == [("0.070(2)", "-", "-"), ("0.502(3)", "-", "-")]
    page = write_report(write(run, tmp_path))[-1].read_text()
    assert "<b>distance = (<i>a</i> + <i>b</i> log <i>N</i>) eps<sup>s</sup></b>" in page
    assert ">36.0 / 4, does not hold<" in page


def test_a_law_with_a_logarithm_in_the_table():
    run = run_of(growth=growth(), free=growth(exponent=0.502, theory=False, excluded=False))
    ((table, _),) = tables(run)
    first, second = (dict(enumerate(row)) for row in table.rows)
    assert list(first.values()) == [
        *("growth", "distance, log(N)", "0.376(7)", "0.4", "0.070(2)", "0.066", "+35.0", "eps", "0.5", "0.499"),
        *("3.2 / 4", "36.0 / 4, does not hold", "0.4 s.e.", "5.5 s.e.", "3"),
    ]
    assert len(table.columns) == len(first)
    assert (second[3], second[8], second[12], second[13]) == ("-", "0.502(3)", "-", "-")


def test_a_law_of_theory_alone_has_no_errors_and_no_rival():
    none = dict.fromkeys(("rival", "chi2", "a_error", "b_error"))
    law = growth(theory=False, excluded=False).model_copy(update=none)
    run = run_of(growth=law)
    ((head, note),) = told(run)
    assert head == "distance = (a + b log N) epss"
    assert note == ""
    assert numbers(run)["b"] == ("0.07", "-", "-")
    ((table, _),) = tables(run)
    assert table.rows[0][10:14] == ("-", "-", "-", "-")
