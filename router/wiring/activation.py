"""Socket activation: systemd opens listening sockets and hands them to one process after the other.

The kernel keeps the connections that come between two processes in the socket's backlog, and the
next process accepts them: a restart refuses nobody.

A socket and a `listen[].address` belong together if they are the same address. Every socket must
have its listener, because connections to it would wait for ever. A listener without a socket opens
its own, as without systemd.

Source: sd_listen_fds(3), systemd.socket(5).
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple, cast

from router.terms.settings import Address

FIRST: Final = 3
"""The number of the first descriptor that is handed over."""
BACKLOG: Final = 1024
"""Connections that wait in the kernel, also while there is no process to accept them."""
_KEYS: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Passed(NamedTuple):
    """One socket that was handed over."""

    number: int
    """The descriptor."""
    address: Address
    name: str
    """What systemd calls it (FileDescriptorName, by default the name of the socket unit)."""


def passed(environment: MutableMapping[str, str], pid: int, first: int = FIRST) -> list[Passed]:
    """Return the sockets that systemd has handed to this process; none without systemd.

    They are not handed on to children, and neither is the environment that names them. Raises
    OSError for a descriptor that is no listening TCP socket.
    """
    for_pid, count, names = (environment.pop(key, "") for key in _KEYS)
    if for_pid != str(pid) or not count.isdecimal():
        return []
    named = [*names.split(":"), *[""] * int(count)]
    return [_looked_at(first + place, named[place]) for place in range(int(count))]


def _looked_at(number: int, name: str) -> Passed:
    os.set_inheritable(number, False)
    what = f"LISTEN_FDS: descriptor {number} ({name}) is no listening TCP socket"
    advice = "in its .socket unit, ListenStream= with an IP address and a port, and Accept=no"
    error = OSError(errno.EINVAL, f"{what}: {advice}")
    try:
        found = socket.socket(fileno=number)
    except OSError as cause:  # No socket at all.
        raise error from cause
    try:
        is_inet = found.family in (socket.AF_INET, socket.AF_INET6)
        if not is_inet or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise error
        host, port = found.getsockname()[:2]
    finally:
        found.detach()
    return Passed(number, Address(host=host, port=port), name)


def matched(listeners: Sequence[Address], sockets: Sequence[Passed]) -> list[int | None]:
    """Return the descriptor of each listener; None for one that opens its own.

    Raises OSError for a socket that is of none, or one of two at the same address.
    """
    left = list(sockets)
    found: list[int | None] = []
    for listener in listeners:
        one = next((one for one in left if _are_same(one.address, listener)), None)
        if one is not None:
            left.remove(one)
        found.append(None if one is None else one.number)
    if left:
        what = ", ".join(f"{one.address} (of {one.name})" for one in left)
        advice = "write the same IP address and port in both, or take it out of the .socket unit"
        raise OSError(errno.EINVAL, f"no listen[].address is that of systemd's {what}: {advice}")
    return found


def _are_same(one: Address, other: Address) -> bool:
    """Return whether these are the same; a host name is never an address."""
    try:
        hosts = ip_address(one.host), ip_address(other.host)
    except ValueError:
        return False
    return hosts[0] == hosts[1] and one.port == other.port


async def serve(
    protocol: Callable[[], object], address: Address, opened: int | None
) -> asyncio.Server:
    """Accept connections on the descriptor that was handed over; without one, on our own."""
    loop = asyncio.get_running_loop()
    factory = cast("Callable[[], asyncio.Protocol]", protocol)
    if opened is not None:
        return await loop.create_server(factory, sock=socket.socket(fileno=opened), backlog=BACKLOG)
    return await loop.create_server(factory, address.host, address.port, backlog=BACKLOG)


async def listening(address: Address, opened: int | None) -> list[socket.socket]:
    """Return sockets that listen: the one that was handed over; without one, our own.

    A host name has one for each of its addresses. Raises OSError.
    """
    if opened is not None:
        one = socket.socket(fileno=opened)
        one.setblocking(False)
        one.listen(BACKLOG)
        return [one]
    found = await asyncio.get_running_loop().getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, where in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(where)
            one.listen(BACKLOG)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets
