"""Which PDU may travel in which session state, who may issue it, and where it leads.

Rule 1: every state and every transition of a session is in the two tables below. Other code asks
them; a session changes its state only by `AFTER`.

Rule 2: the tables do not know which side the router is. Clients and operators are held to the same
rules as the router.

A state is named by what it waits for, and each is left by a timer of its own (session.py): OPEN and
BINDING by the bind timer, the bound ones by inactivity or a dead link, UNBINDING by the response
timer. CLOSED has no exits.

Source: SMPP v3.4, 2.2 (states) and 2.3, table 2-1 (PDU, state and issuer).
"""

from enum import IntEnum
from typing import Final

from router.smpp import vocabulary as v


class State(IntEnum):
    """Where a session is."""

    OPEN = 0
    """Connected; a bind request is next."""
    BINDING = 1
    """A bind request is being judged, by the router or by the peer."""
    BOUND_TX = 2
    BOUND_RX = 3
    BOUND_TRX = 4
    UNBINDING = 5
    """unbind was sent or received; what was in flight is still answered."""
    CLOSED = 6


class Side(IntEnum):
    """Who issues a PDU."""

    ESME = 1
    """The client: it binds and submits."""
    MC = 2
    """The message centre: it is bound to and delivers."""


class Event(IntEnum):
    """What moves a session."""

    BIND_SENT = 0
    """A bind request went from the ESME to the MC."""
    BOUND_TX = 1
    BOUND_RX = 2
    BOUND_TRX = 3
    BIND_REFUSED = 4
    UNBIND = 5
    """One of the two has asked to end the session."""
    CLOSED = 6
    """unbind was answered, the transport ended, a timer ran out, or framing was lost."""


AFTER: Final[dict[State, dict[Event, State]]] = {
    State.OPEN: {Event.BIND_SENT: State.BINDING, Event.CLOSED: State.CLOSED},
    State.BINDING: {
        Event.BOUND_TX: State.BOUND_TX,
        Event.BOUND_RX: State.BOUND_RX,
        Event.BOUND_TRX: State.BOUND_TRX,
        Event.BIND_REFUSED: State.OPEN,
        Event.CLOSED: State.CLOSED,
    },
    State.BOUND_TX: {Event.UNBIND: State.UNBINDING, Event.CLOSED: State.CLOSED},
    State.BOUND_RX: {Event.UNBIND: State.UNBINDING, Event.CLOSED: State.CLOSED},
    State.BOUND_TRX: {Event.UNBIND: State.UNBINDING, Event.CLOSED: State.CLOSED},
    State.UNBINDING: {Event.CLOSED: State.CLOSED},
    State.CLOSED: {},
}

BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
BOUND_BY: Final = {
    v.BIND_TRANSMITTER: Event.BOUND_TX,
    v.BIND_RECEIVER: Event.BOUND_RX,
    v.BIND_TRANSCEIVER: Event.BOUND_TRX,
}

_ESME: Final = frozenset({Side.ESME})
_MC: Final = frozenset({Side.MC})
_BOTH: Final = frozenset({Side.ESME, Side.MC})

# enquire_link is for bound sessions in 3.4 and for open ones too in 5.0; an answer costs nothing,
# so it is answered in every state that reads at all.
_ALWAYS: Final = {v.ENQUIRE_LINK: _BOTH}
_TRANSMIT: Final = {
    v.SUBMIT_SM: _ESME,
    v.SUBMIT_MULTI: _ESME,
    v.QUERY_SM: _ESME,
    v.CANCEL_SM: _ESME,
    v.REPLACE_SM: _ESME,
    v.BROADCAST_SM: _ESME,
    v.QUERY_BROADCAST_SM: _ESME,
    v.CANCEL_BROADCAST_SM: _ESME,
}
_RECEIVE: Final = {v.DELIVER_SM: _MC, v.ALERT_NOTIFICATION: _MC}

REQUESTS: Final[dict[State, dict[int, frozenset[Side]]]] = {
    State.OPEN: _ALWAYS
    | {
        v.BIND_TRANSMITTER: _ESME,
        v.BIND_RECEIVER: _ESME,
        v.BIND_TRANSCEIVER: _ESME,
        v.OUTBIND: _MC,
    },
    # What is sent behind a bind request, or a moment before its answer, waits in the session for
    # the bound state that follows; it is dropped where none follows.
    State.BINDING: _ALWAYS,
    # Table 2-1 has no deliver_sm and no alert_notification for a transmitter, but some message
    # centres deliver receipts on one, and to refuse them would lose the receipts.
    State.BOUND_TX: _ALWAYS | _TRANSMIT | _RECEIVE | {v.DATA_SM: _BOTH, v.UNBIND: _BOTH},
    State.BOUND_RX: _ALWAYS | _RECEIVE | {v.DATA_SM: _MC, v.UNBIND: _BOTH},
    State.BOUND_TRX: _ALWAYS | _TRANSMIT | _RECEIVE | {v.DATA_SM: _BOTH, v.UNBIND: _BOTH},
    State.UNBINDING: _ALWAYS | _TRANSMIT | _RECEIVE | {v.DATA_SM: _BOTH, v.UNBIND: _BOTH},
    State.CLOSED: {},
}
"""Which request may be issued in which state, and by whom. A request that is in no row is unknown
(generic_nack ESME_RINVCMDID); one that is in another row is out of place (ESME_RINVBNDSTS), unless
the router serves it nowhere (session.py)."""

KNOWN_REQUESTS: Final = frozenset(command for requests in REQUESTS.values() for command in requests)


def may_issue(state: State, command_id: int, side: Side) -> bool:
    """Return whether `side` may issue this request now."""
    return side in REQUESTS[state].get(command_id, frozenset())
