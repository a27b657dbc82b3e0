"""Gaussian inputs whose directions differ in variance: blocks of directions that are alike.

    x = (x_1, ..., x_L),    x_l ~ N(0, s_l I) in d_l directions,    sum_l d_l = d

Of a covariance only the spectrum counts, since vectors start in no direction that is marked. With one Gram matrix
G_l = V_l V_l^T/d of the vectors' parts in each block the fields are N(0, sum_l s_l G_l), and a rule's chain is exact.
"""

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Float

from sgdsim.checks import row
from sgdsim.errors import ArgumentError


class InputBlocks(eqx.Module):
    """Blocks of `sizes` d_l directions of `variances` s_l.

    **Raises:** ArgumentError unless there are as many variances as sizes, and all are positive and finite.
    """

    sizes: tuple[int, ...] = eqx.field(static=True)
    variances: Float[np.ndarray, " L"]

    def __init__(self, sizes: Sequence[int], variances: Sequence[float] | Float[np.ndarray, " L"]) -> None:
        self.sizes = tuple(int(size) for size in sizes)
        self.variances = row("variances", variances)
        if not self.sizes or min(self.sizes) < 1 or self.sizes != tuple(sizes):
            raise ArgumentError("sizes", "be numbers of directions, at least 1 each", list(sizes))
        if self.variances.shape != (len(self.sizes),):
            raise ArgumentError("variances", f"be {len(self.sizes)}, one for each of `sizes`", len(self.variances))
        if not (np.isfinite(self.variances).all() and self.variances.min() > 0):
            raise ArgumentError("variances", "be finite and > 0", self.variances.tolist())

    @classmethod
    def isotropic(cls, d: int) -> "InputBlocks":
        """x ~ N(0, I_d)."""
        return cls((d,), (1.0,))

    @classmethod
    def power_law(cls, d: int, exponent: float, blocks: int) -> "InputBlocks":
        """Eigenvalues j^-exponent, j = 1 ... d, scaled to a mean of 1, in blocks of as many eigenvalues each.

        A block has the mean of its own. Results converge as blocks become many: see docs/rules/inputs.md.
        """
        return cls._binned(np.arange(1, d + 1, dtype=np.float64) ** -exponent, blocks, scale=True)

    @classmethod
    def of_covariance(cls, covariance: Float[np.ndarray, "d d"], blocks: int) -> "InputBlocks":
        """The eigenvalues of a covariance, in blocks of as many each. **Raises:** ArgumentError unless it is one."""
        covariance = np.asarray(covariance, np.float64)
        if covariance.ndim != 2 or not np.allclose(
            covariance, covariance.T, rtol=0, atol=1e-10 * np.abs(covariance).max()
        ):
            raise ArgumentError("covariance", "be a symmetric matrix", covariance.shape)
        return cls._binned(np.linalg.eigvalsh(covariance)[::-1], blocks, scale=False)

    @classmethod
    def _binned(cls, eigenvalues: Float[np.ndarray, " d"], blocks: int, scale: bool) -> "InputBlocks":
        if not 1 <= blocks <= len(eigenvalues):
            raise ArgumentError("blocks", f"be between 1 and d = {len(eigenvalues)}", blocks)
        parts = np.array_split(eigenvalues / (eigenvalues.mean() if scale else 1.0), blocks)
        return cls([len(part) for part in parts], [float(part.mean()) for part in parts])

    @property
    def d(self) -> int:
        """All directions."""
        return sum(self.sizes)

    @property
    def shares(self) -> Float[np.ndarray, " L"]:
        """d_l/d: the part of every overlap that a block has at the start, as of vectors of no marked direction."""
        return np.asarray(self.sizes, np.float64) / self.d
