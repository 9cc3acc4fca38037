"""How hard properties are tried: the same few examples in CI, many new ones in `make test-long`.

And on which core: where the environment demands one, no test runs on another.
"""

import os

import pytest
from hypothesis import settings

from router.telemetry.core import DEMAND, refusal

pytest_plugins = ("tests.interop.matrix",)

# No deadline: the tests share two cores with whatever else runs there, and a slow example is no
# wrong one. The same examples every time: whether a change passes depends on the change alone.
settings.register_profile("short", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("long", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("short")


def pytest_configure() -> None:
    """Refuse to run on another core than the one that is demanded."""
    wrong = refusal(os.environ.get(DEMAND))
    if wrong is not None:
        raise pytest.UsageError(wrong)
