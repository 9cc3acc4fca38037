"""The lifetime of a session to an operator: a limit of messages or of time that the operator sets.

A bind retires in good order: it sends nothing more, waits until nothing is in flight, unbinds and
binds again. The binds of one operator should not all be away at once. So every bind but the first
may retire some time before it must, each at another point; a bind that may retire, but need not
yet, waits while another bind is away.
"""

from typing import Final

from router.terms.settings import BindSettings

EARLY: Final = 0.1
"""The part of a session's life in which the binds of an operator find their turns."""
_NEVER: Final = float("inf")
_NO_END: Final = 1 << 62


class Lifetime:
    """What remains of the lifetime of one session."""

    __slots__ = (
        "_age_s", "_began_at", "_early", "_messages", "left", "may_end_at", "must_end_at", "spare",
    )  # fmt: skip

    def __init__(self, settings: BindSettings) -> None:
        self._began_at = _NEVER
        """When the session began; infinity before the first session."""
        self._early = 0.0
        self._messages = self.left = settings.max_messages or _NO_END
        """Messages that may still be sent, and the limit that they are counted down from."""
        self._age_s = settings.max_age_s or _NEVER
        self.spare = 0
        """The number of messages left from which on the bind may retire."""
        self.may_end_at = _NEVER
        self.must_end_at = _NEVER

    def adopt(self, settings: BindSettings) -> None:
        """Follow other limits; what the session has sent, and its age, count against them."""
        sent = self._messages - self.left
        self._messages = settings.max_messages or _NO_END
        self._age_s = settings.max_age_s or _NEVER
        self.left = self._messages - sent
        self._update()

    def begin(self, share: float, now: float) -> None:
        """Begin the lifetime of a new session.

        `share` is the part of `EARLY` in which this bind may retire: 0 for the first bind of its
        operator, and under 1 for the last.
        """
        self._began_at = now
        self._early = EARLY * share
        self.left = self._messages
        self._update()

    def _update(self) -> None:
        early = self._early
        self.spare = 0 if self._messages == _NO_END else int(self._messages * early)
        self.must_end_at = self._began_at + self._age_s
        self.may_end_at = self._began_at + self._age_s * (1.0 - early)

    def is_over(self, now: float, *, another_is_away: bool) -> bool:
        """Return whether the bind should retire now."""
        if self.left <= 0 or now >= self.must_end_at:
            return True
        return not another_is_away and (self.left <= self.spare or now >= self.may_end_at)
