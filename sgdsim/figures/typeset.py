"""Numbers as figures show them: powers of ten as mathematics, and true minus signs."""

import math
import re

from sgdsim.analysis.numbers import plain

MINUS = "\N{MINUS SIGN}"
WHOLE = 1e5
"""From here on a whole number of few digits is a multiple of a power of ten: 10^6 and not 1000000."""
_EXPONENT = re.compile(r"(-?\d[\d.]*(?:\(\d+\))?)e(-?\d+)")


def typeset(text: str) -> str:
    """A number for a label, from how a table has it: "1.35(1)e-3" with a raised exponent, "-0.5" with a minus sign.

    Other text stays as it is.
    """
    found = _EXPONENT.fullmatch(text)
    if found:
        mantissa, power = found.groups()
        times = {"1": "", "-1": "-"}.get(mantissa, rf"{mantissa}\times ")
        return rf"${times}10^{{{power}}}$"
    return re.sub(r"^-(?=\d)", MINUS, text)


def shown(value: object, digits: int = 4) -> str:
    """A parameter for a label: 0.25, -1, 8192, and 10^6 as mathematics.

    Text that is a number, as the name of a group holds it, is shown as that number.
    """
    if isinstance(value, str):
        return shown(number, digits) if (number := _number(value)) is not None else value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) >= WHOLE:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        # A number of more digits, as 131072, would no longer be the same.
        if float(f"{mantissa}e{exponent}") == value or not float(value).is_integer():
            return typeset(f"{float(mantissa):g}e{int(exponent)}")
    return typeset(plain(value, digits))


def folded(label: str, width: int) -> str:
    """A label that shows more than `width` characters in two lines, parted in the middle, but not in mathematics."""
    spaces = [place.start() for place in re.finditer(r" (?=[^$]*(?:\$[^$]*\$[^$]*)*$)", label)]
    if _length(label) <= width or "\n" in label or not spaces:
        return label
    middle = min(spaces, key=lambda place: abs(2 * _length(label[:place]) - _length(label)))
    return label[:middle] + "\n" + label[middle + 1 :]


def _length(label: str) -> int:
    """Characters that are seen of a label: a command of mathematics is one, or only the style of what follows."""
    return len(re.sub(r"[${}^_]", "", re.sub(r"\\[A-Za-z]+", "x", re.sub(r"\\math[a-z]+|\\,", "", label))))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
