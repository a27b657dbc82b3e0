"""SGD of optax takes no more than 1.5 times the CPU time of the built-in step."""

import pytest

from benchmarks.training import per_sample


@pytest.mark.slow
def test_the_built_in_step_is_hardly_faster():
    found = per_sample(1000, 4, 1, 1024)
    assert found["sgd of optax"] < 1.5 * found["built-in step"]
