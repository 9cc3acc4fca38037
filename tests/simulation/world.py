"""What the simulated router lives in: one clock, a process that can stall and die, a network.

Everything happens in the order of time and, at one moment, in the order in which it was asked for;
all chance comes from one `random.Random`, so a seed is a whole history.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from router.journey import Journey
from router.smpp import vocabulary as v
from router.smpp.link import Link
from router.smpp.pdu import Framer, Pdu, build
from router.smpp.reading import ReadingLine
from router.smpp.states import State

START = 1000.0
START_UTC = 1_800_000_000.0
LONGEST_SPIKE_S = 0.25
"""How long a network may hold octets back. A router that died is not back sooner than that, so that
what it wrote last arrives before what its successor writes first."""
MOST_UNSENT = 4
"""Writings that wait in the router's buffer before it is told to pause."""


class BrokenPromiseError(AssertionError):
    """The router did what it must not, or did not do what it must."""


class Event:
    """A call that was asked for."""

    __slots__ = ("call", "owner")

    def __init__(self, call: Callable[[], None], owner: "Process | None") -> None:
        self.call: Callable[[], None] | None = call
        self.owner = owner

    def cancel(self) -> None:
        """It is not wanted any more."""
        self.call = None


class Loop:
    """The only clock there is, and everything that is yet to happen."""

    def __init__(self, rng: Random, tell: Callable[[str], None] | None) -> None:
        self.rng = rng
        self.now = START
        self.wall_error_s = 0.0
        """How wrong the wall clock is just now."""
        self.wall_set_at = START
        """Since when it is wrong by so much, or right."""
        self.is_synchronised = False
        """Whether the kernel says that it is right."""
        self.telling = tell is not None
        self.events = 0
        self.ports = 0
        """How many connections there were."""
        self.at_steps: list[tuple[int, Callable[[], None]]] = []
        """What happens right after so many steps of routers; the next one first."""
        self._tell = tell
        self._events: list[tuple[float, int, Event]] = []
        self._order = 0

    def true_utc(self) -> float:
        """What a wall clock should say."""
        return self.now - START + START_UTC

    def wall(self) -> float:
        """What it says."""
        return self.true_utc() + self.wall_error_s

    def set_wall(self, error_s: float) -> None:
        """Somebody sets the wall clock."""
        if error_s != self.wall_error_s:
            self.wall_error_s = error_s
            self.wall_set_at = self.now

    def tell(self, text: str) -> None:
        """A line for whoever reads the trace; ask `telling` first where the text costs time."""
        if self._tell is not None:
            self._tell(f"{self.now - START:10.4f}  {text}")

    def at(self, when: float, call: Callable[[], None], owner: "Process | None" = None) -> Event:
        """Run this then."""
        event = Event(call, owner)
        self._push(when, event)
        return event

    def after(self, delay_s: float, call: Callable[[], None]) -> Event:
        """Run this after a while, whether or not a router lives."""
        return self.at(self.now + delay_s, call)

    def _push(self, when: float, event: Event) -> None:
        self._order += 1
        heappush(self._events, (when, self._order, event))

    def run(self, until: float) -> None:
        """Let everything happen that happens before `until`."""
        events = self._events
        while events and events[0][0] <= until:
            when, _, event = heappop(events)
            call, owner = event.call, event.owner
            if call is None:
                continue
            if when > self.now:
                self.now = when
            if owner is None:
                event.call = None
                call()
            elif owner.alive:
                if owner.stalled_until > self.now:
                    self._push(owner.stalled_until, event)
                    continue
                event.call = None
                self.events += 1
                try:
                    call()
                    while self.at_steps and self.at_steps[0][0] <= self.events:
                        self.at_steps.pop(0)[1]()
                except BrokenPromiseError:
                    raise
                except Exception as error:
                    raise BrokenPromiseError(f"the router raised {error!r}") from error
        self.now = until


class Process:
    """One life of the router: what a link and a journey need of their surroundings."""

    journey: Journey

    def __init__(self, loop: Loop, life: int) -> None:
        self.loop = loop
        self.life = life
        self.alive = True
        self.reading = ReadingLine(
            lambda delay_s, call: self.loop.at(self.loop.now + delay_s, call, self),
            self.clock,
            lambda: self.journey.commits.behind(),
        )
        self.is_recovered = False
        """Whether it knows what its journal holds."""
        self.stalled_until = 0.0
        self.after_turn: Callable[[], None] = lambda: None
        self.after_wake: Callable[[], None] = lambda: None
        self.connections: dict[Connection, None] = {}
        """In the order of connecting, because a set has none."""
        self._timer: Event | None = None
        self._armed_for = float("inf")

    def clock(self) -> float:
        """Monotonic seconds."""
        return self.loop.now

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Event:
        """Run this after a while, if this process still lives."""
        return self.loop.at(self.loop.now + delay_s, call, self)

    def soon(self, call: Callable[[], None]) -> Event:
        """Run this in a later turn."""
        return self.loop.at(self.loop.now, call, self)

    def unacknowledged(self, link: Link) -> None:
        """Nothing is known of the other end's system."""

    def connected(self, link: Link) -> None:
        """Nobody traces."""

    def disconnected(self, link: Link, exc: Exception | None) -> None:
        """Nobody traces."""

    def has_hung_up(self, link: Link) -> bool:
        """A connection that is closed is lost at once here."""
        return False

    def write_soon(self, link: Link) -> None:
        """Have the link written when this turn ends."""
        self.journey.write_soon(link)

    def later(self, call: Callable[[], None]) -> None:
        """The journey's turn ends, and its timer is armed, as `router/wiring/app.py` does it."""

        def turn() -> None:
            call()
            commits = self.journey.commits
            self.reading.turn_ended(commits.accepting, is_slow=commits.times.are_long)
            self._arm()
            self.after_turn()

        self.soon(turn)

    def _arm(self) -> None:
        wake_at = self.journey.wake_at()
        if wake_at < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_for = wake_at
            self._timer = self.loop.at(max(wake_at, self.loop.now), self._wake, self)

    def _wake(self) -> None:
        self._timer = None
        self._armed_for = float("inf")
        self.journey.wake(self.loop.now)
        self.after_wake()
        self._arm()

    def die(self) -> None:
        """`kill -9`: nothing of it runs any more, and its connections break."""
        self.alive = False
        for connection in list(self.connections):
            connection.router_died()


class FarEnd(Protocol):
    """Who is at the other end of a connection."""

    def wrote(self, pdu: Pdu) -> None:
        """The router has just written this: it said it, whether or not it arrives."""

    def arrived(self, pdu: Pdu) -> None:
        """This has come."""

    def lost(self) -> None:
        """The connection is gone."""


class Connection:
    """One TCP connection of the router's: the transport at its end, and the network behind it."""

    def __init__(self, process: Process, link: Link, way_s: float) -> None:
        self.process = process
        self.loop = process.loop
        self.link = link
        self.loop.ports += 1
        self.port = 39_999 + self.loop.ports
        """Of the far end: no other connection has it."""
        self.far: FarEnd
        self.way_s = way_s
        """How long octets travel, each way."""
        self.spike_share = 0.0
        """How many of the segments are held back by the network for a while."""
        self.is_open = True
        """For the far end: it can still send, and be sent to."""
        self.is_silent = False
        """Half-open: nothing arrives on either side, and nobody is told."""
        self._framer = Framer(1_000_000)
        self._there: deque[Event] = deque()
        self._back: deque[Event] = deque()
        self._there_at = 0.0
        self._back_at = 0.0
        self._halted = False
        self._unsent: list[list[Pdu]] = []
        self._reading = True
        self._unread: list[tuple[bytes, Callable[[], None] | None]] = []
        self._router_has_ended = False

    def open(self, far: FarEnd) -> None:
        """Both ends know of it now."""
        self.far = far
        self.process.connections[self] = None
        self.link.connection_made(self)

    # The transport, at the router's end.

    def write(self, data: bytes) -> None:
        """See `Transport`."""
        pdus = self._framer.feed(data)
        for pdu in pdus:
            self.far.wrote(pdu)
        if self.is_open and not self.is_silent and not self._router_has_ended:
            if self._halted:
                self._unsent.append(pdus)
                if len(self._unsent) == MOST_UNSENT:
                    self.link.pause_writing()
            else:
                self._transmit(pdus)

    def _transmit(self, pdus: list[Pdu]) -> None:
        self._there_at = max(self._there_at, self.loop.now + self._way())
        self._there.append(self.loop.at(self._there_at, lambda: self._arrive(pdus)))

    def close(self) -> None:
        """See `Transport`."""
        if not self._router_has_ended:
            self._router_has_ended = True
            self._end_router()
            # Not later: once it is closed the router takes all that it wrote for arrived.
            self.loop.at(self.loop.now + self.way_s, self._end_far)

    def abort(self) -> None:
        """See `Transport`."""
        self.close()

    def can_write_eof(self) -> bool:
        """See `Transport`."""
        return True

    def pause_reading(self) -> None:
        """See `Transport`."""
        self._reading = False

    def resume_reading(self) -> None:
        """See `Transport`."""
        self._reading = True
        unread, self._unread = self._unread, []
        for octets, heard in unread:
            self.process.soon(lambda o=octets, h=heard: self._receive(o, h))  # type: ignore[misc]

    def get_extra_info(self, name: str) -> tuple[str, int]:
        """See `Transport`."""
        assert name == "peername"
        return "127.0.0.1", self.port

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See `Transport`."""

    # The network.

    def _way(self) -> float:
        rng = self.loop.rng
        if self.spike_share and rng.random() < self.spike_share:
            return self.way_s + rng.random() * LONGEST_SPIKE_S
        return self.way_s

    def _arrive(self, pdus: list[Pdu]) -> None:
        self._there.popleft()
        for pdu in pdus:
            if not self.is_open:
                return
            self.far.arrived(pdu)

    def send(self, octets: bytes, heard: Callable[[], None] | None = None) -> None:
        """The far end says something; `heard` is called when a router that listens has it."""
        if not self.is_open or self.is_silent:
            return
        rng = self.loop.rng
        self._back_at = max(self._back_at, self.loop.now + self._way())
        pieces = [octets]
        if len(octets) > 1 and rng.random() < 0.03:  # As a stream may: cut anywhere.
            cut = rng.randrange(1, len(octets))
            pieces = [octets[:cut], octets[cut:]]
        for piece in pieces:
            last = heard if piece is pieces[-1] else None
            self._back.append(
                self.loop.at(
                    self._back_at,
                    lambda o=piece, h=last: self._come_back(o, h),  # type: ignore[misc]
                    self.process,
                )
            )

    def _come_back(self, octets: bytes, heard: Callable[[], None] | None) -> None:
        self._back.popleft()
        if self._reading:
            self._receive(octets, heard)
        else:
            self._unread.append((octets, heard))

    def _receive(self, octets: bytes, heard: Callable[[], None] | None) -> None:
        if self._router_has_ended:
            return
        if heard is not None and self.link.session.state is not State.CLOSED:
            heard()
        self.link.data_received(octets)

    def halt(self, seconds: float) -> None:
        """The far end does not read for a while; what is written waits in the router's buffer."""
        if not self._halted and self.is_open:
            self._halted = True
            self.loop.at(self.loop.now + seconds, self._go_on, self.process)

    def _go_on(self) -> None:
        self._halted = False
        unsent, self._unsent = self._unsent, []
        if self.is_open and not self.is_silent and not self._router_has_ended:
            for pdus in unsent:
                self._transmit(pdus)
            if len(unsent) >= MOST_UNSENT:
                self.link.resume_writing()

    # How it ends.

    def hang_up(self) -> None:
        """The far end closes it; what it sent before still arrives, what comes is not read."""
        if self.is_open:
            for event in self._there:
                event.cancel()
            self._there.clear()
            self._end_far()
            if not self.is_silent:
                at = max(self._back_at, self.loop.now + self.way_s)
                self.loop.at(at, self._end_router, self.process)

    def cut(self) -> None:
        """The network fails: of what is under way, each way, only the first part arrives."""
        if not self.is_open or self.is_silent:
            return
        for way in (self._there, self._back):
            for event in list(way)[self.loop.rng.randint(0, len(way)) :]:
                event.cancel()
                way.remove(event)
        self.is_silent = True
        self.loop.at(self.loop.now + self.way_s, self._end_far)
        at = max(self._back_at, self.loop.now + self.way_s)
        self.loop.at(at, self._end_router, self.process)

    def go_silent(self) -> None:
        """The network fails and tells nobody."""
        self.is_silent = True
        for way in (self._there, self._back):
            for event in way:
                event.cancel()
            way.clear()

    def router_died(self) -> None:
        """Its kernel closes the connection; some of what it wrote may not arrive."""
        self._router_has_ended = True
        self.process.connections.pop(self, None)
        for event in list(self._there)[self.loop.rng.randint(0, len(self._there)) :]:
            event.cancel()
            self._there.remove(event)
        self.loop.at(self.loop.now + self.way_s, self._end_far)

    def _end_far(self) -> None:
        if self.is_open:
            # What is still under way to it has arrived, as far as it ever will.
            for event in list(self._there):
                call = event.call
                event.cancel()
                if call is not None:
                    call()
            self.is_open = False
            self.far.lost()

    def _end_router(self) -> None:
        self._router_has_ended = True
        if self in self.process.connections:
            del self.process.connections[self]
            self.process.soon(lambda: self.link.connection_lost(None))


def garbage(rng: Random, sequence: int) -> bytes:
    """Octets that no peer should send; some of them end the session."""
    match rng.randrange(6):
        case 0:
            return build(v.SUBMIT_SM, 0, sequence, b"\xff" * 30)
        case 1:
            return build(v.DELIVER_SM, 0, sequence, b"\0\1")
        case 2:
            return build(0x12345, 0, sequence, b"what")
        case 3:
            return build(v.SUBMIT_SM_RESP, 0, sequence + 100_000, b"1\0")
        case 4:
            return build(v.GENERIC_NACK, 3, 0)
        case _:
            return b"\0\0\0\7" + b"garbage garbage"
