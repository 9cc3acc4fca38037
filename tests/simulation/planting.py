"""How a bug is planted into the router, and taken out again.

Patching our own code is for this purpose only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Patch = tuple[object, str, object]
"""An object, its attribute, and what stands there instead."""
Bug = Callable[[], list[Patch]]
BUGS: dict[str, Bug] = {}


def bug(make: Bug) -> Bug:
    """Put it on the list."""
    BUGS[make.__name__] = make
    return make


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While this lasts the router has that bug."""
    before: list[Patch] = []
    try:
        for owner, attribute, instead in BUGS[name]():
            before.append((owner, attribute, vars(owner)[attribute]))
            setattr(owner, attribute, instead)
        yield
    finally:
        for owner, attribute, was in before:
            setattr(owner, attribute, was)
