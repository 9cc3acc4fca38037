"""`smpp-router status`: fetches the status of a running router and draws it."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO, cast

from rich.console import Console
from rich.text import Text

from router.telemetry.document import ProblemStatus, Snapshot
from router.telemetry.status import version
from router.wiring.remote import NoAnswerError, ask
from router.wiring.status_one import (
    NOTHING,
    Told,
    account_page,
    account_view,
    operator_page,
    operator_view,
)
from router.wiring.status_page import Look, page


class Asked(NamedTuple):
    """What of a router is to be shown."""

    url: str
    what: str | None = None
    """OPERATOR or OPERATOR/BIND; None for no one operator."""
    account: str | None = None


class Shown(NamedTuple):
    """What a router says of that."""

    document: object
    """As JSON has it."""
    problems: list[ProblemStatus]
    lines: Callable[[Look], list[Text]]
    """Draws it. Raises NoAnswerError where it comes from another version."""


def fetch(url: str) -> Snapshot:
    """Return the status of the router at this address."""
    return parsed(ask(url, "/v1/status"))


def parsed(octets: bytes) -> Snapshot:
    """Return the document that `/v1/status` answers with."""
    try:
        document = json.loads(octets)
    except ValueError as error:
        raise NoAnswerError("the answer is not JSON: is there a router at that address?") from error
    if not isinstance(document, dict) or Snapshot.__required_keys__ - document.keys():
        raise NoAnswerError("the answer is not that of a router of this version")
    return cast("Snapshot", document)


def shown(asked: Asked) -> Shown:
    """Ask the router, once. Raises NoAnswerError, and NoSuchNameError."""
    status = fetch(asked.url)
    if asked.account is not None:
        account = account_view(status, asked.account)
        account["settings"] = _told(asked, {"account": asked.account})
        return Shown(
            account,
            account["problems"],
            lambda look: _drawn(status, lambda: account_page(account, look.width)),
        )
    if asked.what is not None:
        operator = operator_view(status, asked.what)
        operator["settings"] = _told(asked, {"operator": operator["operator"]["name"]})
        return Shown(
            operator,
            operator["problems"],
            lambda look: _drawn(status, lambda: operator_page(operator, look.width)),
        )
    return Shown(status, status["problems"], lambda look: drawn(status, look))


def _told(asked: Asked, question: dict[str, str]) -> Told:
    """Return what the configuration says; nothing where the router does not say it in time."""
    try:
        told = json.loads(ask(asked.url, "/v1/settings", question))
        return Told(settings=dict(told["settings"]), binds=dict(told["binds"]))
    except (NoAnswerError, ValueError, KeyError, TypeError):
        return NOTHING


def drawn(status: Snapshot, look: Look = Look()) -> list[Text]:  # noqa: B008 - It is frozen.
    """Draw the status. Between an upgrade and the restart it comes from an older version."""
    return _drawn(status, lambda: page(status, look))


def _drawn(status: Snapshot, draw: Callable[[], list[Text]]) -> list[Text]:
    try:
        return draw()
    except (KeyError, TypeError, AttributeError) as error:
        theirs, ours = status["version"], version()
        what = f"a router of version {theirs} is not understood by this command, which is {ours}"
        raise NoAnswerError(f"{what}; --json shows what it says") from error


def console(file: TextIO | None = None, width: int | None = None) -> Console:
    """Return standard output, on which texts are drawn as they are, without rich's markup."""
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def look_for(console: Console, *, whole: bool) -> Look:
    """Return how to show a page here: in a terminal it is to fit, with the prompt below it."""
    height = console.height - 1 if console.is_terminal else None
    return Look(width=console.width, height=height, whole=whole)


def write(console: Console, lines: Sequence[Text]) -> None:
    """Write lines; none is cut or wrapped again."""
    for line in lines:
        console.print(line, soft_wrap=True)
