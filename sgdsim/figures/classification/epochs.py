"""Epochs in place of time: t counts how far the units have moved, epochs count how often images were seen."""

import numpy as np
from jaxtyping import Float

from sgdsim.store.stored import Stored


def epochs(run: Stored, cell: int) -> Float[np.ndarray, " times"]:
    """The save times of a cell in epochs of its full batches."""
    row = run.parameters[cell]
    return run.times(cell) / (row["dt"] * (row["train_images"] // row["batch"]))
