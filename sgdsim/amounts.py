"""Amounts in words, for a reader; and from a writer."""

import re

from sgdsim.printable import shorten

_SECONDS = (86400, 3600, 60, 1)
_WHOLE = "[0-9]{1,9}"
"""Nine digits: in days, three million years. A float holds no number of four hundred."""


def duration(seconds: float) -> str:
    """A length of time in words: 42 s, 3 min 20 s, 5 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 or seconds == 0 else "< 1 s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size_text(size: int) -> str:
    """A number of bytes in words: 3.2 MB, 1.4 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"


def parse_duration(text: str) -> float:
    """Seconds of a length of time such as 45s, 90m, 3h30m or 1d12h, or as batch systems write it: H:MM:SS, D-HH:MM:SS.

    **Raises:** ValueError where it is none, or not above zero.
    """
    units = re.fullmatch(rf"(?:({_WHOLE})d)?(?:({_WHOLE})h)?(?:({_WHOLE})m)?(?:({_WHOLE})s)?", text)
    clock = re.fullmatch(rf"(?:({_WHOLE})-)?({_WHOLE}):([0-9]{{2}}):([0-9]{{2}})", text)
    found = units or clock
    seconds = sum(int(part or 0) * scale for part, scale in zip(found.groups(), _SECONDS, strict=True)) if found else 0
    if seconds <= 0:
        raise ValueError(f"must be a length of time such as 3h30m, 90m, 45s or 03:30:00, but got {shorten(repr(text))}")
    return float(seconds)
