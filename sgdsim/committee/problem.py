"""The teacher-student problem: one-pass SGD of a two-layer network with p hidden units, taught by one with k."""

import math
from typing import ClassVar

import equinox as eqx

from sgdsim.committee.activations import Activation, Erf
from sgdsim.committee.scaling import Region, Scaling
from sgdsim.ensemble.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError

Real = float | int
"""A number that may be written without a decimal point."""


class Committee(Problem):
    """One-pass SGD in a teacher-student problem (Saad & Solla 1995; Veiga et al. 2022, section 2).

    With x ~ N(0, I_d), zeta ~ N(0, 1), local fields lambda*_r = w*_r.x/sqrt(d) and lambda_i = w_i.x/sqrt(d):

        y = (1/k) sum_r sigma(lambda*_r) + sqrt(noise) zeta,    f = (1/p) sum_i sigma(lambda_i),    e = y - f
        w_i <- w_i + (gamma/(p sqrt(d))) (1/batch) sum_s sigma'(lambda_i^s) e^s x^s

    **Arguments:**

    - `d`: input dimension.
    - `p`: width of the student.
    - `k`: width of the teacher.
    - `gamma`: learning rate.
    - `noise`: variance Delta of the label noise.
    - `activation`: sigma, of teacher and student.
    - `batch`: fresh samples per step.
    - `scaling`: how p, gamma and batch grow with d. Without it they do not (kappa = delta = mu = 0), and dt = 1/d.

    **Raises:** ArgumentError where a value is out of range.
    """

    system: ClassVar[str] = "committee"
    order_parameters: ClassVar[tuple[str, ...]] = ("M", "Q")

    d: int
    gamma: float
    noise: float
    p: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    activation: Activation
    scaling: Scaling

    def __init__(
        self,
        *,
        d: int,
        p: int,
        k: int,
        gamma: Real,
        noise: Real = 0.0,
        activation: Activation | None = None,
        batch: int = 1,
        scaling: Scaling | None = None,
    ) -> None:
        for name, count, least in (("d", d, 2), ("p", p, 1), ("k", k, 1), ("batch", batch, 1)):
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise ArgumentError(name, f"be an integer >= {least}", count)
        if not (math.isfinite(gamma) and gamma > 0):
            raise ArgumentError("gamma", "be finite and > 0", gamma)
        if not (math.isfinite(noise) and noise >= 0):
            raise ArgumentError("noise", "be finite and >= 0", noise)
        self.d, self.p, self.k, self.batch = d, p, k, batch
        self.gamma, self.noise = float(gamma), float(noise)
        self.activation = Erf() if activation is None else activation
        self.scaling = scaling or Scaling(0.0, 0.0, p0=float(p), gamma0=float(gamma), b0=float(batch))

    @classmethod
    def from_scaling(
        cls,
        *,
        d: int,
        k: int,
        kappa: Real = 0.0,
        delta: Real = 0.0,
        p0: Real = 1.0,
        gamma0: Real | None = None,
        noise: Real = 0.0,
        activation: Activation | None = None,
        batch: int | None = None,
        b0: Real | None = None,
        mu: Real | None = None,
        rho: Real = 0.0,
    ) -> "Committee":
        """The problem at dimension d of the scaling p = round(p0 d^kappa), gamma = gamma0 d^-delta batch^rho.

        gamma0 defaults to p0, the choice of Veiga et al. The batch is fixed (1 if it is left out), or round(b0 d^mu),
        where b0 defaults to 1 and mu to 0. The exponents that p and batch realise are in `parameters()`.
        """
        for name, exponent in (("kappa", kappa), ("delta", delta), ("rho", rho)):
            if not math.isfinite(exponent):
                raise ArgumentError(name, "be finite", exponent)
        gamma0 = p0 if gamma0 is None else gamma0
        for name, prefactor in (("p0", p0), ("gamma0", gamma0)):
            if not (math.isfinite(prefactor) and prefactor > 0):
                raise ArgumentError(name, "be finite and > 0", prefactor)
        if isinstance(d, bool) or not isinstance(d, int) or d < 2:
            raise ArgumentError("d", "be an integer >= 2", d)
        p = round(p0 * float(d) ** kappa)
        if p < 1:
            raise ArgumentError("p0", "give a student of at least one unit, p = round(p0 d^kappa) >= 1", p0)
        batch, b0, mu = _scale_batch(d, batch, b0, mu)
        return cls(
            d=d,
            p=p,
            k=k,
            gamma=gamma0 * float(d) ** -delta * float(batch) ** rho,
            noise=noise,
            activation=activation,
            batch=batch,
            scaling=Scaling(float(kappa), float(delta), float(p0), float(gamma0), b0=b0, mu=mu, rho=float(rho)),
        )

    @property
    def dt(self) -> float:
        """Time of one step; see `Scaling`."""
        return self.scaling.time_step(self.d)

    @property
    def samples_per_step(self) -> float:
        """The batch: every sample is fresh and used once."""
        return float(self.batch)

    @property
    def region(self) -> Region:
        """Region of the phase diagram."""
        return self.scaling.region

    @property
    def step_size(self) -> float:
        """c = gamma/(p d): the size of one step's change of M."""
        return self.gamma / (self.p * self.d)

    def scale(self, steps: int) -> float:
        """What Q gains in so many steps where nothing holds it back: (gamma/p)^2 (1 + noise)/d in each.

        In the red region Q grows without end, but no faster than this.
        """
        rate = self.gamma / self.p
        return rate * rate * (1 + self.noise) / self.d * steps

    def parameters(self) -> dict[str, Scalar]:
        """Constants, realised exponents and time scale, by name.

        `kappa_realised` is log(p/p0)/log(d): the exponent of the rounded p; `mu_realised` that of the batch. `log_p` is
        the theorem's factor beside sqrt(dt).
        """
        scaling = self.scaling
        return {
            "d": self.d,
            "p": self.p,
            "k": self.k,
            "gamma": self.gamma,
            "noise": self.noise,
            "batch": self.batch,
            "activation": self.activation.name,
            "kappa": scaling.kappa,
            "delta": scaling.delta,
            "theta": scaling.theta,
            "p0": scaling.p0,
            "gamma0": scaling.gamma0,
            "b0": scaling.b0,
            "mu": scaling.mu,
            "rho": scaling.rho,
            "mu_realised": math.log(self.batch / scaling.b0) / math.log(self.d),
            "kappa_realised": math.log(self.p / scaling.p0) / math.log(self.d),
            "log_p": math.log(self.p),
            "dt": self.dt,
            "region": str(self.region),
        }


def _scale_batch(d: int, batch: int | None, b0: Real | None, mu: Real | None) -> tuple[int, float, float]:
    """The realised batch, b0 and mu, from a fixed batch or from b0 and mu."""
    if b0 is None and mu is None:
        batch = 1 if batch is None else batch
        return batch, float(batch), 0.0
    if batch is not None:
        raise ArgumentError("batch", "not be given beside b0 or mu", batch, "Keep either batch, or b0 and mu.")
    b0, mu = 1.0 if b0 is None else float(b0), 0.0 if mu is None else float(mu)
    if not (math.isfinite(b0) and b0 > 0):
        raise ArgumentError("b0", "be finite and > 0", b0)
    if not (math.isfinite(mu) and mu >= 0):
        raise ArgumentError("mu", "be finite and >= 0", mu, "No batch falls below one sample as d grows.")
    batch = round(b0 * float(d) ** mu)
    if batch < 1:
        raise ArgumentError("b0", "give a batch of at least one sample, batch = round(b0 d^mu) >= 1", b0)
    return batch, b0, mu
