"""What is measured on a GPU, the most telling first, and how the time is divided."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One part of the measurement, which runs in a process of its own.

    - `name`: for `--only`; the module of this package that has its `lines`.
    - `share`: seconds that it is given of `TOTAL`.
    """

    name: str
    title: str
    share: float


SECTIONS = (
    Section("card", "The card", 25),
    Section("correct", "Correctness on the device", 130),
    Section("speed", "Steps per second of the committee", 120),
    Section("whole", "Whole runs, with theory and report", 85),
    Section("others", "The other systems", 60),
    Section("folder", "Extending and verifying a run", 55),
)
TOTAL = sum(section.share for section in SECTIONS)
"""Seconds in all: under eight minutes, with what is left for starting and stopping."""
NO_GPU = 3
"""Exit code of a section that finds no GPU, and was not told to do without."""


def chosen(only: str | None) -> tuple[Section, ...]:
    """The sections that `--only a,b` names, in their own order; all where it is not given.

    **Raises:** ValueError where there is no section of a name.
    """
    if only is None:
        return SECTIONS
    names = only.split(",")
    unknown = sorted(set(names) - {section.name for section in SECTIONS})
    if unknown:
        there = ", ".join(section.name for section in SECTIONS)
        raise ValueError(f"there is no section {', '.join(unknown)}; there are {there}")
    return tuple(section for section in SECTIONS if section.name in names)


def limit(left: float, ahead: Sequence[Section]) -> float:
    """Seconds for the first of the sections ahead: its share of what is left, so that time saved goes to the others."""
    return left * ahead[0].share / sum(section.share for section in ahead)
