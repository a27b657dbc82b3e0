"""A student of one's own: any equinox module, made by a function of d and a key for every replica."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sgdsim.errors import ArgumentError
from sgdsim.training.find_student import find_student

WIDTH = "p"
"""The parameter of a function that is the width of the problem."""
TAKES = 'a function of d and a key, e.g. "three_layers", or def student(d, *, key): ... of an equinox module'


@dataclass(frozen=True, init=False)
class ModuleStudent:
    """f(x) = function(d, key=key, **parameters)(x): any equinox module that maps one x, (d,), to a number.

    Its arrays of floats are what is trained, all of them, and every replica begins with those that the function makes
    of the replica's own key, a key of `jax.random`. A function with a parameter `p` is given the width of the problem.

    - `function`: it, or its name, see `find_student`: "three_layers" or "package:function". Programs are compiled for
      each object: define it once.
    - `parameters`: further arguments by name, numbers or words.

    Order parameters are those of the first layer, where the module has one: W (p, d), whose fields are W x/sqrt(d), is
    what its method `first_layer()` returns, or sqrt(d) times the weight of the `eqx.nn.Linear` that an `eqx.nn.MLP` or
    `eqx.nn.Sequential` begins with.

    **Raises:** ArgumentError where there is no such function, or it does not take these parameters.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, Any], ...]
    name: str

    def __init__(self, function: Any, /, **parameters: Any) -> None:
        found = find_student(function) if isinstance(function, str) else function
        if not callable(found):
            raise ArgumentError("student", f"be {TAKES}", function)
        name = function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)
        object.__setattr__(self, "function", found)
        object.__setattr__(self, "parameters", _checked(name, found, parameters))
        object.__setattr__(self, "name", name)

    @property
    def takes_width(self) -> bool:
        """Whether the function has a parameter p."""
        return WIDTH in parameters_of(self.function)

    @property
    def modules(self) -> tuple[str, ...]:
        """The module of Python that the function is in, and the one that its name says."""
        said = self.name.partition(":")[0] if ":" in self.name else ""
        own = getattr(inspect.unwrap(self.function), "__module__", None) or ""
        return tuple(dict.fromkeys(filter(None, (said, own))))

    @property
    def told(self) -> dict[str, int | float | str]:
        """Name and parameters, for a table of results."""
        values = {name: value for name, value in self.parameters if isinstance(value, int | float | str)}
        return {"student": self.name} | values

    def make(self, d: int, p: int, key: PRNGKeyArray) -> Any:
        """The module of one replica."""
        width = {WIDTH: p} if self.takes_width else {}
        return self.function(d, key=key, **width, **dict(self.parameters))


class Skeleton(NamedTuple):
    """What is the same in the modules of all replicas.

    - `static`: the module without its arrays. - `shapes`: of its arrays, as a module. - `rows`: of the first layer,
    None where it has none. - `modules`: of Python, that the classes in it are from.
    """

    static: Any
    shapes: Any
    rows: int | None
    modules: tuple[str, ...]

    @property
    def size(self) -> int:
        """Numbers that are trained."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.shapes))


@lru_cache(maxsize=256)
def skeleton_of(student: ModuleStudent, d: int, p: int) -> Skeleton:
    """The skeleton of a student in d dimensions, of width p; nothing is computed.

    **Raises:** ArgumentError where the function does not make a module that can be trained.
    """
    if not student.takes_width and p != 1:
        remedy = "It has no parameter p, so that no width stands for anything."
        raise ArgumentError("p", f"be 1 beside the student {student.name}", p, remedy)
    made = _tried(
        f"make a module of d = {d} and a key by JAX",
        student,
        lambda: eqx.filter_eval_shape(lambda key: student.make(d, p, key), jax.random.key(0)),
    )
    _check_leaves(student, made)
    shapes, static = eqx.partition(made, _is_shape)
    x = jax.ShapeDtypeStruct((d,), jnp.result_type(float))
    out = _tried(
        f"map one x of shape ({d},) to a number", student, lambda: eqx.filter_eval_shape(lambda m, x: m(x), made, x)
    )
    if getattr(out, "shape", None) != () or not jnp.issubdtype(out.dtype, jnp.floating):
        remedy = 'Write out_size="scalar" of an eqx.nn.MLP, or index what it returns.'
        raise ArgumentError("student", f"map one x of shape ({d},) to a number, of shape ()", out, remedy)
    layer = _tried("have a first layer", student, lambda: eqx.filter_eval_shape(lambda m: first_layer(m, d), made))
    if layer is not None and (len(layer.shape) != 2 or layer.shape[1] != d):
        raise ArgumentError("student", f"have a first layer of d = {d} columns", layer, "Or leave out first_layer.")
    return Skeleton(static, shapes, None if layer is None else layer.shape[0], _modules_in(made))


def first_layer(module: Any, d: int) -> Float[Array, "p d"] | None:
    """W whose fields are W x/sqrt(d), None where a module has no first layer; see `ModuleStudent`."""
    if callable(own := getattr(module, "first_layer", None)):
        return own()  # type: ignore[return-value]
    layers = module.layers if isinstance(module, eqx.nn.MLP | eqx.nn.Sequential) else ()
    if layers and isinstance(layers[0], eqx.nn.Linear) and layers[0].in_features == d:
        return layers[0].weight * d**0.5
    return None


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function of d and a key that are given by name, those two left out.

    **Raises:** ArgumentError where it takes no d and no key.
    """
    try:
        known = dict(inspect.signature(function, eval_str=True).parameters)
    except (TypeError, ValueError, NameError):
        known = {}
    first = next(iter(known.values()), None)
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD) or "key" not in known:
        raise ArgumentError("student", f"be {TAKES}", getattr(function, "__name__", function))
    named = (first.POSITIONAL_OR_KEYWORD, first.KEYWORD_ONLY)
    return {name: one for name, one in known.items() if one is not first and name != "key" and one.kind in named}


def _checked(name: str, function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Parameters by name, in the order of the names: lists as tuples, as they have to be hashed."""
    known = parameters_of(function)
    for parameter in given:
        if parameter == WIDTH:
            raise ArgumentError(WIDTH, "be left out: it is the p of the problem", given[parameter])
        if parameter not in known:
            others = ", ".join(one for one in known if one != WIDTH) or "none"
            raise ArgumentError(parameter, f"be a parameter of {name}", given[parameter], f"It has {others}.")
    for parameter, one in known.items():
        if one.default is one.empty and parameter not in given and parameter != WIDTH:
            raise ArgumentError(parameter, f"be given: {name} has no default of it", None)
    for parameter, value in given.items():
        _check_value(parameter, value)
    return tuple(sorted((key, tuple(value) if isinstance(value, list) else value) for key, value in given.items()))


def _check_value(parameter: str, value: Any) -> None:
    entries = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(entry, bool | int | float | str) for entry in entries):
        remedy = "Anything else stands in the function itself, e.g. by functools.partial."
        raise ArgumentError(parameter, "be a number, a word, or a list of them", value, remedy)


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def _tried(must: str, student: ModuleStudent, made: Callable[[], Any]) -> Any:
    """What code of others makes. **Raises:** ArgumentError with its own words where it fails."""
    try:
        return made()
    except ArgumentError:
        raise
    except Exception as error:  # the code of others may fail in any way
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        remedy = "What needs a key or a state in its call, as dropout and batch normalisation, has no place here."
        raise ArgumentError("student", f"{must}, {student.name}", reason, remedy) from error


def _check_leaves(student: ModuleStudent, made: Any) -> None:
    """**Raises:** ArgumentError unless it is a module with parameters, all of them floats, and without a state."""
    if not isinstance(made, eqx.Module):
        remedy = "Return the module alone; one with a state, of eqx.nn.make_with_state, is not trained here."
        raise ArgumentError("student", f"return an equinox module, {student.name}", type(made).__name__, remedy)
    leaves = jax.tree_util.tree_leaves_with_path(made, is_leaf=lambda one: isinstance(one, eqx.nn.StateIndex))
    for path, leaf in leaves:
        where = f"{type(made).__name__}{jax.tree_util.keystr(path)}"
        if isinstance(leaf, eqx.nn.StateIndex):
            remedy = "A replica has one x at a time: take eqx.nn.LayerNorm in place of batch normalisation."
            raise ArgumentError("student", f"be without a state, {student.name}", where, remedy)
        if _is_shape(leaf) and not jnp.issubdtype(leaf.dtype, jnp.floating):
            remedy = "Make a constant where it is used, or hold it as a tuple in a field that is static."
            got = f"{where}, {leaf.dtype}"
            raise ArgumentError(
                "student", f"hold arrays of floats alone, which are trained, {student.name}", got, remedy
            )
    if not any(_is_shape(leaf) for _, leaf in leaves):
        raise ArgumentError("student", f"hold an array of floats to be trained, {student.name}", type(made).__name__)


def _modules_in(made: Any) -> tuple[str, ...]:
    """The modules of Python that the classes of a module's parts are from, those of equinox itself left out."""
    found: dict[str, None] = {}

    def note(part: Any) -> bool:
        if isinstance(part, eqx.Module):
            found.update(dict.fromkeys(kind.__module__ for kind in type(part).__mro__))
        elif callable(part):
            found[getattr(part, "__module__", None) or ""] = None
        return False

    jax.tree.leaves(made, is_leaf=note)
    others = ("equinox", "jax", "jaxlib", "builtins", "abc", "typing", "numpy", "")
    return tuple(name for name in found if name.split(".")[0] not in others)
