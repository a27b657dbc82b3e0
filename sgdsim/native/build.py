"""Shared libraries from C++ source: a compiler is looked for once, and what it made is kept in the user's cache."""

import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jax

_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = (
    "-std=c++17",
    "-O3",
    "-shared",
    "-fPIC",
    "-w",
    "-fwrapv",  # whole numbers wrap around, as JAX's do
    "-ffp-contract=fast",
    # Only what leaves results alone: infinity and not-a-number stay, since a trajectory that diverges shows by them.
    "-fno-math-errno",
    "-fno-trapping-math",
)
_TUNINGS = (("-march=native",), ("-mcpu=native",), ())


NO_COMPILER = (
    "no C++ loop on Windows, where JAX's own are taken"
    if os.name == "nt"
    else "no C++ compiler (install g++ or clang++, or name one in $CXX)"
)


class BuildError(Exception):
    """No library could be made: "there is " and the message say why, in one line."""


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler, the flags that name this processor, and all that it says of itself and of the processor."""

    command: tuple[str, ...]
    tuning: tuple[str, ...]
    macros: str

    @property
    def name(self) -> str:
        """Its name and version."""
        version = re.search(r'__VERSION__ "([^"]*)"', self.macros)
        return f"{Path(self.command[0]).name} {version[1] if version else ''}".rstrip()


def find_compiler() -> Compiler | None:
    """The compiler that $CXX names, else the first one on the path that works, or None.

    The environment is asked every time; what a compiler says of itself is remembered. On Windows there is none: what
    GCC makes there does not fit JAX's library.
    """
    if os.name == "nt":
        return None
    named = os.environ.get("CXX")
    commands = [tuple(shlex.split(named))] if named else [(name,) for name in _COMPILERS]
    for command in commands:
        path = shutil.which(command[0]) if command else None
        if path and (compiler := _probe((path, *command[1:]))):
            return compiler
    return None


@lru_cache(maxsize=8)
def _probe(command: tuple[str, ...]) -> Compiler | None:
    """What the preprocessor defines: version of the compiler, and what the processor can do."""
    for tuning in _TUNINGS:
        done = _call([*command, *tuning, "-dM", "-E", "-x", "c++", "-"], "")
        if done is not None and done.returncode == 0 and "__cplusplus" in done.stdout:
            return Compiler(command, tuning, done.stdout)
    return None


def make_library(compiler: Compiler, source: str, *more: str) -> tuple[Path, ctypes.CDLL]:
    """The library of a source, from the cache or made now, and the file that holds it.

    - `more`: flags beside those that all have.

    Several processes may make the same one at once: each writes a file of its own and moves it into place.

    **Raises:** BuildError where the compiler fails, or the cache cannot be written.
    """
    flags = (*_FLAGS, *compiler.tuning, *more, f"-I{jax.ffi.include_dir()}")
    text = "\0".join((*compiler.command, *flags, compiler.macros, source))
    name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    try:
        path = _folder() / f"{name}.so"
        if not path.exists():
            _compile(compiler, flags, source, path)
        return path, ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"an error of the system: {error}") from error


def _folder() -> Path:
    """Beside the compiled programs of JAX, wherever they are kept."""
    folder = _cache() / "native"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cache() -> Path:
    return Path(jax.config.values["jax_compilation_cache_dir"] or tempfile.gettempdir())


def _compile(compiler: Compiler, flags: tuple[str, ...], source: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        done = _call([*compiler.command, *flags, "-x", "c++", "-", "-o", str(made)], source)
        if done is None or done.returncode != 0 or not made.exists():
            said = (done.stderr.strip() if done else "") or "it said nothing"
            error = next((line for line in said.splitlines() if "error" in line), said.splitlines()[0])
            raise BuildError(f"an error of {compiler.command[0]}: {error}")
        made.replace(path)


def _call(command: list[str], text: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError:
        return None
