"""Stand-ins used by tests: a loop with a manual clock, a disk that can be slow, a transport.

Written once, named, and as strict as what they stand for: a transport hands octets over in a later
turn, a closed one hands over nothing, and nothing happens unless `World` is told to run.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

START = 1000.0
START_UTC = 1_800_000_000.0


class ManualTimer:
    """One call that was asked for."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class World:
    """A loop whose time moves only when it is told to."""

    def __init__(self) -> None:
        self.now = START
        self.utc_offset = START_UTC - START
        self.is_synchronised = False
        """What the kernel says of the wall clock."""
        self._soon: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._order = 0
        self._port = 39_999

    def clock(self) -> float:
        return self.now

    def clock_utc(self) -> float:
        return self.now + self.utc_offset

    def next_port(self) -> int:
        """A port that no other connection has."""
        self._port += 1
        return self._port

    def soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(call)
        self._order += 1
        heappush(self._timers, (self.now + delay_s, self._order, timer))
        return timer

    def settle(self) -> None:
        """Run turns until nothing is left to do at this moment."""
        for _ in range(100_000):
            while self._timers and self._timers[0][0] <= self.now:
                timer = heappop(self._timers)[2]
                if timer.call is not None:
                    self._soon.append(timer.call)
            if not self._soon:
                return
            for _ in range(len(self._soon)):
                self._soon.popleft()()
        raise AssertionError("the loop never comes to rest")

    def run(self, seconds: float) -> None:
        """Let time pass, stopping at every timer on the way."""
        until = self.now + seconds
        self.settle()
        while self._timers and self._timers[0][0] <= until:
            self.now = max(self.now, self._timers[0][0])
            self.settle()
        self.now = until
        self.settle()

    def coast(self, seconds: float) -> None:
        """Let a long time pass in steps: what is due on the way is done a little late."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 20.0)
            self.settle()


class Disk:
    """When the memory journal gets to its work: at once, after a while, or when it is let go on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delay_s = 0.0
        self.is_stuck = False
        self._kept_waiting: list[Callable[[], None]] = []

    def __call__(self, call: Callable[[], None]) -> None:
        if self.is_stuck:
            self._kept_waiting.append(call)
        elif self.delay_s:
            self.world.call_later(self.delay_s, call)
        else:
            self.world.soon(call)

    def go_on(self) -> None:
        """Be stuck no more."""
        self.is_stuck = False
        waiting, self._kept_waiting = self._kept_waiting, []
        for call in waiting:
            self.world.soon(call)


class MemoryTransport:
    """One end of a connection; what is written arrives at `to` after `delay_s`."""

    def __init__(self, world: World, host: str = "127.0.0.1") -> None:
        self.world = world
        self.host = host
        self.port = world.next_port()
        self.to: Callable[[bytes], None] = lambda _: None
        self.on_closed: Callable[[], None] = lambda: None
        self.delay_s = 0.0
        self.is_closed = False
        self.reading = True
        self.written: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        if self.is_closed:
            return
        self.written.append((self.world.now, data))
        if self.delay_s:
            self.world.call_later(self.delay_s, lambda: self.to(data))
        else:
            self.world.soon(lambda: self.to(data))

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.world.soon(self.on_closed)

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return self.host, self.port

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass
