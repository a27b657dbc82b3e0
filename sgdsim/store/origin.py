"""What numbers come from: code, versions and processors, none of which a run should mix without being told."""

import importlib.metadata
from collections.abc import Iterable, Sequence
from functools import cache

from pydantic import BaseModel, ConfigDict

from sgdsim.native.used import compilers_used
from sgdsim.store.code import Code


class Origin(BaseModel, frozen=True):
    """What has simulated a block.

    - `code`: digest of the files that simulate, see `sgdsim.store.code`.
    - `jax`: its version; `platform`: "cpu", "gpu" or "tpu".
    - `compiler`: of loops in C++, name and version; empty where there were none.
    """

    model_config = ConfigDict(extra="forbid")

    code: str
    jax: str
    platform: str
    compiler: str = ""

    @property
    def words(self) -> str:
        """In words: "jax 0.10.2 on cpu with g++ 12.2.0, code 1f0c..."."""
        with_compiler = f" with {self.compiler}" if self.compiler else ""
        return f"jax {self.jax} on {self.platform}{with_compiler}, code {self.code}"


def origin_here(code: Code) -> Origin:
    """What this process simulates with, as far as it has come."""
    # JAX is started by whoever simulates; without it a run can be looked at.
    from sgdsim.ensemble.backend import platform

    return Origin(code=code.digest, jax=_version_of_jax(), platform=platform(), compiler=compilers_used())


class Share(Origin, frozen=True):
    """How many replicas, and blocks of them, come from one origin."""

    blocks: int
    replicas: int


def shares(made: Iterable[tuple[Origin, int]]) -> Sequence[Share]:
    """The origins of some blocks, each with its number of replicas, counted in the order in which they come up."""
    counts: dict[Origin, list[int]] = {}
    for origin, replicas in made:
        count = counts.setdefault(origin, [0, 0])
        count[0] += 1
        count[1] += replicas
    return [Share(**dict(origin), blocks=blocks, replicas=replicas) for origin, (blocks, replicas) in counts.items()]


def mixture(origins: Sequence[Share]) -> str:
    """What to tell of blocks that come from more than one origin; empty where they do not."""
    if len(origins) < 2:
        return ""
    parts = "; ".join(f"{share.replicas} replicas by {share.words}" for share in origins)
    return f"blocks of {len(origins)} origins stand together: {parts}"


@cache
def _version_of_jax() -> str:
    return importlib.metadata.version("jax")
