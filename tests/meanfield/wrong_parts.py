"""Parts of a wide network that are refused, each with its ArgumentError: what is done, who is blamed, words of it.

Run as a script it tries all of them in a process of its own, where sgdsim is as its users have it, without the checks
of types that tests have, and prints a list of [type of the exception, its argument, its message].
"""

import json
import sys

import jax.numpy as jnp
import numpy as np

from sgdsim.analysis.pairs import pair_covariance
from sgdsim.meanfield.data import Atoms, TwoGaussians
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.limits.limit import solution
from sgdsim.meanfield.limits.linear_noise import linear_noise
from sgdsim.meanfield.losses import CallableLoss, CrossEntropy, Logistic, Squared
from sgdsim.meanfield.model import GaussianLaw, Model, ParticleLaw, SubspaceLaw
from sgdsim.meanfield.models import output_model, radial_model, tanh_model
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, PointStart

ONE_X, TWO = [[0.5], [1.0]], [[0.5, 0.0], [0.25, 0.25]]


class Narrow(ParticleLaw):
    """A law that forgets a weight."""

    @property
    def dim(self) -> int:
        return 2

    def __call__(self, normals):
        return normals[:1]


class Nowhere(TwoGaussians):
    """A sampler that gives numbers of its own shape."""

    def draw(self, key, number, dtype):
        return (jnp.zeros(3, dtype),), jnp.zeros((), dtype)


def model(**parts) -> Model:
    """Two weights, one input."""
    given = {
        "name": "mine",
        "feature": lambda w, x: w[0] * jnp.sin(w[1] * x[0]),
        "loss": Squared(),
        "data": Atoms(np.array(ONE_X), np.array([[1.0, 0.0], [2.0, 1.0]]), np.array(TWO)),
        "law": GaussianLaw(np.zeros(2), np.ones(2)),
    }
    return Model(**given | parts)


def problem(**changes) -> MeanField:
    return MeanField(**{"model": tanh_model(), "N": 6, "gamma": 0.1, "beta": 0.5} | changes)


WRONG_PARTS = [
    ({"feature": lambda w, x: w[0] * w[2]}, "feature", "w[0] to w[1]"),
    ({"feature": lambda w, x: w[0]}, "feature", "(3, 2)"),
    ({"feature": lambda w, x: jnp.sum(w[0] * x[0])}, "feature", "jax.numpy"),
    ({"feature": lambda w, x: jnp.stack([w[0] * x[0]] * 2)}, "feature", "(2, 3, 2)"),
    ({"feature": lambda w, x: np.tanh(w[0] * x[0])}, "feature", "jax.numpy"),
    ({"feature": lambda w, x: np.float64(2) * w[0] * x[0]}, "feature", "numbers of Python"),
    ({"feature": lambda w, x: (w[0] * x[0], w[1])}, "feature", "a tuple"),
    ({"feature": lambda w: w[0]}, "feature", "TypeError"),
    ({"feature": "tanh"}, "feature", "function"),
    ({"loss": "squared"}, "loss", "Squared()"),
    ({"loss": Squared}, "loss", "Squared()"),
    ({"loss": CallableLoss(lambda m, y: jnp.mean((m - y) ** 2))}, "loss", "elementwise"),
    ({"loss": CallableLoss(lambda m, y: jnp.log((m - y) * 0 - 1.0))}, "loss", "finite least risk"),
    ({"loss": Logistic()}, "labels", "1 or -1"),
    ({"loss": CrossEntropy()}, "labels", "from 0 to 1"),
    ({"data": (ONE_X, TWO, TWO)}, "data", "Atoms"),
    ({"data": Nowhere(1), "loss": Squared()}, "data", "a label"),
    ({"law": np.ones(2)}, "law", "GaussianLaw"),
    ({"law": Narrow()}, "law", "standard normals"),
    ({"coordinate": lambda w: w}, "coordinate", "a tuple"),
    ({"coordinate": lambda w: w[5]}, "coordinate", "IndexError"),
    ({"window": (1.0, float("nan"))}, "window", "increasing"),
    ({"name": 3}, "name", "str"),
]


REFUSED = [
    *((lambda parts=parts: model(**parts), argument, words) for parts, argument, words in WRONG_PARTS),
    (lambda: Sgd("shraed"), "data", "shared"),
    (lambda: Sde("shared"), "noise", "independent"),
    (lambda: Sgd(batch=2.0), "batch", "integer"),
    (lambda: Sde(dt=1.0), "dt", "< 1"),
    (lambda: Sde(dt=float("nan")), "dt", "number"),
    (lambda: tanh_model("sqaured"), "loss", "squared"),
    (lambda: output_model("tnah"), "activation", "relu"),
    (lambda: output_model("tanh", "hinge"), "loss", "logistic"),
    (lambda: radial_model(2.5), "d", "integer"),
    (lambda: radial_model(0), "d", ">= 1"),
    (lambda: TwoGaussians(2, 7), "count", "even"),
    (lambda: output_model("relu", support="half"), "support", "cone"),
    (lambda: SubspaceLaw(GaussianLaw([0.0, 0.0], [1.0, 1.0]), 2), "held", "0 to 1"),
    (lambda: SubspaceLaw(np.ones(2), 0), "law", "GaussianLaw"),
    (lambda: GaussianLaw([0.0, 1.0], [1.0]), "std", "length 2"),
    (lambda: GaussianLaw([0.0], [-1.0]), "std", ">= 0"),
    (lambda: GaussianLaw([np.inf], [1.0]), "mean", "finite"),
    (lambda: GaussianLaw(0.0, 1.0), "mean", "row"),
    (lambda: Squared(-1.0), "scale", "> 0"),
    (lambda: CallableLoss("square"), "function", "function"),
    (lambda: Atoms([0.5, 1.0], TWO, TWO), "inputs", "table"),
    (lambda: Atoms(ONE_X, [[1.0], [1.0, 2.0]], TWO), "labels", "table"),
    (lambda: Atoms(ONE_X, TWO, [[0.5, np.nan], [0.25, 0.25]]), "weights", "finite"),
    (lambda: problem(N=6.0), "N", "integer"),
    (lambda: problem(gamma="0.1"), "gamma", "number"),
    (lambda: problem(beta=float("nan")), "beta", "from 0 to 1"),
    (lambda: problem(model="tanh"), "model", "tanh_model"),
    (lambda: problem(dynamics="sgd"), "dynamics", "Sgd()"),
    (lambda: problem(dynamics=Sgd), "dynamics", "Sgd()"),
    (lambda: problem(schedule=lambda t: 1 / t), "schedule", "PowerSchedule(t0"),
    (lambda: PointStart((0.4, 0.1)).check(problem()), "point", "1 finite"),
    (lambda: problem(window=(0.0, 1.0, 2.0)), "window", "two increasing"),
    (lambda: ExplicitStart(((0.4,),) * 5 + ((np.nan,),)).check(problem()), "particles", "finite"),
    (lambda: ExplicitStart(((0.4,), (0.4, 0.1))).check(problem()), "particles", "as many numbers"),
    (lambda: solution(problem(), 0.0), "final", "> 0"),
    (lambda: linear_noise(tanh_model(), -1.0), "t", "> 0"),
    (lambda: pair_covariance(np.ones((4, 1)), np.ones((4, 1)), 5), "mean, variance", "one weight"),
]

TAKEN = [
    lambda: Sgd(batch=np.int64(3)) == Sgd(batch=3),
    lambda: Sde(dt=np.float32(0.25)) == Sde(dt=0.25),
    lambda: type(problem(N=np.int64(6)).N) is int,
    lambda: type(problem(gamma=np.float32(0.5)).gamma) is float,
    lambda: problem(window=[0, 2]).window == (0.0, 2.0),
    lambda: Atoms(ONE_X, TWO, TWO).points.shape == (2, 1),
    lambda: GaussianLaw([0, 1], [1, 1]).dim == 2,
    lambda: model(data=TwoGaussians(1), loss=Logistic()).atoms is None,
    lambda: model(loss=CallableLoss(lambda m, y: jnp.log(jnp.cosh(m - y)))).dim == 2,
]


def _tried(attempt) -> list[str]:
    try:
        attempt()
    except Exception as error:
        return [type(error).__name__, getattr(error, "argument", ""), str(error)]
    return ["nothing", "", ""]


if __name__ == "__main__":
    results = [_tried(attempt) for attempt, _, _ in REFUSED] + [[str(equal()), "", ""] for equal in TAKEN]
    json.dump(results, sys.stdout)
