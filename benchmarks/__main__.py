"""`make bench`: the speed of every form on this machine, in about five minutes; written to benchmarks/RESULTS.md."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks import dmft_loop, forms, sweeps, yardsticks
from benchmarks.start import start_rows
from benchmarks.table import Row, show, write
from benchmarks.timing import cpu_seconds_each, machine
from sgdsim.cgroups import usable_cores
from sgdsim.committee import Chain
from sgdsim.meanfield.dynamics import Sde, Sgd

COMMAND = "make bench"


def chain_rows() -> Iterator[Row]:
    """The chain, p = k = 4, against the floor and the textbook forms."""
    section = "Chain, p = k = 4, d = 10^6, float32, 4096 replicas"
    ours = forms.chain_rate(10**6, 4, 4096, 10_000)
    yield Row(section, "sgdsim", rate(ours))
    floor = forms.chain_floor(4, 4, 512, 5_000)
    yield Row(section, "random numbers alone (the floor)", rate(floor), ours / floor, "sgdsim is this part of it")
    textbook = forms.textbook_chain_rate(10**6, 4, 1024, 300)
    yield Row(
        section, "vmap(scan), a Cholesky factorisation a step", rate(textbook), ours / textbook, "sgdsim is faster by"
    )
    loop = forms.numpy_rate(1000, 4, 2_000)
    yield Row(section, "NumPy loop of full weights, d = 1000", rate(loop), ours / loop, "sgdsim is faster by")


def dimension_rows() -> Iterator[Row]:
    """The same at other d."""
    section = "Chain against d (p = k = 4, 2048 replicas)"
    base = None
    for d in (10**3, 10**2, 10**5, 10**7, 10**9):
        speed = forms.chain_rate(d, 4, 2048, 8_000)
        base = base or speed
        yield Row(section, f"d = 10^{len(str(d)) - 1}", rate(speed), speed / base, "d = 10^3")


def width_rows() -> Iterator[Row]:
    """The chain at other p, k = 4."""
    section = "Chain against p (k = 4, d = 10^6)"
    for p, replicas, steps in (
        (2, 4096, 8_000),
        (8, 2048, 4_000),
        (16, 1024, 2_000),
        (32, 512, 1024),
        (64, 256, 1024),
        (128, 128, 1024),
    ):
        speed = forms.chain_rate(10**6, p, replicas, steps)
        textbook = forms.textbook_chain_rate(10**6, p, min(replicas, 128), max(8, 4_000 // p**2))
        yield Row(section, f"p = {p}", rate(speed), speed / textbook, "textbook vmap(scan)")


def replica_rows() -> Iterator[Row]:
    """The chain with few and many replicas."""
    section = "Chain against replicas (p = k = 4, d = 10^6)"
    base = None
    for replicas in (1, 100, 1_000, 10_000, 100_000):
        speed = forms.chain_rate(10**6, 4, replicas, max(200, min(20_000, 40_000_000 // replicas)))
        base = base or speed
        yield Row(section, f"{replicas} replicas", rate(speed), speed / base, "1 replica")


def batch_rows() -> Iterator[Row]:
    """The chain of batches, against its random numbers, and against itself without C++."""
    section = "Chain of batches (k = 4, d = 10^6, 256 replicas)"
    for p, batch, steps in ((4, 8, 4_000), (4, 32, 2_000), (2, 100, 1_000), (2, 1_000, 100)):
        ours, xla = (forms.batch_rate(p, batch, steps, Chain(kernel=kernel)) for kernel in ("auto", "xla"))
        floor = forms.batch_floor(p, 4, batch, steps)
        yield Row(section, f"p = {p}, batch {batch}", rate(ours), ours / floor, "the floor, its random numbers in C++")
        yield Row(section, f"p = {p}, batch {batch}, kernel = xla", rate(xla), xla / ours, "kernel = auto")


def weights_rows() -> Iterator[Row]:
    """Full weights against drawing their inputs, and the textbook forms."""
    section = "Full weights, d = 1000, k = 4, float32, 256 replicas"
    floor = forms.weights_floor(1000, 16, 50)
    yield Row(section, "inputs alone, as XLA draws them", rate(floor))
    for p in (4, 32):
        ours = forms.weights_rate(1000, p, 256, 800)
        textbook = forms.textbook_weights_rate(1000, p, 64, 200)
        loop = forms.numpy_rate(1000, p, 1_000)
        yield Row(section, f"sgdsim, p = {p}", rate(ours), ours / floor, "inputs alone")
        yield Row(section, f"vmap(scan), p = {p}", rate(textbook), ours / textbook, "sgdsim is faster by")
        yield Row(section, f"NumPy loop, p = {p}", rate(loop), ours / loop, "sgdsim is faster by")


def descent_rows() -> Iterator[Row]:
    """Signal recovery, with the data in memory and drawn anew at every step."""
    section = "Descent, alpha = 2.5, float32, 64 replicas"
    for N, steps in ((100, 80), (200, 20)):
        stored, drawn = (forms.descent_rate(N, stored, steps) for stored in (True, False))
        loop = forms.numpy_descent_rate(N, steps)
        yield Row(section, f"sgdsim, N = {N}", rate(stored), stored / loop, "the NumPy loop")
        yield Row(section, f"data drawn at every step, N = {N}", rate(drawn), drawn / stored, "data in memory")
        yield Row(section, f"NumPy loop, N = {N}", rate(loop))


def mean_field_rows() -> Iterator[Row]:
    """The mean-field theory of signal recovery: time of order T^3, memory of order T^2."""
    section, base = "Mean-field theory of signal recovery, T steps, seconds of one core", None
    for steps in (1000, 3000):
        job, memory = forms.mean_field_job(steps)
        products = dmft_loop.products(steps)
        ours, *alone = cpu_seconds_each([job] if products is None else [job, products], repeats=3)
        base = base or ours
        yield Row(section, f"T = {steps}, {memory / 2**20:.0f} MiB", f"{ours:.3g} s", ours / base, "T = 1000")
        for loop in alone:
            what = f"its products alone in C++, T = {steps}"
            yield Row(section, what, f"{loop:.3g} s", ours / loop, "sgdsim takes this many of it")


def particle_rows() -> Iterator[Row]:
    """Wide networks: SGD, and its SDE with noise of each particle's own, batched over replicas."""
    section = "Particles, F = tanh(w x), 8 inputs, N = 10^4, float32, 64 replicas"
    for name, dynamics, steps in (("SGD", Sgd(), 1000), ("SDE", Sde(), 100)):
        ours = forms.particle_rate(10**4, dynamics, 64, steps)
        loop = forms.numpy_particle_rate(10**4, dynamics, steps)
        yield Row(section, f"sgdsim, {name}", rate(ours), ours / loop, "the NumPy loop")
        yield Row(section, f"NumPy loop, {name}", rate(loop))


def network_rows() -> Iterator[Row]:
    """Classification of the small digits."""
    section, N = "Relu networks on digits, d = 64, batch 100, N = 1000, float32, 8 replicas", 1000
    ours, loop = forms.network_rate(N, 8, 400), forms.numpy_network_rate(N, 400)
    yield Row(section, "sgdsim", rate(ours), ours / loop, "the NumPy loop")
    yield Row(section, "NumPy loop", rate(loop))


def sweep_rows() -> Iterator[Row]:
    """Thousands of blocks: what they cost beside their simulation."""
    section = "Blocks of a sweep"
    engines = {"one process": sweeps.making}
    if importlib.util.find_spec("distributed"):
        engines["a Dask scheduler and one worker"] = sweeps.making_on_a_cluster
    for name, making in engines.items():
        beside, simulated = making(2000)
        what = f"2000 blocks of {1e3 * simulated:.1f} ms, {name}: scheduling and storing"
        yield Row(section, what, f"{1e3 * beside:.1f} ms a block")
    yield Row(section, "merging 5000 blocks", f"{sweeps.merging(5000):.1f} s")
    yield Row(section, "`sgdsim status` of 10^4 blocks", f"{sweeps.showing(10**4):.1f} s")


def core_rows() -> Iterator[Row]:
    """One core and all of them, in processes of their own."""
    section = "Cores (chain, p = k = 4, 4096 replicas)"
    code = "from benchmarks.forms import chain_rate; print(chain_rate(10**6, 4, 4096, 5000))"
    one, every = (float(_python(code, JAX_NUM_CPU_DEVICES=str(cores))) for cores in (1, usable_cores()))
    yield Row(section, "1 core", rate(one))
    yield Row(section, f"{usable_cores()} cores", rate(every), every / one, "1 core")


def rate(steps_per_second: float) -> str:
    """Steps per second."""
    return f"{steps_per_second:.3g} steps/s"


def _python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def main() -> None:
    """Measures, prints, writes."""
    began = time.perf_counter()
    rows: list[Row] = []
    for group in (
        chain_rows,
        yardsticks.chain_rows,
        dimension_rows,
        width_rows,
        replica_rows,
        batch_rows,
        weights_rows,
        yardsticks.weights_rows,
        descent_rows,
        mean_field_rows,
        particle_rows,
        network_rows,
        sweep_rows,
        core_rows,
        start_rows,
    ):
        for row in group():
            rows.append(row)
            print(json.dumps(row.cells), flush=True)
    show(rows)
    write(rows, "cpu", f"## On a CPU\n\n`{COMMAND}` on {machine()}; {time.perf_counter() - began:.0f} s in all.")


if __name__ == "__main__":
    main()
