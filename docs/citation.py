"""Writes CITATION.cff: sgdsim, and the papers that it rests on, from where they are declared.

python docs/citation.py
"""

import json
from collections.abc import Iterator
from pathlib import Path

from sgdsim._version import __version__
from sgdsim.sources import AUTHORS, SOURCES, TITLE, Paper

FILE = Path(__file__).parents[1] / "CITATION.cff"
MESSAGE = (
    "If you use sgdsim, please cite it, and the papers behind what you simulate: sgdsim cite EXPERIMENT lists them."
)
HEAD = """\
# Written by `python docs/citation.py` from sgdsim/sources.py; a test holds it to them.
# FOR THE OWNER: repository-code and date-released belong here once there are some.
cff-version: 1.2.0
"""


def text() -> str:
    """The file."""
    software = [("title", TITLE), ("type", "software"), ("version", __version__), ("license", "Apache-2.0")]
    return "\n".join(
        [
            HEAD + _line("message", MESSAGE),
            *(_line(*pair) for pair in software),
            _AUTHORS,
            "preferred-citation:",
            *(f"  {_line(*pair)}" for pair in software),
            *(f"  {line}" for line in _AUTHORS.splitlines()),
            "references:",
            *(line for paper in SOURCES.values() for line in _reference(paper)),
            "",
        ]
    )


def _line(key: str, value: str | int) -> str:
    return f"{key}: {json.dumps(value, ensure_ascii=False)}"


_AUTHORS = f"authors:\n  - {_line('name', AUTHORS)}"


def _reference(paper: Paper) -> Iterator[str]:
    """An entry of the list, in the words of the format 1.2.0."""
    article = paper.kind == "article"
    yield f"  - {_line('type', 'article' if article else 'conference-paper')}"
    yield f"    {_line('title', paper.title)}"
    yield "    authors:"
    for author in paper.authors.split(" and "):
        family, given = author.split(", ")
        yield f"      - {_line('family-names', family)}"
        yield f"        {_line('given-names', given)}"
    yield f"    {_line('year', paper.year)}"
    yield f"    {_line('journal' if article else 'collection-title', paper.venue)}"
    start, _, end = paper.fields.get("pages", "").partition("--")
    pieces = {"volume": paper.fields.get("volume"), "issue": paper.fields.get("number"), "start": start, "end": end}
    for key, value in {**pieces, "doi": paper.fields.get("doi"), "url": paper.url}.items():
        if value:
            yield f"    {_line(key, value)}"
    if paper.arxiv:
        yield f"    identifiers:\n      - type: other\n        {_line('value', f'arXiv:{paper.arxiv}')}"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
