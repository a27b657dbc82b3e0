"""The bounds behind the cautions: where SGD stops learning, and where its steps are large."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import sgdsim
from sgdsim.committee import (
    Chain,
    Committee,
    Custom,
    Erf,
    GradientFlow,
    LimitODE,
    Linear,
    OverlapStart,
    Quadratic,
    Relu,
)
from sgdsim.committee.stability import largest_ratio
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError

START = OverlapStart(0.5, 1)


def test_the_largest_ratio_of_each_activation():
    """2 E[sigma'^2]/E[sigma'^4]: E exp(-l^2) = 1/sqrt(3) and E exp(-2 l^2) = 1/sqrt(5); E l^2 = 1 and E l^4 = 3.

    Polynomials are exact; 64 nodes leave 1e-11 for erf, and 2e-5 for tanh, which has poles.
    """
    assert largest_ratio(Linear()) == pytest.approx(2, rel=1e-12)
    assert largest_ratio(Relu()) == pytest.approx(2, rel=1e-12)
    assert largest_ratio(Erf()) == pytest.approx(np.pi * (5 / 3) ** 0.5, rel=1e-10)
    assert largest_ratio(Quadratic()) == pytest.approx(1 / 6, rel=1e-12)


def test_the_largest_ratio_of_a_custom_activation():
    def mean(power):
        return quad(lambda x: np.cosh(x) ** (-2 * power) * np.exp(-x * x / 2) / (2 * np.pi) ** 0.5, -12, 12)[0]

    assert largest_ratio(Custom(jnp.tanh)) == pytest.approx(2 * mean(2) / mean(4), rel=5e-5)


@pytest.mark.parametrize(("factor", "grows"), [(0.85, False), (1.15, True)])
def test_a_linear_unit_by_hand_learns_up_to_the_stable_gamma(factor, grows):
    """w <- w + gamma/d mean_s (x_s . (w* - w)) x_s: in five steps |w* - w|^2 falls by a half, or trebles."""
    d, batch, rng = 20, 8, np.random.default_rng(0)
    bound = Committee(d=d, p=1, k=1, gamma=1.0, batch=batch, activation=Linear()).stable_gamma
    assert bound == pytest.approx(2 / (1 / d + 1 / batch), rel=1e-12)
    rest = rng.normal(size=(2000, d))
    first = np.mean(rest**2)
    for _ in range(5):
        x = rng.normal(size=(2000, batch, d))
        rest -= factor * bound / d * np.einsum("rs,rsd->rd", np.einsum("rsd,rd->rs", x, rest), x) / batch
    assert (np.mean(rest**2) > 2 * first) == grows
    assert (np.mean(rest**2) < 0.7 * first) != grows


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "grows"), [(0.85, False), (1.15, True)])
def test_linear_units_learn_up_to_the_stable_gamma(factor, grows):
    """The noise-free risk of one unit falls below the stable rule, and grows above it, for d and batch of one size."""
    bound = Committee(d=20, p=1, k=1, gamma=1.0, batch=8, activation=Linear()).stable_gamma
    assert bound == pytest.approx(2 / (1 / 20 + 1 / 8), rel=1e-12)
    problem = Committee(d=20, p=1, k=1, gamma=factor * bound, batch=8, activation=Linear())
    tiles = Ensemble(problem, START, Chain("float64"), None, np.array([0.5, 1.0]), 4096, 0).run()
    first, last = np.average(tiles.mean["excess_risk"], axis=0, weights=tiles.count)
    assert (last > first) == grows


def test_a_quadratic_ode_grows_without_bound_from_a_quarter_on():
    """The rule, 1/6, is on the safe side for p = 2; what grows is blamed on gamma, not on the times."""

    def solve(rate):
        problem = Committee(d=100, p=2, k=2, gamma=2 * rate, noise=0.01, activation=Quadratic())
        return sgdsim.solve(problem, START, [1.0, 16.0])["excess_risk"].values

    before, after = solve(0.16)
    assert after < before / 10
    with pytest.raises(
        ArgumentError, match=r"`gamma` must be smaller to reach t = 16 from t = 1, but got 0.6"
    ) as caught:
        solve(0.3)
    assert caught.value.argument == "gamma"


@pytest.mark.parametrize("gamma", [1e20, 1e120])
def test_a_monstrous_gamma_is_told_as_such(gamma):
    for theory in (None, LimitODE()):
        with pytest.raises(
            ArgumentError, match=r"`gamma` must be smaller to reach t = 1 from t = 0, but got"
        ) as caught:
            sgdsim.solve(Committee(d=100, p=2, k=2, gamma=gamma), START, [0.5, 1.0], theory=theory)
        assert "(noise) is too large for A" in str(caught.value)


def test_without_the_noise_term_the_times_are_at_fault():
    error = GradientFlow().unreached(Committee(d=100, p=2, k=2, gamma=1.0), 0.5, 1.0)
    assert error.argument == "times"


def test_cautions_of_a_learning_rate():
    def told(rate, d=1000, **options):
        return Committee(d=d, p=2, k=2, gamma=2 * rate, **options).cautions()

    assert told(1.0) == told(1.0, d=11) == []
    (stable,) = told(5.0)
    assert "gamma = 10 is above the stable rule, 8.1 at d = 1000, p = 2, batch = 1, erf" in stable
    assert told(5.0, batch=2) == []
    (noise,) = told(1.0, d=9)
    assert "A dt = 0.11 (drift), B dt = 0.11 (noise), and above 0.1" in noise
    (drift,) = told(2.2, d=20, batch=16, activation=Linear())
    assert "A dt = 0.11 (drift), B dt = 0.015 (noise)" in drift
    stable, large = told(5e5)
    assert stable.startswith("gamma = 1e+06 is above")
    assert "B dt = 2.5e+08" in large


def test_a_batch_whose_steps_are_too_large_for_its_terms_is_told():
    def told(gamma):
        return Committee(d=50, p=2, k=2, gamma=gamma, batch=128).cautions()

    assert not any("do together" in line for line in told(128.0))  # A dt = 1.28
    assert any("A dt = 1.32 is above 1.3" in line and "do together" in line for line in told(132.0))


def test_regions_that_do_not_learn_are_cautioned_of_large_steps_only():
    orange = Committee.from_scaling(d=10**6, k=2, p0=2, delta=-0.25)
    assert orange.gamma > orange.stable_gamma
    assert orange.cautions() == []
    (large,) = Committee.from_scaling(d=50, k=2, p0=2, delta=-0.25).cautions()
    assert large.startswith("Steps are large")
    assert Committee.from_scaling(d=50, k=2, p0=2, delta=-0.6).cautions() == []  # red: there is no ODE to leave
