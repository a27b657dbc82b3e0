"""The report of a run directory: its figures as files, and one self-contained page."""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sgdsim.errors import ExperimentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import NAMED_COLOURS, inline_svg, save, styled
from sgdsim.laws.text import Number
from sgdsim.printable import printable
from sgdsim.report import laws, tables
from sgdsim.store.files import write_text
from sgdsim.store.stored import Stored

_EXPONENT = re.compile(r"(-?\d[\d.]*(?:\(\d+\))?)e(-?\d+)")
"""A number with an exponent, and nothing else: a page shows words of users too, such as a command line."""


@dataclass(frozen=True)
class PageSection:
    """A figure on the page: its drawing, or the reason why there is none."""

    name: str
    svg: Markup
    caption: str
    lacks: str


def write_report(directory: Path) -> list[Path]:
    """Writes figures/*.png, figures/*.pdf and report.html into a run directory; returns the paths, the page last.

    Reads results.nc, summary.json, provenance.json and experiment.toml only. The same files give the same bytes.

    **Raises:** ExperimentError where a file is missing or the experiment asks for a figure that does not exist.
    """
    run = Stored.load(directory)
    unknown = [name for name in run.figures if name not in FIGURES]
    if unknown:
        where = f"{directory / 'experiment.toml'}: report.figures"
        raise ExperimentError([f"{where}: unknown figure `{name}`; known: {', '.join(FIGURES)}" for name in unknown])
    written: list[Path] = []
    sections = [_section(run, name, directory / "figures", written) for name in run.figures]
    page = directory / "report.html"
    write_text(page, _render(run, sections))
    return [*written, page]


def _section(run: Stored, name: str, folder: Path, written: list[Path]) -> PageSection:
    kind = FIGURES[name]
    lacks = kind.lacks(run)
    if lacks:
        return PageSection(name, Markup(), "", lacks)
    figure = styled(lambda: kind.draw(run))
    folder.mkdir(exist_ok=True)
    written += save(figure, folder / name)
    caption = kind.full_caption(run)
    return PageSection(name, Markup(inline_svg(figure, html.escape(printable(caption)))), caption, "")


def _render(run: Stored, sections: list[PageSection]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sgdsim.report"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _typeset, "piece": _piece}
    return environment.get_template("report.html.j2").render(
        title=run.summary.title,
        system=run.summary.system,
        name=run.summary.experiment,
        statements=laws.statements(run),
        counts=tables.counts(run),
        sections=sections,
        laws=laws.tables(run),
        unfitted=laws.unfitted(run),
        cells=tables.cells(run),
        constants=tables.constants(run),
        simulated=run.simulated,
        colours=NAMED_COLOURS,
        provenance=tables.provenance(run),
        experiment=run.experiment,
    )


def _piece(piece: str | Number) -> Markup:
    """A piece of a line: words as they stand, a number typeset."""
    if isinstance(piece, str):
        return Markup(html.escape(printable(piece), quote=False))
    number = _typeset(piece.text)
    return Markup(f"<sup>{number}</sup>") if piece.raised else number


def _typeset(text: str) -> Markup:
    """A number for a reader: 1.35(1)e-3 with a raised exponent, and real minus signs. Other text stays as it is."""
    minus = "&minus;"
    exponent = _EXPONENT.fullmatch(text)
    if exponent:
        mantissa, power = (part.replace("-", minus) for part in exponent.groups())
        return Markup(f"{mantissa}&thinsp;&times;&thinsp;10<sup>{power}</sup>")
    if text == "-":
        return Markup("&ndash;")
    return Markup(re.sub(r"^-(?=\d)", minus, html.escape(printable(text))))


def _visible(value: Any) -> Any:
    """What the page shows of a text: its lines, with what cannot be seen in them as escapes. Markup is ours."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(printable, value.split("\n")))
    return value
