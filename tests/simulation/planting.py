"""How a bug is planted into the router, and taken out again.

Patching our own code is for this purpose only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Patch = tuple[object, str, object]
"""An object, its attribute, and what stands there instead."""
Make = Callable[[], list[Patch]]


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake that can be made in the router."""

    make: Make
    seed: int
    """A seed of the simulation that finds the bug. Others do too; when the router behaves
    differently, `python -m tests.simulation planted --write` finds one anew."""


BUGS: dict[str, Bug] = {}


def bug(*, seed: int) -> Callable[[Make], Make]:
    """Put a bug on the list, with a seed that finds it."""

    def listed(make: Make) -> Make:
        name = make.__name__
        if name in BUGS:
            raise ValueError(f"two planted bugs are named {name}")
        BUGS[name] = Bug(make, seed)
        return make

    return listed


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While this lasts the router has that bug."""
    before: list[Patch] = []
    try:
        for owner, attribute, instead in BUGS[name].make():
            before.append((owner, attribute, vars(owner)[attribute]))
            setattr(owner, attribute, instead)
        yield
    finally:
        for owner, attribute, was in before:
            setattr(owner, attribute, was)
