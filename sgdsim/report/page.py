"""The report of a run directory: its figures as files, and one self-contained page."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sgdsim.errors import ExperimentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import NAMED_COLOURS, save, styled
from sgdsim.report import laws, reproduce, tables
from sgdsim.report.cautions import all_well, cautions
from sgdsim.report.explore import curves_of
from sgdsim.report.files import files_of
from sgdsim.report.pictures import picture
from sgdsim.report.symbols import parameter, symbol
from sgdsim.report.typeset import Typesetter, far, fit_name, greek, numeric_columns, piece, visible
from sgdsim.store.files import write_text
from sgdsim.store.stored import Stored

_SCRIPTS = ("tables", "readings", "explore", "copy")
"""Each works by itself; without any the page holds all that it says, in the order in which it was written."""


@dataclass(frozen=True)
class PageSection:
    """A figure on the page: its drawing, or the reason why there is none."""

    name: str
    svg: Markup
    caption: str
    lacks: str


def write_report(directory: Path) -> list[Path]:
    """Writes figures/*.png, figures/*.pdf and report.html into a run directory; returns the paths, the page last.

    Reads results.nc, summary.json, provenance.json and experiment.toml only, and of all other files their names. The
    same files give the same bytes.

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
    write_text(page, _render(run, sections, directory))
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
    return PageSection(name, picture(figure, caption, f"{name}-"), caption, "")


def _render(run: Stored, sections: list[PageSection], directory: Path) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sgdsim.report"),
        autoescape=True,
        finalize=visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": _typesetter(run), "piece": piece, "parameter": parameter}
    environment.filters |= {"numeric_columns": numeric_columns, "greek": greek, "fit_name": fit_name}
    environment.tests |= {"far": far}
    facts = _facts(run)
    script = "\n".join(_template(f"{name}.js") for name in _SCRIPTS)
    return environment.get_template("report.html.j2").render(
        **facts,
        sections=sections,
        contents=_contents(facts, sections),
        files=files_of(directory),
        colours=NAMED_COLOURS,
        style=Markup(_template("report.css")),
        script=Markup(script),
        script_digest=_digest(script),
    )


def _typesetter(run: Stored) -> Typesetter:
    names = {name for cell in run.summary.cells for name in cell.values}
    symbols = {f"final {run.words(name)}": symbol(run.symbol(name)) for name in run.scalars}
    return Typesetter(names, {words: found for words, found in symbols.items() if found is not None})


def _facts(run: Stored) -> dict[str, Any]:
    """What the page tells of a run."""
    headlines, ends = laws.headlines(run), tables.ends(run)
    brief = len(headlines) > laws.WHOLE
    numbers = [one for law in headlines for one in law.statement.numbers[: 1 if brief else None]]
    numbers += [one for _, one in ends.rows] if ends and not headlines else []
    return {
        "run": run,
        "title": run.summary.title,
        "headlines": headlines,
        "ends": ends,
        "brief": brief,
        "told": laws.Told(numbers, [law.of for law in headlines]),
        "cautions": cautions(run),
        "all_well": all_well(run),
        "counts": tables.counts(run),
        "laws": laws.tables(run),
        "unfitted": laws.unfitted(run),
        "cells": tables.cells(run),
        "constants": tables.constants(run),
        "curves": curves_of(run),
        "made": reproduce.made_by(run),
        "commands": reproduce.COMMANDS,
        "papers": reproduce.papers(run),
        "bibtex": reproduce.bibtex(run),
        "provenance": tables.provenance(run),
    }


def _contents(facts: dict[str, Any], sections: list[PageSection]) -> dict[str, str]:
    """What the page has, by the address of each part."""
    parts = {
        "results": ("Results", True),
        "figures": ("Figures", sections),
        "explore": ("A cell at a time", facts["curves"]),
        "laws": ("Fitted laws", facts["laws"] or facts["unfitted"]),
        "cells": ("Cells", True),
        "parameters": ("Parameters", True),
        "reproduce": ("Reproduce", True),
        "sources": ("Sources", True),
        "files": ("Files", True),
        "provenance": ("Provenance", True),
    }
    return {address: words for address, (words, there) in parts.items() if there}


def _template(name: str) -> str:
    return files("sgdsim.report").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """Of the one script that a browser may run, as the page's security policy names it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
