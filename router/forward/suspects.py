"""Messages in doubt that wait apart from an operator's lanes, and the binds that try them alone.

An operator may hang up because of one message that it cannot read. All that was in flight is then
suspect, and what is in flight beside it the next time would be so, too. So suspects wait here, and
each goes alone, on a session that has proved that it answers.

Rule 1: a bind tries suspects (`Trial`) that was bound after they became so: other binds go on with
ordinary messages. After `OTHER_BIND_S` without such a bind, or at an operator whose sessions have
not fallen, the bind with the fewest messages in flight tries them, once those are answered.

Rule 2: while a bind tries, it takes no ordinary message. Between two suspects it takes the most
urgent lane's: what can go at once, and where answers are slow, what can go in the time of one.

Rule 3: with which fewer sessions have fallen goes first, then the more urgent lane, then the older.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from router.terms.message import Message
from router.terms.states import QUEUED

OTHER_BIND_S: Final = 2.0
"""How long suspects wait for the bind that was lost before another one tries them: twice as long as
the first wait before a bind connects again."""
PROVEN_S: Final = 10.0
"""A session that lives so long, though it has answered nothing, is trusted: some operators answer
an enquire_link late or never."""
SLOW_S: Final = 0.1
"""The round trip from which on urgent messages get as much time as suspects."""
_NEVER: Final = float("inf")


class Aside:
    """Messages of one operator that wait apart from its lanes."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[tuple[tuple[int, int, int], Message]] = []
        """A heap: what goes first stands first. Others only look whether it is empty."""

    def add(self, message: Message, urgency: int) -> None:
        """Keep a message that was pulled from a lane; the most urgent lane is 0."""
        falls = 0 if message.suspicion is None else message.suspicion.falls
        heappush(self.waiting, ((falls, urgency, message.router_id), message))

    def take(self, now_utc: float, expired: list[Message]) -> Message | None:
        """Remove and return the message that goes next; None if there is none.

        Messages on the way whose validity has passed are removed too, and added to `expired`.
        """
        while self.waiting:
            message = heappop(self.waiting)[1]
            if message.state is not QUEUED:
                continue  # A late answer has told that the message was sent after all.
            if message.expires_utc > now_utc:
                return message
            expired.append(message)
        return None

    def expire(self, now_utc: float) -> list[Message]:
        """Remove and return messages whose validity has passed."""
        expired = [m for _, m in self.waiting if m.expires_utc <= now_utc and m.state is QUEUED]
        if expired:
            self.waiting = [entry for entry in self.waiting if entry[1].expires_utc > now_utc]
            heapify(self.waiting)
        return expired

    def leave(self, may_leave: Callable[[Message], bool]) -> list[Message]:
        """Remove and return those that may leave, in the order in which they would have gone."""
        if not self.waiting:
            return []
        leaving = sorted(
            (entry for entry in self.waiting if may_leave(entry[1])), key=lambda entry: entry[0]
        )
        self.waiting = [entry for entry in self.waiting if not may_leave(entry[1])]
        heapify(self.waiting)
        return [message for _, message in leaving if message.state is QUEUED]


class Trial:
    """One session on which suspects go, each alone."""

    __slots__ = ("asked_at", "is_proven", "suspect", "urgent_until")

    def __init__(self, now: float, *, is_proven: bool) -> None:
        self.asked_at = now
        """When the session was asked to prove itself."""
        self.is_proven = is_proven
        """Whether the session has answered anything: only then a suspect goes."""
        self.suspect: object | None = None
        """The attempt of the suspect that is in flight."""
        self.urgent_until = 0.0
        """Until when messages of the most urgent lane may go before the next suspect."""

    def most_unanswered(self, window: int) -> int:
        """Return how many messages may be unanswered, of a window of that size.

        One where only a suspect may go: the bind is in use, and no less available for that.
        """
        if not self.is_proven:
            return 0
        return 1 if self.suspect is not None else window

    def answered(self, took_s: float, now: float) -> None:
        """Note that the suspect is in flight no longer; it took so long."""
        self.suspect = None
        self.urgent_until = now + took_s if took_s > SLOW_S else now


class Trying(Protocol):
    """A bind, as far as trials go."""

    trial: Trial | None
    changed_at: float
    window: int

    @property
    def sends(self) -> bool:
        """Whether messages can be written to it now."""

    @property
    def in_use(self) -> int:
        """Messages that are not answered."""


class Suspects(Aside):
    """One operator's suspects, and when a bind that was not lost may try them."""

    __slots__ = ("fell_last", "other_bind_at", "ready_at", "since")

    def __init__(self) -> None:
        super().__init__()
        self.fell_last: Message | None = None
        """The message that was alone in flight when a session last fell."""
        self.since = 0.0
        """When the latest of them became suspect at this operator."""
        self.other_bind_at = _NEVER
        """When any bind may try them; may be early."""
        self.ready_at = _NEVER
        """When to look at them again although nothing happens before."""

    def suspect(self, message: Message, urgency: int, now: float, *, fell_here: bool) -> None:
        """Keep a suspect; `fell_here` is whether the session that fell was this operator's."""
        assert message.suspicion is not None
        since = message.suspicion.since
        if not self.waiting:
            self.since, self.other_bind_at = since, _NEVER
        self.since = max(self.since, since)
        self.other_bind_at = min(self.other_bind_at, since + OTHER_BIND_S if fell_here else now)
        self.add(message, urgency)

    def fell_alone(self, message: Message, answered: int) -> None:
        """Count a session that had answered something and fell with one message in flight.

        It is held against the message, the first time and when the operator, which has `answered`
        so many, has answered another one since. Else the operator may be at fault.
        """
        suspicion = message.suspicion
        assert suspicion is not None
        suspicion.falls += 1
        if answered > suspicion.answered_before or not suspicion.charges:
            suspicion.charges += 1
        in_a_row = message is self.fell_last
        suspicion.falls_in_a_row = suspicion.falls_in_a_row + 1 if in_a_row else 1
        self.fell_last = message

    def bind_to_try(self, able: Sequence[Trying], now: float) -> Trying | None:
        """Return a bind that is to begin to try them; None if one tries already, or none may yet.

        `able` are the binds that could send if breakers and windows allowed it.
        """
        if not able or any(bind.trial is not None for bind in able):
            return None
        if now < self.other_bind_at:
            self.ready_at = self.other_bind_at
            return None
        return min(able, key=lambda bind: bind.in_use)


def is_new(bind: Trying, since: float) -> bool:
    """Return whether a bind was bound after that, and has nothing in flight yet."""
    return bind.trial is None and bind.changed_at >= since and not bind.in_use


def may_try(bind: Trying) -> bool:
    """Return whether a suspect may go on this bind now, as far as trials go."""
    trial = bind.trial
    is_open = bind.window > 0 and bind.sends  # Neither drained nor about to end.
    return is_open and trial is not None and trial.is_proven and not bind.in_use


def unproven(binds: Iterable[Trying], now: float) -> list[Trial]:
    """Return the trials whose session has answered nothing, and lives all the same."""
    trials = [bind.trial for bind in binds if bind.trial is not None]
    return [one for one in trials if not one.is_proven and now >= one.asked_at + PROVEN_S]
