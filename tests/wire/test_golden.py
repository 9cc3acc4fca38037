"""router/smpp/pdu.py and receipt.py against whole PDUs that were written down by hand.

Each `.hex` file here holds one PDU: its source in the first line, then its fields as the
specification lists them, with a remark behind `#`.
"""

from pathlib import Path
from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu, Sm
from router.smpp.receipt import Receipt
from router.smpp.session import Session, Timers
from router.smpp.states import Side
from tests.unit.messages import values

HERE: Final = Path(__file__).parent
FILES: Final = {path.stem: path for path in sorted(HERE.glob("*.hex"))}
SENDER: Final = (5, 0, b"MESSENTE")
SUBSCRIBER: Final = (1, 1, b"3725550001")


def golden(name: str) -> bytes:
    """The octets of one file."""
    lines = FILES[name].read_text(encoding="utf-8").splitlines()
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in lines))


def framed(name: str) -> Pdu:
    framer = Framer(1000)
    (pdu,) = framer.feed(golden(name))
    assert framer.feed(b"") == []
    return pdu


def tlvs(*pairs: tuple[int, bytes]) -> bytes:
    return b"".join(p.tlv(tag, value) for tag, value in pairs)


def accepted(bind: str, version: int) -> bytes:
    """What the router answers to this bind request."""
    timers = Timers(bind_s=5, enquire_link_s=30, response_s=30)
    session = Session(Side.MC, timers, 1000, 0.0)
    session.receive(golden(bind), 0.0)
    session.accept_bind(b"smpp-router", version, 0.0)
    return session.take_octets()


BUILT: Final = {
    "bind_receiver": p.bind(
        v.BIND_RECEIVER,
        0x7FFFFFFF,
        system_id=b"agg1",
        password=b"pw1",
        interface_version=v.VERSION_3_3,
    ),
    "bind_transceiver": p.bind(
        v.BIND_TRANSCEIVER,
        1,
        system_id=b"bank",
        password=b"secret01",
        system_type=b"OTP",
        address_range=(1, 1, b"^3725"),
    ),
    "bind_transceiver_resp": accepted("bind_transceiver", v.VERSION_3_4),
    "bind_receiver_resp": accepted("bind_receiver", v.VERSION_3_3),
    "bind_transceiver_resp_refused": p.bind_response(
        v.BIND_TRANSCEIVER, 1, v.ESME_RINVPASWD, b"smpp-router"
    ),
    "submit_sm": p.sm(
        v.SUBMIT_SM,
        7,
        source=SENDER,
        destination=SUBSCRIBER,
        short_message=b"Tere",
        registered_delivery=1,
    ),
    "submit_sm_part": p.sm(
        v.SUBMIT_SM,
        42,
        service_type=b"WAP",
        source=(1, 1, b"3725550002"),
        destination=SUBSCRIBER,
        esm_class=0x43,
        protocol_id=0x3F,
        priority_flag=3,
        schedule_delivery_time=b"251122170000012+",
        validity_period=b"000002000000000R",
        registered_delivery=0x11,
        replace_if_present_flag=1,
        data_coding=8,
        sm_default_msg_id=5,
        short_message=b"\x05\x00\x03\x2a\x02\x01" + "õž".encode("utf-16-be"),
    ),
    "submit_sm_payload": p.sm(
        v.SUBMIT_SM,
        0xFFFFFFFF,
        destination=SUBSCRIBER,
        data_coding=0xF5,
        tlvs=tlvs(
            (0x1401, b"\xff\x00\x80"),
            (v.MESSAGE_PAYLOAD, b"Tere"),
            (0x1401, b"\x01"),
            (0x130C, b""),
        ),
    ),
    "submit_sm_resp": p.response(v.SUBMIT_SM, 7, body=b"31060CC2\0"),
    "submit_sm_resp_throttled": p.response(v.SUBMIT_SM, 7, v.ESME_RTHROTTLED, b"31060CC2\0"),
    "submit_sm_resp_vendor": p.build(v.SUBMIT_SM_RESP, 0x401, 7, b"31060CC2\0"),
    "deliver_sm_receipt": p.relay(
        r.deliver_sm(
            client_id=b"31060CC2",
            state=r.State.DELIVERED,
            err=b"000",
            submitted=b"2511221700",
            done=b"2511221705",
            source_octets=p.address(*SUBSCRIBER),
            destination_octets=p.address(*SENDER),
            tlvs=True,
            network_error_code=b"\x03\x00\x00",
        ),
        16,
    ),
    "deliver_sm_resp": p.response(v.DELIVER_SM, 16, body=b"\0"),
    "enquire_link": p.build(v.ENQUIRE_LINK, 0, 5),
    "enquire_link_resp": p.response(v.ENQUIRE_LINK, 5),
    "unbind": p.build(v.UNBIND, 0, 6),
    "unbind_resp": p.response(v.UNBIND, 6),
    "generic_nack": p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, 8),
}
"""What the builders make where the file says the same."""

ONLY_READ: Final = {"outbind", "data_sm"}
"""The router never writes these."""


def test_every_file_is_built_or_read_by_a_test() -> None:
    assert set(FILES) == set(BUILT) | ONLY_READ


@pytest.mark.parametrize("name", FILES)
def test_every_file_names_its_source_first(name: str) -> None:
    first = FILES[name].read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# Built from ")
    assert "SMPP v3.4, " in first


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_one_pdu_of_its_command(name: str) -> None:
    pdu = framed(name)
    assert pdu.octets == golden(name)
    assert name.startswith(v.command_name(pdu.command_id))


@pytest.mark.parametrize("name", BUILT)
def test_builders_write_what_was_written_down(name: str) -> None:
    assert BUILT[name].hex() == golden(name).hex()


@pytest.mark.parametrize("name", [name for name in FILES if name[:6] in ("submit", "delive")])
def test_relay_keeps_what_was_written_down(name: str) -> None:
    octets = golden(name)
    assert p.relay(octets, 99)[16:] == octets[16:]
    if "resp" not in name:
        assert p.relay_with(Sm(framed(name)), 99) == p.relay(octets, 99)


def test_bind_request_is_read() -> None:
    request = p.BindRequest(framed("bind_transceiver"))
    assert (request.system_id, request.password) == (b"bank", b"secret01")
    assert (request.system_type, request.interface_version) == (b"OTP", 0x34)


def test_part_of_a_long_message_is_read() -> None:
    sm = Sm(framed("submit_sm_part"))
    assert sm.service_type == b"WAP"
    assert (sm.source, sm.destination) == ((1, 1, b"3725550002"), SUBSCRIBER)
    assert (sm.esm_class, sm.priority_flag) == (0x43, 3)
    assert sm.schedule_delivery_time == b"251122170000012+"
    assert sm.validity_period == b"000002000000000R"
    assert (sm.registered_delivery, sm.data_coding) == (0x11, 8)
    assert sm.short_message == bytes.fromhex("050003 2a0201 00f5 017e")


def test_message_payload_and_vendors_tlvs_are_read() -> None:
    sm = Sm(framed("submit_sm_payload"))
    assert (sm.short_message, sm.message) == (b"", b"Tere")
    assert sm.data_coding == 0xF5
    assert list(sm.tlvs()) == [
        (0x1401, b"\xff\x00\x80"),
        (v.MESSAGE_PAYLOAD, b"Tere"),
        (0x1401, b"\x01"),
        (0x130C, b""),
    ]


def test_data_sm_is_read_and_becomes_a_deliver_sm() -> None:
    sm = Sm(framed("data_sm"))
    assert sm.service_type == b"USSD"
    assert (sm.source, sm.destination) == (SUBSCRIBER, (3, 0, b"12302"))
    assert (sm.esm_class, sm.registered_delivery, sm.data_coding) == (0x20, 0, 8)
    assert sm.message == "Te".encode("utf-16-be")
    assert p.deliver_sm_from_data_sm(sm) == p.sm(
        v.DELIVER_SM,
        0,
        service_type=b"USSD",
        source=SUBSCRIBER,
        destination=(3, 0, b"12302"),
        esm_class=0x20,
        data_coding=8,
        short_message="Te".encode("utf-16-be"),
    )


@pytest.mark.parametrize("name", ["submit_sm_resp", "submit_sm_resp_vendor"])
def test_message_id_is_read(name: str) -> None:
    assert p.message_id_of(framed(name)) == b"31060CC2"


def test_receipt_is_recognised() -> None:
    expected = Receipt(b"31060CC2", r.State.DELIVERED, b"000", b"2511221705", b"\x03\x00\x00")
    assert values(r.recognise(Sm(framed("deliver_sm_receipt")))) == values(expected)


@pytest.mark.parametrize("name", ["outbind", "unbind", "enquire_link", "generic_nack"])
def test_session_lives_on_whatever_comes_first(name: str) -> None:
    timers = Timers(bind_s=5, enquire_link_s=30, response_s=30)
    for side in Side:
        session = Session(side, timers, 1000, 0.0)
        assert session.receive(golden(name), 0.0) == []
        assert session.wake_at() == 5
