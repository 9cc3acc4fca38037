"""router/check/places.py: the place of each number is that which the library tells of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberDesc,
    PhoneNumberType,
    is_valid_number,
    number_type,
    parse,
    region_code_for_number,
)
from phonenumbers.timezone import time_zones_for_number

from router.check import numbering
from router.check.numbering import COUNTRIES, PLAN, SHORTEST_DIGITS, place_by_library
from router.check.places import FIRST_DIGITS, Places
from router.check.zones import ZONES
from router.terms.names import NO_COUNTRY
from router.terms.place import NOWHERE, Place
from tests.unit.check.drawn import behind, code_of, with_another_end

DRAWN = 40
"""Heads of each country code; of each a few numbers."""
EE = Place("EE", "", "mobile", is_valid=True, zone="Europe/Tallinn")


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_what_is_kept_of_a_head_is_so_of_all_its_numbers(code: int) -> None:
    draw, kept, of_code = random.Random(code), Places(), code_of(str(code))
    for _ in range(DRAWN):
        number = f"{code}{behind(of_code, draw)}"[:20]
        for _ in range(3):
            assert kept.of(number) == place_by_library(number, of_code), number
            number = with_another_end(number, draw)


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_place_is_what_each_function_of_the_library_says(code: int) -> None:
    draw, of_code = random.Random(-code), code_of(str(code))
    for _ in range(DRAWN):
        number = f"{code}{behind(of_code, draw)}"[:20]
        place = place_by_library(number, of_code)
        try:
            found = parse(f"+{number}")
        except NumberParseException:
            assert not place.is_valid
            continue
        if len(number) < SHORTEST_DIGITS:
            assert not is_valid_number(found)  # Else it would be no short code.
            continue
        assert place.is_valid == is_valid_number(found)
        region = region_code_for_number(found) or of_code.countries[0]
        assert place.country == (NO_COUNTRY if region == "001" else region)
        kind = PhoneNumberType.to_string(number_type(found)).lower()
        told = {"fixed_line": "fixed", "fixed_line_or_mobile": "fixed_or_mobile",
                "premium_rate": "premium", "mobile": "mobile", "unknown": "unknown"}  # fmt: skip
        assert place.kind == told.get(kind, "other")
        zones = time_zones_for_number(found)
        if place.is_valid and region not in ZONES:
            assert place.zone == (zones[0] if len(zones) == 1 else "").replace("Etc/Unknown", "")
        else:
            assert place.zone == ZONES.get(region, "")


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("37255512345", EE),
        ("3726123456", EE._replace(kind="fixed")),
        ("3729001234", EE._replace(kind="premium")),
        ("37280012345", EE._replace(kind="other")),
        ("37219912345", EE._replace(kind="unknown", is_valid=False)),
        ("447400123456", Place("GB", "", "mobile", is_valid=True, zone="Europe/London")),
        ("447781123456", Place("GG", "", "mobile", is_valid=True, zone="Europe/Guernsey")),
        ("12125551234", Place("US", "", "fixed_or_mobile", is_valid=True, zone="America/New_York")),
        ("13105551234", Place("US", "", "fixed_or_mobile", True, "America/Los_Angeles")),
        ("34612345678", Place("ES", "", "mobile", is_valid=True, zone="")),
        ("34922123456", Place("ES", "", "fixed", is_valid=True, zone="Atlantic/Canary")),
        ("5491123456789", Place("AR", "", "mobile", True, "America/Argentina/Buenos_Aires")),
        ("18005551234", Place("US", "", "other", is_valid=True, zone="")),
        ("80012345678", Place(NO_COUNTRY, "", "other", is_valid=True, zone="")),
        ("6834000", Place("NU", "", "fixed", is_valid=True, zone="Pacific/Niue")),
    ],
)
def test_place_of_a_number(number: str, place: Place) -> None:
    assert Places().of(number) == place


@pytest.mark.parametrize(
    "number",
    [
        *("", "1", "12302", "372555", "999123456789", "0123456789", "1" * 21, "9" * 40, "Telia"),
        *("37²55512345", "٣٧٢٥٥٥١٢٣٤٥"),
    ],
)
def test_what_is_no_number_is_nowhere(number: str) -> None:
    assert Places({"1": "24801"}).of(number) is NOWHERE


def test_number_of_wrong_length_is_of_the_country_of_its_code() -> None:
    kept = Places()
    for number in ("3725551", "372555123456789", "3725551234567890123"):
        assert kept.of(number) == EE._replace(kind="unknown", is_valid=False)
    assert kept.of("1000000000").country == "US"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers that the library is asked about."""
    numbers: list[str] = []

    def asks(number: str) -> object:
        numbers.append(number)
        return parse(number)

    monkeypatch.setattr(numbering, "parse", asks)
    return numbers


def test_library_is_asked_once_for_a_head(asked: list[str]) -> None:
    kept = Places()
    assert {kept.of(f"3725551{n:04}") for n in range(1_000)} == {EE}
    assert len(asked) == 1
    assert kept.of("3725551") != EE
    assert len(asked) == 2


# Networks.

beginnings = st.sampled_from(("372", "3725", "37255512"))
digits = st.text("12", max_size=4)
networks = st.dictionaries(
    st.builds(str.__add__, beginnings | st.sampled_from(("3", "")), digits).filter(bool),
    st.sampled_from(("24801", "24802", "24803")),
    max_size=8,
)
numbers = st.builds(str.__add__, beginnings, st.text("12", min_size=4, max_size=8))


@given(files=networks, drawn=st.lists(numbers, max_size=10))
def test_longest_prefix_tells_the_network(files: dict[str, str], drawn: list[str]) -> None:
    kept, plain = Places(files), Places()
    for number in drawn:
        fitting = [one for one in files if number.startswith(one)]
        wanted = plain.of(number)
        if fitting and wanted is not NOWHERE:
            wanted = wanted._replace(network=files[max(fitting, key=len)])
        assert kept.of(number) == wanted


def test_equal_places_are_one_object() -> None:
    kept = Places({"3725": "24801", "37251234567": "24802"})
    assert kept.of("37255512345") is kept.of("37256612345")
    assert kept.of("37251234567") is kept.of("37251234567")


def test_zone_of_a_country_goes_before_that_of_the_plan() -> None:
    kept = Places(zones={"US": "America/Denver", "EE": "UTC"})
    assert kept.of("12125551234").zone == "America/Denver"
    assert kept.of("37255512345").zone == "UTC"
    assert kept.of("4915112345678").zone == "Europe/Berlin"


# Bounds.


def test_so_many_heads_are_kept_and_those_that_are_used_stay(asked: list[str]) -> None:
    kept = Places(most=50)
    for n in range(1_000):
        kept.of(f"4915{n:03}12345")
        kept.of("37255512345")
        assert kept.heads <= 2 * 51
    assert asked.count("+37255512345") == 1
    assert len(asked) == 1 + 100  # Six digits decide.


def test_every_country_has_a_code_and_most_mobiles_need_one_look() -> None:
    for country in COUNTRIES:
        code = PLAN.code_of_country(country)
        assert country in code.countries
    looked = [code_of(one).depth(one[3:FIRST_DIGITS], 8) for one in ("372555", "370612", "371212")]
    assert max(looked) <= FIRST_DIGITS - 3


def test_plan_with_a_pattern_that_is_not_known_needs_whole_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Plans:
        """Of a later version of the library."""

        @staticmethod
        def metadata_for_region_or_calling_code(code: int, country: str) -> PhoneMetadata:
            return PhoneMetadata(
                country, country_code=code, general_desc=PhoneNumberDesc("(?=5)5.+"), register=False
            )

    monkeypatch.setattr(numbering, "PhoneMetadata", Plans)
    assert numbering.Code(372).depth("555", 8) == 8
    assert numbering.Code(372).depth_inside("5551", 8, "EE") == 8
