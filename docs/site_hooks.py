"""What mkdocs.yml cannot say: pages that stand outside docs/ are of the site too, and formulas become MathML.

Links keep the form that they need in a checkout, `../CONTRIBUTING.md`; in the site they lead to the copies there.
"""

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CITATION.cff", "benchmarks/RESULTS.md")
FOLDERS = ("configs",)
LINK = re.compile(r"(\]\()([^)\s:#]+)([^)\s]*\))")
FORMULA = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Adds what stands outside docs/ under the path that it has in a checkout."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.*")):
            _add(files, config, path.relative_to(ROOT).as_posix())
    for name in OUTSIDE:
        _add(files, config, name)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links of a checkout into links of the site."""
    uri = page.file.src_uri
    home = posixpath.dirname(uri if uri in OUTSIDE else f"docs/{uri}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(home, link[2])).removeprefix("docs/")
        return f"{link[1]}{posixpath.relpath(target, posixpath.dirname(uri) or '.')}{link[3]}"

    return LINK.sub(moved, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Sets formulas in MathML, which browsers draw by themselves."""
    return FORMULA.sub(lambda formula: convert(html.unescape(formula[1])), content)


def _add(files: Files, config: Any, name: str) -> None:
    files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
