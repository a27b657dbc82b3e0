"""A committee whose inputs have a spectrum: chain, full weights and ODE, what is refused, and convergence in blocks."""

import numpy as np
import pytest

from sgdsim.committee import Blocks, Chain, Committee, ExactODE, ExplicitStart, LimitODE, PowerSpectrum, Weights
from sgdsim.committee.averages.activations import Linear
from sgdsim.committee.update import Update
from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from tests.helpers import run, worst, z_from_theory

START = ExplicitStart(np.eye(2), [[0.4, 0.1], [-0.2, 0.5]], [[0.9, 0.2], [0.2, 1.1]])


def committee(d, inputs, **keys):
    return Committee(d=d, p=2, k=2, gamma=2.0, noise=0.1, inputs=inputs, **keys)


@pytest.mark.slow
def test_the_chain_follows_its_ode():
    """Every order parameter is the covariance of fields, sum_l s_l of the blocks' overlaps."""
    problem = committee(4000, Blocks((1000, 3000), (2.5, 0.5)))
    times = np.array([0.05, 0.1])
    tiles = run(problem, START, Chain(), times, 64, theory=ExactODE())
    assert worst({name: z_from_theory(tiles, name) for name in ("M", "Q", "excess_risk")}) < 4.5
    tiles.theory["Q"][0, :] = solve_theory(committee(4000, None), START, times, ExactODE())["Q"]
    assert worst({"Q": z_from_theory(tiles, "Q")}) > 10


def test_a_linear_network_is_solved_by_its_eigenvalues():
    """p = k = 1, no noise of SGD: the overlap of direction j learns as m_j = 1 - (1 - m0) exp(-s_j gamma t)."""
    d, gamma = 10**8, 1e-6
    blocks = Blocks((d // 4, 3 * d // 4), (2.2, 0.6))
    problem = Committee(d=d, p=1, k=1, gamma=gamma, activation=Linear(), inputs=blocks)
    start, times = ExplicitStart([[1.0]], [[0.3]], [[1.0]]), np.array([0.5, 2.0]) / gamma
    M = solve_theory(problem, start, times, ExactODE())["M"][:, 0, 0]
    s, share = np.array([2.2, 0.6]), np.array([0.25, 0.75])
    exact = [(s * share * (1 - 0.7 * np.exp(-s * t))).sum() for t in (0.5, 2.0)]
    np.testing.assert_allclose(M, exact, rtol=1e-5)


@pytest.mark.slow
def test_results_converge_in_the_number_of_blocks():
    """Of a spectrum j^-0.3: every doubling of L brings the risk nearer to its limit."""
    times = np.array([2.0, 10.0])
    risks = [
        solve_theory(committee(10**6, PowerSpectrum(0.3, L)), START, times, ExactODE())["excess_risk"]
        for L in (1, 2, 4, 8)
    ]
    apart = [np.abs(risk - risks[-1]).max() / risks[-1].max() for risk in risks[:-1]]
    assert apart[0] > 1.5 * apart[1] > 2 * apart[2]
    assert apart[2] < 0.02


@pytest.mark.parametrize(
    ("argument", "problem", "part"),
    [
        ("d", lambda: committee(30, Blocks((20, 11), (1.0, 2.0))), Chain()),
        ("blocks", lambda: committee(30, PowerSpectrum(0.5, 31)), Chain()),
        ("blocks", lambda: committee(30, PowerSpectrum(0.5, 10)), Chain()),
        ("reuse", lambda: committee(30, PowerSpectrum(0.5, 2), update=Update(reuse=2)), Chain()),
        ("theory", lambda: committee(30, PowerSpectrum(0.5, 2), update=Update(reuse=2)), ExactODE()),
        ("theory", lambda: committee(30, PowerSpectrum(0.5, 2)), LimitODE()),
        ("kernel", lambda: committee(30, PowerSpectrum(0.5, 2)), Chain(kernel="fused")),
        ("kernel", lambda: committee(30, PowerSpectrum(0.5, 2)), Weights(kernel="fused")),
        ("spectrum", lambda: committee(30, PowerSpectrum(-0.5, 2)), Chain()),
    ],
)
def test_what_is_refused(argument, problem, part):
    def checked():
        part.check(problem())

    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must"):
        checked()


def test_blocks_cost_what_they_draw():
    """A step of eight blocks draws, and multiplies, eight times as much, beside what is done once for all."""
    one, eight = (Chain().step_cost(committee(1000, PowerSpectrum(0.5, L))) for L in (1, 8))
    assert 4 < eight.arithmetic / one.arithmetic < 8
    assert eight.products == 8 * one.products
    few, many = (Chain().bytes_per_replica(committee(1000, PowerSpectrum(0.5, L))) for L in (1, 8))
    assert many == 8 * few
