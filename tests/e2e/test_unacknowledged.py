"""router/wiring/unacknowledged.py: what the system tells about real connections."""

import asyncio
import socket
import struct
import sys
from collections.abc import Coroutine

import pytest
import uvloop

from router.smpp.link import Unacknowledged
from router.wiring.unacknowledged import has_hung_up, unacknowledged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
MUCH = bytes(8_000_000)


async def connected() -> tuple[asyncio.Transport, socket.socket]:
    """A connection to a peer that does not read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, *server.getsockname()
        )
        return transport, server.accept()[0]


async def until_acknowledged(transport: asyncio.Transport) -> Unacknowledged:
    while True:
        found = unacknowledged(transport)
        assert found is not None
        if not found.octets:
            return found
        await asyncio.sleep(0.001)


async def until_hung_up(transport: asyncio.Transport) -> None:
    while True:
        if has_hung_up(transport):
            return
        await asyncio.sleep(0.001)


def run(main: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def test_octets_that_have_arrived_are_acknowledged_although_nobody_reads_them() -> None:
    async def main() -> None:
        transport, peer = await connected()
        transport.write(b"hello")
        found = await until_acknowledged(transport)
        assert 0.0 <= found.since_s < 60.0
        assert 0.0 <= found.sent_since_s < 60.0
        transport.close()
        peer.close()

    run(main())


def test_octets_that_do_not_arrive_are_counted_wherever_they_wait() -> None:
    async def main() -> None:
        transport, peer = await connected()
        transport.write(MUCH)
        found = unacknowledged(transport)
        transport.abort()
        peer.close()
        assert found is not None
        assert len(MUCH) / 2 < found.octets <= len(MUCH)
        assert found.sent_since_s == float("-inf")

    run(main())


def test_connection_that_is_gone_or_is_no_tcp_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        transport, peer = await connected()
        transport.abort()
        await asyncio.sleep(0.01)
        assert unacknowledged(transport) is None
        assert not has_hung_up(transport)
        peer.close()
        ours, theirs = socket.socketpair()
        local, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        assert unacknowledged(local) is None
        assert not has_hung_up(local)
        local.close()
        theirs.close()

    run(main())


@pytest.mark.parametrize("how", ["close", "shutdown", "reset"])
def test_peer_that_hangs_up_is_seen_before_what_it_has_sent_is_read(how: str) -> None:
    async def main() -> None:
        transport, peer = await connected()
        transport.pause_reading()
        peer.sendall(b"hello")
        assert not has_hung_up(transport)
        if how == "shutdown":
            peer.shutdown(socket.SHUT_WR)
        else:
            on, at_once = 1, 0
            linger = struct.pack("ii", how == "reset" and on, at_once)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            peer.close()
        await until_hung_up(transport)
        transport.abort()
        peer.close()

    run(main())
