"""The command line. Whatever takes long to import is imported by the command that needs it."""

from sgdsim.cli import experiments, folders, run, status
from sgdsim.cli.app import main

__all__ = ["experiments", "folders", "main", "run", "status"]
