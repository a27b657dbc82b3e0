"""The page and all figures are made of stored results, without JAX."""

import subprocess
import sys


def test_laws_figures_and_page_do_not_import_jax():
    program = "import sys, sgdsim.report, sgdsim.figures.catalogue, sgdsim.laws.catalogue; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
