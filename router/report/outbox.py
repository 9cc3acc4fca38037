"""The outbox of an account: receipts and inbound messages, until the client has acknowledged them.

A receipt goes out on the bind that submitted its message, else on the one with the fewest
unanswered deliveries. It waits for the room of its bind while that answers: a client of several
processes wants each receipt where its message came from. It does not wait for a bind that is gone,
receives nothing, does not read, or has answered nothing for `STUCK_S`; nor where so many wait for
that bind that others would find no room in memory.

Order is kept only among the deliveries of one message (an intermediate receipt before the final
one, the parts of a subscriber's long message), so that a delivery which the client refuses holds up
no other message. Those after which more may come go out on one bind as long as it is bound: a part
waits for the bind that had the one before it.

After a temporary refusal or no answer a delivery is sent again, after growing waits; a permanent
refusal or old age ends it, and is counted.

Only the next deliveries are in memory. Later ones are `ahead`: only the journal has them, and they
are read in their order. Of those that the client refuses for now a limited number waits in memory;
the others are `passed`: they stay in the journal, which is read again from its beginning for them
from time to time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Protocol

from router.smpp.session import Writable
from router.smpp.vocabulary import ESME_ROK
from router.terms.capacity import Capacity
from router.terms.message import Delivery
from router.terms.names import RouterId
from router.terms.oldest_first import OldestFirst
from router.terms.outcome import TEMPORARY_FOR_CLIENTS
from router.terms.settings import AccountSettings

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 300.0
"""The longest wait: a client that has refused for an hour is tried every five minutes."""
PATIENT_AFTER_TRIES: Final = 9
"""Tries after which the wait is the longest. Given to what was passed: its tries are not kept."""

STUCK_S: Final = 10.0
"""A bind that has deliveries to answer, and answers none for so long, is not waited for. Well below
the response timeout, and longer than a client that works takes for one."""
OWN_TRIES: Final = 5
"""So often a delivery that is refused for now is given to its own bind first: for half a minute."""
MOST_COMPARED: Final = 16
"""Binds with room of which the one with the fewest unanswered is found; of an account with more it
is the best of the next ones in turn."""

FOR_RECEIPTS: Final = 0.1
"""The share of an outbox that messages from subscribers do not fill."""

_NEVER: Final = float("inf")


class Receiver(Writable, Protocol):
    """What deliveries can be given to: a client's bind."""

    @property
    def address(self) -> str:
        """Where it connects from: an address and a port."""

    @property
    def is_receiving(self) -> bool:
        """Whether it may be given deliveries at all, and reads what it is sent."""

    @property
    def unanswered(self) -> int:
        """How many deliveries it has not answered."""

    def has_room(self, window: int) -> bool:
        """Return whether one more delivery can be given, with at most `window` unanswered."""

    def give(self, delivery: Delivery, now: float) -> None:
        """Send a delivery; the answer comes back with the same object."""

    def notify(self, octets: bytes) -> bool:
        """Send a request that has no answer, if that is possible now; return whether it was."""


@dataclass(slots=True)
class _Reading:
    """One reading of the journal for this outbox, under way."""

    is_ahead: bool
    """Whether later deliveries are read, rather than those that were passed."""
    until: int
    """The last delivery that may have been passed."""
    over: set[int]
    """Deliveries that have ended and that the journal may still show."""


class _Line:
    """One bind, and the deliveries that wait for its room."""

    __slots__ = ("heard_at", "receiver", "waiting")

    def __init__(self, receiver: Receiver, now: float) -> None:
        self.receiver: Final = receiver
        self.heard_at = now
        """When it last answered a delivery, or was given one after it had answered all."""
        self.waiting: deque[Delivery] = deque()

    def is_stuck(self, now: float) -> bool:
        """Whether it is not waited for."""
        receiver = self.receiver
        if not receiver.is_receiving:
            return True
        return self.heard_at + STUCK_S <= now and receiver.unanswered > 0


class Outbox:
    """The deliveries that the client of one account has not acknowledged."""

    def __init__(self, settings: AccountSettings, *, capacity: Capacity = Capacity()) -> None:
        self.settings = settings
        self._capacity = capacity
        self.receivers: list[Receiver] = []
        """The binds of the account, of any type; those that may not receive have no room."""
        self._lines: dict[str, _Line] = {}
        """The binds by address and port."""
        self._waited_for: dict[str, _Line] = {}
        """Those of them for which deliveries wait."""
        self._in_lines = 0
        """How many those are."""
        self.waiting: deque[Delivery] = deque()
        """Deliveries that may go out now, in their order."""
        self.cursor = -1
        """The number in the journal of the latest delivery that has been in memory."""
        self._count = 0
        self.octets = 0
        """Octets of the deliveries that the client has not acknowledged, in memory or not. Those of
        an earlier process are missing until the journal has counted them."""
        self.ahead = 0
        """The number of deliveries after the cursor, which only the journal has."""
        self._ahead_octets = 0
        self._ahead_not_before = 0.0
        """The time before which no delivery that is ahead is sent."""
        self.passed = 0
        """The number of deliveries before the cursor that were refused for now and left to the
        journal."""
        self._next_octets = 0
        """Octets of the deliveries in memory that the client does not have and that wait for no
        time: those in `waiting`, in lines, and behind others of their message."""
        self._later_octets = 0
        """Octets of the deliveries that wait for a time."""
        self._later: list[tuple[float, int, Delivery]] = []
        """Deliveries that wait for a time: that time, a number that keeps their order, delivery."""
        self._order = 0
        self._under_way: dict[RouterId, Delivery] = {}
        """By message, the first delivery that has not ended: no other of the message may go."""
        self._behind: dict[RouterId, deque[Delivery]] = {}
        """By message, the deliveries that wait for the first one to end."""
        self._bind_of: Final[OldestFirst[RouterId, Receiver]] = OldestFirst(
            capacity.outbox_deliveries
        )
        """By message of which more may come, the receiver that was given the latest of it."""
        self._turn = 0
        """The place of the receiver that was given something last."""
        self._is_cut_short = False
        """Whether the last pump has left deliveries that could have gone."""
        self._oldest_utc = _NEVER
        """A time before which no delivery in memory was made."""
        self._passed_by: set[RouterId] = set()
        """Messages with a passed delivery, of which more deliveries may come."""
        self._reading: _Reading | None = None
        self._again_from = -1
        """The delivery after which the next reading of what was passed begins."""
        self._again_at = _NEVER
        """When what was passed is next read."""

    def adopt(self, settings: AccountSettings) -> None:
        """Follow new settings: the window from the next delivery on, the age at the next check.

        Deliveries in flight stay in flight, even if they are more than a smaller window allows.
        """
        self.settings = settings

    @property
    def is_read(self) -> bool:
        """Whether the journal is being read for it."""
        return self._reading is not None

    def __len__(self) -> int:
        """The number of deliveries that the client has not acknowledged, in memory or not."""
        return self._count

    @property
    def share(self) -> float:
        """The share of its limits that the outbox has reached: of number or octets, the larger."""
        settings = self.settings
        count, octets = settings.outbox_messages, settings.outbox_size_bytes
        return max(self._count / count, self.octets / octets)

    @property
    def is_full(self) -> bool:
        """Whether a limit is reached. Receipts are taken all the same."""
        settings = self.settings
        return self._count >= settings.outbox_messages or self.octets >= settings.outbox_size_bytes

    @property
    def is_nearly_full(self) -> bool:
        """Whether what is left is for receipts.

        However many messages subscribers send, their client may still submit.
        """
        return self.share >= 1.0 - FOR_RECEIPTS

    def bound(self, receiver: Receiver, now: float) -> None:
        """Take in a new bind."""
        self.receivers.append(receiver)
        if len(self.receivers) == 2:
            for line in self._lines.values():
                line.heard_at = now  # While it was the only one, it was not asked.
        self._lines[receiver.address] = _Line(receiver, now)

    def unbound(self, receiver: Receiver) -> None:
        """Forget a bind that has ended; what comes of its messages goes out on another."""
        self.receivers.remove(receiver)
        line = self._lines.get(receiver.address)
        if line is not None and line.receiver is receiver:
            del self._lines[receiver.address]
            self._break_up(line)
        bind_of = self._bind_of
        for router_id in [key for key, bind in bind_of.by_key.items() if bind is receiver]:
            bind_of.pop(router_id)

    # What comes in.

    def put(self, delivery: Delivery, now: float) -> None:
        """Take in a delivery that is safe in the journal, or leave it there for its turn."""
        octets = len(delivery.octets)
        self._count += 1
        self.octets += octets
        if delivery.kept_as <= self.cursor:
            self.ahead += 1  # It was read, and subtracted, before the journal's answer.
            self._ahead_octets += octets
        elif (
            self.ahead > 0
            or self._next_octets >= self._capacity.outbox_octets
            or len(self.waiting) + self._in_lines
            >= (self._capacity.outbox_deliveries if self.receivers else self._capacity.outbox_away)
        ):
            self.ahead += 1
            self._ahead_octets += octets
            self._ahead_not_before = max(self._ahead_not_before, delivery.not_before)
        else:
            self.cursor = delivery.kept_as
            self._take_in(delivery, now)

    def restore(self, count: int, first: int, octets: int) -> None:
        """Count the deliveries that an earlier process left in the journal."""
        self._count += count
        self.ahead += count
        self.cursor = first - 1
        self.weighed(octets)

    def weighed(self, octets: int) -> None:
        """Count the octets of what an earlier process left, which were not known yet."""
        self.octets += octets
        self._ahead_octets += octets

    def _take_in(self, delivery: Delivery, now: float) -> None:
        router_id = delivery.router_id
        if self._passed_by and router_id in self._passed_by:
            self._pass(1, now)  # An earlier delivery of the message is in the journal.
            return
        if delivery.made_utc < self._oldest_utc:
            self._oldest_utc = delivery.made_utc
        if router_id in self._under_way:
            self._behind.setdefault(router_id, deque()).append(delivery)
            self._next_octets += len(delivery.octets)
            return
        self._under_way[router_id] = delivery
        self._begin(delivery, now)

    def _begin(self, delivery: Delivery, now: float) -> None:
        if delivery.not_before > now:
            self._put_later(delivery, delivery.not_before)
        else:
            self.waiting.append(delivery)
            self._next_octets += len(delivery.octets)

    # What only the journal has.

    def wants(self, now: float) -> int | None:
        """Return after which delivery the journal should be read now; None if it need not be.

        A client that is away needs none but the oldest deliveries, which show the age of all.
        """
        if (
            self._reading is not None
            or self._next_octets > self._capacity.outbox_octets // 2
            or len(self.waiting) + self._in_lines
            >= (self._capacity.outbox_refill_below if self.receivers else 1)
        ):
            return None
        if self.ahead > 0:
            return self.cursor
        return self._again_from if self.passed > 0 and self._again_at <= now else None

    def reads(self, over: Iterable[int]) -> None:
        """Note that the journal is read now, which may still show the deliveries in `over`."""
        self._reading = _Reading(self.ahead > 0, self.cursor, set(over))

    def fetched(self, deliveries: Sequence[Delivery], now: float) -> None:
        """Take in what the journal has next: all there is, or as much as one reading brings."""
        reading, self._reading = self._reading, None
        assert reading is not None
        if not reading.is_ahead:
            self._read_again(reading, deliveries, now)
            return
        for delivery in deliveries:
            self.cursor = delivery.kept_as
            self._ahead_octets -= len(delivery.octets)
            delivery.not_before = self._ahead_not_before
            self._take_in(delivery, now)
        # If the journal has none although some were counted, believe the journal: otherwise the
        # outbox would wait for them for ever.
        if deliveries:
            self.ahead -= len(deliveries)
        else:
            self._count -= self.ahead
            self.octets -= self._ahead_octets
            self.ahead = self._ahead_octets = 0

    def _read_again(self, reading: "_Reading", deliveries: Sequence[Delivery], now: float) -> None:
        """Take in, of deliveries read from the front, those that were passed."""
        for delivery in deliveries:
            if delivery.kept_as > reading.until:
                break
            if len(self.waiting) + self._in_lines >= self._capacity.outbox_deliveries:
                return
            self._again_from = delivery.kept_as
            if delivery.kept_as not in reading.over and not self._has(delivery):
                self.passed -= 1
                self._passed_by.discard(delivery.router_id)
                delivery.tries = PATIENT_AFTER_TRIES
                self._take_in(delivery, now)
        else:
            octets = sum([len(delivery.octets) for delivery in deliveries])
            capacity = self._capacity
            if len(deliveries) == capacity.outbox_fetch or octets >= capacity.outbox_octets:
                return
        self._again_from = -1  # The last one has been read.
        self._again_at = now + LONGEST_RETRY_S if self.passed else _NEVER

    def set_aside(self, number: int, octets: int) -> None:
        """Forget a delivery of so many octets that the journal had and cannot read."""
        in_memory = (
            *self._under_way.values(),
            *(d for more in self._behind.values() for d in more),
        )
        if number > self.cursor and self.ahead:
            self.ahead -= 1
            self._ahead_octets -= octets
        elif number <= self.cursor and self.passed and all(d.kept_as != number for d in in_memory):
            self.passed -= 1
        else:
            return
        self._count -= 1
        self.octets -= octets

    def not_fetched(self) -> None:
        """Note that the reading has failed."""
        self._reading = None

    def _has(self, delivery: Delivery) -> bool:
        """Return whether this delivery is in memory already."""
        router_id = delivery.router_id
        found = (self._under_way.get(router_id), *self._behind.get(router_id, ()))
        return any(one is not None and one.kept_as == delivery.kept_as for one in found)

    def _pass(self, count: int, now: float) -> None:
        """Leave so many deliveries to the journal until they are read again."""
        self.passed += count
        self._again_at = min(self._again_at, now + LONGEST_RETRY_S)

    # What goes out.

    def pump(self, now: float) -> list[Receiver]:
        """Give what is due to binds that have room; return binds with something to write."""
        later = self._later
        while later and later[0][0] <= now:
            delivery = heappop(later)[2]
            self.waiting.append(delivery)
            self._later_octets -= len(delivery.octets)
            self._next_octets += len(delivery.octets)
        waiting = self.waiting
        given: list[Receiver] = []
        kept_back: list[Delivery] = []
        self._is_cut_short = False
        if self._waited_for:
            self._pump_lines(given, now)
        while waiting:
            turn = self._turn
            receiver = self._next_receiver()
            if receiver is None:
                break
            if len(given) == self._capacity.outbox_per_turn:
                self._is_cut_short = True
                break
            delivery = waiting.popleft()
            self._next_octets -= len(delivery.octets)
            if delivery.is_over:
                continue
            line = self._own(delivery)
            if delivery.final:
                if line is not None and line.receiver is not receiver and not line.is_stuck(now):
                    if line.receiver.has_room(self.settings.deliver_window):
                        self._turn = turn  # As below.
                        receiver = line.receiver
                    elif len(line.waiting) < self._capacity.outbox_deliveries // 2:
                        self._turn = turn
                        self._wait_in(line, delivery)
                        continue
            else:
                bind = self._bind_of.get(delivery.router_id)
                if bind is None and line is not None and not line.is_stuck(now):
                    bind = line.receiver
                if bind is not None:
                    self._turn = turn  # It takes no turn of another: first parts are spread, too.
                    receiver = bind
                if not receiver.has_room(self.settings.deliver_window):
                    kept_back.append(delivery)
                    self._next_octets += len(delivery.octets)
                    continue
                self._bind_of.put(delivery.router_id, receiver)
            self._give(delivery, receiver, now)
            given.append(receiver)
        waiting.extendleft(reversed(kept_back))
        return given

    def _give(self, delivery: Delivery, receiver: Receiver, now: float) -> None:
        if len(self.receivers) > 1 and not receiver.unanswered:
            line = self._lines.get(receiver.address)
            if line is not None:
                line.heard_at = now
        delivery.tries += 1
        receiver.give(delivery, now)

    def _next_receiver(self) -> Receiver | None:
        """Return the bind with room and the fewest unanswered; those that are alike take turns."""
        receivers = self.receivers
        window = self.settings.deliver_window
        best: Receiver | None = None
        fewest = compared = 0
        turn = self._turn
        for _ in range(len(receivers)):
            turn = (turn + 1) % len(receivers)
            receiver = receivers[turn]
            if not receiver.has_room(window):
                continue
            unanswered = receiver.unanswered
            if best is None or unanswered < fewest:
                best, fewest, self._turn = receiver, unanswered, turn
            compared += 1
            if not fewest or compared == MOST_COMPARED:
                break
        return best

    # The binds that submitted the messages.

    def _own(self, delivery: Delivery) -> _Line | None:
        """Return the bind that a delivery should go out on; None if any will do."""
        if not delivery.bind or len(self.receivers) < 2:
            return None
        if delivery.was_silent or delivery.tries >= OWN_TRIES:
            return None
        return self._lines.get(delivery.bind)

    def _wait_in(self, line: _Line, delivery: Delivery) -> None:
        """Have a delivery wait for the room of its bind."""
        line.waiting.append(delivery)
        self._waited_for[line.receiver.address] = line
        self._in_lines += 1
        self._next_octets += len(delivery.octets)

    def _pump_lines(self, given: list[Receiver], now: float) -> None:
        """Give what waits for the room of its bind; what waits for one that is stuck goes first."""
        window = self.settings.deliver_window
        for address, line in list(self._waited_for.items()):
            receiver, waiting = line.receiver, line.waiting
            while waiting and receiver.has_room(window):
                if len(given) == self._capacity.outbox_per_turn:
                    self._is_cut_short = True
                    return
                delivery = waiting.popleft()
                self._in_lines -= 1
                self._next_octets -= len(delivery.octets)
                if not delivery.is_over:
                    self._give(delivery, receiver, now)
                    given.append(receiver)
            if not waiting:
                del self._waited_for[address]
            elif line.is_stuck(now):
                self._break_up(line)

    def _break_up(self, line: _Line) -> None:
        """Let what waits for the room of a bind go out on any."""
        self._in_lines -= len(line.waiting)
        self.waiting.extendleft(reversed(line.waiting))
        line.waiting.clear()
        if self._waited_for.get(line.receiver.address) is line:
            del self._waited_for[line.receiver.address]

    def heard(self, receiver: Receiver, now: float) -> None:
        """Note that a bind has answered a delivery."""
        if len(self.receivers) > 1:
            line = self._lines.get(receiver.address)
            if line is not None:
                line.heard_at = now

    def wake_at(self) -> float:
        """Return when `pump` is next needed if nothing happens before."""
        if self._is_cut_short:
            return 0.0
        at = self._later[0][0] if self._later else _NEVER
        for line in self._waited_for.values():
            at = min(at, line.heard_at + STUCK_S)
        return at

    # The client's answers.

    def answered(self, delivery: Delivery, status: int, now: float, *, late: bool) -> bool:
        """Take the client's answer; return whether it ends this delivery.

        A late answer may find the delivery waiting to be sent again, sent again, or ended.
        """
        if delivery.is_over:
            return False
        if status in TEMPORARY_FOR_CLIENTS:
            if not late:
                self._try_later(delivery, now)
            return False
        self._over(delivery, now)
        return True

    def unanswered(self, delivery: Delivery, now: float) -> None:
        """Send a delivery again that was not answered in time; the client may have read it."""
        if not delivery.is_over:
            delivery.was_silent = True
            self._try_later(delivery, now)

    def lost(self, deliveries: list[Delivery]) -> None:
        """Put deliveries of a lost bind first, the oldest in front, to go out on another bind."""
        self.waiting.extendleft(reversed(deliveries))
        self._next_octets += sum([len(delivery.octets) for delivery in deliveries])

    def too_old(self, now: float, now_utc: float) -> list[Delivery]:
        """Remove and return deliveries that have waited longer than the account's `outbox`."""
        before = now_utc - self.settings.outbox_s
        if self._oldest_utc >= before:
            return []
        lines = self._waited_for.values()
        waiting = [
            *self.waiting,
            *(delivery for line in lines for delivery in line.waiting),
            *(delivery for _, _, delivery in self._later),
        ]
        old = [one for one in waiting if one.made_utc < before and not one.is_over]
        for delivery in old:
            self._over(delivery, now)
        if old:
            self.waiting = deque(one for one in self.waiting if not one.is_over)
            for line in lines:
                line.waiting = deque(one for one in line.waiting if not one.is_over)
            in_lines = [one for line in lines for one in line.waiting]
            self._in_lines = len(in_lines)
            self._later = [entry for entry in self._later if not entry[2].is_over]
            self._later.sort()
            self._next_octets = sum([len(one.octets) for one in (*self.waiting, *in_lines)])
            self._next_octets += sum(
                [len(d.octets) for more in self._behind.values() for d in more]
            )
            self._later_octets = sum([len(entry[2].octets) for entry in self._later])
        in_memory = (
            *self._under_way.values(),
            *(d for more in self._behind.values() for d in more),
        )
        self._oldest_utc = min((one.made_utc for one in in_memory), default=_NEVER)
        return old

    def _over(self, delivery: Delivery, now: float) -> None:
        """End a delivery, wherever it waits, and let the next one of its message go."""
        delivery.is_over = True
        self._count -= 1
        self.octets -= len(delivery.octets)
        if self._reading is not None:
            self._reading.over.add(delivery.kept_as)
        router_id = delivery.router_id
        del self._under_way[router_id]
        behind = self._behind.get(router_id)
        if behind:
            following = self._under_way[router_id] = behind.popleft()
            self._next_octets -= len(following.octets)
            if not behind:
                del self._behind[router_id]
            self._begin(following, now)

    def _try_later(self, delivery: Delivery, now: float) -> None:
        """Send a delivery again later that was refused for now or not answered.

        Beyond the limit in memory a refused delivery is left to the journal, with those behind it.
        A delivery that the client may have read stays in memory: its answer may still come.
        """
        has_room = (
            len(self._later) < self._capacity.outbox_retrying
            and self._later_octets < self._capacity.outbox_octets
        )
        if has_room or delivery.was_silent:
            self._put_later(delivery, now + self._retry_wait_s(delivery))
            return
        router_id = delivery.router_id
        del self._under_way[router_id]
        behind = self._behind.pop(router_id, ())
        self._next_octets -= sum([len(one.octets) for one in behind])
        if behind or not delivery.final:
            # More deliveries of this message may come: they must not overtake those in the journal.
            self._passed_by.add(router_id)
        self._pass(1 + len(behind), now)

    def _put_later(self, delivery: Delivery, at: float) -> None:
        self._order += 1
        heappush(self._later, (at, self._order, delivery))
        self._later_octets += len(delivery.octets)

    @staticmethod
    def _retry_wait_s(delivery: Delivery) -> float:
        return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(delivery.tries - 1, 16))


def is_acknowledged(status: int) -> bool:
    """Return whether the client has the delivery, rather than having refused it for good."""
    return status == ESME_ROK
