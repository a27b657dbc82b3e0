"""A copy of the sources to plant errors in, and the process that runs tests there."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutations.table import ROOT, Planted

LEFT_OUT = (".git", ".venv", ".cache", ".hypothesis", ".pytest_cache", ".ruff_cache", "runs", "build", "dist")
WARM = ("jax", "equinox", "diffrax", "xarray", "beartype", "pydantic", "scipy.stats", "optax")
"""Modules whose imports take most of the time of a short test."""
SECONDS = 300.0
"""An error that lets no test end in this time is no catch."""


class Field:
    """A folder of its own with the sources of the checkout, which itself is never touched."""

    def __init__(self, root: Path = ROOT, warm: Sequence[str] = WARM) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="sgdsim-mutations-")
        self.folder = Path(self._temporary.name) / "sources"
        shutil.copytree(root, self.folder, ignore=shutil.ignore_patterns(*LEFT_OUT, "*.png"))
        cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(root / ".cache" / "jax"))
        environment = os.environ | {"PYTHONPATH": str(self.folder), "JAX_COMPILATION_CACHE_DIR": cache}
        self._log = (Path(self._temporary.name) / "log").open("w")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.mutations.server", *warm],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._clock = int(time.time()) + 10

    def run(self, tests: Sequence[str], seconds: float = SECONDS) -> dict:
        """The outcome of the tests in this folder as it is."""
        print(json.dumps({"tests": tests, "seconds": seconds}), file=self._server.stdin, flush=True)
        answer = self._server.stdout.readline()
        if not answer:
            raise RuntimeError(f"The process that runs the tests ended: {Path(self._log.name).read_text()[-2000:]}")
        return json.loads(answer)

    def run_with(self, error: Planted, seconds: float = SECONDS) -> dict:
        """The outcome of its tests with the error planted; afterwards the folder is as it was."""
        path = self.folder / error.file
        text, status = path.read_text(), path.stat()
        path.write_text(error.planted(text))
        # Python takes compiled code for that of a source by its seconds and length: no two errors may share them.
        self._clock += 2
        os.utime(path, (self._clock, self._clock))
        try:
            return self.run(error.tests, seconds)
        finally:
            path.write_text(text)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def close(self) -> None:
        """Ends the process and removes the folder."""
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()
        self._log.close()
        self._temporary.cleanup()
