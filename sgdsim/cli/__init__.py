"""The command line. Whatever takes long to import is imported by the command that needs it."""

from sgdsim.cli import cite, experiments, folders, index, new, run, show, status
from sgdsim.cli.app import main

__all__ = ["cite", "experiments", "folders", "index", "main", "new", "run", "show", "status"]
