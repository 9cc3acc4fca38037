"""Operators that call us: they connect and say outbind, and we bind on that connection.

A caller is nobody until its outbind names a bind of ours with the right password, from an address
that this bind allows. Until then it has one short PDU and a few seconds, and there may be only so
many.
Source: SMPP v3.4, 2.2.1 and 4.1.7.
"""

import asyncio
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final, cast

import structlog

from router.forward.bind import BindConnector, OperatorLink, Steps
from router.forward.pool import Bind
from router.smpp import vocabulary as v
from router.smpp.link import NOTES_LOGGED, Host
from router.smpp.link import Transport as LinkTransport
from router.smpp.pdu import HEADER_OCTETS, Framer
from router.terms.counters import Counters
from router.terms.limits import TokenBucket
from router.terms.settings import OutbindSettings, SessionSettings

LONGEST_OUTBIND_OCTETS: Final = HEADER_OCTETS + 130
"""A system_id and a password of 64 octets each, more than SMPP allows."""
MOST_CALLERS: Final = 50
"""Connections at one address that have not said who they are."""

log = structlog.get_logger()


class OutbindConnector(BindConnector):
    """Keeps one bind whose operator calls us. It does nothing but wait."""

    def __init__(self, host: Host, steps: Steps, bind: Bind, settings: SessionSettings) -> None:
        super().__init__(host, steps, bind, settings)
        assert bind.settings.outbind is not None

    @property
    def outbind(self) -> OutbindSettings:
        """How the operator calls."""
        outbind = self._bind.settings.outbind
        assert outbind is not None
        return outbind

    async def run(self) -> None:
        """Until cancellation: `take` does the work."""
        await asyncio.Event().wait()

    @property
    def is_free(self) -> bool:
        """Whether a caller may have it."""
        return self._link is None and not self._stopping

    def take(self, transport: asyncio.Transport, rest: bytes, peer: str) -> None:
        """Bind on this connection; `rest` came behind the outbind."""
        link = OperatorLink(self._host, self._steps, self._bind, self._settings)
        link.on_ended = self._ended
        self._link = link
        self._bind.address = peer
        transport.set_protocol(cast("asyncio.Protocol", link))
        link.connection_made(cast("LinkTransport", transport))
        if rest:
            link.data_received(rest)

    def _ended(self) -> None:
        self._link = None


class OutbindListener:
    """One address at which operators call; makes a protocol for each connection."""

    def __init__(
        self, host: Host, counters: Counters, keepers: list[OutbindConnector], wait_s: float
    ) -> None:
        self._host: Final = host
        self._counters: Final = counters
        self._keepers: Final = keepers
        self._to_log: Final = TokenBucket(NOTES_LOGGED, NOTES_LOGGED.count, host.clock())
        self.wait_s: Final = wait_s
        """How long a caller has for its outbind."""
        self.callers = 0

    def __call__(self) -> "Caller":
        """Somebody connects."""
        return Caller(self)

    def lets_in(self, host: str) -> bool:
        """Whether anybody is expected from there."""
        return self.callers < MOST_CALLERS and any(_allows(one, host) for one in self._keepers)

    def keeper(self, host: str, system_id: bytes, password: bytes) -> OutbindConnector | None:
        """A bind of ours that this operator may have."""
        for one in self._keepers:
            known = one.outbind.system_id.encode(), one.outbind.password.encode()
            # All is compared, whatever differs: how long it takes says nothing.
            same = compare_digest(known[0], system_id) & compare_digest(known[1], password)
            if same and one.is_free and _allows(one, host):
                return one
        return None

    def refused(self, host: str, reason: str) -> None:
        """Somebody was not let in: counted, and the first few are told."""
        self._counters.refused_pdus["outbind.refused"] += 1
        if self._to_log.take(self._host.clock()):
            log.warning("outbind.refused", address=host, reason=reason)


class Caller(asyncio.Protocol):
    """One connection, from its first octet to its outbind."""

    _transport: asyncio.Transport

    def __init__(self, door: OutbindListener) -> None:
        self._door = door
        self._octets = b""
        self._host = ""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = cast("asyncio.Transport", transport)
        peername = transport.get_extra_info("peername") or ("", 0)
        self._host = peername[0]
        if not self._door.lets_in(self._host):
            self._refuse("foreign_address")
            return
        self._door.callers += 1
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._door.wait_s, self._refuse, "timed_out")

    def data_received(self, data: bytes) -> None:
        """Read one PDU; it has to be an outbind."""
        if self._timer is None:  # It is refused already.
            return
        self._octets += data
        framer = Framer(LONGEST_OUTBIND_OCTETS)
        pdus = framer.feed(self._octets)
        if not pdus:
            if framer.lost_at_sequence is not None:
                self._refuse("malformed")
            return
        pdu = pdus[0]
        fields = pdu.octets[HEADER_OCTETS:].split(b"\0")
        if pdu.command_id != v.OUTBIND or len(fields) < 3:
            self._refuse("malformed")
            return
        keeper = self._door.keeper(self._host, fields[0], fields[1])
        if keeper is None:
            self._refuse("wrong_credentials")
            return
        self._over()
        port = self._transport.get_extra_info("peername")[1]
        keeper.take(self._transport, self._octets[len(pdu.octets) :], f"{self._host}:{port}")

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone without a word."""
        self._over()

    def _refuse(self, reason: str) -> None:
        self._door.refused(self._host, reason)
        self._over()
        self._transport.close()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._door.callers -= 1


def _allows(keeper: OutbindConnector, host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in keeper.outbind.allow_from)
