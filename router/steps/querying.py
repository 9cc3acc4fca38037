"""What a query_sm is answered: the state of a message that waits, is with an operator, or is over.

Source: SMPP v3.4, 5.2.28 (message_state) and 4.8.2 (final_date, error_code).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.receipt import STATES, State
from router.smpp.times import absolute
from router.steps.clocks import Clocks
from router.steps.whereabouts import Found, Whereabouts
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, RouterId
from router.terms.outcome import CANCELLED, Outcome
from router.terms.record import Recorded

RecordsFound = Callable[[Sequence[Recorded] | None], None]
"""Hears of the records of messages that are over; of None where they cannot be read."""
LookUpRecords = Callable[[Sequence[RouterId], RecordsFound], None]

_STATE_OF: Final = {
    Outcome.DELIVERED.name.lower(): State.DELIVERED,
    Outcome.FAILED.name.lower(): State.UNDELIVERABLE,
    Outcome.EXPIRED.name.lower(): State.EXPIRED,
    Outcome.REJECTED.name.lower(): State.REJECTED,
    Outcome.SENT.name.lower(): State.ACCEPTED,
    Outcome.UNKNOWN.name.lower(): State.UNKNOWN,
}
"""By outcome, where the operator has given no state. `sent`: it took the message, and no receipt
was asked for."""
_MOST_IN_ERROR_CODE: Final = 0xFF


def no_records(router_ids: Sequence[RouterId], done: RecordsFound) -> None:
    """Find no record, where none is kept."""
    done([])


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one message."""

    account: AccountName
    client_id: ClientId
    source: bytes
    """The source address, without TON and NPI."""
    state: State
    final_date: bytes = b""
    """A time of SMPP in UTC; empty while the state is not final."""
    error_code: int = 0
    """What the operator's receipt says as `err`, where that is a number of one octet."""


Standings = Callable[[Sequence[Standing] | None], None]
"""Hears what is known of the messages that were asked for; None: it could not be found out."""


class Querying:
    """Finds out how messages stand."""

    __slots__ = ("_clocks", "_look_up_records", "_whereabouts")

    def __init__(
        self, whereabouts: Whereabouts, look_up_records: LookUpRecords, clocks: Clocks
    ) -> None:
        """`look_up_records` reads what became of messages that are over, in another thread."""
        self._whereabouts: Final = whereabouts
        self._look_up_records: Final = look_up_records
        self._clocks: Final = clocks

    def ask(self, router_ids: Sequence[RouterId], done: Standings) -> None:
        """Find out how these messages stand; `done` is called in a later turn.

        Of one that no longer waits and has no record yet, nothing is known for a second or so.
        """

        def found(where: Found) -> None:
            if where.error is not None:
                done(None)
                return
            known = {
                *where.waiting,
                *where.out,
                *where.sent,
            }
            standings = [
                *(self._on_the_way(one.message) for one in where.waiting.values()),
                *(self._on_the_way(one) for one in where.out.values()),
                *(self._on_the_way(attempts[0].message) for attempts in where.sent.values()),
            ]
            over = [one for one in router_ids if one not in known]
            if not over:
                done(standings)
                return

            def records_found(records: Sequence[Recorded] | None) -> None:
                if records is None and not standings:
                    done(None)
                else:
                    done([*standings, *map(_over, records or ())])

            self._look_up_records(over, records_found)

        self._whereabouts.look_up(router_ids, found)

    def _on_the_way(self, message: Message) -> Standing:
        is_scheduled = message.not_before_utc > self._clocks.utc()
        return Standing(
            message.account,
            message.client_id,
            message.source_octets[2:-1],
            State.SCHEDULED if is_scheduled else State.ENROUTE,
        )


def _over(record: Recorded) -> Standing:
    state = STATES.get(record.receipt_state.encode()) if record.receipt_state else None
    if state is None:
        state = State.DELETED if record.reason == CANCELLED else _STATE_OF[record.outcome]
    error = record.receipt_error
    error_code = int(error) if error.isdecimal() else 0
    return Standing(
        record.account,
        record.client_id,
        record.source.encode("latin-1", "replace"),
        state,
        absolute(record.settled_utc),
        error_code if error_code <= _MOST_IN_ERROR_CODE else 0,
    )


def state_for(state: State, interface_version: int) -> int:
    """Return a state as a client's version has it: SCHEDULED and SKIPPED are of 5.0."""
    if interface_version >= v.VERSION_5_0:
        return state
    if state is State.SCHEDULED:
        return State.ENROUTE
    return State.UNDELIVERABLE if state is State.SKIPPED else state
