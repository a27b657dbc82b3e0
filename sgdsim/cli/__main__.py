"""`python -m sgdsim.cli` is `sgdsim`."""

from sgdsim.cli import main

main()
