"""Inputs that are rows of a data set, drawn with replacement, and those of a function of one's own."""

from os import PathLike, fspath
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.ensemble.random import Key
from sgdsim.errors import ArgumentError
from sgdsim.images.images import DIGITS, MNIST5K, load_images
from sgdsim.training.inputs import InputLaw
from sgdsim.training.structured import check_dimension
from sgdsim.training.uniforms import row_words

PROBES = 4096
"""Inputs of a function that are looked at before they are used."""
STRAY = 6.0
"""Standard errors by which their mean square may be off, as well as 2 %."""
CHI2 = 25.0
"""Times what chance has, on average, that the square of their mean may be."""


class DataRows(InputLaw):
    """Rows of a matrix X (n, d), drawn with replacement: each with probability 1/n.

    The mean over the rows is taken from every component, and all are divided by one number, so that the mean of |x|^2
    is d. The law has no more than n values of x: its covariance is that of the rows.

    **Raises:** ArgumentError unless X is a finite matrix whose rows differ.
    """

    name: ClassVar[str] = "rows"
    X: Float[Array | np.ndarray, "n d"]

    def __init__(self, X: Any) -> None:
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or not X.size or not np.isfinite(X).all():
            raise ArgumentError("X", "be a matrix (n, d) of finite numbers", X.shape)
        centred = X - X.mean(axis=0)
        scale = np.sqrt((centred**2).mean())
        if not scale > 1e-12 * np.abs(X).max():
            raise ArgumentError("X", "have rows that differ", X.shape)
        self.X = centred / scale

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """Row floor(n word 2^-32) of X: a row's probability is 1/n up to 2^-32."""
        word = row_words(key, rows, 1)[0][:, :, 0]
        chosen = (word.astype(jnp.uint64) * np.uint64(self.X.shape[0])) >> np.uint64(32)
        return jnp.asarray(self.X, dtype)[chosen.astype(jnp.int32)]

    def check(self, problem: Any) -> None:
        """Raises ArgumentError unless the rows have d numbers."""
        check_dimension(problem, self.X.shape[1], "the numbers in a row of the data")

    def cost(self, d: int) -> tuple[float, float]:
        """A step reads its rows, and draws nothing else."""
        return 2.0 * d, 0.0


class ImageRows(InputLaw):
    """The training images of a data set as inputs, d pixels each: "digits", "mnist5k", or a folder, IDX or CIFAR-10.

    See `DataRows`, and `sgdsim.images.images.load_images` for the data.

    **Raises:** ArgumentError where there are no such data.
    """

    data: str = eqx.field(static=True)
    digest: str = eqx.field(static=True)

    def __init__(self, data: str | PathLike[str]) -> None:
        if not isinstance(data, str | PathLike):
            raise ArgumentError("data", "be the name of a data set or the path of a folder", data)
        self.data = fspath(data)
        # Read when the law is made: a folder that is written anew later is then noticed, see `at`.
        self.digest = load_images(self.data).digest

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the data set, or "idx" of a folder."""
        return self.data if self.data in (DIGITS, MNIST5K) else "idx"

    def at(self, d: int) -> DataRows:
        """With the rows. **Raises:** ArgumentError where the folder holds other images than before."""
        images = load_images(self.data)
        if images.digest != self.digest:
            must = f"hold the images that it held, of digest {self.digest}"
            raise ArgumentError("data", must, images.digest, "Make the problem again for those that are there now.")
        return DataRows(images.train)

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """See `InputLaw`."""
        return self.at(d).draw(key, rows, d, dtype)

    def check(self, problem: Any) -> None:
        """Raises ArgumentError unless the images have d pixels."""
        check_dimension(problem, load_images(self.data).pixels, f"the pixels of {self.name}")

    def cost(self, d: int) -> tuple[float, float]:
        """A step reads its rows, and draws nothing else."""
        return 2.0 * d, 0.0

    def digests(self) -> dict[str, str]:
        """The digest of the data set."""
        return {self.data: self.digest}


class FunctionInputs(InputLaw):
    """Inputs x = function(key, d) of a key of `jax.random`, one of its own for every input; x is (d,), of JAX.

        FunctionInputs(lambda key, d: jax.random.t(key, 5.0, (d,)) * (3 / 5) ** 0.5)

    **Raises:** ArgumentError unless it is a function; see `check`.
    """

    function: Any = eqx.field(static=True)
    label: str | None = eqx.field(static=True, default=None)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ArgumentError("function", "be a function of a key and d", self.function)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The label, or else the function's own name."""
        return self.label or getattr(self.function, "__name__", "function")

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """function of the key of both words of the counter (row, 0)."""
        words = jnp.stack([word[:, :, 0] for word in row_words(key, rows, 1)], axis=-1)
        keys = jax.random.wrap_key_data(words, impl="threefry2x32")
        return jax.vmap(jax.vmap(lambda one: self.function(one, d)))(keys).astype(dtype)

    def check(self, problem: Any) -> None:
        """Raises ArgumentError unless it makes d finite numbers with E x = 0 and E|x|^2 = d, as far as samples tell."""
        remedy = "Write it with jax.random and jax.numpy, e.g. lambda key, d: jax.random.normal(key, (d,))."
        d, probe = problem.d, jax.random.key(0)
        try:
            made = jax.eval_shape(lambda key: self.function(key, d), probe)
        except (TypeError, ValueError, IndexError) as error:
            raise ArgumentError("inputs", f"be a function of a key and d = {d} by JAX", self.name, remedy) from error
        if getattr(made, "shape", None) != (d,) or not jnp.issubdtype(made.dtype, jnp.floating):
            raise ArgumentError("inputs", f"make d = {d} numbers, of shape ({d},)", made, remedy)
        count = max(64, min(PROBES, 2**22 // d))
        _check_moments(np.asarray(jax.vmap(lambda key: self.function(key, d))(jax.random.split(probe, count))))


def _check_moments(x: Float[np.ndarray, "count d"]) -> None:
    """Raises ArgumentError where the mean of x is not 0, or that of |x|^2 is not d."""
    if not np.isfinite(x).all():
        raise ArgumentError("inputs", "be finite", "numbers that are not")
    count, d = x.shape
    square = (x**2).mean(axis=1)
    off, error = square.mean() - 1, square.std() / count**0.5
    if abs(off) > max(STRAY * error, 0.02):
        remedy = "Divide x by the root of that."
        raise ArgumentError("inputs", "have E|x|^2 = d", f"{square.mean():.4g} d", remedy)
    # Of independent inputs, the square of the mean over `count` of them is E|x|^2/count, times chi^2 where x is a line.
    mean = float((x.mean(axis=0) ** 2).sum())
    if mean > CHI2 * square.mean() * d / count:
        raise ArgumentError("inputs", "have mean 0", f"|E x|^2 = {mean:.3g}", "Take the mean away.")
