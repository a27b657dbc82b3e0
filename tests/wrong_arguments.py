"""Arguments from Python that are refused, each with its ArgumentError, and some that are taken though no type says so.

Run as a script it tries all of them in a process of its own, where sgdsim is as its users have it, without the checks
of types that tests have. It prints a list of [name, type of the exception, its argument, its message, programs compiled
on the way].
"""

import json
import sys
from collections.abc import Callable
from typing import Any

TIMES = [0.1, 0.2]


def cases() -> dict[str, tuple[Callable[[], Any], str, str]]:
    """Name: what is done, the argument that is blamed, and words of the message."""
    import jax.numpy as jnp
    import numpy as np

    import sgdsim
    from sgdsim import classification, committee, meanfield, recovery
    from sgdsim.recovery.features import Features

    Committee, Recovery, Classification = committee.Committee, recovery.Recovery, classification.Classification
    problem = Committee(d=20, p=2, k=2, gamma=2.0)
    start = committee.OverlapStart()
    exact = recovery.ExactStart()
    quadratic = Recovery(alpha=2.0, eta=0.1, N=10)
    features = Features(5, 2)
    x = np.ones((5, 2))  # shapes are looked at first
    images = ([[0, 2], [0, 6]], [0, 1])

    def simulate(problem=problem, start=start, times=TIMES, replicas=8, **options):
        return lambda: sgdsim.simulate(problem, start, times, replicas=replicas, **options)

    def solve(problem=problem, start=start, times=TIMES, **options):
        return lambda: sgdsim.solve(problem, start, times, **options)

    def make(kind, /, **arguments):
        base = {
            Committee: {"d": 20, "p": 2, "k": 2, "gamma": 2.0},
            Recovery: {"alpha": 2.0, "eta": 0.1},
            Classification: {"N": 10, "gamma": 1.0, "beta": 0.5},
        }
        return lambda: kind(**(base.get(kind, {}) | arguments))

    def integrate(**change):
        values = {"alpha": 2.0, "eta": 0.1, "b": 1.0, "m0": 0.2, "C00": 1.0, "steps": 3} | change
        return lambda: recovery.integrate(**values)

    return {
        # parts of a run
        "problem: a class": (simulate(Committee), "problem", "be a problem of one of the systems"),
        "problem: a name": (solve("committee"), "problem", "Make one, e.g. sgdsim.committee.Committee("),
        "simulator: a name": (simulate(simulator="weights"), "simulator", "Write sgdsim.committee.Weights()."),
        "simulator: a class": (simulate(simulator=committee.Chain), "simulator", "Write sgdsim.committee.Chain()."),
        "simulator: no such": (simulate(simulator="gpu"), "simulator", "sgdsim.committee has Chain, Weights."),
        "simulator: another system's": (simulate(simulator=recovery.Descent()), "simulator", "Chain, Weights"),
        "simulator: false": (simulate(simulator=0), "simulator", "be a simulator of sgdsim.committee.Committee"),
        "simulator: a theory": (simulate(simulator=committee.ExactODE()), "simulator", "Chain, Weights"),
        "start: another system's": (simulate(start=exact), "start", "be a start of sgdsim.committee.Committee"),
        "start: a class": (
            simulate(start=committee.ExplicitStart),
            "start",
            "Write sgdsim.committee.ExplicitStart(...).",
        ),
        "start: a name": (simulate(start="overlap"), "start", "OverlapStart"),
        "start: none": (simulate(start=None), "start", "OverlapStart"),
        "start of committee in recovery": (solve(quadratic, start), "start", "sgdsim.recovery has ExactStart."),
        "start of recovery in meanfield": (
            solve(meanfield.MeanField(model=meanfield.tanh_model(), N=10, gamma=0.1, beta=0.5), exact),
            "start",
            "LawStart",
        ),
        "theory: a class": (solve(theory=committee.ExactODE), "theory", "Write sgdsim.committee.ExactODE()."),
        "theory: a class in simulate": (
            simulate(theory=committee.LimitODE),
            "theory",
            "Write sgdsim.committee.LimitODE().",
        ),
        "theory: a name": (solve(quadratic, exact, theory="dmft"), "theory", "Write sgdsim.recovery.Dmft()."),
        "theory: another system's": (solve(theory=recovery.Dmft()), "theory", "ExactODE, LimitODE, GradientFlow"),
        # the rest of a run
        "times: a number": (simulate(times=1.0), "times", "be a row of numbers"),
        "times: words": (solve(times=["a", "b"]), "times", "be a row of numbers"),
        "times: ragged": (solve(times=[[1.0], [1.0, 2.0]]), "times", "be a row of numbers"),
        "times: true": (solve(times=[True, False]), "times", "be a row of numbers"),
        "replicas: a float": (simulate(replicas=8.0), "replicas", "be an integer >= 1, but got 8.0. Write 8."),
        "replicas: true": (simulate(replicas=True), "replicas", "be an integer >= 1, but got True"),
        "replicas: words": (simulate(replicas="8"), "replicas", "be an integer >= 1"),
        "seed: a float": (simulate(seed=0.5), "seed", "be an integer >= 0"),
        "batch: none left": (simulate(batch=0), "batch", "be an integer >= 1"),
        "compare: words": (simulate(compare="no"), "compare", "be True or False"),
        "progress: words": (simulate(progress="yes"), "progress", "be True or False, or a function"),
        "observables: a function": (simulate(observables=len), "observables", "be functions by names"),
        "keep: a number": (simulate(keep=3), "keep", 'be "trajectories" or numbers of replicas'),
        "linear_times: a float": (lambda: sgdsim.linear_times(1.0, 5.0), "count", "Write 5."),
        "log_times: words": (lambda: sgdsim.log_times("1", 5), "final", "be a number"),
        # committee
        "d: a float": (make(Committee, d=20.0), "d", "be an integer >= 2, but got 20.0. Write 20."),
        "d: a scaling's float": (lambda: Committee.from_scaling(d=1e3, k=2), "d", "Write 1000."),
        "p: NumPy's float": (make(Committee, p=np.float64(2)), "p", "be an integer >= 1"),
        "gamma: words": (make(Committee, gamma="2"), "gamma", "be a number, but got '2'"),
        "gamma: complex": (make(Committee, gamma=2 + 0j), "gamma", "be a number"),
        "gamma: a row": (make(Committee, gamma=[1.0, 2.0]), "gamma", "be a number"),
        "noise: none": (make(Committee, noise=None), "noise", "be a number"),
        "activation: a function": (make(Committee, activation=jnp.tanh), "activation", "Write Custom(jnp.tanh)."),
        "activation: NumPy's": (make(Committee, activation=np.tanh), "activation", "Write Custom(jnp.tanh)."),
        "activation: a name": (make(Committee, activation="relu"), "activation", "Write Relu()."),
        "activation: no such": (make(Committee, activation="tanh"), "activation", "Custom(jnp.tanh)"),
        "activation: a class": (make(Committee, activation=committee.Relu), "activation", "Write Relu()."),
        "scaling: a number": (make(Committee, scaling=0.5), "scaling", "Committee.from_scaling"),
        "Custom: NumPy's": (lambda: committee.Custom(np.tanh), "function", "Custom(jnp.tanh) for np.tanh"),
        "Custom: an activation": (lambda: committee.Custom(committee.Erf()), "function", "be a function"),
        "Custom: Python's": (lambda: committee.Custom(lambda x: x if x > 0 else 0), "function", "JAX operations"),
        "Custom: not elementwise": (lambda: committee.Custom(jnp.sum), "function", "float32 (3, 2)"),
        "Chain: precision": (lambda: committee.Chain("float16"), "precision", 'be "float32" or "float64", but got'),
        "Weights: precision": (lambda: committee.Weights(jnp.float32), "precision", 'be "float32" or "float64"'),
        "Weights: block": (lambda: committee.Weights(block=0), "block", "be an integer >= 1"),
        "ExactODE: words": (lambda: committee.ExactODE(fluctuations="yes"), "fluctuations", "be True or False"),
        "ExactODE: rtol": (lambda: committee.ExactODE(rtol="small"), "rtol", "be a number"),
        "OverlapStart: per_replica": (lambda: committee.OverlapStart(per_replica=1), "per_replica", "be True or False"),
        "OverlapStart: seed": (lambda: committee.OverlapStart(seed=1.0), "seed", "be an integer"),
        "EqualStart: nan": (lambda: committee.EqualStart(0.5, float("nan"), 0.2), "diagonal", "nan"),
        # recovery
        "N: a float": (make(Recovery, N=50.0), "N", "Write 50."),
        "degree: 3": (make(Recovery, degree=3), "degree", "be 1 or 2"),
        "waiting: a number": (make(Recovery, waiting=1.0), "waiting", "Write [t] for a single time."),
        "waiting: falling": (make(Recovery, waiting=[2.0, 1.0]), "waiting", "increasing"),
        "alpha: infinite": (make(Recovery, alpha=float("inf")), "alpha", "be finite and > 0"),
        "Descent: precision": (lambda: recovery.Descent("double"), "precision", 'be "float32" or "float64"'),
        "Descent: lanes": (lambda: recovery.Descent(lanes=4.0), "lanes", "be an integer"),
        "Descent: stored": (lambda: recovery.Descent(stored="yes"), "stored", "be True or False"),
        "Dmft: nan": (lambda: recovery.Dmft(tolerance=float("nan")), "tolerance", "nan"),
        "integrate: alpha": (integrate(alpha=float("inf")), "alpha", "be finite and > 0, but got inf"),
        "integrate: eta": (integrate(eta=[0.1, float("inf")]), "eta", "be finite and > 0, but got inf"),
        "integrate: C00": (integrate(C00=float("inf")), "C00", "be finite"),
        "integrate: words": (integrate(b="1"), "b", "be a number, or an array of numbers"),
        "integrate: shapes": (integrate(b=[1.0, 0.5], m0=[0.1, 0.2, 0.3]), "m0", "broadcast"),
        "integrate: steps": (integrate(steps=3.0), "steps", "be an integer >= 0, but got 3.0. Write 3."),
        "integrate: tolerance": (integrate(tolerance=float("nan")), "tolerance", "be at least 0 and below 1"),
        "Features: x": (lambda: features.difference(x[:4], x[:4]), "x", "(N, lanes) = (5, 2), but got (4, 2)"),
        "Features: y": (lambda: features.difference(x, x[:, :1]), "y", "(N, lanes) = (5, 2), but got (5, 1)"),
        "Features: a vector": (lambda: features.difference(x[:, 0], x[:, 0]), "x", "(N, lanes)"),
        "Features: G": (lambda: features.pull(np.ones((9, 2)), x), "G", "(features, lanes) = (10, 2), but got (9, 2)"),
        "Features: degree": (lambda: Features(5, 3), "degree", "be 1 or 2"),
        # classification
        "init": (make(Classification, init="keras"), "init", 'be "torch" or "fixed"'),
        "window: three": (make(Classification, window=(0, 1, 2)), "window", "be two increasing numbers"),
        "window: a number": (make(Classification, window=1.0), "window", "be a row of numbers"),
        "data: a number": (make(Classification, data=5), "data", "the path of a folder"),
        "bins: a float": (make(Classification, bins=60.0), "bins", "Write 60."),
        "Network: precision": (lambda: classification.Network("bfloat16"), "precision", 'be "float32" or "float64"'),
        "labels: beyond": (lambda: _standardised(images, [2]), "data", "test labels from 0 to 1"),
        "labels: negative": (lambda: _standardised((images[0], [-1, 1]), [0]), "data", "train labels from 0 to 1"),
        "labels: fractions": (lambda: _standardised((images[0], [0.5, 1]), [0]), "data", "labels that are integers"),
        "labels: too few": (lambda: _standardised((images[0], [0]), [0]), "data", "as many train labels as images"),
        "meanfield: precision": (lambda: meanfield.Pair("half"), "precision", 'be "float32" or "float64"'),
    }


def taken() -> dict[str, Callable[[], bool]]:
    """Name: whether NumPy's numbers are taken for Python's, in the small frozen objects."""
    import numpy as np

    from sgdsim.committee import EqualStart, ExactODE, OverlapStart, Weights
    from sgdsim.recovery import Descent, Dmft

    return {
        "OverlapStart": lambda: (
            OverlapStart(np.float32(0.5), np.int64(4), np.True_) == OverlapStart(0.5, seed=4, per_replica=True)
        ),
        "EqualStart": lambda: EqualStart(np.float32(0.5), np.int64(1), 0.25) == EqualStart(0.5, 1.0, 0.25),
        "Weights": lambda: type(Weights(block=np.int64(8)).block) is int,
        "ExactODE": lambda: type(ExactODE(rtol=np.float64(1e-6)).rtol) is float,
        "Descent": lambda: Descent(lanes=np.uint8(4), stored=None) == Descent(lanes=4),
        "Dmft": lambda: Dmft(tolerance=np.int64(0)) == Dmft(0.0),
    }


def _standardised(train: Any, test_labels: list[int]) -> Any:
    from sgdsim.images.images import standardised

    return standardised(*train, [[4, 100]], test_labels)


def _try_all() -> list[list[Any]]:
    import jax

    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if event.endswith("backend_compile_duration") else None
    )
    results = []
    for name, (attempt, _, _) in cases().items():
        compiled.clear()
        try:
            attempt()
            results.append([name, "nothing", "", "", 0])
        except Exception as error:
            argument = getattr(error, "argument", "")
            results.append([name, type(error).__name__, argument, str(error), len(compiled)])
    return results + [[name, "taken" if equal() else "changed", "", "", 0] for name, equal in taken().items()]


if __name__ == "__main__":
    json.dump(_try_all(), sys.stdout)
