"""What is observed of a network."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.contracts import Variable

VARIABLES = {
    "test_loss": Variable("test loss", r"L_{\mathrm{test}}"),
    "train_loss": Variable("training loss", r"L_{\mathrm{train}}"),
    "train_accuracy": Variable("training accuracy", r"A_{\mathrm{train}}"),
    "test_accuracy": Variable("test accuracy", r"A_{\mathrm{test}}"),
    "fit_accuracy": Variable("accuracy on the labels that are trained on", r"A_{\mathrm{fit}}"),
    "weight_norm": Variable("norm of the weights of a unit", r"|W|"),
    "dead_fraction": Variable("fraction of dead units", "f_0"),
    "seed_distance": Variable("Wasserstein distance between seeds", "W_1"),
    "histogram": Variable("fraction of the weights of one pixel in each bin", r"\nu", ("bin",)),
    "active_histogram": Variable("fraction of the weights of all active pixels in each bin", r"\tilde{\nu}", ("bin",)),
}
"""Losses are means of the cross-entropy over all images of a part, accuracies the part whose largest output is right.
Both are of the right labels; "fit_accuracy" is that on the training images with the labels of the step made last, which
are random in the first `random_labels` epochs and the right ones then. "weight_norm" is the root of the mean over units
of |W1_k|^2 + |W2_k|^2.

A unit is dead where relu(W1_k . x) = 0 on every training image: it moves no more. "histogram" is of W1[:, 0], the
weights from the first pixel, a corner; "active_histogram" of those from all pixels that vary.

"seed_distance" is the Wasserstein distance between W1[:, 0] of two seeds: of each replica and the next one in its tile,
the last with the first. Neighbouring distances share a seed, so their standard error is a little too small; in a tile
of two replicas both have the same distance, and it is too small by sqrt(2). A replica alone has none.
"""


def wasserstein(left: Float[Array, " N"], right: Float[Array, " N"]) -> Float[Array, ""]:
    """W_1 of two samples of one size: the mean distance between values of the same rank."""
    return jnp.mean(jnp.abs(jnp.sort(left.astype(jnp.float64)) - jnp.sort(right.astype(jnp.float64))))
