"""SGD on the full weights of a committee whose inputs are of any law."""

from functools import partial

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.frame import Frame, vectors_in
from sgdsim.committee.sampled_risk import SampledRisk
from sgdsim.contracts import Observables
from sgdsim.ensemble.inputs import InputsForm, given_inputs
from sgdsim.ensemble.random import Key, fold
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.weights import RuleWeights, WeightsState
from sgdsim.training.kernel import DATA


class LawWeights(RuleWeights):
    """A committee on inputs of a law, with `rule` as on Gaussian ones: what a step does depends on fields alone.

    - `risk`: the excess risk over test inputs of the law, with the law and the network.
    - `frame`: rows that are orthonormal, (n, d), see `spread_frame`. Vectors begin in their span, in place of the first
      coordinates: to inputs that are not rotation invariant a coordinate is no direction like any other.
    """

    risk: SampledRisk = eqx.field(kw_only=True)
    frame: Frame = eqx.field(kw_only=True)

    def observe(self, state: WeightsState) -> Observables:
        """M and Q are overlaps as ever; the excess risk is a mean over test inputs, others at every step."""
        network = self.risk.network
        key = fold((state.keys[0], state.keys[1]), state.step)
        W, a = state.W[:, : network.p], state.numbers[:, : network.sizes.numbers]
        return super().observe(state) | {"excess_risk": self.risk(key, W, state.teacher, a)}

    def _vectors(self, start: Overlaps) -> tuple[Float[Array, "*replicas k d"], Float[Array, "*replicas n d"]]:
        """Those of the plain frame, turned: overlaps stay as they are."""
        return vectors_in(start, self.frame)

    def _form(self) -> InputsForm:
        def drawn(key: Key, samples: int) -> Float[Array, "lanes samples d"]:
            return self.risk.law.draw(fold(key, DATA), jnp.arange(samples, dtype=jnp.uint32), self.d, self.dtype)

        return partial(given_inputs, drawn=drawn)
