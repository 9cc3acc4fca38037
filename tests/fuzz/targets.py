"""All targets by name, and the inputs that each begins with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.fuzz import routers, sessions, wire

Check = Callable[[bytes], None]
WIRE: Final = Path(__file__).parents[1] / "wire"
CORPUS: Final = Path(__file__).with_name("corpus")


class Target(NamedTuple):
    """What is fuzzed."""

    check: Check
    """Raises if an input shows a fault."""
    longest: int
    """Octets of the longest input that is tried."""
    seeds: Callable[[], Sequence[bytes]]
    """Inputs to begin with, written by hand."""
    share: int = 1
    """Of the time of all targets: what is slow and has many ways gets more."""


def golden() -> list[bytes]:
    """The PDUs of tests/wire."""
    found = []
    for file in sorted(WIRE.glob("*.hex")):
        lines = file.read_text(encoding="utf-8").splitlines()
        found.append(bytes.fromhex("".join(line.partition("#")[0] for line in lines)))
    return found


def _framed() -> list[bytes]:
    pdus = golden()
    return [b"\x03\x07\x21\x01" + one for one in (b"".join(pdus), *pdus)]


def _messages() -> list[bytes]:
    places = {command_id: place for place, command_id in enumerate(wire.MESSAGES)}
    found = [(int.from_bytes(one[4:8], "big"), one[16:]) for one in golden()]
    long = p.address(1, 1, b"9" * 60)
    found.append((v.DATA_SM, b"\0" + long + long + bytes(3) + p.tlv(v.MESSAGE_PAYLOAD, b"hi")))
    return [bytes((places[command],)) + body for command, body in found if command in places]


def _tails() -> list[bytes]:
    one = p.tlv(v.RECEIPTED_MESSAGE_ID, b"10\0") + p.tlv(v.MESSAGE_STATE, b"\x02")
    twice = p.tlv(0x1401, b"vendor") + p.tlv(0x1401, b"other")
    return [one, twice, one + b"\0", p.tlv(0x1400, b"") * 101]


def _heads_and_bodies() -> list[bytes]:
    found = [one[4:12] + one[16:] for one in golden()]
    return [*found, p.response(v.SUBMIT_SM, 0)[4:12] + b"9" * 300]


TEXTS: Final = (
    b"id:10 sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:DELIVRD err:000 "
    b"text:hello",
    b"id:0a stat:UNDELIV err:0x55 done date:20270115080100",
    b'{"id":"10","stat":"REJECTD","err":\'7\'}',
    b"id=10&stat=EXPIRED&done_date=27-01-15 08:01:00",
    b"10 DELIVRD",
)


def _receipts() -> list[bytes]:
    tail = _tails()[0] + p.tlv(v.NETWORK_ERROR_CODE, b"\x03\x00\x01")
    return [bytes((esm, len(text))) + text + tail for text in TEXTS for esm in (4, 0, 0x20)]


def _headers() -> list[bytes]:
    return [b"\x05\x00\x03\x07\x02\x01hi", b"\x06\x08\x04\x00\x07\x02\x02hi", b"\x03\x24\x01\x01hi"]


def _parts() -> list[bytes]:
    sar = b"".join((p.tlv(0x20C, b"\0\x07"), p.tlv(0x20E, b"\x02"), p.tlv(0x20F, b"\x01")))
    return [b"\x00\x02hi" + sar, *(b"\x40" + bytes((len(one),)) + one for one in _headers())]


def _times() -> list[bytes]:
    words = (b"000002000000000R", b"270115080000032+", b"270115080000-00", b"2701150800", b"37255")
    return [b"\0" + word for word in words]


def _lives() -> list[bytes]:
    return [bytes((*start, *(place * 7 + step & 0xFF for step in range(60))))
            for place, start in enumerate(((0, 0, 0, 1), (1, 3, 1, 1), (1, 7, 2, 0)))]  # fmt: skip


def _lives_of_routers() -> list[bytes]:
    """The shop submits, elisa takes it and reports; and what the golden PDUs say, from either."""
    submit = bytes((6, 0, 0, 0, 0, 1, 5, 0, 6, 1, 1, 2, 0, 1, 0, 5)) + b"hello" + bytes(5)
    said = [bytes((6, side, 0, 4, len(one))) + one for one in golden() if len(one) < 256
            for side in (0, 1)]  # fmt: skip
    answer = bytes((6, 1, 0, 2, 0, 0, 4, 1, 0))
    receipt = bytes((6, 1, 0, 0, 0, 2, 1, 1, 2, 5, 0, 6, 4, 0, 0, 0, 1, 1, 0))
    whole = submit + bytes((0, 2)) + answer + receipt + bytes((0, 3, 1, 2))
    return [b"\x01" + whole, *(b"\x01" + one for one in said), b"\x01" + b"".join(said)[:900]]


TARGETS: Final = {
    "framer": Target(wire.framer, 600, _framed),
    "view": Target(wire.view, 400, _messages),
    "tlvs": Target(wire.tlvs, 600, _tails),
    "binds": Target(wire.binds, 400, _heads_and_bodies),
    "shown": Target(wire.shown, 400, golden),
    "receipt_text": Target(wire.receipt_text, 400, lambda: TEXTS),
    "receipt": Target(wire.receipt, 500, _receipts),
    "udh": Target(wire.udh, 255, _headers),
    "segments": Target(wire.segments, 400, _parts),
    "time": Target(wire.time, 24, _times),
    "text": Target(wire.text, 300, lambda: [b"\0Tere!", b"\x08\0T\x01e", b"\x03na\xefve"]),
    "session": Target(sessions.session, 500, _lives, 2),
    "pair": Target(sessions.pair, 500, _lives, 3),
    "router": Target(routers.router, 900, _lives_of_routers, 4),
}


def corpus(name: str) -> list[bytes]:
    """The inputs of a target: those that it began with, and what was kept of what came of them."""
    file = CORPUS / f"{name}.hex"
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    return list(dict.fromkeys([*TARGETS[name].seeds(), *map(bytes.fromhex, lines)]))


def keep(name: str, inputs: Sequence[bytes]) -> None:
    """Write the inputs of a target, short ones first, one a line; not those that it began with."""
    new = set(inputs) - set(TARGETS[name].seeds())
    kept = sorted(new, key=lambda one: (len(one), one))
    CORPUS.mkdir(exist_ok=True)
    text = "".join(f"{one.hex()}\n" for one in kept)
    (CORPUS / f"{name}.hex").write_text(text, encoding="ascii")
