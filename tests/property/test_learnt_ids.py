"""router/report/learnt_ids.py: while ids are learnt, no receipt is that of another message."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from router.report.correlate import Correlator
from router.terms.message import Message
from tests.unit.messages import message

WAYS = [
    (b"%x", b"%d"),
    (b"%08X", b"%010d"),
    (b"0x%x", b"%d"),
    (b"%d", b"%x"),
    (b"%d", b"0x%X"),
    (b"%x", b"0x%x"),
    (b"%d", b"%d"),
    (b"%X", b"%x"),
]
"""How an operator writes its numbers, in answers and in receipts."""


class At(NamedTuple):
    """The addresses of a receipt."""

    source_octets: bytes
    destination_octets: bytes = b"\5\0BANK\0"


@st.composite
def numbers(draw: st.DrawFn) -> list[int]:
    """What an operator counts by: ones, with gaps, or at random; at random beyond 63 bits."""
    if draw(st.booleans()):
        return draw(
            st.lists(st.integers(1, 2**66), min_size=1, max_size=40, unique=True)
            | st.lists(st.integers(1, 700), min_size=1, max_size=60, unique=True)
        )
    # Small ones, among which one in hex reads as another in decimal.
    first, step = draw(st.integers(1, 20)), draw(st.integers(1, 3))
    return list(range(first, first + step * draw(st.integers(40, 120)), step))


@given(
    way=st.sampled_from(WAYS),
    counted=numbers(),
    data=st.data(),
    at_once=st.integers(20, 80),
    national=st.booleans(),
)
def test_no_receipt_is_taken_for_that_of_another_message(
    way: tuple[bytes, bytes], counted: list[int], data: st.DataObject, at_once: int, national: bool
) -> None:
    """Receipts come in any order, and again; each names the number of its message."""
    in_response, in_receipt = way
    correlator = Correlator(None, 100.0)
    waiting: list[tuple[int, Message]] = []
    left = list(enumerate(counted))
    while left or waiting:
        for place, number in left[:at_once]:
            one = message(place, destination=b"37255%06d" % place)
            correlator.expect(correlator.of_response(in_response % number), one, float(place))
            waiting.append((number, one))
        del left[:at_once]
        several = data.draw(st.integers(1, len(waiting)))
        for number, one in data.draw(st.permutations(waiting))[:several]:
            to = b"\1\1" + (
                b"0" + one.destination_octets[5:] if national else one.destination_octets[2:]
            )
            for again in (False, True):
                operator_id, found = correlator.find(in_receipt % number, At(to))
                sign, correlator.sign = correlator.sign, None
                assert found is (None if again else one)
                if found is not None:
                    if sign is not None:
                        correlator.learn(sign)
                    correlator.close(operator_id, found)
            waiting.remove((number, one))
    rule = None if correlator.learnt is None else correlator.learnt.rule
    if rule is not None:
        for number in counted:
            assert rule.of_receipt(in_receipt % number) == correlator.of_response(
                in_response % number
            )
