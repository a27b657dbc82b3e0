"""Where, when and with what a run was made."""

import importlib.metadata
import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

import sgdsim
from sgdsim.sweep.files import HOST, write_text
from sgdsim.sweep.store import RunDirectory

PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "numpy", "xarray")


def versions() -> dict[str, str]:
    """Version of Python, of sgdsim and of everything that has a hand in the numbers."""
    return {
        "python": platform.python_version(),
        "sgdsim": sgdsim.__version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


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


def begin_session(directory: RunDirectory, name: str, seed: int, command: str) -> None:
    """Opens a session in provenance.json: one for each time the run was started or taken up again.

    The facts of the latest session stand at the top, those of the ones before it in the list `earlier_sessions`.
    """
    earlier = _earlier(directory)
    session = {
        "experiment": name,
        "seed": seed,
        "command": command,
        "started": _now(),
        "finished": None,
        "status": "running",
        "host": HOST,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.local_devices()],
        "versions": versions(),
    }
    commit = git_commit()
    if commit is not None:
        session["git_commit"] = commit
    _write(directory, session | {"earlier_sessions": earlier})


def end_session(directory: RunDirectory, status: str) -> None:
    """Closes the latest session as "finished", "interrupted" (after a block), "stopped" (within one) or "failed"."""
    _write(directory, _read(directory) | {"finished": _now(), "status": status})


def _earlier(directory: RunDirectory) -> list[dict[str, Any]]:
    """All sessions on disk, oldest first."""
    if not directory.provenance.is_file():
        return []
    latest = _read(directory)
    return [*latest.pop("earlier_sessions"), latest]


def _read(directory: RunDirectory) -> dict[str, Any]:
    return json.loads(directory.provenance.read_text(encoding="utf-8"))


def _write(directory: RunDirectory, provenance: dict[str, Any]) -> None:
    write_text(directory.provenance, json.dumps(provenance, indent=2) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
