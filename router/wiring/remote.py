"""Requests to a running router over HTTP, for the commands that need one."""

import json
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Final, cast
from urllib.error import HTTPError

ASK_S: Final = 5.0
"""How long to wait for the router's answer."""
MOST_OCTETS: Final = 100_000_000
"""The longest answer; 10,000 accounts are 2 MB."""
UNKNOWN_NAME: Final = 422
"""The HTTP status for a name that the router does not know."""


class NoAnswerError(Exception):
    """The router did not answer, or refused; the text says why, for people."""

    def __init__(self, what: str, answer: bytes = b"") -> None:
        super().__init__(what)
        self.answer: Final = answer
        """What the router said beside that; empty where it did not answer."""


class UnknownNameError(NoAnswerError):
    """The router does not know the operator or bind."""


def ask(url: str, path: str, document: object = None, *, wait_s: float = ASK_S) -> bytes:
    """Return the router's answer to a GET, or, with a document, to a POST."""
    with _answer(url, path, document, wait_s) as answer:
        return answer.read(MOST_OCTETS)


def follow(
    url: str, path: str, document: object, *, wait_s: float = ASK_S
) -> Generator[bytes, None, None]:
    """Yield the lines of the router's answer to a POST, as they come, each within the time."""
    with _answer(url, path, document, wait_s) as answer:
        while line := answer.readline(MOST_OCTETS):
            yield line


@contextmanager
def _answer(url: str, path: str, document: object, wait_s: float) -> Iterator[HTTPResponse]:
    """Have the router's answer, until the end of the block. Raises NoAnswerError."""
    # Ignore proxies of the environment: the router is on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{url.rstrip('/')}{path}")
    if document is not None:
        request.data = json.dumps(document).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with opener.open(request, timeout=wait_s) as answer:
            yield cast(HTTPResponse, answer)
    except HTTPError as error:
        with error:
            said = error.read(MOST_OCTETS)
            reason = _reason(said)
        if error.code == UNKNOWN_NAME:
            raise UnknownNameError(reason) from error
        raise NoAnswerError(f"{url}: {error.code}: {reason}", said) from error
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", None) or error
        what = f"{url}: no answer: {why}; is the router running, and is that its control.listen?"
        raise NoAnswerError(what) from error


def _reason(octets: bytes) -> str:
    try:
        return str(json.loads(octets)["error"])
    except (ValueError, KeyError, TypeError):
        return "is there a router at that address?"
