"""router/report/receipts.py: which receipts are final, who hears of them, and what they say."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from router.report import receipts
from router.report.receipts import (
    MADE_HERE,
    OUTCOMES,
    asked_for,
    done_date,
    failure_octets,
    failure_of,
    from_operator,
    is_final,
    made_by_router,
    not_before,
    state_of,
    wants_any,
    wants_success,
)
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.smpp.receipt import Receipt, State
from router.terms.message import Delivery
from router.terms.outcome import Outcome
from router.terms.settings import OperatorSettings
from tests.unit.messages import ACCEPTED_UTC, TELIA, message, values

ENDS = [Outcome.FAILED, Outcome.EXPIRED, Outcome.REJECTED, Outcome.UNKNOWN]
TAKEN = Receipt(b"39f99dd5", State.DELIVERED, b"012", b"2701150803", None)


def operator(*, accepted: bool = False, unknown: bool = False) -> OperatorSettings:
    return OperatorSettings(
        name=TELIA, binds=(), accepted_is_final=accepted, unknown_is_final=unknown
    )


def sm_of(one: Delivery) -> Sm:
    (pdu,) = Framer(1000).feed(one.octets)
    assert (pdu.command_id, pdu.sequence_number) == (v.DELIVER_SM, 0)
    return Sm(pdu)


def told(receipt: Receipt = TAKEN, state: State = State.DELIVERED, *, final: bool = True) -> Sm:
    """The operator's word as the client of message 12300 reads it."""
    return sm_of(
        from_operator(
            message(12300),
            receipt,
            state,
            final=final,
            now_utc=ACCEPTED_UTC + 600.0,
        )
    )


def given_up(outcome: Outcome, reason: str = "no route is left", status: int = 0) -> Sm:
    one = made_by_router(message(12300), outcome, reason, status, now_utc=ACCEPTED_UTC + 600.0)
    return sm_of(one)


# Which are final.


@pytest.mark.parametrize("state", State)
def test_state_is_final_by_the_list_and_by_the_operators_settings(state: State) -> None:
    usual = {
        State.DELIVERED,
        State.EXPIRED,
        State.DELETED,
        State.UNDELIVERABLE,
        State.REJECTED,
        State.SKIPPED,
    }
    assert is_final(state, operator()) == (state in usual)
    assert is_final(state, operator(accepted=True)) == (state in usual | {State.ACCEPTED})
    assert is_final(state, operator(unknown=True)) == (state in usual | {State.UNKNOWN})


def test_outcome_follows_from_every_state_that_can_be_final() -> None:
    generous = operator(accepted=True, unknown=True)
    assert set(OUTCOMES) == {state for state in State if is_final(state, generous)}
    assert {state for state, end in OUTCOMES.items() if end is Outcome.DELIVERED} == {
        State.DELIVERED,
        State.ACCEPTED,
    }
    assert OUTCOMES[State.EXPIRED] is Outcome.EXPIRED
    assert OUTCOMES[State.REJECTED] is Outcome.REJECTED
    assert OUTCOMES[State.UNKNOWN] is Outcome.UNKNOWN
    assert {OUTCOMES[s] for s in (State.DELETED, State.UNDELIVERABLE, State.SKIPPED)} == {
        Outcome.FAILED
    }


# Who asked.


@pytest.mark.parametrize("intermediate", [0, 0x10])
@pytest.mark.parametrize("other_bits", [0, 0x04, 0x0C, 0xE0])
@pytest.mark.parametrize("state", OUTCOMES)
def test_final_receipt_goes_to_who_asked_for_that_end(
    state: State, other_bits: int, intermediate: int
) -> None:
    success = state in (State.DELIVERED, State.ACCEPTED)
    asked = [
        asked_for(
            message(registered_delivery=wanted | intermediate | other_bits), state, final=True
        )
        for wanted in range(4)
    ]
    assert asked == [False, True, not success, success]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.ENROUTE, State.ACCEPTED, State.UNKNOWN])
@pytest.mark.parametrize("wanted", range(4))
def test_intermediate_receipt_goes_to_who_set_the_bit_for_it(state: State, wanted: int) -> None:
    assert not asked_for(message(registered_delivery=wanted), state, final=False)
    assert asked_for(message(registered_delivery=wanted | 0x10), state, final=False)


@pytest.mark.parametrize(
    ("registered_delivery", "anything", "success"),
    [
        (0x00, False, False),
        (0x01, True, True),
        (0x02, True, False),
        (0x03, True, True),
        (0x10, True, False),
        (0x12, True, False),
        (0x04, False, False),
        (0xE0, False, False),
    ],
)
def test_wish_is_read_from_registered_delivery(
    registered_delivery: int, *, anything: bool, success: bool
) -> None:
    one = message(registered_delivery=registered_delivery)
    assert (wants_any(one), wants_success(one)) == (anything, success)


# What it says.


def test_operators_word_carries_its_error_and_our_id_and_dates() -> None:
    assert told().short_message == (
        b"id:12300 sub:001 dlvrd:001 submit date:2701150800 done date:2701150810 "
        b"stat:DELIVRD err:012 text:"
    )


@pytest.mark.parametrize(
    ("told_done", "read"), [(b"2701150805", b"2701150805"), (b"2701150759", b"2701150800")]
)
def test_done_date_is_that_of_the_receipt_and_never_before_the_submission(
    told_done: bytes, read: bytes
) -> None:
    receipt = Receipt(b"x", State.DELIVERED, b"", b"2701150803", None)
    receipt.told_done = told_done
    assert b" submit date:2701150800 done date:%b " % read in told(receipt).short_message


TALLINN = ZoneInfo("Europe/Tallinn")  # Two hours ahead of UTC, three in summer.
CAME_UTC = ACCEPTED_UTC + 600.0


@pytest.mark.parametrize(
    ("done", "zone", "read"),
    [
        (b"2701151003", TALLINN, b"2701150803"),
        (b"2701150803", UTC, b"2701150803"),
        (b"2701151000", TALLINN, b"2701150800"),  # In the minute of the submission.
        (b"2701151011", TALLINN, b"2701150811"),  # A minute ahead.
        (b"2701151012", TALLINN, b"2701150810"),
        (b"2701150959", TALLINN, b"2701150810"),  # Before the submission.
        (b"2701150803", TALLINN, b"2701150810"),  # In UTC, whatever the setting says.
        (b"2701151003", None, b"2701150810"),
        (b"2702311003", TALLINN, b"2701150810"),  # A day that there is not.
        (b"", TALLINN, b"2701150810"),
    ],
)
def test_operators_done_date_is_told_in_utc_where_it_can_be_and_else_when_it_came(
    done: bytes, zone: tzinfo | None, read: bytes
) -> None:
    receipt = Receipt(b"x", State.DELIVERED, b"", done, None)
    date = done_date(receipt, zone, submitted_utc=ACCEPTED_UTC + 59.0, came_utc=CAME_UTC)
    assert date == read


@pytest.mark.parametrize(
    ("submitted", "came", "read"),
    [
        ("2026-07-01 05:00", "2026-07-01 09:00", b"2607010630"),  # Summer: done at 09:30.
        ("2026-10-25 00:00", "2026-10-25 00:40", b"2610250030"),  # 03:30, the first.
        ("2026-10-25 00:00", "2026-10-25 01:40", b"2610250130"),  # 03:30, the first or second.
        ("2026-10-25 01:00", "2026-10-25 01:40", b"2610250130"),
    ],
)
def test_of_the_two_hours_at_the_end_of_summer_the_one_that_can_be_is_meant(
    submitted: str, came: str, read: bytes
) -> None:
    done = b"2607010930" if "07-01" in came else b"2610250330"
    receipt = Receipt(b"x", State.DELIVERED, b"", done, None)
    date = done_date(receipt, TALLINN, submitted_utc=utc_of(submitted), came_utc=utc_of(came))
    assert date == read


def utc_of(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_operators_error_that_has_no_room_in_err_is_told_in_the_text() -> None:
    """Also when it was withheld for a while."""
    receipt = Receipt(b"x", State.EXPIRED, b"1234", b"", None)
    for one in (receipt, failure_of(failure_octets(receipt, State.EXPIRED))[0]):
        assert told(one, State.EXPIRED).short_message.endswith(b" err:999 text:error 1234")


def test_operators_word_without_error_and_date_gets_zeros_and_now() -> None:
    receipt = r.recognise(told(Receipt(b"x", State.EXPIRED, b"", b"", None), State.EXPIRED))
    assert values(receipt) == values(Receipt(b"12300", State.EXPIRED, b"000", b"2701150810", None))


def test_receipt_goes_back_to_who_sent_the_message() -> None:
    sm = told()
    assert (sm.source, sm.destination) == ((1, 1, b"37255512345"), (5, 0, b"BANK"))


def test_network_error_code_is_passed_on() -> None:
    sm = told(Receipt(b"x", State.DELIVERED, b"", b"", b"\x03\x00\x21"))
    assert sm.tlv(v.NETWORK_ERROR_CODE) == b"\x03\x00\x21"


@pytest.mark.parametrize(("final", "esm_class"), [(True, 0x04), (False, 0x20)])
def test_esm_class_says_whether_more_will_come(*, final: bool, esm_class: int) -> None:
    assert told(state=State.ENROUTE, final=final).esm_class == esm_class


def test_delivery_belongs_to_its_message() -> None:
    one = message(12300)
    made = from_operator(one, TAKEN, State.ENROUTE, final=False, now_utc=ACCEPTED_UTC + 9.0)
    assert (made.router_id, made.account) == (one.router_id, one.account)
    assert (made.made_utc, made.not_before, made.final) == (ACCEPTED_UTC + 9.0, 0.0, False)


def test_receipt_that_has_to_wait_for_the_answer_waits() -> None:
    one = message(12300)
    one.hold_receipt, one.answered_at = True, 5.0
    made = from_operator(one, TAKEN, State.DELIVERED, final=True, now_utc=ACCEPTED_UTC + 9.0)
    assert made.not_before == not_before(one) > 5.0


@pytest.mark.parametrize("outcome", ENDS)
def test_receipt_made_here_is_read_as_an_ordinary_one(outcome: Outcome) -> None:
    sm = given_up(outcome)
    assert values(r.recognise(sm)) == values(
        Receipt(b"12300", state_of(outcome, ""), b"000", b"2701150810", None)
    )
    assert OUTCOMES[state_of(outcome, "")] is outcome


@pytest.mark.parametrize("outcome", ENDS)
def test_receipt_made_here_says_so_at_the_beginning_of_its_text(outcome: Outcome) -> None:
    text = given_up(outcome, "validity has passed").short_message.partition(b" text:")[2]
    assert text == MADE_HERE + b"validity has passed"


def test_receipt_made_here_tells_nothing_that_its_reason_only_seems_to_say() -> None:
    receipt = r.recognise(given_up(Outcome.FAILED, "id:666 stat:DELIVRD err:111"))
    assert values(receipt) == values(
        Receipt(b"12300", State.UNDELIVERABLE, b"000", b"2701150810", None)
    )


@pytest.mark.parametrize(("status", "err"), [(0, b"000"), (0x0B, b"011"), (999, b"999")])
def test_receipt_made_here_has_the_operators_last_status_where_three_digits_hold_it(
    status: int, err: bytes
) -> None:
    sm = given_up(Outcome.REJECTED, status=status)
    receipt = r.recognise(sm)
    assert receipt is not None
    assert (receipt.err, receipt.network_error_code) == (err, None)
    assert sm.short_message.endswith(b"no route is left")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (1000, b"\x07\x03\xe8"),
        (0x400, b"\x07\x04\x00"),
        (0x55F, b"\x07\x05\x5f"),
        (0xFFFF, b"\x07\xff\xff"),
        (0x1_0000, None),
        (0xFFFF_FFFF, None),
    ],
)
def test_receipt_made_here_has_a_longer_status_in_its_text_and_in_network_error_code(
    status: int, code: bytes | None
) -> None:
    sm = given_up(Outcome.REJECTED, "refused by the operator", status=status)
    receipt = r.recognise(sm)
    assert receipt is not None
    assert (receipt.err, receipt.network_error_code) == (b"999", code)
    assert sm.short_message.endswith(
        b" text:%brefused by the operator (0x%08X)" % (MADE_HERE, status)
    )


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SENT])
def test_router_never_makes_up_a_success(outcome: Outcome) -> None:
    with pytest.raises(KeyError):
        state_of(outcome, "")


# Minutes.


def test_minute_is_written_in_utc_and_cut_not_rounded() -> None:
    assert receipts._minute(ACCEPTED_UTC) == b"2701150800"
    assert receipts._minute(ACCEPTED_UTC + 59.999) == b"2701150800"
    assert receipts._minute(ACCEPTED_UTC + 60.0) == b"2701150801"
    assert receipts._minute(ACCEPTED_UTC - 0.001) == b"2701150759"


def test_minutes_that_are_remembered_are_right_and_few() -> None:
    seen = [receipts._minute(ACCEPTED_UTC + 60.0 * number) for number in range(2500)]
    assert len(receipts._minutes) <= 1001
    again = [receipts._minute(ACCEPTED_UTC + 60.0 * number) for number in range(2500)]
    assert seen == again
    assert len(set(seen)) == 2500


@pytest.mark.parametrize("network_error_code", [None, b"\x03\0\x08", b"\0\0\0"])
@pytest.mark.parametrize(("err", "done"), [(b"", b""), (b"005", b"2701150801"), (b"a\xff", b"")])
def test_failure_that_is_withheld_is_read_as_it_was_kept(
    err: bytes, done: bytes, network_error_code: bytes | None
) -> None:
    receipt = Receipt(b"", State.REJECTED, err, b"", network_error_code)
    receipt.told_done = done
    octets = failure_octets(receipt, State.REJECTED)
    kept, state = failure_of(octets)
    assert (values(kept), state) == (values(receipt), State.REJECTED)


def test_error_of_a_failure_that_is_withheld_cannot_end_early() -> None:
    receipt = Receipt(b"1", State.EXPIRED, b"0\x005", b"", None)
    (again, state) = failure_of(failure_octets(receipt, State.EXPIRED))
    assert (again.err, state) == (b"05", State.EXPIRED)
