"""Text as it may be shown: nothing in it that moves a cursor, changes a colour or turns the direction of reading."""

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping


def printable(text: str) -> str:
    r"""The text with every character that cannot be seen as its escape, e.g. \x1b, \r or \u202e.

    Those are control characters, ends of lines among them, marks that turn the direction of reading, and halves of
    characters. Blanks of any width stay.
    """
    if text.isprintable():
        return text
    return "".join(_seen(one) for one in text)


def _seen(one: str) -> str:
    blank = unicodedata.category(one) == "Zs"  # which `isprintable` counts among those that cannot be seen
    return one if one.isprintable() or blank else one.encode("unicode_escape").decode()


def shorten(text: str, most: int = 60) -> str:
    """The beginning and the end of a text that is longer than `most`."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]}...{text[-most // 6 :]}"


def alike(texts: Iterable[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    """Texts about cells as (text, cells): those that differ in their numbers only are one, that of the first."""
    found: dict[str, tuple[str, list[int]]] = {}
    for text, cell in texts:
        found.setdefault(re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", text), (text, []))[1].append(cell)
    return list(found.values())


def one_line(text: str) -> str:
    """A text of several lines in one, as a constructor would be written in it."""
    joined = " ".join(text.split())
    return joined.replace("( ", "(").replace(" )", ")")


def card(title: str, rows: Mapping[str, str]) -> str:
    """What introduces an object: a title, and below it a line for each row, aligned; rows without a text are left out.

    A text of several lines goes on below itself.
    """
    width = max(map(len, rows), default=0)
    lines = [printable(title)]
    for name, text in rows.items():
        for number, line in enumerate(text.splitlines()):
            lines.append(f"  {name if number == 0 else '':<{width}}  {printable(line)}")
    return "\n".join(lines)


def html_card(title: str, rows: Mapping[str, str]) -> str:
    """The same as HTML, for a notebook: a table, whose caption is the title."""
    body = "".join(
        f'<tr><th style="text-align: left; vertical-align: top">{_html(name)}</th>'
        f'<td style="text-align: left">{_html(text)}</td></tr>'
        for name, text in rows.items()
        if text
    )
    caption = f'<caption style="caption-side: top; text-align: left"><b>{_html(title)}</b></caption>'
    return f"<table>{caption}<tbody>{body}</tbody></table>"


def _html(text: str) -> str:
    return "<br>".join(html.escape(printable(line)) for line in text.splitlines())
