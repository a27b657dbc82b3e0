"""How parameters follow their gradients: any transformation of optax, by name or as it is."""

import abc
from typing import Annotated, Any, ClassVar

import equinox as eqx
import optax

from sgdsim.checks import check_fields, lenient
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter

BETA = Parameter(r"\beta_2", "memory of the squares of gradients", least=0, below=1)


class Optimiser(eqx.Module):
    """theta <- theta + rate s(t) U(g, state, theta), with U a transformation of optax at learning rate 1.

    It is handed the gradient g of the empirical risk of the batch in the scale of the model, in which one datum has
    entries of order 1, see `TrainedModel.gradient`; the rate is the model's, and a schedule s(t) multiplies it. So
    plain SGD, U = -g, is the model's own step.
    """

    name: ClassVar[str]
    """As in an experiment file."""

    @property
    def plain(self) -> bool:
        """Whether it is U = -g."""
        return False

    turns: ClassVar[bool] = False
    """Whether its steps turn with the coordinates, as those of an optimiser that takes entries one by one do not."""

    @property
    def copies(self) -> int:
        """Arrays of the parameters' size that its state holds, for plans."""
        return 0

    @abc.abstractmethod
    def transformation(self, unit: Any, root: Any) -> optax.GradientTransformation:
        """U. See `Named` for the scales `unit` and `root`, in which lengths of gradients and decays are given."""


class OptaxUpdate(Optimiser):
    """A transformation of optax as it is: its learning rate, mostly 1, is a factor of the problem's.

    Programs are compiled for each object: make it once.
    """

    given: optax.GradientTransformation = eqx.field(static=True)
    name: ClassVar[str] = "optax"

    @property
    def copies(self) -> int:
        """Those of Adam, which few have more than."""
        return 2

    def transformation(self, unit: Any, root: Any) -> optax.GradientTransformation:
        """The transformation of optax that was given."""
        return self.given


class Named(Optimiser):
    """One with a name, U = -(D(C(g)) + (decay/root) theta): lengths are limited first, decay is beside all else.

    C(g) = g min(1, unit clip/|g|), with |g| over all parameters. `unit` is what one length of the empirical risk's own
    gradient is in the scale of g, and `root` such that rate decay/root is the share that decay takes from the weights
    in a step; both are the model's, and make `clip` and `decay` what they are without optax.
    """

    decay: Annotated[float, Parameter("w", "weight decay", least=0)] = 0.0
    clip: Annotated[float, Parameter("", "the longest gradient, all units together, 0: any", least=0)] = 0.0

    decays: bool = eqx.field(static=True, init=False, default=False)
    clips: bool = eqx.field(static=True, init=False, default=False)
    """Whether either is another number than 0: a traced one could not be asked."""

    def __post_init__(self) -> None:
        check_fields(self)
        self.decays, self.clips = not _is_zero(self.decay), not _is_zero(self.clip)

    @abc.abstractmethod
    def direction(self) -> optax.GradientTransformation:
        """The direction D of a step, as a transformation of optax."""

    def transformation(self, unit: Any, root: Any) -> optax.GradientTransformation:
        """U; what is 0 is left out."""
        limit = (optax.clip_by_global_norm(self.clip * unit),) if self.clips else ()
        decay = (optax.add_decayed_weights(self.decay / root),) if self.decays else ()
        return optax.chain(*limit, self.direction(), *decay, optax.scale(-1.0))


def _is_zero(value: Any) -> bool:
    """Whether it is Python's zero: one that is traced may be any number."""
    return isinstance(value, float) and value == 0


@lenient
class SGD(Named):
    """D(g) = g."""

    name: ClassVar[str] = "sgd"
    turns: ClassVar[bool] = True

    @property
    def plain(self) -> bool:
        """Without decay and clip."""
        return not (self.decays or self.clips)

    def direction(self) -> optax.GradientTransformation:
        """The gradient itself, D(g) = g."""
        return optax.identity()


@lenient
class HeavyBall(Named):
    """u <- momentum u + g, D = u."""

    momentum: Annotated[float, Parameter(r"\mu", "momentum", least=0, below=1)] = 0.9
    name: ClassVar[str] = "momentum"
    turns: ClassVar[bool] = True
    nesterov: ClassVar[bool] = False

    @property
    def copies(self) -> int:
        """One copy of the parameters: the velocity u."""
        return 1

    def direction(self) -> optax.GradientTransformation:
        """The trace of optax: u <- mu u + g."""
        return optax.trace(self.momentum, self.nesterov)


@lenient
class Nesterov(HeavyBall):
    """u <- momentum u + g, D = momentum u + g."""

    name: ClassVar[str] = "nesterov"
    nesterov: ClassVar[bool] = True


@lenient
class Adam(Named):
    """m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2, D = m^/(sqrt(v^) + epsilon), without bias.

    With `decay` it is AdamW.
    """

    beta1: Annotated[float, Parameter(r"\beta_1", "memory of gradients", least=0, below=1)] = 0.9
    beta2: Annotated[float, BETA] = 0.999
    epsilon: Annotated[float, Parameter(r"\epsilon", "added to the roots of squares", above=0)] = 1e-8
    name: ClassVar[str] = "adam"

    @property
    def copies(self) -> int:
        """Two copies of the parameters: the means m and v."""
        return 2

    def direction(self) -> optax.GradientTransformation:
        """Adam without its rate, as optax has it."""
        return optax.scale_by_adam(self.beta1, self.beta2, self.epsilon)


@lenient
class RMSProp(Named):
    """v <- beta2 v + (1 - beta2) g^2, D = g/sqrt(v + epsilon)."""

    beta2: Annotated[float, BETA] = 0.9
    epsilon: Annotated[float, Parameter(r"\epsilon", "added to the squares", above=0)] = 1e-8
    name: ClassVar[str] = "rmsprop"

    @property
    def copies(self) -> int:
        """One copy of the parameters: the mean square v."""
        return 1

    def direction(self) -> optax.GradientTransformation:
        """RMSProp without its rate, as optax has it."""
        return optax.scale_by_rms(self.beta2, self.epsilon)


@lenient
class SignDescent(Named):
    """D(g) = sign(g), in every entry."""

    name: ClassVar[str] = "sign"

    def direction(self) -> optax.GradientTransformation:
        """The sign of every entry, as optax has it."""
        return optax.scale_by_sign()


OPTIMISERS: dict[str, type[Named]] = {one.name: one for one in (SGD, HeavyBall, Nesterov, Adam, RMSProp, SignDescent)}
"""Those of experiment files."""


def as_optimiser(given: Any) -> Optimiser:
    """An optimiser as it is, and a transformation of optax as one. **Raises:** ArgumentError for anything else."""
    if isinstance(given, Optimiser):
        return given
    if not isinstance(given, optax.GradientTransformation):
        remedy = "Write Adam(), or a transformation of optax with learning rate 1: optax.adam(1.0)."
        raise ArgumentError("optimiser", "be an Optimiser, or a transformation of optax", given, remedy)
    return OptaxUpdate(given)
