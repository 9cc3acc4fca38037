"""router/report/learnt_ids.py: the forms of ids are learnt, and nothing is mixed up."""

from typing import NamedTuple

import pytest

from router.report.correlate import Correlator
from router.report.learnt_ids import ENOUGH, MOST_WEIGHED, RULES, LearntIds
from router.terms.message import Message
from router.terms.settings import MessageIdSettings
from tests.unit.messages import message

TO_OTHER = b"\x01\x0137255599999\0"


class At(NamedTuple):
    """The addresses of a receipt."""

    source_octets: bytes
    destination_octets: bytes = b"\5\0BANK\0"


def learning() -> Correlator:
    """An operator without `message_id`."""
    return Correlator(None, 100.0)


def taken(correlator: Correlator, octets: bytes, number: int) -> Message:
    """The operator took a message of its own number under this id."""
    one = message(number, destination=b"37255%06d" % number)
    correlator.expect(correlator.of_response(octets), one, float(number))
    return one


def receipt(correlator: Correlator, octets: bytes, to: bytes) -> Message | None:
    """A final receipt came; return whose it was."""
    operator_id, one = correlator.find(octets, At(to))
    sign, correlator.sign = correlator.sign, None
    if one is not None:
        if sign is not None:
            correlator.learn(sign)
        correlator.close(operator_id, one, to + b"\x022601010000")
    return one


def of_its_own(correlator: Correlator, in_response: bytes, in_receipt: bytes, number: int) -> None:
    """A message was taken, and its receipt names its number."""
    one = taken(correlator, in_response, number)
    assert receipt(correlator, in_receipt, one.destination_octets) is one


def forms(correlator: Correlator) -> tuple[str, str] | None:
    """What was learnt."""
    learnt = correlator.learnt
    assert learnt is not None
    return (learnt.rule.forms.response, learnt.rule.forms.receipt) if learnt.rule else None


HEX_DECIMAL = (b"%x", b"%d", ("hex", "decimal"))
WAYS = [
    HEX_DECIMAL,
    (b"%08X", b"%010d", ("hex", "decimal")),
    (b"0x%x", b"%d", ("hex", "decimal")),
    (b"%d", b"%x", ("decimal", "hex")),
    (b"%010d", b"%08X", ("decimal", "hex")),
    (b"%d", b"0x%X", ("decimal", "hex")),
    (b"%x", b"0x%X", ("hex", "hex")),
    (b"0x%x", b"%X", ("hex", "hex")),
    (b"%d", b"%010d", ("text", "text")),
    (b"%010d", b"%d", ("text", "text")),
    (b"%x", b"%X\0", ("text", "text")),
    (b"118f-%x-c9d0", b"118F-%X-C9D0", ("text", "text")),
]


@pytest.mark.parametrize(
    ("in_response", "in_receipt", "expected"),
    [
        (b"39f99dd5", b"0972660181", ("hex", "decimal")),
        (b"33E95179", b"870928761", ("hex", "decimal")),
        (b"812FC7470000001B", b"9308878062554710043", ("hex", "decimal")),
        (b"0972660181", b"39f99dd5", ("decimal", "hex")),
        (b"9308878062554710043", b"812FC7470000001B", ("decimal", "hex")),
        (b"04062581461565934000241", b"4062581461565934000241", ("text", "text")),
        (b"1101c1-c9d03d-f000", b"1101C1-C9D03D-F000", ("text", "text")),
        (b"870928761", b"0870928761", ("text", "text")),
        (b"870928761", b"870928761\0", ("text", "text")),
        (b"33e95179", b"870928761\0", ("hex", "decimal")),
        (
            b"6F9619FF-8B86-D011-B42D-00C04FC964FF",
            b"6f9619ff-8b86-d011-b42d-00c04fc964ff",
            ("text", "text"),
        ),
        (b"0118Z-0122I-2309U-57DGB", b"0118z-0122i-2309u-57dgb", ("text", "text")),
    ],
)
def test_pairs_of_the_field_match_at_once_and_are_learnt(
    in_response: bytes, in_receipt: bytes, expected: tuple[str, str]
) -> None:
    correlator = learning()
    for number in range(ENOUGH):
        assert forms(correlator) is None
        of_its_own(correlator, in_response, in_receipt, number)
    assert forms(correlator) == expected
    assert correlator.guessed == 0


@pytest.mark.parametrize(("response", "in_receipt", "expected"), WAYS)
def test_what_is_learnt_needs_no_number_any_more(
    response: bytes, in_receipt: bytes, expected: tuple[str, str]
) -> None:
    correlator = learning()
    for number in range(1000, 1000 + ENOUGH):
        of_its_own(correlator, response % number, in_receipt % number, number)
    assert forms(correlator) == expected
    one, other = taken(correlator, response % 5000, 1), taken(correlator, response % 0x5000, 2)
    assert receipt(correlator, in_receipt % 5000, TO_OTHER) is one
    assert receipt(correlator, in_receipt % 0x5000, TO_OTHER) is other
    assert correlator.guessed == 0


def test_settings_are_never_overridden() -> None:
    correlator = Correlator(MessageIdSettings(), 100.0)
    for number in range(1000, 1000 + 3 * ENOUGH):
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
    assert correlator.learnt is None
    assert correlator.of_receipt(b"1000") == b"1000"
    assert correlator.guessed == 3 * ENOUGH


def test_a_number_of_another_message_is_no_sign() -> None:
    correlator = learning()
    for number in range(1000, 1000 + 2 * ENOUGH):
        taken(correlator, b"%x" % number, number)
        assert receipt(correlator, b"%d" % number, TO_OTHER) is None
    assert forms(correlator) is None


def test_an_id_that_several_readings_know_is_no_sign() -> None:
    """All go to one telephone: 10 may be the one or the other."""
    correlator = learning()
    to = b"\x01\x0137255512345\0"
    for number in range(0x10, 0x100):
        correlator.expect(correlator.of_response(b"%x" % number), message(number), 1.0)
    for number in range(16, 26):
        assert receipt(correlator, b"%d" % number, to) is not None
    assert forms(correlator) is None


def test_of_several_readings_the_likeliest_is_meant() -> None:
    correlator = learning()
    of_its_own(correlator, b"ff", b"255", 1)
    to = b"\x01\x0137255512345\0"
    sixteenth, other = message(2), message(3)
    for octets, one in ((b"16", other), (b"10", sixteenth)):
        correlator.expect(correlator.of_response(octets), one, 1.0)
    assert receipt(correlator, b"16", to) is sixteenth


@pytest.mark.parametrize("said", [None, b"\x01\x0137255512345\0\x022601010000"])
def test_a_receipt_that_comes_again_is_not_that_of_another_message_to_its_number(
    said: bytes | None,
) -> None:
    correlator = learning()
    of_its_own(correlator, b"ff", b"255", 1)
    to = b"\x01\x0137255512345\0"
    sixteenth, other = message(2), message(3)
    correlator.expect(correlator.of_response(b"10"), sixteenth, 1.0)
    operator_id, one = correlator.find(b"16", At(to))
    assert one is sixteenth
    correlator.close(operator_id, sixteenth, said)
    correlator.expect(correlator.of_response(b"16"), other, 1.0)
    assert correlator.find(b"16", At(to)) == (operator_id, None)
    assert correlator.sign is None
    assert receipt(correlator, b"22", to) is other


def test_the_receipt_of_another_number_does_not_make_a_repeat_of_this_one() -> None:
    correlator = learning()
    for number in range(1000, 1000 + ENOUGH):
        one = taken(correlator, b"%d" % number, number)
        operator_id, found = correlator.find(b"%d" % number, At(one.destination_octets))
        assert found is one
        assert correlator.sign is not None
        correlator.learn(correlator.sign)
        correlator.close(operator_id, one, one.destination_octets + b"\x022601010000")
    of_its_own(correlator, b"%x" % 1003, b"1003", 5000)  # It writes hex now, and counts anew.


def test_ids_that_every_reading_has_alike_are_no_sign() -> None:
    correlator = learning()
    for number in range(1, 10):
        of_its_own(correlator, b"%d" % number, b"%d" % number, number)
    learnt = correlator.learnt
    assert learnt is not None
    assert learnt.trusts_ids
    assert forms(correlator) is None


def test_signs_that_disagree_teach_nothing() -> None:
    correlator = learning()
    for number in range(1000, 1000 + 5 * ENOUGH, 2):
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
        of_its_own(correlator, b"%d" % number, b"%d" % number, number + 1)
    assert forms(correlator) is None


def test_before_it_is_learnt_one_sign_is_enough_not_to_believe_an_id_without_its_number() -> None:
    correlator = learning()
    other = taken(correlator, b"16", 1)
    assert correlator.find(b"16", At(TO_OTHER))[1] is other, "nothing speaks against it"
    of_its_own(correlator, b"ff", b"255", 2)
    assert correlator.find(b"16", At(TO_OTHER))[1] is None
    ten = taken(correlator, b"10", 3)
    assert receipt(correlator, b"16", ten.destination_octets) is ten
    assert receipt(correlator, b"16", ten.destination_octets) is None, "it came again"


def test_what_does_not_hold_any_more_is_learnt_anew() -> None:
    correlator = learning()
    learnt = correlator.learnt
    assert learnt is not None
    for number in range(1000, 1000 + ENOUGH):
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
    assert not learnt.is_told
    learnt.is_told = True
    for number in range(2000, 2000 + ENOUGH):
        assert forms(correlator) == ("hex", "decimal")
        of_its_own(correlator, b"%d" % number, b"%d" % number, number)
    assert forms(correlator) == ("text", "text")
    assert not learnt.is_told
    assert correlator.guessed == ENOUGH, "an alert is told that something has changed"


def test_a_few_others_do_not_change_what_was_learnt() -> None:
    correlator = learning()
    for number in range(1000, 1000 + ENOUGH):
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
    for number in range(2000, 2000 + 3 * ENOUGH):
        of_its_own(correlator, b"%d" % number, b"%d" % number, 2 * number)
        of_its_own(correlator, b"%x" % (number + 7777), b"%d" % (number + 7777), 2 * number + 1)
    assert forms(correlator) == ("hex", "decimal")


def test_that_ids_are_as_they_are_is_no_news() -> None:
    correlator = learning()
    for number in range(1000, 1000 + ENOUGH):
        of_its_own(correlator, b"%d" % number, b"%d" % number, number)
    learnt = correlator.learnt
    assert learnt is not None
    assert forms(correlator) == ("text", "text")
    assert learnt.is_told


def test_signs_are_not_looked_for_for_ever() -> None:
    correlator = learning()
    learnt = correlator.learnt
    assert learnt is not None
    for number in range(1000, 1000 + MOST_WEIGHED):
        assert learnt.weighs
        one = taken(correlator, b"%d" % number, number)
        assert receipt(correlator, b"%d" % number, TO_OTHER) is one
    assert not learnt.weighs
    for number in range(5000, 5000 + ENOUGH):  # What is not known as it is, is weighed.
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
    assert forms(correlator) == ("hex", "decimal")


def test_a_receipt_that_waits_for_its_answer_is_claimed_in_any_form() -> None:
    assert set(learning().forms(b"255")) >= {b"255", b"ff", b"597"}


def test_learning_goes_on_over_a_reload_and_ends_with_a_setting() -> None:
    correlator = learning()
    for number in range(1000, 1000 + ENOUGH):
        of_its_own(correlator, b"%x" % number, b"%d" % number, number)
    correlator.adopt(None, 50.0)
    assert forms(correlator) == ("hex", "decimal")
    one = taken(correlator, b"7d1", 1)
    correlator.adopt(MessageIdSettings(response="hex", receipt="decimal"), 50.0)
    assert correlator.learnt is None
    assert receipt(correlator, b"2001", one.destination_octets) is one
    other = taken(correlator, b"7d2", 2)
    correlator.adopt(None, 50.0)
    assert forms(correlator) is None
    assert receipt(correlator, b"2002", other.destination_octets) is other
    assert forms(correlator) is None


def test_a_sign_that_comes_late_is_not_taken() -> None:
    correlator = learning()
    one = taken(correlator, b"ff", 1)
    correlator.find(b"255", At(one.destination_octets))
    sign = correlator.sign
    assert sign is not None
    correlator.adopt(MessageIdSettings(), 50.0)
    correlator.learn(sign)
    assert correlator.of_receipt(b"255") == b"255"


def test_signs_of_another_rule_count_only_in_a_row() -> None:
    learnt, (text, hexadecimal, *_) = LearntIds(), RULES
    assert not any(learnt.saw(hexadecimal) for _ in range(ENOUGH - 1))
    assert not learnt.saw(text)
    assert not any(learnt.saw(hexadecimal) for _ in range(ENOUGH - 1))
    assert learnt.saw(hexadecimal)
    assert not learnt.saw(text)
    assert learnt.weighs
    assert not learnt.saw(hexadecimal)
    assert not learnt.weighs
