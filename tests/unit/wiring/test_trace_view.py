"""router/wiring/trace_view.py: what people and programs are shown of a trace."""

import io
import json

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.wiring.trace_view import Document, View
from tests.unit.telemetry.test_pdu_fields import sm
from tests.unit.wiring.test_pcap import packets

AT_UTC = 1_800_000_000.5


def told(octets: bytes = b"", **changed: object) -> Document:
    """One thing that was seen, as the router tells it."""
    return {
        "event": "pdu",
        "at_utc": AT_UTC,
        "connection": 7,
        "account": "bank",
        "operator": "",
        "bind": "",
        "peer": ["192.0.2.1", 4000],
        "here": ["192.0.2.9", 2775],
        "tls": False,
        "direction": "in",
        "bound": True,
        "revealed": False,
        "why": "",
        "dropped": 0,
        "octets": octets.hex(),
        **changed,
    }


def lines(*seen: Document) -> list[str]:
    found: list[str] = []
    view = View(found.append)
    for one in seen:
        view.take(one)
    return found


def test_connection_is_introduced_once_and_answers_say_how_long_they_took() -> None:
    assert lines(
        told(sm(source=(5, 0, b"X"), short_message=b"Tere")),
        told(p.response(v.SUBMIT_SM, 7, 0, b"4711\0"), direction="out", at_utc=AT_UTC + 0.0029),
        told(p.response(v.SUBMIT_SM, 7, 0, b"4711\0"), direction="out"),
    ) == [
        "08:00:00.500 =   bank/7       client 192.0.2.1:4000 at 192.0.2.9:2775",
        "08:00:00.500 in  bank/7       submit_sm #7 from=X to=37255512345 data_coding=0x00"
        " text=4 octets",
        "08:00:00.502 out bank/7       submit_sm_resp #7 message_id=4711 after 2.9 ms",
        "08:00:00.500 out bank/7       submit_sm_resp #7 message_id=4711",
    ]


def test_client_that_only_claims_a_name_is_marked_until_it_is_bound() -> None:
    octets = p.build(v.ENQUIRE_LINK, 0, 1)
    found = lines(
        told(octets, bound=False), told(octets), told(octets, operator="telia", bind="t1")
    )
    assert [line.split()[2] for line in found] == ["?bank/7", "?bank/7", "bank/7", "t1/7"]


def test_ends_and_gaps_and_what_is_no_pdu_are_told() -> None:
    end = told(event="ended", why="closed by the peer\x1b")
    assert [line[30:] for line in lines(told(p.build(v.ENQUIRE_LINK, 0, 1), dropped=3), end)] == [
        "3 PDUs before this were left out: read too slowly",
        "client 192.0.2.1:4000 at 192.0.2.9:2775",
        "enquire_link #1",
        "closed by the peer\\x1b",
    ]
    (_, line) = lines(told(b"****", event="octets", why="TLS", tls=True))
    assert line.endswith("no PDU: 4 octets with an impossible length, looks like TLS")


def test_program_gets_all_of_it_in_a_line() -> None:
    found: list[str] = []
    view = View(found.append, as_json=True)
    view.take(told(sm()))
    view.take(told(event="ended", why="x"))
    (pdu, end) = map(json.loads, found)
    assert (pdu["at"], pdu["command"]) == ("2027-01-15T08:00:00.500000+00:00", "submit_sm")
    assert (pdu["account"], pdu["octets"]) == ("bank", sm().hex())
    assert "text" not in pdu
    assert (end["event"], end["why"], view.shown) == ("ended", "x", 1)


def test_capture_has_both_directions_and_the_end() -> None:
    file = io.BytesIO()
    view = View(None, pcap=file)
    view.begin()
    octets = p.build(v.ENQUIRE_LINK, 0, 1)
    view.take(told(octets))
    view.take(told(octets, direction="out"))
    view.take(told(event="ended", direction="in"))
    found = [packet for _, packet in packets(file.getvalue())]
    assert [one[12:16] for one in found[:2]] == [b"\xc0\0\2\1", b"\xc0\0\2\x09"]
    assert [one[40:] for one in found] == [octets, octets, b"", b""]


@pytest.mark.parametrize("changed", [{"octets": "zz"}, {"peer": "x"}, {"connection": "x"}])
def test_what_is_of_another_version_is_an_error(changed: Document) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        lines({**told(), **changed})
    with pytest.raises(KeyError):
        lines({"event": "pdu", "octets": ""})
