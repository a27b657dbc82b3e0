"""The problem: N particles, and a learning rate gamma N^beta that decides how much noise is left when N grows."""

from dataclasses import KW_ONLY
from typing import Annotated, ClassVar

import equinox as eqx
import numpy as np

from sgdsim.checks import check_fields, interval, lenient
from sgdsim.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.model_checks import check_kind
from sgdsim.parameters import Parameter, given
from sgdsim.rules.schedule import PowerSchedule

MANY_STEPS = 20_000
"""Steps per unit of time from which on a user is told."""


def check_constant(problem: "MeanField", what: str) -> None:
    """Raises ArgumentError for steps that fall with a schedule."""
    if problem.schedule is not None:
        raise ArgumentError("schedule", f"be left out for {what}", problem.schedule.name)


def check_plain(problem: "MeanField", what: str) -> None:
    """Raises ArgumentError for steps that fall, and for weight decay."""
    check_constant(problem, what)
    if problem.decay is not None:
        raise ArgumentError("decay", f"be left out for {what}", problem.decay)


@lenient
class MeanField(Problem):
    """A wide two-layer network (De Bortoli, Durmus, Fontaine & Simsekli, arXiv:2007.06352).

        prediction(x) = N^(-a) sum_k F(W^k, x),   H(w, nu, x, y) = l'(prediction(x), y) grad_w F(w, x)
        eps = gamma_N / N = gamma N^(beta - 1)
        SGD:  W^k <- W^k - N^(a - 1) eps H(W^k, nu, X, Y),   t = n eps
        SDE:  dW^k = N^(a - 1) [-h(W^k, nu) dt + sqrt(eps) Sigma^(1/2)(W^k, nu) dB^k],   h = E H, Sigma = Cov H

    a = 1 is the mean-field scaling; for a < 1 the particles hardly move and the network becomes linear in them (lazy).
    With a `decay` there is (decay/2) E |w|^2 beside the risk: H and h have decay W more. A `schedule` s(t) =
    (1 + t/t0)^-x multiplies every increment, t = n eps as before: the rate of step n is

        gamma N^beta s(n eps) = gamma' N^beta' (n + c)^-x,
        c = t0/eps,   gamma' = t0^x gamma^(1 - x),   1 - beta' = (1 - x)(1 - beta).

    **Raises:** ArgumentError where a value is out of range, where a step eps >= 1 is unstable, and where the dynamics
    need averages over data that only a sampler gives.
    """

    system: ClassVar[str] = "meanfield"
    order_parameters: ClassVar[tuple[str, ...]] = ("m",)

    _: KW_ONLY
    model: Model
    N: Annotated[int, Parameter("N", "particles", least=2, limit=10_000_000, example=1000)] = eqx.field(static=True)
    gamma: Annotated[
        float, Parameter(r"\gamma", "prefactor of the learning rate gamma N^beta", above=0, limit=1e6, example=0.1)
    ]
    beta: Annotated[
        float, Parameter(r"\beta", "exponent of the learning rate gamma N^beta", least=0, most=1, example=0.5)
    ]
    a: Annotated[float, Parameter("a", "exponent of the output scale N^-a", least=0.5, most=1)] = 1.0
    dynamics: Dynamics = eqx.field(static=True, default=Sgd())
    bins: Annotated[
        int,
        Parameter("", "bins of the histogram of particles, 0 for none", least=0, limit=10_000, in_results=False),
    ] = eqx.field(static=True, default=0)
    window: Annotated[
        tuple[float, float], Parameter("", "ends of the histogram; the model's if left out", written=list[float] | None)
    ] = eqx.field(static=True, default=None)
    decay: Annotated[float | None, Parameter("w", "weight decay, none if left out", above=0, limit=1e6)] = None
    neighbours: Annotated[
        int | None,
        Parameter("k", "spacings that the entropy of particles is estimated from, none if left out", least=1),
    ] = eqx.field(static=True, default=None)
    schedule: PowerSchedule | None = None

    def __post_init__(self) -> None:
        remedy = "Take tanh_model(), output_model(), radial_model(), teacher_model(), or a Model of your own."
        check_kind("model", self.model, Model, remedy)
        if not isinstance(self.dynamics, Sgd | Sde):
            raise ArgumentError("dynamics", "be an Sgd or an Sde", self.dynamics, "Write Sgd(), or Sde().")
        if self.schedule is not None:
            check_kind("schedule", self.schedule, PowerSchedule, "Write PowerSchedule(t0=1.0, exponent=0.5), or None.")
        check_fields(self)
        self.window = interval("window", self.model.window if self.window is None else self.window)
        self._check_dynamics()
        if self.decay is not None and self.a < 1:
            raise ArgumentError("decay", "be left out for a < 1", self.decay)
        if self.neighbours is not None:
            self._check_neighbours(self.neighbours)

    def _check_neighbours(self, count: int) -> None:
        if self.model.dim > 1 or self.model.atoms is None:
            raise ArgumentError("neighbours", "be left out but for particles of one weight and atoms", count)
        if count >= self.N:
            raise ArgumentError("neighbours", f"be below N = {self.N}", count)

    def _check_dynamics(self) -> None:
        if self.eps == 0:  # rounded to nothing, as of gamma = 5e-324
            remedy = "Choose a larger gamma."
            raise ArgumentError("gamma", "give a step eps = gamma N^(beta - 1) > 0", self.eps, remedy)
        if isinstance(self.dynamics, Sgd) and self.eps >= 1:
            remedy = "Choose a smaller gamma or beta."
            raise ArgumentError("gamma", "give a step eps = gamma N^(beta - 1) < 1", self.eps, remedy)
        # Noise of one's own, and any drift, is an average over the data at every step: only atoms give it exactly.
        if not isinstance(self.model.data, Atoms) and not (isinstance(self.dynamics, Sgd) and self.dynamics.common):
            remedy = "Averages over a sampler are not known exactly."
            raise ArgumentError("dynamics", f"be SGD with shared data for model {self.model.name!r}", "else", remedy)

    @property
    def eps(self) -> float:
        """gamma N^(beta - 1): the step of SGD, and the strength of its noise."""
        return self.gamma * self.N ** (self.beta - 1)

    @property
    def dt(self) -> float:
        """Time of one step: eps for SGD, the scheme's own for the SDE."""
        return self.eps if isinstance(self.dynamics, Sgd) else self.dynamics.dt

    @property
    def samples_per_step(self) -> float:
        """batch dt/eps for data that all particles share, N times as many where each has its own.

        Of SGD, where dt = eps, that is what a step draws. A step of the SDE draws none: it counts those of the dt/eps
        steps of SGD that it stands for.
        """
        return self.dynamics.batch * (self.dt / self.eps) * (1 if self.dynamics.common else self.N)

    @property
    def random_limit(self) -> bool:
        """Whether the particles' law stays random for N -> infinity: at beta = 1, by noise common to all of them."""
        return self.beta == 1 and self.dynamics.common

    @property
    def limit_noise(self) -> float:
        """The factor of Sigma that is left in the limit: gamma/batch at beta = 1 with independent noise, else 0."""
        return self.gamma / self.dynamics.batch if self.beta == 1 and not self.dynamics.common else 0.0

    def cautions(self) -> list[str]:
        """A line where there are very many steps, where the noise is beyond SGD's, and on a limit that surprises."""
        found = []
        where = f"N = {self.N}, beta = {self.beta:g}, gamma = {self.gamma:g}"
        if 1 / self.dt > MANY_STEPS:
            found.append(f"{1 / self.dt:.2g} steps per unit of time at {where}: this takes long.")
        if self.eps >= 1:
            found.append(
                f"eps = gamma N^(beta - 1) = {self.eps:.3g} at {where}: from 1 on the steps of SGD are unstable, and "
                "the SDE is no model of them."
            )
        if self.random_limit:
            found.append(
                "At beta = 1 noise common to all particles leaves a random limit: no deterministic theory is drawn."
            )
        return found

    def parameters(self) -> dict[str, Scalar]:
        """Constants and derived numbers by name."""
        return {
            "model": self.model.name,
            **self.model.data.parameters,
            **given(self),
            **({} if self.schedule is None else {"schedule": self.schedule.name} | given(self.schedule)),
            "dynamics": self.dynamics.name,
            "noise": "common" if self.dynamics.common else "independent",
            "batch": self.dynamics.batch,
            "eps": self.eps,
            "inverse_N": 1 / self.N,
            "dt": self.dt,
        }

    @property
    def bin_edges(self) -> np.ndarray:
        """Edges of the histogram's bins, (bins + 1,)."""
        return np.linspace(*self.window, self.bins + 1)
