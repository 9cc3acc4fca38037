"""The states of a message and of its mark: every state and every transition, as tables.

Rule 1: a message changes its state, its doubt and its mark by an event, never by assignment
(`Message.enter`, `Message.set_mark`). An event that the table does not have in a state is a mistake
in the router, and raises.

Rule 2: a message holds a place of its account's room in every state before SENT.

Rule 3: doubt begins with DOUBT, when a writing will not be answered, and ends when the message is
written again, taken or settled. To send a message in doubt may be to send it twice.

Events are named after what is done with the message. docs/states.md is drawn from these tables.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class MessageState(IntEnum):
    """The states of a message."""

    ACCEPTING = 0
    """On the way to the journal: the client is not answered yet, or an earlier process left the
    message."""
    QUEUED = 1
    """In a lane, for the next slot of an operator."""
    DELAYED = 2
    """Waiting to be tried again, until its number may get another message, or until it is known
    what time it is."""
    SCHEDULED = 3
    """Waiting for the time that its client has set."""
    PARKED = 4
    """Waiting, as a part of a long message, until parts in flight are answered."""
    IN_FLIGHT = 5
    """Written to an operator and not answered."""
    SENT = 6
    """Taken by an operator; a receipt may come."""
    SETTLED = 7
    """Ended, with its outcome."""


class MessageEvent(IntEnum):
    """What may happen to a message."""

    QUEUE = 0
    """Put into a lane, in its turn or first."""
    DELAY = 1
    """Set aside until a moment."""
    SCHEDULE = 2
    """Set aside until the time that its client has set."""
    PARK = 3
    """Set aside until parts in flight are answered."""
    WRITE = 4
    """Written to an operator."""
    DOUBT = 5
    """Known to get no answer: an operator may have it."""
    TAKE = 6
    """Taken by an operator, perhaps after the answer was given up."""
    SETTLE = 7
    """Given its outcome."""


class Mark(IntEnum):
    """What the journal has been told of one message, beside how far its queue was written."""

    UNMARKED = 0
    """Nothing: how far its queue was written says whether it may be with an operator."""
    MARKING = 1
    """It is about to be with an operator, or may be; the journal will have that."""
    MARKED = 2
    """The journal has that: in a lane with `in_doubt: fail` only then it goes out."""
    CLEARED = 3
    """It is with no operator, though its queue may have been written beyond it."""


class MarkEvent(IntEnum):
    """What may happen to a mark."""

    ASK = 0
    """The journal is asked to keep it."""
    KEEP = 1
    """The journal has it."""
    FAIL = 2
    """The journal has failed to keep it."""
    CLEAR = 3
    """The message is with no operator after all."""


ACCEPTING: Final = MessageState.ACCEPTING
QUEUED: Final = MessageState.QUEUED
DELAYED: Final = MessageState.DELAYED
SCHEDULED: Final = MessageState.SCHEDULED
PARKED: Final = MessageState.PARKED
IN_FLIGHT: Final = MessageState.IN_FLIGHT
SENT: Final = MessageState.SENT
SETTLED: Final = MessageState.SETTLED
QUEUE: Final = MessageEvent.QUEUE
DELAY: Final = MessageEvent.DELAY
SCHEDULE: Final = MessageEvent.SCHEDULE
PARK: Final = MessageEvent.PARK
WRITE: Final = MessageEvent.WRITE
DOUBT: Final = MessageEvent.DOUBT
TAKE: Final = MessageEvent.TAKE
SETTLE: Final = MessageEvent.SETTLE
# Short names of the members: looking up a member in its Enum costs five times as much in Python
# 3.11.

AFTER: Final[Mapping[MessageState, Mapping[MessageEvent, MessageState]]] = {
    ACCEPTING: {
        QUEUE: QUEUED,
        SCHEDULE: SCHEDULED,
        DOUBT: ACCEPTING,  # An earlier process may have written the message,
        TAKE: SENT,  # and has been told that an operator took it.
        SETTLE: SETTLED,
    },
    QUEUED: {
        QUEUE: QUEUED,
        DELAY: DELAYED,
        SCHEDULE: SCHEDULED,
        PARK: PARKED,
        WRITE: IN_FLIGHT,
        TAKE: SENT,
        SETTLE: SETTLED,
    },
    DELAYED: {QUEUE: QUEUED, TAKE: SENT, SETTLE: SETTLED},
    SCHEDULED: {QUEUE: QUEUED, SETTLE: SETTLED},
    PARKED: {QUEUE: QUEUED, PARK: PARKED, TAKE: SENT, SETTLE: SETTLED},
    IN_FLIGHT: {
        QUEUE: QUEUED,
        DELAY: DELAYED,
        PARK: PARKED,
        DOUBT: IN_FLIGHT,
        TAKE: SENT,
        SETTLE: SETTLED,
    },
    SENT: {TAKE: SENT, SETTLE: SETTLED},  # Another attempt may be taken, too.
    SETTLED: {},
}
"""By state and event, the state that follows; an event that is not named cannot happen there."""

HOLDS_ROOM: Final = frozenset({ACCEPTING, QUEUED, DELAYED, SCHEDULED, PARKED, IN_FLIGHT})
"""The states in which a message has a place of its account's room."""
WAITS: Final = frozenset({QUEUED, DELAYED, SCHEDULED, PARKED})
"""The states in which a message waits for an operator."""
ENDS_DOUBT: Final = frozenset({WRITE, TAKE, SETTLE})

MARK_AFTER: Final[Mapping[Mark, Mapping[MarkEvent, Mark]]] = {
    Mark.UNMARKED: {MarkEvent.ASK: Mark.MARKING, MarkEvent.CLEAR: Mark.CLEARED},
    Mark.MARKING: {MarkEvent.KEEP: Mark.MARKED, MarkEvent.FAIL: Mark.UNMARKED},
    Mark.MARKED: {
        MarkEvent.KEEP: Mark.MARKED,
        MarkEvent.FAIL: Mark.MARKED,
        MarkEvent.CLEAR: Mark.CLEARED,
    },
    Mark.CLEARED: {MarkEvent.ASK: Mark.MARKING},
}

NEXT: Final = tuple(
    tuple(AFTER[state].get(event) for event in MessageEvent) for state in MessageState
)
"""`AFTER` by number, None where an event cannot happen: for the hot path."""


class ImpossibleEventError(Exception):
    """A mistake of ours: the table does not name this event in this state."""

    def __init__(self, state: IntEnum, event: IntEnum) -> None:
        super().__init__(f"{event.name} cannot happen in {state.name}")


def mark_after(mark: Mark, event: MarkEvent) -> Mark:
    """Return the mark that follows from an event. Raises ImpossibleEventError."""
    after = MARK_AFTER[mark].get(event)
    if after is None:
        raise ImpossibleEventError(mark, event)
    return after
