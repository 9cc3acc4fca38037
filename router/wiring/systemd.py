"""What systemd is told of the service: ready, stopping, alive. Without systemd nothing is done.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket


def notify(state: str) -> None:
    """Send one state to the socket that systemd names, if it does."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # An abstract socket begins with NUL.
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(address)
        sender.send(state.encode())


def watchdog_s() -> float | None:
    """How often systemd wants to hear WATCHDOG=1 of this process; None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    if not microseconds or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6
