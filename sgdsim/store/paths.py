"""Where a run keeps what it leaves on disk."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sgdsim.store.claims import Claims
from sgdsim.store.failures import Failures
from sgdsim.store.log import Log
from sgdsim.store.presence import Watch


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

        experiment.toml    the experiment, every default filled in
        provenance.json    versions, devices, seed, when and how it was run
        blocks/            index.json (the manifest: experiment, code, and how the cells are cut into blocks) and, in
                           subfolders, a .npz of every block done
        live/              signs of life of the processes at work, and what each has claimed
        logs/              what each process did
        failed/            cells that failed for good
        aside/             block files that were damaged or belonged elsewhere
        results.nc         all numbers, once every block is there
        summary.json       fits, errors, counts, speed
        figures/, report.html

    A block file that exists, whole, is a block that is done: files are written to a temporary name and renamed. Results
    depend on experiment.toml and blocks/ alone; whatever has become of the others, a run goes on.
    """

    path: Path

    @property
    def experiment(self) -> Path:
        """The experiment as resolved."""
        return self.path / "experiment.toml"

    @property
    def provenance(self) -> Path:
        """Where, when and with what the run was made."""
        return self.path / "provenance.json"

    @property
    def blocks(self) -> Path:
        """The folder of the block files."""
        return self.path / "blocks"

    @property
    def index(self) -> Path:
        """The file of the manifest."""
        return self.blocks / "index.json"

    @property
    def aside(self) -> Path:
        """Where blocks go that must not be merged."""
        return self.path / "aside"

    @property
    def results(self) -> Path:
        """Path of results.nc, the merged numbers."""
        return self.path / "results.nc"

    @property
    def summary(self) -> Path:
        """The numbers a reader wants first."""
        return self.path / "summary.json"

    @cached_property
    def watch(self) -> Watch:
        """Who is at work here."""
        return Watch(self.path / "live" / "workers")

    @cached_property
    def claims(self) -> Claims:
        """Who has what in hand."""
        return Claims(self.path / "live" / "claims", self.watch, self.aside)

    @property
    def log(self) -> Log:
        """What each process did."""
        return Log(self.path / "logs")

    @property
    def failures(self) -> Failures:
        """Cells that failed for good."""
        return Failures(self.path / "failed")

    @property
    def exists(self) -> bool:
        """Whether a run was ever started here."""
        return self.experiment.is_file()

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"
