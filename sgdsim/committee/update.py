"""How weights follow their gradients: the plain step, or one with decay, momentum, a sphere, limited lengths, ..."""

from dataclasses import dataclass
from typing import Annotated

from sgdsim.checks import check_fields
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.average import Average
from sgdsim.rules.momentum import Momentum
from sgdsim.rules.rule import Rule
from sgdsim.rules.schedule import Schedule, Timed
from sgdsim.rules.wrapped import Clipped, Decay, Normalised, Reused, Spherical

_TOGETHER = (
    ("momentum_gap", "momentum", "Keep the one or the other: momentum = 1 - momentum_gap/d."),
    ("decay", "spherical", "Leave the decay out: it would only shorten weights whose length is set anew."),
    ("normalised", "clip", "Leave out clip: a gradient of length 1 needs no clipping, and gamma is the step."),
    ("average", "reuse", "Average over steps that use a batch once, reuse = 1."),
)
"""Pairs of which one must be left out, each with what to do."""


@dataclass(frozen=True)
class Update:
    """The step of the first layer, w_i <- w_i + g_i with g_i = (gamma/(p sqrt(d))) a_i sigma'(lambda_i) (y - f) x.

        correlation    g_i with y in place of y - f: SGD on the loss -y f; of the second layer too
        decay          w_i <- (1 - gamma decay/(p d)) w_i + g_i; the second layer does not decay
        spherical      w_i <- sqrt(d) (w_i + g_i)/|w_i + g_i|, and at t = 0 w_i <- sqrt(d) w_i/|w_i|
        clip           g_i <- g_i min(1, clip/|grad|), |grad| = |g|/gamma with |g|^2 = sum_i |g_i|^2 over all units
        normalised     g_i <- gamma g_i/|g|
        momentum       u_i <- mu u_i + g_i,    w_i <- w_i + u_i,    u_i = 0 at t = 0; of the second layer too
        momentum_gap   momentum with mu = 1 - momentum_gap/d
        reuse          every batch makes so many steps, one after the other (Dandi et al. 2024)
        average        the mean of all iterates of both layers is followed too (Polyak & Juditsky 1992)

    They stand in the order in which they act. Decay is part of what a velocity is kicked with, as in most libraries;
    lengths set by `spherical` are those of weights, not of velocities. g is that of a whole batch.

    **Raises:** ArgumentError where a value is out of range, or two do not go together.
    """

    decay: Annotated[float, Parameter("w", "weight decay", least=0)] = 0.0
    momentum: Annotated[float, Parameter(r"\mu", "momentum", least=0, below=1)] = 0.0
    momentum_gap: Annotated[float, Parameter("c", "momentum 1 - c/d, 0: none", least=0)] = 0.0
    spherical: Annotated[bool, Parameter("", "whether every unit keeps the length |w|^2 = d")] = False
    normalised: Annotated[bool, Parameter("", "whether gradients have length 1, all units together")] = False
    clip: Annotated[float, Parameter("", "the longest gradient, all units together, 0: any", least=0)] = 0.0
    correlation: Annotated[bool, Parameter("", "whether f is left out of the error y - f")] = False
    reuse: Annotated[int, Parameter("", "steps that every batch makes", least=1, most=16)] = 1
    average: Annotated[bool, Parameter("", "whether the mean of the iterates is followed too")] = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, other, remedy in _TOGETHER:
            if self._given(name) and self._given(other):
                raise ArgumentError(name, f"not be given beside {other}", getattr(self, name), remedy)

    def _given(self, name: str) -> bool:
        return getattr(self, name) != getattr(Update, name)

    @property
    def plain(self) -> bool:
        """Whether it is the plain step."""
        return self == Update()

    @property
    def limits(self) -> bool:
        """Whether lengths of gradients are limited."""
        return self.normalised or self.clip > 0

    def gap(self, d: int) -> float:
        """1 - mu. **Raises:** ArgumentError where mu is not >= 0 in this dimension."""
        if self.momentum_gap >= d:
            raise ArgumentError("momentum_gap", f"be below d = {d}, for momentum 1 - momentum_gap/d", self.momentum_gap)
        return self.momentum_gap / d if self.momentum_gap else 1 - self.momentum

    def around(self, rule: Rule, d: int, schedules: tuple[Schedule, Schedule] | None) -> Rule:
        """The rule of a network with this update in place of the plain one; `rule.rate` is gamma/(p d).

        `correlation` is the network's own. The schedules are those of both layers.
        """
        vectors, theta, root_d = rule.sizes.moving, rule.sizes.numbers, d**0.5
        gamma = rule.rate * vectors * d
        if self.decay:
            rule = Decay(rule, self.decay * rule.rate)
        if self.spherical:
            rule = Spherical(rule)
        if self.clip:
            rule = Clipped(rule, gamma * self.clip / root_d)
        if self.normalised:
            rule = Normalised(rule, gamma / root_d)
        if schedules is not None:
            rule = Timed(rule, *schedules)
        if self.gap(d) < 1:
            rule = Momentum(rule, self.gap(d))
        if self.average:
            rule = Average(rule, vectors, theta, names=("excess_risk",))
        return rule if self.reuse == 1 else Reused(rule, self.reuse)
