"""A check that tests of several simulators share."""

import numpy as np

from sgdsim.contracts import Simulator
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.meanfield import LawStart, MeanField


def check_batches(problem: MeanField, simulator: Simulator, replicas: int) -> None:
    """Asserts that neither the size of a batch nor the division into blocks changes a bit."""

    def ensemble(batch: int | None) -> Ensemble:
        return Ensemble(problem, LawStart(), simulator, None, np.array([0.2, 0.5]), replicas, 3, batch=batch)

    whole = ensemble(None)
    tiles = whole.run()
    assert whole.n_tiles > 1
    parts = type(tiles).concatenate([whole.run(range(1)), whole.run(range(1, whole.n_tiles))])
    for other in (ensemble(1).run(), parts):
        for name, value in tiles.to_arrays().items():
            np.testing.assert_array_equal(other.to_arrays()[name], value, err_msg=name)
