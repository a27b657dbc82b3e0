"""A batch: tiles that are simulated at once, spread over the local devices."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int, UInt32

from sgdsim.ensemble.contracts import Curve, Initial, Kernel, Observables
from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.propagate import Call, Pace, Progress, make_propagator, make_starter
from sgdsim.ensemble.statistics import make_summary
from sgdsim.ensemble.tiles import Tiles


@dataclass(frozen=True)
class Layout:
    """`tiles` tiles on `devices` devices, `each` on every device but perhaps the last.

    A device has room for two tiles at least: around an axis of length one the compiler would arrange, and round, the
    same sums otherwise. Room that is left over holds copies of tiles, which are dropped.
    """

    tiles: int
    devices: int

    @property
    def each(self) -> int:
        """Tiles that a device simulates."""
        return math.ceil(self.tiles / self.devices)

    @property
    def slots(self) -> list[int]:
        """The tile that stands in each place, device by device."""
        room = range(max(self.each, 2))
        places = (device * self.each + min(slot, self.each - 1) for device in range(self.devices) for slot in room)
        return [min(place, self.tiles - 1) for place in places]

    @property
    def rows(self) -> list[int]:
        """The place of each tile."""
        room = max(self.each, 2)
        rows = [device * room + slot for device in range(self.devices) for slot in range(self.each)]
        return rows[: self.tiles]


@dataclass(frozen=True)
class Batch:
    """The replicas of some tiles, from t = 0 to their statistics.

    - `initials`: one start with a leading axis of 1 for all; or, `own`, a leading axis of tiles, then one of lanes.
    - `keys`: of every replica, (tiles, 2, lanes).
    - `valid`: replicas of each tile that belong to the ensemble.
    - `increments`: steps before each save time; `times`: these in time.
    - `curve`, `theory_curve`: the theory of an own start, or the solution for a shared one; both None without a theory.
    - `bound`: of the order parameters, from which on a replica counts as diverged.
    """

    kernel: Kernel
    initials: Initial
    own: bool
    keys: UInt32[np.ndarray, "tiles 2 lanes"]
    valid: Int[np.ndarray, " tiles"]
    increments: Int[np.ndarray, " times"]
    times: Float[np.ndarray, " times"]
    curve: Curve | None
    theory_curve: Observables | None
    order_parameters: tuple[str, ...]
    bound: float

    def run(self, progress: Progress) -> Tiles:
        """The trajectories of these tiles, as statistics."""
        state, saved = self.start(self.layout.each)
        propagate = make_propagator(self.mesh)
        pace = Pace(self.increments, int(self.kernel.segment))
        while not pace.done:
            call = pace.next_call()
            state, saved = propagate(self.kernel, state, saved, self.layout.each, *call.arguments)
            jax.block_until_ready(saved)
            pace.record(call)
            progress(call.steps * int(self.valid.sum()))
        return self._on_host(self._summary(saved, self.layout.each))

    def compile(self) -> None:
        """Runs the compiled functions on no tile and for no step."""
        call = Call(np.zeros_like(self.increments), first=0, stop=0, extra=0)
        state, saved = self.start(0)
        _, saved = make_propagator(self.mesh)(self.kernel, state, saved, 0, *call.arguments)
        jax.block_until_ready(self._summary(saved, 0))

    @property
    def layout(self) -> Layout:
        """How the tiles are spread."""
        return Layout(tiles=len(self.valid), devices=min(jax.local_device_count(), len(self.valid)))

    @property
    def mesh(self) -> Mesh:
        """The devices in use."""
        return tile_mesh(self.layout.devices)[0]

    def _spread(self, tree: Any) -> Any:
        """Leading axes of tiles, laid out over the devices."""
        slots = np.array(self.layout.slots)
        return tile_mesh(self.layout.devices)[1](jax.tree.map(lambda part: np.asarray(part)[slots], tree))

    def start(self, each: int) -> tuple[Any, Observables]:
        """States at t = 0, and room for what is to be saved."""
        starter = make_starter(self.mesh, self.own, len(self.increments))
        initials = self._spread(self.initials) if self.own else self.initials
        return starter(self.kernel, each, initials, self._spread(self.keys))

    def _summary(self, saved: Observables, each: int) -> dict[str, Any]:
        """Averages over the replicas of each tile, and every replica's deviation from theory."""
        compare = self.own and self.curve is not None
        return make_summary(self.mesh, self.order_parameters, self.kernel.kept)(
            saved,
            self._spread(np.arange(self.kernel.lanes) < self.valid[:, None]),
            each,
            self.theory_curve,
            self.curve if compare else None,
            self._spread(self.initials) if compare else None,
            jnp.asarray(self.times),
            jnp.asarray(self.bound),
        )

    def _on_host(self, summary: dict[str, Any]) -> Tiles:
        """The summary without the copies and the lanes that hold no replica."""
        fields = jax.tree.map(lambda array: np.asarray(array)[self.layout.rows], summary)
        held = np.arange(self.kernel.lanes) < self.valid[:, None]
        each = ("kept", "sup_deviation", "final_deviation")
        return Tiles(**fields | {name: jax.tree.map(lambda array: array[held], fields[name]) for name in each})
