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


def write(rows: list[Row], mark: str, preamble: str) -> None:
    """Puts the rows, as Markdown, into RESULTS.md."""
    lines = [preamble, ""]
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"### {section}", "", f"| {' | '.join(HEAD)} |", "|---|---:|---:|---|"]
        lines += [f"| {' | '.join(row.cells)} |" for row in rows if row.section == section] + [""]
    replace("\n".join(lines), mark)


def replace(text: str, mark: str, path: Path = RESULTS) -> None:
    """Replaces what stands between the markers of `mark` in RESULTS.md, or appends it."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Measured speed\n"
    before, found, rest = old.partition(begin)
    after = rest.partition(end)[2] if found else "\n"
    head = before if found else f"{before.rstrip()}\n\n"
    path.write_text(f"{head}{begin}\n{text.rstrip()}\n\n{end}{after}", encoding="utf-8")
