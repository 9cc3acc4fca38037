"""router/smpp/session.py: what one side does with what it is handed, in every state.

Time: test_session_time.py. Two sides: test_session_both_sides.py. Any order of anything:
tests/property/test_session.py.
"""

import struct

import pytest

from router.smpp import pdu as p
from router.smpp import session as s
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.session import HANDED_ON, LAST_SEQUENCE, SERVED, Session
from router.smpp.states import BOUND, BOUND_BY, Side, State
from tests.unit.smpp.conversation import (
    DELIVER,
    LONGEST_OCTETS,
    SUBMIT,
    TIMERS,
    events_of,
    header,
    pdus_in,
    session_in,
    state_of,
    written_by,
)

ANY_SEQUENCE = 0xFEDCBA98
UNKNOWN_REQUEST = 0x0BAD
BAD_HEADER = struct.pack(">IIII", 15, 0, 0, 77)
NO_ANSWER = {v.OUTBIND, v.ALERT_NOTIFICATION}
AHEAD_OF_A_BIND_RESPONSE = {v.DELIVER_SM, v.DATA_SM, v.ALERT_NOTIFICATION, v.UNBIND}
NOT_SERVED = (v.GENERIC_NACK, v.ESME_RINVCMDID, ANY_SEQUENCE)
EVERY_REQUEST = sorted({*states.KNOWN_REQUESTS, *HANDED_ON, UNKNOWN_REQUEST, 0x7FFFFFFF})


# Every (state, command, side).


@pytest.mark.parametrize("command", EVERY_REQUEST, ids=v.command_name)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", State)
def test_every_request_gets_its_legal_result(state: State, side: Side, command: int) -> None:
    session = session_in(state, side)
    got = session.receive(p.build(command, 0, ANY_SEQUENCE), 1.0)
    written = written_by(session)
    handed_on = [header(pdu) for pdu in got]
    if state is State.CLOSED or (state is State.BINDING and side is Side.MC):
        assert handed_on == written == []  # Nobody reads; or it waits until the bind is judged.
    elif state is State.BINDING and command in AHEAD_OF_A_BIND_RESPONSE:
        assert handed_on == written == []
        assert len(session._held) == 1
    elif states.may_issue(state, command, session.peer):
        if command in HANDED_ON and state is State.UNBINDING and side is Side.ESME:
            assert handed_on == []  # We asked for the end: it comes again.
            assert written == [(command | v.RESPONSE, v.ESME_RX_T_APPN, ANY_SEQUENCE)]
        elif command in HANDED_ON:
            assert handed_on == [(command, 0, ANY_SEQUENCE)]
            assert written == []
            assert session.owed == (command not in v.BINDS)
        else:
            if command == v.ALERT_NOTIFICATION:  # A stage hears of it, and answers nothing.
                assert handed_on == [(command, 0, ANY_SEQUENCE)]
                assert written == []
                assert session.owed == 0
                return
            answered = (command | v.RESPONSE, v.ESME_ROK, ANY_SEQUENCE)
            answer = answered if command in (v.ENQUIRE_LINK, v.UNBIND) else NOT_SERVED
            assert handed_on == []
            assert written == ([] if command in NO_ANSWER else [answer])
    elif command in SERVED | NO_ANSWER:
        again = command in v.BINDS and state in BOUND
        status = v.ESME_RALYBND if again else v.ESME_RINVBNDSTS
        assert handed_on == []
        assert written == (
            [] if command in NO_ANSWER else [(command | v.RESPONSE, status, ANY_SEQUENCE)]
        )
    else:
        assert handed_on == []
        assert written == [NOT_SERVED]
        noted = "pdu.refused" if command in states.KNOWN_REQUESTS else "pdu.unknown"
        assert [(note.event, note.status) for note in session.notes] == [(noted, v.ESME_RINVCMDID)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", sorted(BOUND))
@pytest.mark.parametrize(
    ("command", "body"),
    [
        *((command, b"smsc\0") for command in sorted(v.BINDS)),
        *((v.SUBMIT_SM, b""), (v.DATA_SM, b"\0"), (v.DELIVER_SM, b"\0")),
        (v.SUBMIT_MULTI, b"\0\0"),
        (v.QUERY_SM, b"\0\0\7\0"),
    ],
)
def test_refusal_has_the_body_that_its_readers_look_for(
    state: State, side: Side, command: int, body: bytes
) -> None:
    session = session_in(state, side)
    if states.may_issue(state, command, session.peer):
        session.unbind(1.0)  # Now it comes too late, or is out of place.
        session.take_octets()
    session.receive(p.build(command, 0, ANY_SEQUENCE), 1.0)
    refused = pdus_in(session.take_octets())
    if refused:  # Else it is answered by the stage.
        assert refused[0].command_status != v.ESME_ROK
        expected = b"\0" if command in v.BINDS and side is Side.ESME else body
        assert refused[0].octets[16:] == expected


@pytest.mark.parametrize("command", [*EVERY_REQUEST, 0], ids=v.command_name)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", State)
def test_no_response_that_nobody_waits_for_is_answered(
    state: State, side: Side, command: int
) -> None:
    session = session_in(state, side)
    got = session.receive(p.build(command | v.RESPONSE, 0, ANY_SEQUENCE), 1.0)
    assert written_by(session) == []
    if not got:  # Only the ESME that is binding waits for something here.
        closes = state is State.UNBINDING and command == v.UNBIND
        assert session.state is (State.CLOSED if closes else state)
    else:
        assert (state, side) == (State.BINDING, Side.ESME)
        assert command in (0, v.BIND_TRANSCEIVER)


@pytest.mark.parametrize("sequence_number", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_any_sequence_number_is_echoed(sequence_number: int) -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    session.receive(p.build(v.ENQUIRE_LINK, 0, sequence_number), 1.0)
    session.receive(p.build(UNKNOWN_REQUEST, 0, sequence_number), 1.0)
    session.receive(p.build(v.UNBIND, 0, sequence_number), 1.0)
    assert [number for _, _, number in written_by(session)] == [sequence_number] * 3


def test_what_is_refused_or_unknown_is_noted() -> None:
    session = session_in(State.BOUND_RX, Side.MC)
    session.receive(SUBMIT + p.build(UNKNOWN_REQUEST, 0, 5), 1.0)
    first, second = session.notes
    assert (first.event, first.command_id, first.status) == (
        "pdu.refused",
        v.SUBMIT_SM,
        v.ESME_RINVBNDSTS,
    )
    assert (second.event, second.command_id) == ("pdu.unknown", UNKNOWN_REQUEST)


# Binding.


@pytest.mark.parametrize("command", sorted(v.BINDS))
@pytest.mark.parametrize(("version", "tlvs"), [(0x33, False), (0x34, True), (0x50, True)])
def test_bind_is_answered_as_the_clients_version_needs(
    command: int, version: int, tlvs: bool
) -> None:
    session = Session(Side.MC, TIMERS, LONGEST_OCTETS, 0.0)
    (request,) = session.receive(p.bind(command, 9, system_id=b"a", password=b"b"), 0.0)
    assert session.state is State.BINDING
    assert session.accept_bind(b"smsc", version, 1.0) == []
    (answer,) = pdus_in(session.take_octets())
    assert header(answer) == (command | v.RESPONSE, v.ESME_ROK, request.sequence_number)
    version_tlv = p.tlv(v.SC_INTERFACE_VERSION, bytes((version,)))
    assert answer.octets[16:] == b"smsc\0" + (version_tlv if tlvs else b"")
    assert session.state is states.AFTER[State.BINDING][BOUND_BY[command]]
    assert session.interface_version == version


def test_refused_bind_is_answered_and_ends_the_session() -> None:
    session = session_in(State.BINDING, Side.MC, bound_as=v.BIND_RECEIVER)
    session.receive(SUBMIT, 0.1)
    session.refuse_bind(b"smsc", v.ESME_RINVPASWD)
    (answer,) = pdus_in(session.take_octets())
    assert header(answer) == (v.BIND_RECEIVER | v.RESPONSE, v.ESME_RINVPASWD, 1)
    assert answer.octets[16:] == b"smsc\0"
    assert session.state is State.CLOSED
    assert session.has_refused


def test_what_comes_behind_a_bind_waits_for_the_verdict_in_order() -> None:
    session = Session(Side.MC, TIMERS, LONGEST_OCTETS, 0.0)
    bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"a", password=b"b")
    behind = p.relay(SUBMIT, 2) + p.build(v.ENQUIRE_LINK, 0, 3) + p.relay(SUBMIT, 4)
    (request,) = session.receive(bind + behind[:-7], 0.0)
    assert request.command_id == v.BIND_TRANSCEIVER
    assert session.receive(behind[-7:], 0.1) == []
    assert written_by(session) == []
    got = session.accept_bind(b"smsc", v.VERSION_3_4, 0.2)
    assert [pdu.sequence_number for pdu in got] == [2, 4]
    assert session.owed == 2
    assert [number for _, _, number in written_by(session)] == [1, 3]


def test_second_bind_behind_the_first_is_refused_after_it() -> None:
    session = session_in(State.BINDING, Side.MC)
    session.receive(p.bind(v.BIND_RECEIVER, 2, system_id=b"a", password=b"b"), 0.1)
    assert session.accept_bind(b"smsc", v.VERSION_3_4, 0.2) == []
    assert written_by(session) == [
        (v.BIND_TRANSCEIVER | v.RESPONSE, v.ESME_ROK, 1),
        (v.BIND_RECEIVER | v.RESPONSE, v.ESME_RALYBND, 2),
    ]
    assert session.state is State.BOUND_TRX


def test_unbind_behind_a_bind_is_answered_after_what_lies_between() -> None:
    session = session_in(State.BINDING, Side.MC)
    session.receive(p.relay(SUBMIT, 2) + p.build(v.UNBIND, 0, 3), 0.1)
    (submit,) = session.accept_bind(b"smsc", v.VERSION_3_4, 0.2)
    session.respond(p.response(v.SUBMIT_SM, submit.sequence_number, body=b"1\0"))
    assert [number for _, _, number in written_by(session)] == [1, 2, 3]
    assert session.state is State.CLOSED


@pytest.mark.parametrize("ended", ["framing lost", "timer", "transport lost"])
@pytest.mark.parametrize("accepted", [True, False])
def test_verdict_on_a_session_that_has_ended_is_dropped(ended: str, accepted: bool) -> None:
    """A password takes its time; the peer need not wait for it."""
    session = session_in(State.BINDING, Side.MC)
    session.receive(SUBMIT, 0.1)
    if ended == "framing lost":
        session.receive(BAD_HEADER, 0.1)
    elif ended == "timer":
        session.wake(session.wake_at())
    else:
        session.close()
    assert session.state is State.CLOSED
    session.take_octets()
    if accepted:
        assert session.accept_bind(b"smsc", v.VERSION_3_4, 9.0) == []
    else:
        session.refuse_bind(b"smsc", v.ESME_RINVPASWD)
    assert session.state is State.CLOSED
    assert session.take_octets() == b""


def test_unbind_right_behind_a_bind_is_answered_with_it() -> None:
    session = session_in(State.BINDING, Side.MC)
    session.receive(p.build(v.UNBIND, 0, 7), 0.1)
    assert session.accept_bind(b"smsc", v.VERSION_3_4, 0.2) == []
    answered = [command for command, _, _ in written_by(session)]
    assert answered == [v.BIND_TRANSCEIVER | v.RESPONSE, v.UNBIND_RESP]
    assert state_of(session) is State.CLOSED


@pytest.mark.parametrize("bound_as", sorted(v.BINDS))
@pytest.mark.parametrize("pieces", [1, 2])
def test_what_comes_ahead_of_a_bind_response_is_handed_on_behind_it(
    bound_as: int, pieces: int
) -> None:
    session = session_in(State.BINDING, Side.ESME, bound_as=bound_as)
    ahead = p.relay(DELIVER, 7) + p.build(v.ENQUIRE_LINK, 0, 8) + p.build(v.DATA_SM, 0, 9)
    answer = p.response(bound_as, 1, body=b"smsc\0")
    got = []
    for octets in (ahead, answer) if pieces == 2 else (ahead + answer,):
        got += session.receive(octets, 0.1)
    assert [header(pdu) for pdu in got] == [
        (bound_as | v.RESPONSE, 0, 1),
        (v.DELIVER_SM, 0, 7),
        (v.DATA_SM, 0, 9),
    ]
    assert session.owed == 2
    assert written_by(session) == [(v.ENQUIRE_LINK_RESP, 0, 8)]
    assert session._held_octets == 0


def test_unbind_ahead_of_a_bind_response_is_answered_after_what_it_follows() -> None:
    session = session_in(State.BINDING, Side.ESME)
    session.receive(p.relay(DELIVER, 7) + p.build(v.UNBIND, 0, 8), 0.1)
    _, deliver = session.receive(p.response(v.BIND_TRANSCEIVER, 1, body=b"smsc\0"), 0.2)
    assert written_by(session) == []
    session.respond(p.response(v.DELIVER_SM, deliver.sequence_number))
    assert [pdu[0] for pdu in written_by(session)] == [v.DELIVER_SM_RESP, v.UNBIND_RESP]
    assert state_of(session) is State.CLOSED


def test_what_came_ahead_of_a_refusal_is_dropped() -> None:
    session = session_in(State.BINDING, Side.ESME)
    session.receive(p.relay(DELIVER, 7) + p.build(v.UNBIND, 0, 8), 0.1)
    (answer,) = session.receive(p.response(v.BIND_TRANSCEIVER, 1, v.ESME_RBINDFAIL), 0.2)
    assert answer.command_status == v.ESME_RBINDFAIL
    assert state_of(session) is State.OPEN
    assert written_by(session) == []
    assert (session._held, session._held_octets, session.owed) == ([], 0, 0)


def test_message_centre_that_floods_ahead_of_its_bind_response_is_cut_off() -> None:
    session = session_in(State.BINDING, Side.ESME)
    deliver = p.relay(DELIVER, 7)
    for _ in range(s.MOST_HELD_OCTETS // len(deliver)):
        session.receive(deliver, 0.1)
    assert state_of(session) is State.BINDING
    session.receive(deliver, 0.1)
    assert state_of(session) is State.CLOSED
    assert events_of(session) == ["bind.flooded"]


@pytest.mark.parametrize("side", Side)
def test_what_comes_behind_an_unbind_in_the_same_octets_is_answered_before_it(side: Side) -> None:
    session = session_in(State.BOUND_TRX, side)
    request, command = (DELIVER, v.DELIVER_SM) if side is Side.ESME else (SUBMIT, v.SUBMIT_SM)
    octets = p.build(v.UNBIND, 0, 7) + p.relay(request, 8) + p.build(v.ENQUIRE_LINK, 0, 9)
    (pdu,) = session.receive(octets, 0.1)
    assert written_by(session) == [(v.ENQUIRE_LINK_RESP, 0, 9)]
    session.respond(p.response(command, pdu.sequence_number))
    assert written_by(session) == [(command | v.RESPONSE, 0, 8), (v.UNBIND_RESP, 0, 7)]
    assert state_of(session) is State.CLOSED


def test_peer_that_floods_while_its_bind_is_judged_is_cut_off() -> None:
    session = session_in(State.BINDING, Side.MC)
    some = SUBMIT * 100
    for _ in range(s.MOST_HELD_OCTETS // len(some)):
        session.receive(some, 0.1)
    assert state_of(session) is State.BINDING
    session.receive(some + some, 0.1)
    assert session.state is State.CLOSED
    assert events_of(session) == ["bind.flooded"]


@pytest.mark.parametrize("command", sorted(v.BINDS))
def test_good_bind_response_binds_and_is_handed_on(command: int) -> None:
    session = session_in(State.BINDING, Side.ESME, bound_as=command)
    answer = p.response(command, 1, body=b"smsc\0" + p.tlv(v.SC_INTERFACE_VERSION, b"\x50"))
    (pdu,) = session.receive(answer + DELIVER, 0.1)[:1]
    assert pdu.octets == answer
    assert session.state is states.AFTER[State.BINDING][BOUND_BY[command]]
    assert session.owed == 1


@pytest.mark.parametrize(
    "answer",
    [
        p.response(v.BIND_TRANSCEIVER, 1, v.ESME_RINVPASWD),
        p.response(v.BIND_TRANSCEIVER, 1, 0x40D),
        p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, 1),
        p.build(v.GENERIC_NACK, v.ESME_ROK, 0),
    ],
    ids=["refused", "vendor status", "nack", "nack of nothing"],
)
def test_refused_bind_is_handed_on_and_leaves_the_session_open(answer: bytes) -> None:
    session = session_in(State.BINDING, Side.ESME)
    (pdu,) = session.receive(answer, 0.1)
    assert pdu.octets == answer
    assert session.state is State.OPEN


def test_bind_response_with_a_number_of_the_peers_own_is_good() -> None:
    session = session_in(State.BINDING, Side.ESME)
    assert len(session.receive(p.response(v.BIND_TRANSCEIVER, 500, body=b"smsc\0"), 0.1)) == 1
    assert session.state is State.BOUND_TRX


def test_response_to_another_bind_is_not_ours() -> None:
    session = session_in(State.BINDING, Side.ESME, bound_as=v.BIND_RECEIVER)
    assert session.receive(p.response(v.BIND_TRANSMITTER, 1, body=b"smsc\0"), 0.1) == []
    assert session.state is State.BINDING
    assert events_of(session) == ["response.unasked"]


# Our requests and their answers.


def test_answer_brings_back_whose_request_it_answers_and_when_that_was_sent() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    first, second = object(), object()
    session.request(SUBMIT, first, 1.0)
    session.request(SUBMIT, second, 2.0)
    sent = pdus_in(session.take_octets())
    assert [pdu.octets[16:] for pdu in sent] == [SUBMIT[16:]] * 2
    answers = [p.response(v.SUBMIT_SM, pdu.sequence_number, body=b"1\0") for pdu in sent]
    got = session.receive(answers[1] + answers[0], 3.0)
    assert [(pdu.request, pdu.sent_at) for pdu in got] == [(second, 2.0), (first, 1.0)]
    assert session.unanswered == {}


@pytest.mark.parametrize("status", [v.ESME_RTHROTTLED, 0x401, 0xFFFFFFFF])
def test_status_of_an_answer_is_kept_whatever_it_is(status: int) -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    (pdu,) = session.receive(p.response(v.SUBMIT_SM, 2, status), 2.0)
    assert (pdu.command_status, pdu.request) == (status, "a")


def test_generic_nack_answers_the_request_of_its_number() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    (pdu,) = session.receive(p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, 2), 2.0)
    assert header(pdu) == (v.GENERIC_NACK, v.ESME_RINVCMDID, 2)
    assert pdu.request == "a"
    assert session.unanswered == {}


def test_generic_nack_of_nothing_is_noted() -> None:
    session = session_in(State.BOUND_TX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    assert session.receive(p.build(v.GENERIC_NACK, v.ESME_RINVCMDLEN, 0), 2.0) == []
    (note,) = session.notes
    assert (note.event, note.status) == ("nack.received", v.ESME_RINVCMDLEN)
    assert len(session.unanswered) == 1


def test_answer_to_another_command_leaves_the_request_in_flight() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    assert session.receive(p.response(v.DATA_SM, 2, body=b"1\0"), 2.0) == []
    assert events_of(session) == ["response.mismatched"]
    assert len(session.receive(p.response(v.SUBMIT_SM, 2, body=b"1\0"), 2.0)) == 1


def test_answer_counts_once() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    answer = p.response(v.SUBMIT_SM, 2, body=b"1\0")
    assert len(session.receive(answer + answer, 2.0)) == 1
    assert events_of(session) == ["response.unasked"]


def test_request_of_the_peer_with_a_number_of_ours_is_no_answer() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    (pdu,) = session.receive(p.relay(DELIVER, 2), 2.0)
    assert (pdu.command_id, pdu.request) == (v.DELIVER_SM, None)
    assert len(session.unanswered) == 1


def test_enquire_link_resp_with_the_number_of_a_submit_is_no_answer_to_it() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    assert session.receive(p.response(v.ENQUIRE_LINK, 2), 2.0) == []
    assert len(session.unanswered) == 1


def test_numbers_wrap_to_1_and_skip_those_in_flight() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)  # Its bind was 1.
    session.request(SUBMIT, "two", 1.0)
    session._sequence = LAST_SEQUENCE - 1
    for whose in ("last", "one", "three"):
        session.request(SUBMIT, whose, 1.0)
    assert {n: whose for n, (_, whose, _) in session.unanswered.items()} == {
        2: "two",
        LAST_SEQUENCE: "last",
        1: "one",
        3: "three",
    }
    session._sequence = LAST_SEQUENCE
    session.unbind(2.0)
    assert [n for _, _, n in written_by(session)] == [2, LAST_SEQUENCE, 1, 3, 4]


# The end.


def test_unbind_is_answered_after_what_is_owed() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    got = session.receive(p.relay(SUBMIT, 5) + p.relay(SUBMIT, 6) + p.build(v.UNBIND, 0, 7), 1.0)
    assert state_of(session) is State.UNBINDING
    assert written_by(session) == []
    assert session.peer_has_unbound
    for pdu in got:
        assert state_of(session) is State.UNBINDING
        session.respond(p.response(v.SUBMIT_SM, pdu.sequence_number, body=b"1\0"))
    assert written_by(session) == [
        (v.SUBMIT_SM_RESP, 0, 5),
        (v.SUBMIT_SM_RESP, 0, 6),
        (v.UNBIND_RESP, 0, 7),
    ]
    assert session.state is State.CLOSED


def test_answers_after_our_unbind_are_still_read() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.unbind(1.0)
    answers = p.response(v.SUBMIT_SM, 2, body=b"1\0") + p.response(v.UNBIND, 3)
    (pdu,) = session.receive(answers, 2.0)
    assert pdu.request == "a"
    assert session.state is State.CLOSED


@pytest.mark.parametrize("side", Side)
def test_our_unbind_goes_out_once_and_after_what_we_owe(side: Side) -> None:
    asked = SUBMIT if side is Side.MC else DELIVER
    session = session_in(State.BOUND_TRX, side)
    got = session.receive(p.relay(asked, 5) + p.relay(asked, 6), 1.0)
    session.unbind(1.0)
    assert state_of(session) is State.UNBINDING
    assert written_by(session) == []
    for pdu in got:
        session.respond(p.response(pdu.command_id, pdu.sequence_number))
    assert [command for command, _, _ in written_by(session)] == [
        *(pdu.command_id | v.RESPONSE for pdu in got),
        v.UNBIND,
    ]


def test_message_centre_that_goes_on_delivering_does_not_keep_us() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.receive(p.relay(DELIVER, 5), 1.0)
    session.unbind(1.0)
    assert session.receive(p.relay(DELIVER, 6), 1.0) == []
    assert written_by(session) == [(v.DELIVER_SM_RESP, v.ESME_RX_T_APPN, 6)]
    session.respond(p.response(v.DELIVER_SM, 5, body=b"\0"))
    assert [command for command, _, _ in written_by(session)] == [v.DELIVER_SM_RESP, v.UNBIND]


def test_unbind_of_a_message_centre_is_answered_when_it_has_answered_us() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.request(SUBMIT, "a", 1.0)
    session.request(SUBMIT, "b", 1.0)
    session.take_octets()
    session.receive(p.build(v.UNBIND, 0, 7), 1.0)
    for number in (2, 3):
        assert written_by(session) == []
        (pdu,) = session.receive(p.response(v.SUBMIT_SM, number, body=b"1\0"), 1.5)
        assert pdu.request == {2: "a", 3: "b"}[number]
    assert written_by(session) == [(v.UNBIND_RESP, 0, 7)]
    assert session.state is State.CLOSED


def test_unbind_of_a_client_does_not_wait_for_what_it_has_not_acknowledged() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    session.request(DELIVER, "a", 1.0)
    session.take_octets()
    session.receive(p.build(v.UNBIND, 0, 7), 1.0)
    assert written_by(session) == [(v.UNBIND_RESP, 0, 7)]
    assert session.close() == ["a"]


def test_our_unbind_that_waits_gives_way_to_that_of_the_peer() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    session.receive(p.relay(DELIVER, 5), 1.0)
    session.unbind(1.0)
    session.receive(p.build(v.UNBIND, 0, 6), 1.0)
    assert state_of(session) is State.UNBINDING
    session.respond(p.response(v.DELIVER_SM, 5, body=b"\0"))
    assert [command for command, _, _ in written_by(session)] == [v.DELIVER_SM_RESP, v.UNBIND_RESP]
    assert session.state is State.CLOSED


def test_unbinds_that_cross_end_the_session() -> None:
    session = session_in(State.UNBINDING, Side.MC)
    session.receive(p.build(v.UNBIND, 0, 4), 1.0)
    assert written_by(session) == [(v.UNBIND_RESP, 0, 4)]
    assert session.state is State.CLOSED


def test_every_unbind_is_answered() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    session.receive(SUBMIT + p.build(v.UNBIND, 0, 7) + p.build(v.UNBIND, 0, 8), 1.0)
    session.respond(p.response(v.SUBMIT_SM, 0, body=b"1\0"))
    assert written_by(session)[1:] == [(v.UNBIND_RESP, 0, 7), (v.UNBIND_RESP, 0, 8)]


def test_close_returns_what_is_in_flight_oldest_first_and_once() -> None:
    session = session_in(State.BOUND_TRX, Side.ESME)
    for whose in ("a", "b", "c"):
        session.request(SUBMIT, whose, 1.0)
    session.receive(p.response(v.SUBMIT_SM, 3, body=b"1\0"), 2.0)
    assert session.close() == ["a", "c"]
    assert session.state is State.CLOSED
    assert session.close() == []


def test_closed_session_reads_and_does_nothing() -> None:
    session = session_in(State.CLOSED, Side.MC)
    assert session.receive(SUBMIT + BAD_HEADER, 1.0) == []
    assert session.wake(1e9) == []
    assert session.wake_at() == s.NEVER
    assert session.take_octets() == b""
    assert session.notes == []


def test_nothing_behind_the_end_is_read() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    assert session.receive(p.build(v.UNBIND, 0, 7) + BAD_HEADER, 1.0) == []
    assert session.receive(SUBMIT, 1.0) == []
    assert written_by(session) == [(v.UNBIND_RESP, 0, 7)]


def test_lost_framing_is_answered_and_ends_the_session() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    (submit,) = session.receive(SUBMIT + BAD_HEADER + SUBMIT, 1.0)
    assert submit.octets == SUBMIT
    assert written_by(session) == [(v.GENERIC_NACK, v.ESME_RINVCMDLEN, 77)]
    assert session.state is State.CLOSED
    assert events_of(session) == ["framing.lost"]


@pytest.mark.parametrize(
    ("octets", "protocol"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdef", "TLS"),
        (b"\x16\x03\x01\x02", "TLS"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"PRI * HTTP/2.0\r\n", "HTTP"),
        (b"PROXY TCP4 192.0.2.1", "PROXY"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "PROXY"),
        (b"SSH-2.0-OpenSSH_9.2", "SSH"),
        (b"\xff" * 16, ""),
    ],
)
def test_what_else_a_peer_speaks_is_told(octets: bytes, protocol: str) -> None:
    session = session_in(State.OPEN, Side.MC)
    session.receive(octets, 1.0)
    (note,) = session.notes
    assert note.event == "framing.lost"
    assert note.words() == ({"looks_like": protocol} if protocol else {})


def test_bound_peer_that_loses_framing_is_not_said_to_speak_something_else() -> None:
    session = session_in(State.BOUND_TRX, Side.MC)
    session.receive(b"GET / HTTP/1.1\r\n", 1.0)
    (note,) = session.notes
    assert note.words() == {}


@pytest.mark.parametrize("side", Side)
def test_session_says_where_it_is(side: Side) -> None:
    session = session_in(State.BOUND_TX, side)
    assert repr(session) == f"<Session {side.name} BOUND_TX unanswered=0>"
