"""What the router's own view of a PDU costs, and what aiosmpplib's objects cost for the same PDU.

The two do not do the same: the view reads what a router needs and keeps the octets, the library
decodes every field, and the text too. The ratio is the price of the objects, which is why they are
not on the path of a message (docs/decisions/0001-own-pdu-view.md).
"""

import argparse
from collections.abc import Callable
from typing import Final

from aiosmpplib import DeliverSm, SubmitSm

from benchmarks.results import Result
from benchmarks.timing import fastest_us
from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu, Sm

SUMMARY: Final = "us per PDU: framing, view, relay, receipt; and aiosmpplib's for the same"
TEXT: Final = b"Your code is 482913. It is valid for five minutes; do not share it with anybody."
LEAST_TIMES: Final = 5.0
PER_READ: Final = 20
"""PDUs in what is read from a socket at once, under load."""
LONGEST: Final = 70_000
USER_MESSAGE_REFERENCE: Final = 0x0204


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="PDUs a round (default: 20000)")


def run(given: argparse.Namespace) -> Result:
    """Measure all in turns."""
    count: int = given.count or (4_000 if given.quick else 20_000)
    submit, receipt = _submit_sm(), _receipt()
    sizes = {"submit_sm_octets": len(submit), "receipt_octets": len(receipt)}
    result = Result("wire", {"count": count, "pdus_per_read": PER_READ, **sizes})
    ours = fastest_us(_ours(submit, receipt, count), count)
    # A twentieth of the work takes it as long.
    theirs = fastest_us(_theirs(submit, receipt, count // 20), count // 20)
    read_us = ours["framing"] + ours["view"]
    receipt_us = ours["framing"] + ours["receipt"]
    ratios = {
        "reading a submit_sm": round(theirs["decode submit_sm"] / read_us, 1),
        "passing it on": round(theirs["decode and encode it"] / (read_us + ours["relay"]), 1),
        "reading a receipt": round(theirs["decode and parse receipt"] / receipt_us, 1),
    }
    result.numbers = {"router_us": ours, "aiosmpplib_us": theirs, "times": ratios}
    for what, ratio in ratios.items():
        result.at_least(f"{what}: aiosmpplib over the view", ratio, LEAST_TIMES)
    return result


def _submit_sm() -> bytes:
    return p.sm(
        v.SUBMIT_SM,
        1,
        source=(5, 0, b"MyBank"),
        destination=(1, 1, b"37255500001"),
        short_message=TEXT,
        registered_delivery=1,
        tlvs=p.tlv(USER_MESSAGE_REFERENCE, b"\x12\x34"),
    )


def _receipt() -> bytes:
    return r.deliver_sm(
        client_id=b"250000000000101",
        state=r.State.DELIVERED,
        err=b"000",
        submitted=b"2511221750",
        done=b"2511221751",
        source_octets=p.address(1, 1, b"37255500001"),
        destination_octets=p.address(5, 0, b"MyBank"),
        tlvs=True,
    )


def _ours(submit: bytes, receipt: bytes, count: int) -> dict[str, Callable[[], object]]:
    chunk = submit * PER_READ
    pdu = _framed(submit)
    receipt_pdu = _framed(receipt)

    def framing() -> None:
        feed = Framer(LONGEST).feed
        for _ in range(count // PER_READ):
            feed(chunk)

    def view() -> None:
        """Read all fields that the journey reads."""
        for _ in range(count):
            sm = Sm(pdu)
            _ = sm.source_octets, sm.destination_octets, sm.destination_addr, sm.validity_period

    def relay() -> None:
        for number in range(count):
            p.relay(submit, number)

    def recognised() -> None:
        for _ in range(count):
            r.recognise(Sm(receipt_pdu))

    return {"framing": framing, "view": view, "relay": relay, "receipt": recognised}


def _framed(octets: bytes) -> Pdu:
    return Framer(LONGEST).feed(octets)[0]


def _theirs(submit: bytes, receipt: bytes, count: int) -> dict[str, Callable[[], object]]:
    def decode() -> None:
        for _ in range(count):
            SubmitSm.from_pdu(submit, SubmitSm.parse_header(submit[:16]))

    def relay() -> None:
        """Encode a new object each time: an encoded one keeps its octets."""
        for _ in range(count):
            SubmitSm.from_pdu(submit, SubmitSm.parse_header(submit[:16])).pdu()

    def parse() -> None:
        for _ in range(count):
            found = DeliverSm.from_pdu(receipt, DeliverSm.parse_header(receipt[:16]))
            assert isinstance(found, DeliverSm)
            found.parse_receipt()

    return {
        "decode submit_sm": decode,
        "decode and encode it": relay,
        "decode and parse receipt": parse,
    }
