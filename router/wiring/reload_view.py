"""`smpp-router reload`: asks the running router to reload, and says in words what came of it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from router.wiring.remote import NoAnswerError, ask

WAIT_S: Final = 310.0
"""Longer than the router waits for its own answer (`control.RELOAD_S`)."""
HEADS: Final = {
    "unchanged": "the configuration is the one in force",
    "applied": "applied",
    "partly": "applied, but for what needs a restart",
}


class Told(NamedTuple):
    """What came of a reload."""

    document: dict[str, object]
    lines: list[str]
    """For people: what was applied, or every mistake."""
    refusal: str
    """Why nothing was applied; empty where something was, or nothing had changed."""
    goes_on: str
    """Which configuration goes on where nothing was applied."""


def reload(url: str, *, partly: bool) -> Told:
    """Have the router at this URL reload. Raises NoAnswerError."""
    try:
        said = ask(url, "/v1/reload", {"partly": partly}, wait_s=WAIT_S)
    except NoAnswerError as error:
        said = error.answer
        if b'"result"' not in said:
            raise
    try:
        document = json.loads(said)
        since_utc = float(document["in_force_since_utc"])
        goes_on = f"nothing was applied: the configuration of {moment(since_utc)} goes on"
        return Told(document, lines_of(document), str(document["reason"]), goes_on)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnswerError("the answer is not from a router of this version") from error


def moment(utc: float) -> str:
    """Return a time to the second."""
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lines_of(document: Mapping[str, list[object]]) -> list[str]:
    """Return what the answer of the router says, in lines for people."""
    result = str(document["result"])
    lines = [str(mistake["text"]) for mistake in _mistakes(document)]
    if document["mistakes_left_out"]:
        lines.append(f"and {document['mistakes_left_out']} more")
    keys = [str(key) for key in document["needs_restart"]]
    restart = [f"{key}:" for key in keys]
    renamed = [key.removesuffix(".formerly") for key in keys]
    restart += [f"{name}: {how}" for name in renamed for how in ("formerly ", "added: formerly ")]
    for change in map(str, document["changes"]):
        needs = result == "partly" and change.startswith(tuple(restart))
        lines.append(f"{change} (after a restart)" if needs else change)
    if document["changes_left_out"]:
        lines.append(f"and {document['changes_left_out']} more")
    lines += map(str, document["stays"])
    lines += [f"warning: {warning}" for warning in document["warnings"]]
    if document["warnings_left_out"]:
        lines.append(f"and {document['warnings_left_out']} more warnings")
    if result in HEADS:
        lines.append(HEADS[result])
    return lines


def _mistakes(document: Mapping[str, list[object]]) -> list[dict[str, object]]:
    return [one for one in document["mistakes"] if isinstance(one, dict)]
