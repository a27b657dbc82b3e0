"""What simulation and theory cost, counted by hand, and the seconds that counts take: the ground of every plan.

All seconds are those of the reference, one core of a Zen 4 with AVX-512 that nobody else uses; a plan multiplies them
by how much slower the machine at hand is. `python -m benchmarks.plan` shows what they are worth: planned against taken,
part by part, for ten experiments. Above each constant stands what measures it.
"""

from collections.abc import Hashable
from dataclasses import dataclass

# `make bench`, chain of p = 4 at 4096 replicas: 600 operations take 50 ns.
OPERATION = 8e-11
"""One elementwise operation of one replica, in a tile that fills a core's vectors."""
# `make bench`, full weights of p = 32 and networks on digits: products are most of a step.
PRODUCT = 2.2e-11
"""One multiplication or addition inside of a matrix product."""
# `make bench`, chain of p = 4 at 100 replicas: tiles of 32 and of 256 lanes take 4.4 and 15.7 us a step.
LOOP = 4e-8
"""One compiled loop of a tile's step, beside the work in it: what narrow tiles pay."""
# `python -m benchmarks.gpu --only card,speed` on an H100: 6.2 us for a step of a loop of known length; full weights and
# XLA's form of the chain. Of products predicted, not measured: a tenth of the speed that makers state.
LAUNCH, ACCELERATED_OPERATION, ACCELERATED_PRODUCT = 6.2e-6, 4.5e-13, 2.5e-14
"""On an accelerator: a kernel's launch, and one operation of each kind where there are replicas enough."""
# Predicted: an accelerator asks the host once in 16 steps at most, for 10 us.
WAIT = 6e-7
"""On an accelerator: what a step waits for the host."""
# `make bench`, mean-field theory of signal recovery, T = 1000 and 3000.
THEORY_OPERATION = 9e-11
"""One operation of a theory's loop, in float64, where a C++ compiler is found."""
# `python -m benchmarks.plan`: what its columns "start" and "report" say, and their slope in figures and cells.
START, PAGE, FIGURE, PER_CELL = 2.2, 1.2, 0.9, 0.02
"""Before the first cell; results and page of a run, one figure or fit of it in two formats, and one cell in them."""
# `make bench`, blocks of a sweep.
STORING = 2e-3
"""Storing one block."""
# `python -m benchmarks.plan --only committee/scaling_law meanfield/rates`: what remains of "compile" for one kernel.
KERNEL = 4.5
"""Compiling start, steps and statistics of one kernel, of which KEPT is left once its programs are kept on disk."""
# The same for chains of p = 2 and 8.
UNROLLED = 4e-3
"""Compiling one operation more of a step that is written out operation by operation."""
# `python -m benchmarks.plan --only recovery/linear_regression`: the second run against the first.
KEPT = 0.4
"""The part of all compilation that is tracing and reading back, and is paid again in every run."""


@dataclass(frozen=True)
class StepCost:
    """What one step of SGD of one replica takes.

    - `operations`: elementwise operations; a normal takes about 30 to draw, an activation about 10.
    - `products`: multiplications and additions inside of matrix products.
    - `loops`: compiled loops that a core runs through in a step of a tile, whatever its width.
    - `launches`: kernels that an accelerator launches in a step, one after another, whatever the number of replicas.
    """

    operations: float
    products: float = 0.0
    loops: float = 0.0
    launches: float = 0.0

    @property
    def arithmetic(self) -> float:
        """Seconds that a core takes for a step of one replica, in tiles so wide that nothing else counts."""
        return self.operations * OPERATION + self.products * PRODUCT

    def on_core(self, lanes: int) -> float:
        """Seconds that a core takes for a step of a tile of `lanes` replicas."""
        return self.loops * LOOP + lanes * self.arithmetic

    @property
    def latency(self) -> float:
        """Seconds that an accelerator takes for a step of few replicas."""
        return self.launches * LAUNCH + WAIT

    @property
    def accelerated(self) -> float:
        """Seconds that an accelerator takes for a step of one of very many replicas."""
        return self.operations * ACCELERATED_OPERATION + self.products * ACCELERATED_PRODUCT


@dataclass(frozen=True)
class Once:
    """Work that is done once for all cells that share it: programs that are compiled, a limit that is solved.

    - `key`: equal where it is shared.
    - `compile`, `solve`: seconds of either kind.
    """

    key: Hashable
    compile: float = 0.0
    solve: float = 0.0
