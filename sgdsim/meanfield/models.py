"""Ready models: the benchmarks of the literature, and their variants in feature function and loss."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from sgdsim.checks import choice, integer, positive
from sgdsim.meanfield import features
from sgdsim.meanfield.data import Atoms, TwoGaussians
from sgdsim.meanfield.losses import CrossEntropy, Logistic, Loss, Squared
from sgdsim.meanfield.model import ConeLaw, GaussianLaw, Model, ParticleLaw, SubspaceLaw, radius
from sgdsim.meanfield.quadratic import GaussianQuadratic
from sgdsim.meanfield.teacher import GaussianTeacher

LossName = Literal["squared", "logistic", "cross_entropy"]
Support = Literal["all", "cone", "subspace"]
LABEL_NOISE = 0.5
"""Labels of a regression are g(x) plus or minus this, with equal chance."""


def tanh_model(loss: LossName = "squared") -> Model:
    """One weight: F = tanh(w x) at x = 0.25, 0.5, ..., 2 with equal chance, W_0 ~ N(0.5, 0.25).

    The target is g = 0.6 tanh(3 x) - 0.4 tanh(x/2).

    **Raises:** ArgumentError for a loss that there is not.
    """
    choice("loss", loss, tuple(LOSSES))
    x = np.arange(1, 9) / 4
    target = 0.6 * np.tanh(3 * x) - 0.4 * np.tanh(0.5 * x)
    return Model(
        name="tanh",
        feature=features.tanh,
        loss=LOSSES[loss],
        data=_atoms(x, np.full(8, 1 / 8), target, loss),
        law=GaussianLaw(np.array([0.5]), np.array([0.5])),
        window=(-4.0, 5.0),
    )


def output_model(
    activation: Literal["tanh", "erf", "relu"] = "tanh", loss: LossName = "squared", support: Support = "all"
) -> Model:
    """Three weights: F = a sigma(b x + c) at the 12 Gauss-Hermite nodes of x ~ N(0, 1), W_0 ~ N(0, I_3).

    The target is g = sin(2 x) exp(-x^2/8). With another `support` W_0 does not reach all directions. In "cone" a is
    |a| + |(b, c)|: the gradient flow of relu keeps a^2 - b^2 - c^2, so that no a ever becomes negative. In "subspace"
    c = 0. The limit of a homogeneous F, such as that of relu, from a law whose support separates a > 0 from a < 0 in
    all directions (b, c) can come to rest at the least risk only (Chizat & Bach 2018).

    **Raises:** ArgumentError for an activation, a loss or a support that there is not.
    """
    choice("support", support, tuple(_LAWS))
    choice("activation", activation, tuple(_FEATURES), "For another write a Model with a feature of your own.")
    choice("loss", loss, tuple(LOSSES))
    x, weights = np.polynomial.hermite_e.hermegauss(12)
    return Model(
        name=f"output_{activation}",
        feature=_FEATURES[activation],
        loss=LOSSES[loss],
        data=_atoms(x, weights / weights.sum(), np.sin(2 * x) * np.exp(-(x**2) / 8), loss),
        law=_LAWS[support](GaussianLaw(np.zeros(3), np.ones(3))),
    )


def radial_model(d: int = 40) -> Model:
    """Two Gaussians of different variance, told apart by F = s(w.x), W_0 ~ N(0, 0.64/d I_d) (Mei et al. 2018, fig. 1).

    The loss is (prediction - label)^2; histograms are of |w|.

    **Raises:** ArgumentError unless d is an integer from 1 to 128.
    """
    d = integer("d", d, 1)
    return Model(
        name="radial",
        feature=features.radial_step,
        loss=Squared(scale=2.0),
        data=TwoGaussians(d),
        law=GaussianLaw(np.zeros(d), np.full(d, 0.8 / d**0.5)),
        coordinate=radius,
        window=(0.0, 4.0),
    )


def teacher_model(d: int = 16, k: int = 2, overlap: float | None = None, label_noise: float = 0.0) -> Model:
    """Particles w in R^d with F = erf(w.x/sqrt(2)) on fresh x ~ N(0, I_d), taught by k orthonormal units of the kind.

    The label is (1/k) sum_r erf(v_r.x/sqrt(2)) + sqrt(label_noise) zeta, v_r the unit vector along coordinate r. At
    t = 0 w ~ N(0, I_d/d); with an `overlap` its components along the teacher are N(0, overlap^2), whatever d is, and
    the others N(0, 1/(d - k)).

    This is `sgdsim.committee.Committee` with p = N, its weights divided by sqrt(d), w_committee = sqrt(d) w. Both make
    the same step on the same data where

        eps = gamma N^(beta - 1) = gamma_committee/(p d)

    so that after nu steps the times are t = nu gamma_committee/(p d) here and nu dt there: t = A t_committee with the
    A = (gamma/p)/(d dt) of its `ExactODE`. The mean-field limit N -> infinity at fixed d is that of eps << 1/d, i.e.
    gamma_committee/p << 1.

    **Raises:** ArgumentError unless 1 <= k < d <= 128, overlap > 0 and label_noise >= 0.
    """
    data = GaussianTeacher(d, k, label_noise)
    std = np.full(data.d, data.d**-0.5)
    if overlap is not None:
        std[:k], std[k:] = positive("overlap", overlap), (data.d - k) ** -0.5
    law = GaussianLaw(np.zeros(data.d), std)
    return Model(name="teacher", feature=features.erf_unit, loss=Squared(), data=data, law=law, window=(-3.0, 3.0))


def quadratic_model(d: int = 20) -> Model:
    """Particles w in R^d with F = (w.x)^2 - |w|^2 on x ~ N(0, I_d), and labels x.Bx - tr B (Ghorbani et al. 2019).

    B is diagonal, its entries quantiles of the exponential law, and |B|_F = 1: the risk of no network is 1. At t = 0
    w ~ N(0, I_d/(4 d)), which is small beside B.

    **Raises:** ArgumentError unless 2 <= d <= 128.
    """
    data = GaussianQuadratic(d)
    law = GaussianLaw(np.zeros(data.d), np.full(data.d, 0.5 * data.d**-0.5))
    return Model(name="quadratic", feature=features.square_unit, loss=Squared(), data=data, law=law)


_FEATURES = {"tanh": features.output_tanh, "erf": features.output_erf, "relu": features.output_relu}
_LAWS: dict[Support, Callable[[ParticleLaw], ParticleLaw]] = {
    "all": lambda law: law,
    "cone": ConeLaw,
    "subspace": lambda law: SubspaceLaw(law, 2),
}
LOSSES: dict[LossName, Loss] = {"squared": Squared(), "logistic": Logistic(), "cross_entropy": CrossEntropy()}


def _atoms(
    x: Float[np.ndarray, " J"], weights: Float[np.ndarray, " J"], target: Float[np.ndarray, " J"], loss: LossName
) -> Atoms:
    """Two labels at every input: g + 1/2 and g - 1/2, or for a classifier 1 and the other with E[+-1] = g."""
    if loss == "squared":
        labels = target[:, None] + LABEL_NOISE * np.array([[1.0, -1.0]])
        return Atoms(x[:, None], labels, np.repeat(weights[:, None] / 2, 2, axis=1))
    other = -1.0 if loss == "logistic" else 0.0
    labels = np.tile([1.0, other], (len(x), 1))
    return Atoms(x[:, None], labels, weights[:, None] * np.stack([(1 + target) / 2, (1 - target) / 2], axis=1))
