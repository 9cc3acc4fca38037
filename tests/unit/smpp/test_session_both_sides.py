"""router/smpp/session.py: a client and a message centre that talk to each other, octet by octet."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.session import Session, Timers
from router.smpp.states import State
from tests.unit.smpp.conversation import (
    DELIVER,
    SUBMIT,
    TIMERS,
    Conversation,
    events_of,
    header,
    pdus_in,
    state_of,
)

BOUND_STATES = {
    v.BIND_TRANSMITTER: State.BOUND_TX,
    v.BIND_RECEIVER: State.BOUND_RX,
    v.BIND_TRANSCEIVER: State.BOUND_TRX,
}


def answer_submits(talk: Conversation, status: int = 0) -> None:
    """Let the message centre answer what it has, with the number as message_id."""
    for pdu in talk.mc_got:
        body = b"%d\0" % pdu.sequence_number
        talk.mc.respond(p.response(pdu.command_id, pdu.sequence_number, status, body))
    talk.mc_got.clear()


@pytest.mark.parametrize("version", [v.VERSION_3_3, v.VERSION_3_4, v.VERSION_5_0])
@pytest.mark.parametrize("command", BOUND_STATES)
def test_both_come_to_the_state_of_the_bind(command: int, version: int) -> None:
    talk = Conversation()
    talk.bind(command, version)
    assert talk.esme.state is talk.mc.state is BOUND_STATES[command]
    assert talk.esme.interface_version == talk.mc.interface_version == version


def test_submit_and_its_answer_go_there_and_back() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(SUBMIT, "mine", talk.now)
    talk.carry()
    assert [pdu.octets[16:] for pdu in talk.mc_got] == [SUBMIT[16:]]
    answer_submits(talk)
    talk.carry()
    (answer,) = talk.esme_got
    assert answer.request == "mine"
    assert p.message_id_of(answer) == b"2"
    assert talk.mc.owed == 0
    assert talk.esme.unanswered == {}


def test_both_use_the_same_numbers_and_nothing_is_mixed_up() -> None:
    talk = Conversation()
    talk.bind()
    for number in range(20):
        talk.esme.request(SUBMIT, f"submit {number}", talk.now)
        talk.mc.request(DELIVER, f"deliver {number}", talk.now)
    talk.carry()
    for pdu in talk.esme_got:
        talk.esme.respond(p.response(v.DELIVER_SM, pdu.sequence_number, body=b"\0"))
    talk.esme_got.clear()
    answer_submits(talk)
    talk.carry()
    assert [pdu.request for pdu in talk.esme_got] == [f"submit {n}" for n in range(20)]
    assert [pdu.request for pdu in talk.mc_got] == [f"deliver {n}" for n in range(20)]


@pytest.mark.parametrize("piece", [1, 7, 16, 1000])
def test_what_comes_in_pieces_behind_a_bind_is_not_lost(piece: int) -> None:
    """A client that does not wait for the answer to its bind."""
    talk = Conversation()
    bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    octets = bind + p.relay(SUBMIT, 2) + p.build(v.ENQUIRE_LINK, 0, 3)
    got = []
    for at in range(0, len(octets), piece):
        got += talk.mc.receive(octets[at : at + piece], talk.now)
    (request,) = got
    (submit,) = talk.mc.accept_bind(b"smsc", v.VERSION_3_4, talk.now)
    talk.mc.respond(p.response(v.SUBMIT_SM, submit.sequence_number, body=b"1\0"))
    assert [header(pdu) for pdu in pdus_in(talk.mc.take_octets())] == [
        (request.command_id | v.RESPONSE, 0, 1),
        (v.ENQUIRE_LINK_RESP, 0, 3),
        (v.SUBMIT_SM_RESP, 0, 2),
    ]


@pytest.mark.parametrize("piece", [1, 7, 16, 1000])
def test_what_comes_in_pieces_behind_a_bind_response_is_not_lost(piece: int) -> None:
    """A message centre with receipts waiting."""
    talk = Conversation()
    talk.esme.bind(v.BIND_TRANSCEIVER, system_id=b"bank", password=b"secret01")
    talk.mc.receive(talk.esme.take_octets(), talk.now)
    talk.mc.accept_bind(b"smsc", v.VERSION_3_4, talk.now)
    talk.mc.request(DELIVER, "a", talk.now)
    talk.mc.request(DELIVER, "b", talk.now)
    octets = talk.mc.take_octets()
    got = []
    for at in range(0, len(octets), piece):
        got += talk.esme.receive(octets[at : at + piece], talk.now)
    commands = [pdu.command_id for pdu in got]
    assert commands == [v.BIND_TRANSCEIVER | v.RESPONSE, v.DELIVER_SM, v.DELIVER_SM]
    assert talk.esme.owed == 2


def test_refused_client_hears_why_and_both_end() -> None:
    talk = Conversation()
    talk.esme.bind(v.BIND_TRANSCEIVER, system_id=b"bank", password=b"wrong")
    talk.carry()
    talk.mc.refuse_bind(b"smsc", v.ESME_RINVPASWD)
    talk.carry()
    (answer,) = talk.esme_got
    assert answer.command_status == v.ESME_RINVPASWD
    assert talk.mc.state is State.CLOSED
    assert state_of(talk.esme) is State.OPEN
    talk.pass_s(10)
    assert talk.esme.state is State.CLOSED


def test_idle_session_is_kept_alive_from_both_ends_for_ever() -> None:
    talk = Conversation(mc_timers=Timers(bind_s=5.0, enquire_link_s=29.0, response_s=10.0))
    talk.bind()
    talk.pass_s(3600)
    assert talk.esme.state is talk.mc.state is State.BOUND_TRX
    assert not talk.esme.notes
    assert not talk.mc.notes
    assert talk.esme._sequence + talk.mc._sequence > 100


def test_enquire_link_is_sent_on_silence_only() -> None:
    talk = Conversation()
    talk.bind()
    for _ in range(10):
        talk.pass_s(29)
        talk.esme.request(SUBMIT, None, talk.now)
        talk.carry()
        answer_submits(talk)
        talk.carry()
    assert talk.esme._sequence == 11  # The bind and ten submits.
    assert talk.mc._sequence == 0


def test_dead_link_is_seen_by_both_and_gives_back_what_was_in_flight() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(SUBMIT, "lost on the way", talk.now)
    talk.cut = True
    talk.pass_s(35)
    talk.esme.request(SUBMIT, "still unanswered", talk.now)
    talk.pass_s(10)
    assert talk.esme.state is talk.mc.state is State.CLOSED
    assert "link.dead" in events_of(talk.esme)
    assert "link.dead" in events_of(talk.mc)
    assert talk.overdue == ["lost on the way"]
    assert talk.esme.close() == ["still unanswered"]


def test_late_answer_is_told_from_one_in_time() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(SUBMIT, "slow", talk.now)
    talk.carry()
    talk.pass_s(10)
    assert talk.overdue == ["slow"]
    answer_submits(talk)
    talk.carry()
    (answer,) = talk.esme_got
    assert (answer.request, answer.sent_at) == ("slow", 0.0)
    assert events_of(talk.esme) == ["response.late"]


@pytest.mark.parametrize("command", [v.BIND_RECEIVER, 0])
def test_submit_that_is_out_of_place_is_answered_so(command: int) -> None:
    """Over a receiver bind, and before any bind."""
    talk = Conversation()
    if command:
        talk.bind(command)
    talk.esme.request(SUBMIT, "mine", talk.now)
    talk.carry()
    assert talk.mc_got == []
    (answer,) = talk.esme_got
    assert (answer.command_id, answer.command_status) == (v.SUBMIT_SM_RESP, v.ESME_RINVBNDSTS)
    assert answer.request == "mine"
    assert talk.mc.state is (State.BOUND_RX if command else State.OPEN)


def test_deliver_of_a_client_is_out_of_place() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(DELIVER, "forged", talk.now)
    talk.carry()
    assert talk.mc_got == []
    assert talk.esme_got[0].command_status == v.ESME_RINVBNDSTS


def test_second_bind_is_refused_and_the_first_lives_on() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(
        p.bind(v.BIND_TRANSMITTER, 0, system_id=b"bank", password=b"secret01"), "again", talk.now
    )
    talk.carry()
    (answer,) = talk.esme_got
    assert answer.command_status == v.ESME_RALYBND
    assert talk.mc.state is State.BOUND_TRX


def test_unknown_command_is_answered_by_generic_nack_and_the_session_lives_on() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(p.build(0x00010203, 0, 0, b"vendor"), "odd", talk.now)
    talk.esme.request(SUBMIT, "good", talk.now)
    talk.carry()
    (nack,) = talk.esme_got
    assert (nack.command_id, nack.command_status) == (v.GENERIC_NACK, v.ESME_RINVCMDID)
    assert nack.request == "odd"
    assert len(talk.mc_got) == 1


@pytest.mark.parametrize("leaving", ["esme", "mc"])
def test_either_may_leave_and_both_end(leaving: str) -> None:
    talk = Conversation()
    talk.bind()
    leaves: Session = getattr(talk, leaving)
    leaves.unbind(talk.now)
    talk.carry()
    assert talk.esme.state is talk.mc.state is State.CLOSED


def test_both_may_leave_at_once() -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.unbind(talk.now)
    talk.mc.unbind(talk.now)
    talk.carry()
    assert talk.esme.state is talk.mc.state is State.CLOSED


def test_client_that_leaves_first_hears_what_became_of_its_messages() -> None:
    talk = Conversation()
    talk.bind()
    for whose in ("a", "b"):
        talk.esme.request(SUBMIT, whose, talk.now)
    talk.esme.unbind(talk.now)
    talk.carry()
    assert state_of(talk.esme) is state_of(talk.mc) is State.UNBINDING
    talk.pass_s(5)
    answer_submits(talk)
    talk.carry()
    assert [pdu.request for pdu in talk.esme_got] == ["a", "b"]
    assert talk.esme.state is talk.mc.state is State.CLOSED
    assert talk.esme.close() == []


def test_client_that_only_listens_is_unbound_when_idle() -> None:
    """As settings.py says: what counts is a request of the client's other than enquire_link."""
    idle = Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0, inactivity_s=100.0)
    talk = Conversation(TIMERS, idle)
    talk.bind(v.BIND_RECEIVER)
    talk.pass_s(101)
    assert talk.esme.state is talk.mc.state is State.CLOSED
    assert talk.esme.peer_has_unbound


@pytest.mark.parametrize("status", [v.ESME_RMSGQFUL, 0x400, 0x4FF, 0xFFFFFFFF])
def test_statuses_travel_unchanged(status: int) -> None:
    talk = Conversation()
    talk.bind()
    talk.esme.request(SUBMIT, "mine", talk.now)
    talk.carry()
    answer_submits(talk, status)
    talk.carry()
    assert [pdu.command_status for pdu in talk.esme_got] == [status]
