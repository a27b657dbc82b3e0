"""What a sweep costs beside its simulation, by the clock: making, merging and showing thousands of blocks."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sgdsim.experiment.experiment import load_experiment
from sgdsim.run.dask.cluster import ClusterRun
from sgdsim.run.local import LocalRun
from sgdsim.run.opened import OpenRun, open_run
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import begin_session
from sgdsim.run.results import write_results
from sgdsim.run.stop import Stop
from sgdsim.store.block_file import BlockResult
from sgdsim.store.log import BLOCK
from sgdsim.store.origin import origin_here
from sgdsim.store.presence import Presence

EXPERIMENT = """
system = "committee"
problem = { k = 2, p0 = 2, noise = 0.01 }
grid = { d = [300] }
start = { kind = "overlap", overlap = 0.5 }
theory = { kind = "none" }
times = { final = 1.0, count = 2 }
ensemble = { replicas = 256, block = 256 }
report = { figures = [] }
"""


def sweep_of(folder: Path, blocks: int) -> OpenRun:
    """A sweep of so many blocks of a few milliseconds each, new in a folder."""
    file = folder / "blocks.toml"
    file.write_text(EXPERIMENT)
    return open_run(load_experiment(file, [f"ensemble.replicas={256 * blocks}"]), folder / "run")


def making(blocks: int) -> tuple[float, float]:
    """Seconds that a block takes in one process beside its simulation; and those of its simulation."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = sweep_of(Path(folder), blocks)
        with Stop() as stop, Presence(sweep.directory.watch.folder) as presence:
            LocalRun(sweep, Meter(), stop, presence).run(sweep.blocks)
        return _beside(sweep)


def making_on_a_cluster(blocks: int) -> tuple[float, float]:
    """The same with a Dask scheduler and one worker on this machine."""
    from distributed import LocalCluster

    worker: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "env": {"JAX_NUM_CPU_DEVICES": "1"}}
    with tempfile.TemporaryDirectory() as folder:
        sweep = sweep_of(Path(folder), blocks)
        begin_session(sweep.directory, sweep.experiment, "benchmark")
        cluster = LocalCluster(**worker, dashboard_address=":0")
        with cluster, Stop() as stop:
            ClusterRun(sweep, Meter(), stop, cluster.scheduler_address).run(sweep.blocks)
        return _beside(sweep)


def merging(blocks: int) -> float:
    """Seconds to merge so many blocks."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = _filled(Path(folder), blocks)
        began = time.perf_counter()
        write_results(sweep.experiment, sweep.directory, sweep.layout)
        return time.perf_counter() - began


def showing(blocks: int) -> float:
    """Seconds of `sgdsim status` of so many blocks, with the start of Python."""
    with tempfile.TemporaryDirectory() as folder:
        path = _filled(Path(folder), blocks).directory.path
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sgdsim.cli", "status", str(path)], check=True, capture_output=True)
        return time.perf_counter() - began


def _beside(sweep: OpenRun) -> tuple[float, float]:
    """Seconds from one block file to the next without those of the simulation, and those of the simulation."""
    written = [sweep.directory.path_of(block).stat().st_mtime for block in sweep.blocks]
    lines = [line for entries in sweep.directory.log.read().values() for line in entries if line["event"] == BLOCK]
    simulated = sum(line["seconds"] for line in lines[1:]) / (len(lines) - 1)
    return (max(written) - min(written)) / (len(lines) - 1) - simulated, simulated


def _filled(folder: Path, blocks: int) -> OpenRun:
    """A sweep that has all its blocks, which are copies of one."""
    sweep = sweep_of(folder, blocks)
    first = sweep.blocks[0]
    ensemble = sweep.ensembles[0]
    result = BlockResult(ensemble.run(first.tiles), ensemble.lanes, ensemble.replica_steps(first.tiles), 0.01)
    origin = origin_here(sweep.code)
    for block in sweep.blocks:
        sweep.directory.write_block(block, result, origin)
        facts = {"block": block.name, "seconds": 0.01, "replicas": 256, "diverged": 0, "origin": origin.model_dump()}
        sweep.directory.log.write(BLOCK, facts)
    return sweep
