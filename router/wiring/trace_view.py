"""What `smpp-router trace` shows: a line per PDU, JSON, or a capture for Wireshark.

The router has masked what comes here; this side only puts it into words. What is shown for people:

    14:03:05.120 =   bank/7     client 192.0.2.1:40000 at 192.0.2.9:2775, TLS
    14:03:05.120 in  bank/7     submit_sm #12 from=SHOP to=37255****** data_coding=0x00 text=5 o...
    14:03:05.123 out bank/7     submit_sm_resp #12 message_id=4711 after 2.9 ms

Times are UTC, as in the log. A `?` stands before the name of a client that has not bound: it claims
to be that account.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, Final

from router.smpp import vocabulary as v
from router.telemetry.log import printable
from router.telemetry.pdu_words import document_of, header, line_of
from router.terms.oldest_first import OldestFirst
from router.wiring.pcap import End, Pcap

MOST_REMEMBERED: Final = 10_000
"""Connections that were introduced, and requests that wait for their answer."""
_WHO_WIDTH: Final = 12

Document = dict[str, object]


class View:
    """Shows the lines of one trace."""

    def __init__(
        self,
        show: Callable[[str], object] | None,
        *,
        as_json: bool = False,
        pcap: IO[bytes] | None = None,
    ) -> None:
        """`show` prints a line, unless it is None; `pcap` is the file of a capture."""
        self.shown = 0
        """PDUs so far."""
        self._show: Final = show
        self._as_json: Final = as_json
        self._file: Final = pcap
        self._pcap: Pcap | None = None
        self._introduced: Final[OldestFirst[int, str]] = OldestFirst(MOST_REMEMBERED)
        self._asked: Final[OldestFirst[tuple[int, str, int], float]] = OldestFirst(MOST_REMEMBERED)

    def begin(self) -> None:
        """Begin the capture; what its file had before is gone."""
        if self._file is not None:
            if self._file.seekable():
                self._file.truncate(0)
            self._pcap = Pcap(self._file)

    def take(self, told: Document) -> None:
        """Show one thing that was seen. Raises KeyError, TypeError or ValueError if it is none."""
        octets = bytes.fromhex(str(told["octets"]))
        if told["event"] == "pdu":
            self.shown += 1
        if self._pcap is not None and self._file is not None:
            _capture(self._pcap, told, octets)
            self._file.flush()  # Who reads it while it is written sees whole packets.
        if self._show is None:
            return
        for line in self._json(told, octets) if self._as_json else self._lines(told, octets):
            self._show(line)

    def _json(self, told: Document, octets: bytes) -> Iterator[str]:
        document = dict(told)
        document["at"] = datetime.fromtimestamp(_at(told), UTC).isoformat("T")
        if told["event"] == "pdu":
            document.update(document_of(octets, reveals=bool(told["revealed"])))
        yield json.dumps(document)

    def _lines(self, told: Document, octets: bytes) -> Iterator[str]:
        at = datetime.fromtimestamp(_at(told), UTC).strftime("%H:%M:%S.%f")[:-3]
        number = int(str(told["connection"]))
        who = f"{_who(told)}/{number}"

        def line(mark: str, words: str) -> str:
            return f"{at} {mark:<3} {who:<{_WHO_WIDTH}} {words}"

        if told["dropped"]:
            yield line("=", f"{told['dropped']} PDUs before this were left out: read too slowly")
        if self._introduced.get(number) != who:
            if self._introduced.get(number) is None:
                peer, here = (_shown(_end(told[name])) for name in ("peer", "here"))
                side = "operator" if told["operator"] else "client"
                yield line("=", f"{side} {peer} at {here}{', TLS' if told['tls'] else ''}")
            self._introduced.put(number, who)
        match told["event"]:
            case "pdu":
                words = line_of(octets, reveals=bool(told["revealed"]))
                yield line(str(told["direction"]), words + self._took(told, octets))
            case "octets":
                like = f", looks like {told['why']}" if told["why"] else ""
                yield line("in", f"no PDU: {len(octets)} octets with an impossible length{like}")
            case _:
                yield line("=", printable(str(told["why"])))
                self._introduced.pop(number)

    def _took(self, told: Document, octets: bytes) -> str:
        """Return how long an answer took, in words; empty for a request."""
        command_id, _, sequence = header(octets)
        number, is_in = int(str(told["connection"])), told["direction"] == "in"
        if not command_id & v.RESPONSE:
            self._asked.put((number, "in" if is_in else "out", sequence), _at(told))
            return ""
        at = self._asked.pop((number, "out" if is_in else "in", sequence))
        return "" if at is None else f" after {max(0.0, _at(told) - at) * 1000:.1f} ms"


def _capture(pcap: Pcap, told: Document, octets: bytes) -> None:
    peer, here = _end(told["peer"]), _end(told["here"])
    sender, receiver = (peer, here) if told["direction"] == "in" else (here, peer)
    if told["event"] == "ended":
        pcap.end(_at(told), sender, receiver)
    else:
        pcap.write(_at(told), sender, receiver, octets)


def _at(told: Document) -> float:
    return float(str(told["at_utc"]))


def _end(told: object) -> End:
    if not isinstance(told, list | tuple) or len(told) != 2:
        raise ValueError
    return str(told[0]), int(told[1])


def _shown(end: End) -> str:
    host, port = end
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _who(told: Document) -> str:
    if told["operator"]:
        return printable(str(told["bind"]))
    account = printable(str(told["account"]))
    return account if told["bound"] else f"?{account}"
