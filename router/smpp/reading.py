"""Whose octets are dealt with when: a peer that sends faster than it is served costs nobody else.

What comes on a connection is dealt with at once, up to a number of PDUs, and up to another number
of all connections in one turn of the loop. A connection with more waits in line and is not read
meanwhile, so that its octets stay with its peer. In each turn of the loop the line is served for
`SHARE_S`, one connection after the other; between two turns the others are read. So peers at full
speed, however many there are, cost another one what a turn takes. While much of what was taken is
not safe in the journal, the line waits: what others send would be written after all of it.

The line has three ranks, served in turns: operators, on whose answers and receipts all that was
taken depends; clients of the most urgent lane; other clients. Within a rank owners (accounts) take
turns, and the connections of one owner among themselves: more binds get no more of the router.

What a client has sent may wait in line for `LATE_S`. Of what has waited longer one message in
`LATE_OF` is taken, and the others are refused: so the line becomes shorter, to refuse costs little
beside what is taken however much is offered, and no client that sends too much gets nothing.

Timers of many connections may be due at one moment: a thousand that came together and did not bind
are given up together. They have a share of each turn too (`wake`).

Sources: deficit round robin, with flows that have no backlog going first, as in fq_codel; what has
waited too long is dropped at the head of its queue, as in CoDel.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from router.terms.limits import Rate

ALONE_PDUS: Final = 256
"""PDUs of one read that are dealt with at once while nobody waits in line: what comes together on
a window of 100, answers and receipts, so that each turn and each commit has much to do together."""
SHARED_PDUS: Final = 64
"""The same while others wait. It must be more than a peer with little to say sends in a turn: one
that exceeds it waits behind those with much."""
STEP_PDUS: Final = 8
"""PDUs of a client's connection that are dealt with when it is its turn in the line."""
OPERATORS_STEP_PDUS: Final = 16
"""The same of an operator's: on one bind come the answers and receipts of many clients."""
LIST_OCTETS: Final = 512
"""So many octets of a submit_multi count as one PDU when it is read; then each number does."""
READ_OCTETS: Final = 65_536
"""Octets in one read from which on a connection waits for its next turn: the loop would go on
reading while there are more."""
SHARE_S: Final = 0.001
"""How long the line is served in one turn; the last connection may take longer."""
TOGETHER_S: Final = 0.0001
"""Timers that are dealt with in so quick succession are those of one turn."""
BEHIND_MESSAGES: Final = 128
"""Messages that clients wait for, and the journal has not committed, above which the line waits."""
BEHIND_OCTETS: Final = 262_144
"""Octets of those messages above which it waits as well: a few long ones take as long to write."""
MUCH_BEHIND: Final = 4
"""So many times those limits, and operators and clients of the most urgent lane wait as well."""
AT_ONCE_PDUS: Final = 1024
"""PDUs of all clients that are dealt with at once in one turn, less four for each message that the
journal has not committed, and none while its commits take too long: a thousand clients with a full
window each would make a turn of seconds, which the urgent ones wait for. As many more for clients
of the most urgent lane, and any for operators, whose contracts are their limit."""
LATE_S: Final = 1.0
"""How long what a client has sent may wait in line. It hears a refusal before it gives up: jSMPP
does after 2 s, others after 10 s and more; and an answer that comes later is a message sent
twice."""
LATE_OF: Final = 4
"""Of so many messages that are late one is taken. To refuse costs about a twentieth of what it
costs to take one."""
GIVES_UP: Final = 3
"""So many times a connection may refuse what is late while the journal is behind, until it is its
turn again or `LATE_S` is over: else all would be refused, and nothing taken; but an enquire_link
among it has its answer in a second or two, however long the journal is behind."""
AT_LEAST_EVERY_S: Final = 0.5
"""So often the line is served while the journal is behind, unless it is `MUCH_BEHIND` or by octets:
urgent messages that go on coming, or commits that go on taking long, must not keep others out."""
BEHIND_S: Final = 0.001
"""How long it waits before it looks again: a commit takes some milliseconds."""
USELESS: Final = Rate(500, 1.0)
"""PDUs that are no message and no answer to one of ours, for which a peer is served without a
wait: what is refused has a price, too. Half a percent of the time of one core."""
USELESS_BURST: Final = 1000
"""So many may come at once."""
LONGEST_DEBT_S: Final = 2.0
"""The longest wait of one connection until it is read again, however much is owed: a healthy bind
of the same account must not seem dead because of another's."""


OPERATORS, URGENT, OTHERS = range(3)
"""Ranks of connections: each has its turn after the one before, if anybody of it waits."""


class Reader(Protocol):
    """A connection that has sent more than is dealt with at once."""

    @property
    def rank(self) -> int:
        """Its rank."""

    @property
    def owner(self) -> str:
        """Whose it is: those of one owner share the owner's turn."""

    def read_on(self) -> bool:
        """Deal with the next PDUs that have come; return whether there are more."""

    def give_up(self) -> bool:
        """Refuse the next of what has waited too long, if it has; return as `read_on`."""


class _Rank:
    """Connections of one rank: owners in turns, and each owner's connections in turns."""

    __slots__ = ("_owners", "_waiting")

    def __init__(self) -> None:
        self._owners: Final[deque[str]] = deque()
        self._waiting: Final[dict[str, deque[Reader]]] = {}

    def __len__(self) -> int:
        return sum(len(readers) for readers in self._waiting.values())

    def __bool__(self) -> bool:
        return bool(self._owners)

    def add(self, reader: Reader) -> None:
        """Put a connection behind the others of its owner, and a new owner behind the others."""
        readers = self._waiting.get(reader.owner)
        if readers is None:
            self._waiting[reader.owner] = deque((reader,))
            self._owners.append(reader.owner)
        else:
            readers.append(reader)

    def take(self) -> Reader:
        """Take out whose turn it is; the owner's next one comes after the other owners'."""
        owner = self._owners.popleft()
        readers = self._waiting[owner]
        reader = readers.popleft()
        if readers:
            self._owners.append(owner)
        else:
            del self._waiting[owner]
        return reader


class ReadingLine:
    """The connections that wait until more of what they have sent is dealt with."""

    __slots__ = (
        "_behind",
        "_burst_at",
        "_changed",
        "_clock",
        "_is_called",
        "_later",
        "_ranks",
        "_served_at",
        "_turn",
        "_wakes",
        "_woken_at",
        "is_empty",
        "left",
    )

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
        behind: Callable[[], tuple[int, int, bool]] = lambda: (0, 0, False),
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        """`later` runs a call after so many seconds; after 0.0 once the others have been read.

        `behind` returns how many messages clients wait for that the journal has not committed, how
        many octets those have, and whether its commits take too long already. `changed` is called
        when `is_empty` has changed.
        """
        self.is_empty = True
        """Whether nobody waits."""
        self.left = AT_ONCE_PDUS
        """PDUs of clients that may be dealt with at once until this turn ends."""
        self._later: Final = later
        self._clock: Final = clock
        self._behind: Final = behind
        self._changed: Final = changed
        self._ranks: Final = (_Rank(), _Rank(), _Rank())
        self._turn = 0
        """The rank whose turn it is."""
        self._is_called = False
        self._served_at = 0.0
        """When the line was served last, or began."""
        self._wakes: Final[deque[Callable[[], None]]] = deque()
        """Timers that are due and wait for a later turn."""
        self._burst_at = 0.0
        """When the first of those began that are dealt with in this turn."""
        self._woken_at = 0.0
        """When the last of them was dealt with."""

    def __len__(self) -> int:
        return sum(len(rank) for rank in self._ranks)

    def wait(self, reader: Reader) -> None:
        """Take a connection into the line; it must not be there already."""
        self._ranks[reader.rank].add(reader)
        self._go_on()

    def turn_ended(self, uncommitted: int, *, is_slow: bool) -> None:
        """A turn of the loop is over; so many messages are not committed by the journal.

        `is_slow` is whether its commits take too long already.
        """
        self.left = 0 if is_slow else AT_ONCE_PDUS - 4 * uncommitted

    def _go_on(self) -> None:
        if self.is_empty:
            self.is_empty = False
            self._served_at = self._clock()
            self._changed()
        if not self._is_called:
            self._is_called = True
            self._later(0.0, self._serve)

    def _serve(self) -> None:
        """Serve the line for its share of this turn."""
        wait_s = 0.0
        try:
            wait_s = self._serve_some()
        finally:  # A connection that fails does not hold up the others.
            self._is_called = any(self._ranks)
            if self._is_called:
                self._later(wait_s, self._serve)
            else:
                self.is_empty = True
                self._changed()

    def _serve_some(self) -> float:
        """Serve those whose turn it is; return how long the line waits then."""
        messages, octets, is_slow = self._behind()
        self.turn_ended(messages, is_slow=is_slow)
        clock, ranks = self._clock, self._ranks
        now = clock()
        if is_slow or messages > BEHIND_MESSAGES or octets > BEHIND_OCTETS:
            most = MUCH_BEHIND
            may_add = messages <= BEHIND_MESSAGES * most and octets <= BEHIND_OCTETS * most
            if may_add:
                self._serve_each(ranks[OPERATORS])
                self._serve_each(ranks[URGENT])
            is_soon = now - self._served_at < AT_LEAST_EVERY_S
            if is_soon or not may_add or octets > BEHIND_OCTETS:
                others = ranks[OTHERS]
                if others:
                    reader = others.take()
                    if reader.give_up():
                        others.add(reader)
                return BEHIND_S
        self._served_at = now
        until = now + SHARE_S
        while ranks[0] or ranks[1] or ranks[2]:
            rank = ranks[self._turn]
            self._turn = (self._turn + 1) % len(ranks)
            if rank:
                reader = rank.take()
                if reader.read_on():
                    rank.add(reader)
                if clock() >= until:
                    break
        return 0.0

    def _serve_each(self, rank: _Rank) -> None:
        """Serve each connection of a rank once.

        What the urgent ones send is little, and goes into the next commit; what operators send ends
        what was accepted.
        """
        for _ in range(len(rank)):
            reader = rank.take()
            if reader.read_on():
                rank.add(reader)

    # Timers.

    def wake(self, call: Callable[[], None]) -> None:
        """Make a call whose time has come, now or in one of the next turns."""
        if self._wakes:
            self._wakes.append(call)
            return
        now = self._clock()
        if now - self._woken_at > TOGETHER_S:
            self._burst_at = now
        elif now - self._burst_at >= SHARE_S:
            self._wakes.append(call)
            self._later(0.0, self._wake_next)
            return
        call()
        self._woken_at = self._clock()

    def _wake_next(self) -> None:
        """Make those calls that have a share of this turn."""
        wakes, clock = self._wakes, self._clock
        until = clock() + SHARE_S
        try:
            while wakes:
                wakes.popleft()()
                if clock() >= until:
                    break
        finally:  # One that fails does not hold up the others.
            if wakes:
                self._later(0.0, self._wake_next)
