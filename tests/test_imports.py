"""Imports run downward only: the rules of `tests.house.rules`, and that each of them is felt."""

import subprocess
import sys

import pytest

from tests.house.rules import FLOORS, light_modules, violations
from tests.house.source import ROOT, Module, modules


def test_no_import_breaks_a_rule():
    assert violations(modules()) == []


def test_every_room_is_on_one_floor():
    rooms = [room for floor in FLOORS for room in floor]
    assert len(rooms) == len(set(rooms))
    assert {module.room for module in modules().values()} <= set(rooms)


def house(folder, **files):
    """The modules of a package that has these files; `__` in a name stands for a dot."""
    found = {}
    for name, text in {"sgdsim": "", **files}.items():
        path = folder / f"{name}.py"
        path.write_text(text)
        name = name.replace("__", ".") if name == "sgdsim" else f"sgdsim.{name.replace('__', '.')}"
        found[name] = Module(name, path)
    return found


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"laws__power": "from sgdsim.store.stored import Run", "store__stored": ""},
            "sgdsim.laws.power:1: sgdsim.store.stored.Run does not stand below it",
        ),
        (
            {"recovery__dmft": "x = 1\n\ndef f():\n    import sgdsim.committee.theory.ode", "committee__ode": ""},
            "sgdsim.recovery.dmft:4: sgdsim.committee.theory.ode does not stand below it",
        ),
        (
            {"analysis__fits": "from sgdsim import committee", "committee": ""},
            "sgdsim.analysis.fits:1: sgdsim.committee does not stand below it",
        ),
        (
            {"run__plan": "if TYPE_CHECKING:\n    from sgdsim.cli import app", "cli__app": "", "cli": ""},
            "sgdsim.run.plan:2: sgdsim.cli.app does not stand below it",
        ),
        (
            {"figures__meanfield__noise": "from sgdsim.ensemble.tiles import Tiles", "ensemble__tiles": ""},
            "sgdsim.figures.meanfield.noise:1: sgdsim.ensemble.tiles.Tiles is nothing for a room that shows results",
        ),
        (
            {"report__page": "def f():\n    import jax.numpy as jnp"},
            "sgdsim.report.page:2: jax.numpy belongs where numbers are made",
        ),
        (
            {"laws__law": "from equinox import Module"},
            "sgdsim.laws.law:1: equinox.Module belongs where numbers are made",
        ),
        (
            {"cli__app": "from sgdsim.checks import integer", "checks": "import numpy\nimport diffrax"},
            "sgdsim.cli.app: must load fast, but imports sgdsim.checks -> diffrax",
        ),
        ({"attic": ""}, "sgdsim.attic: stands on no floor"),
    ],
)
def test_what_breaks_a_rule_is_told(files, said, tmp_path):
    assert violations(house(tmp_path, **files)) == [said]


def test_what_keeps_the_rules_is_not_told(tmp_path):
    files = {
        "contracts": "import jax\nfrom sgdsim.errors import ArgumentError",
        "errors": "",
        "laws__power": "import numpy as np\nfrom sgdsim.contracts import System\nfrom sgdsim.laws.law import Law",
        "laws__law": "",
        "run__plan": "import jax\nfrom sgdsim import __version__\nfrom sgdsim.laws import power",
        "cli__app": "def run():\n    from sgdsim.run.plan import plan",
    }
    assert violations(house(tmp_path, **files)) == []


def test_what_must_load_fast_does():
    """What the files say of JAX, Python itself confirms."""
    light = [name for name in light_modules(modules()) if not name.endswith("__main__")]
    code = f"import sys, {', '.join(light)}\nprint([name for name in ('jax', 'equinox') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
