"""What the log says of a bind that cannot be bound: its state when that changes, and then rarely.

An operator may be away for days, and each bind to it tries again every half a minute. All attempts
count (`Bind.failures`), and the status document always has the latest state (`Bind.trouble`).
"""

from typing import Final

from router.terms.oldest_first import OldestFirst

SAID_AGAIN_S: Final = 600.0
"""How often an unchanged state is said again: as often as a peer's faults of one kind
(`link.NOTES_LOGGED`), so that the end of a log shows what is wrong now."""
MOST_PLACES: Final = 100
"""Addresses whose state is remembered: a name may stand for others at each look-up."""


class Troubles:
    """The states of one bind that the log has, by the address where they were met."""

    __slots__ = ("_said", "has_news")

    def __init__(self) -> None:
        self._said: Final[OldestFirst[str, tuple[str, float]]] = OldestFirst(MOST_PLACES)
        self.has_news = False
        """Whether anything was news since this was last set to False."""

    def is_news(self, place: str, state: str, now: float) -> bool:
        """Return whether the log is to say this state of an address, and note that it does."""
        said = self._said.get(place)
        if said is not None and said[0] == state and now < said[1] + SAID_AGAIN_S:
            return False
        self._said.put(place, (state, now))
        self.has_news = True
        return True

    def forget(self) -> None:
        """Begin anew: the bind is bound, or has other settings."""
        self._said.clear()
        self.has_news = True
