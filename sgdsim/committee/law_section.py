"""The keys of [problem] that choose laws: of the inputs, and of the label noise."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared
from sgdsim.training.components import Laplace, Rademacher, StudentT, Uniform
from sgdsim.training.inputs import InputLaw, LabelLaw, NormalInputs, NormalNoise
from sgdsim.training.noise import LaplaceNoise, RademacherNoise, StudentTNoise, UniformNoise
from sgdsim.training.rows import ImageRows
from sgdsim.training.structured import HiddenManifold, PowerCovariance

IDX = "idx"
INPUTS: Mapping[str, Callable[..., InputLaw]] = {
    **{law.name: law for law in (NormalInputs, Rademacher, Uniform, Laplace, StudentT)},
    **{law.name: law for law in (PowerCovariance, HiddenManifold)},
    "digits": lambda: ImageRows("digits"),
    "mnist5k": lambda: ImageRows("mnist5k"),
    IDX: lambda folder: ImageRows(folder),
}
NOISE: Mapping[str, Callable[..., LabelLaw]] = {
    law.name: law for law in (NormalNoise, RademacherNoise, UniformNoise, LaplaceNoise, StudentTNoise)
}
OWNERS = (StudentT, HiddenManifold, StudentTNoise)
"""Laws with parameters of their own; that of `PowerCovariance` is the key of `PowerSpectrum` too."""
KEYS: Mapping[str, tuple[str, ...]] = {
    law.name: tuple(one.name for one in declared(law)) for law in (StudentT, HiddenManifold, PowerCovariance)
} | {IDX: ("folder",)}
NOISE_KEYS: Mapping[str, tuple[str, ...]] = {law.name: tuple(one.name for one in declared(law)) for law in OWNERS[2:]}
LAW_KEYS = ("inputs", "label_noise", "labels", "folder")
OWN_KEYS = tuple(one.name for owner in OWNERS for one in declared(owner))

INPUTS_KEY = Parameter("", "law of the inputs, for the simulator weights; N(0, I) where left out")
NOISE_KEY = Parameter("", "law of the label noise, of variance `noise`; gaussian where left out")
FOLDER = Parameter("", "folder of IDX or CIFAR-10 files whose training images are the inputs, beside inputs = idx")
OWN: Mapping[str, Any] = {
    "inputs": (Annotated[Literal[tuple(INPUTS)] | None, INPUTS_KEY], None),  # type: ignore[valid-type]
    "folder": (Annotated[str | None, FOLDER], Field(default=None, examples=["data/fashion"])),
    "label_noise": (Annotated[Literal[tuple(NOISE)] | None, NOISE_KEY], None),  # type: ignore[valid-type]
}
"""Keys of the table itself."""


def law_of_inputs(given: Mapping[str, Any]) -> InputLaw:
    """The law that `inputs` names, with the keys beside it. **Raises:** ArgumentError for one of another law's."""
    kind = given["inputs"]
    return INPUTS[kind](**_own(given, "inputs", kind, KEYS))


def law_of_noise(given: Mapping[str, Any]) -> LabelLaw | None:
    """That of `label_noise`; None where it is Gaussian. **Raises:** ArgumentError for a key of another law."""
    kind = given.get("label_noise", NormalNoise.name)
    own = _own(given, "label_noise", kind, NOISE_KEYS)
    return None if kind == NormalNoise.name else NOISE[kind](**own)


def check_beside_none(given: Mapping[str, Any]) -> None:
    """**Raises:** ArgumentError where a key belongs to a law of inputs, and none is named."""
    for kind, keys in KEYS.items():
        for key in keys:
            if key in given and key != "spectrum":
                raise ArgumentError(key, "be given beside inputs", given[key], f'Add `inputs = "{kind}"`.')


def _own(given: Mapping[str, Any], name: str, kind: str, all_keys: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The keys of one law."""
    for other, keys in all_keys.items():
        for key in keys:
            if key in given and other != kind:
                raise ArgumentError(key, f"not be given beside {name} = {kind}", given[key], f"It is of {other}.")
    own = {key: given[key] for key in all_keys.get(kind, ()) if key in given}
    if kind == IDX and "folder" not in own:
        raise ArgumentError("folder", f"be given beside {name} = {IDX}", None, "Add the folder with the four files.")
    return own
