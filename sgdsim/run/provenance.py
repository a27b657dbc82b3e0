"""Where, when and with what a run was made."""

import json
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import jax

import sgdsim
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import Experiment
from sgdsim.run.versions import versions
from sgdsim.store.directory import OTHER_FOLDER, RunDirectory
from sgdsim.store.files import write_text
from sgdsim.store.log import BEGIN, END, Entry
from sgdsim.store.worker import HOST

RUN, WORKER = "run", "worker"


def git_commit(package: Path = Path(sgdsim.__file__).parent) -> str | None:
    """The commit of the source tree that holds the package, with "+changes" if it was edited; None outside one."""
    if not (package.parent / ".git").exists():
        return None
    try:
        commit = _git(package.parent, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(package.parent, "status", "--porcelain", "--", package.name) else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def begin_session(directory: RunDirectory, experiment: Experiment, command: str, role: str = RUN) -> None:
    """Opens a session in the log of this process, and in provenance.json: one for each time a process took the run up.

    - `role`: `RUN`, or `WORKER` for one that makes blocks for another's run.

    **Raises:** ExperimentError where the folder cannot be written.
    """
    session = {
        "role": role,
        "experiment": experiment.name,
        "seed": experiment.seed,
        "command": command,
        "host": HOST,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.local_devices()],
        "versions": versions(experiment),
    }
    commit = git_commit()
    if commit is not None:
        session["git_commit"] = commit
    try:
        directory.log.write(BEGIN, session)
        write_provenance(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExperimentError([f"{directory.path}: cannot write a run here ({reason}); {OTHER_FOLDER}"]) from error


def end_session(directory: RunDirectory, status: str) -> None:
    """Closes the session: "finished", "interrupted" (after a block), "stopped" (within one) or "failed".

    On a full disk it stays open: the run's own message says more.
    """
    directory.log.try_to_write(END, {"status": status})
    with suppress(OSError):
        write_provenance(directory)


def write_provenance(directory: RunDirectory) -> None:
    """Writes provenance.json from the logs.

    The facts of the latest session stand at the top, those of the ones before it in the list `earlier_sessions`, and
    those of processes that made blocks for them in `workers`.
    """
    sessions = read_sessions(directory)
    runs, workers = ([session for session in sessions if session["role"] == role] for role in (RUN, WORKER))
    if runs:
        latest = runs[-1] | {"earlier_sessions": runs[:-1], "workers": workers}
        write_text(directory.provenance, json.dumps(latest, indent=2) + "\n")


def read_sessions(directory: RunDirectory) -> list[Entry]:
    """All sessions in the logs, in the order of their beginnings as far as the clocks of the hosts agree."""
    sessions = [session for entries in directory.log.read().values() for session in _sessions(entries)]
    return sorted(sessions, key=lambda session: session["started"])


def _sessions(entries: Sequence[Entry]) -> list[Entry]:
    """The sessions of one process; lines that do not say what a session's must say are left out."""
    sessions: list[Entry] = []
    for entry in entries:
        match entry:
            case {"event": "begin", "role": "run" | "worker", "at": str(at)}:
                facts = {key: value for key, value in entry.items() if key not in ("event", "at")}
                sessions.append(facts | {"started": at, "finished": None, "status": "running"})
            case {"event": "end", "status": str(status), "at": str(at)} if sessions:
                sessions[-1] |= {"finished": at, "status": status}
    return sessions
