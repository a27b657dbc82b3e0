"""What a label is made of: the target and its noise, as a number or as a class."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from sgdsim.rules.units import Units
from sgdsim.training.inputs import LabelLaw, NormalNoise
from sgdsim.training.noise import signs


class Labels(eqx.Module):
    """y = f* + sqrt(noise) zeta, or the class sign(f* + sqrt(noise) zeta) where `classes`.

    The law of zeta has the mean 0 and the variance 1.
    """

    law: LabelLaw = NormalNoise()
    classes: bool = eqx.field(static=True, default=False)

    def value(self, signal: Any, noise_root: Any, normals: Units) -> Any:
        """y of f*, by the first normals of a sample."""
        zeta = self.law.of_normals(*(normals[i] for i in range(self.law.normals)))
        return self.kind(signal + noise_root * zeta)

    def kind(self, y: Any) -> Any:
        """The label of f* with its noise: itself, or its class."""
        return signs(y) if self.classes else y

    def mean(self, signal: Any, noise_root: Any) -> Any:
        """E[y] given f*, of arrays: what the best student knows."""
        if not self.classes:
            return signal
        noisy = noise_root > 0
        return jnp.where(noisy, self.law.mean_sign(signal / jnp.where(noisy, noise_root, 1.0)), signs(signal))
