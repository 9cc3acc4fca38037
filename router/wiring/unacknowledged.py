"""What the system knows of a connection: octets that its peer has not acknowledged, and its end.

Linux tells it for TCP: SIOCOUTQ and TCP_INFO, see tcp(7). Other systems tell nothing.
"""

import asyncio
import socket
import struct
import sys
from math import inf
from typing import Final

from router.smpp.link import Unacknowledged

INFO_OCTETS: Final = 60
"""The beginning of `struct tcp_info`, up to what is wanted of it."""
HUNG_UP: Final = frozenset({7, 8})
"""Values of `tcpi_state`, the first octet: TCP_CLOSE after a reset, TCP_CLOSE_WAIT after a FIN."""
LAST_DATA_SENT_OCTET: Final = 44
"""The place of `tcpi_last_data_sent`: milliseconds since octets last left this machine."""
LAST_ACK_RECV_OCTET: Final = 56
"""The place of `tcpi_last_ack_recv`: milliseconds since the last acknowledgement came."""
TICK_S: Final = 0.01
"""The kernel counts those in ticks, of 1 to 10 ms."""
_UINT32: Final = struct.Struct("=I")
_INT: Final = struct.Struct("=i")


def unacknowledged(transport: asyncio.Transport) -> Unacknowledged | None:
    """Return what the peer's system has not acknowledged; None where that is not known."""
    if sys.platform != "linux":
        return None
    import fcntl
    import termios

    connection = transport.get_extra_info("socket")
    if connection is None:
        return None
    try:
        queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(_INT.size))
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_OCTETS)
        (since_ms,) = _UINT32.unpack_from(info, LAST_ACK_RECV_OCTET)
        (sent_since_ms,) = _UINT32.unpack_from(info, LAST_DATA_SENT_OCTET)
    except (OSError, struct.error):  # The connection is gone, or is no TCP.
        return None
    unwritten = transport.get_write_buffer_size()
    return Unacknowledged(
        _INT.unpack(queued)[0] + unwritten,
        max(0.0, since_ms / 1000 - TICK_S),
        -inf if unwritten else max(0.0, sent_since_ms / 1000 - TICK_S),
    )


def has_hung_up(transport: asyncio.Transport) -> bool:
    """Return whether the peer has closed the connection, or its half; False if that is not known.

    The loop does not see it before all is read that came ahead of it.
    """
    if sys.platform != "linux":
        return False
    connection = transport.get_extra_info("socket")
    if connection is None:
        return False
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in HUNG_UP
    except OSError:  # The connection is gone, which its link hears, or is no TCP.
        return False
