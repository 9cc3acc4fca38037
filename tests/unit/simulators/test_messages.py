"""simulators/messages.py."""

from random import Random

import pytest

from router.smpp import pdu as p
from router.smpp import segments
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from simulators.messages import (
    Messages,
    MessageSettings,
    find_token,
    number_pattern,
    sender_address,
    token,
)
from simulators.units import UnitError


def _view(octets: bytes) -> Sm:
    return Sm(Framer(70_000).feed(octets)[0])


def _messages(**settings: object) -> Messages:
    patterns = [number_pattern("3725{7}"), number_pattern("+35840{6}")]
    made = MessageSettings(destinations=patterns, **settings)  # type: ignore[arg-type]
    return Messages(made, "ab12", Random(1))


def test_pattern_is_a_prefix_and_so_many_digits() -> None:
    number = number_pattern("3725{7}").number(Random(3))
    assert len(number) == 11
    assert number.startswith("3725")
    assert number.isdigit()
    assert number_pattern("37255500001").number(Random(3)) == "37255500001"


@pytest.mark.parametrize("text", ["", "BANK", "3725{x}", "3725{7}1", "1234567890{11}"])
def test_pattern_that_makes_no_number_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        number_pattern(text)


def test_built_message_reads_as_it_was_meant() -> None:
    messages = _messages(text="Code 4711 {token} bye", priority_flag=2, service_type="OTP")
    for index in (0, 1, 99_999_999):
        octets, number = messages.build(index)
        sm = _view(octets)
        assert sm.destination == (1, 1, number)
        assert sm.source_octets == messages.sender_octets == b"\x05\x00BANK\x00"
        assert sm.short_message == b"Code 4711 " + token("ab12", index) + b" bye"
        assert (sm.priority_flag, sm.service_type, sm.registered_delivery) == (2, b"OTP", 1)
        assert find_token(sm) == token("ab12", index)
        assert octets == p.sm(
            v.SUBMIT_SM,
            0,
            source=(5, 0, b"BANK"),
            destination=(1, 1, number),
            short_message=sm.short_message,
            service_type=b"OTP",
            priority_flag=2,
            registered_delivery=1,
        )


def test_parts_of_a_long_message_have_one_number_and_a_header_each() -> None:
    messages = _messages(segments=3, service_type="OTP")
    built = [messages.build(index) for index in range(600, 606)]
    sms = [_view(octets) for octets, _ in built]
    assert [number for _, number in built] == [sm.destination_addr for sm in sms]
    assert len({number for _, number in built[:3]}) == len({number for _, number in built[3:]}) == 1
    assert built[0][1] != built[3][1]
    assert [find_token(sm) for sm in sms] == [token("ab12", index) for index in range(600, 606)]
    assert [segments.part_of(sm) for sm in sms] == [
        segments.Part(200 + index // 3, 3, index % 3 + 1) for index in range(6)
    ]


def test_header_of_a_part_takes_room_from_its_text() -> None:
    _messages(text="x" * (254 - 15))
    _messages(text="x" * (254 - 15 - 6), segments=2)
    with pytest.raises(UnitError):
        _messages(text="x" * (254 - 15), segments=2)


def test_service_type_beyond_ascii_leaves_the_number_whole() -> None:
    octets, number = _messages(service_type="ж").build(0)
    sm = _view(octets)
    assert sm.service_type == "ж".encode()
    assert sm.destination == (1, 1, number)


def test_token_goes_to_the_end_where_no_place_is_named() -> None:
    octets, _ = _messages(text="Hello").build(7)
    assert _view(octets).short_message == b"Hello #ab12-00000007"


def test_text_beyond_the_gsm_alphabet_keeps_its_token() -> None:
    octets, _ = _messages(text="Привет").build(7)
    sm = _view(octets)
    assert sm.data_coding == 8
    assert sm.short_message.decode("utf-16-be") == "Привет #ab12-00000007"
    assert find_token(sm) == b"#ab12-00000007"


def test_token_is_found_in_a_message_payload() -> None:
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        destination=(1, 1, b"372"),
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"x" * 300 + b"#ab12-00000007"),
    )
    assert find_token(_view(octets)) == b"#ab12-00000007"


@pytest.mark.parametrize("text", [b"", b"#ab12-0000007", b"#AB12-00000007", b"ab12-00000007"])
def test_other_text_has_no_token(text: bytes) -> None:
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"372"), short_message=text)
    assert find_token(_view(octets)) is None


def test_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnitError, match="254"):
        _messages(text="x" * 241)
    _messages(text="x" * 239)


def test_runs_with_one_seed_go_to_the_same_numbers() -> None:
    first, second = _messages(), _messages()
    assert [first.build(n) for n in range(20)] == [second.build(n) for n in range(20)]


@pytest.mark.parametrize(
    ("sender", "address"),
    [("BANK", (5, 0, b"BANK")), ("12302", (1, 1, b"12302")), ("+3725550", (1, 1, b"3725550"))],
)
def test_sender_is_a_name_or_a_number(sender: str, address: tuple[int, int, bytes]) -> None:
    assert sender_address(sender) == address


def test_name_that_no_network_carries_is_refused() -> None:
    with pytest.raises(UnitError):
        sender_address("A name too long")
