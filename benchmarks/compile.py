"""The hot loops compiled for a device that is not there: `python -m benchmarks.compile gpu` (an H200) or `tpu` (a v5e).

Nothing is run. For a GPU the kernels and waits of a step are counted, see `benchmarks.hlo`; a simulator's loop may wait
for the host once in 16 steps. A TPU runs loops itself: there the question is whether every form compiles, and its size.

Needs jax[cuda13], or jax and libtpu, in an environment of its own; it ends with 2 where they are missing, and with 1
where a form does not compile or waits too often.
"""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.gpu_kernels import Case, cases
from benchmarks.hlo import Cost, Program
from benchmarks.table import replace

MOST_WAITS = 1 / 16
"""Waits a step that a simulator's loop may make."""


@dataclass(frozen=True)
class Gpu:
    """An H200, described for XLA, which chooses kernels by it."""

    name: str = "gpu"
    plugin: str = "jax_plugins.xla_cuda13"
    package: str = "jax[cuda13]"
    title: str = "Kernels per step on a GPU"
    words: str = (
        "An H200: compiled, not run. Counted is what the host launches and how often it waits for an answer, in the\n"
        "middle of a long save interval. What is left at its end is taken one by one, with a wait each: up to 15\n"
        "steps, 3 parts of a segment of the chain (16 steps each), or 3 blocks."
    )
    head: tuple[str, ...] = ("form", "kernels a step", "waits a step", "of the kernels, calls of libraries")

    def topology(self) -> Any:
        """The device."""
        os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"
        return topologies.get_topology_desc(
            platform="cuda", topology_name="h200", topology="1x1x1", target_config=_as_text(H200)
        )

    def row(self, case: Case, compiled: Any, seconds: float) -> tuple[tuple[str, ...], bool]:
        """The cells of a form, and whether it waits no more than it may."""
        step = cost_of_step(case, compiled.as_text())
        least = "" if step.bounded else "at least "
        cells = (case.name, f"{least}{step.kernels:.3g}", f"{least}{step.waits:.2g}", f"{step.calls:.3g}")
        return cells, step.waits <= MOST_WAITS or case.name.startswith("textbook")


@dataclass(frozen=True)
class Tpu:
    """A chip of a v5e."""

    name: str = "tpu"
    plugin: str = "libtpu"
    package: str = "libtpu"
    title: str = "Compiled for a TPU"
    words: str = "One chip of a v5e: compiled, not run. A TPU runs its loops itself: no host waits in them."
    head: tuple[str, ...] = ("form", "compiles", "seconds", "MiB besides arguments and results")

    def topology(self) -> Any:
        """The device."""
        os.environ |= {"TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-4"}
        # No chip is taken, so that several may compile at once.
        os.environ |= {"TPU_WORKER_HOSTNAMES": "localhost", "TPU_WORKER_ID": "0", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}
        return topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")

    def row(self, case: Case, compiled: Any, seconds: float) -> tuple[tuple[str, ...], bool]:
        """The cells of a form."""
        memory = compiled.memory_analysis().temp_size_in_bytes / 2**20
        return (case.name, "yes", f"{seconds:.0f}", f"{memory:.0f}"), True


H200 = {
    "gpu_device_info": {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "shared_memory_per_block": 49152,
        "shared_memory_per_core": 233472,
        "shared_memory_per_block_optin": 232448,
        "threads_per_core_limit": 2048,
        "core_count": 132,
        "fpus_per_core": 128,
        "block_dim_limit_x": 2**31 - 1,
        "block_dim_limit_y": 65535,
        "block_dim_limit_z": 65535,
        "memory_bandwidth": 4_800_000_000_000,
        "l2_cache_size": 62914560,
        "clock_rate_ghz": 1.98,
        "device_memory_size": 150754820096,
        "registers_per_core_limit": 65536,
        "registers_per_block_limit": 65536,
        "cuda_compute_capability": {"major": 9, "minor": 0},
    },
    "platform_name": '"CUDA"',
    "dnn_version_info": {"major": 9, "minor": 10, "patch": 0},
    "device_description_str": '"NVIDIA H200"',
}
"""What XLA wants to know of a GPU."""


def _as_text(message: dict[str, Any]) -> str:
    """A protocol buffer as text."""
    return " ".join(
        f"{name} {{ {_as_text(value)} }}" if isinstance(value, dict) else f"{name}: {value}"
        for name, value in message.items()
    )


def cost_of_step(case: Case, text: str) -> Cost:
    """One step in the middle of a long call: of the first of the outermost loops; another takes what remains."""
    return Program(text).loops[0].iteration * (1 / case.steps)


def rows(target: Gpu | Tpu, only: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The cells of every form whose name contains `only`, and whether all is well."""
    chip = np.array(target.topology().devices[:1])
    place = NamedSharding(Mesh(chip, ("x",)), PartitionSpec())
    for case in cases():
        if only not in case.name:
            continue
        began = time.perf_counter()
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), case.arguments)
        job = jax.jit(case.function, in_shardings=place, out_shardings=place)
        try:
            compiled = job.trace(*shapes).lower(lowering_platforms=(PLATFORMS[target.name],)).compile()
        except jax.errors.JaxRuntimeError as error:
            reason = " ".join(str(error).split())[:100]
            yield (case.name, f"does not compile: {reason}", *[""] * (len(target.head) - 2)), False
        else:
            yield target.row(case, compiled, time.perf_counter() - began)


PLATFORMS = {"gpu": "cuda", "tpu": "tpu"}


def table(target: Gpu | Tpu, only: str) -> tuple[str, bool]:
    """The table as Markdown, printed as it grows, and whether all is well."""
    lines = [f"| {' | '.join(target.head)} |", "|---" * len(target.head) + "|"]
    print("\n".join(lines))
    well = True
    # What the forms ask is the backend they will run on.
    with patch.object(jax, "default_backend", lambda: target.name):
        for cells, good in rows(target, only):
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1] if good else f"{lines[-1]} <- not as it should be", flush=True)
            well &= good
    return "\n".join(lines), well


def main() -> int:
    """Compiles, counts, prints, and writes on demand."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile", description=__doc__)
    parser.add_argument("device", choices=("gpu", "tpu"))
    parser.add_argument("--only", default="", help="forms whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args()
    target = Gpu() if options.device == "gpu" else Tpu()
    if not _found(target.plugin):
        print(f"{target.package} is not installed here: `pip install '{target.package}'`.", file=sys.stderr)
        return 2
    jax.config.update("jax_platforms", "cpu")
    counted, well = table(target, options.only)
    if options.write:
        command = f"`python -m benchmarks.compile {target.name} --write`, jax {jax.__version__}."
        replace(f"## {target.title}\n\n{command}\n{target.words}\n\n{counted}", f"compiled for {target.name}")
    return 0 if well else 1


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
