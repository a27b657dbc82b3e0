"""Rows of results, on the terminal and in benchmarks/RESULTS.md."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Row:
    """One measurement: what was run, how fast, and its ratio to something else measured in the same run."""

    section: str
    what: str
    figure: str
    ratio: float | None = None
    against: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as text."""
        return self.what, self.figure, "" if self.ratio is None else f"{self.ratio:.3g}", self.against


HEAD = ("what", "measured", "ratio", "to")


def show(rows: list[Row]) -> None:
    """Prints all rows, a rule between sections."""
    table = Table(*HEAD)
    for number, row in enumerate(rows):
        last = number + 1 == len(rows) or rows[number + 1].section != row.section
        table.add_row(*row.cells, end_section=last)
    Console().print(table)


def write(rows: list[Row], mark: str, preamble: str, path: Path = RESULTS) -> None:
    """Replaces the part of RESULTS.md between the markers of `mark` (or appends it) by the rows as Markdown."""
    lines = [f"<!-- {mark} -->", preamble, ""]
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"### {section}", "", f"| {' | '.join(HEAD)} |", "|---|---:|---:|---|"]
        lines += [f"| {' | '.join(row.cells)} |" for row in rows if row.section == section] + [""]
    part = "\n".join([*lines, f"<!-- end of {mark} -->"])
    text = path.read_text(encoding="utf-8") if path.exists() else "# Measured speed\n"
    begin, end = text.find(f"<!-- {mark} -->"), text.find(f"<!-- end of {mark} -->")
    if begin >= 0 and end >= 0:
        text = text[:begin] + part + text[end + len(f"<!-- end of {mark} -->") :]
    else:
        text = f"{text.rstrip()}\n\n{part}\n"
    path.write_text(text, encoding="utf-8")
