"""Recovery of a teacher: its observables, starts on the teacher's side, and the slopes that theory expects."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Committee, Erf, Hermite, SphereStart
from sgdsim.committee.observables import recovery
from sgdsim.committee.recovery import recovery_slope
from sgdsim.committee.update import Update


def test_overlap_and_recovered_by_hand():
    P, Q = jnp.diag(jnp.array([4.0, 1.0]))[..., None], jnp.diag(jnp.array([1.0, 9.0]))[..., None]
    M = jnp.array([[0.2, -0.3], [-3.0, 0.6]])[..., None]  # cosines 0.1, -0.3; -0.5, 0.2
    seen = recovery(P, M, Q)
    np.testing.assert_allclose(seen["overlap"], [0.5])
    np.testing.assert_array_equal(seen["recovered"], [1.0])
    seen = recovery(P, 0.99 * M, Q)
    np.testing.assert_array_equal(seen["recovered"], [0.0])


def test_units_begin_on_the_first_teachers_side():
    problem = Committee(d=50, k=2, p=3, gamma=1.0)
    draws = [
        SphereStart(per_replica=True, positive=positive).draw(problem, np.random.default_rng(1), 64)
        for positive in (False, True)
    ]
    free, positive = (draw.M for draw in draws)
    assert (free[:, :, 0] < 0).any()
    signs = np.where(free[:, :, 0] < 0, -1.0, 1.0)
    np.testing.assert_allclose(positive, free * signs[:, :, None])
    np.testing.assert_allclose(draws[1].Q, draws[0].Q * signs[:, :, None] * signs[:, None, :])


def cells(degree, delta, student=None, **update):
    return [
        Committee.from_scaling(
            d=d,
            k=1,
            delta=delta,
            activation=student or Hermite(degree),
            teacher_activation=Hermite(degree),
            update=Update(spherical=True, **update),
        )
        for d in (100, 1000)
    ]


@pytest.mark.parametrize(
    ("problems", "slope"),
    [
        (cells(1, 0.0), 1.0),
        (cells(2, 0.0), None),
        (cells(3, 0.5), 2.0),
        (cells(4, 1.0), 3.0),
        (cells(4, 0.5), None),
        (cells(3, 0.0, Erf()), None),
        (cells(3, 0.0, Erf(), reuse=2), 1.0),
    ],
)
def test_expected_slopes(problems, slope):
    assert recovery_slope("steps_to_overlap", "d", problems) == slope
    assert recovery_slope("steps_to_overlap", "dt", problems) is None
