"""Cells as lanes: tiles of many cells at once have the bits of a run cell by cell, in every system."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest

from sgdsim.classification import Classification, Network, RandomStart
from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart, Relu, SphereStart, Weights
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.ensemble.batch import Bundle
from sgdsim.ensemble.propagate import make_propagator, make_starter
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.statistics import make_summary
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import LawStart, Linearised, MeanField, Pair, Particles, Sde, Sgd
from sgdsim.recovery import Descent, ExactStart, Recovery
from tests.meanfield.by_hand import MODEL
from tests.meanfield.test_reproducible import THREE
from tests.toy import DecayTheory, Origin, Walk, Walker


class BlockedChain(Chain):
    """The chain by matrix products, of four steps to a block."""

    def bind(self, problem, replicas, final):
        return chain_blocks(problem, np.dtype(self.precision), 16, 4)


def committees(**options):
    """Cells that differ in d, in the noise and in the step size, one with 15 times the steps of another."""
    cells = ((100, 0.1, 1.0), (1500, 0.0, 2.0), (130, 0.5, 0.5))
    values = [{"d": d, "noise": noise, "gamma": gamma, "p": 2, "k": 2} for d, noise, gamma in cells]
    return [Committee(**value | options) for value in values]


def particles(dynamics, model=MODEL, **options):
    return [MeanField(model=model, dynamics=dynamics, gamma=g, **{"N": 6, "beta": 1.0} | options) for g in (0.5, 0.25)]


def networks():
    return [Classification(N=12, gamma=gamma, beta=0.75, bins=8) for gamma in (1.0, 0.3)]


@dataclass(frozen=True)
class Case:
    problems: list[Any]
    start: Any
    simulator: Any
    theory: Any = None
    replicas: int = 23
    times: tuple[float, ...] = (0.05, 0.3, 0.5)
    stretch: int = 1

    def ensembles(self, **options):
        """One for each cell, which differ in their numbers of steps."""
        times = [np.array(self.times) * (1 + self.stretch * cell) for cell in range(len(self.problems))]
        parts = (self.start, self.simulator, self.theory)
        made = [
            Ensemble(problem, *parts, times[cell], self.replicas, 3, cell, **options)
            for cell, problem in enumerate(self.problems)
        ]
        assert len({ensemble.total_steps for ensemble in made}) == len(made)
        return made


START = OverlapStart(0.5, 1)
RECOVERY = [Recovery(alpha=2.0, eta=eta, b=b, N=12) for eta, b in ((0.1, 0.5), (0.05, 1.0))]
CASES = {
    "toy": Case([Walk(d=d, noise=noise) for d, noise in ((20, 1.0), (50, 0.5))], Origin(), Walker(), DecayTheory()),
    "chain": Case(committees(), START, Chain(), ExactODE()),
    "chain, own starts": Case(committees(), SphereStart(1, per_replica=True), Chain(), ExactODE(), times=(0.05, 0.2)),
    "blocked chain": Case(committees(batch=2), START, BlockedChain()),
    "weights": Case(committees(d=9), START, Weights(block=4)),
    "sgd": Case(particles(Sgd(batch=2)), LawStart(), Particles(), replicas=300),
    "sde": Case(particles(Sde(), model=THREE), LawStart(), Particles(), replicas=300),
    "pair": Case(particles(Sgd(), N=4, beta=0.5), LawStart(), Pair(), replicas=300, times=(0.25, 0.5, 1.0), stretch=0),
    "pair, random limit": Case(particles(Sgd()), LawStart(), Pair(), replicas=300),
    "linearised": Case(particles(Sgd(), a=0.75), LawStart(), Linearised(), replicas=300),
    "descent": Case(RECOVERY, ExactStart(), Descent(response=True), replicas=11),
    "network": Case(networks(), RandomStart(), Network(), replicas=6, times=(0.5, 3.0)),
}


def arrays(tiles):
    return tiles.to_arrays()


def assert_identical(left, right):
    left, right = arrays(left), arrays(right)
    assert set(left) == set(right)
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


EVERY_DAY = ("toy", "chain")
"""The others are `slow`: their programs take the compiler long."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=() if name in EVERY_DAY else pytest.mark.slow) for name, case in CASES.items()],
)
def test_cells_at_once_have_the_bits_of_cells_one_by_one(case):
    """All tiles of the last cell but its first, and all of the others; the last tile of a cell is not full."""
    ensembles = case.ensembles()
    assert len({ensemble.form for ensemble in ensembles}) == 1
    assert all(ensemble.n_tiles > 1 and ensemble.replicas % ensemble.lanes for ensemble in ensembles)
    parts = [(ensemble, range(ensemble is ensembles[-1], ensemble.n_tiles)) for ensemble in ensembles]
    told = []
    for (ensemble, tiles), found in zip(parts, Bundle(parts).run(told.append), strict=True):
        assert_identical(found, ensemble.run(tiles))
    assert sum(told) == sum(ensemble.replica_steps(tiles) for ensemble, tiles in parts)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_bundle_that_does_not_fit_is_cut_and_no_bit_changes(most):
    ensembles = CASES["toy"].ensembles()
    parts = [(ensemble, range(ensemble.n_tiles)) for ensemble in ensembles]
    bundle = Bundle(parts, most)
    assert bundle.tiles_at_once == most
    for ensemble, found in zip(ensembles, bundle.run(lambda work: None), strict=True):
        assert_identical(found, ensemble.run())


@pytest.mark.parametrize(
    "others",
    [
        [Committee(d=100, p=3, k=2, gamma=1.0)],
        [Committee(d=100, p=2, k=1, gamma=1.0)],
        [Committee(d=100, p=2, k=2, gamma=1.0, batch=2)],
        [Committee(d=100, p=2, k=2, gamma=1.0, activation=Relu())],
        [Committee(d=20, p=2, k=2, gamma=1.0)],  # so few degrees of freedom that their chi^2 are sums of squares
    ],
    ids=["p", "k", "batch", "activation", "few degrees"],
)
def test_cells_of_other_programs_have_other_forms_and_cannot_be_stacked(others):
    case = Case([Committee(d=100, p=2, k=2, gamma=1.0), *others], START, Chain(), ExactODE())
    ensembles = [Ensemble(p, START, Chain(), None, np.array([0.1]), 24, 3) for p in case.problems]
    assert ensembles[0].form != ensembles[1].form
    with pytest.raises(ArgumentError, match="`trees` must be of equal form"):
        Bundle([(ensemble, range(1)) for ensemble in ensembles]).run(lambda work: None)


@pytest.fixture
def all_at_once(monkeypatch):
    """Tiles as an accelerator takes them: all at once, and what differs between their numbers of steps is masked."""
    makers = (make_starter, make_propagator, make_summary)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for maker in makers:
        maker.cache_clear()
    yield
    for maker in makers:
        maker.cache_clear()


@pytest.mark.parametrize("case", ["toy", pytest.param("chain", marks=pytest.mark.slow)])
def test_all_tiles_at_once_are_masked_and_have_the_bits_of_cells_one_by_one(case, request):
    ensembles = CASES[case].ensembles()
    one_by_one = [ensemble.run() for ensemble in ensembles]
    request.getfixturevalue("all_at_once")
    parts = [(ensemble, range(ensemble.n_tiles)) for ensemble in ensembles]
    for ensemble, found, before in zip(ensembles, Bundle(parts).run(lambda work: None), one_by_one, strict=True):
        assert_identical(found, ensemble.run())
        for name, value in arrays(found).items():
            np.testing.assert_allclose(value, arrays(before)[name], rtol=1e-3, atol=1e-5, err_msg=name)
