"""Which user of this machine is at the other end of a connection over loopback.

The kernel knows who owns each socket, and shows it in /proc (proc(5), /proc/net/tcp). Nobody can
claim to be somebody else. Where there is no such file, nobody is known.
"""

import pwd
import socket
import sys
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

_FILES: Final = {socket.AF_INET: "tcp", socket.AF_INET6: "tcp6"}
_ESTABLISHED: Final = "01"
"""A socket that its program has closed is shown as root's."""


def user_at(connection: socket.socket) -> str | None:
    """Return the name of the user whose program is the peer; None where that is not known."""
    try:
        peer, here = connection.getpeername()[:2], connection.getsockname()[:2]
        name = _FILES[socket.AddressFamily(connection.family)]
        with Path("/proc/self/net", name).open(encoding="ascii") as lines:
            number = owner(lines, peer, here)
    except (OSError, KeyError, ValueError):
        return None
    return None if number is None else name_of(number)


def name_of(number: int) -> str:
    """Return the name of a user; the number of one that has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def owner(lines: Iterable[str], local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """Return the owner's number of the socket with these ends; None if it is not among `lines`."""
    ends = [_written(*local), _written(*remote), _ESTABLISHED]
    for line in lines:
        columns = line.split()
        if columns[1:4] == ends:
            return int(columns[7])
    return None


def _written(host: str, port: int) -> str:
    """Return an address as the kernel writes it: words in the order of this machine's octets."""
    packed = ip_address(host).packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    number = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{number}:{port:04X}"
