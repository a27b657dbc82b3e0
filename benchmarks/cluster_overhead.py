"""What a block costs on a Dask cluster beside its simulation: scheduling, storing, logging.

Run as `python -m benchmarks.cluster_overhead`: one worker on this machine, 2000 blocks of a few milliseconds.
"""

import tempfile
from pathlib import Path

from distributed import LocalCluster

from sgdsim.engine.cluster import ClusterRun
from sgdsim.engine.progress import Meter
from sgdsim.engine.sessions import begin_session
from sgdsim.engine.stop import Stop
from sgdsim.engine.sweep import Sweep, open_sweep
from sgdsim.sweep.experiment import load_experiment

BLOCKS = 2000
EXPERIMENT = f"""
system = "committee"
problem = {{ k = 2, p0 = 2, noise = 0.01 }}
grid = {{ d = [300] }}
start = {{ kind = "overlap", overlap = 0.5 }}
theory = {{ kind = "none" }}
times = {{ final = 1.0, count = 2 }}
ensemble = {{ replicas = {BLOCKS * 256}, block = 256 }}
report = {{ figures = [] }}
"""


def main() -> None:
    """Prints the cost of a block, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "blocks.toml"
        file.write_text(EXPERIMENT)
        sweep = open_sweep(load_experiment(file), Path(folder) / "run")
        begin_session(sweep.directory, "blocks", 0, "benchmark")
        workers = {"n_workers": 1, "threads_per_worker": 1, "env": {"JAX_NUM_CPU_DEVICES": "1"}}
        cluster = LocalCluster(**workers, dashboard_address=":0")
        with cluster, Stop() as stop:
            ClusterRun(sweep, Meter(), stop, cluster.scheduler_address).run(sweep.blocks)
        span, simulated = _times(sweep)
    cost = (span - sum(simulated)) / len(simulated)
    mean = sum(simulated) / len(simulated)
    print(f"{len(simulated) + 1} blocks of {1e3 * mean:.1f} ms: {1e3 * cost:.1f} ms each for scheduling and storing")


def _times(sweep: Sweep) -> tuple[float, list[float]]:
    """Seconds from the first file to the last, and of the simulation of each block but the first."""
    written = [sweep.directory.path_of(block).stat().st_mtime for block in sweep.blocks]
    lines = [line for entries in sweep.directory.log.read().values() for line in entries if line["event"] == "block"]
    return max(written) - min(written), [line["seconds"] for line in lines[1:]]


if __name__ == "__main__":
    main()
