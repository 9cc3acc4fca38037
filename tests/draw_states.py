"""Draws docs/states.md from the tables of states: `python -m tests.draw_states` writes it anew.

A test fails when the drawing is stale.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final, TypeVar

from router.smpp import states
from router.smpp.states import Event, Side, State
from router.smpp.vocabulary import command_name
from router.terms import states as message_states

_State = TypeVar("_State", bound=IntEnum)
_Event = TypeVar("_Event", bound=IntEnum)

DRAWING: Final = Path(__file__).parents[1] / "docs" / "states.md"

_EVENTS: Final = {
    Event.BIND_SENT: "a bind request",
    Event.BOUND_TX: "bind_transmitter_resp, ok",
    Event.BOUND_RX: "bind_receiver_resp, ok",
    Event.BOUND_TRX: "bind_transceiver_resp, ok",
    Event.BIND_REFUSED: "a bind response, refused",
    Event.UNBIND: "unbind",
    Event.CLOSED: "time-out, connection or framing lost",
}
_SIDES: Final = {
    frozenset({Side.ESME}): "ESME",
    frozenset({Side.MC}): "MC",
    frozenset({Side.ESME, Side.MC}): "both",
    frozenset[Side](): "-",
}


def drawing() -> str:
    """docs/states.md, whole."""
    parts = [*_introduction(), *_diagram(), "", *_table(), "", *_message(), "", *_mark(), ""]
    return "\n".join(parts)


def _introduction() -> Iterator[str]:
    yield "# The states of an SMPP session"
    yield ""
    yield "Drawn from `router/smpp/states.py` by `python -m tests.draw_states`; do not edit."
    yield ""


def _message() -> Iterator[str]:
    yield "# The states of a message"
    yield ""
    yield "From `router/terms/states.py`. In every state before SENT the message has a place"
    yield "in its account's room. DOUBT (no answer will come) lasts until WRITE, TAKE or SETTLE."
    yield ""
    yield from _drawn(message_states.AFTER, message_states.ACCEPTING, message_states.SETTLED)


def _mark() -> Iterator[str]:
    yield "## Its mark"
    yield ""
    yield "What the journal has been told of the message alone, whatever its queue. A lane with"
    yield "`in_doubt: fail` sends only what is MARKED."
    yield ""
    yield from _drawn(message_states.MARK_AFTER, message_states.Mark.UNMARKED, None)


def _drawn(
    table: Mapping[_State, Mapping[_Event, _State]], first: _State, last: _State | None
) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {first.name}"
    for state, exits in table.items():
        for after in dict.fromkeys(exits.values()):
            events = ", ".join(one.name for one, leads_to in exits.items() if leads_to is after)
            yield f"    {state.name} --> {after.name}: {events}"
    if last is not None:
        yield f"    {last.name} --> [*]"
    yield "```"


def _diagram() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.OPEN.name}: connected"
    for state, exits in states.AFTER.items():
        for event, after in exits.items():
            answered = "unbind_resp, " if state is State.UNBINDING else ""
            yield f"    {state.name} --> {after.name}: {answered}{_EVENTS[event]}"
    yield f"    {State.CLOSED.name} --> [*]"
    yield "```"


def _table() -> Iterator[str]:
    yield "Who may issue which request, by state (ESME is the client, MC the message centre). One"
    yield "that is out of place is answered ESME_RINVBNDSTS, a second bind ESME_RALYBND; one that"
    yield "is in no row, or that the router does not serve, generic_nack ESME_RINVCMDID."
    yield ""
    reading = [state for state in State if states.REQUESTS[state]]
    yield f"| request | {' | '.join(state.name for state in reading)} |"
    yield f"|---|{'---|' * len(reading)}"
    for command_id in sorted(states.KNOWN_REQUESTS):
        who = [states.REQUESTS[state].get(command_id, frozenset()) for state in reading]
        yield f"| {command_name(command_id)} | {' | '.join(_SIDES[sides] for sides in who)} |"


if __name__ == "__main__":
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(drawing(), encoding="utf-8")
