"""Stored runs with another summary, for the tests of what reads one."""

from dataclasses import replace


def changed(run, **fields):
    """The run with other fields of its summary."""
    return replace(run, summary=run.summary.model_copy(update=fields))


def with_cells(run, changes):
    """The run with other fields of its cells, a table of them for each."""
    cells = [cell.model_copy(update=change) for cell, change in zip(run.summary.cells, changes, strict=True)]
    return changed(run, cells=cells)


def with_fit(run, name, **fields):
    """The run with other fields of one of its fits."""
    return changed(run, fits={**run.summary.fits, name: run.summary.fits[name].model_copy(update=fields)})


def plain_text(line):
    """A line of words and numbers as it is read."""
    return "".join(piece if isinstance(piece, str) else piece.text for piece in line)
