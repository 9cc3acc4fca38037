"""router/smpp/numbers.py: one telephone is one number, however it was written, and fits."""

from hypothesis import given
from hypothesis import strategies as st

from router.check.number import routing_key
from router.smpp import pdu as p
from router.smpp.numbers import WireNumbers
from router.smpp.pdu import LONGEST_ADDRESS
from router.terms.settings import NumberForm, NumberSettings

FORMS: list[NumberForm] = ["e164", "plus", "00", "national"]
OCTET = st.integers(0, 255)
ANY = st.tuples(OCTET, OCTET, st.binary(max_size=20).filter(lambda octets: b"\0" not in octets))
NUMBER = st.from_regex(r"[1-9][0-9]{8,14}", fullmatch=True)
WIRES = st.builds(
    lambda form, code, prefix: WireNumbers(
        NumberSettings(normalise=form, country_code=code, national_prefix=prefix)
    ),
    st.sampled_from(FORMS),
    st.from_regex(r"[1-9][0-9]{0,2}", fullmatch=True),
    st.sampled_from(["", "0", "8"]),
)


@given(wire=WIRES, number=NUMBER, ton=st.sampled_from([0, 1]))
def test_a_number_goes_alike_however_a_client_writes_it(
    wire: WireNumbers, number: str, ton: int
) -> None:
    written = {
        wire.written(p.address(ton, 1, mark + number.encode())) for mark in (b"", b"+", b"00")
    }
    assert len(written) == 1


@given(wire=WIRES, number=NUMBER)
def test_what_comes_back_is_the_number_that_was_routed(wire: WireNumbers, number: str) -> None:
    went = wire.written(p.address(1, 1, number.encode()))
    assert routing_key(wire.read(went)[2:-1]) == number


@given(wire=WIRES, address=ANY)
def test_any_address_is_written_within_its_field_and_always_alike(
    wire: WireNumbers, address: tuple[int, int, bytes]
) -> None:
    octets = p.address(*address)
    written = wire.written(octets)
    assert written.count(b"\0", 2) == 1
    assert written.endswith(b"\0")
    assert len(written[2:-1]) <= LONGEST_ADDRESS
    assert wire.written(written) == written or not address[2].isdigit()
    assert len(wire.read(octets)[2:-1]) <= LONGEST_ADDRESS
