"""`smpp-router check`: all mistakes of a configuration, warnings, and what it would change.

The command asks this itself, or has the running router ask it (`--against-running`): that one has
what runs in memory, and the environment and the rights with which a reload would read the files.
Both show the same document. No value of a secret is in it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NotRequired, TypedDict

from router.settings.difference import Difference, difference, without_lists
from router.settings.environment import Environment, Withheld
from router.settings.load import Mistake, SettingsError, load, warnings
from router.settings.warn_senders import ending_senders
from router.terms.settings import Place, Settings
from router.wiring.file_warnings import file_warnings

Read = Callable[[Path, Environment], Settings]
"""Returns the settings in a file or folder; raises SettingsError."""


class ToldChange(TypedDict):
    """One key, rule or part that is not as it was: the fields of `difference.Change`."""

    path: str
    kind: str
    before: str
    after: str
    place: str
    text: str
    """All of it in words."""


class ToldDifference(TypedDict):
    """What one configuration would change in another."""

    hash: str
    """Of the configuration that would be changed."""
    changes: list[ToldChange]
    needs_restart: list[str]
    """The keys among them that only a new process follows."""


class Examined(TypedDict):
    """All that `check` says."""

    ok: bool
    mistakes: list[dict[str, object]]
    mistakes_left_out: NotRequired[int]
    """How many more mistakes there are than are listed, where the running router has read the files
    and they have very many."""
    warnings: list[dict[str, object]]
    hash: str | None
    """None for a configuration with mistakes, and where `secrets_compared` is false."""
    against: NotRequired[ToldDifference | None]
    """Only where it was asked for; None for a configuration with mistakes."""
    secrets_compared: NotRequired[bool]
    """False where it was not asked whether passwords differ."""
    read_by: NotRequired[str]
    """The user as whom the running router has read the files, where it has."""


def examine(
    path: Path,
    environment: Environment,
    against: Settings | None = None,
    *,
    read: Read = load,
) -> Examined:
    """Read a configuration, and compare it with what it would replace."""
    try:
        settings = read(path, environment)
    except SettingsError as error:
        found = Examined(
            ok=False, mistakes=[asdict(one) for one in error.mistakes], warnings=[], hash=None
        )
        if error.left_out:
            found["mistakes_left_out"] = error.left_out
        return found if against is None else {**found, "against": None}
    found = Examined(
        ok=True,
        mistakes=[],
        warnings=[asdict(one) for one in _warnings(settings)],
        hash=settings.digest,
    )
    if against is not None:
        differs = difference(against, settings)
        if isinstance(environment, Withheld):
            differs = without_lists(differs, against, settings)
        found["against"] = _told(differs, against.digest)
    return found


def _warnings(settings: Settings) -> list[Mistake]:
    ending = ending_senders(settings, time.time())
    found = [*warnings(settings), *ending, *file_warnings(settings)]
    return sorted(found, key=lambda warning: warning.place)


def _told(found: Difference, against: str) -> ToldDifference:
    changes = [
        ToldChange(
            path=one.path,
            kind=one.kind,
            before=one.before,
            after=one.after,
            place=one.place,
            text=str(one),
        )
        for one in found.changes
    ]
    return ToldDifference(hash=against, changes=changes, needs_restart=list(found.needs_restart))


def without_secrets(found: Examined) -> None:
    """Do not tell which passwords differ: whoever may ask again and again could guess them.

    Nor the digest. The content of files is in it, which were read with the rights of the router:
    whoever names a file with a password as a certificate could try passwords at leisure.
    """
    found["secrets_compared"] = False
    found["hash"] = None
    against = found.get("against")
    if against is not None:
        # Nothing but a secret changes without a word of what it was and is; or a file's content.
        against["changes"] = [
            one
            for one in against["changes"]
            if one["kind"] != "changed"
            or one["before"]
            or one["after"]
            or one["path"].startswith("file ")
        ]


def lines_of(found: Examined) -> Iterator[str]:
    """Yield what was found, for people."""
    for mistake in found["mistakes"]:
        yield str(Mistake(**mistake))  # type: ignore[arg-type]  # As `asdict` has made it.
    if found.get("mistakes_left_out"):
        yield f"and {found['mistakes_left_out']} more mistakes"
    for warning in found["warnings"]:
        told = Mistake(**warning)  # type: ignore[arg-type]
        parts = (str(Place(told.file, told.line, told.column)), "warning", told.path, told.message)
        yield ": ".join(filter(None, parts))
    against = found.get("against")
    if against is not None:
        yield from (change["text"] for change in against["changes"])
        if against["needs_restart"]:
            yield f"needs a restart: {', '.join(against['needs_restart'])}"
        if found.get("secrets_compared") is False:
            yield "passwords were not compared: the router does so only for the files that it runs"


def total_of(found: Examined) -> str:
    """Return how much was found, in one line."""
    counts = [
        _counted(len(found["mistakes"]) + found.get("mistakes_left_out", 0), "mistake"),
        _counted(len(found["warnings"]), "warning"),
    ]
    against = found.get("against")
    if against is not None:
        kinds = [change["kind"] for change in against["changes"]]
        more = kinds.count("more")
        changes = _counted(len(kinds) - more, "change")
        counts.append(f"more than {changes}" if more else changes)
    read_by = found.get("read_by")
    return ", ".join(counts) + (f" (read by the router, as user {read_by})" if read_by else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
