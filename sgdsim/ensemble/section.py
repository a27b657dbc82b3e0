"""The common base of all tables of an experiment file."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of an experiment file: exact types, known keys only, finite numbers only.

    `derived` names, for a value that is computed from the table, the keys that it comes from, most telling first: an
    ArgumentError about that value is blamed on them. `examples` of a required field are shown where it is missing.
    `words` says what the field's words for its keys stand for here, as "did you mean ...?" goes on: the keys in
    backticks, and the table of a key that is in another. `otherwise` says what is left to do where none of the values
    that a key takes will do.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    words: ClassVar[Mapping[str, str]] = {}
    otherwise: ClassVar[Mapping[str, str]] = {}


_FINAL = "`final` in [times]"
TIME_WORDS = {
    **dict.fromkeys(("T", "t_max", "tmax", "t_final", "t_end", "time", "horizon", "duration"), _FINAL),
    **dict.fromkeys(("steps", "n_steps", "num_steps", "iterations", "epochs"), f"{_FINAL}, steps times dt"),
}
"""Words for the time of a run, which is not of the problem."""
