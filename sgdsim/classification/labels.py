"""A random label for each training image, which belongs to a replica: labels that say nothing of the images."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from sgdsim.ensemble.random import Key, fold, threefry

LABELS = 2**41
"""What a replica's key is folded with for its random labels; the number of an epoch, for the order of the images."""


def random_labels(key: Key, images: Int[Array, " images"], classes: int) -> Int[Array, " images"]:
    """The random labels of these training images, each uniform over all classes and independent of the others.

    They follow from the replica's key (two scalar words) and the number of the image alone: an image has one random
    label for all of a run. One of `classes` is the right one by chance.
    """
    number = images.astype(jnp.uint32)
    bits, _ = threefry(fold(key, LABELS), (number, jnp.zeros_like(number)))
    # The remainder favours some classes by 2^-32 of their share.
    return (bits % np.uint32(classes)).astype(jnp.int32)
