"""How the numbers of a page are made again, and what is to be cited with them."""

import tomllib
from dataclasses import dataclass

from sgdsim.report.tables import versions
from sgdsim.sources import Paper, software, sources_of
from sgdsim.store.stored import Stored

COMMANDS = """\
sgdsim run experiment.toml -o ../again   # the same experiment once more, into a new folder
sgdsim verify .                          # check every stored block and result, and make a block again
sgdsim report .                          # draw the figures and this page again, from what is stored
"""
"""In the folder of the page."""


@dataclass(frozen=True)
class MadeBy:
    """What a run was made by: the command, versions and commit, as far as they are known; version and day of sgdsim."""

    command: str
    versions: str
    commit: str
    dated: tuple[str, ...]


def made_by(run: Stored) -> MadeBy:
    """From provenance.json, of which any part may be missing."""
    known = run.provenance
    used = known.get("versions")
    version = [f"sgdsim {used['sgdsim']}"] if isinstance(used, dict) and "sgdsim" in used else []
    day = [str(known["started"]).partition("T")[0]] if known.get("started") else []
    return MadeBy(str(known.get("command") or ""), versions(used), str(known.get("git_commit") or ""), (*version, *day))


def papers(run: Stored) -> tuple[Paper, ...]:
    """The papers that the run uses."""
    return sources_of(tomllib.loads(run.experiment))


def bibtex(run: Stored) -> str:
    """The entries of a .bib file: sgdsim, and the papers."""
    return "\n\n".join([software(), *(paper.bibtex for paper in papers(run))])
