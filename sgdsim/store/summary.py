"""summary.json: what came out of a run, in classes. `python -m sgdsim.store.summary` prints their JSON schema.

A run writes a `Summary`; the report, the figures and the command line read it. Every number that is not known is None.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, WithJsonSchema
from pydantic.json_schema import models_json_schema

from sgdsim.analysis.plateau import Plateau
from sgdsim.errors import ExperimentError
from sgdsim.laws.catalogue import LAWS, read_fitted
from sgdsim.laws.law import Finite, Fitted, Record, Rows, known
from sgdsim.store.files import read_json
from sgdsim.store.origin import Share

Format = Literal[3]
"""The version of this format. Files without one are of version 1."""
FORMAT: Format = get_args(Format)[0]
Value = Annotated[Any, BeforeValidator(known), WithJsonSchema({"type": ["boolean", "number", "string", "null"]})]
"""A parameter of a cell, of a type that its reader knows; None where it is not finite."""


class Mean(Record, frozen=True):
    """A mean over the replicas that did not diverge, and its standard error."""

    mean: Finite = None
    sem: Finite = None


class End(Mean, frozen=True):
    """A scalar observable at the last save time, and what theory says of it."""

    theory: Finite = None


class Predicted(Record, frozen=True):
    """The means of the deviations that theory predicts."""

    max_deviation: Finite = None
    sup_deviation: Finite = None
    final_deviation: Finite = None


class CellSummary(Record, frozen=True):
    """One cell of the grid.

    - `axes`: its coordinates in the grid; `parameters`: all parameters of its problem.
    - `theory`: the name of its theory; `theory_diverged`: whether that became infinite, where it was solved alone.
    - `divergence_bound`: a replica counts as diverged beyond this size of an order parameter.
    - `max_deviation`, `sup_deviation`, `final_deviation`: distances from theory; None where nothing was simulated.
    - `final`: the scalar observables at the last save time, the risk first.
    - `plateau`, `plateau_theory`: where the risk stops falling for a while, of the mean and of theory.
    - `doubts`: what a reader should know of its numbers, see `Problem.doubts`.
    - `error`: of a cell that failed for good; it has no replicas.
    """

    cell: int
    axes: Mapping[str, Value] = {}
    parameters: Mapping[str, Value] = {}
    theory: str | None = None
    theory_diverged: bool | None = None
    n_replicas: int = 0
    n_diverged: int = 0
    divergence_bound: Finite = None
    max_deviation: Mean | None = None
    sup_deviation: Mean | None = None
    final_deviation: Mean | None = None
    predicted: Predicted | None = None
    final: Mapping[str, End] = {}
    plateau: Plateau | None = None
    plateau_theory: Plateau | None = None
    steps_per_second: Finite = None
    wall_seconds: float = 0.0
    doubts: Sequence[str] = ()
    error: str | None = None

    @property
    def values(self) -> dict[str, Value]:
        """Parameters and coordinates by name."""
        return {**self.parameters, **self.axes}

    def deviation(self, name: str) -> Mean:
        """One of the three distances from theory by its name, unknown where nothing was simulated."""
        return getattr(self, name) or Mean()


class Points(Record, frozen=True):
    """A quantity of the cells against a parameter, without a law: one of [[report.against]].

    - `series`: for each combination of the other axes of the grid, by its label ("" where there is one only), the
      points [x, mean, standard error, theory] by increasing x.
    - `missed`: why a cell has no point (a level that is not reached), and in how many this is so.
    """

    quantity: str
    axis: str
    level: float | None = None
    series: Mapping[str, Rows] = {}
    missed: Mapping[str, int] = {}


def _of_its_law(entry: Any) -> Any:
    return entry if isinstance(entry, Fitted) else read_fitted(entry)


class Summary(Record, frozen=True):
    """A run: its size and speed, its cells, and the laws that were fitted over them.

    - `digest`: over all the rest of the file.
    - `manifest`: digest of the manifest by which the blocks were merged; `results`: of the file results.nc.
    - `origins`: code, versions and processors that have made the blocks.
    - `steps_per_second`: steps of one replica; None where nothing was simulated.
    - `risk`: the scalar observable that levels and plateaus are looked for in, see `System.risk`.
    - `n_replicas`, `n_diverged`: in all cells.
    - `divergence`: what counts as diverged, in words.
    - `fits`: by the fit's name and, in brackets, the group of cells, each in the class of its law.
    """

    format: Format = FORMAT
    digest: str = ""
    manifest: str = ""
    results: str = ""
    origins: Sequence[Share] = ()
    experiment: str
    title: str
    system: str
    risk: str = ""
    versions: Mapping[str, str] = {}
    wall_seconds: float = 0.0
    steps_per_second: Finite = None
    n_replicas: int = 0
    n_diverged: int = 0
    divergence: str | None = None
    cells: Sequence[CellSummary] = ()
    fits: Mapping[str, SerializeAsAny[Annotated[Fitted, BeforeValidator(_of_its_law)]]] = {}
    against: Sequence[Points] = ()

    @classmethod
    def load(cls, path: Path) -> "Summary":
        """Reads a file.

        **Raises:** ExperimentError where it is of another version, or damaged.
        """
        remedy = f"write it anew: sgdsim run {path.parent}"
        try:
            content = read_json(path)
            # The version first: what another one has written may fit these classes by chance.
            found = content.get("format", 1)
            if found != FORMAT:
                raise ExperimentError([f"{path}: is of format {found}, and this version reads {FORMAT}; {remedy}"])
            if content.get("digest") != _digest(content):
                raise ExperimentError([f"{path}: is not as it was written (its digest is another); {remedy}"])
            return cls.model_validate(content)
        except (OSError, ValueError, RecursionError) as error:
            raise ExperimentError([f"{path}: is damaged ({_first(error)}); {remedy}"]) from None

    def sealed(self) -> "Summary":
        """With the digest over all the rest."""
        return self.model_copy(update={"digest": _digest(self.model_dump(mode="json"))})

    def text(self) -> str:
        """The file's content, sealed: JSON with two blanks to a level, in which no number is NaN."""
        return json.dumps(self.sealed().model_dump(mode="json"), indent=2, allow_nan=False) + "\n"


def _digest(content: Mapping[str, Any]) -> str:
    """Over all entries but the digest itself."""
    text = json.dumps({name: entry for name, entry in content.items() if name != "digest"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def schema() -> dict[str, Any]:
    """The JSON schema of the file, every law's entry of `fits` in it."""
    found = Summary.model_json_schema(mode="serialization")
    # In one call, so that what laws share is defined once.
    refs, laws = models_json_schema([(law.found, "serialization") for law in LAWS.values()])
    found["$defs"] |= laws["$defs"]
    found["properties"]["fits"]["additionalProperties"] = {"oneOf": list(refs.values())}
    return found


def _first(error: Exception) -> str:
    """What is wrong, in one line."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
