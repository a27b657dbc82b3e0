"""High-dimensional scaling of SGD: width p0 d^kappa, rate gamma0 d^-delta, batch b0 d^mu, and the four regions."""

import enum
from typing import Annotated

import equinox as eqx

from sgdsim.checks import check_fields, lenient
from sgdsim.parameters import Parameter

MAX_PREFACTOR, MAX_EXPONENT = 1e12, 10
"""The largest in experiment files, in size."""
BOUNDARY_TOLERANCE = 1e-9
"""theta this close to a boundary is on it: 0.1 + 0.2 - 0.3 is 5.6e-17, and blue."""


class Region(enum.StrEnum):
    """The region of the phase diagram in (delta, kappa), by theta = kappa + delta; see `Scaling`."""

    GREEN = "green"
    BLUE = "blue"
    ORANGE = "orange"
    RED = "red"


@lenient
class Scaling(eqx.Module):
    """p = p0 d^kappa, gamma = gamma0 d^-delta batch^rho (Veiga et al. 2022, eq. 6) and batch = b0 d^mu, mu >= 0.

    rho says what a batch does to the learning rate: 0 leaves it, 1 keeps gamma/batch (the linear rule). So gamma/p goes
    as d^-theta with theta = kappa + delta - rho mu.

    Time t = nu dt with, up to constants, dt = max(gamma/(p d), gamma^2/(p^2 batch d)): the theorem's, where the noise
    that a step leaves behind is divided by the batch. Drift and noise balance at theta + mu = 0:

        theta + mu >= 0      dt = d^-(1 + theta)           green (theta + mu > 0), blue (theta + mu = 0)
        theta + mu < 0       dt = d^-(1 + 2 theta + mu)    orange
        where that exponent  no limit; t counts steps, dt = 1    red
        of d is not < 0

    At mu = 0 these are the regions of Veiga et al.: blue at theta = 0, red at theta <= -1/2. Where the batch grows, the
    noise of a green or blue step falls behind the drift by a factor d^-mu: the blue line moves to theta = -mu, the red
    region to theta <= -(1 + mu)/2, and from mu = 1 on there is neither blue nor orange, but red at theta <= -1. At
    rho = 1 the blue line is where it was, kappa + delta = 0: a step does the work of a batch of steps, as dt says.
    """

    kappa: Annotated[float, Parameter(r"\kappa", "exponent of the width", limit=MAX_EXPONENT)]
    delta: Annotated[float, Parameter(r"\delta", "exponent of the learning rate", limit=MAX_EXPONENT)]
    p0: Annotated[float, Parameter("p_0", "prefactor of the width", above=0, limit=MAX_PREFACTOR)]
    gamma0: Annotated[float, Parameter(r"\gamma_0", "prefactor of the learning rate", above=0, limit=MAX_PREFACTOR)]
    b0: Annotated[float, Parameter("b_0", "prefactor of the batch", above=0, limit=MAX_PREFACTOR)] = 1.0
    mu: Annotated[
        float, Parameter(r"\mu", "exponent of the batch, which never falls as d grows", least=0, limit=MAX_EXPONENT)
    ] = 0.0
    rho: Annotated[float, Parameter(r"\rho", "exponent of the batch in the learning rate", limit=MAX_EXPONENT)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def boundaries(self) -> tuple[float, float]:
        """theta of the blue line, and that at and below which all is red; from mu = 1 on there is no blue line."""
        return 0.0 - self.mu, max(-(1 + self.mu) / 2, -1.0)

    @property
    def theta(self) -> float:
        """kappa + delta - rho mu, set to the boundary it lies on within 1e-9."""
        theta = self.kappa + self.delta - self.rho * self.mu
        for boundary in self.boundaries:
            if abs(theta - boundary) < BOUNDARY_TOLERANCE:
                return boundary
        return theta

    @property
    def region(self) -> Region:
        """The region of the phase diagram that theta falls in."""
        theta, (blue, red) = self.theta, self.boundaries
        if theta <= red:
            return Region.RED
        if theta == blue:
            return Region.BLUE
        return Region.GREEN if theta > blue else Region.ORANGE

    @property
    def steps_exponent(self) -> float:
        """The exponent x of 1/dt = d^x; 0 in the red region."""
        if self.region is Region.RED:
            return 0.0
        return 1 + 2 * self.theta + self.mu if self.region is Region.ORANGE else 1 + self.theta

    def time_step(self, d: int) -> float:
        """dt: the time of one step at input dimension d."""
        return float(d) ** -self.steps_exponent

    def dimension(self, steps_per_time: float) -> float:
        """d, not rounded, at which a unit of time takes so many steps; `steps_per_time` itself in the red region.

        There time counts steps whatever d is, and d is that of the blue line at mu = 0.
        """
        return steps_per_time ** (1 / (self.steps_exponent or 1.0))
