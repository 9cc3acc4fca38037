"""Notifies systemd of the service: starting, ready, stopping, alive. Does nothing without systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

STARTING_EVERY_S: Final = 10.0
STARTING_FOR_S: Final = 60
STOPPING_SPARE_S: Final = 10.0
"""How much later than a stop should end systemd may kill the process."""


def notify(state: str) -> None:
    """Send one state to the socket that systemd names, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # An abstract socket begins with NUL.
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(address)
        sender.send(state.encode())


def watchdog_s() -> float | None:
    """Return how often systemd expects WATCHDOG=1 of this process; None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    if not microseconds or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6


def stopping_within(within_s: float, tell: Callable[[str], None] = notify) -> None:
    """Say that the service stops, and have systemd wait for as long as that may take.

    TimeoutStopSec holds if it is longer.
    """
    tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round((within_s + STOPPING_SPARE_S) * 1e6)}")


@contextmanager
def starting(
    every_s: float = STARTING_EVERY_S, tell: Callable[[str], None] = notify
) -> Iterator[None]:
    """Have systemd wait while the block runs: recovery of a large journal may take minutes.

    In a thread of its own, because the loop may have to wait as well.
    """
    is_over = Event()

    def extend() -> None:
        while not is_over.wait(every_s):
            tell(f"EXTEND_TIMEOUT_USEC={STARTING_FOR_S * 1_000_000}")

    teller = Thread(target=extend, name="starting", daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()
