"""router/smpp/senders.py: kinds of senders, and lists with the days until which entries hold."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.smpp.senders import (
    FOREVER,
    NEVER,
    Replacement,
    SenderRules,
    ends_utc,
    kind_of,
    last_day,
    last_days,
    letters_of,
    source_octets,
    split_until,
)
from router.terms.settings import ListFile, OperatorSenders, SenderKind, SenderReplacement

BOTH: Final[tuple[SenderKind, ...]] = ("short", "long")
LONG: Final[tuple[SenderKind, ...]] = ("long",)
NEW_YEAR_UTC: Final = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        (b"12", None),
        (b"123", "short"),
        (b"12345678", "short"),
        (b"+12302", "short"),
        (b"0012", "short"),
        (b"123456789", "long"),
        (b"37255512345", "long"),
        (b"+37255512345", "long"),
        (b"0037255512345", "long"),
        (b"123456789012345", "long"),
        (b"1234567890123456", None),
        (b"Shop", "alphanumeric"),
        (b"12302a", "alphanumeric"),
        (b"Shop & Co.", "alphanumeric"),
        (b"ElevenLetrs", "alphanumeric"),
        (b"TwelveLetter", None),
        ("Öpik".encode("latin-1"), "alphanumeric"),
        ("Õpik".encode("latin-1"), None),
        (b"[abcdefgh]", None),
        (b"[abcdefg]", "alphanumeric"),
        (b"7-11", None),
        (b"+", None),
        (b"!!!", None),
        (b"Sho\np", None),
        (b"Sh\xa0op", None),
        (b"", None),
    ],
)
def test_kind_is_that_of_what_stands_in_the_address(sender: bytes, kind: SenderKind | None) -> None:
    assert kind_of(sender) == kind


@given(st.binary(max_size=70))
@example(b"0" * 20)
@example("²³⁴".encode("latin-1", "replace"))
def test_every_address_has_one_kind_or_none(sender: bytes) -> None:
    kind = kind_of(sender)
    if kind in ("short", "long"):
        assert 3 <= len(letters_of(sender)) <= 15
    elif kind == "alphanumeric":
        assert len(sender) <= 11
    if not letters_of(sender).startswith(b"00"):
        assert kind_of(letters_of(sender)) == kind
        assert letters_of(letters_of(sender)) == letters_of(sender)


@pytest.mark.parametrize(
    ("sender", "octets"),
    [
        ("12302", b"\x03\x0012302\0"),
        ("+37255512345", b"\x01\x01+37255512345\0"),
        ("Shop", b"\x05\x00Shop\0"),
    ],
)
def test_ton_and_npi_are_those_of_the_kind(sender: str, octets: bytes) -> None:
    assert source_octets(sender) == octets


def test_entry_holds_to_the_end_of_its_day_in_utc() -> None:
    assert split_until("Shop until 2026-12-31") == ("Shop", "2026-12-31")
    assert split_until("My Shop  until  2026-12-31") == ("My Shop", "2026-12-31")
    assert split_until("until then") == ("until then", "")
    assert ends_utc("2026-12-31") == NEW_YEAR_UTC
    assert ends_utc("") == FOREVER
    assert ends_utc("9999-12-31") < FOREVER
    assert last_day(NEW_YEAR_UTC) == "2026-12-31"
    rules = SenderRules((), ["Shop until 2026-12-31"])
    assert rules.until_utc(b"Shop") == NEW_YEAR_UTC
    assert rules.why_not(b"Shop", NEW_YEAR_UTC - 0.1) == ""
    assert rules.why_not(b"Shop", NEW_YEAR_UTC) == "held until 2026-12-31"


def test_sender_that_is_there_twice_holds_until_the_later_day() -> None:
    for twice in (["A1 until 2026-12-31", "A1 until 2025-12-31"], ["A1 until 2025-12-31", "A1"]):
        ends = {SenderRules((), order).until_utc(b"A1") for order in (twice, twice[::-1])}
        assert len(ends) == 1
        assert ends.pop() >= NEW_YEAR_UTC
    assert last_days(["A1 until 2026-12-31", "A1 until 2025-12-31", "B1"]) == {NEW_YEAR_UTC: 1}
    assert last_days(["A1", "B1"]) == {}


def test_letters_are_compared_one_by_one_and_numbers_by_their_digits() -> None:
    rules = SenderRules((), ["Shop", "+37255512345", "12302"])
    for sender in (b"Shop", b"37255512345", b"0037255512345", b"12302", b"+12302"):
        assert rules.until_utc(sender) == FOREVER
    for sender in (b"SHOP", b"Shop ", b"sh\xc3p", b"55512345", b"1230", b""):
        assert rules.until_utc(sender) == NEVER
        assert rules.why_not(sender, 0.0) == "is not in the list"


def test_kinds_are_asked_beside_the_list_and_some_need_no_list() -> None:
    rules = SenderRules(BOTH, ["12302", "Shop"], LONG)
    assert rules.until_utc(b"12302") == FOREVER
    assert rules.until_utc(b"12303") == NEVER
    assert rules.until_utc(b"37255512345") == FOREVER
    assert rules.until_utc(b"Shop") == NEVER
    assert rules.why_not(b"Shop", 0.0) == "is alphanumeric, not long or short"
    assert rules.why_not(b"", 0.0) == "is of no kind, not long or short"
    assert SenderRules((), ()).until_utc(b"") == FOREVER


def test_message_goes_out_under_another_sender_where_its_own_is_not_let_through() -> None:
    file = ListFile(file="a.txt", values=("Bank until 2026-12-31",))
    settings = OperatorSenders(
        only=("Shop",), only_files=(file,), otherwise=SenderReplacement(replace="12302")
    )
    replacement = Replacement(settings, "12302")
    assert replacement.octets == b"\x03\x0012302\0"
    for _ in range(2):
        assert not replacement.is_for(b"\x05\x00Shop\0", 0.0)
        assert replacement.is_for(b"\x05\x00shop\0", 0.0)
        assert replacement.is_for(b"\x00\x00\0", 0.0)
        assert not replacement.is_for(b"\x05\x00Bank\0", NEW_YEAR_UTC - 1)
        assert replacement.is_for(b"\x05\x00Bank\0", NEW_YEAR_UTC)
