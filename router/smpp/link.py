"""A session on a transport: what connections of clients and of operators have in common.

A link has the methods of asyncio's Protocol but imports nothing: the transport, the clock and the
timer are handed in, so that tests join two links without a socket. Rules of a link:

- octets are written once per turn of the loop (`flush`), however many PDUs the turn has brought;
- there is one timer, armed for the moment at which the session needs it;
- a peer that does not read is not written to without bound: `writable` is False meanwhile, and
  nothing more is read from the peer either;
- a session that is CLOSED has its last octets written and its transport closed, and `ended` is
  called exactly once, however it came to its end;
- a peer that has closed its half of the connection still hears the answers that it waits for;
- a client whose bind was refused may close first: some report a lost connection instead of the
  refusal where the two come together.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

from router.smpp.pdu import Pdu
from router.smpp.session import NEVER, Session
from router.smpp.states import State
from router.terms.limits import Rate, TokenBucket

MOST_UNREAD_OCTETS: Final = 1_000_000
"""Octets that may wait for a peer to read: 10,000 answers. A peer further behind is stuck."""
LINGER_S: Final = 5.0
"""How long a peer has to read the last octets before the connection is cut."""
REFUSED_S: Final = 1.0
"""How long a client whose bind was refused has to close the connection before the router does."""

NOTES_LOGGED: Final = Rate(20, 600.0)
"""Log lines about the faults of one peer, so that a peer cannot fill the log and a peer that is
bound for months is still heard of. All faults are counted."""
_CLOSED: Final = State.CLOSED  # Before Python 3.12 a member of an enum costs five globals.


class Unacknowledged(NamedTuple):
    """What the peer's system has not acknowledged of all that was written to a connection."""

    octets: int
    """How much, whether or not it has left this machine."""
    since_s: float
    """The least time since the last acknowledgement came."""
    sent_since_s: float
    """The least time since the last octets left; minus infinity if some have not."""


class Transport(Protocol):
    """The part of asyncio's transports that a link uses."""

    def write(self, data: bytes) -> None:
        """Send, or keep until the peer reads."""

    def close(self) -> None:
        """Close when all is written."""

    def abort(self) -> None:
        """Close now."""

    def can_write_eof(self) -> bool:
        """Return whether its two directions can end one after the other; with TLS they cannot."""

    def pause_reading(self) -> None:
        """Stop calling `data_received`."""

    def resume_reading(self) -> None:
        """Call `data_received` again."""

    def get_extra_info(self, name: Literal["peername"]) -> tuple[str, int] | None:
        """Return the peer's host and port; None when it is gone already."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how full the buffer is when `pause_writing` and `resume_writing` are called."""


class Timer(Protocol):
    """A call that was asked for with `call_later`."""

    def cancel(self) -> None:
        """Have the call not made."""


class Host(Protocol):
    """What a link needs of its surroundings."""

    def clock(self) -> float:
        """Return the monotonic time, in seconds."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Run `call` after a while."""

    def write_soon(self, link: "Link") -> None:
        """Call the link's `flush` when this turn of the loop ends."""

    def unacknowledged(self, link: "Link") -> Unacknowledged | None:
        """Return what the peer's system has not acknowledged; None where that is not known."""


class Link:
    """One session on one transport; subclasses are the connections of clients and of operators."""

    def __init__(self, session: Session, host: Host) -> None:
        self.session: Final = session
        self.host: Final = host
        self.to_write = False
        self.writable = True
        self.transport: Transport | None = None
        self.written_octets = 0
        """All that was written to the transport."""
        self._timer: Timer | None = None
        self._armed_for = NEVER
        self._has_ended = False
        self._closes = False
        """Whether the transport is closed, or will be as soon as the peer has had its time."""
        self._ends_when_answered = False
        self._reading = True
        self._notes_to_log = TokenBucket(NOTES_LOGGED, NOTES_LOGGED.count, host.clock())

    # For subclasses.

    def started(self, now: float) -> None:
        """Begin the session: the transport is connected."""

    def arrived(self, pdu: Pdu, now: float) -> None:
        """Deal with a PDU that the session hands on."""
        raise NotImplementedError

    def overdue(self, whose: list[object], now: float) -> None:
        """Deal with requests that were not answered in time."""
        raise NotImplementedError

    def ended(self, lost: list[object], now: float) -> None:
        """Deal with the end of the session; the requests in `lost` were unanswered."""
        raise NotImplementedError

    def noted(self) -> None:
        """Take the notes of the session."""
        raise NotImplementedError

    def wake_at(self) -> float:
        """Return when `wake` of this subclass is next needed."""
        return NEVER

    def wake(self, now: float) -> None:
        """Do what is due."""

    def may_log_note(self) -> bool:
        """Return whether the log takes one more note about this peer."""
        return self._notes_to_log.take(self.host.clock())

    def doubt(self, now: float) -> bool:
        """Have a silent peer asked whether it lives: another needs its place.

        Return whether the place may come free by that.
        """
        is_doubted = not self._has_ended and self.session.doubt(now)
        if is_doubted:
            self.host.write_soon(self)  # `flush` arms the timer anew.
        return is_doubted

    # Called by the transport.

    def connection_made(self, transport: Transport) -> None:
        """Take the transport and begin."""
        self.transport = transport
        transport.set_write_buffer_limits(high=MOST_UNREAD_OCTETS)
        self.started(self.host.clock())
        self.host.write_soon(self)

    def data_received(self, data: bytes) -> None:
        """Deal with all that came."""
        now = self.host.clock()
        for pdu in self.session.receive(data, now):
            self.arrived(pdu, now)
        if not self.to_write:
            self.host.write_soon(self)

    def eof_received(self) -> bool:
        """Still answer a peer that sends no more but may read, as after Node's `socket.end()`."""
        transport = self.transport
        if self._has_ended or not self.session.owed:
            return False
        if transport is None or not transport.can_write_eof():
            return False
        self._ends_when_answered = True
        self.pause_writing()  # Send no new requests: the peer could not answer them.
        self.host.call_later(LINGER_S, self._cut)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session: the transport is gone."""
        self.transport = None
        self._end()

    def pause_writing(self) -> None:
        """Stop reading: the peer does not read, and answers to it would pile up."""
        self.writable = False
        self._set_reading(False)

    def resume_writing(self) -> None:
        """Read again: the peer does."""
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
        """Write what the session has; close if the session is over; arm the timer."""
        session, transport = self.session, self.transport
        octets = session.take_octets()
        if transport is not None:
            if octets:
                transport.write(octets)
                self.written_octets += len(octets)
            over = session.state is _CLOSED or (self._ends_when_answered and not session.owed)
            if over and not self._closes:
                self._closes = True
                if session.has_refused:
                    self.host.call_later(REFUSED_S, self._close)
                else:
                    self._close()
        if session.notes:
            self.noted()
        if not self._has_ended:
            self._rearm()

    def _close(self) -> None:
        if self.transport is not None:
            self._end()
            self.transport.close()
            self.host.call_later(LINGER_S, self._cut)

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _rearm(self) -> None:
        """Keep one timer. A timer that fires too early is only armed again."""
        now = self.host.clock()
        wake_at = min(self.session.wake_at(), self.wake_at())
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
        if self.wake_at() <= now:
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
