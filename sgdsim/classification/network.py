"""The kernel: relu networks of one width on a tile of seeds, by matrix products."""

from functools import lru_cache
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from sgdsim.classification.labels import random_labels
from sgdsim.classification.observables import wasserstein
from sgdsim.classification.problem import Classification
from sgdsim.classification.starts import uniform_weights
from sgdsim.contracts import Initial, Kernel, Observables
from sgdsim.ensemble.histograms import bin_fractions
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.random import fold
from sgdsim.ensemble.shuffle import shuffled
from sgdsim.images.images import Images

PIXEL = 0
"""The input whose weights are compared with those of other seeds: the corner, black in nearly all images."""
_PASS = 2**22
"""Hidden values of one network that are held at once to measure it."""


class Labelled(eqx.Module):
    """Images of one part of a data set, in the precision of the loop."""

    images: Float[Array, "count pixels"]
    labels: Int[Array, " count"]


@lru_cache(maxsize=4)
def _labelled(images: Images, dtype: Any) -> tuple[Labelled, Labelled]:
    """Training and test images; problems of the same data share one copy."""
    parts = ((images.train, images.train_labels), (images.test, images.test_labels))
    train, test = (Labelled(jnp.asarray(part, dtype), jnp.asarray(labels, jnp.int32)) for part, labels in parts)
    return train, test


class NetworkState(eqx.Module):
    """A tile of networks; `step` counts the steps made."""

    W1: Float[Array, "lanes N pixels"]
    W2: Float[Array, "lanes N classes"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class NetworkKernel(Kernel):
    """SGD of networks that differ in their seeds: start and order of the images.

    A step costs about 4 batch N d operations a network, in two matrix products.
    """

    kept: ClassVar[tuple[str, ...]] = (
        "test_loss",
        "train_loss",
        "train_accuracy",
        "test_accuracy",
        "fit_accuracy",
        "weight_norm",
        "dead_fraction",
        "seed_distance",
        "histogram",
        "active_histogram",
    )
    joint: ClassVar[tuple[str, ...]] = ("seed_distance",)

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    N: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    classes: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    eps: float
    weight_decay: float
    random_steps: int
    scales: tuple[float, float]
    train: Labelled
    test: Labelled
    active: Int[Array, " active"]
    edges: Float[Array, " edges"]

    @classmethod
    def of(cls, problem: Classification, dtype: Any, lanes: int) -> "NetworkKernel":
        """The kernel of a problem, with tiles of so many networks."""
        images = problem.images
        train, test = _labelled(images, jnp.dtype(dtype))
        return cls(
            lanes=lanes,
            segment=1,
            N=problem.N,
            batch=problem.batch,
            classes=images.classes,
            dtype=jnp.dtype(dtype),
            eps=problem.eps,
            weight_decay=problem.weight_decay,
            random_steps=problem.random_steps,
            scales=problem.scales,
            train=train,
            test=test,
            active=jnp.asarray(images.active),
            edges=jnp.asarray(problem.bin_edges),
        )

    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> NetworkState:
        """Uniform weights from each replica's key."""
        W1, W2 = uniform_weights((keys[0], keys[1]), self.N, self.train.images.shape[1], self.classes)
        first, second = self.scales
        W1, W2 = (W1 * first).astype(self.dtype), (W2 * second).astype(self.dtype)
        return NetworkState(W1=W1, W2=W2, keys=keys, step=jnp.zeros((), jnp.int64))

    def advance(self, state: NetworkState, n_steps: Int[Array, ""]) -> NetworkState:
        """The state after n_steps more batches."""
        return steps_loop(0, jnp.asarray(n_steps, jnp.int64), lambda _, state: self._step(state), state)

    def _step(self, state: NetworkState) -> NetworkState:
        """One batch for every network."""
        # Images are gathered by network: lanes do not share batches.
        chosen = jax.vmap(self._chosen, in_axes=(1, None))(state.keys, state.step)
        random = state.step < self.random_steps
        labels = jax.vmap(self._labels, in_axes=(1, 0, None))(state.keys, chosen, random)
        decay = jnp.where(random, 0.0, self.weight_decay).astype(self.dtype)
        W1, W2 = jax.vmap(self._moved, in_axes=(0, 0, 0, 0, None))(state.W1, state.W2, chosen, labels, decay)
        return NetworkState(W1=W1, W2=W2, keys=state.keys, step=state.step + 1)

    def _labels(
        self, key: UInt32[Array, "2"], images: Int[Array, " images"], random: Bool[Array, ""]
    ) -> Int[Array, " images"]:
        """The random labels of training images, or the right ones."""
        return jnp.where(random, random_labels((key[0], key[1]), images, self.classes), self.train.labels[images])

    def _chosen(self, key: UInt32[Array, "2"], step: Int[Array, ""]) -> Int[Array, " batch"]:
        """The images of a step: the next places in the order of its epoch."""
        count = self.train.images.shape[0]
        # What is left of an epoch when no full batch can be made is not used: all batches have one shape.
        epoch, place = jnp.divmod(step, count // self.batch)
        return shuffled(fold((key[0], key[1]), epoch), place * self.batch + jnp.arange(self.batch), count)

    def _moved(
        self,
        W1: Float[Array, "N pixels"],
        W2: Float[Array, "N classes"],
        chosen: Int[Array, " batch"],
        labels: Int[Array, " batch"],
        decay: Float[Array, ""],
    ) -> tuple[Float[Array, "N pixels"], Float[Array, "N classes"]]:
        """W - eps (N grad loss + decay W), of one network on a batch."""
        x, eps = self.train.images[chosen], jnp.asarray(self.eps, self.dtype)
        hidden = _product(W1, x.T)
        out = _product(jax.nn.relu(hidden).T, W2) / self.N
        error = (jax.nn.softmax(out) - jax.nn.one_hot(labels, self.classes, dtype=self.dtype)) / self.batch
        # The derivative of the ReLU at 0 is 0 here, as torch has it.
        back = jnp.where(hidden > 0, _product(W2, error.T), 0)
        # Inside the brackets a decay of 0 changes no bit, however the compiler joins products and sums.
        first, second = _product(back, x) + decay * W1, _product(jax.nn.relu(hidden), error) + decay * W2
        return W1 - eps * first, W2 - eps * second

    def observe(self, state: NetworkState) -> Observables:
        """The observables of the system, float64, lanes last: one network after another."""
        # Of the last step: where the right labels have just come, what is fitted are still the random ones.
        random = (state.step <= self.random_steps) & (self.random_steps > 0)
        # A network at a time: the hidden units of all images are the largest arrays there are.
        seen = jax.lax.map(lambda one: self._seen(one[0], one[1], one[2], random), (state.W1, state.W2, state.keys.T))
        if self.lanes > 1:
            weights = state.W1[:, :, PIXEL]
            seen["seed_distance"] = jax.vmap(wasserstein)(weights, jnp.roll(weights, -1, axis=0))
        return {name: jnp.moveaxis(value, 0, -1) for name, value in seen.items()}

    def _seen(
        self,
        W1: Float[Array, "N pixels"],
        W2: Float[Array, "N classes"],
        key: UInt32[Array, "2"],
        random: Bool[Array, ""],
    ) -> Observables:
        """Observables of one network."""
        given = self._labels(key, jnp.arange(self.train.images.shape[0]), random)
        train_loss, train_accuracy, fit_accuracy, alive = self._measured(W1, W2, self.train, given)
        test_loss, test_accuracy, _, _ = self._measured(W1, W2, self.test, self.test.labels)
        squares = sum(jnp.sum(weights.astype(jnp.float64) ** 2) for weights in (W1, W2))
        return {
            "test_loss": test_loss,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_accuracy": test_accuracy,
            "fit_accuracy": fit_accuracy,
            "weight_norm": jnp.sqrt(squares / self.N),
            "dead_fraction": jnp.mean(~alive, dtype=jnp.float64),
            "histogram": bin_fractions(W1[:, PIXEL][:, None], self.edges)[:, 0],
            "active_histogram": bin_fractions(W1[:, self.active].reshape(-1, 1), self.edges)[:, 0],
        }

    def _measured(
        self,
        W1: Float[Array, "N pixels"],
        W2: Float[Array, "N classes"],
        data: Labelled,
        given: Int[Array, " count"],
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""], Bool[Array, " N"]]:
        """Mean loss and accuracy over all images, accuracy on labels that are given, and which units are alive.

        A unit is alive that is above 0 on any image. A number of images at a time.
        """
        count = data.images.shape[0]
        rows = images_at_once(self.N, count)

        def add(index: Int[Array, ""], sums: Any) -> Any:
            loss, right, fitted, alive = sums
            # The last pass reaches back to be as long as the others; what it has seen before is not counted again.
            begin = jnp.minimum(index * rows, count - rows)
            new = jnp.arange(rows) + begin >= index * rows
            images = jax.lax.dynamic_slice_in_dim(data.images, begin, rows)
            labels, asked = (jax.lax.dynamic_slice_in_dim(part, begin, rows) for part in (data.labels, given))
            hidden = _product(W1, images.T)
            out = (_product(jax.nn.relu(hidden).T, W2) / self.N).astype(jnp.float64)
            each = -jnp.take_along_axis(jax.nn.log_softmax(out), labels[:, None], axis=1)[:, 0]
            largest = jnp.argmax(out, axis=1)
            return (
                loss + jnp.sum(jnp.where(new, each, 0)),
                right + jnp.sum((largest == labels) & new),
                fitted + jnp.sum((largest == asked) & new),
                alive | jnp.any(hidden > 0, axis=1),
            )

        none = jnp.zeros((), jnp.int64)
        sums = jax.lax.fori_loop(0, -(-count // rows), add, (jnp.zeros(()), none, none, jnp.zeros(self.N, bool)))
        loss, right, fitted, alive = sums
        return loss / count, right / count, fitted / count, alive


def images_at_once(N: int, count: int) -> int:
    """Images of `count` whose hidden values are held at once to measure one network."""
    return min(count, max(1, _PASS // N))


def _product(left: Float[Array, "rows inner"], right: Float[Array, "inner columns"]) -> Float[Array, "rows columns"]:
    # A GPU would otherwise multiply in TF32, with 10 bits of the 24 of float32.
    return jnp.matmul(left, right, precision="highest")
