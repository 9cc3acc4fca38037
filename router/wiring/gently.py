"""Work of seconds, in a thread beside a loop that has to answer within milliseconds.

A thread that computes takes half of the interpreter from the loop, and from the journal's thread,
which needs its lock some twenty times for a commit. So the work rests most of the time. The
interpreter calls a profile function at every call in one thread: the only place from which all of
the work can be held up, that of libraries too, whatever loops it has.
"""

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, TypeVar

WORK_S: Final = 0.0005
REST_S: Final = 0.001
"""After so much work the thread rests for so long."""
EVENTS: Final = 16
"""Calls and returns from one look at the clock to the next."""

T = TypeVar("T")


def gently(work: Callable[[], T], rest: Callable[[float], object] = time.sleep) -> T:
    """Do the work in this thread, at a third of the speed or less; return or raise as it does.

    `rest` is called with a time in seconds, now and then.
    """
    events = 0
    until = time.monotonic() + WORK_S

    def called(_frame: FrameType, _event: str, _arg: object) -> None:
        nonlocal events, until
        events += 1
        if events % EVENTS == 0 and time.monotonic() >= until:
            rest(REST_S)
            until = time.monotonic() + WORK_S

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        return work()
    finally:
        sys.setprofile(before)
