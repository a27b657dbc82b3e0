"""The command line. Whatever takes long to import is imported by the command that needs it."""

from sgdsim.cli import cite, experiments, folders, new, run, show, status
from sgdsim.cli.app import main

__all__ = ["cite", "experiments", "folders", "main", "new", "run", "show", "status"]
