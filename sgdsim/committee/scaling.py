"""High-dimensional scaling of a two-layer network: p = p0 d^kappa, gamma = gamma0 d^-delta, and the four regions."""

import enum

import equinox as eqx

BOUNDARY_TOLERANCE = 1e-9
"""theta this close to a boundary is on it: 0.1 + 0.2 - 0.3 is 5.6e-17, and blue."""


class Region(enum.StrEnum):
    """The region of the phase diagram in (delta, kappa), by theta = kappa + delta."""

    GREEN = "green"
    BLUE = "blue"
    ORANGE = "orange"
    RED = "red"


class Scaling(eqx.Module):
    """p = p0 d^kappa and gamma = gamma0 d^-delta (Veiga et al. 2022, eq. 6).

    Time t = nu dt with, up to constants, the theorem's dt = max(gamma/(p d), gamma^2/(p^2 d)):

        theta >= 0          dt = d^-(1 + theta)      green (theta > 0), blue (theta = 0)
        -1/2 < theta < 0    dt = d^-(1 + 2 theta)    orange
        theta <= -1/2       no limit; t counts steps, dt = 1   red
    """

    kappa: float
    delta: float
    p0: float
    gamma0: float

    @property
    def theta(self) -> float:
        """kappa + delta, set to the boundary it lies on within 1e-9."""
        theta = self.kappa + self.delta
        for boundary in (0.0, -0.5):
            if abs(theta - boundary) < BOUNDARY_TOLERANCE:
                return boundary
        return theta

    @property
    def region(self) -> Region:
        """The region of the phase diagram that theta falls in."""
        if self.theta > 0:
            return Region.GREEN
        if self.theta == 0:
            return Region.BLUE
        return Region.ORANGE if self.theta > -0.5 else Region.RED

    def time_step(self, d: int) -> float:
        """dt: the time of one step at input dimension d."""
        if self.region is Region.RED:
            return 1.0
        exponent = 1 + self.theta if self.theta >= 0 else 1 + 2 * self.theta
        return float(d) ** -exponent
