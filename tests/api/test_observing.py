"""Observables of a caller's own have the statistics and the theory of built-in ones, and change nothing of those."""

import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.api.observing import own_observables
from sgdsim.committee import Committee, OverlapStart, Weights
from sgdsim.errors import ArgumentError
from tests.toy import SYSTEM, Origin, Walk

PROBLEM = Walk(d=20, p=2)
TIMES = np.array([0.5, 1.0])


def half_square(x):
    """The built-in risk, by another way."""
    return jnp.sum(x * x) / 2


def outer(x, risk):
    return jnp.outer(x, jnp.arange(1.0, 4.0)) * risk


def first(state):
    return state[0][0]


def both(state, risk):
    return state[0] * risk[None]


OWN = {"half_square": half_square, "outer": outer, "first": first, "both": both}


def simulate(**options):
    return sgdsim.simulate(PROBLEM, Origin(), TIMES, replicas=30, **options)


@pytest.fixture(scope="module")
def plain():
    return simulate()


@pytest.fixture(scope="module")
def data():
    return simulate(observables=OWN, keep=[29, 3], batch=8)


def test_a_built_in_observable_has_a_double(data):
    for ending in ("", "_sem", "_std", "_theory"):
        np.testing.assert_allclose(data[f"half_square{ending}"], data[f"risk{ending}"], rtol=1e-12)
    assert data["half_square"].dims == ("time",)
    assert data["half_square"].attrs["long_name"] == "half square"


def test_the_built_in_ones_are_as_they_were(plain, data):
    for name in plain.data_vars:
        np.testing.assert_array_equal(plain[name], data[name], name)


def test_a_matrix_of_two_observables(plain, data):
    assert data["outer"].dims == ("time", "outer_0", "outer_1")
    assert data["outer"].shape == (2, 2, 3)
    expected = np.einsum("ti,j,t->tij", plain["x_theory"], [1.0, 2.0, 3.0], plain["risk_theory"])
    np.testing.assert_allclose(data["outer_theory"], expected, rtol=1e-12)
    # Of the replicas at the last time, which the walk keeps: x_i j R, averaged.
    each = np.einsum("ri,j,r->rij", plain["x_final"], [1.0, 2.0, 3.0], plain["risk_final"])
    np.testing.assert_allclose(data["outer"][-1], each.mean(0), rtol=1e-12)
    np.testing.assert_allclose(data["outer_std"][-1], each.std(0, ddof=1), rtol=1e-10)


def test_a_function_of_the_state_has_no_theory(data):
    np.testing.assert_allclose(data["first"], data["x"][:, 0], rtol=1e-12)
    np.testing.assert_allclose(data["first_sem"], data["x_sem"][:, 0], rtol=1e-12)
    each = data["x_final"] * data["risk_final"]
    np.testing.assert_allclose(data["both"][-1], each.mean("replica"), rtol=1e-12)
    assert "first_theory" not in data
    assert "both_theory" not in data


@pytest.mark.slow
def test_every_replica_of_its_own_start_has_its_own_theory():
    problem = Committee(d=30, p=2, k=1, gamma=0.5, noise=0.1)
    start = OverlapStart(0.3, per_replica=True)
    own = {"double": lambda excess_risk: 2 * excess_risk, "norm": lambda Q: jnp.trace(Q)}
    found = sgdsim.simulate(problem, start, [0.2, 0.5], replicas=16, observables=own)
    for ending in ("", "_sem", "_theory"):
        np.testing.assert_allclose(found[f"double{ending}"], 2 * found[f"excess_risk{ending}"], rtol=1e-12)
    np.testing.assert_allclose(found["norm_theory"], np.trace(found["Q_theory"], axis1=1, axis2=2), rtol=1e-12)


def test_the_weights_can_be_seen():
    """Of the simulator of full weights the state holds them: their squares over d are the diagonal of Q."""
    problem = Committee(d=30, p=2, k=1, gamma=0.5, noise=0.1)

    def squares(state):
        return jnp.moveaxis((state.W.astype(jnp.float64) ** 2).sum(-1) / 30, 0, -1)

    found = sgdsim.simulate(
        problem, OverlapStart(0.3), [0.2], replicas=8, simulator=Weights(), observables={"squares": squares}
    )
    np.testing.assert_allclose(found["squares"], np.diagonal(found["Q"], axis1=1, axis2=2), rtol=1e-6)


class TestTrajectories:
    """keep: the order parameters of chosen replicas at all save times."""

    def test_they_are_the_replicas_of_the_means(self, plain):
        found = simulate(keep="trajectories", batch=8)
        assert found["x_trajectory"].dims == ("trajectory", "time", "component")
        np.testing.assert_allclose(found["x_trajectory"].mean("trajectory"), plain["x"], rtol=1e-12)
        np.testing.assert_allclose(found["x_trajectory"].std("trajectory", ddof=1), plain["x_std"], rtol=1e-10)
        np.testing.assert_array_equal(found["x_trajectory"][:, -1], plain["x_final"])
        for name in plain.data_vars:
            np.testing.assert_array_equal(plain[name], found[name], name)

    def test_chosen_ones_stand_by_their_numbers(self, plain, data):
        assert data["trajectory"].values.tolist() == [3, 29]
        np.testing.assert_array_equal(data["x_trajectory"][:, -1], plain["x_final"][[3, 29]])

    def test_one_that_diverged_is_kept_as_it_was(self):
        wild = sgdsim.simulate(Walk(d=20, p=2, noise=2e13), Origin(), TIMES, replicas=8, keep=range(8), compare=False)
        assert wild["n_diverged"] > 0
        assert np.isfinite(wild["x_trajectory"]).all()
        assert abs(wild["x_trajectory"]).max() > wild["divergence_bound"]

    def test_what_does_not_fit_into_memory_is_refused_before_it_is_simulated(self, monkeypatch):
        # 30 replicas, 2 times, 2 components: 960 bytes, of which half of the memory has to have room.
        monkeypatch.setattr("sgdsim.api.trajectories.usable_memory", lambda: 2 * 959)
        monkeypatch.setattr("sgdsim.ensemble.replicas.Ensemble.run", lambda self, progress: pytest.fail("it runs"))
        with pytest.raises(ArgumentError, match="`keep` must fit into 959 B of memory, but got '960 B for 30 replicas"):
            simulate(keep="trajectories")

    def test_more_replicas_than_have_room_are_refused_before_anything_is_made(self, monkeypatch):
        monkeypatch.setattr("sgdsim.api.trajectories.usable_memory", lambda: 2 * 16 * 29)
        with pytest.raises(ArgumentError, match=r"`replicas` must be at most 29, but got 30[.] Each leaves 16 bytes"):
            simulate()

    def test_what_takes_much_memory_is_told(self, monkeypatch):
        monkeypatch.setattr("sgdsim.api.trajectories.MUCH", 959)
        with pytest.warns(sgdsim.CautionWarning, match="The trajectories take 960 B for 30 replicas at 2 times"):
            simulate(keep="trajectories")

    @pytest.mark.parametrize(
        ("keep", "told"),
        [
            ([30], "`keep` must have numbers of replicas, below 30, but got 30"),
            ([-1], "`keep` must be an integer >= 0, but got -1"),
        ],
    )
    def test_others_than_there_are_cannot_be_kept(self, keep, told):
        with pytest.raises(ArgumentError, match=told):
            simulate(keep=keep)


@pytest.mark.parametrize(
    ("functions", "told"),
    [
        ({"risk": first}, "must have names of their own, which Python can have, but got 'risk'"),
        ({"x_sem": first}, "names of their own.* but got 'x_sem'"),
        ({"deviation": first}, "names of their own.* but got 'deviation'"),
        ({"a b": first}, "names of their own.* but got 'a b'"),
        (
            {"a": lambda y: y},
            r"must be a function of observables or of the state, by name, but got \['y'\].* x, risk, st",
        ),
        ({"a": lambda: 1}, r"must be a function of observables or of the state, by name, but got \[\]"),
    ],
)
def test_what_is_no_observable_is_told(functions, told):
    with pytest.raises(ArgumentError, match=told):
        own_observables(functions, SYSTEM)


def test_what_the_simulator_does_not_observe_is_told():
    with pytest.raises(ArgumentError, match=r"must take what is observed, but got \['specialisation'\]"):
        sgdsim.simulate(
            Committee(d=30, p=2, k=1, gamma=0.5),
            OverlapStart(0.3),
            [0.1],
            replicas=4,
            observables={"own": lambda specialisation: specialisation},
        )
