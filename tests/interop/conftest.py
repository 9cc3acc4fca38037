"""What these tests start from: something that ends all that it started."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Children and clients of one test."""
    with ExitStack() as held:
        yield held
