"""Prints the oldest versions of JAX that pyproject.toml allows, as constraints of pip."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for line in project["dependencies"]:
    if found := re.fullmatch(r"(jax|jaxlib)>=([\d.]+)", line):
        sys.stdout.write(f"{found[1]}=={found[2]}\n")
