"""The problem: a two-layer network that learns to tell images apart, at a learning rate gamma N^beta."""

from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import Annotated, ClassVar, Literal

import equinox as eqx
import numpy as np
from jaxtyping import Float

from sgdsim.checks import check_fields, interval, lenient
from sgdsim.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError
from sgdsim.images.images import DIGITS, Images, load_images
from sgdsim.parameters import Parameter, given

Init = Literal["torch", "fixed"]

EDGE = 50.0
"""eps |x|^2 from which on a user is told that units may die.

Measured at beta = 1: digits at 32 lose 0.2 % of the units, at 64 up to 10 %; mnist5k 0.03 % at 235, 80 % at 784.
"""
TORCH_WIDTH = 100
"""The width at which the two laws of the start are the same."""
MANY_STEPS = 20_000
"""Steps per unit of time from which on a user is told."""


@lenient
class Classification(Problem):
    """SGD of a relu network on images (De Bortoli, Durmus, Fontaine & Simsekli, arXiv:2007.06352, section 4).

        out(x) = (1/N) sum_k W2_k relu(W1_k . x)                          no biases; W1_k in R^d, W2_k in R^classes
        loss = mean over a batch of -log softmax(out)_label
        W <- W - gamma N^beta grad_W loss = W - eps (N grad_W loss),     eps = gamma N^(beta - 1),  t = n eps

    N grad_W loss is the gradient without the 1/N of the output: a hidden unit is a particle that moves by eps in a
    step. Every epoch goes through the training images in a new random order; what is left when no full batch can be
    made is dropped until the next.

    `data` is "digits", "mnist5k", or a folder of the IDX files of MNIST or the binary files of CIFAR-10; pixels are
    standardised over the training images. `init` is "torch", W1 ~ U(-1/sqrt(d), 1/sqrt(d)) and W2 ~ U(-1/sqrt(N),
    1/sqrt(N)); or "fixed", W2 ~ U(-0.1, 0.1) whatever N, which is torch's law at N = 100.

    In the first `random_labels` epochs every training image has a random label instead of its own, uniform over the
    classes, the same in all of them, drawn for each replica (Liu, Papailiopoulos & Achlioptas, arXiv:1906.02613). With
    the right labels comes `weight_decay`, in the loss

        loss + (weight_decay/2) (1/N) sum_k (|W1_k|^2 + |W2_k|^2),     so    W <- (1 - eps weight_decay) W - ...

    the term of each unit, as the loss has the 1/N: its weights decay as exp(-weight_decay t), whatever N. No decay acts
    in the epochs of random labels, so that runs with and without it begin alike.

    **Raises:** ArgumentError where a value is out of range, there are no such data, or a step would take more than all
    of a weight, eps weight_decay > 1.
    """

    system: ClassVar[str] = "classification"
    order_parameters: ClassVar[tuple[str, ...]] = ("test_loss",)

    _: KW_ONLY
    data: Annotated[str, Parameter("", "digits, mnist5k, or a folder of IDX or CIFAR-10 files")] = eqx.field(
        static=True, default=DIGITS
    )
    N: Annotated[int, Parameter("N", "hidden units", least=1, limit=10_000_000, example=1000)] = eqx.field(static=True)
    gamma: Annotated[
        float, Parameter(r"\gamma", "prefactor of the learning rate gamma N^beta", above=0, limit=1e6, example=1.0)
    ]
    beta: Annotated[
        float, Parameter(r"\beta", "exponent of the learning rate gamma N^beta", least=0, most=1, example=0.75)
    ]
    batch: Annotated[int, Parameter("", "images of a step", least=1)] = eqx.field(static=True, default=100)
    init: Annotated[Init, Parameter("", "law of the weights at t = 0: torch, or fixed, which does not depend on N")] = (
        eqx.field(static=True, default="torch")
    )
    random_labels: Annotated[
        int, Parameter("", "epochs at the start in which training images have random labels", least=0, limit=10**6)
    ] = 0
    weight_decay: Annotated[
        float, Parameter(r"\lambda", "decay of the weights per unit of time, on the right labels", least=0, limit=1e6)
    ] = 0.0
    bins: Annotated[
        int,
        Parameter("", "bins of the histograms of weights of the first layer", least=1, limit=10_000, in_results=False),
    ] = eqx.field(static=True, default=60)
    window: Annotated[tuple[float, float], Parameter("", "ends of the histograms", written=list[float])] = eqx.field(
        static=True, default=(-0.6, 0.6)
    )
    digest: str = eqx.field(static=True, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.data, str | PathLike):
            raise ArgumentError("data", "be the name of a data set or the path of a folder", self.data)
        self.data = fspath(self.data)
        # Read when the problem is made: a folder that is written anew later is then noticed, see `images`.
        self.digest = load_images(self.data).digest
        check_fields(self)
        self.window = interval("window", self.window)
        if self.batch > len(self.images.train):
            raise ArgumentError("batch", f"be at most the {len(self.images.train)} training images", self.batch)
        if self.eps * self.weight_decay > 1:
            must = f"be at most 1/eps = {1 / self.eps:.4g}, as a step takes eps weight_decay of a weight"
            raise ArgumentError("weight_decay", must, self.weight_decay)

    @property
    def images(self) -> Images:
        """The data set.

        **Raises:** ArgumentError where the folder holds other images than when the problem was made.
        """
        images = load_images(self.data)
        if images.digest != self.digest:
            must = f"hold the images that it held, of digest {self.digest}"
            raise ArgumentError("data", must, images.digest, "Make the problem again for those that are there now.")
        return images

    def digests(self) -> dict[str, str]:
        """The digest of the data set."""
        return {self.data: self.digest}

    @property
    def eps(self) -> float:
        """gamma N^(beta - 1), by which a hidden unit moves in a step."""
        return self.gamma * self.N ** (self.beta - 1)

    @property
    def dt(self) -> float:
        """Time of one step, eps."""
        return self.eps

    @property
    def samples_per_step(self) -> float:
        """The batch. An epoch brings every image again, so that images are counted once an epoch."""
        return float(self.batch)

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch: the full batches of the training images."""
        return len(self.images.train) // self.batch

    @property
    def random_steps(self) -> int:
        """Steps on random labels."""
        return self.random_labels * self.epoch_steps

    @property
    def scales(self) -> tuple[float, float]:
        """Half the widths of the laws of W1 and W2 at the start."""
        width = self.N if self.init == "torch" else TORCH_WIDTH
        return self.images.pixels**-0.5, width**-0.5

    @property
    def bin_edges(self) -> Float[np.ndarray, " edges"]:
        """Edges of the bins of the histograms."""
        return np.linspace(*self.window, self.bins + 1)

    def cautions(self) -> list[str]:
        """A line where the step is near the edge of stability, and one where there are very many steps."""
        found = []
        where = f"N = {self.N}, beta = {self.beta:g}, gamma = {self.gamma:g}"
        inputs = self.images.pixels
        if self.eps * inputs > EDGE:
            found.append(
                f"A step of {self.eps:.3g} on inputs of |x|^2 = {inputs} at {where}: near the edge of stability, "
                "units may die (see dead_fraction)."
            )
        if 1 / self.eps > MANY_STEPS:
            found.append(f"{1 / self.eps:.2g} steps per unit of time at {where}: this takes long.")
        return found

    def parameters(self) -> dict[str, Scalar]:
        """Constants and derived numbers by name."""
        images = self.images
        return {
            **given(self),
            "inputs": images.pixels,
            "classes": images.classes,
            "train_images": len(images.train),
            "test_images": len(images.test),
            "eps": self.eps,
            "inverse_N": 1 / self.N,
            "epochs_per_time": 1 / (self.eps * self.epoch_steps),
            "dt": self.dt,
        }
