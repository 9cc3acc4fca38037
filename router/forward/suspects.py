"""Messages in doubt that wait apart from an operator's lanes, and the binds that try them alone.

An operator may hang up because of one message that it cannot read. All that was in flight is then
suspect, and what is in flight beside it the next time would be so, too. So suspects wait here, and
each goes alone, on a session that has proved that it answers.

Rule 1: a bind tries suspects (`Trial`) that was bound after they became so: other binds go on with
ordinary messages. After `OTHER_BIND_S` without such a bind, or at an operator whose sessions have
not fallen, the bind with the fewest messages in flight tries them, once those are answered. A
message that was alone in flight when a session fell is next tried on another bind, if there is one.

Rule 2: while a bind tries, it takes no ordinary message. Between two suspects it takes the most
urgent lane's: what can go at once, and where answers are slow, what can go in the time of one.

Rule 3: where answers take longer than `SLOW_S`, the next suspects go two together, then four, as
long as the session lives: one by one, a hundred would stop the bind for minutes.

Rule 4: with which fewer sessions have fallen goes first, then the more urgent lane, then the older.

Rule 5: a bind on which something stays unanswered takes ordinary messages for `REST_S` in between.
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
"""The round trip from which on suspects go in groups, and urgent messages get as much time."""
STUCK_S: Final = 1.0
"""How long a bind that tries is kept for that while something stays unanswered on it;"""
STUCK_ROUND_TRIPS: Final = 5.0
"""or so many usual round trips, if that is longer."""
REST_S: Final = 5.0
"""For how long it then takes ordinary messages."""
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
    """One session on which suspects go."""

    __slots__ = ("asked_at", "began_at", "group", "is_free", "is_proven", "left", "trying", "until")

    def __init__(self, now: float, *, is_proven: bool) -> None:
        self.asked_at = now
        """When the session was asked to prove itself."""
        self.is_proven = is_proven
        """Whether the session has answered anything: only then a suspect goes."""
        self.group = 1
        """How many suspects go together."""
        self.left = 0
        """How many of the present group have not gone yet."""
        self.trying = 0
        """How many suspects are in flight."""
        self.began_at = now
        """When the bind was kept for suspects, or the present group began to go."""
        self.is_free = False
        """Whether the bind takes ordinary messages meanwhile: something on it is not answered."""
        self.until = now
        """Until when that is so; or until when messages of the most urgent lane may go."""

    def takes_urgent(self, now: float) -> bool:
        """Return whether it is the turn of the most urgent lane."""
        return self.is_free or (not self.trying and now <= self.until)

    def wrote(self, now: float) -> None:
        """Note that a suspect was written."""
        if not self.trying:
            self.began_at = now
        self.trying += 1
        self.left -= 1

    def ended(self, took_s: float, now: float) -> None:
        """Note that a suspect is not in flight any longer; it took so long."""
        self.trying -= 1
        if self.trying or self.is_free:
            return
        self.left = 0
        self.began_at = now
        is_slow = took_s > SLOW_S
        self.group = 2 * self.group if is_slow else 1
        self.until = now + took_s if is_slow else now

    def look(self, in_use: int, usual_s: float, now: float) -> float:
        """Begin or end a rest; return when to look again. `usual_s` is the usual round trip."""
        if self.is_free:
            if now >= self.until:
                self.is_free = False
                self.began_at = now
        elif in_use:
            stuck_at = self.began_at + max(STUCK_S, STUCK_ROUND_TRIPS * usual_s)
            if now < stuck_at:
                return stuck_at
            self.is_free = True
            self.until = now + REST_S
        return self.until if self.is_free else _NEVER


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
        suspicion = message.suspicion
        assert suspicion is not None
        if not self.waiting:
            self.since, self.other_bind_at = suspicion.since, _NEVER
        self.since = max(self.since, suspicion.since)
        may_wait = fell_here and suspicion.bind is None
        other_at = suspicion.since + OTHER_BIND_S if may_wait else now
        self.other_bind_at = min(self.other_bind_at, other_at)
        self.add(message, urgency)

    def may_go_on(self, bind: Trying, able: Sequence[Trying]) -> bool:
        """Return whether the next suspect may be tried on this bind, one of the able ones.

        Not on the one whose session fell with it alone, if there is another.
        """
        if not self.waiting:
            return False
        suspicion = self.waiting[0][1].suspicion
        return suspicion is None or suspicion.bind is not bind or len(able) == 1

    def bind_to_try(self, able: Sequence[Trying], now: float) -> Trying | None:
        """Return a bind that is to begin to try them; None if one tries already, or none may yet.

        `able` are the binds that could send if breakers and windows allowed it.
        """
        fitting = [bind for bind in able if self.may_go_on(bind, able)]
        if not fitting or any(bind.trial is not None for bind in fitting):
            return None
        if now < self.other_bind_at:
            self.ready_at = self.other_bind_at
            return None
        return min(fitting, key=lambda bind: bind.in_use)

    def fell_alone(self, message: Message, bind: Trying, answered: int) -> None:
        """Count a session that had answered something and fell with one message in flight.

        It is held against the message, the first time and when the operator, which has `answered`
        so many, has answered another one since the last time. Else the operator may be at fault.
        """
        suspicion = message.suspicion
        assert suspicion is not None
        suspicion.falls += 1
        if answered > suspicion.answered_before and suspicion.operators > 1:
            suspicion.ends_others = True
        if answered > suspicion.answered_before or not suspicion.charges:
            suspicion.charges += 1
            suspicion.answered_before = answered
        in_a_row = message is self.fell_last
        suspicion.falls_in_a_row = suspicion.falls_in_a_row + 1 if in_a_row else 1
        suspicion.bind = bind
        self.fell_last = message


def is_new(bind: Trying, since: float) -> bool:
    """Return whether a bind was bound after that, and has nothing in flight yet."""
    return bind.trial is None and bind.changed_at >= since and not bind.in_use


def may_try(bind: Trying) -> bool:
    """Return whether a suspect may go on this bind now, as far as trials go."""
    trial = bind.trial
    # Neither drained nor about to end; and nothing in flight beside others of its group.
    if trial is None or not trial.is_proven or not bind.window or not bind.sends:
        return False
    if not bind.in_use:
        trial.left = trial.group
    return trial.left > 0 and bind.in_use == trial.trying and bind.in_use < bind.window


def unproven(binds: Iterable[Trying], now: float) -> list[Trial]:
    """Return the trials whose session has answered nothing, and lives all the same."""
    trials = [bind.trial for bind in binds if bind.trial is not None]
    return [one for one in trials if not one.is_proven and now >= one.asked_at + PROVEN_S]
