"""router/check/number.py: the routing key of whatever a client writes as a destination."""

import pytest

from router.check.number import LONGEST_DIGITS, routing_key


@pytest.mark.parametrize(
    "address",
    [
        b"46701234567",
        b"+46701234567",
        b"0046701234567",
        b"+46 70 123 45 67",
        b"+46-70-1234567",
        b"46.70.123.45.67",
        b"+46(70)1234567",
        b" 46701234567 ",
        b"00 46 70 123 45 67",
        b"00-46-70-123-45-67",
        b"0 046701234567",
    ],
)
def test_one_number_has_one_key_however_it_is_written(address: bytes) -> None:
    assert routing_key(address) == "46701234567"


@pytest.mark.parametrize("address", [b"0701234567", b"112", b"1", b"0"])
def test_number_without_country_code_or_short_code_stays_as_it_is(address: bytes) -> None:
    assert routing_key(address) == address.decode()


def test_only_the_leading_zeros_are_a_prefix() -> None:
    assert routing_key(b"4600123") == "4600123"


@pytest.mark.parametrize("address", [b"", b" ", b"+", b"00", b"+00", b"0 0", b"-", b"().-+"])
def test_empty_number_is_no_number(address: bytes) -> None:
    assert routing_key(address) is None


@pytest.mark.parametrize(
    "address",
    [
        b"Telia",
        b"4670123456a",
        b"x46701234567",
        b"46701234567,46701234568",
        b"46/70",
        b"46_70",
        b"46*70#",
        b"46\t70",
        b"46701234567\n",
        b"-46\x0070",
        b"46\xa070",
        b"\xb2\xb3",
        "٤٦".encode(),
    ],
)
def test_letters_and_other_characters_make_it_no_number(address: bytes) -> None:
    assert routing_key(address) is None


@pytest.mark.parametrize("address", [b"46+70", b"4670+", b"++4670", b"+46+70"])
def test_plus_inside_a_number_makes_it_no_number(address: bytes) -> None:
    assert routing_key(address) is None


@pytest.mark.parametrize("before", [b"", b"+", b"00", b"+ (", b"00-"])
def test_length_counts_digits_of_the_key_alone(before: bytes) -> None:
    longest = b"4" * LONGEST_DIGITS
    assert routing_key(before + longest) == longest.decode()
    assert routing_key(before + longest + b"4") is None


def test_longest_number_is_that_of_the_wire() -> None:
    assert LONGEST_DIGITS == 20
