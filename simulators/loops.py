"""What the shells share: one event loop, one timer, and an end by signal or by time."""

import asyncio
import gc
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

import uvloop

T = TypeVar("T")

SHORTEST_WAIT_S: Final = 0.001
"""Loops wake by the millisecond: a shorter timer would only turn the loop in vain."""


def run(main: Coroutine[object, object, T]) -> T:
    """Run a simulator on uvloop."""
    # What lives long here are messages on their way: no cycles, so looking for some again and
    # again among a hundred thousand of them would be most of the work.
    gc.set_threshold(100_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`; what there is to say is still said."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


class Alarm:
    """The one timer of a shell: `wake` is called with the time when `wake_at` has passed."""

    __slots__ = ("_armed_for", "_handle", "_loop", "_wake", "_wake_at")

    def __init__(self, wake: Callable[[float], None], wake_at: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._wake_at = wake_at
        self._armed_for = float("inf")
        self._handle: asyncio.TimerHandle | None = None

    def set(self, now: float) -> None:
        """Look when it is needed. One that is set too early costs less than to set it anew."""
        at = self._wake_at()
        if at >= self._armed_for:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = at
        self._handle = self._loop.call_later(max(at - now, SHORTEST_WAIT_S), self._ring)

    def _ring(self) -> None:
        now = time.monotonic()
        self._armed_for = float("inf")
        self._handle = None
        self._wake(now)
        self.set(time.monotonic())

    def stop(self) -> None:
        """No more."""
        if self._handle is not None:
            self._handle.cancel()
