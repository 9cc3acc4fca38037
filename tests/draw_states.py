"""Draws docs/states.md from router/smpp/states.py: `python -m tests.draw_states` writes it anew.

A test fails when the drawing is stale.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.smpp import states
from router.smpp.states import Event, Side, State
from router.smpp.vocabulary import command_name

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
    return "\n".join([*_introduction(), *_diagram(), "", *_table(), ""])


def _introduction() -> Iterator[str]:
    yield "# The states of an SMPP session"
    yield ""
    yield "Drawn from `router/smpp/states.py` by `python -m tests.draw_states`; do not edit."
    yield ""


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
    yield "that is out of place is answered ESME_RINVBNDSTS, a second bind ESME_RALYBND, one that"
    yield "is in no row generic_nack ESME_RINVCMDID."
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
