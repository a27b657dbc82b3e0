"""Names and colours that all figures share."""

import pytest

from sgdsim.figures.style import math_name


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("d", "$d$"),
        ("dt", "$dt$"),
        ("kappa", r"$\kappa$"),
        ("p0", "$p_0$"),
        ("gamma0", r"$\gamma_0$"),
        ("gamma_a", r"$\gamma_{a}$"),
        ("gamma_a0", r"$\gamma_{a0}$"),
        ("a_star", "$a^*$"),
        ("log_p", r"$\log p$"),
        ("kappa_realised", "kappa realised"),
    ],
)
def test_the_symbol_of_a_parameter(name, symbol):
    assert math_name(name) == symbol
