"""Which core runs: the one that mypyc compiled, or the same sources interpreted.

`modules` is the one list of what belongs to the core. The build compiles these modules
(hatch_build.py), `running` tells how they were loaded, and the rules of the house ask the same
folders to be pure. This file imports nothing of the router: the build reads it before anything is
installed.
"""

import platform
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Final

PARTS: Final[tuple[str, ...]] = (
    *("terms", "smpp", "accept", "check", "decide", "enqueue", "forward", "report", "steps"),
    "journey",
)
"""Folders below router/, and one file, in the order of the arrows between them."""

SHELLS_OF_THE_DISK: Final = frozenset(
    {
        "router.enqueue.lock_file",
        "router.enqueue.rescue",
        "router.enqueue.retention",
        "router.enqueue.sqlite",
        "router.enqueue.sqlite_file",
        "router.enqueue.sqlite_read",
    }
)
"""Stay interpreted: SQLite does their work, in a thread of its own."""

COMPILED: Final = "compiled"
INTERPRETED: Final = "interpreted"

DEMAND: Final = "SMPP_ROUTER_CORE"
"""The variable of the environment that says which core is wanted: any other is refused."""


def modules(router: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and file of each module of the core below the folder `router`, sorted.

    Packages are left out: their `__init__.py` holds nothing but a docstring.
    """
    for part in PARTS:
        files = (
            [router / f"{part}.py"] if part == "journey" else sorted(router.glob(f"{part}/*.py"))
        )
        for file in files:
            name = ".".join(("router", *file.relative_to(router).with_suffix("").parts))
            if file.name != "__init__.py" and name not in SHELLS_OF_THE_DISK:
                yield name, file


def running() -> str:
    """Return `compiled`, `interpreted`, or `mixed`, with the modules that are interpreted.

    Imports the whole core, so that the answer holds for all that may run.
    """
    names = [name for name, _ in modules(Path(__file__).parents[1])]
    return told({name: import_module(name) for name in names})


def told(core: Mapping[str, ModuleType]) -> str:
    """What `running` says of these modules."""
    extensions = tuple(EXTENSION_SUFFIXES)
    interpreted = [
        name for name, module in core.items() if not str(module.__file__).endswith(extensions)
    ]
    if not interpreted:
        return COMPILED
    if len(interpreted) == len(core):
        return INTERPRETED
    return f"mixed: {', '.join(interpreted)} interpreted"


def refusal(demanded: str | None) -> str | None:
    """Return why this core may not run where `demanded` is wanted; None where it may."""
    if not demanded:
        return None
    if demanded not in (COMPILED, INTERPRETED):
        return f"{DEMAND}={demanded}: it says `{COMPILED}` or `{INTERPRETED}`"
    core = running()
    return None if core == demanded else f"{DEMAND}={demanded}, but the core is {core}"


def interpreter() -> str:
    """Return the name and version of what runs the rest, such as `CPython 3.11.7`."""
    return f"{platform.python_implementation()} {platform.python_version()}"
