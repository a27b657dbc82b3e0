"""The batch and the division into blocks change no bit of a run of particles."""

import numpy as np
import pytest

from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.models import output_model
from sgdsim.meanfield.particles import Pair, Particles
from sgdsim.meanfield.problem import MeanField
from tests.meanfield.batches import check_batches
from tests.meanfield.by_hand import MODEL

OUTPUT = output_model()
FEW = Atoms(np.array([[-1.0], [0.5], [2.0]]), np.array([[0.0], [1.0], [-1.0]]), np.full((3, 1), 1 / 3))
"""Few atoms, so that it compiles soon."""
THREE = Model(name="three", feature=OUTPUT.feature, loss=OUTPUT.loss, data=FEW, law=OUTPUT.law)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dynamics", "model", "simulator", "beta"),
    [(Sgd(), MODEL, Pair(), 1.0), (Sde(), THREE, Particles(), 0.5)],
)
def test_batch_and_division_into_blocks_change_no_bit(dynamics, model, simulator, beta):
    problem = MeanField(model=model, N=4000, gamma=0.1, beta=beta, dynamics=dynamics, bins=8)

    check_batches(problem, simulator, 30)
