"""Outbind: operators connect to the router and send outbind, and the router binds there.

A caller is unknown until its outbind names a configured bind, with the right password and from an
address that this bind allows. Until then it may send one short PDU within a few seconds, and the
number of such connections is limited.
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
"""The longest outbind: a system_id and a password of 64 octets each, more than SMPP allows."""
MOST_CALLERS: Final = 50
"""Connections at one address that have not sent their outbind yet."""

log = structlog.get_logger()


class OutbindConnector(BindConnector):
    """Binds on the connections of an operator that connects to the router."""

    def __init__(self, host: Host, steps: Steps, bind: Bind, settings: SessionSettings) -> None:
        super().__init__(host, steps, bind, settings)
        assert bind.settings.outbind is not None

    @property
    def outbind(self) -> OutbindSettings:
        """The outbind settings of the bind."""
        outbind = self._bind.settings.outbind
        assert outbind is not None
        return outbind

    async def run(self) -> None:
        """Wait until cancellation: `take` is called for each connection."""
        await asyncio.Event().wait()

    @property
    def is_free(self) -> bool:
        """Whether the bind has no connection and may get one."""
        return self._link is None and not self._stopping

    def doubt(self, now: float) -> None:
        """Have the operator asked whether its old session lives, since it calls again."""
        if self._link is not None:
            self._link.doubt(now)

    def take(self, transport: asyncio.Transport, rest: bytes, peer: str) -> None:
        """Bind on this connection; `rest` are the octets that followed the outbind."""
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
    """One address that operators connect to; makes a protocol for each connection."""

    def __init__(self, host: Host, counters: Counters, wait_s: float) -> None:
        self._host: Final = host
        self._counters: Final = counters
        self.connectors: Final[list[OutbindConnector]] = []
        """The binds that operators may ask for at this address."""
        self._to_log: Final = TokenBucket(NOTES_LOGGED, NOTES_LOGGED.count, host.clock())
        self.wait_s = wait_s
        """The time in which a caller has to send its outbind."""
        self.callers = 0

    def __call__(self) -> "Caller":
        """Return the protocol for a new connection."""
        return Caller(self)

    def admits(self, host: str) -> bool:
        """Return whether a bind allows connections from this host, and there are not too many."""
        return self.callers < MOST_CALLERS and any(_allows(one, host) for one in self.connectors)

    def connector(self, host: str, system_id: bytes, password: bytes) -> OutbindConnector | str:
        """Return a free bind with these credentials that allows this host; else why there is none.

        Where all that fit have a connection, those that are silent are asked whether they live, as
        with clients: the host of an operator that calls again may have vanished without a word.
        """
        taken = []
        for one in self.connectors:
            known = one.outbind.system_id.encode(), one.outbind.password.encode()
            # All fields are compared whatever differs, so that the time taken reveals nothing.
            same = compare_digest(known[0], system_id) & compare_digest(known[1], password)
            if same and _allows(one, host):
                if one.is_free:
                    return one
                taken.append(one)
        for one in taken:
            one.doubt(self._host.clock())
        return "taken" if taken else "wrong_credentials"

    def refused(self, host: str, reason: str) -> None:
        """Count a caller that was refused, and log the first few."""
        self._counters.refused_pdus["outbind.refused"] += 1
        if self._to_log.take(self._host.clock()):
            log.warning("outbind.refused", address=host, reason=reason)


class Caller(asyncio.Protocol):
    """One connection, from its first octet to its outbind."""

    _transport: asyncio.Transport

    def __init__(self, listener: OutbindListener) -> None:
        self._listener = listener
        self._octets = b""
        self._host = ""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the outbind, or refuse the connection."""
        self._transport = cast("asyncio.Transport", transport)
        peername = transport.get_extra_info("peername") or ("", 0)
        self._host = peername[0]
        if not self._listener.admits(self._host):
            self._refuse("foreign_address")
            return
        self._listener.callers += 1
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._listener.wait_s, self._refuse, "timed_out")

    def data_received(self, data: bytes) -> None:
        """Read one PDU, which has to be an outbind."""
        if self._timer is None:  # The caller is refused already.
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
        connector = self._listener.connector(self._host, fields[0], fields[1])
        if isinstance(connector, str):
            self._refuse(connector)
            return
        self._over()
        port = self._transport.get_extra_info("peername")[1]
        connector.take(self._transport, self._octets[len(pdu.octets) :], f"{self._host}:{port}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a caller that has closed the connection before its outbind."""
        self._over()

    def _refuse(self, reason: str) -> None:
        self._listener.refused(self._host, reason)
        self._over()
        self._transport.close()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._listener.callers -= 1


def _allows(connector: OutbindConnector, host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in connector.outbind.allow_from)
