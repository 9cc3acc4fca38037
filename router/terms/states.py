"""Where a message is, and what may happen to it there: every state and transition, as tables.

Rule 1: a message changes its state, its doubt and its mark by an event, never by assignment
(`Message.enter`, `Message.set_mark`). An event that the table does not name in a state is a mistake
of ours, and raises.

Rule 2: a message holds a place of its account's room in every state before SENT.

Rule 3: doubt begins with DOUBT, when a writing will not be answered, and ends when the message is
written again, taken or settled. To send a message in doubt may be to send it twice.

The events are named after what is done with the message. docs/states.md is drawn from here.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class MessageState(IntEnum):
    """Where a message is."""

    ACCEPTING = 0
    """In the journal's hands; its client has not heard ESME_ROK, or an earlier process left it."""
    QUEUED = 1
    """In a lane, for the next slot of an operator."""
    DELAYED = 2
    """Waits to be tried again, or for its number to be free."""
    SCHEDULED = 3
    """Waits for the time that its client has set."""
    PARKED = 4
    """A part of a long message that waits for what becomes of the parts in flight."""
    IN_FLIGHT = 5
    """Written to an operator, not answered."""
    SENT = 6
    """An operator took it; a receipt may come."""
    SETTLED = 7
    """It has its outcome."""


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
    """Its writing will not be answered: an operator may have it."""
    TAKE = 6
    """An operator took it, perhaps after its answer was given up."""
    SETTLE = 7
    """It gets its outcome."""


class Mark(IntEnum):
    """What the journal has been told of the message alone, whatever its queue."""

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
# The same objects: a member of an Enum is looked up in Python 3.11 at five times the cost.

AFTER: Final[Mapping[MessageState, Mapping[MessageEvent, MessageState]]] = {
    ACCEPTING: {
        QUEUE: QUEUED,
        SCHEDULE: SCHEDULED,
        DOUBT: ACCEPTING,  # An earlier process may have written it,
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
"""What follows; an event that is not named cannot happen there."""

HOLDS_ROOM: Final = frozenset({ACCEPTING, QUEUED, DELAYED, SCHEDULED, PARKED, IN_FLIGHT})
"""The states in which a message has a place of its account's room."""
WAITS: Final = frozenset({QUEUED, DELAYED, SCHEDULED, PARKED})
"""The states in which it waits for an operator."""
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

_NEXT: Final = tuple(
    tuple(AFTER[state].get(event) for event in MessageEvent) for state in MessageState
)


class ImpossibleEventError(AssertionError):
    """A mistake of ours: the table does not name this event in this state."""


def state_after(state: MessageState, event: MessageEvent) -> MessageState:
    """Return what follows. Raises ImpossibleEventError."""
    after = _NEXT[state][event]
    if after is None:
        raise ImpossibleEventError(f"{event.name} cannot happen to a message that is {state.name}")
    return after


def mark_after(mark: Mark, event: MarkEvent) -> Mark:
    """Return what follows. Raises ImpossibleEventError."""
    after = MARK_AFTER[mark].get(event)
    if after is None:
        raise ImpossibleEventError(f"{event.name} cannot happen to a mark that is {mark.name}")
    return after
