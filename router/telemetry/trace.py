"""Traces: what passes on some connections is shown to somebody, live, while the router runs.

A connection that nobody traces has no tap (`Link.tap`), which is all that it pays. A tap cuts what
comes and what leaves into PDUs, in the loop, and offers each to the traces that want it. A trace
keeps it for its reader, who takes it in a thread of its own:

- in bounded memory; what finds no room is left out of this trace, and counted;
- masked by the reader (`Seen.told`), before anything leaves the process.

A connection of a client that has not bound belongs to nobody yet. What passes on it is kept, a
little of it, until a bind request says whose it claims to be.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol

from router.accept.server import ClientLink
from router.check.number import routing_key
from router.forward.bind import OperatorLink
from router.smpp import vocabulary as v
from router.smpp.link import Link
from router.smpp.pdu import HEADER_OCTETS, BindRequest, BodyError, Framer, Pdu, looks_like
from router.smpp.states import State
from router.telemetry.pdu_fields import Kind, fields, masked, without_content
from router.terms.oldest_first import OldestFirst

MOST_TRACES: Final = 4
"""At the same time."""
MOST_OCTETS: Final = 4 * 2**20
"""That wait for the reader of one trace."""
ITEM_OCTETS: Final = 300
"""What an item takes in memory beside its octets, about."""
MOST_ASKED: Final = 1000
"""Requests of one connection whose answers belong to a trace: as many as a large window."""
MOST_BEFORE_BIND: Final = 20
MOST_OCTETS_BEFORE_BIND: Final = 65_536
"""What is kept of a connection that may turn out to be traced. A session takes ten PDUs before a
bind request, and cuts off who sends more."""
SHOWN_AT_ONCE: Final = 256
"""PDUs of one connection that are shown in one turn: half a millisecond."""
TAPPED_AT_ONCE: Final = 500
"""Connections that one turn of the loop looks at when a trace begins."""
_NOT_BOUND: Final = frozenset({State.OPEN, State.BINDING, State.CLOSED})

Direction = Literal["in", "out"]
"""As the router sees it."""
What = Literal["pdu", "octets", "ended"]


class Ends(NamedTuple):
    """The two ends of a connection."""

    peer: tuple[str, int]
    here: tuple[str, int]
    is_tls: bool


class Whose(NamedTuple):
    """Whose connection it is; empty where it is nobody's, or not yet known."""

    account: str = ""
    """The client's account; before its bind is accepted, the system_id that it claims."""
    operator: str = ""
    bind: str = ""


def whose_is(link: Link) -> Whose:
    """Return whose a connection is, as far as its bind was accepted."""
    if isinstance(link, OperatorLink):
        bind = link.bind
        return Whose(operator=str(bind.operator.name), bind=str(bind.settings.name))
    if isinstance(link, ClientLink) and link.bind_type:
        return Whose(account=str(link.account.name))
    return Whose()


class Wanted(NamedTuple):
    """Which connections a trace shows, and what of them; None is any."""

    account: str | None = None
    """The system_id of an account, or one that a client claims."""
    operator: str | None = None
    bind: str | None = None
    """The name of a bind, of this operator or of any."""
    peer: str | None = None
    """The IP address at the other end."""
    number: str | None = None
    """The routing key of the number that a message is to, or a receipt from."""

    def has(self, whose: Whose) -> bool | None:
        """Return whether a connection is wanted, by whose it is; None while that is not known."""
        if self.operator is not None and self.operator != whose.operator:
            return False
        if self.bind is not None and self.bind != whose.bind:
            return False
        if self.account is None:
            return True
        if whose.operator:
            return False
        return self.account == whose.account if whose.account else None


class Seen(NamedTuple):
    """One thing that a trace shows."""

    at_utc: float
    tap: "Tap"
    what: What
    direction: Direction
    octets: bytes
    """A PDU; or octets that are none; empty for the end of a connection."""
    is_bound: bool
    """Whether a bind was accepted before: only then may anything be revealed."""
    why: str = ""
    """Why the connection ended; or what the octets look like."""
    dropped: int = 0
    """What found no room since the item before."""

    def told(self, *, reveals: bool) -> dict[str, object]:
        """Return what may leave the process, as a document."""
        tap, octets = self.tap, self.octets
        reveals = reveals and self.is_bound
        if self.what == "pdu":
            octets = masked(octets, reveals=reveals)
        elif not reveals:
            octets = without_content(octets)
        return {
            "event": self.what,
            "at_utc": round(self.at_utc, 6),
            "connection": tap.number,
            **tap.whose._asdict(),
            "peer": tap.ends.peer,
            "here": tap.ends.here,
            "tls": tap.ends.is_tls,
            "direction": self.direction,
            "bound": self.is_bound,
            "revealed": reveals,
            "why": self.why,
            "octets": octets.hex(),
            "dropped": self.dropped,
        }


class Trace:
    """What one reader has asked for, and has not taken yet."""

    def __init__(self, wanted: Wanted, most_octets: int = MOST_OCTETS) -> None:
        self.wanted: Final = wanted
        self.is_over = False
        self.seen = 0
        """What was shown or is about to be."""
        self.dropped = 0
        """What found no room, in all."""
        self._most_octets: Final = most_octets
        self._items: Final[deque[Seen]] = deque()
        self._untold = 0
        """What was dropped since the last item that found room."""
        # Each of the two has one writer, the loop and the reader's thread, and so needs no lock.
        self._put_octets = 0
        self._taken_octets = 0

    def put(self, item: Seen) -> None:
        """Keep an item for the reader, if there is room. Called in the loop."""
        if self.is_over:
            return
        octets = len(item.octets) + ITEM_OCTETS
        if self._put_octets - self._taken_octets + octets > self._most_octets:
            self.dropped += 1
            self._untold += 1
            return
        if self._untold:
            item = item._replace(dropped=self._untold)
            self._untold = 0
        self._put_octets += octets
        self.seen += 1
        self._items.append(item)

    def take(self, most: int) -> list[Seen]:
        """Return the oldest items, at most so many. Called by the reader, in one thread."""
        items = self._items
        taken = [items.popleft() for _ in range(min(most, len(items)))]
        self._taken_octets += sum(len(item.octets) + ITEM_OCTETS for item in taken)
        return taken


class Tap:
    """What one connection shows to the traces that want it. Lives in the loop."""

    def __init__(
        self,
        link: Link,
        number: int,
        whose: Whose,
        ends: Ends,
        clock_utc: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
        unwanted: Callable[[], None] = lambda: None,
    ) -> None:
        """`unwanted` is called when it turns out that no trace wants the connection."""
        self.number: Final = number
        self.ends: Final = ends
        self.whose = whose
        self.is_bound = link.session.state not in _NOT_BOUND
        self.traces: Final[list[Trace]] = []
        """Who wants it."""
        self.undecided: Final[list[Trace]] = []
        """Who wants it if its bind request says so."""
        self._link: Final = link
        self._clock_utc: Final = clock_utc
        self._soon: Final = soon
        self._came_utc = 0.0
        self._goes_on = False
        """Whether what has come is shown to its end in a later turn."""
        self._unwanted: Final = unwanted
        self._in: Final = Framer(link.session.longest_pdu_octets)
        self._out: Final = Framer(1 << 31)
        self._is_lost = False
        self._kept: list[Seen] = []
        """What passed while nobody knew whose it is."""
        self._asked: Final[dict[Trace, OldestFirst[tuple[Direction, int], None]]] = {}
        """Requests that a trace of a number has shown."""

    def add(self, trace: Trace) -> None:
        """Show the connection to one more trace, at once or as soon as it is known to be wanted."""
        wants = trace.wanted.has(self.whose)
        if wants is not False and trace not in self.traces and trace not in self.undecided:
            (self.traces if wants else self.undecided).append(trace)

    # Called by the link.

    def came(self, octets: bytes) -> None:
        """Show the PDUs that are complete with these octets; of very many some in a later turn.

        The session deals with fewer in one turn, so that its answers still come behind them.
        """
        self._came_utc = self._clock_utc()
        self._cut(octets)

    def _go_on(self) -> None:
        self._goes_on = False
        if self.traces or self.undecided:
            self._cut(b"")

    def _cut(self, octets: bytes) -> None:
        if self._is_lost:  # The session is over.
            return
        at_utc, framer = self._came_utc, self._in
        framer.longest_octets = self._link.session.longest_pdu_octets
        before = framer.rest
        pdus = framer.feed(octets, SHOWN_AT_ONCE)
        for pdu in pdus:
            self._show(at_utc, "in", pdu)
        if framer.has_more and not self._goes_on:
            self._goes_on = True
            self._soon(self._go_on)
        if framer.lost_at_sequence is not None:
            self._is_lost = True
            lost = (before + octets)[sum(len(pdu.octets) for pdu in pdus) :]
            why = "" if self.is_bound else looks_like(framer.lost_octets)
            self._offer(Seen(at_utc, self, "octets", "in", lost, self.is_bound, why))

    def left(self, octets: bytes) -> None:
        """Show the PDUs that were written."""
        at_utc = self._clock_utc()
        for pdu in self._out.feed(octets):
            self._show(at_utc, "out", pdu)

    def ended(self, why: str) -> None:
        """Show that the connection is over."""
        while self._in.has_more:
            self._cut(b"")
        rest = len(self._in.rest)
        if rest:
            why = f"{why}, {rest} octets into a PDU"
        self._offer(Seen(self._clock_utc(), self, "ended", "in", b"", self.is_bound, why))

    # Whose it is, and who sees it.

    def _show(self, at_utc: float, direction: Direction, pdu: Pdu) -> None:
        command_id = pdu.command_id
        if direction == "in" and command_id in v.BINDS and self.whose == Whose():
            self.whose = Whose(account=_system_id(pdu))
        if self.undecided:
            self._decide(Seen(at_utc, self, "pdu", direction, pdu.octets, self.is_bound))
        item: Seen | None = None
        for trace in self.traces:
            # Of all that passes, a trace of a number wants few: no item is made of the others.
            if trace.wanted.number is None or self._concerns(trace, direction, pdu):
                if item is None:
                    item = Seen(at_utc, self, "pdu", direction, pdu.octets, self.is_bound)
                trace.put(item)
        if command_id & v.RESPONSE and command_id & ~v.RESPONSE in v.BINDS:
            accepts = "in" if self.whose.operator else "out"
            if direction == accepts and pdu.command_status == v.ESME_ROK:
                self.is_bound = True

    def _offer(self, item: Seen) -> None:
        """Show what is no PDU to whoever wants all."""
        if self.undecided:
            self._decide(item)
        for trace in self.traces:
            if trace.wanted.number is None:
                trace.put(item)

    def _decide(self, item: Seen) -> None:
        """Keep an item until it is known who wants it; then show what was kept."""
        kept = self._kept
        if self.whose == Whose():  # Its bind request may have come before the trace began.
            self.whose = whose_is(self._link)
        for trace in list(self.undecided):
            wants = trace.wanted.has(self.whose)
            if wants is None:
                continue
            self.undecided.remove(trace)
            if wants:
                for one in kept:
                    if trace.wanted.number is None:
                        trace.put(one)
                self.traces.append(trace)
        if not self.undecided:
            kept.clear()
            if not self.traces:
                self._unwanted()
        elif len(kept) < MOST_BEFORE_BIND:
            room = MOST_OCTETS_BEFORE_BIND - sum(len(one.octets) for one in kept)
            if len(item.octets) <= room:
                kept.append(item)

    def _concerns(self, trace: Trace, direction: Direction, pdu: Pdu) -> bool:
        """Whether a PDU, or the request that it answers, is about the number of a trace."""
        asked = self._asked.get(trace)
        if pdu.command_id & v.RESPONSE:
            if asked is None:
                return False
            asker: Direction = "out" if direction == "in" else "in"
            key = (asker, pdu.sequence_number)
            if key not in asked:
                return False
            asked.pop(key)
            return True
        if trace.wanted.number not in map(routing_key, _numbers(pdu)):
            return False
        if asked is None:
            asked = self._asked[trace] = OldestFirst(MOST_ASKED)
        asked.put((direction, pdu.sequence_number), None)
        return True

    def forget(self, trace: Trace) -> bool:
        """Show nothing more to a trace; return whether nobody is left who wants anything."""
        for traces in (self.traces, self.undecided):
            if trace in traces:
                traces.remove(trace)
        self._asked.pop(trace, None)
        return not (self.traces or self.undecided)


def _system_id(pdu: Pdu) -> str:
    """Return the system_id of a bind request, also of one that is faulty behind it.

    Empty where nothing ends it: the password may stand in it.
    """
    try:
        return BindRequest(pdu).system_id.decode("latin-1")
    except BodyError:
        name, end, _ = pdu.octets[HEADER_OCTETS:].partition(b"\0")
        return name.decode("latin-1") if end and len(name) < 64 else ""


def _numbers(pdu: Pdu) -> Iterator[bytes]:
    """Yield the addresses by which a request is looked for, as far as they can be read."""
    octets, command_id = pdu.octets, pdu.command_id
    if command_id in (v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM):
        # For each message while a number is traced: so without `fields`.
        source_at = octets.find(0, HEADER_OCTETS) + 3
        source_end = octets.find(0, source_at) if source_at > 2 else -1
        destination_at = source_end + 3
        destination_end = octets.find(0, destination_at) if source_end >= 0 else -1
        if destination_end >= 0:
            yield octets[destination_at:destination_end]
        if source_end >= 0 and command_id != v.SUBMIT_SM:
            yield octets[source_at:source_end]
        return
    for one in fields(octets):
        if one.kind is Kind.ADDRESS:
            yield octets[one.at : one.end]


def plain(host: str) -> str:
    """Return an IP address as people write it: of IPv4 also where a socket of IPv6 has it."""
    return host.partition("%")[0].removeprefix("::ffff:")


class TooManyTracesError(Exception):
    """There are as many traces as there may be."""


class Host(Protocol):
    """What traces need of their surroundings."""

    def soon(self, call: Callable[[], None], /) -> object:
        """Run `call` in a later turn of the loop."""

    def ends_of(self, link: Link) -> Ends:
        """Return the two ends of a connection."""


class Traces:
    """All traces, and the taps of all connections that are traced. Lives in the loop."""

    def __init__(self, host: Host, clock_utc: Callable[[], float]) -> None:
        self.running: Final[list[Trace]] = []
        self._host: Final = host
        self._clock_utc: Final = clock_utc
        self._links: Final[set[Link]] = set()
        """All connections."""
        self._taps: Final[dict[Link, Tap]] = {}
        self._connections = 0
        self._is_closed = False

    # Called by links, through their host.

    def connected(self, link: Link) -> None:
        """Note a connection; tap it if it may be wanted."""
        self._links.add(link)
        for trace in self.running:
            self._tap(link, trace)

    def disconnected(self, link: Link, exc: Exception | None) -> None:
        """Note the end of a connection."""
        self._links.discard(link)
        tap = self._taps.pop(link, None)
        if tap is not None:
            link.tap = None
            if exc is not None:
                tap.ended(f"lost: {exc}" if str(exc) else f"lost: {type(exc).__name__}")
            else:
                tap.ended("closed by the router" if link.closes else "closed by the peer")

    # Called for readers.

    def begin(self, wanted: Wanted, most_octets: int = MOST_OCTETS) -> Trace:
        """Begin a trace. Raises TooManyTracesError."""
        if self._is_closed or len(self.running) >= MOST_TRACES:
            raise TooManyTracesError
        trace = Trace(wanted, most_octets)
        self.running.append(trace)
        self._tap_all(trace, list(self._links))
        return trace

    def end(self, trace: Trace) -> None:
        """Show nothing more to a trace; it may have ended already."""
        trace.is_over = True
        if trace not in self.running:
            return
        self.running.remove(trace)
        for link, tap in list(self._taps.items()):
            if tap.forget(trace):
                self._is_unwanted(link)

    def close(self) -> None:
        """End all traces, and begin none."""
        self._is_closed = True
        for trace in list(self.running):
            self.end(trace)

    def _tap_all(self, trace: Trace, links: list[Link]) -> None:
        """Tap what a trace wants of these connections, some in this turn and some in the next."""
        if trace.is_over:
            return
        for link in links[:TAPPED_AT_ONCE]:
            if link in self._links:
                self._tap(link, trace)
        left = links[TAPPED_AT_ONCE:]
        if left:
            self._host.soon(lambda: self._tap_all(trace, left))

    def _tap(self, link: Link, trace: Trace) -> None:
        wanted, whose = trace.wanted, whose_is(link)
        tap = self._taps.get(link)
        wants = wanted.has(whose if tap is None else tap.whose)
        if wants is False:
            return
        ends = self._host.ends_of(link) if tap is None else tap.ends
        if wanted.peer is not None and wanted.peer != plain(ends.peer[0]):
            return
        if tap is not None:
            tap.add(trace)
            return
        self._connections += 1
        unwanted = partial(self._is_unwanted, link)
        tap = Tap(link, self._connections, whose, ends, self._clock_utc, self._host.soon, unwanted)
        tap.add(trace)
        self._taps[link] = link.tap = tap
        unread = link.session.unread
        if unread:
            tap.came(unread)

    def _is_unwanted(self, link: Link) -> None:
        link.tap = None
        self._taps.pop(link, None)
