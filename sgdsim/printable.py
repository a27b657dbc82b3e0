"""Text as it may be shown: nothing in it that moves a cursor, changes a colour or turns the direction of reading."""

import unicodedata


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
