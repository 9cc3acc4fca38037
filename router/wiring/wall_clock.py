"""The machine's wall clock: whether the kernel says that it is right, and a person who says so.

Source: adjtimex(2). `timedatectl` judges in the same way ("System clock synchronized").
"""

import ctypes
from typing import Final, TypedDict

from router.telemetry.running import Running

LARGEST_ERROR_US: Final = 16_000_000
"""What the kernel takes for the largest error while nothing keeps the clock right. STA_UNSYNC says
less: a time service may leave it set so that the kernel does not write the hardware's clock."""


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, and more than enough room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )


class Believed(TypedDict):
    """The answer to the command."""

    changed: bool
    """Whether there was a doubt."""
    ahead_s: float
    """How far the wall clock was ahead of the router's time."""


def is_synchronised() -> bool:
    """Return whether the kernel says that a time service keeps the clock right; no if it cannot."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)  # Linux has it.
    timex = _Timex()
    if adjtimex is None or adjtimex(ctypes.byref(timex)) < 0:
        return False
    return 0 <= int(timex.maxerror) < LARGEST_ERROR_US


def believe_clock(app: Running) -> Believed:
    """End a doubt about the wall clock: `smpp-router clock believe`. Call it in the loop."""
    ahead_s = app.journey.clocks.believe(app.clock())
    return Believed(changed=bool(ahead_s), ahead_s=round(ahead_s, 3))
