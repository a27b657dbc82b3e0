"""Gaussian inputs of a committee that are not N(0, I): the spectrum of their covariance."""

import abc
from collections.abc import Sequence
from typing import Annotated, Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from sgdsim.checks import check_fields, lenient
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.inputs import InputBlocks

MAX_BLOCKS = 256


class GaussianInputs(eqx.Module):
    """Gaussian inputs that are not N(0, I_d)."""

    @abc.abstractmethod
    def check(self, problem: Any) -> None:
        """Raises ArgumentError where they do not fit a problem."""

    def blocks_at(self, d: int) -> InputBlocks | None:
        """Blocks of variances in d dimensions; None where there is one. **Raises:** ArgumentError where none fit."""
        return None


class Spectrum(GaussianInputs):
    """Eigenvalues of the inputs' covariance, in blocks of directions that are alike; see `rules.inputs`."""

    def check(self, problem: Any) -> None:
        """Raises ArgumentError where there are no blocks."""
        self.blocks_at(problem.d)

    @abc.abstractmethod
    def blocks_at(self, d: int) -> InputBlocks:
        """The blocks in d dimensions. **Raises:** ArgumentError where there are none."""


@lenient
class PowerSpectrum(Spectrum):
    """Eigenvalues j^-spectrum, j = 1 ... d, scaled to a mean of 1, in `blocks` blocks of as many each.

    **Raises:** ArgumentError where a value is out of range.
    """

    spectrum: Annotated[
        float, Parameter(r"\alpha", "exponent of the inputs' eigenvalues j^-spectrum", least=0, limit=8)
    ]
    blocks: Annotated[
        int, Parameter("L", "blocks of equal eigenvalues that stand for the spectrum", least=1, limit=MAX_BLOCKS)
    ] = eqx.field(static=True, default=8)

    def __post_init__(self) -> None:
        check_fields(self)

    def blocks_at(self, d: int) -> InputBlocks:
        """The blocks of a power law at this d, see `InputBlocks.power_law`."""
        return InputBlocks.power_law(d, self.spectrum, self.blocks)


class Blocks(Spectrum):
    """Given blocks of d_l directions of variance s_l each; sum_l d_l is the problem's d.

    **Raises:** ArgumentError where a value is out of range.
    """

    given: InputBlocks

    def __init__(self, sizes: Sequence[int], variances: Sequence[float]) -> None:
        self.given = InputBlocks(sizes, variances)

    @classmethod
    def of_covariance(cls, covariance: Float[np.ndarray, "d d"], blocks: int) -> "Blocks":
        """The eigenvalues of a covariance, in blocks of as many each; see `InputBlocks.of_covariance`."""
        made = InputBlocks.of_covariance(covariance, blocks)
        return cls(made.sizes, made.variances.tolist())

    def blocks_at(self, d: int) -> InputBlocks:
        """The blocks that were given, at every d."""
        if d != self.given.d:
            raise ArgumentError("d", f"be {self.given.d}, as the sizes of the inputs' blocks add up to", d)
        return self.given
