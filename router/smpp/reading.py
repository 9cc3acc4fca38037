"""Whose octets are dealt with when: a peer that sends faster than it is served costs nobody else.

What comes on a connection is dealt with at once, up to a number of PDUs. A connection with more
waits in line and is not read meanwhile, so that its octets stay with its peer. In each turn of the
loop the line is served for `SHARE_S`, one connection after the other; between two turns the others
are read. So peers at full speed, however many there are, cost another one what a turn takes.
While much of what was taken is not safe in the journal, the line waits: what others send would be
written after all of it.

Timers of many connections may be due at one moment: a thousand that came together and did not bind
are given up together. They have a share of each turn too (`wake`).

Source: deficit round robin, with flows that have no backlog going first, as in fq_codel.
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


class Reader(Protocol):
    """A connection that has sent more than is dealt with at once."""

    def read_on(self) -> bool:
        """Deal with the next PDUs that have come; return whether there are more."""


class ReadingLine:
    """The connections that wait until more of what they have sent is dealt with."""

    __slots__ = (
        "_behind",
        "_burst_at",
        "_changed",
        "_clock",
        "_is_called",
        "_later",
        "_waiting",
        "_wakes",
        "_woken_at",
        "is_empty",
    )

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
        behind: Callable[[], tuple[int, int]] = lambda: (0, 0),
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        """`later` runs a call after so many seconds; after 0.0 once the others have been read.

        `behind` returns how many messages clients wait for that the journal has not committed, and
        how many octets those have. `changed` is called when `is_empty` has changed.
        """
        self.is_empty = True
        """Whether nobody waits."""
        self._later: Final = later
        self._clock: Final = clock
        self._behind: Final = behind
        self._changed: Final = changed
        self._waiting: Final[deque[Reader]] = deque()
        self._is_called = False
        self._wakes: Final[deque[Callable[[], None]]] = deque()
        """Timers that are due and wait for a later turn."""
        self._burst_at = 0.0
        """When the first of those began that are dealt with in this turn."""
        self._woken_at = 0.0
        """When the last of them was dealt with."""

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, reader: Reader) -> None:
        """Take a connection into the line; it must not be there already."""
        self._waiting.append(reader)
        self._go_on()

    def _go_on(self) -> None:
        if self.is_empty:
            self.is_empty = False
            self._changed()
        if not self._is_called:
            self._is_called = True
            self._later(0.0, self._serve)

    def _serve(self) -> None:
        """Serve the line for its share of this turn."""
        messages, octets = self._behind()
        if messages > BEHIND_MESSAGES or octets > BEHIND_OCTETS:
            self._later(BEHIND_S, self._serve)
            return
        self._is_called = False
        waiting, clock = self._waiting, self._clock
        until = clock() + SHARE_S
        while waiting:
            reader = waiting.popleft()
            if reader.read_on():
                waiting.append(reader)
            if clock() >= until:
                break
        if waiting:
            self._go_on()
        else:
            self.is_empty = True
            self._changed()

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
