"""Numbers as a table of results shows them: 0.237(2), 1.35(1)e-4."""

import math


def rounded(value: float | int | None, error: float | int | None = None) -> str:
    """`value` with its standard error in parentheses, in units of the last digit shown.

    The error keeps one significant digit, two where the first is a 1: rounded(0.2371, 0.0023) is "0.237(2)",
    rounded(0.01368, 0.00012) is "0.01368(12)". Below 1e-3 and from 1e6 on the number is written with an exponent:
    "1.35(1)e-3". Without an error (None, zero or not finite) four significant digits are shown, and a dash where there
    is no value at all.
    """
    if value is None or not math.isfinite(value):
        return "-"
    if error is None or not math.isfinite(error) or error <= 0:
        return plain(value)
    digits = _last_digit(error)
    exponent = _exponent(max(abs(value), error))
    if not -3 <= exponent < 6 or digits > 0:
        return f"{_with_digits(value, error, exponent, exponent - digits)}e{exponent}"
    return _with_digits(value, error, 0, -digits)


def _last_digit(error: float) -> int:
    """The power of ten of the last digit that an error shows."""
    exponent = _exponent(float(f"{error:.1e}"))
    leading = round(error / 10.0 ** (exponent - 1))  # two digits, 10 ... 99
    return exponent - 1 if leading < 20 else exponent


def _exponent(number: float) -> int:
    return math.floor(math.log10(number))


def _with_digits(value: float, error: float, exponent: int, decimals: int) -> str:
    """`value` and `error` in units of 10^exponent, with `decimals` digits after the point."""
    scale = 10.0**-exponent
    return f"{value * scale:z.{decimals}f}({round(error * scale * 10.0**decimals)})"


def plain(value: object, digits: int = 4) -> str:
    """A parameter as a person would write it: integers in full, other numbers to `digits` significant digits."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return "-"
    if float(value).is_integer() and abs(value) < 1e7:
        return str(int(value))
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
