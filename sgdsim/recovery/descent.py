"""GD and SGD at finite N: the choice of how many replicas share their data, and of what is kept in memory."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import jax.numpy as jnp

from sgdsim.contracts import Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.devices import device_memory
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, Precision
from sgdsim.recovery.descent_kernel import DescentKernel, block_rows
from sgdsim.recovery.features import Features
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.restarts_kernel import RestartsKernel

LANES = 32
"""Replicas that share J, at most."""
_STORED_ON_CPU = 2**28
"""Bytes of J that are kept on a CPU at most: beyond, copying them from call to call costs what drawing them does."""

# Runs of linear regression, N = 200 and 800, alpha = 2, 100 steps: 7 to 8e-11 s in place of `PRODUCT`.
_ALONE = 3.5
"""How many times as long a product takes in a tile of one replica: each number of J is read for one vector alone."""


@dataclass(frozen=True)
class Descent(Simulator):
    """GD and SGD of N numbers per replica, on data that the replicas of a tile share.

    Signals and starts are independent, so replicas are nearly so, and the error bars that assume it are honest: the
    variance between the means of tiles of L replicas exceeds that of independent ones by 1 + (L - 1) c/N, with c below
    0.7 for m, C, C_start, distance and loss of degree 2 (measured at N = 24, 50 and 100, alpha = 1.5 and 2.5, b = 1 and
    0.2, t up to 4). N/3 replicas, and 32 at most, leave error bars that are too small by less than 10 %. For degree 1
    c is 1 to 4 and grows with time, as the spectrum of J decides what is left of the distance: there every replica has
    data of its own, which cost little.

    Drawing J anew takes 1.3 to 2 times as long as reading it (32 replicas, two CPU cores).
    """

    precision: Precision = "float32"
    response: Annotated[
        bool,
        Parameter(
            "",
            "whether R(t, 0), and R and chi(t, t_w) of waiting times, are measured too, by pushes of paired runs: "
            "each is as much work as the run itself",
        ),
    ] = False
    recovered_below: Annotated[
        float | None,
        Parameter(
            "",
            "a distance from the signal: `recovered` is then 1 in runs that are nearer, its mean the rate of success",
            above=0,
            limit=1e3,
        ),
    ] = None
    restarts: Annotated[
        int | None,
        Parameter(
            "",
            "so many descents of each replica's data and signal, a power of two: means of them are observed, and "
            "`perfect`, `ground` and `zero_modes`",
            least=2,
            most=1024,
        ),
    ] = None
    stored: Annotated[
        bool | None,
        Parameter(
            "",
            "whether J is kept; None keeps it where five copies of it fit in half of the memory of a device, on a CPU "
            "up to 256 MB",
            in_files=False,
        ),
    ] = None
    lanes: Annotated[
        int | None,
        Parameter(
            "",
            "replicas that share J, a power of two; None for 32 or N/3 at most, of degree 1 for 1",
            least=1,
            in_files=False,
        ),
    ] = None

    takes: ClassVar[type[Problem]] = Recovery
    name: ClassVar[str] = "descent"
    paired: ClassVar[bool] = True

    def check(self, problem: Recovery) -> None:
        """Raises ArgumentError for lanes or restarts that do not suit, and where N leaves no room for the probe."""
        for name in ("lanes", "restarts"):
            if (number := getattr(self, name) or 1) & (number - 1):
                raise ArgumentError(name, "be a power of two", number)
        if self.restarts is not None:
            if self.lanes is not None:
                raise ArgumentError("lanes", "be left out where there are restarts", self.lanes)
            if self.recovered_below is None:
                remedy = "`ground` and `perfect` are of descents that end elsewhere: 0.1 will do."
                raise ArgumentError("recovered_below", "be given where there are restarts", None, remedy)
            if self.response:
                raise ArgumentError("response", "be false where there are restarts", self.response)
        if self.response and problem.N < 3:
            remedy = "A push orthogonal to the signal and to the start needs a third direction."
            raise ArgumentError("N", "be >= 3 to measure the response", problem.N, remedy)

    def bind(self, problem: Recovery, replicas: int, final: float) -> DescentKernel | RestartsKernel:
        """The kernel of a problem, with tiles that are no larger than so many replicas need."""
        lanes = self.restarts or min(self.most_lanes(problem), 1 << (replicas - 1).bit_length())
        kept = self.keeps(problem)
        kernel = DescentKernel.of(problem, self.precision, lanes, kept, self.response, level=self.recovered_below)
        return kernel if self.restarts is None else RestartsKernel(descent=kernel)

    def most_lanes(self, problem: Recovery) -> int:
        """Replicas of a tile, where there are enough of them."""
        if self.restarts is not None:
            return 1
        if self.lanes is not None:
            return self.lanes
        # Replicas that share J are not independent: the docstring has the measured excess of their variance.
        most = min(LANES, problem.N // 3) if problem.degree == 2 else 1
        return 1 << max(0, most.bit_length() - 1)

    def data_bytes(self, problem: Recovery) -> int:
        """Bytes of the data J of one replica."""
        features = Features(problem.N, problem.degree)
        return problem.data * features.count * jnp.dtype(self.precision).itemsize

    def keeps(self, problem: Recovery) -> bool:
        """Whether J is kept in memory."""
        if self.stored is not None:
            return self.stored
        room = device_memory() // 10
        return self.data_bytes(problem) <= (min(room, _STORED_ON_CPU) if on_cpu() else room)

    def bytes_per_replica(self, problem: Recovery) -> int:
        """A replica's part of a full tile's J, or of the block in hand; its vectors, and arrays over the features."""
        itemsize, features = jnp.dtype(self.precision).itemsize, Features(problem.N, problem.degree)
        # J belongs to a tile: each of its lanes counts its part of it.
        rows = problem.data if self.keeps(problem) else min(problem.data, block_rows(features))
        vectors = (4 + len(problem.waiting) + self.response + self._pushes(problem)) * problem.N
        arrays = (6 + 4 * self._pushes(problem)) * features.count
        # An integer for every datum, before and after a step.
        remembered = 0 if problem.selection == "fresh" else 8 * problem.data
        each = (vectors + arrays) * itemsize + remembered
        return rows * features.count // self.most_lanes(problem) * itemsize + each * (self.restarts or 1)

    def step_cost(self, problem: Recovery) -> StepCost:
        """Two matrix products with J, and with every push; its numbers drawn anew where it is not kept."""
        # 30 operations make a number of J, once for all lanes of a tile.
        drawing = 0.0 if self.keeps(problem) else 30.0 / self.most_lanes(problem)
        counted = self.portable_cost(problem)
        products = counted.products * self._unshared(problem)
        return replace(counted, operations=self._numbers(problem) * drawing, products=products)

    def portable_cost(self, problem: Recovery) -> StepCost:
        """The products alone: whether data are drawn anew is up to the machine's memory."""
        products = self._numbers(problem) * 4.0 * (1 + self._pushes(problem)) * (self.restarts or 1)
        return StepCost(operations=0.0, products=products, loops=60.0, launches=14.0)

    def observe_cost(self, problem: Recovery) -> StepCost:
        """The loss over all data; of restarts a Hessian too: gradients, M N^2 products, and eigenvalues, 10 N^3."""
        N, descents = float(problem.N), self.restarts or 1
        hessians = 0.0 if self.restarts is None else 2 * problem.data * N**2 + 10 * N**3
        losses = 2 * self._numbers(problem) * self._unshared(problem)
        return StepCost(operations=0.0, products=descents * (losses + hessians))

    def _pushes(self, problem: Recovery) -> int:
        """Pushes whose responses are measured: at the first step, and two for each waiting time."""
        return 1 + 2 * len(problem.waiting) if self.response else 0

    def _unshared(self, problem: Recovery) -> float:
        """What a product costs in units of one that the lanes of a tile share."""
        return _ALONE if self.most_lanes(problem) == 1 and self.restarts is None else 1.0

    def _numbers(self, problem: Recovery) -> float:
        """How many numbers the data J of one replica have."""
        return float(problem.data * Features(problem.N, problem.degree).count)
