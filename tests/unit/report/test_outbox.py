"""router/report/outbox.py: deliveries reach their client, again if need be, each in its order.

Anything in any order: tests/property/test_outbox.py.
"""

from dataclasses import replace

import pytest

from router.report.outbox import (
    FIRST_RETRY_S,
    LONGEST_RETRY_S,
    OWN_TRIES,
    STUCK_S,
    Outbox,
    is_acknowledged,
)
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.capacity import Capacity
from router.terms.message import Delivery
from router.terms.names import LaneName
from router.terms.outcome import TEMPORARY_FOR_CLIENTS
from router.terms.settings import AccountSettings
from tests.unit.messages import ACCEPTED_UTC, BANK, delivery
from tests.unit.report.receiver import RESPONSE_S, ClientBind

LATER = 0x64
NEVER = float("inf")
OUTBOX_S = 3600.0
LITTLE = Capacity(
    outbox_deliveries=50,
    outbox_refill_below=25,
    outbox_away=5,
    outbox_fetch=25,
    outbox_retrying=25,
    outbox_per_turn=10,
)
"""A twentieth of the usual."""


def outbox_of(*binds: ClientBind, window: int = 10) -> Outbox:
    outbox = Outbox(
        AccountSettings(
            name=BANK,
            passwords=("x",),
            lane=LaneName("otp"),
            deliver_window=window,
            outbox_s=OUTBOX_S,
        ),
        capacity=LITTLE,
    )
    outbox.receivers += binds
    return outbox


def put(outbox: Outbox, *deliveries: Delivery) -> None:
    for one in deliveries:
        one.kept_as = one.kept_as or outbox.cursor + 1  # As the journal numbers them, in order.
        outbox.put(one, 0.0)


def pumped(outbox: Outbox, bind: ClientBind, now: float = 0.0) -> list[bytes]:
    """What the client reads after a pump."""
    outbox.pump(now)
    return bind.texts()


def answer(outbox: Outbox, bind: ClientBind, number: int, status: int, now: float) -> bool:
    """The client answers the deliver_sm with this number; return whether that ended it."""
    whose, status, late = bind.answer(number, status, now)
    return outbox.answered(whose, status, now, late=late)


def time_out(outbox: Outbox, bind: ClientBind, now: float) -> None:
    for one in bind.overdue(now):
        outbox.unanswered(one, now)


# Order.


def test_deliveries_go_in_the_order_they_were_put() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(3), delivery(1), delivery(2))
    assert pumped(outbox, bind) == [b"3", b"1", b"2"]
    assert pumped(outbox, bind, 5.0) == []


def test_next_delivery_of_a_message_waits_until_the_one_before_is_over() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1, b"a"), delivery(1, b"b"), delivery(1, b"c"), delivery(2, b"other"))
    assert pumped(outbox, bind) == [b"a", b"other"]
    assert answer(outbox, bind, 1, 0, 1.0)
    assert pumped(outbox, bind, 1.0) == [b"b"]
    assert answer(outbox, bind, 3, v.ESME_RX_P_APPN, 2.0)
    assert pumped(outbox, bind, 2.0) == [b"c"]


def test_delivery_that_is_refused_for_now_holds_up_no_other_message() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1, b"a"), delivery(1, b"b"), delivery(2, b"other"))
    outbox.pump(0.0)
    assert not answer(outbox, bind, 1, LATER, 0.0)
    assert answer(outbox, bind, 2, 0, 0.0)
    put(outbox, delivery(3, b"new"))
    bind.read()
    assert pumped(outbox, bind, 0.5) == [b"new"]
    assert pumped(outbox, bind, FIRST_RETRY_S) == [b"a"]


def test_delivery_is_not_sent_before_its_time() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1, not_before=5.0), delivery(2))
    assert pumped(outbox, bind) == [b"2"]
    assert outbox.wake_at() == 5.0
    assert pumped(outbox, bind, 4.9) == []
    assert pumped(outbox, bind, 5.0) == [b"1"]
    assert outbox.wake_at() == NEVER


def test_delivery_behind_another_one_is_not_sent_before_its_time() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1, b"a"), delivery(1, b"b", not_before=5.0))
    outbox.pump(0.0)
    answer(outbox, bind, 1, 0, 1.0)
    bind.read()
    assert pumped(outbox, bind, 1.0) == []
    assert pumped(outbox, bind, 5.0) == [b"b"]


# Refusals and silence.


@pytest.mark.parametrize("status", sorted(TEMPORARY_FOR_CLIENTS))
def test_temporary_refusal_does_not_end_a_delivery(status: int) -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    assert not answer(outbox, bind, 1, status, 0.0)
    assert len(outbox) == 1


@pytest.mark.parametrize("status", [0x00, 0x01, 0x0B, 0x45, 0x65, 0xFF, 0x400, 0xFFFFFFFF])
def test_every_other_status_ends_it_and_only_rok_is_an_acknowledgement(status: int) -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    assert answer(outbox, bind, 1, status, 0.0)
    assert len(outbox) == 0
    assert outbox.wake_at() == NEVER
    assert is_acknowledged(status) == (status == 0)


@pytest.mark.parametrize("silent", [False, True])
def test_waits_between_attempts_double_up_to_the_longest(*, silent: bool) -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    now = 0.0
    waits = []
    for number in range(1, 40):
        assert pumped(outbox, bind, now) == [b"1"]
        if silent:
            now += RESPONSE_S
            time_out(outbox, bind, now)
        else:
            answer(outbox, bind, number, LATER, now)
        waits.append(outbox.wake_at() - now)
        now = outbox.wake_at()
    assert waits == [min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0**tries) for tries in range(39)]


def test_silence_gives_the_place_in_the_window_to_another() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=1)
    put(outbox, delivery(1), delivery(2))
    assert pumped(outbox, bind) == [b"1"]
    time_out(outbox, bind, RESPONSE_S)
    assert pumped(outbox, bind, RESPONSE_S) == [b"2"]


@pytest.mark.parametrize("status", [0, 0x65])
def test_late_answer_ends_a_delivery_before_it_is_sent_again(status: int) -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1, b"a"), delivery(1, b"b"))
    outbox.pump(0.0)
    time_out(outbox, bind, RESPONSE_S)
    assert answer(outbox, bind, 1, status, RESPONSE_S)
    bind.read()
    assert pumped(outbox, bind, RESPONSE_S) == [b"b"]
    assert pumped(outbox, bind, RESPONSE_S + FIRST_RETRY_S) == []
    assert len(outbox) == 1


def test_late_answer_that_a_second_one_follows_ends_a_delivery_once() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    time_out(outbox, bind, RESPONSE_S)
    outbox.pump(RESPONSE_S + FIRST_RETRY_S)
    assert answer(outbox, bind, 1, 0, RESPONSE_S + 2.0)
    assert not answer(outbox, bind, 2, 0, RESPONSE_S + 2.0)
    assert len(outbox) == 0


def test_late_temporary_refusal_changes_nothing() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    time_out(outbox, bind, RESPONSE_S)
    assert not answer(outbox, bind, 1, LATER, RESPONSE_S)
    bind.read()
    assert pumped(outbox, bind, RESPONSE_S + FIRST_RETRY_S) == [b"1"]
    assert pumped(outbox, bind, 10_000.0) == []


def test_silence_about_what_is_over_changes_nothing() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    one = delivery(1)
    put(outbox, one)
    outbox.pump(0.0)
    answer(outbox, bind, 1, 0, 0.0)
    outbox.unanswered(one, 1.0)
    assert outbox.wake_at() == NEVER


# Binds.


def test_nothing_goes_without_a_bind() -> None:
    outbox = outbox_of()
    put(outbox, delivery(1))
    assert outbox.pump(0.0) == []
    bind = ClientBind()
    outbox.receivers.append(bind)
    assert outbox.pump(0.0) == [bind]


def test_bind_that_does_not_receive_is_passed_over() -> None:
    deaf, bind = ClientBind(), ClientBind()
    deaf.receives = False
    outbox = outbox_of(deaf, bind)
    put(outbox, *map(delivery, range(4)))
    assert outbox.pump(0.0) == [bind] * 4
    assert deaf.texts() == []


def test_no_bind_has_more_unanswered_than_the_window() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = outbox_of(one, two, window=2)
    put(outbox, *map(delivery, range(7)))
    assert len(outbox.pump(0.0)) == 4
    assert (len(one.session.unanswered), len(two.session.unanswered)) == (2, 2)
    assert outbox.pump(0.0) == []
    answer(outbox, two, 1, 0, 0.0)
    assert outbox.pump(0.0) == [two]


def test_binds_take_turns_over_pumps_too() -> None:
    binds = [ClientBind(), ClientBind(), ClientBind()]
    outbox = outbox_of(*binds)
    for number in range(9):
        put(outbox, delivery(number))
        outbox.pump(0.0)
    texts = [bind.texts() for bind in binds]
    assert sorted(texts) == [[b"0", b"3", b"6"], [b"1", b"4", b"7"], [b"2", b"5", b"8"]]


# The bind that submitted the message.


def of(bind: ClientBind, number: int, *, final: bool = True) -> Delivery:
    """A receipt of a message that this bind submitted."""
    one = delivery(number, final=final)
    one.bind = bind.address
    return one


def bound(*binds: ClientBind, window: int = 10) -> Outbox:
    outbox = outbox_of(window=window)
    for bind in binds:
        outbox.bound(bind, 0.0)
    return outbox


def answer_all(outbox: Outbox, bind: ClientBind, now: float, status: int = 0) -> list[bytes]:
    """The client answers all that it reads now; return the texts."""
    pdus = bind.read()
    for pdu in pdus:
        outbox.heard(bind, now)
        answer(outbox, bind, pdu.sequence_number, status, now)
    return [Sm(pdu).message for pdu in pdus]


def test_receipts_go_out_on_the_bind_that_submitted_their_messages() -> None:
    one, two, three = ClientBind(), ClientBind(), ClientBind()
    outbox = bound(one, two, three)
    put(outbox, of(two, 1), of(two, 2), of(one, 3), of(two, 4), delivery(5))
    outbox.pump(0.0)
    assert [bind.texts() for bind in (one, two, three)] == [[b"3"], [b"1", b"2", b"4"], [b"5"]]


def test_other_deliveries_go_to_the_bind_with_the_fewest_unanswered() -> None:
    one, two, three = ClientBind(), ClientBind(), ClientBind()
    outbox = bound(one, two, three)
    put(outbox, *(of(one, number) for number in range(3)), of(two, 3))
    outbox.pump(0.0)
    put(outbox, *map(delivery, range(10, 15)))
    outbox.pump(0.0)
    assert [bind.unanswered for bind in (one, two, three)] == [3, 3, 3]


def test_receipt_waits_for_the_room_of_its_bind_while_that_answers() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, *(of(one, number) for number in range(1, 5)), of(two, 5))
    outbox.pump(0.0)
    assert (one.texts(), two.texts()) == ([b"1", b"2"], [b"5"])
    assert outbox.wake_at() == STUCK_S
    outbox.heard(one, STUCK_S - 1.0)
    answer(outbox, one, 1, 0, STUCK_S - 1.0)
    outbox.pump(STUCK_S - 1.0)
    assert (one.texts(), two.texts()) == ([b"3"], [])
    outbox.pump(STUCK_S)
    assert (one.texts(), two.texts()) == ([], [])


def test_receipts_do_not_wait_for_a_bind_that_answers_nothing() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, *(of(one, number) for number in range(1, 5)))
    outbox.pump(0.0)
    one.read()
    assert two.texts() == []
    outbox.pump(STUCK_S)
    assert two.texts() == [b"3", b"4"]
    put(outbox, of(one, 5))
    answer(outbox, two, 1, 0, STUCK_S)
    outbox.pump(STUCK_S)
    assert two.texts() == [b"5"]


def test_bind_that_answers_again_is_given_its_own_again() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, of(one, 1), of(one, 2), of(one, 3))
    outbox.pump(0.0)
    outbox.pump(STUCK_S)
    assert two.texts() == [b"3"]
    assert answer_all(outbox, one, STUCK_S + 1.0) == [b"1", b"2"]
    put(outbox, of(one, 4))
    outbox.pump(STUCK_S + 1.0)
    assert (one.texts(), two.texts()) == ([b"4"], [])


def test_bind_that_had_nothing_to_answer_for_long_is_not_stuck() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, *(of(one, number) for number in range(1, 4)))
    outbox.pump(1000.0)
    assert (one.texts(), two.texts()) == ([b"1", b"2"], [])


@pytest.mark.parametrize("is_gone", [True, False])
def test_receipts_of_a_bind_that_receives_nothing_or_is_gone_go_out_on_another(
    *, is_gone: bool
) -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, *(of(one, number) for number in range(1, 5)))
    outbox.pump(0.0)
    one.read()
    if is_gone:
        outbox.unbound(one)
        outbox.lost(one.lose())
        outbox.pump(0.0)
        assert two.texts() == [b"1", b"2"]
        assert answer(outbox, two, 1, 0, 0.0)
        assert answer(outbox, two, 2, 0, 0.0)
    else:
        one.receives = False
    outbox.pump(0.0)
    assert two.texts() == [b"3", b"4"]
    assert len(outbox) == (2 if is_gone else 4)


def test_no_more_than_half_of_what_is_in_memory_waits_for_one_bind() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    most = LITTLE.outbox_deliveries // 2
    put(outbox, *(of(one, number) for number in range(2 + most + 5)))
    put(outbox, of(two, 1000))
    outbox.pump(0.0)
    assert two.texts() == [b"%d" % (2 + most), b"%d" % (3 + most)]
    answer(outbox, two, 1, 0, 0.0)
    answer(outbox, two, 2, 0, 0.0)
    outbox.pump(0.0)
    answer(outbox, two, 3, 0, 0.0)
    answer(outbox, two, 4, 0, 0.0)
    outbox.pump(0.0)
    assert two.texts()[-1] == b"1000"


def test_what_waits_for_a_bind_counts_as_in_memory() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=2)
    put(outbox, *(of(one, number) for number in range(100)))
    assert (len(outbox.waiting), outbox.ahead) == (50, 50)
    outbox.pump(0.0)
    assert outbox.wants(0.0) is None
    put(outbox, of(two, 200))
    assert outbox.ahead == 51


def test_what_is_too_old_waits_for_no_bind() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=1)
    put(outbox, of(one, 1), of(one, 2), of(one, 3))
    outbox.pump(0.0)
    old = outbox.too_old(1.0, ACCEPTED_UTC + OUTBOX_S + 1.0)
    assert [Sm(Pdu(0, 0, 0, one.octets)).message for one in old] == [b"2", b"3"]
    answer_all(outbox, one, 1.0)
    outbox.pump(1.0)
    assert one.texts() == []
    assert len(outbox) == 0


def test_order_of_a_message_is_kept_where_it_waits_for_its_bind() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two, window=1)
    final = of(one, 2)
    put(outbox, of(one, 1), of(one, 2, final=False), final, of(two, 3))
    outbox.pump(0.0)
    assert (one.texts(), two.texts()) == ([b"1"], [b"3"])
    for number, text in ((1, b"2"), (2, b"2")):
        outbox.heard(one, 0.0)
        answer(outbox, one, number, 0, 0.0)
        outbox.pump(0.0)
        assert (one.texts(), two.texts()) == ([text], [])
    assert not final.is_over


def test_receipt_that_is_refused_for_now_comes_again_on_its_bind_for_a_while() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two)
    put(outbox, of(one, 1))
    now = 0.0
    for _ in range(OWN_TRIES):
        outbox.pump(now)
        assert answer_all(outbox, one, now, LATER) == [b"1"]
        assert two.texts() == []
        now = outbox.wake_at()
    put(outbox, of(one, 2))  # With this, the other has fewer.
    outbox.pump(now)
    assert (one.texts(), two.texts()) == ([b"2"], [b"1"])


def test_receipt_that_was_not_answered_goes_out_on_another() -> None:
    one, two = ClientBind(), ClientBind()
    outbox = bound(one, two)
    put(outbox, of(one, 1))
    outbox.pump(0.0)
    one.read()
    time_out(outbox, one, RESPONSE_S)
    put(outbox, of(one, 2))
    outbox.pump(RESPONSE_S)
    outbox.pump(RESPONSE_S + FIRST_RETRY_S)
    assert (one.texts(), two.texts()) == ([b"2"], [b"1"])


def test_parts_of_a_message_go_out_on_one_bind_one_after_the_other() -> None:
    binds = [ClientBind(), ClientBind(), ClientBind()]
    outbox = outbox_of(*binds)
    put(outbox, *(delivery(1, b"%d" % number, final=False) for number in range(4)))
    texts = []
    for _ in range(4):
        (bind,) = outbox.pump(0.0)
        assert bind is binds[1]
        put(outbox, delivery(100 + outbox.cursor))  # Another takes its turn meanwhile.
        outbox.pump(0.0)
        (pdu,) = [pdu for pdu in binds[1].read() if Sm(pdu).message in b"0123"]
        texts.append(Sm(pdu).message)
        whose, status, late = binds[1].answer(pdu.sequence_number, 0, 0.0)
        outbox.answered(whose, status, 0.0, late=late)
    assert texts == [b"0", b"1", b"2", b"3"]


def test_part_waits_for_room_on_its_bind_and_holds_up_no_other() -> None:
    bind, spare = ClientBind(), ClientBind()
    outbox = outbox_of(spare, bind, window=2)
    put(outbox, delivery(1, b"one", final=False), delivery(1, b"two", final=False))
    outbox.pump(0.0)
    (pdu,) = bind.read()
    bind.receives = False
    whose, status, late = bind.answer(pdu.sequence_number, 0, 0.0)
    outbox.answered(whose, status, 0.0, late=late)
    put(outbox, delivery(2, b"other"))
    put(outbox, delivery(3, b"more"), delivery(4, b"too much"))
    assert outbox.pump(0.0) == [spare, spare]
    assert spare.texts() == [b"other", b"more"]
    assert bind.read() == []
    spare.receives = False
    bind.receives = True
    assert outbox.pump(0.0) == [bind, bind]
    assert bind.texts() == [b"two", b"too much"]


def test_part_whose_bind_has_ended_goes_out_on_another_with_those_behind_it() -> None:
    bind, spare = ClientBind(), ClientBind()
    outbox = outbox_of(spare, bind)
    put(outbox, *(delivery(1, text, final=False) for text in (b"one", b"two", b"three")))
    outbox.pump(0.0)
    outbox.unbound(bind)
    outbox.lost(bind.lose())
    outbox.receivers.append(ClientBind())
    texts = []
    for _ in range(3):
        assert outbox.pump(0.0) == [spare]
        (pdu,) = spare.read()
        texts.append(Sm(pdu).message)
        whose, status, late = spare.answer(pdu.sequence_number, 0, 0.0)
        outbox.answered(whose, status, 0.0, late=late)
    assert texts == [b"one", b"two", b"three"]


def test_binds_of_messages_are_known_for_as_many_as_are_in_memory() -> None:
    binds = [ClientBind(), ClientBind()]
    outbox = outbox_of(*binds, window=1000)
    for number in range(2 * LITTLE.outbox_deliveries):
        put(outbox, delivery(number, final=False))
        outbox.pump(0.0)
    assert len(outbox._bind_of) == LITTLE.outbox_deliveries


def test_what_a_lost_bind_had_goes_first_on_another_in_its_order() -> None:
    bind, spare = ClientBind(), ClientBind()
    outbox = outbox_of(bind, window=3)
    put(outbox, *map(delivery, range(5)))
    outbox.pump(0.0)
    outbox.receivers[:] = [spare]
    outbox.lost(bind.lose())
    assert len(outbox) == 5
    assert pumped(outbox, spare) == [b"0", b"1", b"2"]


def test_what_ended_by_a_late_answer_is_not_sent_again_when_its_second_bind_is_lost() -> None:
    first, second = ClientBind(), ClientBind()
    outbox = outbox_of(first)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    time_out(outbox, first, RESPONSE_S)
    outbox.receivers[:] = [second]
    outbox.pump(RESPONSE_S + FIRST_RETRY_S)
    assert answer(outbox, first, 1, 0, RESPONSE_S + 2.0)
    outbox.receivers[:] = [first]
    first.read()
    outbox.lost(second.lose())
    assert pumped(outbox, first, RESPONSE_S + 3.0) == []
    assert len(outbox) == 0


# Age.


def test_what_is_older_than_the_outbox_allows_is_dropped_once() -> None:
    outbox = outbox_of()
    old, waits = delivery(1, made_utc=ACCEPTED_UTC), delivery(2, not_before=NEVER)
    young = delivery(3, made_utc=ACCEPTED_UTC + 1.0)
    put(outbox, old, waits, young)
    assert outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S) == []
    assert outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S + 0.5) == [old, waits]
    assert len(outbox) == 1
    assert list(outbox.waiting) == [young]
    assert outbox.wake_at() == NEVER
    assert outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S + 0.5) == []
    bind = ClientBind()
    outbox.receivers.append(bind)
    assert pumped(outbox, bind) == [b"3"]


def test_delivery_that_is_being_answered_is_not_too_old() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1))
    outbox.pump(0.0)
    assert outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S + 1.0) == []
    assert answer(outbox, bind, 1, 0, 1.0)


def test_next_delivery_of_a_message_goes_when_the_one_before_was_too_old() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    following = delivery(1, b"b", made_utc=ACCEPTED_UTC + 10.0)
    put(outbox, delivery(1, b"a"), following)
    assert len(outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S + 5.0)) == 1
    assert len(outbox) == 1
    assert pumped(outbox, bind) == [b"b"]


def test_retries_keep_their_times_when_others_are_dropped() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=1000)
    for number in range(20):
        age = 0.0 if number % 3 else -10.0
        at = float((number * 7) % 20 + 1)
        put(outbox, delivery(number, made_utc=ACCEPTED_UTC + age, not_before=at))
    outbox.too_old(0.0, ACCEPTED_UTC + OUTBOX_S - 5.0)
    order = []
    while outbox.wake_at() < NEVER:
        order += pumped(outbox, bind, outbox.wake_at())
    kept = [number for number in range(20) if number % 3]
    assert order == [b"%d" % n for n in sorted(kept, key=lambda n: (n * 7) % 20)]


def test_length_counts_what_the_client_has_not_acknowledged() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind)
    put(outbox, delivery(1), delivery(1), delivery(2), delivery(3, not_before=9.0))
    lengths = [len(outbox)]
    outbox.pump(0.0)
    lengths.append(len(outbox))
    answer(outbox, bind, 1, 0, 0.0)
    lengths.append(len(outbox))
    answer(outbox, bind, 2, LATER, 0.0)
    lengths.append(len(outbox))
    outbox.pump(0.0)
    outbox.lost(bind.lose())
    lengths.append(len(outbox))
    assert lengths == [4, 4, 3, 3, 3]
    outbox.too_old(0.0, ACCEPTED_UTC + 2 * OUTBOX_S)
    assert len(outbox) == 0


# What only the journal has.


def numbered(first: int, last: int) -> list[Delivery]:
    """Deliveries as the journal numbers them."""
    found = [delivery(number) for number in range(first, last + 1)]
    for one in found:
        one.kept_as = one.router_id
    return found


def test_outbox_keeps_its_next_deliveries_and_leaves_the_others_to_the_journal() -> None:
    bind = ClientBind()
    bind.receives = False
    outbox = outbox_of(bind)
    put(outbox, *numbered(1, LITTLE.outbox_deliveries + 7))
    assert (len(outbox.waiting), outbox.ahead) == (LITTLE.outbox_deliveries, 7)
    assert len(outbox) == LITTLE.outbox_deliveries + 7
    assert outbox.wants(0.0) is None


def test_of_what_waits_for_a_client_that_is_away_little_is_in_memory() -> None:
    outbox = outbox_of()
    put(outbox, *numbered(1, LITTLE.outbox_away + 7))
    assert (len(outbox.waiting), outbox.ahead) == (LITTLE.outbox_away, 7)


def test_journal_is_read_from_where_memory_ends_before_that_runs_dry() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=2 * LITTLE.outbox_deliveries)
    bind.receives = False
    put(outbox, *numbered(1, LITTLE.outbox_deliveries + 7))
    bind.receives = True
    spare = LITTLE.outbox_deliveries - LITTLE.outbox_refill_below
    for _ in range(spare // LITTLE.outbox_per_turn):
        outbox.pump(0.0)
    assert outbox.wants(0.0) is None
    outbox.pump(0.0)
    assert outbox.wants(0.0) == LITTLE.outbox_deliveries == outbox.cursor
    outbox.reads(())
    assert outbox.wants(0.0) is None  # Once is enough.
    outbox.fetched(numbered(LITTLE.outbox_deliveries + 1, LITTLE.outbox_deliveries + 7), 0.0)
    assert (outbox.ahead, outbox.wants(0.0)) == (0, None)
    while outbox.waiting:
        outbox.pump(0.0)
    assert len(bind.texts()) == LITTLE.outbox_deliveries + 7


def test_what_an_earlier_process_left_is_read_from_its_first() -> None:
    outbox = outbox_of(ClientBind())
    outbox.restore(3, 70, 300)
    assert (len(outbox), outbox.wants(0.0)) == (3, 69)


def test_account_does_not_wait_for_ever_for_what_the_journal_does_not_have() -> None:
    outbox = outbox_of(ClientBind())
    outbox.restore(3, 70, 300)
    outbox.reads(())
    outbox.fetched([], 0.0)
    assert (len(outbox), outbox.octets, outbox.wants(0.0)) == (0, 0, None)


def test_reading_that_failed_is_wanted_again() -> None:
    outbox = outbox_of(ClientBind())
    outbox.restore(3, 70, 300)
    outbox.reads(())
    outbox.not_fetched()
    assert outbox.wants(0.0) == 69


def test_more_refusals_than_wait_in_memory_are_left_to_the_journal_for_a_while() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=LITTLE.outbox_retrying + 3)
    put(outbox, *numbered(1, LITTLE.outbox_retrying + 3))
    while outbox.waiting:
        outbox.pump(0.0)
    for number in range(1, LITTLE.outbox_retrying + 4):
        answer(outbox, bind, number, LATER, 0.0)
    assert (outbox.passed, len(outbox)) == (3, LITTLE.outbox_retrying + 3)
    assert outbox.wants(LONGEST_RETRY_S - 0.1) is None
    assert outbox.wants(LONGEST_RETRY_S) == -1


def test_what_is_over_is_not_read_again_and_what_was_passed_is() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=LITTLE.outbox_retrying + 2)
    every = numbered(1, LITTLE.outbox_retrying + 2)
    put(outbox, *every)
    while outbox.waiting:
        outbox.pump(0.0)
    bind.read()
    for number in range(1, LITTLE.outbox_retrying + 3):
        answer(outbox, bind, number, LATER, 0.0)
    outbox.reads([LITTLE.outbox_retrying])
    outbox._reading.is_ahead = False  # type: ignore[union-attr]
    last = numbered(LITTLE.outbox_retrying - 1, LITTLE.outbox_retrying + 2)
    outbox.fetched(last, LONGEST_RETRY_S)
    assert outbox.passed == 0
    assert list(outbox.waiting) == last[2:]


def test_what_the_client_may_have_read_stays_in_memory() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=LITTLE.outbox_retrying + 3)
    put(outbox, *numbered(1, LITTLE.outbox_retrying + 3))
    while outbox.waiting:
        outbox.pump(0.0)
    time_out(outbox, bind, RESPONSE_S)
    assert (outbox.passed, len(outbox)) == (0, LITTLE.outbox_retrying + 3)


def test_one_pump_gives_no_more_than_its_share() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=LITTLE.outbox_per_turn + 1)
    put(outbox, *numbered(1, LITTLE.outbox_per_turn + 1))
    assert len(outbox.pump(5.0)) == LITTLE.outbox_per_turn
    assert outbox.wake_at() <= 5.0
    assert len(outbox.pump(5.0)) == 1
    assert outbox.wake_at() == NEVER


# A new configuration.


def with_settings(outbox: Outbox, *, window: int = 10, outbox_s: float = OUTBOX_S) -> None:
    outbox.adopt(replace(outbox.settings, deliver_window=window, outbox_s=outbox_s))


@pytest.mark.parametrize(
    ("before", "after", "given"), [(2, 4, [2, 2]), (4, 2, [4, 0]), (2, 2, [2, 0]), (1, 9, [1, 5])]
)
def test_window_follows_and_what_is_in_flight_stays(
    before: int, after: int, given: list[int]
) -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=before)
    put(outbox, *(delivery(number) for number in range(6)))
    assert len(pumped(outbox, bind)) == given[0]
    with_settings(outbox, window=after)
    assert len(pumped(outbox, bind)) == given[1]
    assert len(outbox) == 6


def test_smaller_window_is_filled_again_when_there_is_room_in_it() -> None:
    bind = ClientBind()
    outbox = outbox_of(bind, window=3)
    put(outbox, *(delivery(number) for number in range(6)))
    assert len(pumped(outbox, bind)) == 3
    with_settings(outbox, window=1)
    for number, more in ((1, 0), (2, 0), (3, 1)):
        assert answer(outbox, bind, number, v.ESME_ROK, 1.0)
        assert len(pumped(outbox, bind, 1.0)) == more


@pytest.mark.parametrize(("outbox_s", "old"), [(50.0, 1), (200.0, 0), (OUTBOX_S, 0)])
def test_age_follows_for_what_waits_already(outbox_s: float, old: int) -> None:
    outbox = outbox_of()
    put(outbox, delivery(1))
    assert outbox.too_old(0.0, ACCEPTED_UTC + 100.0) == []
    with_settings(outbox, outbox_s=outbox_s)
    assert len(outbox.too_old(0.0, ACCEPTED_UTC + 100.0)) == old


# What the journal cannot read.


def test_delivery_that_is_set_aside_is_waited_for_no_more() -> None:
    outbox, size = outbox_of(), len(kept(1).octets)
    outbox.restore(4, 1, 4 * size)
    outbox.reads(())
    outbox.set_aside(2, size)
    outbox.fetched([kept(1), kept(3), kept(4)], 0.0)
    assert (outbox.ahead, len(outbox), outbox.octets) == (0, 3, 3 * size)

    outbox.set_aside(3, size)  # It is in memory, and goes out all the same.

    assert (len(outbox), outbox.octets) == (3, 3 * size)
    outbox.passed = 1  # Of those that were refused too often to stay in memory.
    outbox.set_aside(2, size)
    assert (outbox.passed, len(outbox), outbox.octets) == (0, 2, 2 * size)


def kept(number: int) -> Delivery:
    one = delivery(number)
    one.kept_as = number
    return one
