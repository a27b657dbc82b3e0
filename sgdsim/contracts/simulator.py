"""How trajectories are made: a simulator, and the kernel that it is once it is bound to a problem."""

import abc
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Int, UInt32

from sgdsim.checks import check_fields
from sgdsim.contracts.problem import Initial, Observables, Problem
from sgdsim.cost import Once, StepCost


class Kernel(eqx.Module):
    """A simulator bound to a problem: pure functions of an explicit state, on tiles of `lanes` replicas.

    Fields that are not static are traced, so one compilation serves every problem of the same shapes.

    Laws, of s = init(initial, keys), of the observables Omega_l(initial, keys) of lane l after any number of steps, and
    of any permutation pi of the lanes. All but the fourth hold bit for bit: results of different batches, devices and
    interruptions are equal because of them.

        advance(s, 0) = s
        advance(advance(s, n1), n2) = advance(s, n1 + n2)                for n1 a multiple of `segment`
        Omega_l(initial, keys) = Omega_l(initial', keys')                where these differ in other lanes than l only
        Omega_l(initial o pi, keys o pi) = Omega_pi(l)(initial, keys)    to rounding, as matrix products have it
        Omega_l != Omega_m                                               for keys that differ, where there is noise
        observe(s) = observe(s)                                          no random number and no effect of its own

    Shapes are checked at the door, whenever a simulator is bound; the laws by `sgdsim.testing.check_system`.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    """Observables whose value at the last save time is kept for every replica, where they are observed."""
    joint: ClassVar[tuple[str, ...]] = ()
    """Observables of a replica and others of its tile, e.g. its distance from the next: these may depend on company."""
    added: ClassVar[tuple[str, ...]] = ()
    """Observables that are no variables of its system: whoever has asked for them knows them."""
    leads: ClassVar[bool] = False
    """Whether the tile's replicas share something, e.g. data, that is drawn under the key of lane 0: the laws of lanes
    hold for what is done to the others then."""

    small_products: ClassVar[bool] = False
    """Whether matrix products within a step are so small that threads are of no use to them on a CPU."""

    lanes: eqx.AbstractVar[int]
    """Replicas of a tile: a power of two, as they are added by halves. It does not depend on the machine."""
    segment: eqx.AbstractVar[int]
    """Steps after which a trajectory may be interrupted without a change of a bit, >= 1: see the laws."""

    @abc.abstractmethod
    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> Any:
        """The state of a tile at step 0, from a key per replica and initial values with a leading replica axis.

        That axis has length `lanes`, or 1 where all replicas start alike. Pure JAX.
        """

    @abc.abstractmethod
    def advance(self, state: Any, n_steps: Int[Array, ""]) -> Any:
        """The state after n_steps more steps of SGD."""

    @abc.abstractmethod
    def observe(self, state: Any) -> Observables:
        """The observables of every replica: variables of the system by name, float64, (*dims, lanes)."""


class Simulator(abc.ABC):
    """The choice of a simulator: a small frozen dataclass, e.g. Chain(precision="float32"), checked when it is made."""

    takes: ClassVar[type[Problem]] = Problem
    """The problems that it simulates."""
    name: ClassVar[str]
    paired: ClassVar[bool] = False
    """Whether all cells of a grid are given the same keys, so that what they share drops out of their differences."""

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, problem: Any) -> None:  # noqa: B027  (some simulators run any problem that they are of)
        """Raises ArgumentError where this simulator cannot run the problem, with what to do instead."""

    @abc.abstractmethod
    def bind(self, problem: Any, replicas: int, final: float) -> Kernel:
        """The kernel that runs this problem, with tiles of a size that suits so many replicas.

        `final` is the last save time, for a kernel that needs a curve up to it.
        """

    def outline(self, problem: Any, replicas: int, final: float) -> Kernel:
        """A kernel of the same lanes and observables as that of `bind`, made in no time; it is never advanced.

        For sizes and plans. A simulator whose kernel needs a curve that has to be solved first leaves it out here.
        """
        return self.bind(problem, replicas, final)

    def bytes_per_replica(self, problem: Any) -> int:
        """Device memory that one replica holds while it runs, in bytes; 0 for some copies of the kernel's state."""
        return 0

    @abc.abstractmethod
    def step_cost(self, problem: Any) -> StepCost:
        """What a step of one replica takes, counted by hand, for the time estimate of a plan."""

    def observe_cost(self, problem: Any) -> StepCost:
        """What it takes to observe one replica at a save time, where that is not hardly anything beside the steps."""
        return StepCost(0.0)

    def unrolled(self, problem: Any) -> float:
        """Operations of a step that are written out one by one, which take the compiler its time."""
        return 0.0

    def once(self, problem: Any, final: float) -> tuple[Once, ...]:
        """What is solved before the first step up to the time `final`, for all cells that share it."""
        return ()

    def portable_cost(self, problem: Any) -> StepCost:
        """The same where it must not depend on the machine, e.g. on its memory: cells are cut into blocks by it."""
        return self.step_cost(problem)
