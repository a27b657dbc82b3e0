"""Functions in C++ under the name by which XLA calls them."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import jax
import numpy as np

from sgdsim.native.build import NO_COMPILER, BuildError, Compiler, find_compiler, make_library
from sgdsim.native.primitives import cpp_type
from sgdsim.native.used import note


def source_of(dtype: Any, *parts: str) -> str:
    """A source file for a precision: the headers that all have, then these parts, each a text or the name of a file."""
    scalar = {"f32": "float", "f64": "double"}[cpp_type(np.dtype(dtype))]
    names = ("lanes.h", "functions.h", "handler.h", *parts)
    return "\n".join([f"#define REAL {scalar}", *(_text(part) if part.endswith(".h") else part for part in names)])


@lru_cache(maxsize=16)
def _text(name: str) -> str:
    return files("sgdsim.native").joinpath(name).read_text(encoding="utf-8")


def library_name(source: str) -> str:
    """The name under which XLA finds the function that a source makes.

    **Raises:** BuildError where it cannot be made.
    """
    compiler = find_compiler()
    if compiler is None:
        raise BuildError(NO_COMPILER)
    name = _register(compiler, source)
    note(compiler.name)
    return name


@lru_cache(maxsize=256)
def _register(compiler: Compiler, source: str) -> str:
    path, library = make_library(compiler, source)
    name = f"sgdsim_{path.stem}"
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(library.handler), platform="cpu")
    return name
