"""Laws of inputs and label noise: their moments, every number by NumPy from the same words, and what is refused."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sgdsim.ensemble.random import replica_keys, threefry
from sgdsim.errors import ArgumentError
from sgdsim.training.components import Laplace, Rademacher, StudentT, Uniform, drawn_variance
from sgdsim.training.inputs import NormalInputs, NormalNoise
from sgdsim.training.noise import LaplaceNoise, RademacherNoise, StudentTNoise, UniformNoise
from sgdsim.training.rows import DataRows, FunctionInputs, ImageRows
from sgdsim.training.structured import Covariance, HiddenManifold, Manifold, PowerCovariance
from tests.images.by_hand import write_folder

LANES, ROWS = 4, 512
KEYS = replica_keys(7, 0, 0, LANES)
D = 45  # odd, and no multiple of the bits of a word
drawn = jax.jit(lambda law, keys, rows, d, dtype: law.draw((keys[0], keys[1]), rows, d, dtype), static_argnums=(3, 4))


def inputs(law, d=D, rows=ROWS, dtype="float64"):
    return np.asarray(drawn(law, KEYS, jnp.arange(rows, dtype=jnp.uint32), d, dtype))


def row_words(count, rows=ROWS):
    """The words of the counters (row, number) under the key of every lane, by NumPy."""
    row, number = np.meshgrid(np.arange(rows, dtype=np.uint32), np.arange(count, dtype=np.uint32), indexing="ij")
    return threefry((KEYS[0][:, None, None], KEYS[1][:, None, None]), (row[None], number[None]))


COMPONENTS = {
    "gaussian": (NormalInputs(), 3.0, 15.0),
    "rademacher": (Rademacher(), 1.0, 1.0),
    "uniform": (Uniform(), 9 / 5, 27 / 7),
    "laplace": (Laplace(), 6.0, 90.0),
    "student_t": (StudentT(12.0), 3 * 10 / 8, None),
}


@pytest.mark.parametrize("name", COMPONENTS)
def test_moments_of_independent_components(name):
    """Mean, variance, fourth and sixth moment; neighbours and opposite halves of a row are not correlated."""
    law, fourth, sixth = COMPONENTS[name]
    x = inputs(law, 64, 2048)
    moments = {1: 0.0, 2: 1.0, 3: 0.0, 4: fourth} | ({} if sixth is None else {6: sixth})
    for power, expected in moments.items():
        sample = x**power
        error = max(sample.std() / sample.size**0.5, 1e-12)
        assert abs(sample.mean() - expected) < 5 * error, (power, sample.mean(), expected, error)
    for product in (x[..., 1:] * x[..., :-1], x[..., :32] * x[..., 32:], x[:, 1:] * x[:, :-1], x[1:] * x[:-1]):
        assert abs(product.mean()) < 5 * product.std() / product.size**0.5
    for product in (x[..., :32] ** 2 * x[..., 32:] ** 2, x[..., 1:] ** 2 * x[..., :-1] ** 2):
        assert abs(product.mean() - 1) <= 5 * product.std() / product.size**0.5


def test_every_component_by_numpy():
    """From the same words, by distribution functions of SciPy, which share no formula."""
    half, every = row_words(-(-D // 2)), row_words(D)
    u = [(word.astype(np.float64) + 0.5) / 2**32 for word in half]
    # v of a word that is read as a signed number: a half turned by one half.
    uniform = np.concatenate([np.where(one < 0.5, one + 0.5, one - 0.5) for one in u], axis=2)[..., :D]
    np.testing.assert_allclose(inputs(Uniform()), stats.uniform(-(3**0.5), 12**0.5).ppf(uniform), atol=1e-12)
    tail = np.concatenate([(word | 1) / 2.0**32 for word in half], axis=2)[..., :D]
    sign = 1 - 2.0 * (np.concatenate(half, axis=2)[..., :D] & 1)
    np.testing.assert_allclose(inputs(Laplace()), sign * stats.laplace(scale=0.5**0.5).isf(tail / 2), rtol=1e-10)
    bits = np.unpackbits(
        np.concatenate(row_words(-(-D // 64)), axis=2).astype("<u4").view(np.uint8), axis=2, bitorder="little"
    )
    np.testing.assert_array_equal(inputs(Rademacher()), 1.0 - 2.0 * bits[..., :D])
    # Of t = R cos(angle), R^2 is nu times Fisher's F of 2 and nu degrees of freedom, over nu/2.
    radius = np.sqrt(2 * stats.f(2, 5.0).isf((every[0].astype(np.float64) + 0.5) / 2**32))
    turn = np.cos(2 * np.pi * (every[1].astype(np.float64) + 0.5) / 2**32)
    np.testing.assert_allclose(inputs(StudentT(5.0)), radius * turn / drawn_variance(5.0) ** 0.5, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("nu", [2.1, 3.0, 5.0, 40.0])
def test_the_variance_of_student_t(nu):
    """That of the words: of nu/(nu - 2) what is beyond the last one is missing, which is much near nu = 2."""
    cells = np.concatenate([np.arange(10**6) + 0.5, np.geomspace(10**6, 2**32, 10**6)])
    square = nu * ((cells / 2**32) ** (-2 / nu) - 1) / 2
    summed = square[: 10**6].sum() + np.trapezoid(square[10**6 :], cells[10**6 :])
    assert drawn_variance(nu) == pytest.approx(summed / 2**32, rel=1e-6)
    assert drawn_variance(nu) < nu / (nu - 2)
    assert drawn_variance(nu) == pytest.approx(nu / (nu - 2), rel=0.5 if nu < 3 else 1e-3)


LAWS = [
    *(law for law, *_ in COMPONENTS.values()),
    PowerCovariance(0.7),
    Covariance(np.diag(np.linspace(0.1, 1.9, D))),
    HiddenManifold(0.5, 3),
    DataRows(np.random.default_rng(0).exponential(size=(30, D))),
    FunctionInputs(lambda key, d: jax.random.normal(key, (d,)), "normal"),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_row_depends_on_its_key_and_number_alone(law):
    """Whatever rows and lanes are drawn with it, to the bit."""
    x = inputs(law, rows=16)
    some = np.asarray(drawn(law, KEYS, jnp.asarray([9, 2, 2], jnp.uint32), D, "float64"))
    np.testing.assert_array_equal(some, x[:, [9, 2, 2]])
    fewer = np.asarray(drawn(law, KEYS[:, 2:3], jnp.arange(16, dtype=jnp.uint32), D, "float64"))
    np.testing.assert_array_equal(fewer[0], x[2])
    assert len(np.unique(x.reshape(-1, D), axis=0)) > 20  # other rows and other lanes are other inputs
    single = inputs(law, rows=16, dtype="float32")
    assert single.dtype == np.float32
    if law.name != "normal":  # jax.random has other bits in another precision
        np.testing.assert_allclose(single, x, rtol=2e-4, atol=2e-5)


def covariance_of(x):
    flat = x.reshape(-1, x.shape[-1])
    return flat.T @ flat / len(flat), (len(flat)) ** -0.5


def test_a_covariance():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(5, 7))
    C = A @ A.T
    C *= 5 / np.trace(C)
    found, error = covariance_of(inputs(Covariance(C), 5, 8192))
    scale = np.sqrt(np.outer(np.diag(C), np.diag(C)) + C**2)
    assert (np.abs(found - C) < 5 * error * scale).all()
    root = np.asarray(Covariance(C).root)
    np.testing.assert_allclose(root, root.T, atol=1e-14)  # C^(1/2), and no other root
    z = inputs(NormalInputs(), 5, 8192)
    np.testing.assert_allclose(inputs(Covariance(C), 5, 8192), z @ root.T, atol=1e-12)
    power = inputs(PowerCovariance(1.5), 5, 8192)
    eigenvalues = np.arange(1, 6) ** -1.5
    np.testing.assert_allclose(power, z * np.sqrt(eigenvalues / eigenvalues.mean()), atol=1e-12)


def test_the_hidden_manifold():
    """Unit variance by component, the covariance of relu's arc-cosine kernel, and x by hand."""
    d, latent = 6, 9
    F = np.random.default_rng(4).normal(size=(d, latent)) * np.arange(1, d + 1)[:, None]
    x = inputs(Manifold(F), d, 8192)
    z = inputs(NormalInputs(), latent, 8192)
    mean, std = np.sqrt(1 / (2 * np.pi)), np.sqrt(0.5 - 0.5 / np.pi)
    length = np.linalg.norm(F, axis=1) / latent**0.5
    by_hand = (np.maximum(z @ F.T / latent**0.5, 0) - length * mean) / (length * std)
    np.testing.assert_allclose(x, by_hand, atol=1e-10)
    cosine = (F @ F.T) / np.outer(np.linalg.norm(F, axis=1), np.linalg.norm(F, axis=1))
    angle = np.arccos(np.clip(cosine, -1, 1))
    kernel = (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi)
    found, error = covariance_of(x)
    assert (np.abs(found - (kernel - mean**2) / std**2) < 5 * 2.5 * error).all()
    assert (np.abs(x.mean(axis=(0, 1))) < 5 * error).all()
    law = HiddenManifold(1.5, manifold_seed=4)
    np.testing.assert_array_equal(
        law.at(6).directions, Manifold(np.random.default_rng(4).normal(size=(6, 9))).directions
    )
    assert law.cost(6) == law.at(6).cost(6)


def test_rows_of_data():
    """Standardised, and drawn each equally often."""
    X = np.random.default_rng(5).exponential(size=(3, 4)) * [1, 2, 3, 4] + 5
    rows = np.asarray(DataRows(X).X)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-14)
    assert (rows**2).sum(axis=1).mean() == pytest.approx(4, rel=1e-13)
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(rows * np.sqrt((centred**2).mean()), centred, atol=1e-13)
    x = inputs(DataRows(X), 4, 4096)
    which = (np.abs(x[:, :, None] - rows).max(axis=3) < 1e-12).argmax(axis=2)
    np.testing.assert_allclose(x, rows[which], atol=1e-12)
    word = row_words(1, 4096)[0][..., 0]
    np.testing.assert_array_equal(which, (word.astype(object) * 3) // 2**32)


def test_images_as_inputs(tmp_path):
    law = ImageRows("digits")
    assert law.name == "digits"
    rows = np.asarray(law.at(64).X)
    assert rows.shape == (1297, 64)
    assert (rows**2).sum(axis=1).mean() == pytest.approx(64)
    assert law.digests() == {"digits": law.digest}
    with pytest.raises(ArgumentError, match="be 64, the pixels of digits"):
        law.check(SimpleNamespace(d=100))
    with pytest.raises(ArgumentError, match="or a folder"):
        ImageRows(tmp_path / "nowhere")


def test_rows_of_idx_files(tmp_path):
    """Training images of a folder, by NumPy; a folder that is written anew has another digest."""
    images = write_folder(tmp_path, train=9, size=3)[0].reshape(9, 9).astype(float)
    law = ImageRows(tmp_path)
    rows = np.asarray(law.at(9).X)
    centred = images - images.mean(axis=0)
    np.testing.assert_allclose(rows, centred / np.sqrt((centred**2).mean()), rtol=1e-6, atol=1e-7)
    x = inputs(law.at(9), 9, 64)
    assert np.abs(x[:, :, None] - rows).max(axis=3).min(axis=2).max() < 1e-12
    write_folder(tmp_path, train=9, size=3, seed=1)
    assert ImageRows(tmp_path).digest != law.digest


NOISE = {
    "gaussian": (NormalNoise(), stats.norm()),
    "uniform": (UniformNoise(), stats.uniform(-(3**0.5), 12**0.5)),
    "laplace": (LaplaceNoise(), stats.laplace(scale=0.5**0.5)),
    "student_t": (StudentTNoise(6.0), stats.t(6.0, scale=(4 / 6) ** 0.5)),
}


@pytest.mark.parametrize("name", NOISE)
def test_label_noise_has_its_law(name):
    """By the quantiles of the normal for one normal, and by a test of the whole distribution; unit variance."""
    law, expected = NOISE[name]
    keys = (jnp.asarray(KEYS[0]), jnp.asarray(KEYS[1]))
    zeta = np.asarray(law.draw(keys, jnp.arange(2**14, dtype=jnp.uint32), "float64"))
    assert zeta.shape == (LANES, 2**14)
    if law.normals == 1:
        z = np.asarray(NormalNoise().draw(keys, jnp.arange(2**14, dtype=jnp.uint32), "float64"))
        upper = expected.isf(stats.norm.sf(np.abs(z)))
        np.testing.assert_allclose(zeta, np.sign(z) * upper, rtol=1e-8, atol=1e-13)
    assert stats.kstest(zeta.ravel(), expected.cdf).pvalue > 1e-4
    assert expected.std() == pytest.approx(1)
    assert abs((zeta**2).mean() - 1) < 5 * (zeta**2).std() / zeta.size**0.5
    shift = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(law.mean_sign(jnp.asarray(shift)), expected.cdf(shift) - expected.cdf(-shift), atol=1e-7)
    single = np.asarray(law.draw(keys, jnp.arange(64, dtype=jnp.uint32), "float32"))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, zeta[:, :64], rtol=1e-4, atol=1e-5)


def test_rademacher_noise():
    law = RademacherNoise()
    np.testing.assert_array_equal(law.of_normals(jnp.asarray([-0.3, 0.2, 5.0])), [-1, 1, 1])
    shift = np.array([-1.5, -0.5, 0.5, 1.5])
    np.testing.assert_array_equal(law.mean_sign(jnp.asarray(shift)), [-1, 0, 0, 1])


def function(scale, shift=0.0):
    return FunctionInputs(lambda key, d: shift + scale * jax.random.normal(key, (d,)), "own")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Covariance(np.eye(3) * 2), "have the trace d = 3"),
        (lambda: Covariance(np.diag([2.0, 2.0, -1.0])), "positive semidefinite"),
        (lambda: Covariance(np.array([[1.0, 0.5], [0.2, 1.0]])), "be symmetric"),
        (lambda: Covariance(np.ones((2, 3))), "be a square matrix"),
        (lambda: Covariance(np.eye(3)).check(SimpleNamespace(d=4)), "be 3, the size of the covariance"),
        (lambda: Manifold(np.zeros((2, 3))), "without a row of zeros"),
        (lambda: Manifold(np.ones((2, 3))).check(SimpleNamespace(d=3)), "be 2, the rows of F"),
        (lambda: DataRows(np.ones((4, 3))), "have rows that differ"),
        (lambda: DataRows(np.ones(3)), "be a matrix"),
        (lambda: StudentT(2.0), "> 2"),
        (lambda: StudentTNoise(2.5), ">= 3"),
        (lambda: FunctionInputs(3), "be a function of a key and d"),
        (lambda: function(1.1).check(SimpleNamespace(d=50)), r"have E\|x\|\^2 = d"),
        (lambda: function(0.84**0.5, 0.4).check(SimpleNamespace(d=50)), "have mean 0"),
        (lambda: FunctionInputs(lambda key, d: jnp.ones(3)).check(SimpleNamespace(d=5)), "make d = 5 numbers"),
        (lambda: FunctionInputs(lambda key: key).check(SimpleNamespace(d=5)), "be a function of a key and d = 5"),
        (lambda: FunctionInputs(lambda key, d: jnp.full(d, jnp.nan)).check(SimpleNamespace(d=5)), "be finite"),
    ],
)
def test_what_is_no_law_is_refused(make, told):
    with pytest.raises(ArgumentError, match=told):
        make()


def test_a_function_of_ones_own():
    function(1.0).check(SimpleNamespace(d=50))
    x = inputs(function(1.0), 7, 5)
    a, b = row_words(1, 5)
    key = jax.random.wrap_key_data(jnp.asarray([a[1, 3, 0], b[1, 3, 0]]), impl="threefry2x32")
    np.testing.assert_allclose(x[1, 3], jax.random.normal(key, (7,)), rtol=1e-12)
