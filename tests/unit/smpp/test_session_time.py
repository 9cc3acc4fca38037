"""router/smpp/session.py: what time does to a session. `now` is an argument; nothing waits."""

from _collections_abc import dict_items, dict_values
from collections.abc import Iterator

import pytest

from router.smpp import pdu as p
from router.smpp import session as s
from router.smpp import vocabulary as v
from router.smpp.session import COURTESY_S, NEVER, Session, Timers
from router.smpp.states import Side, State
from tests.unit.smpp.conversation import (
    DELIVER,
    LONGEST_OCTETS,
    SUBMIT,
    TIMERS,
    events_of,
    session_in,
    written_by,
)

IDLE = Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0, inactivity_s=100.0)
JUST = 1e-6
ENQUIRE_LINK_RESP = p.build(v.ENQUIRE_LINK_RESP, 0, 99)


def woken(session: Session) -> tuple[float, list[object]]:
    """When it asked to be woken, and what that returned; a moment before nothing happens."""
    at = session.wake_at()
    before = session.state, len(session.unanswered), len(session.notes)
    assert session.wake(at - JUST) == []
    assert (session.state, len(session.unanswered), len(session.notes)) == before
    assert session.take_octets() == b""
    assert session.wake_at() == at
    return at, session.wake(at)


@pytest.mark.parametrize("state", [State.OPEN, State.BINDING])
@pytest.mark.parametrize("side", Side)
def test_session_that_does_not_get_bound_ends_by_the_bind_timer(side: Side, state: State) -> None:
    session = session_in(state, side)
    session.receive(p.build(v.ENQUIRE_LINK, 0, 5), 4.0)  # Being heard does not prolong it.
    session.take_octets()
    assert woken(session) == (5.0, [])
    assert session.state is State.CLOSED
    assert events_of(session) == ["bind.timed_out"]


@pytest.mark.parametrize("state", [State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX])
@pytest.mark.parametrize("side", Side)
def test_silent_peer_is_asked_and_then_given_up(side: Side, state: State) -> None:
    session = session_in(state, side)
    session.receive(p.build(v.ENQUIRE_LINK, 0, 5), 4.0)
    session.take_octets()
    assert woken(session) == (34.0, [])
    ((command, status, _),) = written_by(session)
    assert (command, status) == (v.ENQUIRE_LINK, 0)
    assert woken(session) == (44.0, [])
    assert session.state is State.CLOSED
    assert events_of(session) == ["link.dead"]


@pytest.mark.parametrize(
    "octets",
    [
        ENQUIRE_LINK_RESP,
        p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, 2),
        p.build(0x0BAD, 0, 7),
    ],
    ids=["its answer", "a nack", "an unknown request"],
)
def test_any_pdu_of_the_peer_shows_that_it_lives(octets: bytes) -> None:
    session = session_in(State.BOUND_RX, Side.ESME)
    session.wake(session.wake_at())
    session.receive(octets, 35.0)
    assert session.wake_at() == 65.0
    session.take_octets()
    assert session.wake(65.0) == []
    assert [command for command, _, _ in written_by(session)] == [v.ENQUIRE_LINK]


def test_octets_that_make_no_pdu_are_no_sign_of_life() -> None:
    session = session_in(State.BOUND_RX, Side.ESME)
    session.wake(session.wake_at())
    dead_at = session.wake_at()
    session.receive(b"\0\0", 35.0)
    assert session.wake_at() == dead_at


def test_late_wake_asks_once() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.wake(500.0)
    session.wake(501.0)
    assert len(written_by(session)) == 1
    assert session.wake_at() == 510.0


def test_requests_are_overdue_oldest_first_and_one_by_one() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    for whose, at in (("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 3.0)):
        session.request(SUBMIT, whose, at)
    session.receive(p.response(v.SUBMIT_SM, 4, body=b"1\0"), 4.0)
    session.take_octets()
    assert woken(session) == (11.0, ["a", "b"])
    assert woken(session) == (13.0, ["d"])
    assert session.state is State.BOUND_TX


class Counted(dict[int, tuple[float, object, int]]):
    """A dict that counts how often somebody goes through it."""

    walks = 0

    def __iter__(self) -> Iterator[int]:
        self.walks += 1
        return super().__iter__()

    def items(self) -> "dict_items[int, tuple[float, object, int]]":
        """Begin a walk."""
        self.walks += 1
        return super().items()

    def values(self) -> "dict_values[int, tuple[float, object, int]]":
        """Begin a walk."""
        self.walks += 1
        return super().values()


def test_nothing_looks_for_the_oldest_request_but_waking_once() -> None:
    """In a plain dict it stands behind all that were answered since the dict last grew."""
    session = session_in(State.BOUND_TX, Side.ESME)
    counted = session.unanswered = Counted()
    for number in range(2, 302):
        session.request(SUBMIT, number, 1.0)
    for number in range(2, 102):
        session.receive(p.response(v.SUBMIT_SM, number, body=b"1\0"), 2.0)
        assert session.wake_at() == 11.0
    assert counted.walks == 0
    session.request(SUBMIT, 302, 3.0)
    assert session.wake(11.0) == [*range(102, 302)]
    assert counted.walks == 1
    assert session.wake_at() == 13.0


def test_request_after_an_answer_to_all_is_waited_for_from_its_own_time() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.receive(p.response(v.SUBMIT_SM, 2, body=b"1\0"), 2.0)
    session.request(SUBMIT, "b", 3.0)
    assert session.wake_at() == 13.0


def test_request_behind_one_that_was_answered_may_be_looked_at_early() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.request(SUBMIT, "b", 3.0)
    session.receive(p.response(v.SUBMIT_SM, 2, body=b"1\0"), 4.0)
    session.take_octets()
    assert session.wake_at() == 11.0
    assert session.wake(11.0) == []
    assert woken(session) == (13.0, ["b"])


def test_moment_of_waking_is_not_missed_by_rounding() -> None:
    """The sum of two floats, minus one of them, is not always the other one."""
    for tenth in range(1000):
        session = session_in(State.BOUND_TX, Side.ESME)
        session.receive(ENQUIRE_LINK_RESP, tenth / 10)
        session.request(SUBMIT, "a", tenth / 10)
        assert session.wake(session.wake_at()) == ["a"]


def test_late_answer_brings_back_whose_request_it_was() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.wake(11.0)
    answer = p.response(v.SUBMIT_SM, 2, body=b"1\0")
    (pdu,) = session.receive(answer, 12.0)
    assert (pdu.request, pdu.sent_at, p.message_id_of(pdu)) == ("a", 0.0, b"1")
    assert events_of(session) == ["response.late"]
    assert session.receive(answer, 13.0) == []
    assert events_of(session) == ["response.unasked"]


def test_late_answer_to_another_command_is_nobodys() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.wake(11.0)
    assert session.receive(p.response(v.DATA_SM, 2), 12.0) == []
    assert events_of(session) == ["response.unasked"]


def test_only_the_newest_overdue_requests_are_remembered() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    for number in range(s.MOST_LATE + 1):
        session.request(SUBMIT, number, 1.0)
    assert len(session.wake(11.0)) == s.MOST_LATE + 1
    oldest, next_oldest = (p.response(v.SUBMIT_SM, number, body=b"1\0") for number in (2, 3))
    assert session.receive(oldest, 12.0) == []
    assert [pdu.request for pdu in session.receive(next_oldest, 12.0)] == [1]


def test_overdue_request_is_not_lost_a_second_time() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.request(SUBMIT, "b", 2.0)
    assert session.wake(11.0) == ["a"]
    assert session.close() == ["b"]


def test_dead_link_leaves_what_was_in_flight_to_close() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.wake(30.0)
    session.request(SUBMIT, "a", 30.0)
    assert session.wake(40.0) == []
    assert session.state is State.CLOSED
    assert session.close() == ["a"]


# Idle clients.


def test_client_without_requests_is_unbound() -> None:
    session = session_in(State.BOUND_TX, Side.MC, IDLE)
    for at in (20.0, 45.0, 70.0, 95.0):
        session.receive(p.build(v.ENQUIRE_LINK, 0, 1), at)
    session.take_octets()
    assert woken(session) == (100.0, [])
    assert [command for command, _, _ in written_by(session)] == [v.UNBIND]
    assert events_of(session) == ["session.idle"]
    assert session.state is State.UNBINDING


def test_request_makes_the_idle_time_begin_anew() -> None:
    session = session_in(State.BOUND_TX, Side.MC, IDLE)
    session.receive(SUBMIT, 99.0)
    session.receive(ENQUIRE_LINK_RESP, 120.0)
    session.receive(ENQUIRE_LINK_RESP, 149.0)
    session.receive(ENQUIRE_LINK_RESP, 178.0)
    assert session.wake_at() == 199.0


def test_idle_time_begins_when_the_bind_is_accepted() -> None:
    session = session_in(State.BINDING, Side.MC, IDLE)
    session.accept_bind(b"smsc", v.VERSION_3_4, 3.0)
    session.receive(ENQUIRE_LINK_RESP, 90.0)
    assert session.wake_at() == 103.0


def test_client_that_is_leaving_is_not_unbound_again() -> None:
    session = session_in(State.BOUND_TRX, Side.MC, IDLE)
    session.receive(SUBMIT, 0.0)
    session.receive(p.build(v.UNBIND, 0, 7), 99.5)
    assert session.wake(100.0) == []
    assert session.state is State.UNBINDING
    assert session.take_octets() == b""
    assert session.wake_at() == 109.5


# Leaving.


def test_peer_that_does_not_answer_unbind_is_left() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.unbind(20.0)
    session.take_octets()
    assert woken(session) == (30.0, [])
    assert session.state is State.CLOSED
    assert events_of(session) == ["unbind.timed_out"]


def test_our_unbind_waits_for_our_answers_only_so_long() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.receive(DELIVER, 20.0)
    session.unbind(20.0)
    assert session.wake_at() == 20.0 + COURTESY_S
    session.wake(20.0 + COURTESY_S)
    assert [command for command, _, _ in written_by(session)] == [v.UNBIND]
    session.respond(p.response(v.DELIVER_SM, 0, body=b"\0"))
    session.wake(25.0)
    assert [command for command, _, _ in written_by(session)] == [v.DELIVER_SM_RESP]


def test_unbind_of_a_message_centre_waits_for_its_answers_only_so_long() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 20.0)
    session.receive(p.build(v.UNBIND, 0, 7), 20.5)
    session.take_octets()
    assert woken(session) == (20.5 + COURTESY_S, [])
    assert written_by(session) == [(v.UNBIND_RESP, 0, 7)]
    assert session.state is State.CLOSED
    assert session.close() == ["a"]


def test_unbind_of_the_peer_waits_for_our_answers_only_so_long() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    session.receive(SUBMIT + p.build(v.UNBIND, 0, 7), 20.0)
    session.receive(p.build(v.UNBIND, 0, 8), 28.0)  # Asking again does not prolong it.
    events_of(session)
    assert woken(session) == (30.0, [])
    assert session.state is State.CLOSED
    assert events_of(session) == ["unbind.timed_out"]


def test_time_is_nothing_to_a_closed_session() -> None:
    session = Session(Side.MC, TIMERS, LONGEST_OCTETS, 0.0)
    session.close()
    assert session.wake_at() == NEVER


def test_deliveries_are_overdue_as_submits_are() -> None:
    session = session_in(State.BOUND_RX, Side.MC)
    session.request(DELIVER, "receipt", 1.0)
    session.take_octets()
    assert woken(session) == (11.0, ["receipt"])
