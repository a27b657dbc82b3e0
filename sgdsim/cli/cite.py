"""The command cite: what to cite, as BibTeX."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sgdsim.cli import places
from sgdsim.cli.app import main, plain_errors, tell
from sgdsim.cli.completion import complete
from sgdsim.experiment.shipped import find_config
from sgdsim.sources import SYSTEMS

GROUP = "sgdsim.systems"
"""The entry points of the systems of installed packages, as `sgdsim.systems` has them; that would import JAX."""


@main.command()
def cite(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPERIMENT",
            parser=places.config,
            autocompletion=complete,
            help="A file, a shipped experiment, the folder of a run, or a system; all papers if left out.",
        ),
    ] = None,
) -> None:
    """Print BibTeX of sgdsim and of the papers that an experiment rests on."""
    with plain_errors():
        from sgdsim.plugins import versions_behind
        from sgdsim.sources import SOURCES, software, sources_of

        named = {} if experiment is None else _read(experiment)
        papers = tuple(SOURCES.values()) if experiment is None else sources_of(named)
        system = named.get("system")
        packages = versions_behind(GROUP, [system]) if isinstance(system, str) and system not in SYSTEMS else {}
        for name, version in packages.items():
            tell(f"% the system {system} is that of {name} {version}: cite it as it asks")
        for entry in (software(), *(paper.bibtex for paper in papers)):
            for line in entry.splitlines():
                tell(line)


def _read(experiment: str) -> Mapping[str, Any]:
    """The tables of an experiment; of the name of a system, that alone."""
    from sgdsim.experiment.source import read_source
    from sgdsim.plugins import plugins

    if experiment in SYSTEMS or experiment in plugins(GROUP):
        return {"system": experiment}
    return read_source(find_config(experiment)).document
