"""router/check/country.py: the country that the library says, for the price of a look-up."""

import random

import pytest
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    parse,
    region_code_for_number,
)

from router.check import country
from router.check.country import Countries
from router.terms.names import NO_COUNTRY

DRAWN = 400
"""Numbers of each country code."""


@pytest.fixture(scope="module")
def countries() -> Countries:
    return Countries()


def address(number: str) -> bytes:
    return b"\1\1" + number.encode() + b"\0"


def by_the_library(number: str) -> str:
    try:
        told = region_code_for_number(parse(f"+{number}"))
    except NumberParseException:
        told = None
    code = next(
        int(number[:n]) for n in (1, 2, 3) if int(number[:n]) in COUNTRY_CODE_TO_REGION_CODE
    )
    main = told or COUNTRY_CODE_TO_REGION_CODE[code][0]
    return NO_COUNTRY if main == "001" else main


@pytest.mark.parametrize(
    ("number", "is_of"),
    [
        ("37255512345", "EE"),
        ("+37255512345", "EE"),
        ("0037255512345", "EE"),
        ("+372 555 12345", "EE"),
        ("447400123456", "GB"),
        ("447781123456", "GG"),
        ("14165551234", "CA"),
        ("12125551234", "US"),
        ("77011234567", "KZ"),
        ("79161234567", "RU"),
        ("6834000", "NU"),
    ],
)
def test_country_of_a_number_however_it_is_written(
    number: str, is_of: str, countries: Countries
) -> None:
    assert countries.of(address(number)) == is_of


@pytest.mark.parametrize(
    "number",
    ["12302", "112", "372555", "+123", "Telia", "", "999123456789", "88212345678", "80012345678"],
)
def test_number_of_no_country_says_so(number: str, countries: Countries) -> None:
    assert countries.of(address(number)) == NO_COUNTRY


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_what_is_kept_of_a_head_is_what_the_library_says_of_the_number(
    code: int, countries: Countries
) -> None:
    draw = random.Random(code)
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    for _ in range(DRAWN if len(regions) > 1 else 10):
        head = str(draw.randrange(10**5)).zfill(5)
        length = draw.choice((7, 8, 9, 10, 10))
        about = PhoneMetadata.metadata_for_region(draw.choice(regions))
        if about is not None and draw.random() < 0.7:  # Near the numbers that there are.
            kinds = [kind for kind in (about.mobile, about.fixed_line) if kind is not None]
            example = draw.choice(kinds).example_number
            if example is not None:
                head, length = example[: draw.choice((3, 4, 5))], len(example)
        rest = "".join(draw.choice("0123456789") for _ in range(length - len(head)))
        number = f"{code}{head}{rest}"
        if len(number) >= country.SHORTEST_DIGITS:
            assert countries.of(address(number)) == by_the_library(number), number


def test_library_is_asked_once_for_a_head(
    countries: Countries, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def asks(number: str) -> object:
        asked.append(number)
        return parse(number)

    monkeypatch.setattr(country, "parse", asks)
    kept = Countries()
    asked.clear()
    numbers = [f"1416555{n:04}" for n in range(1000)]
    assert {kept.of(address(number)) for number in numbers} == {"CA"}
    assert len(asked) == 1
    assert kept.of(address("37255512345")) == "EE"
    assert len(asked) == 1
    assert kept.of(address("141655512")) == "US"  # Of another length it is no number.
    assert len(asked) == 2
