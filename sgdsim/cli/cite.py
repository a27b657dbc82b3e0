"""The command cite: what to cite, as BibTeX."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sgdsim.cli import places
from sgdsim.cli.app import main, plain_errors, tell
from sgdsim.cli.shipped import complete, find_config


@main.command()
def cite(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="[EXPERIMENT]",
            parser=places.config,
            autocompletion=complete,
            help="A file, a shipped experiment, the folder of a run, or a system; all papers if left out.",
        ),
    ] = None,
) -> None:
    """Print BibTeX of sgdsim and of the papers that an experiment rests on."""
    with plain_errors():
        from sgdsim.sources import SOURCES, software, sources_of
        from sgdsim.systems import SYSTEMS, versions_behind_system

        named = {} if experiment is None else _read(experiment)
        papers = tuple(SOURCES.values()) if experiment is None else sources_of(named)
        system = named.get("system")
        packages = versions_behind_system(system) if isinstance(system, str) and system not in SYSTEMS else {}
        for name, version in packages.items():
            tell(f"% the system {system} is that of {name} {version}: cite it as it asks")
        for entry in (software(), *(paper.bibtex for paper in papers)):
            for line in entry.splitlines():
                tell(line)


def _read(experiment: str) -> Mapping[str, Any]:
    """The tables of an experiment; of the name of a system, that alone."""
    from sgdsim.experiment.source import read_source
    from sgdsim.systems import is_known

    if is_known(experiment):
        return {"system": experiment}
    return read_source(find_config(experiment)).document
