"""router/check/numbers.py: how the numbers of an account are read, and which are refused."""

import random
from dataclasses import replace

import pytest
from phonenumbers import PhoneMetadata, parse

from router.check import numbering
from router.check.inland import InlandNumbers
from router.check.number import routing_key
from router.check.numbering import COUNTRIES, PLAN, inside_country
from router.check.numbers import NumberCheck
from router.check.places import Places
from router.check.policy import Candidate, Note
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.terms.names import AccountName, LaneName
from router.terms.outcome import (
    COUNTRY_NOT_ALLOWED,
    FIXED_LINE,
    NO_SUCH_NUMBER,
    PREMIUM_NUMBER,
    UNKNOWN_LINE,
    Refusal,
)
from router.terms.settings import AccountNumberSettings, AccountSettings, UnwantedNumber
from tests.unit.check.drawn import behind, with_another_end

DRAWN = 12
ACCOUNT = AccountSettings(name=AccountName("shop"), passwords=(), lane=LaneName("bulk"))
PLACES = Places()


def account(
    country: str = "", *refuse: UnwantedNumber, countries: tuple[str, ...] = ()
) -> AccountSettings:
    numbers = AccountNumberSettings(country=country, refuse=refuse)
    return replace(ACCOUNT, numbers=numbers, countries=countries)


def judged(settings: AccountSettings, address: str) -> tuple[Candidate, Refusal | None]:
    """What the check makes of a message to a number as the client writes it."""
    octets = p.sm(v.SUBMIT_SM, 1, destination=(0, 0, address.encode()), short_message=b"hello")
    key = routing_key(address.encode())
    assert key is not None
    one = Candidate(settings, Sm(Framer(1_000).feed(octets)[0]), key, settings.lane)
    return one, NumberCheck(settings, PLACES).judge(one, 0.0)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_what_is_kept_of_a_head_is_so_of_all_national_numbers(country: str) -> None:
    draw, kept, code = random.Random(country), InlandNumbers(country), PLAN.code_of_country(country)
    plan = PhoneMetadata.metadata_for_region(country)
    assert plan is not None
    for _ in range(DRAWN):
        number = behind(code, draw)[:20]
        form = draw.random()
        if form < 0.3:
            number = f"{plan.national_prefix or ''}{number}"[:20]
        elif form < 0.35:
            number = f"{code.digits}{number}"[:20]
        for _ in range(3):
            if len(number) >= 7:
                assert kept.international(number) == inside_country(number, country), number
            number = with_another_end(number, draw)


@pytest.mark.parametrize(
    ("country", "address", "number"),
    [
        ("EE", "55512345", "37255512345"),
        ("EE", "5551 2345", "37255512345"),
        ("GB", "07400123456", "447400123456"),
        ("GB", "07400 123-456", "447400123456"),
        ("GB", "7400123456", "447400123456"),
        ("US", "2125551234", "12125551234"),
        ("US", "4165551234", "14165551234"),
        ("AR", "011 15-2345-6789", "5491123456789"),
        ("IT", "0612345678", "390612345678"),
        ("BR", "11961234567", "5511961234567"),
    ],
)
def test_national_number_is_read_as_one_of_the_country(
    country: str, address: str, number: str
) -> None:
    one, refusal = judged(account(country, "invalid"), address)
    assert refusal is None
    assert one.number == number
    assert one.place == PLACES.of(number)
    assert one.place.is_valid
    assert one.notes == [Note("number", "changed", f"read as a national number of {country}")]


@pytest.mark.parametrize(
    ("country", "address"),
    [
        ("EE", "37255512345"),
        ("EE", "+37255512345"),
        ("EE", "+55512345"),
        ("EE", "0055512345"),
        ("EE", "(00) 55512345"),
        ("EE", "12302"),
        ("EE", "99999999"),
        ("DE", "1684"),  # A short code, though a German number may be as short.
        ("SE", "201741"),
        ("US", "01137255512345"),  # As it is dialled abroad, and so no national one.
        ("", "55512345"),
    ],
)
def test_other_numbers_are_read_as_they_are(country: str, address: str) -> None:
    one, _ = judged(account(country), address)
    assert one.number == routing_key(address.encode())
    assert one.notes == []


def test_number_that_is_valid_both_ways_stays_international_and_is_counted() -> None:
    # A mobile of Spain, and a fixed line of Germany with the area code 346.
    found = [
        number
        for number in (f"346{n:08}" for n in range(10**7, 2 * 10**7, 99_991))
        if PLACES.of(number).is_valid and inside_country(number, "DE") not in ("", number)
    ]
    assert found
    one, refusal = judged(account("DE", "invalid"), found[0])
    assert refusal is None
    assert (one.number, one.place.country) == (found[0], "ES")
    assert one.notes == [Note("number", "counted", "would be a national number of DE, too")]


@pytest.mark.parametrize(
    ("unwanted", "address", "refusal"),
    [
        ("invalid", "37219912345", NO_SUCH_NUMBER),
        ("invalid", "12302", NO_SUCH_NUMBER),
        ("invalid", "999123456789", NO_SUCH_NUMBER),
        ("invalid", "37255512345", None),
        ("invalid", "12125551234", None),
        ("fixed", "3726123456", FIXED_LINE),
        ("fixed", "37255512345", None),
        ("fixed", "12125551234", None),  # It may be a mobile.
        ("fixed", "37219912345", None),
        ("premium", "3729001234", PREMIUM_NUMBER),
        ("premium", "37280012345", None),
        ("unknown_kind", "12125551234", UNKNOWN_LINE),
        ("unknown_kind", "37219912345", UNKNOWN_LINE),
        ("unknown_kind", "37255512345", None),
    ],
)
def test_unwanted_numbers_are_refused(
    unwanted: UnwantedNumber, address: str, refusal: Refusal | None
) -> None:
    assert judged(account("", unwanted), address)[1] == refusal


def test_invalid_number_is_told_as_such_whatever_else_is_refused() -> None:
    assert judged(account("", "unknown_kind", "invalid"), "12302")[1] is NO_SUCH_NUMBER


def test_one_word_for_all_unwanted_numbers() -> None:
    refusals = (NO_SUCH_NUMBER, FIXED_LINE, PREMIUM_NUMBER, UNKNOWN_LINE)
    assert {(one.reason, one.status) for one in refusals} == {("invalid_number", 0x0B)}
    assert len({one.why for one in refusals}) == 4


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("37255512345", False),
        ("55512345", False),  # Read as a national one first.
        ("358401234567", False),
        ("447400123456", True),
        ("447781123456", True),
        ("12302", True),
        ("80012345678", True),
    ],
)
def test_account_sends_to_its_countries_only(address: str, is_refused: bool) -> None:
    refusal = judged(account("EE", countries=("EE", "FI")), address)[1]
    assert refusal == (COUNTRY_NOT_ALLOWED if is_refused else None)


def test_number_with_the_code_of_the_country_is_no_other_one() -> None:
    kept = InlandNumbers("DE")
    number = next(
        number
        for number in (f"49151{n:08}" for n in range(10**7, 2 * 10**7, 99_991))
        if PLACES.of(number).is_valid
    )
    one, _ = judged(account("DE"), number)
    assert (one.number, one.notes) == (number, [])
    assert kept.international(number) == inside_country(number, "DE")


def test_unwanted_number_is_told_before_its_country() -> None:
    assert judged(account("", "fixed", countries=("FI",)), "3726123456")[1] is FIXED_LINE


def test_library_is_asked_once_for_a_national_head(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def asks(number: str, country: str) -> object:
        asked.append(number)
        return parse(number, country)

    monkeypatch.setattr(numbering, "parse", asks)
    kept = InlandNumbers("EE")
    assert kept.international("55512345") == "37255512345"
    assert {kept.international(f"5551{n:04}") for n in range(1_000)} == {
        f"3725551{n:04}" for n in range(1_000)
    }
    assert len(asked) <= 2


def test_accounts_of_a_country_share_what_is_known_of_its_numbers() -> None:
    places = Places()
    assert places.inland("EE") is places.inland("EE")
    assert places.inland("EE") is not places.inland("FI")
