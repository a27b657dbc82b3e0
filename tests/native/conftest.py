"""Machines without a compiler, and what is told of them."""

import logging

import pytest

from sgdsim import notices


@pytest.fixture
def told(caplog):
    """The lines that are told from here on, those that were told before included."""
    notices.notice.cache_clear()
    with caplog.at_level(logging.WARNING, "sgdsim"):
        yield caplog
    notices.notice.cache_clear()


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "nothing-of-this-name")
