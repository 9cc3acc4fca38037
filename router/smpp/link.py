"""A session on a transport: what both sides of the router do with octets and with time.

It is shaped like asyncio's Protocol but imports nothing: the transport, the clock and the timer are
handed in, so that tests join two of them without a socket. Rules it keeps:

- octets are written once per turn of the loop (`flush`), whatever was said in it;
- there is one timer, armed for the moment at which the session needs it;
- a peer that does not read is not written to without bound: `writable` is False meanwhile, and
  nothing more is read from it either;
- a session that is CLOSED has its last octets written and its transport closed, and `ended` is
  called exactly once, however it came to its end;
- a peer that has closed its half of the connection still hears the answers that it waits for.
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol

from router.smpp.pdu import Pdu
from router.smpp.session import NEVER, Session
from router.smpp.states import State
from router.terms.limits import Rate, TokenBucket

MOST_UNREAD_OCTETS: Final = 1_000_000
"""What may wait for a peer to read. 10,000 answers; a peer further behind than that is stuck."""
LINGER_S: Final = 5.0
"""How long a peer has to read the last octets before the connection is cut."""


NOTES_LOGGED: Final = Rate(20, 600.0)
"""Of one connection, what its peer does wrong: a peer cannot fill the log, and one that is bound
for months is still heard. All of it is counted."""


class Transport(Protocol):
    """What is used of asyncio's transports."""

    def write(self, data: bytes) -> None:
        """Send, or keep until the peer reads."""

    def close(self) -> None:
        """Close when all is written."""

    def abort(self) -> None:
        """Close now."""

    def can_write_eof(self) -> bool:
        """Whether its two directions can end one after the other; with TLS they cannot."""

    def pause_reading(self) -> None:
        """Stop calling `data_received`."""

    def resume_reading(self) -> None:
        """Go on."""

    def get_extra_info(self, name: Literal["peername"]) -> tuple[str, int] | None:
        """The peer's host and port; None when it is gone already."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When to call `pause_writing` and `resume_writing`."""


class Timer(Protocol):
    """A call that was asked for."""

    def cancel(self) -> None:
        """It is not wanted any more."""


class Host(Protocol):
    """What a link needs of its surroundings."""

    def clock(self) -> float:
        """Monotonic seconds."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Run `call` after a while."""

    def write_soon(self, link: "Link") -> None:
        """Call the link's `flush` when this turn of the loop ends."""


class Link:
    """The part that is the same for a client's connection and for one to an operator."""

    def __init__(self, session: Session, host: Host) -> None:
        self.session: Final = session
        self.host: Final = host
        self.to_write = False
        self.writable = True
        self.transport: Transport | None = None
        self._timer: Timer | None = None
        self._armed_for = NEVER
        self._has_ended = False
        self._ends_when_answered = False
        self._reading = True
        self._notes_to_log = TokenBucket(NOTES_LOGGED, NOTES_LOGGED.count, host.clock())

    # For subclasses.

    def started(self, now: float) -> None:
        """The transport is there."""

    def arrived(self, pdu: Pdu, now: float) -> None:
        """A PDU that the session hands on."""
        raise NotImplementedError

    def overdue(self, whose: list[object], now: float) -> None:
        """Requests that were not answered in time."""
        raise NotImplementedError

    def ended(self, lost: list[object], now: float) -> None:
        """The session is over; these requests were unanswered."""
        raise NotImplementedError

    def noted(self) -> None:
        """The session has notes."""
        raise NotImplementedError

    def wake_at(self, now: float) -> float:
        """Return when the subclass next needs `wake`."""
        return NEVER

    def wake(self, now: float) -> None:
        """Do what the subclass has to do by now."""

    def may_log_note(self) -> bool:
        """Whether the log takes one more note about this peer."""
        return self._notes_to_log.take(self.host.clock())

    # Called by the transport.

    def connection_made(self, transport: Transport) -> None:
        """Begin."""
        self.transport = transport
        transport.set_write_buffer_limits(high=MOST_UNREAD_OCTETS)
        self.started(self.host.clock())
        self.host.write_soon(self)

    def data_received(self, data: bytes) -> None:
        """Take in what came, to its end."""
        now = self.host.clock()
        for pdu in self.session.receive(data, now):
            self.arrived(pdu, now)
        if not self.to_write:
            self.host.write_soon(self)

    def eof_received(self) -> bool:
        """The peer will say no more (so ends Node's `socket.end()`), but may listen: answer it."""
        transport = self.transport
        if self._has_ended or not self.session.owed:
            return False
        if transport is None or not transport.can_write_eof():
            return False
        self._ends_when_answered = True
        self.pause_writing()  # Nothing new for it: it could not acknowledge that.
        self.host.call_later(LINGER_S, self._cut)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self.transport = None
        self._end()

    def pause_writing(self) -> None:
        """The peer does not read. Then we do not read either: answers would only pile up."""
        self.writable = False
        self._set_reading(False)

    def resume_writing(self) -> None:
        """It reads again."""
        self.writable = True
        self._set_reading(True)
        self.host.write_soon(self)

    def _set_reading(self, reading: bool) -> None:
        transport = self.transport
        if transport is not None and reading != self._reading:
            self._reading = reading
            (transport.resume_reading if reading else transport.pause_reading)()

    # The turn and the time.

    def flush(self) -> None:
        """Write what there is, once; end what is over; arm the timer."""
        session, transport = self.session, self.transport
        octets = session.take_octets()
        if transport is not None:
            if octets:
                transport.write(octets)
            over = session.state is State.CLOSED or (self._ends_when_answered and not session.owed)
            if over and not self._has_ended:
                self._end()
                transport.close()
                self.host.call_later(LINGER_S, self._cut)
        if session.notes:
            self.noted()
        if not self._has_ended:
            self._rearm()

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _rearm(self) -> None:
        """Keep one timer. One that fires too early only looks and is armed again."""
        now = self.host.clock()
        wake_at = min(self.session.wake_at(), self.wake_at(now))
        if wake_at < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_for = wake_at
            self._timer = self.host.call_later(max(0.0, wake_at - now), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._armed_for = NEVER
        now = self.host.clock()
        overdue = self.session.wake(now)
        if overdue:
            self.overdue(overdue, now)
        if self.wake_at(now) <= now:
            self.wake(now)
        self.host.write_soon(self)

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self.session.notes:
            self.noted()
        self.ended(self.session.close(), self.host.clock())
