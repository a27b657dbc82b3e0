"""Symbols as HTML: the little TeX in which parameters and observables are called, in letters, subscripts and marks."""

import re
from html.entities import html5

from markupsafe import Markup, escape

from sgdsim.figures.style import math_name
from sgdsim.printable import printable

_LETTERS = "alpha beta gamma delta epsilon eta theta kappa lambda mu nu rho sigma tau chi Delta Omega"
_GREEK: dict[str, str] = {name: html5[f"{name};"] for name in re.findall(r"\w+", _LETTERS)}
_SIGNS = {
    "infty": "infin",
    "to": "rarr",
    "cdot": "middot",
    "times": "times",
    "geq": "ge",
    "leq": "le",
    ",": "thinsp",
    "langle": "lang",
    "rangle": "rang",
}
"""Of TeX, by the names that HTML has for them."""
_WORDS = ("min", "max", "sup", "log", "ln")
_ACCENTS = {"bar": "\N{COMBINING MACRON}", "tilde": "\N{COMBINING TILDE}", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}"}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|\d+|.", re.DOTALL)


class _UnknownError(Exception):
    """TeX that is not known here."""


def symbol(tex: str) -> Markup | None:
    """TeX without dollars as HTML, e.g. gamma_0 with its backslash as an italic letter with a subscript.

    None for TeX that is not known here: then the words have to do.
    """
    tokens = _TOKEN.findall(tex)[::-1]  # the next one last
    try:
        return Markup("").join(iter(lambda: _atom(tokens) if tokens else None, None))
    except _UnknownError:
        return None


def parameter(name: str) -> Markup:
    """A parameter's name as the symbol that figures have for it; words where it has none."""
    called = math_name(name)
    if called.startswith("$"):
        return symbol(called.strip("$")) or Markup(escape(printable(name)))
    head, _, tail = name.partition("_")
    if head in _GREEK:  # kappa_realised, eta_over_b
        rest = Markup(" {}") if "_" in tail else Markup("<sub>{}</sub>")
        return Markup("<i>{}</i>").format(_GREEK[head]) + rest.format(printable(tail.replace("_", " ")))
    return Markup(escape(printable(called)))


def plain_parameter(name: str) -> str:
    """A parameter's name where there is no markup, as among the choices of a list: Greek letters, and the rest."""
    head, mark, tail = name.partition("_")
    stem = head.rstrip("0123456789")
    return printable(_GREEK.get(stem, stem) + head[len(stem) :] + mark + tail)


def flat(text: str) -> str:
    """Words with mathematics between dollars, without markup: p0, 10^6. Empty for unknown TeX."""
    pieces = text.split("$")
    symbols = [symbol(tex) for tex in pieces[1::2]]
    if len(pieces) % 2 == 0 or None in symbols:
        return ""
    # A power without its mark would be another number.
    pieces[1::2] = [Markup(found.replace("<sup>", "^")).striptags() for found in symbols if found is not None]
    return printable(" ".join("".join(pieces).split()))


def _atom(tokens: list[str], upright: bool = False) -> Markup:
    """The next symbol with its accents and indices, taken from the end of `tokens`."""
    token = tokens.pop()
    if token in ("_", "^"):
        tag = "sub" if token == "_" else "sup"
        return Markup("<{0}>{1}</{0}>").format(tag, _group(tokens))
    if not token.startswith("\\"):
        return _character(token, upright)
    return _command(token[1:], tokens)


def _character(token: str, upright: bool) -> Markup:
    if token in "{}$\\":
        raise _UnknownError
    if token.isalpha() and not upright:
        return Markup("<i>{}</i>").format(token)
    signs = {"-": "\N{MINUS SIGN}", "*": "\N{ASTERISK OPERATOR}", ",": ", "}
    return Markup(escape(printable(signs.get(token, token))))


def _command(name: str, tokens: list[str]) -> Markup:
    if name in _GREEK:
        return Markup("<i>{}</i>").format(_GREEK[name])
    if name in _SIGNS:
        return Markup(html5[f"{_SIGNS[name]};"])
    if name in _WORDS:
        return Markup(name)
    if name == "mathcal":
        return Markup("").join(html5.get(f"{letter}scr;", letter) for letter in _group(tokens).striptags())
    if name in ("mathrm", "rm"):
        return _group(tokens, upright=True)
    if name == "sqrt":
        return Markup("&radic;({})").format(_group(tokens))
    if name in _ACCENTS:
        # The mark belongs to the letter, and so within its element.
        inner = _group(tokens)
        letter = inner.striptags()
        return Markup(inner.replace(letter, letter + _ACCENTS[name], 1)) if len(letter) == 1 else inner
    raise _UnknownError


def _group(tokens: list[str], upright: bool = False) -> Markup:
    """The next symbol, or all between braces."""
    _skip_blanks(tokens)
    if not tokens:
        raise _UnknownError
    if tokens[-1] != "{":
        return _atom(tokens, upright)
    tokens.pop()
    parts = []
    while tokens and tokens[-1] != "}":
        if tokens[-1] == r"\rm":  # which holds for all that follows, and ends with the blank behind it
            upright = bool(tokens.pop())
            _skip_blanks(tokens)
        parts.append(_atom(tokens, upright))
    if not tokens:
        raise _UnknownError
    tokens.pop()
    return Markup("").join(parts)


def _skip_blanks(tokens: list[str]) -> None:
    while tokens and tokens[-1] == " ":
        tokens.pop()
