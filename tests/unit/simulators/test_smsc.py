"""simulators/smsc.py, outbox.py and tally.py: an operator without sockets and without waiting."""

from random import Random

import pytest

from router.smpp import pdu as p
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.session import Session, Timers
from router.smpp.states import Side, State
from router.terms.limits import Rate
from simulators import scenario
from simulators.behaviour import Behaviour, ReceiptForm
from simulators.ids import IdForms
from simulators.messages import token
from simulators.outbox import Link
from simulators.receipts import source_of
from simulators.scenario import Phase, Scenario
from simulators.smsc import Smsc
from simulators.units import Span

TIMERS = Timers(bind_s=5.0, enquire_link_s=1e9, response_s=1e9)


class Bind:
    """A client's bind to the operator under test."""

    def __init__(self, house: "House", command_id: int = v.BIND_TRANSCEIVER) -> None:
        self.house = house
        self.link: Link = house.smsc.connected(40_000, house.now)
        self.session = Session(Side.ESME, TIMERS, 70_000, house.now)
        self.session.bind(command_id, system_id=b"agg", password=b"pw")
        self.answers: list[Pdu] = []
        self.delivered: list[Sm] = []
        self.deliver_status = 0
        house.binds.append(self)
        house.exchange()

    def submit(self, count: int = 1, first: int = 0, to: bytes = b"3725550") -> None:
        for index in range(first, first + count):
            octets = p.sm(
                v.SUBMIT_SM,
                0,
                source=(5, 0, b"BANK"),
                destination=(1, 1, to),
                short_message=token("ab12", index),
                registered_delivery=1,
            )
            self.session.request(octets, index, self.house.now)
        self.house.exchange()

    def statuses(self) -> list[int]:
        return [pdu.command_status for pdu in self.answers if pdu.command_id != v.GENERIC_NACK]

    def ids(self) -> list[bytes]:
        return [p.message_id_of(pdu) for pdu in self.answers]

    def receipts(self) -> list[bytes]:
        read = [receipt.recognise(sm) for sm in self.delivered]
        return [found.operator_id for found in read if found is not None]


class House:
    """The operator, its clients, and the time."""

    def __init__(self, behaviour: Behaviour | None = None, story: Scenario | None = None) -> None:
        self.now = 1000.0
        made = story or Scenario(phases=(Phase(0.0, behaviour or Behaviour()),))
        self.log: list[tuple[bytes, float]] = []
        self.smsc = Smsc(
            made, Random(1), now=self.now, now_utc=1.8e9, system_id="agg", log=self.log
        )
        self.binds: list[Bind] = []

    def exchange(self) -> None:
        """Carry octets both ways until nobody has more to say."""
        busy = True
        while busy:
            busy = False
            for bind in self.binds:
                octets = bind.session.take_octets()
                if octets:
                    busy = True
                    self.smsc.arrived(bind.link, octets, self.now)
                busy |= self._back(bind)

    def _back(self, bind: Bind) -> bool:
        octets = bind.link.session.take_octets()
        for pdu in bind.session.receive(octets, self.now) if octets else []:
            if pdu.command_id == v.DELIVER_SM:
                status = bind.deliver_status
                answer = p.response(v.DELIVER_SM, pdu.sequence_number, status, b"\0")
                bind.session.respond(answer)
                if not status:
                    bind.delivered.append(Sm(pdu))
            elif pdu.command_id & ~v.RESPONSE not in v.BINDS:
                bind.answers.append(pdu)
        return bool(octets)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, waking the operator whenever it wants to be."""
        end = self.now + seconds
        while (at := self.smsc.wake_at()) <= end:
            self.now = max(at, self.now)
            self.smsc.wake(self.now)
            self.exchange()
        self.now = end

    def lose(self, bind: Bind) -> None:
        self.binds.remove(bind)
        self.smsc.lost(bind.link, self.now)


def test_more_than_the_rate_in_a_sliding_second_is_throttled_and_counted() -> None:
    house = House(Behaviour(binds_rate=Rate(50, 1.0)))
    bind = Bind(house)
    bind.submit(60)
    assert bind.statuses() == [0] * 50 + [v.ESME_RTHROTTLED] * 10
    house.pass_time(0.999)
    bind.submit(1, 60)
    house.pass_time(0.001)
    bind.submit(50, 61)
    assert bind.statuses()[60:] == [v.ESME_RTHROTTLED] + [0] * 50
    totals = house.smsc.totals()
    assert (totals["submits"], totals["accepted"], totals["throttled"]) == (111, 100, 11)
    # Of all that arrived: 60 and 1 within the first second, 1 and 50 within the next.
    assert (bind.link.second.busiest, totals["busiest_second"]) == (61, 61)


def test_each_bind_has_its_own_rate_and_all_together_one_more() -> None:
    house = House(Behaviour(binds_rate=Rate(50, 1.0), operator_rate=Rate(80, 1.0)))
    one, two = Bind(house), Bind(house)
    one.submit(50)
    two.submit(50, 50)
    assert one.statuses() == [0] * 50
    assert two.statuses() == [0] * 30 + [v.ESME_RTHROTTLED] * 20


def test_answer_waits_for_the_latency() -> None:
    house = House(Behaviour(latency=Span(0.02, 0.02)))
    bind = Bind(house)
    bind.submit(3)
    house.pass_time(0.0190)
    assert bind.statuses() == []
    house.pass_time(0.0011)
    assert bind.statuses() == [0, 0, 0]


@pytest.mark.parametrize("latency", [Span(0.0, 0.0), Span(0.3, 0.3), Span(0.2, 0.4)])
def test_answers_that_come_in_batches_wait_for_the_next_one(latency: Span) -> None:
    house = House(Behaviour(latency=latency, answers_every=1.0, binds_rate=Rate(4, 10.0)))
    one, two = Bind(house), Bind(house)
    house.pass_time(0.25)
    one.submit(3)
    house.pass_time(0.25)
    one.submit(2, 3)
    two.submit(1, 5)
    house.pass_time(0.1)
    two.submit(1, 6)
    house.pass_time(0.399)
    assert one.answers == two.answers == []
    house.pass_time(0.002)
    assert one.statuses() == [0, 0, 0, 0, v.ESME_RTHROTTLED]
    assert two.statuses() == [0, 0]
    house.pass_time(0.8)
    two.submit(1, 7)
    house.pass_time(0.2)  # The next batch, for which an answer with latency is not ready.
    assert len(two.answers) == (3 if latency.longest_s == 0.0 else 2)
    house.pass_time(1.0)
    assert two.statuses() == [0, 0, 0]


def test_receipt_is_for_the_message_and_comes_in_its_time() -> None:
    house = House(Behaviour(receipt_delay=Span(0.5, 0.5)))
    bind = Bind(house)
    bind.submit()
    house.pass_time(0.49)
    assert bind.receipts() == []
    house.pass_time(0.02)
    assert bind.receipts() == bind.ids()
    (sm,) = bind.delivered
    assert (sm.source, sm.destination) == ((1, 1, b"3725550"), (5, 0, b"BANK"))
    assert b"stat:DELIVRD" in sm.short_message
    totals = house.smsc.totals()["receipts"]
    assert isinstance(totals, dict)
    assert (totals["due"], totals["acked"], totals["outstanding"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("registered_delivery", "delivered", "failed"),
    [(0, 0, 0), (1, 1, 1), (2, 0, 1), (3, 1, 0), (0x10, 1, 1), (0x11, 2, 2)],
)
def test_registered_delivery_says_which_receipts_come(
    registered_delivery: int, delivered: int, failed: int
) -> None:
    for state, expected in ((receipt.State.DELIVERED, delivered), (receipt.State.EXPIRED, failed)):
        house = House(Behaviour(receipts=((state, 1.0),)))
        bind = Bind(house)
        octets = p.sm(
            v.SUBMIT_SM, 0, destination=(1, 1, b"1"), registered_delivery=registered_delivery
        )
        bind.session.request(octets, 0, house.now)
        house.exchange()
        house.pass_time(1.0)
        assert len(bind.delivered) == expected


def test_receipts_wait_for_a_receiving_bind_and_lose_nothing_with_one() -> None:
    house = House(Behaviour(receipt_delay=Span(0.1, 0.1), deliver_window=3))
    sender = Bind(house, v.BIND_TRANSMITTER)
    sender.submit(10)
    house.pass_time(1.0)
    assert sender.delivered == []
    deaf = Bind(house)
    house.lose(deaf)  # It has what its window allows, and has acknowledged all of that.
    assert len(deaf.delivered) == 10
    sender.submit(10, 10)
    deaf = Bind(house)
    house.binds.remove(deaf)
    house.pass_time(1.0)  # Nobody carries its octets: three are sent and not acknowledged.
    house.smsc.lost(deaf.link, house.now)
    assert house.smsc.tally.receipts.unacknowledged == 3
    heir = Bind(house)
    assert sorted(deaf.receipts() + heir.receipts()) == sorted(sender.ids()[10:])


def test_receipt_refused_for_now_comes_again_and_refused_for_good_does_not() -> None:
    for status, comes in ((v.ESME_RMSGQFUL, 1), (v.ESME_RX_P_APPN, 0)):
        house = House(Behaviour(receipt_delay=Span(0.1, 0.1), receipt_retry=Span(2.0, 2.0)))
        bind = Bind(house)
        bind.deliver_status = status
        bind.submit()
        house.pass_time(1.0)
        bind.deliver_status = 0
        assert bind.delivered == []
        house.pass_time(3.0)
        assert len(bind.delivered) == comes


def test_acknowledgement_that_comes_when_the_receipt_has_gone_again_counts_once() -> None:
    house = House()
    bind = Bind(house)
    house.binds.remove(bind)  # From now on its octets are carried by hand.
    bind.submit()
    house.smsc.arrived(bind.link, bind.session.take_octets(), house.now)
    house.pass_time(31.0)  # Sent, given up and sent again.
    house.smsc.arrived(bind.link, p.response(v.ENQUIRE_LINK, 1), house.now)
    sent = bind.session.receive(bind.link.session.take_octets(), house.now)
    receipts = [pdu for pdu in sent if pdu.command_id == v.DELIVER_SM]
    assert len(receipts) == 2
    for pdu in receipts:
        answer = p.response(v.DELIVER_SM, pdu.sequence_number, body=b"\0")
        house.smsc.arrived(bind.link, answer, house.now)
    counts = house.smsc.tally.receipts
    assert (counts.due, counts.unacknowledged, counts.acked, counts.outstanding) == (1, 1, 1, 0)


def test_receipt_can_come_before_the_answer() -> None:
    house = House(Behaviour(receipt_first=1.0, receipt_delay=Span(9.0, 9.0)))
    bind = Bind(house)
    bind.submit()
    house.pass_time(0.04)
    assert (len(bind.delivered), len(bind.answers)) == (1, 0)
    house.pass_time(0.02)
    assert bind.receipts() == bind.ids()


def test_receipts_can_come_twice() -> None:
    house = House(Behaviour(receipts_twice=1.0))
    bind = Bind(house)
    bind.submit(5)
    house.pass_time(1.0)
    assert sorted(bind.receipts()) == sorted(bind.ids() * 2)


@pytest.mark.parametrize(("which", "same"), [("same", 20), ("other", 0)])
def test_receipts_take_the_bind_that_they_are_told_to(which: str, same: int) -> None:
    chosen = "same" if which == "same" else "other"
    house = House(Behaviour(receipt_bind=chosen))  # type: ignore[arg-type]
    one, two = Bind(house), Bind(house)
    one.submit(20)
    house.pass_time(1.0)
    assert (len(one.delivered), len(two.delivered)) == (same, 20 - same)


def test_hex_in_responses_is_decimal_in_receipts() -> None:
    house = House(Behaviour(ids=IdForms("hex", "decimal")))
    bind = Bind(house)
    bind.submit()
    house.pass_time(1.0)
    assert int(bind.ids()[0], 16) == int(bind.receipts()[0])
    assert bind.ids() != bind.receipts()


def test_id_is_used_again_for_another_number_and_only_once() -> None:
    house = House(Behaviour(ids_reused=1.0))
    bind = Bind(house)
    for index, number in enumerate([b"371", b"372", b"373", b"373", b"374"]):
        bind.submit(1, index, to=number)
    house.pass_time(1.0)
    first, again, second, third, third_again = bind.ids()
    assert first == again
    assert third == third_again
    assert len({first, second, third}) == 3
    assert bind.receipts() == bind.ids()
    assert [sm.source[2] for sm in bind.delivered] == [b"371", b"372", b"373", b"373", b"374"]


def test_tlv_names_the_message_before_and_the_text_its_own() -> None:
    house = House(Behaviour(ids_crossed=1.0, receipt_form="text", receipt_texts=(("ucs2", 1.0),)))
    bind = Bind(house)
    for index, number in enumerate([b"371", b"372", b"372"]):
        bind.submit(1, index, to=number)
    house.pass_time(1.0)
    first, second, third = bind.ids()
    of_first, of_second, of_third = bind.delivered
    assert of_second.short_message.startswith(b"id:%b sub:001 " % second)
    assert of_second.tlvs_by_tag()[v.RECEIPTED_MESSAGE_ID] == first + b"\0"
    for sm, own in ((of_first, first), (of_third, third)):
        assert sm.data_coding == 8
        assert sm.short_message.decode("utf-16-be").startswith(f"id:{own.decode()} ")
        assert not sm.tlvs_by_tag()


def test_state_of_a_receipt_is_that_of_its_destination() -> None:
    failed = ((b"37259", receipt.State.EXPIRED),)
    house = House(Behaviour(receipts_by_destination=failed))
    bind = Bind(house)
    bind.submit(1, to=b"372591")
    bind.submit(1, 1, to=b"372501")
    house.pass_time(1.0)
    assert [sm.short_message.split(b"stat:")[1][:7] for sm in bind.delivered] == [
        b"EXPIRED",
        b"DELIVRD",
    ]


def test_lost_answer_leaves_the_message_taken_and_silence_does_not() -> None:
    for behaviour, taken in ((Behaviour(answer_lost=1.0), 5), (Behaviour(silent=1.0), 0)):
        house = House(behaviour)
        bind = Bind(house)
        bind.submit(5)
        house.pass_time(1.0)
        assert bind.answers == []
        assert (house.smsc.tally.distinct, len(bind.delivered)) == (taken, taken)
        bind.session.unbind(house.now)
        house.exchange()
        assert bind.session.state is State.CLOSED


def test_it_hangs_up_at_a_text_and_reads_nothing_behind_it() -> None:
    house = House(Behaviour(hang_up_at=token("ab12", 1)))
    bind = Bind(house)
    bind.submit(3)
    assert bind.link.cut
    assert house.smsc.tally.distinct == 1


def test_it_is_silent_at_a_text_alone() -> None:
    house = House(Behaviour(silent_at=token("ab12", 1)))
    bind = Bind(house)
    bind.submit(3)
    house.pass_time(1.0)
    assert [answer.request for answer in bind.answers] == [0, 2]
    assert house.smsc.tally.silent == 1


def test_receipts_of_messages_that_nobody_has_submitted_come_at_their_rate() -> None:
    house = House(Behaviour(orphans=Rate(5, 1.0)))
    bind = Bind(house)
    house.pass_time(2.0)
    assert 10 <= len(bind.receipts()) <= 11
    assert len(set(bind.receipts())) == len(bind.receipts())
    assert house.smsc.tally.receipts.due == 0


def test_nack_answers_and_takes_nothing() -> None:
    house = House(Behaviour(nack=1.0))
    bind = Bind(house)
    bind.submit(2)
    assert [(a.command_id, a.command_status, a.request) for a in bind.answers] == [
        (v.GENERIC_NACK, v.ESME_RSYSERR, 0),
        (v.GENERIC_NACK, v.ESME_RSYSERR, 1),
    ]
    assert house.smsc.tally.distinct == 0


def test_message_that_comes_again_is_repeated_only_if_it_had_been_taken() -> None:
    house = House(Behaviour(binds_rate=Rate(3, 1.0)))
    bind = Bind(house)
    bind.submit(5)
    house.pass_time(1.0)
    bind.submit(3, 2)
    other = Bind(house)
    other.submit(2, 3)
    tally = house.smsc.tally
    assert (tally.distinct, tally.repeated) == (5, 3)
    assert [link.repeated for link in (bind.link, other.link)] == [1, 2]


@pytest.mark.parametrize("form", ["both", "text", "tlvs"])
def test_log_says_when_the_receipt_of_each_number_was_sent(form: ReceiptForm) -> None:
    house = House(Behaviour(receipt_delay=Span(2.0, 2.0), receipt_form=form))
    bind = Bind(house)
    bind.submit(1, to=b"37251")
    house.pass_time(1.0)
    bind.submit(1, 1, to=b"37252")
    house.pass_time(5.0)
    assert [source_of(octets) for octets, _ in house.log] == [b"37251", b"37252"]
    assert [at for _, at in house.log] == pytest.approx([1002.0, 1003.0], abs=0.003)


def test_connection_is_cut_after_so_many_submits() -> None:
    house = House(Behaviour(disconnect_every=10))
    bind = Bind(house)
    bind.submit(9)
    assert not bind.link.cut
    bind.submit(1, 9)
    assert bind.link.cut


def test_bind_is_refused_with_its_status_and_strangers_always() -> None:
    house = House(Behaviour(bind_status=((v.ESME_RBINDFAIL, 1.0),)))
    assert Bind(house).session.state is State.OPEN
    house = House()
    stranger = Session(Side.ESME, TIMERS, 70_000, house.now)
    stranger.bind(v.BIND_TRANSCEIVER, system_id=b"other", password=b"")
    link = house.smsc.connected(1, house.now)
    house.smsc.arrived(link, stranger.take_octets(), house.now)
    (answer,) = stranger.receive(link.session.take_octets(), house.now)
    assert answer.command_status == v.ESME_RINVSYSID


def test_bind_answer_can_be_late() -> None:
    house = House(Behaviour(bind_latency=Span(2.0, 2.0)))
    bind = Bind(house)
    house.pass_time(1.9)
    early = bind.session.state
    house.pass_time(0.2)
    assert (early, bind.session.state) == (State.BINDING, State.BOUND_TRX)


def test_phases_and_events_happen_in_their_time_from_the_first_submit() -> None:
    story = scenario.read(
        """
        clock: submit
        phases:
          - {at: 2s, status: {ESME_RSYSERR: 100%}}
          - {at: 4s, status: {ESME_RSYSERR: 0%}}
        events:
          - {at: 6s, do: unbind, binds: [2]}
          - {at: 7s, do: disconnect}
        """,
        "s.yaml",
    )
    house = House(story=story)
    house.pass_time(60.0)
    one, two = Bind(house), Bind(house)
    for index in range(8):
        one.submit(1, index)
        house.pass_time(1.0)
    assert one.statuses() == [0, 0, 8, 8, 0, 0, 0, 0]
    assert (one.session.state, two.session.state) == (State.BOUND_TRX, State.CLOSED)
    assert one.link.cut


def test_subscribers_write_at_their_rate_to_whoever_is_bound() -> None:
    story = scenario.read("inbound: {rate: 5/s, destination: '12302', text: HI}", "s.yaml")
    house = House(story=story)
    house.pass_time(3.0)
    bind = Bind(house)
    house.pass_time(2.0)
    assert len(bind.delivered) in (10, 11)
    assert {(sm.destination, sm.short_message) for sm in bind.delivered} == {
        ((1, 1, b"12302"), b"HI")
    }
    assert bind.receipts() == []


def test_subscribers_messages_that_are_refused_are_counted_apart_from_receipts() -> None:
    story = scenario.read("inbound: {rate: 5/s, text: Привет}", "s.yaml")
    house = House(story=story)
    bind = Bind(house)
    bind.deliver_status = v.ESME_RX_P_APPN
    house.pass_time(0.1)
    tally = house.smsc.tally
    assert tally.inbound.refused == {v.ESME_RX_P_APPN: 1}
    assert (tally.inbound.refused_for_good, tally.inbound.outstanding) == (1, 0)
    assert (tally.receipts.refused, tally.receipts.refused_for_good) == ({}, 0)
    bind.deliver_status = 0
    house.pass_time(0.2)
    assert bind.delivered[0].short_message.decode("utf-16-be") == "Привет"
    assert bind.delivered[0].data_coding == 8


def test_what_clients_do_wrong_is_told() -> None:
    house = House()
    bind = Bind(house)
    house.smsc.arrived(bind.link, p.response(v.DELIVER_SM, 7), house.now)
    house.smsc.arrived(bind.link, p.build(0x0BAD, 0, 8), house.now)
    assert house.smsc.totals()["notes"] == {"pdu.unknown": 1, "response.unasked": 1}


def test_body_that_cannot_be_read_is_refused_and_still_counts() -> None:
    house = House()
    bind = Bind(house)
    bind.session.request(p.build(v.SUBMIT_SM, 0, 0, b"\0"), 0, house.now)
    house.exchange()
    assert bind.statuses() == [v.ESME_RINVCMDLEN]
    assert house.smsc.tally.submits == 1


def test_data_sm_is_answered_and_receipted_too() -> None:
    house = House()
    bind = Bind(house)
    body = b"\0\5\0BANK\0\1\0013725550\0\0\1\0" + p.tlv(v.MESSAGE_PAYLOAD, token("ab12", 1))
    bind.session.request(p.build(v.DATA_SM, 0, 0, body), 0, house.now)
    house.exchange()
    house.pass_time(1.0)
    assert [a.command_id for a in bind.answers] == [v.DATA_SM | v.RESPONSE]
    assert (house.smsc.tally.distinct, bind.receipts()) == (1, bind.ids())


def test_same_seed_and_the_same_messages_give_the_same_totals() -> None:
    rough = scenario.read("{silent: 5%, nack: 5%, status: {ESME_RSYSERR: 10%}}", "s.yaml")
    runs = []
    for _ in range(2):
        house = House(story=rough)
        bind = Bind(house)
        bind.submit(200)
        house.pass_time(1.0)
        runs.append((house.smsc.totals(), bind.ids()))
    assert runs[0] == runs[1]


def ask_about(bind: Bind, command_id: int, message_id: bytes) -> int:
    """What is answered to a query_sm, cancel_sm or replace_sm."""
    addresses = p.address(5, 0, b"BANK") + p.address(1, 1, b"3725550")
    before = b"\0" if command_id == v.CANCEL_SM else b""
    octets = p.build(command_id, 0, 0, before + message_id + b"\0" + addresses)
    bind.session.request(octets, None, bind.house.now)
    bind.house.exchange()
    answer = bind.answers.pop()
    assert answer.command_id == command_id | v.RESPONSE
    return answer.command_status


def test_what_is_asked_about_messages_is_refused_and_counts_as_no_message() -> None:
    house = House()
    bind = Bind(house)
    bind.submit()
    refusals = [
        ask_about(bind, command_id, bind.ids()[0])
        for command_id in (v.QUERY_SM, v.CANCEL_SM, v.REPLACE_SM)
    ]
    assert refusals == [v.ESME_RQUERYFAIL, v.ESME_RCANCELFAIL, v.ESME_RREPLACEFAIL]
    totals = house.smsc.totals()
    assert (totals["submits"], totals["asked"]) == (1, 3)


def test_cancelled_message_has_one_receipt_that_says_deleted() -> None:
    house = House(Behaviour(cancel_sm=1.0, ids=IdForms("hex", "decimal")))
    bind = Bind(house)
    bind.submit(2)
    first, second = bind.ids()
    assert ask_about(bind, v.CANCEL_SM, first) == 0
    assert ask_about(bind, v.CANCEL_SM, first) == v.ESME_RCANCELFAIL
    assert ask_about(bind, v.CANCEL_SM, b"4711") == v.ESME_RCANCELFAIL
    house.pass_time(1.0)
    assert ask_about(bind, v.CANCEL_SM, second) == v.ESME_RCANCELFAIL
    states = [sm.short_message.split(b"stat:")[1][:7] for sm in bind.delivered]
    assert states == [b"DELETED", b"DELIVRD"]
    assert len(set(bind.receipts())) == 2
