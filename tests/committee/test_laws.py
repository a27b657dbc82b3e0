"""A committee on inputs of any law, with any label noise, and on classes: steps by hand, the risk, bits, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tomli_w
from scipy.special import erf
from scipy.stats import norm

from sgdsim.committee import Chain, Committee, ExactODE, ExplicitStart, LimitODE, OverlapStart, PowerSpectrum, Weights
from sgdsim.committee.frame import spread_frame, vectors_in
from sgdsim.committee.law_section import INPUTS
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.sampled_risk import TEST
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.sections import ProblemSection
from sgdsim.committee.system import SYSTEM, CommitteeSlopes
from sgdsim.committee.update import Update
from sgdsim.ensemble.random import block_normal_pairs, replica_keys
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.store.identity import differing_keys
from sgdsim.testing import check_rule, check_system
from sgdsim.training.components import Laplace, Rademacher, StudentT
from sgdsim.training.data import FiniteData
from sgdsim.training.inputs import NormalInputs
from sgdsim.training.kernel import DATA
from sgdsim.training.noise import LaplaceNoise, RademacherNoise, StudentTNoise, UniformNoise
from sgdsim.training.rows import DataRows, FunctionInputs
from sgdsim.training.structured import Covariance, HiddenManifold, PowerCovariance
from tests.compiled import advance, begin, folded, observe
from tests.helpers import run, worst, z_between, z_from_theory
from tests.images.by_hand import write_folder
from tests.rules.nets import START as RULE_START

START = ExplicitStart([[1.0, 0.2], [0.2, 0.8]], [[0.4, 0.1], [-0.2, 0.5], [0.3, 0.2]], np.diag([0.9, 1.1, 0.7]))
D, LANES = 40, 2


def committee(**keys):
    return Committee(**{"d": D, "p": 3, "k": 2, "gamma": 2.0, "noise": 0.3} | keys)


def started(problem, lanes=LANES, simulator=None, seed=3):
    """A kernel in float64, and its state at step 0."""
    kernel = (simulator or Weights("float64", block=8)).bind(problem, lanes, 1.0)
    initial = START.draw(problem, np.random.default_rng(0), lanes)
    return kernel, begin(kernel, initial, replica_keys(seed, 0, 0, lanes))


draw = jax.jit(
    lambda law, key, count, d: law.draw(key, jnp.arange(count, dtype=jnp.uint32), d, "float64"), static_argnums=(2, 3)
)
normals = jax.jit(
    lambda key, count, d: block_normal_pairs(key, count, 1, "float64", first=(d + 1) // 2), static_argnums=(1, 2)
)


SPREAD = Covariance(np.diag(np.linspace(0.2, 1.8, D)))
OWN = FunctionInputs(lambda key, d: 3**0.5 * jax.random.uniform(key, (d,), minval=-1, maxval=1), "own")


@pytest.mark.parametrize(("law", "labels", "batch"), [(SPREAD, "real", 1), (SPREAD, "sign", 2), (OWN, "real", 1)])
def test_steps_by_hand(law, labels, batch):
    """Inputs of the law, label noise of its law, and classes: 8 steps of one block and 3 of the next, by NumPy."""
    problem = committee(inputs=law, label_noise=LaplaceNoise(), labels=labels, batch=batch)
    kernel, state = started(problem)
    steps = 8 // batch
    after = advance(kernel, state, jnp.asarray(steps + 3))
    for lane in range(LANES):
        W, teacher = np.array(state.W[lane]), np.asarray(state.teacher[lane])
        for first, count in ((0, steps), (steps, 3)):
            key = folded(state.keys, first)
            x = np.asarray(draw(law, folded(jnp.stack(key), DATA), 8, D))[lane]
            z = np.asarray(normals(key, 8, D)[0])[lane, :, 0]
            zeta = -np.sign(z) * np.log(2 * norm.sf(np.abs(z))) / 2**0.5
            for step in range(count):
                here = slice(step * batch, (step + 1) * batch)
                fields = x[here] @ W.T / D**0.5
                y = erf(x[here] @ teacher.T / D**0.5 / 2**0.5).mean(axis=1) + 0.3**0.5 * zeta[here]
                y = np.sign(y) if labels == "sign" else y
                error = y - erf(fields / 2**0.5).mean(axis=1)
                slope = np.sqrt(2 / np.pi) * np.exp(-(fields**2) / 2)
                W += 2.0 / (3 * D**0.5) / batch * (slope * error[:, None]).T @ x[here]
        np.testing.assert_allclose(after.W[lane], W, rtol=0, atol=1e-11)


def test_the_start_is_turned_out_of_the_coordinates():
    """Overlaps to rounding, in the span of a frame of which no direction is marked."""
    frame = spread_frame(5, 400)
    np.testing.assert_allclose(frame @ frame.T, np.eye(5), atol=1e-13)
    # Components are N(0, 1/d): of 2000 of them the largest is at 3.5 standard deviations, whatever the row.
    assert 2.8 < np.abs(frame).max() * 20 < 5.0
    assert np.abs(frame.mean(axis=1)).max() < 5 / 400
    assert abs((frame**4).mean() * 400**2 - 3) < 0.8
    problem = committee()
    initial = START.draw(problem, np.random.default_rng(0), 1)
    teacher, W = (np.asarray(part)[0] for part in vectors_in(initial, spread_frame(5, D)))
    np.testing.assert_allclose(teacher @ teacher.T / D, initial.P[0], atol=1e-13)
    np.testing.assert_allclose(W @ teacher.T / D, initial.M[0], atol=1e-13)
    np.testing.assert_allclose(W @ W.T / D, initial.Q[0], atol=1e-13)
    # As many rows as there are coordinates are a rotation: nothing of the vectors is lost where p >= d - k.
    wide = committee(d=5, inputs=Rademacher())
    kernel, state = started(wide)
    assert kernel.frame.shape == (5, 5)
    np.testing.assert_allclose(observe(kernel, state)["Q"][..., 0], initial.Q[0], atol=1e-13)


@pytest.mark.slow
def test_the_risk_over_test_inputs_is_the_closed_one():
    """Of Gaussian inputs, at t = 0 and later, with a trained second layer; a mean over 2^18 inputs in all."""
    problem = committee(inputs=NormalInputs(), second=SecondLayer(a0=(0.6, 1.4, -0.8), gamma_a=2.0))
    kernel, state = started(problem, 64, Weights("float64", test_inputs=4096))
    for _ in range(2):
        seen = observe(kernel, state)
        M, Q = (np.asarray(seen[name]) for name in ("M", "Q"))
        P = np.broadcast_to(np.array(START.P)[..., None], (2, 2, M.shape[2]))
        closed = rule_of(problem).observe(jnp.asarray(P), jnp.asarray(M), jnp.asarray(Q), state.numbers.T)[
            "excess_risk"
        ]
        off = np.asarray(seen["excess_risk"]) - np.asarray(closed)
        assert abs(off.mean()) < 5 * off.std() / off.size**0.5
        assert 0 < off.std() / off.size**0.5 < 0.01 * np.asarray(closed).mean()
        state = advance(kernel, state, jnp.asarray(60))


def test_test_inputs_are_fresh_and_any_number_of_them_will_do():
    """70 = 64 + 6, by NumPy, under the key of the step; another step has others."""
    problem = committee(inputs=StudentT(6.0), second=SecondLayer(a0=(0.6, 1.4, -0.8)))
    kernel, state = started(problem, simulator=Weights("float64", test_inputs=70))
    for steps in (0, 5):
        state = advance(kernel, state, jnp.asarray(steps))
        key = folded(state.keys, steps)
        x = np.asarray(draw(StudentT(6.0), folded(jnp.stack(key), TEST), 70, D))
        f = (erf(np.einsum("lsd,lpd->lsp", x, state.W) / (2 * D) ** 0.5) * [0.6, 1.4, -0.8]).mean(axis=2)
        target = erf(np.einsum("lsd,lpd->lsp", x, state.teacher) / (2 * D) ** 0.5).mean(axis=2)
        by_hand = ((target - f) ** 2).mean(axis=1) / 2
        np.testing.assert_allclose(observe(kernel, state)["excess_risk"], by_hand, rtol=1e-10)


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(RademacherNoise(), marks=pytest.mark.slow),
        UniformNoise(),
        pytest.param(None, marks=pytest.mark.slow),
    ],
)
def test_the_excess_risk_of_classes(noise):
    """E (y - f)^2/2 less what E[y|x] leaves, of a million samples that NumPy has drawn, with noise and without."""
    variance = 0.3 if noise else 0.0
    problem = committee(labels="sign", label_noise=noise, noise=variance)
    kernel, state = started(problem, 64, Weights("float64", test_inputs=4096))
    risk = np.asarray(observe(kernel, state)["excess_risk"])
    rng, count = np.random.default_rng(1), 2**20
    omega = np.block([[np.array(START.P), np.array(START.M0).T], [np.array(START.M0), np.array(START.Q0)]])
    fields = rng.normal(size=(count, 5)) @ np.linalg.cholesky(omega).T
    signal = erf(fields[:, :2] / 2**0.5).mean(axis=1)
    zeta = {RademacherNoise: lambda z: np.sign(z), UniformNoise: lambda z: 3**0.5 * (2 * norm.cdf(z) - 1)}
    make = zeta.get(type(noise), lambda z: z)
    first, second = (np.sign(signal + variance**0.5 * make(rng.normal(size=count))) for _ in range(2))
    f = erf(fields[:, 2:] / 2**0.5).mean(axis=1)
    # Two labels of one input are independent: E (y - f)(y' - f) is E (E[y|x] - f)^2.
    expected = (first - f) * (second - f) / 2
    error = np.hypot(risk.std() / risk.size**0.5, expected.std() / count**0.5)
    assert abs(risk.mean() - expected.mean()) < 5 * error
    assert error < 0.01 * expected.mean()


@pytest.mark.parametrize("noise", [LaplaceNoise(), StudentTNoise(6.0), RademacherNoise()])
@pytest.mark.slow
def test_label_noise_in_the_chain(noise):
    """The chain has the law of full weights, and the mean step is the ODE's: of the noise it knows the variance."""
    check_rule(rule_of(committee(label_noise=noise)), D, RULE_START)


def test_label_noise_enters_by_its_law():
    """The mean of Q after one step is that of Gaussian noise, its variance is not: E zeta^4 is 1 and 6 here, not 3."""
    tiles = {}
    for name, noise in (("gaussian", None), ("rademacher", RademacherNoise()), ("laplace", LaplaceNoise())):
        problem = Committee(d=D, p=1, k=1, gamma=4.0, noise=4.0, label_noise=noise)
        start = ExplicitStart([[1.0]], [[0.3]], [[0.5]])
        tiles[name] = run(problem, start, Chain("float64"), [1 / D], 2**14)
    spread = {name: (tile.m2["Q"].sum() / 2**14) ** 0.5 for name, tile in tiles.items()}
    for name in ("rademacher", "laplace"):
        z = z_between(tiles["gaussian"], tiles[name])
        assert worst({one: z[one] for one in ("M", "Q")}) < 4.5
    assert spread["rademacher"] < 0.95 * spread["gaussian"]
    assert spread["gaussian"] < 0.95 * spread["laplace"]


@pytest.mark.parametrize(
    ("law", "follows"),
    [(Rademacher(), True), (Laplace(), True), (PowerCovariance(1.0), False), (HiddenManifold(), False)],
)
@pytest.mark.slow
def test_which_laws_follow_the_ode_of_gaussian_inputs(law, follows):
    """At d = 1000: independent components do within their error, another covariance and the manifold do not."""
    problem = Committee(d=1000, p=2, k=2, gamma=2.0, noise=1e-2, inputs=law)
    tiles = run(problem, OverlapStart(0.5, 1), Weights(), [1.0], 64, theory=ExactODE())
    z = worst({name: z_from_theory(tiles, name) for name in ("M", "Q", "excess_risk")})
    assert z < 5 if follows else z > 20


def test_in_the_first_coordinates_few_components_make_a_field():
    """What the turned frame is for: Rademacher inputs along two axes leave the ODE at once."""
    problem = Committee(d=1000, p=1, k=1, gamma=2.0, inputs=Rademacher())
    kernel = Weights(test_inputs=2**11).bind(problem, 8, 1.0)
    start = ExplicitStart([[1.0]], [[0.6]], [[1.0]])
    initial = start.draw(problem, np.random.default_rng(0), 8)
    along = eqx.tree_at(lambda one: one.frame, kernel, np.eye(2, 1000))
    keys = replica_keys(0, 0, 0, 8)
    risks = [np.asarray(observe(one, begin(one, initial, keys))["excess_risk"]) for one in (kernel, along)]
    c = 2 / np.pi
    closed = (2 * c * np.arcsin(1 / 2) - 2 * c * np.arcsin(0.6 / 2)) / 2
    spread, axes = (abs(risk.mean() - closed) / (risk.std() / 8**0.5) for risk in risks)
    assert spread < 5
    assert axes > 20


@pytest.mark.parametrize(
    "keys", [pytest.param({"inputs": Rademacher()}, marks=pytest.mark.slow), {"labels": "sign", "batch": 3}]
)
def test_the_laws_of_a_kernel(keys):
    """Segments, lanes, company, keys and purity, to the bit."""
    check_system(SYSTEM, committee(**keys), START, simulator=Weights(block=8), compare=False, replicas=8)


@pytest.mark.slow
def test_training_on_a_law_is_the_built_in_step():
    """optax's plain SGD on fresh inputs of the law: the same inputs, and so, without label noise, the same weights."""
    problem = committee(inputs=Laplace(), noise=0.0)
    trained = committee(inputs=Laplace(), noise=0.0, optimiser=optax.sgd(1.0))
    ends = []
    for one in (problem, trained):
        kernel, state = started(one)
        ends.append(observe(kernel, advance(kernel, state, jnp.asarray(16))))
    for name in ("M", "Q", "excess_risk"):
        np.testing.assert_allclose(ends[0][name], ends[1][name], rtol=1e-9, atol=1e-12)


def test_finite_data_are_of_the_law():
    problem = committee(inputs=Rademacher(), labels="sign", noise=0.0, data=FiniteData(n=20), batch=5)
    _, state = started(problem)
    assert set(np.unique(state.x)) == {-1.0, 1.0}
    assert set(np.unique(state.y)) == {-1.0, 1.0}
    fields = np.einsum("lsd,lkd->lsk", state.x, state.fixed) / D**0.5
    np.testing.assert_array_equal(state.y, np.sign(erf(fields / 2**0.5).mean(axis=2)))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: Chain().check(committee(inputs=Rademacher())),
            "`inputs` must be left out .* take the simulator `weights`",
        ),
        (lambda: Chain().check(committee(labels="sign")), "`labels` must be left out for the simulator `chain`"),
        (lambda: Weights(kernel="fused").check(committee(inputs=Rademacher())), "on inputs of a law"),
        (lambda: committee(labels="sign", inputs=PowerSpectrum(0.5)), "`labels` must be real beside a spectrum"),
        (lambda: committee(inputs=Rademacher(), update=Update(average=True)), "`average` must be false"),
        (lambda: committee(labels="class"), "`labels` must be"),
        (lambda: committee(inputs=DataRows(np.eye(3))), "be 3, the numbers in a row"),
        (lambda: committee(inputs=FunctionInputs(lambda key, d: jax.random.uniform(key, (d,)))), "have E"),
        (lambda: ExactODE().check(committee(labels="sign")), "none beside labels that are classes"),
        (lambda: ExactODE(fluctuations=True).check(committee(label_noise=LaplaceNoise())), "false beside label_noise"),
        (lambda: LimitODE().check(committee(label_noise=LaplaceNoise())), "be exact or none beside label_noise"),
    ],
)
def test_what_does_not_go_together_is_refused(make, told):
    with pytest.raises(ArgumentError, match=told):
        make()


FILE = {"d": 64, "k": 1, "p": 2, "gamma": 1.0}


def test_laws_in_files():
    """Every name, with the keys of its own."""
    assert {*INPUTS} > {"gaussian", "rademacher", "digits", "mnist5k", "idx"}
    for name in {*INPUTS} - {"mnist5k", "idx"}:
        problem = ProblemSection(**FILE, inputs=name).build()
        assert problem.inputs.name == name
        assert problem.parameters()["inputs"] == name
    problem = ProblemSection(**FILE, inputs="student_t", degrees_of_freedom=3.5, label_noise="rademacher").build()
    assert problem.inputs.degrees_of_freedom == 3.5
    assert problem.parameters() | {"degrees_of_freedom": 3.5, "label_noise": "rademacher"} == problem.parameters()
    law = ProblemSection(**FILE, inputs="hidden_manifold", latent=2.0, manifold_seed=7).build().inputs
    assert (law.latent, law.manifold_seed) == (2.0, 7)
    assert ProblemSection(**FILE, inputs="covariance", spectrum=0.3).build().inputs.spectrum == 0.3
    plain = ProblemSection(**FILE).build()
    assert (plain.inputs, plain.label_noise, plain.labels, plain.law) == (None, None, "real", None)
    noise = ProblemSection(**FILE, label_noise="student_t", noise_degrees_of_freedom=4.0, labels="sign").build()
    assert noise.label_noise.noise_degrees_of_freedom == 4.0
    assert noise.labels == "sign"
    assert noise.parameters()["labels"] == "sign"
    digits = ProblemSection(**FILE, inputs="digits").build()
    assert [*digits.digests()] == ["digits"]


def test_images_are_known_by_what_is_in_them(tmp_path):
    """A run is not gone on with, nor made again, on others of the same name."""
    text = f"""
    system = "committee"
    problem = {{ d = 4, k = 1, p = 2, gamma = 1.0, inputs = "idx", folder = "{tmp_path}" }}
    simulator = {{ kind = "weights" }}
    theory = {{ kind = "none" }}
    start = {{ kind = "overlap", overlap = 0.5 }}
    times = {{ final = 1.0, count = 2 }}
    ensemble = {{ replicas = 2 }}
    """
    (tmp_path / "test.toml").write_text(text)
    write_folder(tmp_path)
    before = load_experiment(tmp_path / "test.toml").resolved
    write_folder(tmp_path, seed=1)
    after = load_experiment(tmp_path / "test.toml").resolved
    (key,) = differing_keys(before, after)
    assert key.startswith("digests.")
    (tmp_path / "test.toml").write_text(tomli_w.dumps(before))
    with pytest.raises(ExperimentError, match="these are other data than those of this experiment"):
        load_experiment(tmp_path / "test.toml")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"degrees_of_freedom": 4.0}, "degrees_of_freedom.* be given beside inputs"),
        ({"inputs": "laplace", "degrees_of_freedom": 4.0}, "not be given beside inputs = laplace"),
        ({"inputs": "rademacher", "spectrum": 0.4}, "`spectrum` must not be given beside inputs"),
        ({"inputs": "rademacher", "separation": 0.4}, "`separation` must not be given beside inputs"),
        ({"inputs": "covariance", "blocks": 4}, "`blocks` must not be given beside inputs"),
        ({"inputs": "idx"}, "`folder` must be given beside inputs = idx"),
        ({"folder": "x"}, "`folder` must be given beside inputs"),
        ({"noise_degrees_of_freedom": 4.0}, "not be given beside label_noise = gaussian"),
    ],
)
def test_keys_of_another_law_are_refused(keys, told):
    with pytest.raises(ArgumentError, match=told):
        ProblemSection(**FILE, **keys).build()


def test_what_is_told_of_a_law():
    """The theory is a comparison, and says so; no slope is expected."""
    told = committee(inputs=Rademacher()).cautions()
    assert [line for line in told if "a comparison and no theory of these inputs" in line]
    assert not [line for line in committee(inputs=NormalInputs()).cautions() if "comparison" in line]
    assert CommitteeSlopes().slope("sup_deviation", "dt", [committee()]) == 0.5
    assert CommitteeSlopes().slope("sup_deviation", "dt", [committee(inputs=Rademacher())]) is None
    costs = [Weights().step_cost(committee(inputs=law)) for law in (None, Rademacher(), HiddenManifold(0.5))]
    assert costs[1].operations == costs[0].operations - 25 * D
    assert costs[2].products == costs[0].products + D * D
