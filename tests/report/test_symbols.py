"""Symbols and numbers as HTML, by hand."""

import pytest

from sgdsim.classification import observables as classification
from sgdsim.committee import observables as committee
from sgdsim.laws.text import Name, Number, Table
from sgdsim.meanfield import observables as meanfield
from sgdsim.recovery import observables as recovery
from sgdsim.report.symbols import flat, parameter, plain_parameter, symbol
from sgdsim.report.typeset import Typesetter, far, fit_name, greek, numeric_columns, piece, typeset

MINUS, GAMMA, KAPPA, CHI2 = "\N{MINUS SIGN}", "\u03b3", "\u03ba", "\u03c7\u00b2"


@pytest.mark.parametrize(
    ("tex", "html"),
    [
        (r"\gamma_0", f"<i>{GAMMA}</i><sub>0</sub>"),
        (r"R - R_{\min}", f"<i>R</i> {MINUS} <i>R</i><sub>min</sub>"),
        (
            r"|W^N - W^*|^2",
            f"|<i>W</i><sup><i>N</i></sup> {MINUS} <i>W</i><sup>\N{ASTERISK OPERATOR}</sup>|<sup>2</sup>",
        ),
        (r"m^{\rm lin}", "<i>m</i><sup>lin</sup>"),
        (r"L_{\mathrm{test}}", "<i>L</i><sub>test</sub>"),
        (r"\bar{W}", "<i>W\N{COMBINING MACRON}</i>"),
        (r"\bar\Omega_\infty", "<i>\u03a9\N{COMBINING MACRON}</i><sub>\u221e</sub>"),
        (r"\mathcal{E}", "\u2130"),
        (r"\sqrt{Q_{ii}}", "&radic;(<i>Q</i><sub><i>i</i><i>i</i></sub>)"),
        ("C(t,t_w)", "<i>C</i>(<i>t</i>, <i>t</i><sub><i>w</i></sub>)"),
        ("a<b&c", "<i>a</i>&lt;<i>b</i>&amp;<i>c</i>"),
    ],
)
def test_tex_that_is_known(tex, html):
    assert symbol(tex) == html


@pytest.mark.parametrize("tex", [r"\foo", "{a", "a}", r"a_", "a_{b", r"\bar", "$", "\\"])
def test_tex_that_is_not_known_is_nothing(tex):
    assert symbol(tex) is None


def test_the_symbols_of_all_systems_are_known():
    for system in (committee, meanfield, recovery, classification):
        variables = [value for value in vars(system).values() if isinstance(value, dict)]
        symbols = [one.symbol for table in variables for one in table.values() if hasattr(one, "symbol")]
        assert len(symbols) > 3
        assert [tex for tex in symbols if symbol(tex) is None] == []


@pytest.mark.parametrize(
    ("name", "html", "plain"),
    [
        ("gamma", f"<i>{GAMMA}</i>", GAMMA),
        ("gamma0", f"<i>{GAMMA}</i><sub>0</sub>", f"{GAMMA}0"),
        ("kappa_realised", f"<i>{KAPPA}</i><sub>realised</sub>", f"{KAPPA}_realised"),
        ("kappa_over_b", f"<i>{KAPPA}</i> over b", f"{KAPPA}_over_b"),
        ("N", "<i>N</i>", "N"),
        ("log_p", "log <i>p</i>", "log_p"),
        ("steps_per_time", "steps per time", "steps_per_time"),
        ("<b>\x1b", r"&lt;b&gt;\x1b", r"<b>\x1b"),
    ],
)
def test_names_of_parameters(name, html, plain):
    assert (parameter(name), plain_parameter(name)) == (html, plain)


def test_mathematics_among_words_without_markup():
    assert flat(r"$\kappa$ = 0, $p_0$ = 2") == f"{KAPPA} = 0, p0 = 2"
    assert flat("final  excess\nrisk") == "final excess risk"
    assert flat(r"$\foo$ = 0") == flat("5 $") == ""
    assert flat("$a<b$") == "a<b"
    assert flat(r"N = $2\times 10^{6}$") == "N = 2\N{MULTIPLICATION SIGN} 10^6"


def test_numbers():
    assert typeset("-1.35(1)e-3") == "&minus;1.35(1)&thinsp;&times;&thinsp;10<sup>&minus;3</sup>"
    assert typeset("-0.5") == "&minus;0.5"
    assert typeset("-") == "&ndash;"
    assert typeset("a <b> 1e5") == "a &lt;b&gt; 1e5"
    assert piece(Number("2", raised=True)) == "<sup>2</sup>"
    assert piece(Name("kappa")) == parameter("kappa")
    assert piece("1 < 2") == "1 &lt; 2"


def test_tables_know_parameters_and_observables():
    shown = Typesetter({"kappa"}, {"final risk": symbol("R")})
    assert [shown(text) for text in ("kappa", "gamma", "final risk", "-1")] == [
        f"<i>{KAPPA}</i>",
        "gamma",
        "final risk <i>R</i>",
        "&minus;1",
    ]


def test_columns_of_numbers_are_told_from_words():
    rows = (("1", "-0.5(1)e-3", "-", "blue", "+1.2 s.e."), ("2", "-", "-", "3", "-"))
    assert numeric_columns(Table(tuple("abcde"), rows)) == [True, True, False, False, True]


def test_what_is_far_from_theory():
    assert [far(off) for off in ("+2.9 s.e.", "-3.0 s.e.", "+12.0 s.e.", "-", "+40.0 %")] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_names_of_fits_are_typeset_where_they_name_a_place():
    assert fit_name("law[kappa=0.5, region=a<b]") == f"law, <i>{KAPPA}</i> = 0.5, region = a&lt;b"
    assert fit_name("plain") == "plain"
    assert fit_name("odd[1]") == "odd[1]"
    assert greek("chi2/dof, chi2x") == f"{CHI2}/dof, chi2x"
