"""What is observed of a committee: M = W W*^T/d, Q = W W^T/d, and the excess risk E[(f* - f)^2]/2."""

from jaxtyping import Array, Float

from sgdsim.committee.activations import Activation
from sgdsim.committee.risk import excess_risk
from sgdsim.contracts import Observables, Variable

VARIABLES = {
    "M": Variable("student-teacher overlaps", "M", ("student", "teacher")),
    "Q": Variable("student-student overlaps", "Q", ("student", "student_2")),
    "excess_risk": Variable("excess risk", r"\mathcal{E}"),
    "excess_risk_average": Variable("excess risk of the averaged iterates", r"\bar{\mathcal{E}}"),
    "specialisation": Variable("specialisation", "S"),
    "escaped": Variable("share of replicas that have specialised", "F"),
    "a": Variable("second layer of the student", "a", ("student",)),
}


def observables(
    P: Float[Array, "k k *batch"],
    M: Float[Array, "p k *batch"],
    Q: Float[Array, "p p *batch"],
    activation: Activation,
) -> Observables:
    """The observables of a state with overlaps P, M, Q, with any trailing axes (replicas)."""
    return {"M": M, "Q": Q, "excess_risk": excess_risk(P, M, Q, activation)}
