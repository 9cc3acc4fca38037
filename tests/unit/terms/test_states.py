"""router/terms/states.py: where a message is, what may happen there, and what follows."""

import pytest

from router.terms.states import (
    ACCEPTING,
    AFTER,
    DOUBT,
    HOLDS_ROOM,
    IN_FLIGHT,
    MARK_AFTER,
    QUEUE,
    SENT,
    SETTLE,
    SETTLED,
    TAKE,
    WAITS,
    WRITE,
    ImpossibleEventError,
    Mark,
    MarkEvent,
    MessageEvent,
    MessageState,
)
from tests.unit.messages import message


def test_every_state_and_every_mark_has_its_row() -> None:
    assert list(AFTER) == list(MessageState)
    assert list(MARK_AFTER) == list(Mark)


def test_every_state_can_be_reached_from_the_first_and_every_event_happens_somewhere() -> None:
    reached, new = {ACCEPTING}, [ACCEPTING]
    while new:
        following = set(AFTER[new.pop()].values()) - reached
        reached |= following
        new += following
    assert reached == set(MessageState)
    assert {event for row in AFTER.values() for event in row} == set(MessageEvent)
    assert {event for row in MARK_AFTER.values() for event in row} == set(MarkEvent)
    assert {after for row in MARK_AFTER.values() for after in row.values()} == set(Mark)


def test_every_message_can_be_settled_once_and_nothing_follows() -> None:
    assert all(AFTER[state][SETTLE] is SETTLED for state in MessageState if state is not SETTLED)
    assert AFTER[SETTLED] == {}


def test_room_is_given_back_for_good() -> None:
    for state in set(MessageState) - HOLDS_ROOM:
        assert HOLDS_ROOM.isdisjoint(AFTER[state].values())
    assert set(MessageState) - HOLDS_ROOM == {SENT, SETTLED}


def test_only_what_waits_in_a_lane_is_written_and_whatever_waits_can_be_queued() -> None:
    assert {state for state, row in AFTER.items() if WRITE in row} == {MessageState.QUEUED}
    assert all(QUEUE in AFTER[state] for state in WAITS)


def test_a_late_answer_finds_its_message_wherever_it_waits() -> None:
    # Not where its client has scheduled it: then it has not been written.
    waits = WAITS - {MessageState.SCHEDULED}
    assert all(AFTER[state][TAKE] is SENT for state in (*waits, IN_FLIGHT, SENT))


@pytest.mark.parametrize("state", MessageState)
@pytest.mark.parametrize("event", MessageEvent)
def test_a_message_follows_the_table_and_what_is_not_in_it_raises(
    state: MessageState, event: MessageEvent
) -> None:
    one = message(1)
    one.state = state
    if event in AFTER[state]:
        one.enter(event)
        assert one.state is AFTER[state][event]
    else:
        with pytest.raises(ImpossibleEventError, match=f"{event.name} .* {state.name}"):
            one.enter(event)
        assert one.state is state


@pytest.mark.parametrize("mark", Mark)
@pytest.mark.parametrize("event", MarkEvent)
def test_a_mark_follows_the_table_and_what_is_not_in_it_raises(
    mark: Mark, event: MarkEvent
) -> None:
    one = message(1)
    one.mark = mark
    if event in MARK_AFTER[mark]:
        one.set_mark(event)
        assert one.mark is MARK_AFTER[mark][event]
    else:
        with pytest.raises(ImpossibleEventError, match=f"{event.name} .* {mark.name}"):
            one.set_mark(event)
        assert one.mark is mark


@pytest.mark.parametrize("event", [WRITE, TAKE, SETTLE])
def test_doubt_lasts_until_the_message_is_written_taken_or_settled(event: MessageEvent) -> None:
    one = message(1)
    one.enter(QUEUE)
    one.enter(WRITE)
    one.doubt()
    one.enter(QUEUE)
    assert one.in_doubt
    one.enter(event)
    assert not one.in_doubt


@pytest.mark.parametrize("state", set(MessageState) - {ACCEPTING, IN_FLIGHT})
def test_what_is_not_written_is_not_in_doubt(state: MessageState) -> None:
    one = message(1)
    one.state = state
    with pytest.raises(ImpossibleEventError, match=DOUBT.name):
        one.doubt()
    assert not one.in_doubt
