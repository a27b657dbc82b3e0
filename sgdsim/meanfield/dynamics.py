"""Which noise: SGD with one data point for all particles or one for each, and the SDE with common or own noise."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from sgdsim.checks import check_fields
from sgdsim.parameters import Parameter

BATCH = Parameter("", "data that a step averages over; they divide the covariance of the noise", least=1, limit=100_000)
STEP = Parameter(r"\Delta t", "step of the scheme of the SDE", above=0, below=1)


@dataclass(frozen=True)
class Sgd:
    """W^k <- W^k - eps H(W^k, nu, X, Y), a step at a time.

    `data` = "shared" is SGD: all particles see the same data point. With "per_particle" each draws its own, which no
    network does: it is the discrete twin of the SDE with independent noise.

    **Raises:** ArgumentError where `data` is neither, or `batch` is not positive.
    """

    data: Literal["shared", "per_particle"] = "shared"
    batch: Annotated[int, BATCH] = 1
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def common(self) -> bool:
        """Whether all particles of a run feel the same noise."""
        return self.data == "shared"


@dataclass(frozen=True)
class Sde:
    """dW^k = -h(W^k, nu) dt + sqrt(eps) Sigma^(1/2)(W^k, nu) dB^k by Euler and Maruyama's scheme.

    `noise` = "independent" has a Brownian motion for every particle (De Bortoli et al.), "common" one for all of them,
    which is what SGD does.

    **Raises:** ArgumentError where `noise` is neither, or `batch` or `dt` is not positive.
    """

    noise: Literal["independent", "common"] = "independent"
    dt: Annotated[float, STEP] = 0.02
    batch: Annotated[int, BATCH] = 1
    name: ClassVar[str] = "sde"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def common(self) -> bool:
        """Whether all particles of a run feel the same noise."""
        return self.noise == "common"


Dynamics = Sgd | Sde
