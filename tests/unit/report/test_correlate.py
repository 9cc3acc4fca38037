"""router/report/correlate.py: an id finds its message, in any form, once, and not for ever."""

from typing import NamedTuple

import pytest

from router.report.correlate import ORPHAN_S, Correlator
from router.report.id_forms import canonical
from router.smpp.receipt import Receipt
from router.terms.capacity import Capacity
from router.terms.group import Group
from router.terms.message import Message
from router.terms.names import OperatorId, OperatorName
from router.terms.orphan import Orphan
from router.terms.settings import IdForm, MessageIdSettings
from tests.unit.messages import TO_TELIA, message

WAIT_S = 100.0
TO = b"\x01\x0137255512345\0"
TO_OTHER = b"\x01\x0137255599999\0"
FORMS: list[IdForm] = ["text", "hex", "decimal"]


MOST, DONE = 20, 3
LITTLE = Capacity(orphans=MOST, ids_remembered=DONE)


def correlator_of(response: IdForm = "text", receipt: IdForm = "text") -> Correlator:
    forms = MessageIdSettings(response=response, receipt=receipt)
    return Correlator(forms, WAIT_S, capacity=LITTLE)


def sent(correlator: Correlator, octets: bytes, one: Message, now: float = 0.0) -> list[Orphan]:
    """The operator took it under these octets; return what had come early."""
    return correlator.expect(correlator.of_response(octets), one, now)


def orphan(operator_id: bytes, at_utc: float = 0.0, source_octets: bytes = TO) -> Orphan:
    return Orphan(OperatorName("telia"), OperatorId(operator_id), source_octets, b"pdu", at_utc)


class At(NamedTuple):
    """The addresses of a receipt."""

    source_octets: bytes
    destination_octets: bytes = b"\5\0BANK\0"


def found(correlator: Correlator, octets: bytes, to: bytes = TO) -> Message | None:
    return correlator.find(octets, At(to))[1]


# Forms of an id.


@pytest.mark.parametrize(
    ("response", "receipt", "in_response", "in_receipt"),
    [
        ("hex", "decimal", b"39f99dd5", b"0972660181"),
        ("decimal", "hex", b"0972660181", b"39f99dd5"),
        ("hex", "decimal", b"33E95179", b"870928761"),
        ("hex", "decimal", b"812FC7470000001B", b"9308878062554710043"),
        ("decimal", "hex", b"9308878062554710043", b"812fc7470000001b"),
        ("hex", "hex", b"0039F99DD5", b"39f99dd5"),
        ("hex", "text", b"39f99dd5", b"972660181"),
        ("decimal", "decimal", b"0000000007", b"7"),
        ("text", "text", b"00Ab-Cd", b"ab-CD"),
        ("text", "text", b"abc\0", b"abc"),
        ("text", "text", b"abc", b" abc "),
        ("text", "text", b"000", b"0"),
        ("hex", "decimal", b"000", b"0"),
        ("hex", "hex", b"not-hex", b"NOT-HEX"),
        ("hex", "hex", b"1_0", b"1_0"),
        ("hex", "hex", b"f" * 65, b"F" * 65),
        ("hex", "decimal", b"f" * 16, b"18446744073709551615"),
    ],
)
def test_both_writings_of_an_id_are_one_id(
    response: IdForm, receipt: IdForm, in_response: bytes, in_receipt: bytes
) -> None:
    correlator, one = correlator_of(response, receipt), message()
    sent(correlator, in_response, one)
    assert found(correlator, in_receipt, TO_OTHER) is one
    assert correlator.guessed == 0


@pytest.mark.parametrize(
    ("response", "receipt", "in_response", "in_receipt"),
    [
        ("text", "text", b"10", b"1"),
        ("text", "text", b"10", b"010x"),
        ("hex", "hex", b"1_0", b"10"),
        ("decimal", "decimal", b"10", b"100"),
        ("hex", "decimal", b"812FC7470000001B", b"9308878062554710044"),
        ("hex", "decimal", b"812FC7470000001B", b"9308878062554710000"),
    ],
)
def test_ids_that_differ_are_two_ids(
    response: IdForm, receipt: IdForm, in_response: bytes, in_receipt: bytes
) -> None:
    correlator = correlator_of(response, receipt)
    sent(correlator, in_response, message())
    assert found(correlator, in_receipt) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("octets", [b"", b"\0", b" ", b"\xff\xfe", b"%d", b"-5", b"0x1F", b"\t1"])
def test_any_octets_have_a_canonical_form(form: IdForm, octets: bytes) -> None:
    assert canonical(form)(octets)


@pytest.mark.parametrize(
    ("response", "receipt", "in_response", "in_receipt"),
    [
        ("text", "text", b"39f99dd5", b"0972660181"),
        ("text", "text", b"0972660181", b"39f99dd5"),
        ("decimal", "decimal", b"39F99DD5", b"972660181"),
        ("hex", "hex", b"39f99dd5", b"0972660181"),
        ("decimal", "hex", b"972660181", b"0972660181"),
        ("hex", "text", b"39f99dd5", b"39f99dd5"),
        ("text", "hex", b"39f99dd5", b"39F99DD5"),
        ("text", "text", b"39f99dd5", b"0x39F99DD5"),
        ("text", "text", b"0x39F99DD5", b"39f99dd5"),
        ("text", "text", b"972660181", b"0x39f99dd5"),
        ("hex", "decimal", b"39f99dd5", b"0x39f99dd5"),
        ("text", "text", b"3000000000", b"-1294967296"),
        ("text", "text", b"-1294967296", b"3000000000"),
        ("hex", "text", b"B2D05E00", b"-1294967296"),
        ("text", "text", b"b2d05e00", b"-1294967296"),
        ("text", "text", b"-1", b"4294967295"),
    ],
)
def test_id_in_another_base_than_the_settings_say_is_guessed_and_counted(
    response: IdForm, receipt: IdForm, in_response: bytes, in_receipt: bytes
) -> None:
    correlator, one = correlator_of(response, receipt), message()
    sent(correlator, in_response, one)
    assert correlator.find(in_receipt, At(TO)) == (correlator.of_response(in_response), one)
    assert correlator.guessed == 1


def test_guess_needs_the_address_of_the_message() -> None:
    correlator = correlator_of()
    sent(correlator, b"10", message())
    assert found(correlator, b"16", TO_OTHER) is None
    assert correlator.guessed == 0


def test_guess_is_not_made_where_the_id_fits_as_it_is() -> None:
    correlator, ten, sixteen = correlator_of(), message(1), message(2)
    sent(correlator, b"10", ten)
    sent(correlator, b"16", sixteen)
    assert found(correlator, b"16") is sixteen
    assert correlator.guessed == 0


def test_id_whose_final_receipt_has_come_is_not_guessed_to_be_another() -> None:
    correlator, ten, sixteen = correlator_of(), message(1), message(2)
    sent(correlator, b"10", ten)
    sent(correlator, b"16", sixteen)
    correlator.close(OperatorId(b"16"), sixteen)
    assert found(correlator, b"16") is None


@pytest.mark.parametrize("octets", [b"", b"\0", b"  \0"])
def test_no_id_finds_nothing(octets: bytes) -> None:
    correlator = correlator_of()
    sent(correlator, b"0", message())
    assert correlator.find(octets, At(TO)) == (b"", None)


def test_id_of_any_length_does_not_end_in_an_error() -> None:
    assert found(correlator_of("hex", "hex"), b"9" * 10_000) is None


def test_operators_that_count_alike_are_kept_apart() -> None:
    telia, elisa = correlator_of(), correlator_of()
    sent(telia, b"1", message())
    telia.keep(orphan(b"2"))
    assert found(elisa, b"1") is None
    assert sent(elisa, b"2", message()) == []


# An id that is used twice.


def test_destination_decides_between_messages_of_one_id() -> None:
    correlator = correlator_of()
    older, younger = message(1), message(2, destination=b"37255599999")
    sent(correlator, b"1", older)
    sent(correlator, b"1", younger)
    assert found(correlator, b"1", TO_OTHER) is younger
    assert found(correlator, b"1", TO) is older


@pytest.mark.parametrize(
    "to",
    [
        b"\x00\x00+37255599999\0",
        b"\x02\x080037255599999\0",
        b"\2\01055599999\0",
        b"\2\x0155599999\0",
    ],
)
def test_destination_is_the_same_number_with_any_ton_and_prefix(to: bytes) -> None:
    correlator, younger = correlator_of(), message(2, destination=b"37255599999")
    sent(correlator, b"1", message(1))
    sent(correlator, b"1", younger)
    assert found(correlator, b"1", to) is younger


@pytest.mark.parametrize("to", [TO, b"\x01\x01372\0"])
def test_older_of_two_messages_goes_first_where_the_destination_does_not_decide(to: bytes) -> None:
    correlator, older, younger = correlator_of(), message(1), message(2)
    sent(correlator, b"1", older)
    sent(correlator, b"1", younger)
    assert found(correlator, b"1", to) is older
    correlator.close(OperatorId(b"1"), older)
    assert found(correlator, b"1", to) is younger


def test_addresses_that_are_not_swapped_decide_as_well() -> None:
    correlator, younger = correlator_of(), message(2, destination=b"37255599999")
    sent(correlator, b"1", message(1))
    sent(correlator, b"1", younger)
    assert correlator.find(b"1", At(b"\5\0BANK\0", TO_OTHER))[1] is younger


@pytest.mark.parametrize("short", [b"\x00\x00599999\0", b"\x00\x0037255599998\0", b"\x00\x00\0"])
def test_the_end_of_a_short_number_decides_nothing(short: bytes) -> None:
    correlator, older = correlator_of(), message(1)
    sent(correlator, b"1", older)
    sent(correlator, b"1", message(2, destination=b"37255599999"))
    assert found(correlator, b"1", short) is older


@pytest.mark.parametrize(("fell_utc", "is_younger"), [(0.5, False), (2.0, True), (9.0, False)])
def test_younger_of_two_messages_is_meant_where_all_sessions_fell_between_them(
    fell_utc: float, is_younger: bool
) -> None:
    correlator, older, younger = correlator_of(), message(1), message(2)
    sent(correlator, b"1", older, 1.0)
    sent(correlator, b"1", younger, 5.0)
    assert correlator.more
    correlator.restarted_utc = fell_utc
    assert found(correlator, b"1") is (younger if is_younger else older)


def test_what_stands_behind_the_nul_of_an_id_does_not_count() -> None:
    for form in FORMS:
        correlator, one = correlator_of(form, form), message()
        sent(correlator, b"12\0rubbish", one)
        assert found(correlator, b"12 \0\xff") is one


def test_messages_of_one_id_end_in_their_order() -> None:
    correlator, ones = correlator_of(), [message(number) for number in range(4)]
    for one in ones:
        sent(correlator, b"1", one)
    for one in ones:
        assert found(correlator, b"1") is one
        correlator.close(OperatorId(b"1"), one)
    assert found(correlator, b"1") is None


def test_younger_message_may_end_first() -> None:
    correlator = correlator_of()
    all_three = [message(1), message(2, destination=b"37255599999"), message(3)]
    for one in all_three:
        sent(correlator, b"1", one)
    correlator.close(OperatorId(b"1"), all_three[1])
    assert found(correlator, b"1", TO_OTHER) is all_three[0]
    assert len(correlator) == 2
    correlator.close(OperatorId(b"1"), all_three[0])
    assert found(correlator, b"1", TO) is all_three[2]
    assert len(correlator) == 1


def test_id_may_be_used_again_when_its_message_has_ended() -> None:
    correlator, first, second = correlator_of(), message(1), message(2)
    sent(correlator, b"1", first)
    correlator.close(OperatorId(b"1"), first)
    sent(correlator, b"1", second)
    assert found(correlator, b"1") is second


def test_length_counts_every_message_that_is_owed_a_receipt() -> None:
    correlator, ones = correlator_of(), [message(number) for number in range(4)]
    for one, octets in zip(ones, (b"1", b"1", b"2", b"1"), strict=True):
        sent(correlator, octets, one)
    lengths = [len(correlator)]
    for one, octets in zip(ones, (b"1", b"1", b"2", b"1"), strict=True):
        correlator.close(OperatorId(octets), one)
        lengths.append(len(correlator))
    assert lengths == [4, 3, 2, 1, 0]


# The end.


def test_message_whose_final_receipt_came_is_found_no_more() -> None:
    correlator, one = correlator_of(), message()
    sent(correlator, b"1", one)
    assert not correlator.is_done(OperatorId(b"1"))
    correlator.close(OperatorId(b"1"), one)
    assert found(correlator, b"1") is None
    assert correlator.is_done(OperatorId(b"1"))


def test_ids_that_are_done_are_remembered_up_to_a_number() -> None:
    correlator, one = correlator_of(), message()
    for number in range(5):
        sent(correlator, b"id%d" % number, one)
        correlator.close(OperatorId(b"id%d" % number), one)
    done = [correlator.is_done(OperatorId(b"id%d" % number)) for number in range(5)]
    assert done == [False, False, True, True, True]


def test_messages_are_given_up_in_order_when_their_wait_is_over() -> None:
    correlator, ones = correlator_of(), [message(number) for number in range(3)]
    for at, one in enumerate(ones):
        sent(correlator, b"id%d" % at, one, float(at))
    assert correlator.never_receipted(WAIT_S - 0.1) == []
    assert correlator.never_receipted(WAIT_S + 1.0) == ones[:2]
    assert len(correlator) == 1
    assert correlator.never_receipted(WAIT_S + 2.0) == ones[2:]
    assert correlator.never_receipted(WAIT_S + 2.0) == []


def test_message_is_not_given_up_after_its_receipt() -> None:
    correlator, one, other = correlator_of(), message(1), message(2)
    sent(correlator, b"1", one)
    sent(correlator, b"2", other)
    correlator.close(OperatorId(b"1"), one)
    assert correlator.never_receipted(WAIT_S) == [other]


def test_receipt_of_a_message_that_was_given_up_is_no_mystery() -> None:
    correlator = correlator_of()
    sent(correlator, b"1", message())
    correlator.never_receipted(WAIT_S)
    assert correlator.is_done(OperatorId(b"1"))


def test_messages_of_one_id_are_given_up_each_in_its_time() -> None:
    correlator, older, younger = correlator_of(), message(1), message(2)
    sent(correlator, b"1", older, 0.0)
    sent(correlator, b"1", younger, 5.0)
    assert correlator.never_receipted(WAIT_S + 4.9) == [older]
    assert correlator.never_receipted(WAIT_S + 5.0) == [younger]


# Receipts that come before the answer.


def test_orphans_are_claimed_in_their_order_and_once() -> None:
    correlator = correlator_of("hex", "decimal")
    early = correlator.of_receipt(b"0972660181")
    first, other, second = orphan(early), orphan(b"other"), orphan(early, 1.0)
    for one in (first, other, second):
        assert correlator.keep(one) == []
    assert correlator.orphans == 3
    assert sent(correlator, b"39f99dd5", message()) == [first, second]
    assert sent(correlator, b"39f99dd5", message()) == []
    assert correlator.given_up(ORPHAN_S) == [other]
    assert correlator.orphans == 0


@pytest.mark.parametrize(
    ("in_receipt", "in_response"),
    [(b"0x10007", b"10007"), (b"-1294967296", b"3000000000"), (b"-1294967296", b"B2D05E00")],
)
def test_orphan_that_is_written_in_another_way_is_claimed_by_the_number(
    in_receipt: bytes, in_response: bytes
) -> None:
    correlator = correlator_of()
    mine = orphan(correlator.of_receipt(in_receipt))
    correlator.keep(mine)
    one_id = correlator.of_response(in_response)
    assert correlator.claimed(one_id, message(destination=b"37255500000")) == []
    assert correlator.claimed(one_id, message()) == [mine]


@pytest.mark.parametrize("octets", [b"-", b"0x", b"1_0", b"-x", b"1" * 65])
def test_what_is_no_number_has_no_other_way_of_being_written(octets: bytes) -> None:
    assert set(correlator_of().forms(octets)) <= {correlator_of().of_receipt(octets)}


def test_orphan_in_another_base_is_claimed_by_the_number() -> None:
    correlator = correlator_of()
    mine, other = orphan(b"65543"), orphan(b"65544", source_octets=TO_OTHER)
    correlator.keep(mine)
    correlator.keep(other)
    assert sent(correlator, b"10007", message()) == [mine]
    assert sent(correlator, b"10008", message()) == []


def test_orphan_is_given_up_when_it_has_waited_long_enough() -> None:
    correlator = correlator_of()
    old, young = orphan(b"1"), orphan(b"2", 1.0)
    correlator.keep(old)
    correlator.keep(young)
    assert correlator.given_up(ORPHAN_S - 0.1) == []
    assert correlator.given_up(ORPHAN_S) == [old]
    assert correlator.given_up(ORPHAN_S) == []
    assert sent(correlator, b"2", message()) == [young]
    assert correlator.given_up() == []


def test_orphans_of_one_id_are_given_up_together_after_the_last() -> None:
    correlator = correlator_of()
    enroute, final = orphan(b"1"), orphan(b"1", 50.0)
    correlator.keep(enroute)
    correlator.keep(orphan(b"2", 10.0))
    correlator.keep(final)
    assert [one.operator_id for one in correlator.given_up(ORPHAN_S + 49.0)] == [b"2"]
    assert correlator.given_up(ORPHAN_S + 50.0) == [enroute, final]


def test_the_oldest_orphan_makes_room_for_the_newest() -> None:
    correlator = correlator_of()
    kept = [orphan(b"%d" % number) for number in range(MOST)]
    assert [correlator.keep(one) for one in kept] == [[]] * MOST
    assert correlator.keep(orphan(b"x")) == kept[:1]
    assert correlator.orphans == MOST


def test_orphans_end_with_their_octets_too() -> None:
    capacity = Capacity(orphan_octets=1000)
    correlator = Correlator(MessageIdSettings(), 10.0, capacity=capacity)
    large = Orphan(OperatorName("telia"), OperatorId(b"4"), TO, b"x" * 600, 0.0)
    small = [
        Orphan(OperatorName("telia"), OperatorId(b"%d" % number), TO, b"x" * 300, 0.0)
        for number in (1, 2, 3)
    ]
    assert [correlator.keep(one) for one in small] == [[], [], []]
    assert correlator.keep(large) == small[:2]
    correlator.forget(large)
    assert [correlator.keep(one) for one in small[:2]] == [[], []]


def test_orphan_that_was_refused_is_not_kept() -> None:
    correlator = correlator_of()
    one, other = orphan(b"1"), orphan(b"1")
    correlator.keep(one)
    correlator.keep(other)
    correlator.forget(one)
    correlator.forget(one)
    assert correlator.orphans == 1
    assert sent(correlator, b"1", message()) == [other]
    correlator.forget(other)
    assert correlator.orphans == 0


# TLV and text name different ids.


def test_of_two_ids_the_one_that_is_known_better_is_meant() -> None:
    correlator = correlator_of()
    sent(correlator, b"mine", message(1))
    sent(correlator, b"65543", message(2))
    over = message(3)
    sent(correlator, b"done", over)
    correlator.close(OperatorId(b"done"), over)
    correlator.wants_none(OperatorId(b"unwanted"), message())
    sent(correlator, b"others", message(4, destination=b"37255599999"))
    by_rank = [
        [b"mine", b"MINE"],
        [b"10007"],  # 65543 in hexadecimal.
        [b"done", b"unwanted"],
        [b"others"],
        [b"unknown", b" ", b""],
    ]
    ranks = [(rank, octets) for rank, every in enumerate(by_rank) for octets in every]
    for rank, octets in ranks:
        for other_rank, other in ranks:
            better = correlator.knows_better(other, octets, At(TO))
            assert better == (other_rank < rank), (octets, other)


def receipt(operator_id: bytes, other_id: bytes) -> Receipt:
    one = Receipt(operator_id, None, b"", b"", None)
    one.other_id = other_id
    return one


@pytest.mark.parametrize(
    ("tlv", "text", "other_id"),
    [
        (b"00A", b"B", b"b"),
        (b"B", b"A", b"b"),
        (b"A", b"00a", None),
        (b"A", b"", None),
        (b"A", b" \0", None),
        (b"A", b"0", b"0"),
    ],
)
def test_the_other_id_of_an_orphan_is_the_one_it_is_not_kept_under(
    tlv: bytes, text: bytes, other_id: bytes | None
) -> None:
    assert correlator_of().other_id(orphan(b"a"), receipt(tlv, text)) == other_id


def orphan_of_two(operator_id: bytes, other_id: bytes, at_utc: float = 0.0) -> Orphan:
    one = orphan(operator_id, at_utc)
    one.other_id = OperatorId(other_id)
    return one


@pytest.mark.parametrize("answered", [b"tlv", b"text"])
def test_orphan_with_two_ids_is_claimed_by_either_and_once(answered: bytes) -> None:
    correlator = correlator_of()
    mine, other = orphan_of_two(b"tlv", b"text"), orphan_of_two(b"tlv", b"text-2", 1.0)
    correlator.keep(mine)
    correlator.keep(other)
    assert correlator.orphans == 2
    claimed, left = ([mine, other], []) if answered == b"tlv" else ([mine], [other])
    assert sent(correlator, answered, message()) == claimed
    assert correlator.orphans == len(left)
    for one_id in (b"tlv", b"text", b"text-2"):
        assert sent(correlator, one_id, message()) == left
        left = []
    assert correlator.orphans == 0


def test_orphan_with_two_ids_takes_one_place_and_is_given_up_once() -> None:
    correlator = correlator_of()
    kept = [orphan_of_two(b"%d" % number, b"x%d" % number) for number in range(MOST)]
    assert [correlator.keep(one) for one in kept] == [[]] * MOST
    assert correlator.keep(orphan(b"y")) == kept[:1]
    correlator.forget(kept[1])
    correlator.forget(kept[1])
    assert correlator.orphans == MOST - 1
    assert len(correlator.given_up(ORPHAN_S)) == MOST - 1
    assert correlator.orphans == 0
    assert sent(correlator, b"x5", message()) == []


# Parts of long messages.


def part(number: int, group: Group, registered_delivery: int = 1) -> Message:
    one = message(number, registered_delivery=registered_delivery)
    one.group = group
    return one


def test_parts_that_await_one_receipt_are_known_by_their_message() -> None:
    correlator = Correlator(MessageIdSettings(), WAIT_S, per_message=True)
    group, other = Group(TO_TELIA, 3), Group(TO_TELIA, 3)
    parts = [part(number, group) for number in (5, 6, 7)]
    for one in parts:
        sent(correlator, b"%d" % one.router_id, one)
    sent(correlator, b"8", part(8, other))
    sent(correlator, b"9", message(9))
    assert (group.number, other.number) == (5, 8)
    assert correlator.parts_of(group.number) == [(b"%d" % one.router_id, one) for one in parts]
    correlator.close(OperatorId(b"6"), parts[1])
    assert correlator.parts_of(group.number) == [(b"5", parts[0]), (b"7", parts[2])]
    correlator.leave_to_journal(1, set())
    assert correlator.parts_of(group.number) == [(b"7", parts[2])]
    again = part(5, Group(TO_TELIA, 0))  # Another object, as it comes from the journal.
    assert again.group is not None
    again.group.number = 5
    correlator.take_back(OperatorId(b"5"), again, 0.0)
    assert correlator.parts_of(group.number) == [(b"7", parts[2]), (b"5", again)]
    correlator.close(OperatorId(b"5"), again)
    correlator.close(OperatorId(b"7"), parts[2])
    assert correlator.parts_of(group.number) == correlator.parts_of(0) == []
    assert len(correlator.parts_of(other.number)) == 1


def test_what_one_receipt_has_said_of_all_is_remembered_for_a_while() -> None:
    correlator = correlator_of()
    assert correlator.told(1) is None
    for number in range(DONE + 2):  # 0 is no message.
        correlator.tell(number, b"%d" % number)
    assert [correlator.told(number) for number in range(DONE + 2)] == [
        *(None, None),
        *(b"%d" % number for number in range(2, DONE + 2)),
    ]


def test_id_of_a_part_that_wants_no_receipt_names_its_message() -> None:
    correlator = Correlator(MessageIdSettings(), WAIT_S, per_message=True)
    group = Group(TO_TELIA, 2)
    correlator.wants_none(OperatorId(b"a"), part(5, group))
    sent(correlator, b"b", part(6, group))
    correlator.wants_none(OperatorId(b"c"), message(7))
    unwanted = [correlator.unwanted_part(OperatorId(one)) for one in (b"a", b"b", b"c", b"d")]
    assert unwanted == [5, 0, 0, 0]
    assert len(correlator.parts_of(5)) == 1


def test_parts_that_await_a_receipt_each_are_counted_where_it_must_come() -> None:
    correlator, group = correlator_of(), Group(TO_TELIA, 5)
    parts = [part(number, group, wants) for number, wants in ((1, 1), (2, 1), (3, 2), (4, 17))]
    for one in parts:
        sent(correlator, b"%d" % one.router_id, one)
    assert (group.expected, group.number) == (3, 0)
    correlator.close(OperatorId(b"3"), parts[2])
    assert group.expected == 3
    correlator.close(OperatorId(b"4"), parts[3])
    correlator.leave_to_journal(1, set())
    assert group.expected == 1
    correlator.adopt(MessageIdSettings(), WAIT_S, per_message=True)
    correlator.close(OperatorId(b"2"), parts[1])
    assert group.expected == 0


def test_ids_of_messages_that_want_no_receipt_are_remembered_for_a_while() -> None:
    correlator = correlator_of()
    ids = [OperatorId(b"%d" % number) for number in range(2 * DONE + 2)]
    for operator_id in ids:
        correlator.wants_none(operator_id, message())
    assert not correlator.is_unwanted(ids[0])
    assert all(correlator.is_unwanted(one) for one in ids[-DONE:])


# What only the journal knows.


def test_the_oldest_attempts_are_left_to_the_journal_and_still_count() -> None:
    correlator = correlator_of()
    for number in range(5):
        sent(correlator, b"%d" % number, message(number), float(number))
    correlator.leave_to_journal(2, set())
    assert (correlator.in_memory, correlator.behind, len(correlator)) == (3, 2, 5)
    assert [found(correlator, b"%d" % number) is None for number in range(5)] == [
        *(True, True),
        *(False, False, False),
    ]


def test_what_the_journal_may_not_have_yet_stays() -> None:
    correlator = correlator_of()
    ones = [message(number) for number in range(5)]
    for number, one in enumerate(ones):
        sent(correlator, b"%d" % number, one)
    correlator.leave_to_journal(5, {ones[3].router_id, ones[4].router_id})
    assert (correlator.in_memory, correlator.behind) == (2, 3)


def test_messages_of_one_id_are_left_to_the_journal_together_or_not_at_all() -> None:
    correlator = correlator_of()
    for number, now in ((1, 0.0), (2, 1.0), (3, 2.0), (4, 9.0), (5, 3.0), (6, 4.0)):
        one_id = {1: b"a", 2: b"a", 3: b"b", 4: b"b", 5: b"c", 6: b"c"}[number]
        one = message(number)
        one.times_in_doubt = int(number == 6)
        sent(correlator, one_id, one, now)
    correlator.leave_to_journal(6, {message(4).router_id})
    assert (correlator.behind, correlator.in_memory, len(correlator)) == (2, 4, 6)
    assert [found(correlator, one_id) is None for one_id in (b"a", b"b", b"c")] == [
        *(True, False, False),
    ]


def test_what_was_in_doubt_stays_and_holds_up_no_other() -> None:
    correlator = correlator_of()
    one, other = message(1), message(2)
    one.times_in_doubt = 1
    sent(correlator, b"1", one)
    sent(correlator, b"2", other)
    correlator.leave_to_journal(1, set())
    assert found(correlator, b"1") is one
    assert found(correlator, b"2") is None


def test_what_is_taken_back_goes_before_the_others_of_its_id() -> None:
    correlator = correlator_of()
    correlator.behind = 2
    old, older, young = message(1), message(2), message(3)
    sent(correlator, b"7", young, 50.0)
    correlator.take_back(OperatorId(b"7"), old, 20.0)
    correlator.take_back(OperatorId(b"7"), older, 10.0)
    assert (correlator.in_memory, correlator.behind) == (3, 0)
    for one, taken_utc in ((older, 10.0), (old, 20.0), (young, 50.0)):
        assert found(correlator, b"7") is one
        assert correlator.close(OperatorId(b"7"), one) == taken_utc
    assert len(correlator) == 0


def test_order_is_known_to_be_lost_until_nothing_is_in_memory() -> None:
    correlator = correlator_of()
    correlator.take_back(OperatorId(b"1"), message(1), 10.0)
    assert correlator.never_receipted(0.0) == []
    assert not correlator.is_in_order
    assert len(correlator.never_receipted(10.0 + WAIT_S)) == 1
    correlator.never_receipted(0.0)
    assert correlator.is_in_order


def test_message_is_awaited_under_the_id_and_the_number_it_has() -> None:
    correlator = correlator_of()
    one, other = message(1), message(2)
    sent(correlator, b"7", one)
    sent(correlator, b"7", other)
    seven = OperatorId(b"7")
    assert correlator.awaits(seven, one.router_id) is one
    assert correlator.awaits(seven, other.router_id) is other
    assert correlator.awaits(seven, message(3).router_id) is None
    assert correlator.awaits(OperatorId(b"8"), one.router_id) is None


def test_only_the_destination_makes_sure_that_an_id_was_used_once() -> None:
    correlator = correlator_of()
    assert correlator.is_sure(message(1), At(TO))
    assert not correlator.is_sure(message(1), At(TO_OTHER))


def test_receipt_may_be_kept_under_any_form_of_its_id() -> None:
    correlator = correlator_of("hex", "decimal")
    assert next(correlator.forms(b"0255")) == b"255"
    assert set(correlator_of("decimal", "hex").forms(b"ff")) == {b"255", b"ff", b"xff"}


# A new configuration.


def with_forms(
    correlator: Correlator, response: IdForm, receipt: IdForm, wait_s: float = WAIT_S
) -> None:
    correlator.adopt(MessageIdSettings(response=response, receipt=receipt), wait_s)


@pytest.mark.parametrize("to", [TO, TO_OTHER])
@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", FORMS)
@pytest.mark.parametrize("taken_again", [False, True])
def test_ids_of_every_form_are_found_after_every_change_of_form(
    before: IdForm, after: IdForm, to: bytes, taken_again: bool
) -> None:
    """As far as the address is the message's; without it, where no form has changed."""
    correlator, one = correlator_of(before, before), message()
    sent(correlator, b"00A1", one, 1.0)
    if taken_again:  # From the journal, after the change.
        correlator.leave_to_journal(1, set())
    with_forms(correlator, after, after)
    if taken_again:
        correlator.take_back(canonical(before)(b"00A1"), one, 1.0)
    operator_id, found_one = correlator.find(b"a1", At(to))
    if to == TO or canonical(before)(b"a1") == canonical(after)(b"a1"):
        assert found_one is one
        assert operator_id == canonical(before)(b"00A1"), "the journal knows it by this id"
        assert correlator.close(operator_id, one) == 1.0
        assert len(correlator) == 0
    else:
        assert found_one is None
    assert correlator.guessed == 0


def test_ids_from_before_and_from_after_a_change_are_not_mixed_up() -> None:
    """10 and 0x0A: one counter, of which the older ids were taken for text."""
    correlator = correlator_of("text", "text")
    before = [message(number, destination=b"3725550%04d" % number) for number in range(40)]
    for number, one in enumerate(before):
        sent(correlator, b"%X" % number, one, float(number))
    with_forms(correlator, "hex", "hex")
    after = [message(number, destination=b"3725550%04d" % number) for number in range(40, 80)]
    for number, one in enumerate(after, start=40):
        sent(correlator, b"%X" % number, one, float(number))
    for number, one in enumerate(before + after):
        operator_id, found_one = correlator.find(b"%x" % number, At(one.destination_octets))
        assert found_one is one, number
        correlator.close(operator_id, one)
    assert len(correlator) == 0
    assert correlator.guessed == 0


def test_id_of_today_needs_no_address_beside_one_from_before() -> None:
    correlator, ten, sixteen = correlator_of(), message(1), message(2)
    sent(correlator, b"16", sixteen, 1.0)
    with_forms(correlator, "hex", "hex")
    sent(correlator, b"10", ten, 2.0)  # Both are kept as 16.
    assert found(correlator, b"10", TO_OTHER) is ten
    assert found(correlator, b"16", TO_OTHER) is None
    assert found(correlator, b"16", TO) is sixteen


def test_message_from_before_is_found_although_its_id_in_todays_form_is_done() -> None:
    correlator, ten, sixteen = correlator_of(), message(1), message(2)
    sent(correlator, b"10", ten, 1.0)
    sent(correlator, b"16", sixteen, 1.0)
    with_forms(correlator, "hex", "hex")
    correlator.close(OperatorId(b"16"), sixteen)
    assert correlator.find(b"10", At(TO)) == (b"10", ten)


@pytest.mark.parametrize(("before", "after"), [("text", "hex"), ("hex", "text")])
def test_change_of_the_form_of_receipts_alone_leaves_ids_as_they_are(
    before: IdForm, after: IdForm
) -> None:
    correlator, one = correlator_of("hex", before), message()
    sent(correlator, b"10", one, 1.0)
    with_forms(correlator, "hex", after)
    assert found(correlator, b"10" if after == "hex" else b"16", TO_OTHER) is one


def test_early_receipt_is_found_by_the_forms_of_its_answer() -> None:
    correlator, one = correlator_of("text", "text"), message()
    early = orphan(correlator.of_receipt(b"A1"))
    correlator.keep(early)
    with_forms(correlator, "hex", "hex")
    assert sent(correlator, b"A1", one, 1.0) == [early]
    assert found(correlator, b"A1", TO_OTHER) is one


@pytest.mark.parametrize(
    ("wait_s", "at", "given_up"),
    [
        (WAIT_S, 104.9, 0),
        (WAIT_S, 105.0, 1),
        (50.0, 54.9, 0),
        (50.0, 55.0, 1),
        (50.0, 60.0, 2),
        (200.0, 204.9, 0),
        (200.0, 205.0, 1),
    ],
)
def test_new_wait_counts_from_when_each_was_taken(wait_s: float, at: float, given_up: int) -> None:
    correlator = correlator_of()
    sent(correlator, b"1", message(1), 5.0)
    sent(correlator, b"2", message(2), 10.0)
    with_forms(correlator, "text", "text", wait_s)
    assert correlator.is_overdue(5.0, at) == (given_up > 0)
    assert len(correlator.never_receipted(at)) == given_up
