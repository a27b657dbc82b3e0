"""Which noise: SGD with one data point for all particles or one for each, and the SDE with common or own noise."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from sgdsim.checks import check_fields, integer
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class Sgd:
    """W^k <- W^k - eps H(W^k, nu, X, Y), a step at a time.

    - `data`: "shared" is SGD: all particles see the same data point. With "per_particle" each draws its own, which no
      network does: it is the discrete twin of the SDE with independent noise.
    - `batch`: data points that a step averages over; they divide the covariance of the noise.

    **Raises:** ArgumentError where `data` is neither, or `batch` is not positive.
    """

    data: Literal["shared", "per_particle"] = "shared"
    batch: int = 1
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        check_fields(self)
        integer("batch", self.batch, 1)

    @property
    def common(self) -> bool:
        """Whether all particles of a run feel the same noise."""
        return self.data == "shared"


@dataclass(frozen=True)
class Sde:
    """dW^k = -h(W^k, nu) dt + sqrt(eps) Sigma^(1/2)(W^k, nu) dB^k by Euler and Maruyama's scheme.

    - `noise`: "independent" has a Brownian motion for every particle (De Bortoli et al.), "common" one for all of them,
      which is what SGD does.
    - `dt`: step of the scheme; `batch` divides the covariance.

    **Raises:** ArgumentError where `noise` is neither, or `batch` or `dt` is not positive.
    """

    noise: Literal["independent", "common"] = "independent"
    dt: float = 0.02
    batch: int = 1
    name: ClassVar[str] = "sde"

    def __post_init__(self) -> None:
        check_fields(self)
        integer("batch", self.batch, 1)
        if not 0 < self.dt < 1:
            raise ArgumentError("dt", "be > 0 and < 1", self.dt)

    @property
    def common(self) -> bool:
        """Whether all particles of a run feel the same noise."""
        return self.noise == "common"


Dynamics = Sgd | Sde
