"""What a step draws: other numbers at every step, for every member of a batch, every particle and every atom."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.pin import no_pin
from sgdsim.meanfield.limits.drives import CommonSde, Drive, OwnScalarSde, OwnSde, OwnSgd, SharedSgd
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.models import output_model, radial_model
from tests.meanfield.by_hand import MODEL

WIDE = 2**20
"""Particles of a wide network: with them 32 bits last for 4096 steps."""
KINDS = [
    pytest.param(SharedSgd, MODEL, 1, id="shared data"),
    pytest.param(SharedSgd, MODEL, 3, id="shared batches"),
    pytest.param(SharedSgd, radial_model(4), 3, id="shared batches of a sampler"),
    pytest.param(OwnSgd, MODEL, 1, id="own data"),
    pytest.param(OwnSgd, MODEL, 3, id="own batches"),
    pytest.param(CommonSde, MODEL, 1, id="common noise"),
    pytest.param(OwnScalarSde, MODEL, 1, id="own noise of one weight"),
    pytest.param(OwnSde, output_model(), 1, id="own noise of several weights"),
]


@eqx.filter_jit
def draws(kind: type[Drive], model: Model, batch: int, steps: jax.Array, N: int, lanes: int) -> jax.Array:
    """All that is drawn, as numbers (steps, data or normals of a particle, particles or 1 for all of them, lanes)."""
    drive = kind(dt=0.1, noise=0.3, scale=1.0, batch=batch)
    key = jnp.arange(lanes, dtype=jnp.uint32) + np.uint32(3), jnp.full(lanes, 7, jnp.uint32)

    def at(step: jax.Array) -> jax.Array:
        drawn = drive.draw(model, key, step, N, np.dtype(np.float64), no_pin)
        match kind.__name__:
            case "SharedSgd":
                drawn = jnp.stack([sum((3.0**i * part for i, part in enumerate(x)), y) for x, y in drawn])
            case "OwnSgd":
                drawn = jnp.stack(drawn)
            case "CommonSde":
                drawn = drawn[:, None]
            case "OwnScalarSde":
                drawn = drawn[None]
            case _:
                pairs = len(model.data.points) // 2
                drawn = jnp.stack([normals for pair in range(pairs) for normals in drawn(pair)])
        return drawn.astype(jnp.float64)

    return jax.lax.map(at, steps)


@pytest.mark.parametrize(("kind", "model", "batch"), KINDS)
def test_no_step_draws_what_another_has_drawn(kind, model, batch):
    """Steps s and s + 2^j for j up to 40."""
    steps = np.concatenate([[first, *(first + 2 ** np.arange(41))] for first in (0, 3)])
    found = np.asarray(draws(kind, model, batch, jnp.asarray(steps), 8, 64))
    rows = np.unique(found.reshape(len(steps), -1), axis=0)
    assert len(rows) == len(np.unique(steps))


@pytest.mark.parametrize(("kind", "model", "batch"), KINDS)
def test_what_one_step_draws_is_independent(kind, model, batch):
    """Members of a batch or normals of several atoms, particles, and replicas have no correlation."""
    found = np.asarray(draws(kind, model, batch, jnp.arange(20), 8, 64))
    for axis in (1, 2, 3):
        for lag in range(1, found.shape[axis]):
            count = found.shape[axis] - lag
            left, right = (np.take(found, range(first, first + count), axis) for first in (0, lag))
            assert abs(correlation(left, right)) < 5.5 / left.size**0.5, (axis, lag)


@pytest.mark.parametrize("kind", [OwnSgd, OwnScalarSde])
def test_particles_of_wide_networks_do_not_draw_alike(kind):
    """N = 2^20: steps 3 and 4099 once drew the same for every particle."""
    found = np.asarray(draws(kind, MODEL, 1, jnp.array([3, 4099]), WIDE, 1))[:, 0, :, 0]
    assert abs(correlation(found[0], found[1])) < 5 / WIDE**0.5
    for power in range(20):
        assert abs(correlation(found[0, : WIDE - 2**power], found[0, 2**power :])) < 6 / (WIDE - 2**power) ** 0.5


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of all pairs, about means of their own."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
