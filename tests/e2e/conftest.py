"""What every end-to-end test starts from: something that ends all that it started."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Children and sockets of one test."""
    with ExitStack() as held:
        yield held


@pytest.fixture(scope="module")
def shared() -> Iterator[ExitStack]:
    """Children of all tests of a module."""
    with ExitStack() as held:
        yield held
