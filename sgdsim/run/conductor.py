"""A run from its beginning to its report: make the blocks, merge them, and say in every case how to go on."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from sgdsim.errors import unwritable
from sgdsim.report import write_report
from sgdsim.run.dask.cluster import ClusterRun
from sgdsim.run.local import LocalRun
from sgdsim.run.memory import NoMemory
from sgdsim.run.opened import OpenRun
from sgdsim.run.options import Options
from sgdsim.run.outcomes import RunOutcome
from sgdsim.run.progress import meter_for
from sgdsim.run.provenance import begin_session, end_session
from sgdsim.run.results import SpoiltBlocks, write_results
from sgdsim.run.stop import Exit, Stop
from sgdsim.store.blocks import Block
from sgdsim.store.directory import Unwritable
from sgdsim.store.presence import Presence
from sgdsim.store.summary import Summary

FINISH = "results"
"""What the process claims that merges."""
_STATUS = {Exit.FINISHED: "finished", Exit.FAILED: "failed"}


class Conductor:
    """Conducts a run.

    - `say`: prints a line for the user, on stderr.
    - `end`: ends the process at a second Ctrl-C. Where it returns, KeyboardInterrupt is raised instead.
    """

    def __init__(
        self, opened: OpenRun, options: Options, say: Callable[[str], None], end: Callable[[int], object] = os._exit
    ) -> None:
        self._opened = opened
        self._options = options
        self._say = say
        self._end = end
        self._directory = opened.directory
        self._presence = Presence(self._directory.watch.folder)
        self.summary: Summary | None = None

    def run(self) -> Exit:
        """Makes what is missing and, where nothing is after that, merges; returns the exit code.

        The summary of a run that was merged is in `summary` then.
        """
        experiment = self._opened.experiment
        begin_session(self._directory, experiment, self._options.command)
        stop = Stop(self._announce, self._leave, self._options.limit)
        status = "failed"
        try:
            with stop, self._presence:
                code = self._run(stop)
                status = _STATUS.get(code, "interrupted")
        except KeyboardInterrupt:
            self._hand_back()
            self._end(stop.code)
            raise
        except (Unwritable, OSError, NoMemory) as error:
            return self._unable(error)
        finally:
            end_session(self._directory, status)
        return code if self.summary is None else self._report(code)

    def _run(self, stop: Stop) -> Exit:
        blocks = self._opened.blocks
        if self._options.shard is not None:
            blocks = self._options.shard.of(blocks, self._opened.work)
        while True:
            outcome = self._make(blocks, stop)
            if outcome.stopped:
                return self._stopped(outcome, stop)
            for error in outcome.failed.values():
                self._say(f"failed: {error}")
            try:
                return self._merge(outcome.failed)
            except SpoiltBlocks as spoilt:
                self._say(str(spoilt))
                blocks = self._opened.blocks

    def _make(self, blocks: Sequence[Block], stop: Stop) -> RunOutcome:
        opened = self._opened
        total, done = len(opened.blocks), len(opened.blocks) - len(opened.missing)
        head = f"{opened.experiment.name}: {len(opened.layout)} cells, {total} blocks, {done} of them on disk in"
        self._tell(f"{head} {self._directory.path}")
        with meter_for(Console(stderr=True), self._options.quiet) as meter:
            if self._options.scheduler is not None:
                return ClusterRun(opened, meter, stop, self._options.scheduler).run(blocks)
            return LocalRun(opened, meter, stop, self._presence).run(blocks)

    def _merge(self, just_failed: Mapping[int, str]) -> Exit:
        """Results, once every block is on disk, but for those of cells that failed.

        **Raises:** SpoiltBlocks where some are to be made again.
        """
        missing = self._opened.missing
        failures = {**self._directory.failures.read(), **just_failed}
        failed = {cell: failures[cell] for cell in {block.cell for block in missing} if cell in failures}
        code = Exit.FAILED if failed else Exit.FINISHED
        elsewhere = [block for block in missing if block.cell not in failed]
        if elsewhere and self._options.shard is None:
            # All of them were settled a moment ago. Somebody has taken them away.
            raise SpoiltBlocks(f"{self._directory.blocks}: {len(elsewhere)} blocks are gone; they are made again")
        if elsewhere:
            self._tell(
                f"This part is done; {len(elsewhere)} of {len(self._opened.blocks)} blocks are missing in others. The"
                " last part to end writes the results."
            )
        elif len(failed) == len(self._opened.layout):
            self._say("Every cell failed: there is nothing to merge.")
        elif (holder := self._directory.claims.take(FINISH)) is not None:
            self._tell(f"All blocks are on disk; {holder} is writing the results.")
        else:
            try:
                self.summary = write_results(self._opened.experiment, self._directory, self._opened.layout, failed)
            finally:
                self._directory.claims.release(FINISH)
        return code

    def _report(self, code: Exit) -> Exit:
        """Figures and page, which show that the session has ended."""
        try:
            write_report(self._directory.path)
        except OSError as error:
            return self._unable(error)
        return code

    def _unable(self, error: Exception) -> Exit:
        self._say(unwritable(error))
        self._say_how_to_go_on()
        return Exit.FAILED

    def _stopped(self, outcome: RunOutcome, stop: Stop) -> Exit:
        self._say_how_to_go_on()
        if outcome.dropped and not outcome.made and stop.signal is None:
            self._say(
                "No block was finished within the time limit: allow more, or choose smaller ones, ensemble.block."
            )
            return Exit.FAILED
        return stop.code

    def _announce(self) -> None:
        self._tell("Finishing the blocks in hand; Ctrl-C again stops at once.")

    def _leave(self, code: int) -> None:
        """Ends the process at once.

        XLA's threads may still be at work on a block that was given up; to take the interpreter down under them would
        crash.
        """
        self._hand_back()
        os._exit(code)

    def _hand_back(self) -> None:
        """Lets others have the blocks in hand, and says how to go on."""
        self._directory.claims.release_all()
        self._say_how_to_go_on()
        end_session(self._directory, "stopped")
        sys.stderr.flush()

    def _say_how_to_go_on(self) -> None:
        total, missing = len(self._opened.blocks), len(self._opened.missing)
        self._say(f"Stopped with {total - missing} of {total} blocks on disk. To go on: {self._options.command}")

    def _tell(self, text: str) -> None:
        if not self._options.quiet:
            self._say(text)
