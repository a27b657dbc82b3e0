"""Processes that take one another for dead: stopped beyond the time of silence, or in PID namespaces of their own."""

import os
import signal
import subprocess
from contextlib import ExitStack

from tests.processes import Nursery, made
from tests.torture.corruptions import stopped
from tests.torture.lab import Bench, Lab, Loss, numbers, same
from tests.torture.parts import BenchPart, Skipped, chance

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


class Stopped(BenchPart):
    """A process is stopped while it writes, others take it for dead and finish its run, and then it goes on."""

    name = "stopped"
    help = "SIGSTOP beyond the time of silence; others finish, then it goes on"
    count, small = 12, 1

    def prepare(self, lab: Lab) -> None:
        """See `BenchPart`."""
        self._reference = numbers(lab.finished)

    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One process that is stopped; told by whether the others had to wait for it."""
        process = stopped(lab, bench, chance(self.name, seed))
        command = lab.run_of(bench.folder)
        try:
            bench.command(*command).check(0)
            same(bench.folder, self._reference, "with a stopped process")
        finally:
            os.kill(process.pid, signal.SIGCONT)
        bench.wait(process, *command).check(0)
        same(bench.folder, self._reference, "after the stopped process went on")
        twice = len(made(bench.folder)) - len(set(made(bench.folder)))
        return "had a block in hand" if twice else "had none in hand"


class Namespaces(BenchPart):
    """Two processes on one host that do not see one another, with the same numbers of processes, share a run."""

    name = "namespaces"
    help = "two PID namespaces of one host in one folder"
    count, small = 6, 1

    def prepare(self, lab: Lab) -> None:
        """See `BenchPart`."""
        self._reference = numbers(lab.finished)
        if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode:
            raise Skipped("PID namespaces of one's own are not allowed here")

    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One run that two share; told by how many blocks were made twice."""
        command = lab.run_of(bench.folder)
        with ExitStack() as stack:
            benches = [Bench(stack.enter_context(Nursery(NAMESPACE)), bench.place) for _ in range(2)]
            for one in benches:
                one.command("--version")
            # With the minute of every day: on a busy machine both live, and either may say nothing for seconds.
            processes = [one.start(*command, patch={}) for one in benches]
            for one, process in zip(benches, processes, strict=True):
                one.wait(process, *command).check(0)
        same(bench.folder, self._reference, "made in two PID namespaces")
        blocks = made(bench.folder)
        if len(blocks) != len(set(blocks)):
            raise Loss(f"{len(blocks) - len(set(blocks))} blocks were made by both")
        if left := list((bench.folder / "live").rglob("*.*")):
            raise Loss(f"{left[0]} was left behind")
        return "shared"
