"""The chain's fused kernels compiled for an H200 that is not there: `python -m benchmarks.compile_fused`.

Nothing is run. Counted are the registers of a thread, what does not fit into them and is spilled to memory, and the
instructions of a step in the machine code. They bound the speed: each of 132 processors issues 4 instructions a cycle,
each of them for 32 lanes.

Needs jax[cuda13] and nvidia-cuda-nvdisasm, in an environment of its own; it ends with 2 where they are missing, and
with 1 where a kernel spills, or, with what the compiler says, does not compile.
"""

import argparse
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.compile import Gpu
from benchmarks.table import replace
from sgdsim.committee import Committee, Custom, Linear, OverlapStart, Quadratic, Relu
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.ensemble.mosaic_form import MosaicForm
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.mosaic import WIDEST_OF_SMALL

HEAD = ("kernel", "registers", "bytes spilled", "instructions a step", "steps/s at most")
_LANES_A_SECOND = 132 * 4 * 32 * 1.98e9
"""Instructions that an H200 issues in a second, for a lane each."""
_TILES, _LANES = 64, 256


@dataclass(frozen=True)
class Case:
    """One kernel."""

    name: str
    problem: Committee


def cases() -> Iterator[Case]:
    """The kernels: narrow and wide ones, every activation, and few degrees of freedom."""
    for p, k in ((1, 1), (2, 2), (2, 4), (4, 4), (8, 4), (4, 8), (8, 8)):
        yield Case(f"p = {p}, k = {k}", Committee(d=10**6, p=p, k=k, gamma=1.0, noise=1e-3))
    for activation in (Relu(), Linear(), Quadratic(), Custom(jnp.tanh)):
        for p in (4, 8):
            problem = Committee(d=10**6, p=p, k=p, gamma=1.0, noise=1e-3, activation=activation)
            yield Case(f"p = {p}, k = {p}, {activation.name}", problem)
    few = Committee(d=30, p=WIDEST_OF_SMALL, k=WIDEST_OF_SMALL, gamma=1.0, noise=1e-3)
    yield Case(f"p = {few.p}, k = {few.k}, d = {few.d}", few)


@dataclass(frozen=True)
class Code:
    """What a kernel became."""

    registers: int
    spilled: int
    instructions: int

    @classmethod
    def read(cls, folder: Path) -> "Code":
        """From the files that Mosaic GPU leaves in a folder."""
        (said,), (listing,) = (list(folder.glob(f"*.{kind}")) for kind in ("ptxas", "sass_ctrl"))
        text = said.read_text(encoding="utf-8")
        registers, spilled = (
            max(map(int, re.findall(pattern, text)))
            for pattern in (r"Used (\d+) registers", r"(\d+) bytes spill (?:stores|loads)")
        )
        return cls(registers, spilled, instructions_of_step(listing.read_text(encoding="utf-8")))

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table, but for its name."""
        return (
            str(self.registers),
            str(self.spilled),
            str(self.instructions),
            f"{_LANES_A_SECOND / self.instructions:.2g}",
        )


def instructions_of_step(listing: str) -> int:
    """Instructions of the longest loop that holds no other, in a listing of machine code."""
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    count = 0
    for line in listing.splitlines():
        if label := re.match(r"\.(L_x_\d+):", line):
            labels[label[1]] = count
        elif re.search(r"/\*[0-9a-f]{4,}\*/ ", line):
            count += 1
            back = re.search(r"BRA `\(\.(L_x_\d+)\)", line)
            if back and back[1] in labels:
                loops.append((labels[back[1]], count))
    innermost = [loop for loop in loops if not any(_inside(other, loop) for other in loops)]
    return max(end - begin for begin, end in innermost)


def _inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def compile_case(case: Case) -> Code:
    """The kernel of many tiles, as a GPU takes them, for an H200."""
    place = NamedSharding(Mesh(np.array(Gpu().topology().devices[:1]), ("x",)), PartitionSpec())
    kernel = chain_lanes(case.problem, np.float32, _LANES, MosaicForm())
    job = jax.vmap(lambda state, n_steps, kernel: kernel.advance(state, n_steps), (0, None, None))
    shapes = _state(kernel, case.problem), jax.ShapeDtypeStruct((), jnp.int64), jax.tree.map(np.asarray, kernel)
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, MOSAIC_GPU_DUMP_TO=folder):
        lowered = jax.jit(job, in_shardings=place, out_shardings=place).trace(*shapes)
        lowered.lower(lowering_platforms=("cuda",)).compile()
        return Code.read(Path(folder))


def _state(kernel: RuleLanes, problem: Committee) -> object:
    keys = jax.ShapeDtypeStruct((2, _LANES), jnp.uint32)
    state = jax.eval_shape(kernel.init, OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 1), keys)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((_TILES, *leaf.shape), leaf.dtype), state)


def table(only: str) -> tuple[str, bool]:
    """The table as Markdown, printed as it grows, and whether every kernel fits."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    print("\n".join(lines))
    fits = True
    # What the kernel asks is the backend that it will run on.
    with patch.object(jax, "default_backend", lambda: "gpu"):
        for case in (case for case in cases() if only in case.name):
            code = compile_case(case)
            lines.append(f"| {case.name} | {' | '.join(code.cells)} |")
            print(lines[-1], flush=True)
            fits &= code.spilled == 0
    return "\n".join(lines), fits


def write(counted: str) -> None:
    """Puts the table into RESULTS.md."""
    command = f"`python -m benchmarks.compile_fused --write` (jax {jax.__version__})"
    what = f"{command}, for an H200: compiled, not run.\nThe last column is what issuing the instructions alone allows."
    replace(f"## Fused kernels\n\n{what}\n\n{counted}", "fused kernels")


def missing() -> str | None:
    """What has to be installed."""
    if importlib.util.find_spec("jax_plugins") is None or importlib.util.find_spec("jax_plugins.xla_cuda13") is None:
        return "jax[cuda13]"
    import jax.experimental.pallas.mosaic_gpu  # noqa: F401 - it tells where it looks for the tools of CUDA

    found = (Path(os.environ["MOSAIC_GPU_CUDA_ROOT"]) / "bin" / "nvdisasm").exists()
    return None if found else "nvidia-cuda-nvdisasm"


def main() -> int:
    """Compiles, counts, prints, and writes on demand."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile_fused", description=__doc__)
    parser.add_argument("--only", default="", help="kernels whose name contains this")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_compilation_cache", False)  # what is for another device cannot be read back
    if package := missing():
        print(f"{package} is not installed here: `pip install '{package}'`.", file=sys.stderr)
        return 2
    counted, fits = table(options.only)
    if options.write:
        write(counted)
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
