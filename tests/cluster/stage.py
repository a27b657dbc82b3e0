"""A stage for the scripts of configs/cluster, on which commands are played: those of Slurm, or all that they call."""

import contextlib
import os
import shlex
import signal
import subprocess

from tests.cluster.scripts import edited
from tests.processes import SECONDS

FAILS = "echo 'slurm_load: Unable to contact slurm controller' >&2; exit 1"
NODE = 'echo "NodeName=$4 Arch=x86_64 CPUTot=2 NodeAddr=10.0.0.${4#n} NodeHostName=host State=IDLE"'
STEP = 'while [ "$1" != bash ]; do shift; done; SLURMD_NODENAME=n2 exec "$@"'
"""What srun does: one task, on the second node."""
SQUEUE_END = "2030-01-02T03:04:05"
PARTS = {
    "squeue": f"echo {SQUEUE_END}",
    "scontrol": f'[ "$1" != show ] || {NODE}',
    "srun": STEP,
    "dask": "exit 0",
    "sgdsim": "exit 0",
}
"""What each command does where a test does not say otherwise."""


class Stage:
    """A folder in which a script runs as Slurm would run it, with commands that are played.

    - `edit`: changes the text of the script.
    - `during`: is called with the stage while the script runs.
    - `code`: its exit code; `said`: the log of the job; `calls`: the commands that were given.
    """

    def __init__(self, folder, script, environment=(), edit=None, during=None, **parts):
        self.folder, self.out = folder, folder / "été run"
        (folder / "bin").mkdir()
        for name, part in (PARTS | parts).items():
            self._write(name, part)
        here = f"export PATH={shlex.quote(str(folder / 'bin'))}:$PATH"
        text = edited(script, "my.toml", self.out, here)
        (folder / script).write_text(edit(text) if edit else text)
        slurm = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURMD_NODENAME": "n1", "SLURM_ARRAY_JOB_ID": "7"}
        slurm |= {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "8"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "DASK", "WARNING"))}
        with (folder / "log").open("w") as log:
            how = {"cwd": folder, "env": kept | slurm | dict(environment), "stdout": log, "stderr": log}
            process = subprocess.Popen(["bash", script], start_new_session=True, **how)
        try:
            if during:
                during(self)
            self.code = process.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left in the background, as Slurm does

    def _write(self, name, part):
        """A command that notes how it was called, and in which environment, and then plays its part."""
        noted = f'echo "{name} $*" >> calls; env -0 > {name}-$1.tmp; mv {name}-$1.tmp {name}-$1.env'
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\ncd {shlex.quote(str(self.folder))}\n{noted}\n{part}\n")
        path.chmod(0o755)

    @property
    def said(self):
        return (self.folder / "log").read_text()

    @property
    def calls(self):
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def called(self, *words):
        """The calls that begin with some words."""
        return [call for call in self.calls if call.split()[: len(words)] == list(words)]

    def environment(self, name):
        """The environment of a call by the command and its first word: "dask-worker"."""
        lines = (self.folder / f"{name}.env").read_text().split("\0")
        return dict(line.split("=", 1) for line in lines if line)
