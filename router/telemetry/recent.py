"""The latest lines of the log, for who looks at the status and not at the log.

There is one log in a process, and so one of these. Warnings have places of their own: a thousand
clients that bind again must not push out why. Everybody on the machine may read the status: what a
stranger gave as a name that no account has is left out, because it may be a password.
"""

import math
from collections import deque
from typing import ClassVar, Final

from structlog.typing import EventDict, WrappedLogger

from router.terms.outcome import WRONG_CREDENTIALS

MOST: Final = 100
"""Lines that are kept of warnings and errors, and as many of the others."""
LONGEST: Final = 300
"""Characters of a value that are kept."""


class Recent:
    """The latest lines, in the order in which they were written."""

    bad: ClassVar[deque[dict[str, object]]] = deque(maxlen=MOST)
    """Warnings and errors."""
    other: ClassVar[deque[dict[str, object]]] = deque(maxlen=MOST)

    @classmethod
    def lines(cls) -> list[dict[str, object]]:
        """Return all that are kept."""
        return sorted([*cls.bad, *cls.other], key=lambda line: str(line["timestamp"]))

    @classmethod
    def keep(cls, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Keep a line that is written, as a step of structlog. Not those of messages: too many."""
        if event["event"] != "message.settled":
            hidden = {"exc_info"}
            is_guess = event.get("reason") == WRONG_CREDENTIALS.reason
            if is_guess and event.get("why") != WRONG_CREDENTIALS.why:
                hidden.add("system_id")
            kept = cls.other if method in ("debug", "info") else cls.bad
            kept.append({key: _plain(event[key]) for key in event if key not in hidden})
        return event

    @classmethod
    def clear(cls) -> None:
        """Forget all."""
        cls.bad.clear()
        cls.other.clear()


def _plain(value: object) -> object:
    """Return a value that JSON has, and not too much of it."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)[:LONGEST]
