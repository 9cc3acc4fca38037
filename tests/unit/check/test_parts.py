"""router/check/parts.py: how many parts a message has, and the most that an account may send."""

import pytest

from router.check.parts import MostParts, parts_in
from router.smpp.pdu import Sm
from router.terms.outcome import Refusal
from tests.unit.check.submitted import NOW_UTC, candidate, part, sm


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (sm(b""), 1),
        (sm(b"a" * 160), 1),
        (sm(b"a" * 161), 2),
        (sm(b"a" * 254, 0xF0), 2),
        (sm(b"a" * 307, is_payload=True), 3),
        (sm(b"\x1be" * 80), 1),
        (sm(b"\x1be" * 81), 2),
        (sm(b"\0a" * 70, 8), 1),
        (sm(b"\0a" * 71, 8), 2),
        (sm(b"\0a" * 135, 8, is_payload=True), 3),
        (sm("õ".encode("latin-1") * 71, 3), 2),
        (sm("õ".encode("latin-1") * 141, 3), 3),
        (sm("õ".encode("latin-1") * 70, 3), 1),
        (sm(b"a" * 160, 3), 1),
        (sm(b"a" * 140, 4), 1),
        (sm(b"a" * 141, 4), 2),
        (sm(b"a" * 65_535, 4, is_payload=True), 490),
        (part("x", 2, 9).sm, 9),
        (part("x", 2, 9, by_tlvs=True).sm, 9),
    ],
)
def test_parts_are_those_on_a_telephone(message: Sm, parts: int) -> None:
    assert parts_in(message) == parts


def test_data_coding_0_is_what_the_account_says() -> None:
    assert parts_in(sm(b"\xf5" * 150)) == 1
    assert parts_in(sm(b"\xf5" * 150), is_latin_1=True) == 3


def test_message_of_more_parts_is_refused_as_too_long() -> None:
    check = MostParts(2, is_latin_1=False)
    assert check.judge(candidate(sm(b"a" * 306, is_payload=True)), NOW_UTC) is None
    refused = check.judge(candidate(sm(b"a" * 307, is_payload=True)), NOW_UTC)
    assert refused == Refusal("too_long", 0x01, "more than 2 parts")
    assert check.judge(part("x", 1, 2), NOW_UTC) is None
    assert [check.judge(part("x", number, 3), NOW_UTC) for number in (1, 2, 3)] == [refused] * 3
