"""simulators/esme.py: a client without sockets and without waiting."""

from random import Random

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import BindRequest, Framer, Pdu
from router.smpp.session import Session, Timers
from router.smpp.states import Side
from router.terms.limits import Rate
from simulators.esme import ClientLink, Esme, EsmeSettings
from simulators.ledger import Ledger
from simulators.messages import Messages, MessageSettings, number_pattern

TIMERS = Timers(bind_s=1e9, enquire_link_s=1e9, response_s=1e9)


class Peer:
    """What the client under test is bound to; answers when it is told to."""

    def __init__(self, esme: Esme, now: float, command_id: int = v.BIND_TRANSCEIVER) -> None:
        self.esme = esme
        self.link: ClientLink = esme.connect(command_id, now)
        self.session = Session(Side.MC, TIMERS, 70_000, now)
        self.asked: list[Pdu] = []
        self.read(now)
        self.session.accept_bind(b"peer", v.VERSION_3_4, now)
        self.say(now)

    def read(self, now: float) -> list[Pdu]:
        """Take what the client has written."""
        pdus = self.session.receive(self.link.session.take_octets(), now)
        self.asked += [pdu for pdu in pdus if pdu.command_id == v.SUBMIT_SM]
        return pdus

    def say(self, now: float) -> None:
        self.esme.arrived(self.link, self.session.take_octets(), now)

    def answer(self, now: float, count: int, status: int = 0) -> None:
        for _ in range(count):
            pdu = self.asked.pop(0)
            body = b"%d-%d\0" % (id(self), pdu.sequence_number)
            self.session.respond(p.response(v.SUBMIT_SM, pdu.sequence_number, status, body))
        self.say(now)


def _esme(now: float = 0.0, **settings: object) -> Esme:
    messages = Messages(
        MessageSettings(destinations=[number_pattern("3725{7}")]), "ab12", Random(1)
    )
    made = EsmeSettings(system_id="S", password="P", **settings)  # type: ignore[arg-type]
    return Esme(made, messages, Ledger(messages.sender_octets, 1), Random(1))


def test_window_is_never_exceeded_and_always_filled() -> None:
    esme = _esme(window=5, count=23)
    one, two = Peer(esme, 0.0), Peer(esme, 0.0)
    esme.begin(1.0)
    sent = 0
    while esme.submitting:
        for peer in (one, two):
            peer.read(1.0)
            assert len(peer.link.session.unanswered) == 5
        sent = esme.ledger.submitted
        one.answer(1.0, 1)
        two.answer(1.0, 2)
        assert esme.ledger.submitted == min(sent + 3, 23)
    assert esme.ledger.submitted == 23


def test_binds_log_in_to_the_accounts_in_turns() -> None:
    esme = _esme(accounts=2)
    links = [esme.connect(v.BIND_TRANSCEIVER, 0.0) for _ in range(3)]
    esme.lost(links.pop(0), 1.0)
    links.append(esme.connect(v.BIND_TRANSCEIVER, 2.0))
    asked = [Framer(1000).feed(link.session.take_octets())[0] for link in links]
    assert [BindRequest(pdu).system_id for pdu in asked] == [b"S2", b"S1", b"S2"]


def test_other_side_that_answers_twice_is_noticed() -> None:
    esme = _esme(count=1)
    peer = Peer(esme, 0.0)
    esme.begin(1.0)
    peer.read(1.0)
    peer.asked *= 2
    peer.answer(1.0, 2)
    assert esme.ledger.totals()["notes"] == {"response.unasked": 1}
    assert not esme.ledger.totals()["well"]


def test_nothing_is_sent_before_the_beginning() -> None:
    esme = _esme()
    Peer(esme, 0.0)
    esme.wake(5.0)
    assert esme.ledger.submitted == 0


def test_rate_is_kept_whatever_the_answers_do() -> None:
    for rate, per_second in ((Rate(10, 1.0), 10), (Rate(700, 1.0), 700), (Rate(5000, 1.0), 5000)):
        esme = _esme(window=100_000, count=100_000, rate=rate)
        Peer(esme, 0.0)
        esme.begin(10.0)
        while (at := esme.wake_at()) <= 12.0 - 1e-9:
            esme.wake(max(at, 10.0))
        assert abs(esme.ledger.submitted - 2 * per_second) <= max(1, per_second * 0.002)


def test_message_is_due_at_its_time_and_not_when_the_window_had_room() -> None:
    esme = _esme(window=1, count=3, rate=Rate(10, 1.0))
    peer = Peer(esme, 0.0)
    esme.begin(10.0)
    for now in (10.1, 10.2, 10.3):
        esme.wake(now)
    assert esme.ledger.submitted == 1
    peer.read(11.0)
    peer.answer(11.0, 1)  # One second late: the second message has waited 0.9 s by then.
    peer.read(11.5)
    peer.answer(11.5, 1)
    assert [round(s, 3) for s in esme.ledger.response_s] == [1.0, 1.4]
    assert [round(s, 3) for s in esme.ledger.lag_s] == [0.0, 0.9, 1.3]


def test_lost_bind_leaves_its_messages_unanswered_and_sends_none_again() -> None:
    esme = _esme(window=5, count=20)
    one, two = Peer(esme, 0.0), Peer(esme, 0.0)
    esme.begin(1.0)
    esme.lost(one.link, 2.0)
    assert (esme.ledger.unanswered, esme.ledger.submitted) == (5, 10)
    two.read(2.0)
    while two.asked:
        two.answer(2.0, 1)
        two.read(2.0)
    assert (esme.ledger.accepted, esme.ledger.submitted) == (15, 20)


def test_answer_that_does_not_come_in_time_is_unanswered() -> None:
    esme = _esme(count=3, response_timeout_s=5.0)
    Peer(esme, 0.0)
    esme.begin(1.0)
    esme.wake(5.9)
    assert esme.ledger.unanswered == 0
    esme.wake(6.2)
    assert (esme.ledger.unanswered, esme.ledger.unsettled) == (3, 0)


def test_nack_is_an_answer_that_refuses() -> None:
    esme = _esme(count=1)
    peer = Peer(esme, 0.0)
    esme.begin(1.0)
    peer.read(1.0)
    number = peer.asked[0].sequence_number
    peer.session.respond(p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, number))
    peer.say(1.0)
    assert dict(esme.ledger.refused) == {v.ESME_RINVCMDID: 1}


def test_run_is_over_when_the_last_receipt_is_there_or_waited_for_long_enough() -> None:
    esme = _esme(count=1, wait_receipts_s=30.0)
    peer = Peer(esme, 0.0)
    assert not esme.finished(100.0)
    esme.begin(1.0)
    peer.read(1.0)
    peer.answer(1.0, 1)
    assert not esme.finished(30.9)
    assert esme.finished(31.1)


def test_subscribers_message_is_acknowledged_and_no_receipt() -> None:
    esme = _esme(count=0)
    peer = Peer(esme, 0.0)
    octets = p.sm(v.DELIVER_SM, 0, destination=(1, 1, b"12302"), short_message=b"id:7 stat:DELIVRD")
    peer.session.request(octets, "mo", 1.0)
    peer.say(1.0)
    (answer,) = peer.read(1.0)
    assert (answer.command_id, answer.command_status, answer.request) == (
        v.DELIVER_SM | v.RESPONSE,
        0,
        "mo",
    )
    assert (esme.ledger.inbound, esme.ledger.strangers()) == (1, (0, 0))


def test_deliver_sm_can_be_refused_and_then_does_not_count() -> None:
    esme = _esme(count=0, deliver_status=((v.ESME_RMSGQFUL, 1.0),))
    peer = Peer(esme, 0.0)
    octets = p.sm(v.DELIVER_SM, 0, destination=(1, 1, b"12302"), short_message=b"HI")
    peer.session.request(octets, "mo", 1.0)
    peer.say(1.0)
    (answer,) = peer.read(1.0)
    assert (answer.command_status, esme.ledger.inbound) == (v.ESME_RMSGQFUL, 0)


def test_receiver_submits_nothing() -> None:
    esme = _esme(count=5)
    Peer(esme, 0.0, v.BIND_RECEIVER)
    esme.begin(1.0)
    assert esme.ledger.submitted == 0


def test_end_of_the_duration_ends_submitting() -> None:
    esme = _esme(count=None, rate=Rate(10, 1.0), duration_s=1.0)
    Peer(esme, 0.0)
    esme.begin(10.0)
    for tenth in range(100):
        esme.wake(10.0 + tenth / 10)
    assert 10 <= esme.ledger.submitted <= 11
    assert not esme.submitting
