"""The whole router: what the operator gets differs from what the client sent only in the header.

Whatever the fields hold: times, TON and NPI values that no list has, vendor TLVs, any octets.
"""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router, World, data_sm

OCTET = st.integers(0, 255)
WORD = st.binary(max_size=5).filter(lambda octets: b"\0" not in octets)
SOURCE = st.tuples(OCTET, OCTET, st.binary(max_size=20).filter(lambda octets: b"\0" not in octets))
DESTINATION = st.tuples(
    OCTET,
    OCTET,
    st.sampled_from([b"37255512345", b"+37255512345", b"0037255512345", b"+372 (555) 12-345"]),
)
TLVS = st.lists(
    st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)).map(lambda one: p.tlv(*one)),
    max_size=5,
).map(b"".join)
VALIDITY = st.sampled_from([b"", b"000002000000000R", b"310101000000000+", b"301231235959948-"])


@dataclass
class Joined:
    """A router between one client and one operator, for all examples of a property."""

    world: World
    router: Router
    client: Client
    operator: Operator

    def carry(self, octets: bytes) -> p.Pdu:
        """Submit it; return what the operator got."""
        before = len(self.operator.submits)
        self.client.far.send(octets)
        self.world.run(0.05)
        answer = list(self.client.answers.values())[-1]
        assert answer.command_status == v.ESME_ROK
        ((_, pdu),) = self.operator.submits[before:]
        return pdu


def joined(contract: Settings, account: bytes = b"bank", password: bytes = b"secret01") -> Joined:
    world = World()
    router = Router(world, contract)
    operator = router.operator("telia")
    return Joined(world, router, router.client(account, password), operator)


@st.composite
def submits(draw: st.DrawFn) -> bytes:
    """A submit_sm that the router accepts."""
    return p.sm(
        v.SUBMIT_SM,
        draw(st.integers(1, 0x7FFFFFFF)),
        source=draw(SOURCE),
        destination=draw(DESTINATION),
        short_message=draw(st.binary(max_size=254)),
        service_type=draw(WORD),
        esm_class=draw(OCTET),
        protocol_id=draw(OCTET),
        priority_flag=draw(OCTET),
        schedule_delivery_time=draw(st.sampled_from([b"", b"000000000500000R", b"nonsense"])),
        validity_period=draw(VALIDITY),
        registered_delivery=draw(OCTET),
        replace_if_present_flag=draw(OCTET),
        data_coding=draw(OCTET),
        sm_default_msg_id=draw(OCTET),
        tlvs=draw(TLVS),
    )


@given(octets=submits())
def test_a_submit_sm_leaves_as_it_came(contract: Settings, octets: bytes) -> None:
    pdu = joined(contract).carry(octets)
    assert pdu.command_id == v.SUBMIT_SM
    assert pdu.octets[16:] == octets[16:]


@given(
    source=SOURCE,
    destination=DESTINATION,
    esm_class=OCTET,
    registered_delivery=OCTET,
    data_coding=OCTET,
    tlvs=TLVS,
)
def test_a_data_sm_leaves_as_it_came(
    contract: Settings,
    source: tuple[int, int, bytes],
    destination: tuple[int, int, bytes],
    esm_class: int,
    registered_delivery: int,
    data_coding: int,
    tlvs: bytes,
) -> None:
    octets = data_sm(
        77,
        source=source,
        destination=destination,
        esm_class=esm_class,
        registered_delivery=registered_delivery,
        data_coding=data_coding,
        tlvs=tlvs,
    )
    pdu = joined(contract).carry(octets)
    assert pdu.command_id == v.DATA_SM
    assert pdu.octets[16:] == octets[16:]


@given(octets=submits())
def test_what_is_sent_again_is_the_same(contract: Settings, octets: bytes) -> None:
    one = joined(contract)
    elisa = one.router.operator("elisa")
    one.operator.status = lambda _: 0x4FF
    pdu = one.carry(octets)
    one.world.run(0.1)
    ((_, again),) = elisa.submits
    assert again.octets[16:] == pdu.octets[16:] == octets[16:]


@given(octets=submits(), cuts=st.lists(st.integers(0, 600), max_size=6))
def test_the_pieces_in_which_it_comes_do_not_matter(
    contract: Settings, octets: bytes, cuts: list[int]
) -> None:
    one = joined(contract)
    ends = sorted({min(cut, len(octets)) for cut in cuts} | {0, len(octets)})
    for a, b in pairwise(ends):
        one.client.far.send(octets[a:b])
        one.world.run(0.01)
    one.world.run(0.05)
    ((_, pdu),) = one.operator.submits
    assert pdu.octets[16:] == octets[16:]


def test_the_lanes_validity_is_not_written_into_the_message(contract: Settings) -> None:
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"37255512345"), short_message=b"otp")
    pdu = joined(contract).carry(octets)
    assert p.Sm(pdu).validity_period == b""


def test_the_parts_of_a_long_message_stay_together_and_in_order(contract: Settings) -> None:
    one = joined(contract)
    parts = [
        p.sm(
            v.SUBMIT_SM,
            number,
            source=(5, 0, b"BANK"),
            destination=(1, 1, b"37255512345"),
            esm_class=0x40,
            short_message=b"\x06\x08\x04\x12\x34\x07" + bytes((number,)) + b"x" * 130,
            tlvs=p.tlv(0x0426, b"\x01"),
        )
        for number in range(1, 8)
    ]
    for part in parts:
        one.client.far.send(part)
    one.world.run(1.0)
    assert [pdu.octets[16:] for _, pdu in one.operator.submits] == [part[16:] for part in parts]


@given(text=st.binary(max_size=254), coding=OCTET, esm_class=st.sampled_from([0, 1, 3, 0x40]))
def test_a_subscribers_message_reaches_the_client_as_it_came(
    contract: Settings, text: bytes, coding: int, esm_class: int
) -> None:
    one = joined(contract)
    octets = p.sm(
        v.DELIVER_SM,
        5,
        source=(1, 1, b"37255512345"),
        destination=(3, 0, b"12302"),
        esm_class=esm_class,
        data_coding=coding,
        short_message=text,
        tlvs=p.tlv(0x1400, b"vendor"),
    )
    one.operator.far.send(octets)
    one.world.run(0.1)
    (got,) = one.client.receipts  # No keyword, or hardly: all rules but one lead to bank.
    assert got.octets[16:] == octets[16:]
