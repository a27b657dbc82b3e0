"""Speed of each form, in steps of one trajectory per second, over all replicas and cores."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.textbook import (
    numpy_descent,
    numpy_loop,
    numpy_network,
    numpy_particles,
    vmapped_chain,
    vmapped_weights,
)
from benchmarks.timing import seconds
from sgdsim.classification import Classification, Network, RandomStart
from sgdsim.committee import Chain, Committee, OverlapStart, Weights
from sgdsim.contracts import Simulator
from sgdsim.ensemble.devices import tile_mesh
from sgdsim.ensemble.lane_loop import LaneArrays, LaneLoop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import block_normal_pairs, lane_normals, replica_keys
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.spread import over_tiles
from sgdsim.ensemble.theory import solve_theory
from sgdsim.meanfield.dynamics import Dynamics
from sgdsim.meanfield.models import tanh_model
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from sgdsim.native.form import NativeForm
from sgdsim.native.normals import native_normals
from sgdsim.recovery import Descent, Dmft, ExactStart, Recovery


def committee(d: int, p: int, k: int = 4) -> Committee:
    """The problem of all benchmarks: the blue line, gamma/p = 1."""
    return Committee(d=d, p=p, k=k, gamma=float(p), noise=1e-3)


def ensemble_rate(problem: Committee, simulator: Simulator, replicas: int, steps: int) -> float:
    """Steps/s of a whole ensemble run, as a user starts it, with one save time and without theory."""
    ensemble = Ensemble(problem, OverlapStart(0.5, 1), simulator, None, np.array([steps * problem.dt]), replicas, 0)
    return replicas * steps / seconds(ensemble.run)


def chain_rate(d: int, p: int, replicas: int, steps: int) -> float:
    """The chain."""
    return ensemble_rate(committee(d, p), Chain(), replicas, steps)


def batch_rate(p: int, batch: int, steps: int, simulator: Chain) -> float:
    """The chain of batches, 256 replicas."""
    return ensemble_rate(replace(committee(10**6, p), batch=batch), simulator, 256, steps)


def weights_rate(d: int, p: int, replicas: int, steps: int) -> float:
    """Full weights."""
    return ensemble_rate(committee(d, p), Weights(), replicas, steps)


def descent_rate(N: int, stored: bool, steps: int) -> float:
    """The descent on a quadratic signal, 64 replicas that share their data in tiles."""
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, N=N)
    times = np.array([steps * problem.dt])
    ensemble = Ensemble(problem, ExactStart(), Descent(stored=stored), None, times, 64, 0)
    return 64 * steps / seconds(ensemble.run)


def mean_field_job(steps: int) -> tuple[Callable[[], object], int]:
    """The mean-field theory of a run of so many steps that does not recover, and its bytes."""
    problem, theory = Recovery(alpha=1.5, eta=0.1, m0=0.01), Dmft()
    times = np.array([steps * problem.dt])
    return lambda: solve_theory(problem, ExactStart(), times, theory), theory.memory(problem, times)


def mean_field(steps: int) -> tuple[float, int]:
    """Seconds and bytes of it."""
    job, memory = mean_field_job(steps)
    return seconds(job), memory


def numpy_descent_rate(N: int, steps: int) -> float:
    """One trajectory of it in NumPy."""
    return steps / seconds(numpy_descent(Recovery(alpha=2.5, eta=0.1, b=0.5, N=N), steps))


def particles(N: int, dynamics: Dynamics) -> MeanField:
    """N particles of the model F = tanh(w x), at beta = 3/4."""
    return MeanField(model=tanh_model(), N=N, gamma=0.1, beta=0.75, dynamics=dynamics)


def particle_rate(N: int, dynamics: Dynamics, replicas: int, steps: int) -> float:
    """Particles of a wide network."""
    problem = particles(N, dynamics)
    times = np.array([steps * problem.dt])
    ensemble = Ensemble(problem, LawStart(), Particles(), None, times, replicas, 0)
    return replicas * steps / seconds(ensemble.run)


def numpy_particle_rate(N: int, dynamics: Dynamics, steps: int) -> float:
    """One trajectory of them in NumPy."""
    return steps / seconds(numpy_particles(particles(N, dynamics), steps))


def network_rate(N: int, replicas: int, steps: int) -> float:
    """Relu networks on the small digits."""
    problem = Classification(N=N, gamma=0.5, beta=0.75)
    times = np.array([steps * problem.dt])
    ensemble = Ensemble(problem, RandomStart(), Network(), None, times, replicas, 0)
    return replicas * steps / seconds(ensemble.run)


def numpy_network_rate(N: int, steps: int) -> float:
    """One of them in NumPy."""
    return steps / seconds(numpy_network(Classification(N=N, gamma=0.5, beta=0.75), steps))


def numpy_rate(d: int, p: int, steps: int) -> float:
    """One trajectory in a NumPy loop."""
    return steps / seconds(lambda: numpy_loop(committee(d, p), steps))


def textbook_chain_rate(d: int, p: int, replicas: int, steps: int) -> float:
    """vmap(scan) of the chain, one Cholesky factorisation per step."""
    return replicas * steps / seconds(vmapped_chain(committee(d, p), replicas, steps))


def textbook_weights_rate(d: int, p: int, replicas: int, steps: int) -> float:
    """vmap(scan) of full weights."""
    return replicas * steps / seconds(vmapped_weights(committee(d, p), replicas, steps))


def chain_floor(p: int, k: int, lanes: int, steps: int) -> float:
    """Random numbers alone of the unrolled chain: p + k + 2 normals a step, summed so that none is left out."""

    def step(whole, fixed, constants, change, key, index, pin):  # noqa: ANN001, ANN202
        return [change[0] + sum(lane_normals(key, index, p + k + 2, jnp.float32, pin))]

    def tile(keys: jax.Array) -> jax.Array:
        nothing = jnp.zeros((0, lanes), jnp.float32)
        arrays = LaneArrays(jnp.zeros((1, lanes)), nothing, nothing[:, 0], keys, jnp.asarray(0))
        loop = LaneLoop(1, 0, 0, jnp.dtype("float32"), step)
        return NativeForm()(loop, arrays, jnp.asarray(steps), steps)[0]

    return _on_every_device(tile, lanes) * lanes * steps


def batch_floor(p: int, k: int, batch: int, steps: int) -> float:
    """Random numbers alone of whole batches: those of the fields and of Bartlett's factor."""
    count = batch * (p + k) + p * (p + 1) // 2

    def tile(keys: jax.Array) -> jax.Array:
        def step(index: jax.Array, total: jax.Array) -> jax.Array:
            return total + native_normals((keys[0] + index.astype(jnp.uint32), keys[1]), count, jnp.float32)

        return jax.lax.fori_loop(0, steps, step, jnp.zeros((16, count), jnp.float32))

    return _on_every_device(tile, 16) * 16 * steps


def weights_floor(d: int, lanes: int, blocks: int) -> float:
    """Inputs alone of full weights, drawn 16 at a time."""

    def tile(keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        def block(index: jax.Array, total: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            key = (keys[0] + index.astype(jnp.uint32), keys[1])
            left, right = block_normal_pairs(key, 16, d // 2, jnp.float32, Pin.of(index, jnp.float32))
            return total[0] + left, total[1] + right

        zero = jnp.zeros((lanes, 16, d // 2), jnp.float32)
        return jax.lax.fori_loop(0, blocks, block, (zero, zero))

    return _on_every_device(tile, lanes) * lanes * blocks * 16


def _on_every_device(tile, lanes: int) -> float:  # noqa: ANN001
    """Runs per second of a tile, one tile on every device, times the number of devices."""
    devices = jax.local_device_count()
    mesh, place, _ = tile_mesh(devices)
    keys = place(np.stack([np.asarray(replica_keys(0, 0, lanes * i, lanes)) for i in range(devices)]))
    axis = jax.sharding.PartitionSpec(*mesh.axis_names)
    spread = jax.shard_map(
        lambda count, keys: over_tiles(tile, count, keys),
        mesh=mesh,
        in_specs=(jax.sharding.PartitionSpec(), axis),
        out_specs=axis,
        check_vma=False,
    )
    job = jax.jit(spread)
    return devices / seconds(lambda: jax.block_until_ready(job(1, keys)))
