"""What is observed of a committee: M = W W*^T/d, Q = W W^T/d, and the excess risk E[(f* - f)^2]/2."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.risk import excess_risk
from sgdsim.contracts import Observables, Variable

RECOVERED, RECOVERED_AT = "recovered", 0.5
"""The share of replicas that have found a teacher's direction, and the overlap from which on one has.

Overlaps count by their size: of an even target -w* gives the same labels as w*, and noise takes half of the replicas
there; of an odd one a student of other units finds -w* where its Hermite coefficient of that degree is negative, as
that of erf at 3.
"""
VARIABLES = {
    "M": Variable("student-teacher overlaps", "M", ("student", "teacher")),
    "Q": Variable("student-student overlaps", "Q", ("student", "student_2")),
    "B": Variable("overlaps of the student with the clusters' means", "B", ("student", "cluster")),
    "excess_risk": Variable("excess risk", r"\mathcal{E}"),
    "excess_risk_average": Variable("excess risk of the averaged iterates", r"\bar{\mathcal{E}}"),
    "specialisation": Variable("specialisation", "S"),
    "escaped": Variable("share of replicas that have specialised", "F"),
    "a": Variable("second layer of the student", "a", ("student",)),
    "empirical_risk": Variable("empirical risk", r"\hat{\mathcal{R}}_n"),
    "generalisation_gap": Variable("generalisation gap", r"\mathcal{R} - \hat{\mathcal{R}}_n"),
    "distance": Variable("distance from the start", r"|W - W_0|/\sqrt{pd}"),
    "overlap": Variable("largest overlap of a unit with a teacher", r"\max |M_{ir}|/\sqrt{Q_{ii} P_{rr}}"),
    "drift": Variable("mean change of the order parameters in a step, over dt", r"f", ("entry",)),
    "noise_covariance": Variable("covariance of their change in a step, over dt", r"D\,dt", ("entry", "entry_2")),
    "noise_trace": Variable("trace of the covariance of the noise", r"\mathrm{tr}\, D\,dt"),
    RECOVERED: Variable("share of replicas with an overlap of 1/2 or more", r"P(\mathrm{overlap} \geq 1/2)"),
}


def observables(
    P: Float[Array, "k k *batch"],
    M: Float[Array, "p k *batch"],
    Q: Float[Array, "p p *batch"],
    activation: Activation,
) -> Observables:
    """The observables of a state with overlaps P, M, Q, with any trailing axes (replicas)."""
    return {"M": M, "Q": Q, "excess_risk": excess_risk(P, M, Q, activation)}


def recovery(
    P: Float[Array, "k k *batch"], M: Float[Array, "p k *batch"], Q: Float[Array, "p p *batch"]
) -> Observables:
    """overlap = max_ir |M_ir|/sqrt(Q_ii P_rr), 0 of units without length, and whether it is 1/2 or more, as 0 or 1.

    The mean of the latter over replicas is the share of those that have recovered a teacher: where it rises through 1/2
    is the median time of recovery, whatever the others do later.
    """
    student, teacher = jnp.einsum("ii...->i...", Q), jnp.einsum("rr...->r...", P)
    lengths = jnp.sqrt(student[:, None] * teacher[None, :])
    overlap = jnp.max(jnp.abs(M) / jnp.where(lengths > 0, lengths, 1.0), axis=(0, 1))
    return {"overlap": overlap, RECOVERED: (overlap >= RECOVERED_AT).astype(overlap.dtype)}
