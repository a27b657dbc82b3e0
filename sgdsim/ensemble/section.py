"""The common base of all tables of an experiment file."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of an experiment file: exact types, known keys only, finite numbers only.

    `derived` names, for a value that is computed from the table, the keys that it comes from, most telling first: an
    ArgumentError about that value is blamed on them. `examples` of a required field are shown where it is missing.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {}
