"""One command for a machine with a GPU: `python -m benchmarks.gpu`. In `sections` it says what is measured."""
