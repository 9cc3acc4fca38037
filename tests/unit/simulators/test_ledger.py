"""simulators/ledger.py."""

import pytest

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from router.smpp.session import Note
from simulators.ledger import Ledger, Notice

SENDER = b"\x05\x00BANK\0"


def _notice(
    message_id: bytes,
    state: State | None = State.DELIVERED,
    *,
    number: bytes = b"3725550",
    sender: bytes = SENDER,
    final: bool = True,
) -> Notice:
    return Notice(message_id, state, final, b"\1\1" + number + b"\0", sender, 2.0)


def _ledger(messages: int = 1, registered_delivery: int = 1) -> Ledger:
    ledger = Ledger(SENDER, registered_delivery)
    for index in range(messages):
        ledger.sent(b"%d" % (3725550 + index), 1.0, 1.0)
    return ledger


def test_message_with_its_answer_and_its_receipt_is_well() -> None:
    ledger = _ledger()
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7"))
    totals = ledger.totals()
    assert totals["well"] is True
    assert (totals["accepted"], totals["receipted"], totals["missing"]) == (1, 1, 0)
    assert totals["receipts"] == {"delivered": 1}
    assert totals["response_ms"] == {"p50": 500.0, "p99": 500.0, "p99.9": 500.0, "max": 500.0}
    assert list(ledger.receipt_s) == [1.0]
    assert list(ledger.receipt_times()) == [(b"3725550", 2.0)]


@pytest.mark.parametrize(("registered_delivery", "settled"), [(1, 0), (0, 2)])
def test_message_is_settled_by_its_receipt_or_where_none_was_asked_for_by_its_answer(
    registered_delivery: int, settled: int
) -> None:
    ledger = _ledger(2, registered_delivery)
    ledger.answered(0, 0, b"7", 1.5)
    ledger.answered(1, 0, b"8", 1.5)
    assert ledger.settled == settled
    ledger.receipt(_notice(b"8", number=b"3725551"))
    assert ledger.settled == max(settled, 1)


def test_receipt_before_the_answer_is_no_stranger() -> None:
    ledger = _ledger()
    ledger.receipt(_notice(b"7"))
    assert ledger.strangers() == (0, 1)
    ledger.answered(0, 0, b"7", 1.5)
    assert (ledger.finals, ledger.strangers()) == (1, (0, 0))


def test_receipt_for_no_message_is_unknown() -> None:
    ledger = _ledger()
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"8"))
    totals = ledger.totals()
    assert (totals["unknown"], totals["missing"], totals["well"]) == (1, 1, False)
    assert totals["missing_sample"] == ["7"]


def test_message_without_a_final_receipt_is_missing_only_where_one_was_asked_for() -> None:
    for registered_delivery, missing in ((0, 0), (1, 1), (2, 0), (17, 1)):
        ledger = _ledger(registered_delivery=registered_delivery)
        ledger.answered(0, 0, b"7", 1.5)
        assert ledger.missing == missing
        ledger.receipt(_notice(b"7", State.ENROUTE))
        assert ledger.missing == missing


@pytest.mark.parametrize(
    ("registered_delivery", "state", "unasked"),
    [
        (0, State.DELIVERED, 1),
        (1, State.DELIVERED, 0),
        (1, State.ENROUTE, 1),
        (2, State.DELIVERED, 1),
        (2, State.EXPIRED, 0),
        (3, State.EXPIRED, 0),
        (16, State.ENROUTE, 0),
        (16, State.DELIVERED, 1),
        (17, State.ENROUTE, 0),
    ],
)
def test_receipt_that_nobody_asked_for_is_a_fault(
    registered_delivery: int, state: State, unasked: int
) -> None:
    ledger = _ledger(registered_delivery=registered_delivery)
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7", state))
    totals = ledger.totals()
    assert totals["unasked"] == unasked
    assert totals["well"] is (unasked == 0 and totals["missing"] == 0)


@pytest.mark.parametrize(
    ("registered_delivery", "asked"), [(0, False), (4, False), (1, True), (2, True), (16, True)]
)
def test_receipts_are_waited_for_where_any_were_asked_for(
    registered_delivery: int, asked: bool
) -> None:
    assert _ledger(registered_delivery=registered_delivery).asked is asked


@pytest.mark.parametrize(
    ("note", "wrong"),
    [
        (Note("response.unasked", v.SUBMIT_SM_RESP), 1),
        (Note("pdu.refused", v.SUBMIT_SM, v.ESME_RINVBNDSTS), 1),
        (Note("pdu.refused", v.ALERT_NOTIFICATION), 0),
        (Note("pdu.refused", v.DELIVER_SM, v.ESME_RX_T_APPN), 0),
        (Note("response.late", v.SUBMIT_SM_RESP), 0),
        (Note("link.dead"), 0),
    ],
)
def test_what_a_session_notes_is_told_and_mistakes_of_the_other_side_are_faults(
    note: Note, wrong: int
) -> None:
    ledger = _ledger(0)
    ledger.noted([note])
    totals = ledger.totals()
    assert totals["notes"] == {note.event: 1}
    assert totals["against_protocol"] == wrong
    assert totals["well"] is not bool(wrong)


def test_same_final_state_twice_is_a_duplicate_and_counted_apart() -> None:
    ledger = _ledger()
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7"))
    ledger.receipt(_notice(b"7"))
    assert (ledger.duplicates, ledger.finals, ledger.totals()["well"]) == (1, 1, True)


def test_two_final_states_of_one_message_conflict() -> None:
    ledger = _ledger()
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7"))
    ledger.receipt(_notice(b"7", State.EXPIRED))
    assert (ledger.conflicting, ledger.totals()["well"]) == (1, False)


def test_state_that_follows_accepted_takes_its_place() -> None:
    ledger = _ledger()
    ledger.answered(0, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7", State.ACCEPTED))
    assert ledger.missing == 0
    ledger.receipt(_notice(b"7"))
    assert (ledger.conflicting, ledger.totals()["receipts"]) == (0, {"delivered": 1})


def test_addresses_must_be_those_of_the_message_swapped() -> None:
    for notice in (_notice(b"7", number=b"3725551"), _notice(b"7", sender=b"\5\0BANG\0")):
        ledger = _ledger()
        ledger.answered(0, 0, b"7", 1.5)
        ledger.receipt(notice)
        assert (ledger.mismatched, ledger.missing, ledger.totals()["well"]) == (1, 1, False)


def test_refused_message_is_told_and_not_missing() -> None:
    ledger = _ledger(2)
    ledger.answered(0, v.ESME_RTHROTTLED, b"", 1.5)
    ledger.answered(1, 0, b"7", 1.5)
    ledger.receipt(_notice(b"7", number=b"3725551"))
    totals = ledger.totals()
    assert (totals["refused"], totals["well"]) == ({"ESME_RTHROTTLED": 1}, True)


def test_run_of_which_nothing_was_accepted_is_not_well() -> None:
    ledger = _ledger()
    ledger.answered(0, v.ESME_RINVDSTADR, b"", 1.5)
    assert ledger.totals()["well"] is False


def test_id_given_twice_is_a_fault() -> None:
    ledger = _ledger(2)
    ledger.answered(0, 0, b"7", 1.5)
    ledger.answered(1, 0, b"7", 1.5)
    assert (ledger.same_id, ledger.totals()["well"]) == (1, False)


def test_late_answer_counts_and_the_message_is_no_longer_unanswered() -> None:
    ledger = _ledger()
    ledger.gave_up(0)
    assert (ledger.unanswered, ledger.unsettled) == (1, 0)
    ledger.answered(0, 0, b"7", 40.0)
    assert (ledger.unanswered, ledger.late_answers, ledger.accepted) == (0, 1, 1)


def test_receipt_of_a_message_whose_answer_was_lost_is_known_by_its_number() -> None:
    ledger = _ledger(2)
    ledger.gave_up(0)
    ledger.answered(1, 0, b"8", 1.5)
    ledger.receipt(_notice(b"7"))
    ledger.receipt(_notice(b"8", number=b"3725551"))
    ledger.receipt(_notice(b"9", number=b"3725559"))
    totals = ledger.totals()
    assert (totals["receipts_of_unanswered"], totals["unknown"]) == (1, 1)


def test_every_message_has_one_fate() -> None:
    ledger = _ledger(4)
    ledger.answered(0, 0, b"7", 1.5)
    ledger.answered(1, v.ESME_RSYSERR, b"", 1.5)
    ledger.gave_up(2)
    ledger.gave_up(0)
    ledger.answered(1, 0, b"9", 1.5)
    assert ledger.unsettled == 1
    ledger.gave_up_all()
    assert (ledger.accepted, ledger.refused.total(), ledger.unanswered) == (1, 1, 2)
    assert ledger.faults == ["message 1 was answered twice"]
