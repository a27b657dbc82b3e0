"""The Fokker-Planck equation of particles of one weight, at beta = 1 with noise of their own.

    d_t lam = d_w (lam h) + (noise/2) d_w^2 (lam Sigma),   h = sum_j c_j F_j',   Sigma = sum_j s_j F_j'^2 - h^2

As a conservation law v = -h - (noise/2) Sigma' and D = (noise/2) Sigma; c and s depend on lam through m_j = lam[F_j].
Weight decay adds decay w to h. Where the steps fall with a schedule, h is multiplied by it, and Sigma by its square.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float
from scipy.special import ndtr

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.losses import Loss
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.rules.schedule import PowerSchedule

CELLS = 2400
"""Cells between 15 standard deviations of the law at t = 0 to either side: 80 in each of them."""
REACH = 15.0
_WIDER = 3
"""How often the interval may be doubled where the law spreads to its ends."""
MOST_STEPS = 8
"""From one save time to the next. The bound that keeps masses positive from any start asks for 14 gamma of them, a law
of finite width for far fewer: at gamma = 10 and 100 mean and width are the same to 1e-6 with 2 and with 8."""
_LOST = 1e-14
"""Of mass in the outermost cells."""


class ModelRates(eqx.Module):
    """v and D of a model on a mesh.

    - `feature`: F_j at the centres of the cells, (cells, J); `slope`, `curvature`: F_j' and F_j'' at the inner faces.
    - `noise`: gamma/batch; `schedule`: of the steps, None where they are constant; `pull`: decay w at the faces.
    """

    feature: Float[Array, "cells J"]
    slope: Float[Array, "faces J"]
    curvature: Float[Array, "faces J"]
    noise: float
    atoms: Atoms
    loss: Loss = eqx.field(static=True)
    schedule: PowerSchedule | None = None
    pull: Float[Array, " faces"] | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        edges: Float[np.ndarray, " edges"],
        noise: float,
        schedule: PowerSchedule | None = None,
        decay: float | None = None,
    ) -> "ModelRates":
        """On cells between these edges."""
        centres, faces = jnp.asarray((edges[1:] + edges[:-1]) / 2), jnp.asarray(edges[1:-1])
        atoms = atoms_of(model)

        def feature(w: Array) -> Array:
            """F at the centres of the cells, (cells, J)."""
            x = tuple(column[None, :] for column in atoms.points.T)
            return model.feature((w[:, None],), x)

        def slope(w: Array) -> Array:
            return jax.jvp(feature, (w,), (jnp.ones_like(w),))[1]

        # Forward twice: F is elementwise in w, so that one tangent of ones gives all derivatives.
        curvature = jax.jvp(slope, (faces,), (jnp.ones_like(faces),))[1]
        return cls(
            feature(centres),
            slope(faces),
            curvature,
            noise,
            atoms,
            model.loss,
            schedule,
            None if decay is None else decay * faces,
        )

    def __call__(
        self, masses: Float[Array, " cells"], time: Float[Array, ""] | float
    ) -> tuple[Float[Array, " faces"], Float[Array, " faces"]]:
        """v and D at the inner faces."""
        return self.at(masses @ self.feature, time)

    def stronger(self, factor: float) -> "ModelRates":
        """With so many times the noise."""
        return eqx.tree_at(lambda rates: rates.noise, self, factor * self.noise)

    def at(
        self, m: Float[Array, " J"], time: Float[Array, ""] | float
    ) -> tuple[Float[Array, " faces"], Float[Array, " faces"]]:
        """v and D at the inner faces, for given m."""
        c, s = (values[:, 0] for values in self.atoms.coefficients(self.loss, m[:, None]))
        h, h_slope = self.slope @ c, self.curvature @ c
        Sigma = self.slope**2 @ s - h**2
        Sigma_slope = 2 * (self.slope * self.curvature) @ s - 2 * h * h_slope
        if self.pull is not None:
            h = h + self.pull
        if self.schedule is None:
            return -h - self.noise / 2 * Sigma_slope, self.noise / 2 * Sigma
        factor = self.schedule.value(jnp.asarray(time))
        noise = self.noise / 2 * factor**2
        return -factor * h - noise * Sigma_slope, noise * Sigma


@dataclass(frozen=True)
class Density:
    """Masses of cells at the times 0, spacing, 2 spacing, ..."""

    edges: Float[np.ndarray, " edges"]
    masses: Float[np.ndarray, "grid cells"]
    m: Float[np.ndarray, "grid J"]
    spacing: float

    @property
    def centres(self) -> Float[np.ndarray, " cells"]:
        """Centres of the cells of the grid."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def mean(self) -> Float[np.ndarray, " grid"]:
        """Mean of the law."""
        return self.masses @ self.centres

    @property
    def variance(self) -> Float[np.ndarray, " grid"]:
        """Variance of the law, with Sheppard's correction -dx^2/12 for masses that are put at the centres."""
        dx = self.edges[1] - self.edges[0]
        return self.masses @ self.centres**2 - self.mean**2 - dx**2 / 12

    def masses_at(self, times: Float[np.ndarray, " times"]) -> Float[np.ndarray, "times cells"]:
        """Masses of the cells, linear between times."""
        at = np.clip(np.asarray(times) / self.spacing, 0, len(self.masses) - 1)
        # At the last time, of which there may be one only, the left neighbour is the law itself.
        left = np.minimum(at.astype(int), max(len(self.masses) - 2, 0))
        share = (at - left)[:, None]
        return (1 - share) * self.masses[left] + share * self.masses[np.minimum(left + 1, len(self.masses) - 1)]

    @property
    def entropy(self) -> Float[np.ndarray, " grid"]:
        """-sum p log(p/dx) of the masses p."""
        return -np.sum(scipy.special.xlogy(self.masses, self.masses / (self.edges[1] - self.edges[0])), axis=1)

    def histogram(
        self, times: Float[np.ndarray, " times"], edges: Float[np.ndarray, " bin_edges"]
    ) -> Float[np.ndarray, "times bins"]:
        """Expected fractions in bins, linear between times, and with mass spread evenly over a cell."""
        masses = self.masses_at(times)
        below = np.concatenate([np.zeros((len(masses), 1)), np.cumsum(masses, axis=1)], axis=1)
        return np.diff(np.stack([np.interp(edges, self.edges, row) for row in below]), axis=1)


def solve_density(
    model: Model,
    noise: float,
    final: float,
    spacing: float,
    cells: int = CELLS,
    schedule: PowerSchedule | None = None,
    decay: float | None = None,
) -> Density:
    """The law of the particles up to `final`, saved at multiples of a spacing that divides it, at most the given one.

    The interval reaches REACH standard deviations to either side of the mean at t = 0, and is doubled while mass comes
    to its ends. Steps are so short that Crank and Nicolson's scheme keeps masses positive, but at most MOST_STEPS of a
    spacing; where it does not keep them so, the implicit scheme of first order takes its place, which always does.

    **Raises:** ArgumentError where the law at t = 0 is a point, or spreads without end.
    """
    saves = max(1, int(np.ceil(final / spacing)))
    for edges, start in grids(model, cells):
        found = _solve(ModelRates.of(model, edges, noise, schedule, decay), edges, start, final / saves, saves)
        # Mass at the ends would be reflected there: the law would be that of particles between walls.
        if found.masses[:, [0, -1]].max() < _LOST:
            return found
    raise ArgumentError("gamma", "leave the particles within a bounded interval", noise, "Take a smaller one.")


def grids(
    model: Model, cells: int = CELLS
) -> Iterator[tuple[Float[np.ndarray, " edges"], Float[np.ndarray, " cells"]]]:
    """Edges of cells on intervals that grow, and the masses of the law at t = 0 between them.

    **Raises:** ArgumentError where that law is a point.
    """
    law = model.law
    if not isinstance(law, GaussianLaw) or float(law.std[0]) <= 0:
        raise ArgumentError("law", "be a Gaussian of positive width for the Fokker-Planck equation", law)
    mean, std = float(law.mean[0]), float(law.std[0])
    for doubled in range(_WIDER + 1):
        edges = mean + std * REACH * 2**doubled * np.linspace(-1, 1, cells * 2**doubled + 1)
        yield edges, np.diff(ndtr((edges - mean) / std))


def _solve(rates: ModelRates, edges: np.ndarray, masses: np.ndarray, spacing: float, saves: int) -> Density:
    dx = float(edges[1] - edges[0])
    # The tails that the interval leaves out, 1e-50, are given back: masses sum to 1 and stay so.
    start = jnp.asarray(masses / masses.sum())
    positive = int(np.ceil(spacing * float(fokker_planck.fastest_loss(rates, start, dx)) / 2))
    every = min(max(1, positive), MOST_STEPS)
    solved = start[None]
    # Second order first; where it makes a mass negative, the law is solved again by the scheme that cannot.
    for theta in (0.5, 1.0):
        solved = fokker_planck.evolve(rates, start, dx, spacing / every, every, saves, theta)
        if float(solved.min()) >= 0:
            break
    return Density(edges, np.asarray(solved), np.asarray(solved @ rates.feature), spacing)
