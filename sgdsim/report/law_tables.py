"""Laws other than powers on the report page: a sentence each where they are few, and a table of each kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sgdsim.analysis.log_power import in_standard_errors, verdict
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.figures.common.quality import WIDENED
from sgdsim.report.tables import Table
from sgdsim.store.stored import Stored

FEW = 4
"""Laws of one kind that are said at the top of the page; more are in their table alone."""


@dataclass(frozen=True)
class Statement:
    """Fitted numbers in one line, by their symbols, after the law that defines these, and what stands with it."""

    name: str
    formula: str
    numbers: tuple[tuple[str, str], ...]
    note: str


def statements(run: Stored) -> list[Statement]:
    """The laws that are said at the top of the page."""
    makers: dict[str, Callable[[Stored, str, dict[str, Any]], Statement]] = {
        "threshold": _threshold,
        "bias": _bias,
        "onset": _onset,
        "two_term": _two_terms,
        "log_power": _growth,
    }
    return [
        make(run, name, law)
        for kind, make in makers.items()
        if len(run.laws(kind)) <= FEW
        for name, law in run.laws(kind).items()
    ]


def _threshold(run: Stored, name: str, law: dict[str, Any]) -> Statement:
    note = f"threshold of the {run.fitted(law)}: {_range(law, 'threshold')} over the fit windows, a systematic error"
    exponent = f"exponent {plain(law['exponent'], 3)} ({_range(law, 'exponent')})"
    return Statement(name, "", ((f"{law['against']}*", plain(law["threshold"], 3)),), f"{note}; {exponent}")


def _bias(run: Stored, name: str, law: dict[str, Any]) -> Statement:
    value = rounded(law["intercept"], law["intercept_error"])
    slope = rounded(law["coefficient"], law["coefficient_error"])
    against = law["against"]
    note = f"what is left of simulation minus theory as {against} grows; coefficient of 1/{against}: {slope}"
    return Statement(name, "", ((f"bias of the {run.words(law['quantity'])}", value),), _with_quality(note, law))


def _onset(run: Stored, name: str, law: dict[str, Any]) -> Statement:
    note = f"the {run.words(law['quantity'])} rises through {plain(law['level'])} between {_bracket(law)}"
    expected = "" if law["expected"] is None else f"; expected {plain(law['expected'])}"
    return Statement(name, "", ((law["against"], plain(law["onset"])),), f"{note}{expected}")


def _two_terms(run: Stored, name: str, law: dict[str, Any]) -> Statement:
    formula = f"{run.words(law['quantity'])} = a {law['against']} + b {law['second']}"
    terms = (("a", "first"), ("b", "second"))
    found = tuple((sign, rounded(law[f"{term}_coefficient"], law[f"{term}_error"])) for sign, term in terms)
    expected = [f"{sign} = {plain(law[key])}" for sign, term in terms if law.get(key := f"{term}_expected") is not None]
    note = f"expected {', '.join(expected)}" if expected else "a law of two terms"
    return Statement(name, formula, found, _with_quality(note, law))


def _growth(run: Stored, name: str, law: dict[str, Any]) -> Statement:
    formula = f"{run.words(law['quantity'])} = (a + b log({law['second']})) {law['against']}^s"
    signs = (("a", "a"), ("b", "b"), ("s", "exponent"))
    found = tuple((sign, rounded(law[key], law[f"{key}_error"])) for sign, key in signs)
    theory = [f"{sign} = {plain(law[f'theory_{key}'])}" for sign, key in signs if law[f"theory_{key}"] is not None]
    beside = f"theory at the same points {', '.join(theory)}" if theory else "without a theory of these points"
    sure = in_standard_errors(law)
    note = _with_quality(beside + sure, law)
    return Statement(name, formula, found, f"{note}; {verdict(law['excluded'], law['second'])}" if sure else note)


def _with_quality(note: str, law: dict[str, Any]) -> str:
    return "; ".join(filter(None, (note, quality.sentence(law))))


def thresholds(run: Stored) -> Table:
    """Thresholds and exponents with their ranges over the fit windows."""
    columns = "fit, of, against, threshold, range, exponent, range, prefactor, longest time, points, not reached"
    rows = [
        (
            name,
            run.fitted(law),
            law["against"],
            plain(law["threshold"], 3),
            _range(law, "threshold"),
            plain(law["exponent"], 3),
            _range(law, "exponent"),
            plain(law["prefactor"]),
            plain(law["longest"]),
            str(len(law["points"])),
            str(len(law["missed"])),
        )
        for name, law in run.laws("threshold").items()
    ]
    return Table(tuple(columns.split(", ")), tuple(rows))


def biases(run: Stored) -> Table:
    """Intercepts and coefficients of the lines in 1/x."""
    columns = "fit, of, against, intercept, intercept / s.e., coefficient, chi2 / dof, points"
    rows = [
        (
            name,
            run.words(law["quantity"]),
            f"1/{law['against']}",
            rounded(law["intercept"], law["intercept_error"]),
            f"{law['intercept'] / law['intercept_error']:+.1f}" if law["intercept_error"] else "-",
            rounded(law["coefficient"], law["coefficient_error"]),
            quality.entry(law),
            str(len(law["points"])),
        )
        for name, law in run.laws("bias").items()
    ]
    return Table(tuple(columns.split(", ")), tuple(rows))


def onsets(run: Stored) -> Table:
    """Onsets between their neighbours on the grid, beside what is expected."""
    columns = "fit, of, through, against, onset, between, expected, off by"
    rows = [
        (
            name,
            run.words(law["quantity"]),
            plain(law["level"]),
            law["against"],
            plain(law["onset"]),
            _bracket(law),
            plain(law["expected"]),
            f"{100 * (law['onset'] / law['expected'] - 1):+.1f} %" if law["expected"] else "-",
        )
        for name, law in run.laws("onset").items()
    ]
    return Table(tuple(columns.split(", ")), tuple(rows))


def sums(run: Stored) -> Table:
    """Coefficients of the laws of two terms."""
    columns = "fit, of, coefficient of, measured, theory, coefficient of, measured, theory, chi2 / dof, points"
    rows = [
        (
            name,
            run.words(law["quantity"]),
            law["against"],
            rounded(law["first_coefficient"], law["first_error"]),
            plain(law.get("first_expected")),
            law["second"],
            rounded(law["second_coefficient"], law["second_error"]),
            plain(law.get("second_expected")),
            quality.entry(law),
            str(len(law["points"])),
        )
        for name, law in run.laws("two_term").items()
    ]
    return Table(tuple(columns.split(", ")), tuple(rows))


def growths(run: Stored) -> Table:
    """Coefficients of the laws with a logarithm, beside theory, and what is said of their rivals."""
    columns = (
        "fit, of, a, theory, b, theory, b / s.e., exponent of, measured, theory, chi2 / dof, "
        "chi2 / dof with sqrt(log), log excluded at, sqrt(log) excluded at, points"
    )
    rows = []
    for name, law in run.laws("log_power").items():
        excluded = law["excluded"] or {}
        at = [f"{excluded[form]:.1f} s.e." if excluded.get(form) is not None else "-" for form in ("log", "sqrt_log")]
        row = [name, f"{run.words(law['quantity'])}, log({law['second']})"]
        for key in ("a", "b"):
            row += [rounded(law[key], law[f"{key}_error"]), plain(law[f"theory_{key}"])]
        row += [f"{law['b'] / law['b_error']:+.1f}" if law["b_error"] else "-", law["against"]]
        row += [rounded(law["exponent"], law["exponent_error"]), plain(law["theory_exponent"])]
        row += [quality.entry(law), quality.entry(law["rival"] or {}), *at, str(len(law["points"]))]
        rows.append(tuple(row))
    return Table(tuple(columns.split(", ")), tuple(rows))


def tables(run: Stored) -> list[tuple[Table, str]]:
    """The tables that have rows, each with a line about its errors."""
    found = (
        (thresholds(run), "Ranges are over the fit windows: a systematic error, no statistical one."),
        (biases(run), f"The digits in parentheses are the standard error of the last digits shown; {WIDENED}."),
        (onsets(run), "An onset lies between two neighbouring values of the grid."),
        (sums(run), f"The quantity is the sum of two terms; the digits in parentheses are standard errors; {WIDENED}."),
        (
            growths(run),
            (
                "quantity = (a + b log) x^exponent; an exponent without an error was given. The rival has sqrt(log) in "
                "place of log; the fit of both at once says at how many standard errors either is excluded. The digits "
                f"in parentheses are standard errors; {WIDENED}."
            ),
        ),
    )
    return [(table, note) for table, note in found if table.rows]


def _range(law: dict[str, Any], key: str) -> str:
    return f"{plain(law[f'{key}_low'], 3)} to {plain(law[f'{key}_high'], 3)}"


def _bracket(law: dict[str, Any]) -> str:
    return f"{plain(law['low'])} and {plain(law['high'])}"
