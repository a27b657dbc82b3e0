"""The tests run under checks of every annotated shape and type, of arguments and of results."""

from collections.abc import Callable

import beartype
import jax.numpy as jnp
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Array, Float, TypeCheckError

from sgdsim.analysis.numbers import rounded
from sgdsim.committee.averages.activations import Erf
from sgdsim.committee.theory.overlap_curve import _signs, errors_with_fields
from tests.typechecked import checked

VIOLATION = (BeartypeCallHintViolation, TypeCheckError)
P, M, Q = jnp.eye(1), jnp.ones((2, 1)), jnp.eye(2)


@pytest.mark.parametrize("wrong", [(P, M.T, Q), (P, M, jnp.eye(3)), (P, M, Q.astype(int)), (P, M[0], Q)])
def test_shapes_of_sgdsim_are_checked(wrong):
    assert errors_with_fields(P, M, Q, Erf()).shape == (2, 3)
    with pytest.raises(VIOLATION):
        errors_with_fields(*wrong, Erf())


def test_types_of_sgdsim_are_checked():
    with pytest.raises(VIOLATION):
        rounded("1.0")
    with pytest.raises(VIOLATION):
        _signs(1.0, 2)


def same(x: Float[Array, "a b"], y: Float[Array, "b a"]) -> Float[Array, "a a"]:
    return y if x.shape == (2, 3) else x @ y


def joined(a: int, b: int, *, short: bool = False) -> Float[Array, " {a}+{b}"]:
    return jnp.zeros(a + b - short)


def called(inner: Callable[[], Float[Array, " a"]], x: Float[Array, " a"]) -> Float[Array, " a"]:
    inner()
    return x


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (same, (jnp.ones((1, 3)), jnp.ones((3, 1))), (jnp.ones((1, 3)), jnp.ones((3, 2)))),  # between arguments
        (same, (jnp.ones((3, 2)), jnp.ones((2, 3))), (jnp.ones((2, 3)), jnp.ones((3, 2)))),  # of the result
    ],
)
def test_a_name_means_one_size_in_a_call(function, right, wrong):
    function = checked(function, typechecker=beartype.beartype)
    function(*right)
    with pytest.raises(VIOLATION):
        function(*wrong)


def test_a_shape_may_be_computed_from_arguments():
    function = checked(joined, typechecker=beartype.beartype)
    assert function(2, 3).shape == (5,)
    with pytest.raises(VIOLATION):
        function(2, 3, short=True)


def test_names_of_sizes_belong_to_one_call():
    """A function called within another may call other sizes by the same names."""
    within = checked(called, typechecker=beartype.beartype)
    assert within(lambda: within(lambda: None, jnp.ones(2)), jnp.ones(3)).shape == (3,)
