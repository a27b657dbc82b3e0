"""`python -m benchmarks.start`: what a short run costs from its command line to its report, cold and warm."""

import os
import resource  # not on Windows: CPU times of ended processes are asked for here alone
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, show

RUN = ("-m", "sgdsim.cli", "run", "committee/scaling_law", "--quick", "--quiet", "--output")
LIBRARIES = "import jax, equinox, diffrax, xarray, scipy.special, matplotlib.figure"
TIMES = 3
"""How often what is warm is measured; of a busy machine the best says most."""


def start_rows() -> Iterator[Row]:
    """A whole run with its figures and page, with an empty and a filled cache of compiled programs."""
    section = "Time to the first result (`sgdsim run committee/scaling_law --quick`, with its report)"
    with tempfile.TemporaryDirectory() as folder:
        cold = _seconds(folder, *RUN, str(Path(folder, "cold")))
        warm = min(_seconds(folder, *RUN, str(Path(folder, f"warm_{number}"))) for number in range(TIMES))
        libraries = min(_seconds(folder, "-c", LIBRARIES) for _ in range(TIMES))
    yield Row(section, "empty compilation cache", _both(*cold))
    yield Row(section, "filled cache", _both(*warm), warm[0] / cold[0], "empty cache, CPU time")
    yield Row(section, f"`{LIBRARIES}` alone", _both(*libraries), libraries[0] / warm[0], "filled cache, CPU time")


def _seconds(cache: str, *arguments: str) -> tuple[float, float]:
    """CPU time and wall time of Python with these arguments."""
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(Path(cache, "compiled"))}
    # Where Python keeps no bytecode, a third of a second of each run would be the compilation of sgdsim's own modules.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, began = _used(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True)
    return _used() - before, time.perf_counter() - began


def _used() -> float:
    """CPU time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _both(cpu: float, wall: float) -> str:
    return f"{cpu:.1f} s of CPU, {wall:.1f} s"


if __name__ == "__main__":
    show(list(start_rows()))
