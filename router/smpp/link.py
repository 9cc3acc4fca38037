"""A session on a transport: what connections of clients and of operators have in common.

A link has the methods of asyncio's Protocol but imports nothing: the transport, the clock and the
timer are handed in, so that tests join two links without a socket. Rules of a link:

- octets are written once per turn of the loop (`flush`), however many PDUs the turn has brought;
- there is one timer, armed for the moment at which the session needs it;
- a peer that does not read is not written to without bound: `writable` is False meanwhile, and
  nothing more is read from the peer either;
- a peer that sends much at once waits in line until it is its turn again, and is not read meanwhile
  (reading.py); one that sends much that is of no use waits until it has paid for that;
- a session that is CLOSED has its last octets written and its transport closed, and `ended` is
  called exactly once, however it came to its end;
- a peer that has closed its half of the connection still hears the answers that it waits for, but
  what it has sent too much of is not read any more;
- a client whose bind was refused may close first: some report a lost connection instead of the
  refusal where the two come together.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

from router.smpp.pdu import Pdu
from router.smpp.reading import (
    ALONE_PDUS,
    AT_ONCE_PDUS,
    GIVES_UP,
    LATE_OF,
    LATE_S,
    LONGEST_DEBT_S,
    OPERATORS,
    OTHERS,
    READ_OCTETS,
    SHARED_PDUS,
    STEP_PDUS,
    URGENT,
    ReadingLine,
)
from router.smpp.session import NEVER, Note, Session
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
# Why a connection is not read.
NOT_WRITABLE: Final = 1
"""Its peer does not read what is written."""
IN_JUDGEMENT: Final = 2
"""Its password is being checked."""
IN_LINE: Final = 4
"""It has sent more than is dealt with at once."""
IN_DEBT: Final = 8
"""It has sent too much that is of no use."""
OVER: Final = 16
"""It goes on sending although the session is over."""
IN_TIME, TAKES_SOME, TAKES_NONE = range(3)
"""Of what has waited too long one message of several is taken, or none."""
SOON_S: Final = 0.1
"""What is read so soon after a connection has left the line was there before."""
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


class Tap(Protocol):
    """What a traced connection shows its octets to, in the clear also where the wire has TLS."""

    def came(self, octets: bytes) -> None:
        """Note what has come."""

    def left(self, octets: bytes) -> None:
        """Note what was written: whole PDUs."""


class Timer(Protocol):
    """A call that was asked for with `call_later`."""

    def cancel(self) -> None:
        """Have the call not made."""


class Host(Protocol):
    """What a link needs of its surroundings."""

    @property
    def reading(self) -> ReadingLine:
        """Where connections wait that have sent more than is dealt with at once."""

    def clock(self) -> float:
        """Return the monotonic time, in seconds."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Run `call` after a while."""

    def write_soon(self, link: "Link") -> None:
        """Call the link's `flush` when this turn of the loop ends."""

    def unacknowledged(self, link: "Link") -> Unacknowledged | None:
        """Return what the peer's system has not acknowledged; None where that is not known."""

    def has_hung_up(self, link: "Link") -> bool:
        """Return whether the peer has closed the connection; False where that is not known."""

    def connected(self, link: "Link") -> None:
        """Note that a link has its transport; nothing was read or written yet."""

    def disconnected(self, link: "Link", exc: Exception | None) -> None:
        """Note that the transport of a link is gone."""


class Link:
    """One session on one transport; subclasses are the connections of clients and of operators."""

    def __init__(self, session: Session, host: Host) -> None:
        self.session: Final = session
        self.host: Final = host
        self.to_write = False
        self.writable = True
        self.has_put_off = False
        """Whether a part of what has come waits until `go_on` deals with it."""
        self.transport: Transport | None = None
        self.tap: Tap | None = None
        """Set while the connection is traced."""
        self.written_octets = 0
        """All that was written to the transport."""
        self._timer: Timer | None = None
        self._cutting: Timer | None = None
        """Set while the peer has time to read the last octets."""
        self._armed_for = NEVER
        self._has_ended = False
        self._closes = False
        """Whether the transport is closed, or will be as soon as the peer has had its time."""
        self._ends_when_answered = False
        self._not_read = 0
        """Why nothing is read just now; 0 while the connection is read."""
        self._probe_at = -NEVER
        """When a peer in debt is written to again, to hear whether it is gone."""
        self._waits = False
        """Whether it is in the line, where it stands once."""
        self.step_pdus = STEP_PDUS
        """PDUs that are dealt with when it is its turn in the line."""
        self.rank = OTHERS
        """Of its connections in the line."""
        self.owner = ""
        """Whose turn in the line it shares."""
        self.lateness = IN_TIME
        """Whether what is dealt with just now has waited too long, and what is done with it."""
        self._came_at = 0.0
        """Since when what came could be dealt with, but for the line; as far as that is known."""
        self._given_up = 0
        """How often some of what waits was refused since it was its turn in the line, or since"""
        self._gave_up_at = 0.0
        """this moment, if that was later."""
        self._full_read_at = 0.0
        """When as much was read as is read at once, so that more may wait unread; 0 if less."""
        self._read_again_at = 0.0
        """When it left the line."""
        self._line: Final = host.reading
        self._notes_to_log = TokenBucket(NOTES_LOGGED, NOTES_LOGGED.count, host.clock())

    # For subclasses.

    def started(self, now: float) -> None:
        """Begin the session: the transport is connected."""

    def arrived(self, pdu: Pdu, now: float) -> None:
        """Deal with a PDU that the session hands on."""
        raise NotImplementedError

    def go_on(self, most: int, now: float) -> int:
        """Deal with what was put off, as if it were so many PDUs at most; return what is left.

        For a PDU that takes as long as many others.
        """
        return most

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

    def budget(self) -> TokenBucket | None:
        """Return what the peer may send that is of no use; None if that is not counted."""
        return None

    def find_place(self) -> None:
        """Note owner and rank, by which it waits in line."""

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
        self.host.connected(self)
        self.started(self.host.clock())
        self.host.write_soon(self)

    def data_received(self, data: bytes) -> None:
        """Deal with what came, or with the first of it; the rest when it is its turn."""
        if self.tap is not None:
            self.tap.came(data)
        if self._not_read:
            self._keep(data)
            return
        now = self.host.clock()
        session = self.session
        line = self._line
        most = ALONE_PDUS if line.is_empty else SHARED_PDUS
        if line.left < most:
            most = self._at_once(most)
        pdus = session.receive(data, now, most)
        line.left -= len(pdus)
        for pdu in pdus:
            self.arrived(pdu, now)
        if self.has_put_off:
            left = most - len(pdus)
            line.left -= left - self.go_on(left, now)
        if session.useless:
            self._pay(now)
        if len(data) >= READ_OCTETS and session.state is _CLOSED:
            self.stop_reading(OVER)
        elif session.has_more or self.has_put_off or len(data) >= READ_OCTETS:
            self._note_arrival(now, len(data))
            self.stop_reading(IN_LINE)
            self._wait_in_line()
        if not self.to_write:
            self.host.write_soon(self)

    def _at_once(self, most: int) -> int:
        """Return how many PDUs are dealt with at once where all clients have used up theirs."""
        if self.rank == OPERATORS:
            return most
        left = self._line.left + (AT_ONCE_PDUS if self.rank == URGENT else 0)
        return max(0, min(most, left))

    def _note_arrival(self, now: float, octets: int) -> None:
        """Note since when waits what goes into the line.

        What the last read has left unread came between the two: in the middle, on average.
        """
        waited_unread = self._full_read_at and now - self._read_again_at < SOON_S
        self._came_at = (self._full_read_at + now) / 2.0 if waited_unread else now
        self._full_read_at = now if octets >= READ_OCTETS else 0.0

    def _keep(self, data: bytes) -> None:
        """Keep what came although nothing is read: the transport had it already, or is new."""
        now = self.host.clock()
        if not self.session.has_more:
            self._came_at = now
        self.session.receive(data, now, 0)
        if self.transport is not None:
            self.transport.pause_reading()
        self._not_read |= IN_LINE
        self._wait_in_line()

    def read_on(self) -> bool:
        """Deal with the next of what has come; return whether there is more, and it may go on."""
        self._given_up = 0
        return self._deal(TAKES_SOME)

    def give_up(self) -> bool:
        """Refuse the next of what has waited too long, if it has; return the same.

        At most `GIVES_UP` times until `read_on`, or within `LATE_S`.
        """
        if self._not_read == IN_LINE:
            now = self.host.clock()
            if now - self._gave_up_at > LATE_S:
                self._gave_up_at = now
                self._given_up = 0
            if self._given_up == GIVES_UP or not self._has_waited_too_long(now):
                return True
            self._given_up += 1
        return self._deal(TAKES_NONE)

    def _deal(self, late: int) -> bool:
        """Deal with the next of what has come, or as `late` says if it has waited too long."""
        self._waits = False
        if self._not_read != IN_LINE:  # It comes into the line again when that is over.
            return False
        session = self.session
        if session.has_more or self.has_put_off:
            now, most = self.host.clock(), self.step_pdus
            if self._has_waited_too_long(now):
                self.lateness = late
                most *= LATE_OF
            if self.has_put_off:
                most = self.go_on(most, now)
            if most > 0 and session.has_more:
                pdus = session.receive(b"", now, most)
                for pdu in pdus:
                    self.arrived(pdu, now)
                if self.has_put_off:
                    self.go_on(most - len(pdus), now)
            self.lateness = IN_TIME
            if session.useless:
                self._pay(now)
            self.host.write_soon(self)
        if not (session.has_more or self.has_put_off):
            self._read_again_at = self.host.clock()
            self.read_again(IN_LINE)
            return False
        if self._waits:  # It has come into the line again meanwhile.
            return False
        self._waits = self._not_read == IN_LINE
        return self._waits

    def wait_in_line(self) -> None:
        """Read nothing more until the line has dealt with what was put off just now."""
        self._came_at = self.host.clock()
        self.stop_reading(IN_LINE)
        self._wait_in_line()

    def _has_waited_too_long(self, now: float) -> bool:
        return self.rank != OPERATORS and now - self._came_at > LATE_S

    def _wait_in_line(self) -> None:
        if self._not_read == IN_LINE and not self._waits:
            self._waits = True
            self.find_place()
            self._line.wait(self)

    def _pay(self, now: float) -> None:
        """Have the peer wait if it has sent too much that is of no use."""
        budget, useless = self.budget(), self.session.useless
        self.session.useless = 0
        if budget is None:
            return
        ready_at = budget.spend(useless, now)
        if ready_at > now and not self._not_read & IN_DEBT:
            self.stop_reading(IN_DEBT)
            self.session.notes.append(Note("peer.slowed"))
            wait_s = min(ready_at - now, LONGEST_DEBT_S)
            self.host.call_later(wait_s, self._has_waited)
            if now >= self._probe_at:
                self._probe_at = now + LONGEST_DEBT_S
                self.session.probe()

    def _has_waited(self) -> None:
        """Read a peer that is in debt again; end the session if it is gone and nothing is owed.

        Else all that it has left behind would have to be paid before its end is seen.
        """
        if self.transport is not None and not self.session.owed and self.host.has_hung_up(self):
            self.transport.abort()
        else:
            self.read_again(IN_DEBT)

    def eof_received(self) -> bool:
        """Still answer a peer that sends no more but may read, as after Node's `socket.end()`."""
        transport = self.transport
        if self._has_ended or not (self.session.owed or self.session.has_more):
            return False
        if transport is None or not transport.can_write_eof():
            return False
        self._ends_when_answered = True
        self.writable = False  # Send no new requests: the peer could not answer them.
        self._cut_later()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session: the transport is gone."""
        self.host.disconnected(self, exc)
        self.transport = None
        if self._cutting is not None:
            self._cutting.cancel()  # Else it would keep what is over for a while.
            self._cutting = None
        if not self._has_ended:
            now = self.host.clock()
            for pdu in self.session.rest(now):
                self.arrived(pdu, now)
            self._end()

    def pause_writing(self) -> None:
        """Stop reading: the peer does not read, and answers to it would pile up."""
        self.writable = False
        self.stop_reading(NOT_WRITABLE)

    def resume_writing(self) -> None:
        """Read again: the peer does."""
        self.writable = True
        self.read_again(NOT_WRITABLE)
        self.host.write_soon(self)

    def stop_reading(self, why: int) -> None:
        """Read nothing more, for this reason, until `read_again`."""
        if not self._not_read and self.transport is not None:
            self.transport.pause_reading()
        self._not_read |= why

    def read_again(self, why: int) -> None:
        """Read again, unless there are other reasons not to."""
        if not self._not_read & why:
            return
        self._not_read &= ~why
        if why != IN_LINE:  # What came is late only where others are the cause.
            self._came_at = self.host.clock()
        if not self._not_read and self.transport is not None:
            self.transport.resume_reading()
        self._wait_in_line()

    # The turn and the time.

    def flush(self) -> None:
        """Write what the session has; close if the session is over; arm the timer."""
        session, transport = self.session, self.transport
        octets = session.take_octets()
        if transport is not None:
            if octets:
                if self.tap is not None:
                    self.tap.left(octets)
                transport.write(octets)
                self.written_octets += len(octets)
            answered = self._ends_when_answered and not (session.owed or session.has_more)
            over = answered or session.state is _CLOSED
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
            self._cut_later(0.0 if self._would_be_read() else LINGER_S)

    @property
    def closes(self) -> bool:
        """Whether the transport is closed from here, or will be when the peer has had its time."""
        return self._closes

    def _would_be_read(self) -> bool:
        """Whether much would come, and be read, while the transport is closed in good order.

        TLS reads and decrypts all until the peer's own end comes; plain TCP reads nothing more.
        """
        much = self.session.has_flooded or self._not_read & (IN_LINE | IN_DEBT | OVER)
        return bool(much) and self.transport is not None and not self.transport.can_write_eof()

    def _cut_later(self, after_s: float = LINGER_S) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
        self._cutting = self.host.call_later(after_s, self._cut)

    def _cut(self) -> None:
        self._cutting = None
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
            self._timer = self.host.call_later(max(0.0, wake_at - now), self._wake_in_turn)

    def _wake_in_turn(self) -> None:
        self._timer = None
        self._line.wake(self._wake)

    def _wake(self) -> None:
        if self._has_ended:  # While it waited for its turn.
            return
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
