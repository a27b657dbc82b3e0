"""A run that nobody disturbed."""

import pytest

from tests.processes import BLOCKS, blocks, numbers


@pytest.fixture(scope="session")
def undisturbed(nursery, tmp_path_factory):
    """The numbers of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    nursery.run(folder).succeed()
    assert len(blocks(folder)) == BLOCKS
    return numbers(folder)
