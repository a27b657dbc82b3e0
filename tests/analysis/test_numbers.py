import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sgdsim.analysis.numbers import plain, rounded


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.2371, 0.0023, "0.237(2)"),
        (0.01368, 0.00012, "0.01368(12)"),
        (0.5, 0.0031, "0.500(3)"),
        (-1.25, 0.04, "-1.25(4)"),
        (0.000135, 0.000001, "1.350(10)e-4"),
        (0.99996, 0.00031, "1.0000(3)"),
        (0.001, 0.05, "0.00(5)"),
        (-0.001, 0.05, "0.00(5)"),
        (-4e-5, 3e-4, "0(3)e-4"),
        (0.3, 0.0199, "0.30(2)"),
        (1234.5, 23.0, "1.23(2)e3"),
        (123.0, 2.0, "123(2)"),
        (0.25, 0.0, "0.25"),
        (0.25, None, "0.25"),
        (None, 0.1, "-"),
        (math.nan, 0.1, "-"),
    ],
)
def test_the_error_sets_the_digits(value, error, text):
    assert rounded(value, error) == text


@given(st.floats(-1e8, 1e8), st.floats(1e-9, 1e6))
def test_what_is_shown_is_the_value_to_within_a_fraction_of_its_error(value, error):
    assume(error > 1e-12 * abs(value))
    shown = re.fullmatch(r"(-?\d+\.?(\d*))\((\d+)\)(?:e(-?\d+))?", rounded(value, error))
    mantissa, decimals, digits, exponent = shown.groups()
    scale = 10.0 ** int(exponent or 0)
    assert float(mantissa) * scale == pytest.approx(value, abs=0.51 * error)
    assert int(digits) * scale / 10 ** len(decimals) == pytest.approx(error, rel=0.26)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (30000, "30000"),
        (4.0, "4"),
        (1 / 3, "0.3333"),
        (1e-4, "0.0001"),
        (3.3333e-5, "3.333e-5"),
        (1e9, "1e9"),
        (1.23e7 + 0.4, "1.23e7"),
        ("erf", "erf"),
        (True, "True"),
        (None, "-"),
        (math.inf, "-"),
    ],
)
def test_parameters_are_written_as_a_person_would(value, text):
    assert plain(value) == text
