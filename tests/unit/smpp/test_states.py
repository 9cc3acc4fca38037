"""router/smpp/states.py: the tables are whole, every session ends, and the drawing is fresh."""

import pytest

from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.states import AFTER, BOUND, BOUND_BY, REQUESTS, Event, Side, State
from tests.draw_states import DRAWING, drawing

OPEN_STATES = [state for state in State if state is not State.CLOSED]


def reachable_from(state: State, without: Event | None = None) -> set[State]:
    """Every state that some events lead to."""
    found = {state}
    while True:
        more = {
            after
            for known in found
            for event, after in AFTER[known].items()
            if event is not without
        }
        if more <= found:
            return found
        found |= more


def test_every_state_is_in_both_tables() -> None:
    assert set(AFTER) == set(REQUESTS) == set(State)


def test_every_state_is_reached_from_open() -> None:
    assert reachable_from(State.OPEN) == set(State)


def test_every_event_moves_some_session() -> None:
    assert {event for exits in AFTER.values() for event in exits} == set(Event)


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_state_can_be_closed_at_once(state: State) -> None:
    """Time-out, a lost connection and lost framing are one event."""
    assert AFTER[state][Event.CLOSED] is State.CLOSED


def test_closed_is_the_end() -> None:
    assert AFTER[State.CLOSED] == {}
    assert REQUESTS[State.CLOSED] == {}


def test_unbinding_never_goes_back() -> None:
    assert reachable_from(State.UNBINDING) == {State.UNBINDING, State.CLOSED}


def test_bound_is_left_only_by_unbind_and_the_end() -> None:
    for state in BOUND:
        assert set(AFTER[state]) == {Event.UNBIND, Event.CLOSED}


def test_nobody_is_bound_without_a_bind_request() -> None:
    assert not reachable_from(State.OPEN, without=Event.BIND_SENT) & BOUND


def test_each_bind_leads_to_its_own_state() -> None:
    assert set(BOUND_BY) == v.BINDS
    after = {command: AFTER[State.BINDING][event] for command, event in BOUND_BY.items()}
    assert after == {
        v.BIND_TRANSMITTER: State.BOUND_TX,
        v.BIND_RECEIVER: State.BOUND_RX,
        v.BIND_TRANSCEIVER: State.BOUND_TRX,
    }
    assert set(after.values()) == BOUND


@pytest.mark.parametrize("state", OPEN_STATES)
@pytest.mark.parametrize("side", Side)
def test_enquire_link_may_be_issued_in_every_open_state(state: State, side: Side) -> None:
    assert states.may_issue(state, v.ENQUIRE_LINK, side)


@pytest.mark.parametrize("side", Side)
def test_binding_allows_nothing_but_enquire_link(side: Side) -> None:
    allowed = {c for c in states.KNOWN_REQUESTS if states.may_issue(State.BINDING, c, side)}
    assert allowed == {v.ENQUIRE_LINK}


@pytest.mark.parametrize(
    ("command", "esme", "mc"),
    [
        (v.SUBMIT_SM, {State.BOUND_TX, State.BOUND_TRX, State.UNBINDING}, set()),
        (v.QUERY_SM, {State.BOUND_TX, State.BOUND_TRX, State.UNBINDING}, set()),
        (v.DELIVER_SM, set(), BOUND | {State.UNBINDING}),
        (v.ALERT_NOTIFICATION, set(), BOUND | {State.UNBINDING}),
        (v.DATA_SM, {State.BOUND_TX, State.BOUND_TRX, State.UNBINDING}, BOUND | {State.UNBINDING}),
        (v.UNBIND, BOUND | {State.UNBINDING}, BOUND | {State.UNBINDING}),
        (v.BIND_RECEIVER, {State.OPEN}, set()),
        (v.BIND_TRANSMITTER, {State.OPEN}, set()),
        (v.BIND_TRANSCEIVER, {State.OPEN}, set()),
        (v.OUTBIND, set(), {State.OPEN}),
    ],
)
def test_request_belongs_to_its_side_and_states(
    command: int, esme: set[State], mc: set[State]
) -> None:
    assert {s for s in State if states.may_issue(s, command, Side.ESME)} == esme
    assert {s for s in State if states.may_issue(s, command, Side.MC)} == mc


def test_no_response_is_in_the_table() -> None:
    assert not [command for command in states.KNOWN_REQUESTS if command & v.RESPONSE]


def test_unknown_request_may_be_issued_by_nobody() -> None:
    for state in State:
        for side in Side:
            assert not states.may_issue(state, 0x0BAD, side)


def test_drawing_is_fresh() -> None:
    assert DRAWING.read_text(encoding="utf-8") == drawing(), (
        "docs/states.md is stale: run `python -m tests.draw_states`"
    )
