"""Who goes next? Queues by plan, lane and account, from which operators pull.

Rule 1: an operator pulls from the queues whose plan it is the best available candidate of, so
failover after queueing moves no message: when an operator goes or comes, queues change hands.

Rule 2: the most urgent lane goes first. A lower lane with a `min_share` gains that much credit with
each message its operator takes while it has work, and goes when the credit is a whole message;
never two lower ones in a row while a more urgent one waits.

Rule 3: inside a lane accounts take turns, `weight` messages each, so nobody's million stands before
another's ten. Within an account the oldest message goes first, whichever plan it follows.

Rule 4: a queue keeps its first messages in memory and fetches the others from the journal, in their
order, before it runs dry. While it waits for them its account waits too: order goes before haste.

Rule 5: a message that its client has scheduled waits apart, and nothing waits behind it; when its
time has come it goes first, as what is sent again does.

Rule 6: an account has room for `queue` messages. Room is taken before a message is written to the
journal and given back when an operator has taken the message or it is settled.
"""

import itertools
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from router.terms.message import Message, Stage
from router.terms.names import AccountName, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.settings import AccountSettings, LaneSettings

_NEVER: Final = float("inf")
MOST_IN_MEMORY: Final = 2000
"""Messages of one queue; with PDUs of 200 octets that is about a megabyte."""
FEW_IN_MEMORY: Final = 1000
"""Below this the next are fetched: at 5,000/s that leaves the journal a fifth of a second."""
AT_ONCE: Final = 1000
"""Messages per fetch."""
_MOST_CREDIT: Final = 2.0
"""A lane that could not use its share for long does not save it up."""


class Queue:
    """The messages of one account in one lane that follow one plan, in the order of acceptance."""

    __slots__ = (
        "account",
        "behind",
        "earliest_expiry_utc",
        "home",
        "is_fetching",
        "lane",
        "last_id",
        "messages",
        "plan",
    )

    def __init__(self, plan: Plan, lane: int, account: AccountName) -> None:
        self.plan: Final = plan
        self.lane: Final = lane
        self.account: Final = account
        self.messages: deque[Message] = deque()
        """Those in memory, the first to go first."""
        self.behind = 0
        """How many follow them that only the journal has."""
        self.last_id = RouterId(-1)
        """The newest message that has been in memory; what is behind came after it."""
        self.is_fetching = False
        self.home: OperatorName | None = None
        """The best available candidate; None while there is none."""
        self.earliest_expiry_utc = float("inf")
        """No message here expires before; one that has left may have been the one."""

    def __len__(self) -> int:
        """Messages that wait here, in memory or not."""
        return len(self.messages) + self.behind

    def append(self, message: Message) -> None:
        """Keep one more message in memory, behind the others."""
        self.messages.append(message)
        self.last_id = message.router_id
        if message.expires_utc < self.earliest_expiry_utc:
            self.earliest_expiry_utc = message.expires_utc

    def expire(self, now_utc: float) -> list[Message]:
        """Remove and return messages in memory whose validity has passed."""
        if self.earliest_expiry_utc > now_utc:
            return []
        expired = [message for message in self.messages if message.expires_utc <= now_utc]
        if expired:
            self.messages = deque(m for m in self.messages if m.expires_utc > now_utc)
        self.earliest_expiry_utc = min((m.expires_utc for m in self.messages), default=_NEVER)
        return expired


class _Turn:
    """One account's place in the rotation of one lane at one operator."""

    __slots__ = ("in_rotation", "left", "queues", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.left = weight
        self.in_rotation = False
        self.queues: list[Queue] = []

    def oldest(self) -> Queue | None:
        """The queue whose first message is the oldest; first of all what is sent again."""
        queues = self.queues
        if len(queues) == 1:
            return queues[0] if queues[0].messages else None
        best: Queue | None = None
        fetching = False
        for queue in queues:
            if not queue.messages:
                fetching = fetching or queue.behind > 0
                continue
            first = queue.messages[0]
            if first.sends or first.not_before_utc:
                return queue  # It has had its turn, or has it now; an older one may stand behind.
            if best is None or first.router_id < best.messages[0].router_id:
                best = queue
        # What is being fetched may be older than all of these.
        return None if fetching else best


class _LaneAtOperator:
    """One lane as one operator sees it."""

    __slots__ = ("credit", "min_share", "rotation", "turns")

    def __init__(self, min_share: float) -> None:
        self.min_share = min_share
        self.credit = 0.0
        self.turns: dict[AccountName, _Turn] = {}
        self.rotation: deque[_Turn] = deque()
        """Accounts that have, or had a moment ago, something to send."""

    def next(self) -> Queue | None:
        """The queue to take from; accounts without work leave the rotation."""
        rotation = self.rotation
        while rotation:
            turn = rotation[0]
            queue = turn.oldest()
            if queue is not None:
                return queue
            rotation.popleft()
            turn.in_rotation = False
            turn.left = turn.weight
        return None

    def took(self) -> None:
        """The account whose turn it is has sent one."""
        turn = self.rotation[0]
        turn.left -= 1
        if turn.left <= 0:
            turn.left = turn.weight
            self.rotation.rotate(-1)


class _Feed:
    """What one operator may pull from."""

    __slots__ = ("lanes", "lower_before")

    def __init__(self, lanes: Sequence[LaneSettings]) -> None:
        self.lanes = [_LaneAtOperator(lane.min_share) for lane in lanes]
        self.lower_before = False
        """The last message came from a lane that was not the most urgent with work."""

    def next(self) -> tuple[_LaneAtOperator, Queue] | None:
        """The lane and queue of the next message."""
        urgent: tuple[_LaneAtOperator, Queue] | None = None
        owed: tuple[_LaneAtOperator, Queue] | None = None
        for lane in self.lanes:
            if not lane.rotation or (queue := lane.next()) is None:
                lane.credit = 0.0
                continue
            if urgent is None:
                urgent = lane, queue
            elif (
                lane.min_share
                and lane.credit + lane.min_share >= 1.0
                and (owed is None or lane.credit > owed[0].credit)
            ):
                owed = lane, queue
        return urgent if owed is None or self.lower_before else owed

    def urgent(self) -> tuple[_LaneAtOperator, Queue] | None:
        """The same, if it is of the most urgent lane there is."""
        lane = self.lanes[0]
        queue = lane.next() if lane.rotation else None
        return None if queue is None else (lane, queue)

    def took(self, taken: _LaneAtOperator) -> None:
        """The message that `next` offered goes out: only that counts for shares and turns."""
        is_urgent = True
        for lane in self.lanes:
            if not lane.rotation:
                continue
            if is_urgent:
                is_urgent = False
                self.lower_before = lane is not taken
            elif lane.min_share:
                lane.credit = min(lane.credit + lane.min_share, _MOST_CREDIT)
        if self.lower_before:
            taken.credit -= 1.0
        taken.took()


class Lanes:
    """All messages that wait for an operator."""

    def __init__(
        self, lanes: Sequence[LaneSettings], accounts: Mapping[AccountName, AccountSettings]
    ) -> None:
        self.settings: Final = tuple(lanes)
        self._accounts = accounts
        self._marks_first = [lane.in_doubt == "fail" for lane in lanes]
        self.needs_marks: Final = any(self._marks_first)
        """Whether a lane has `in_doubt: fail`: its messages must be marked before they go out."""
        self._queues: dict[tuple[Plan, int, AccountName], Queue] = {}
        self._feeds: dict[OperatorName, _Feed] = {}
        self._available: set[OperatorName] = set()
        self._up: set[OperatorName] = set()
        self._delayed: list[tuple[float, int, Message]] = []
        self._scheduled: list[tuple[float, int, Message]] = []
        self._taken: dict[AccountName, int] = dict.fromkeys(accounts, 0)
        self.hungry: list[Queue] = []
        """Queues that need messages from the journal; whoever fetches takes them off."""

    # Room.

    def take_room(self, account: AccountName) -> bool:
        """Reserve a place for one more message of this account."""
        taken = self._taken[account]
        if taken >= self._accounts[account].queue:
            return False
        self._taken[account] = taken + 1
        return True

    def give_room(self, account: AccountName) -> None:
        """A message of this account waits no more."""
        self._taken[account] -= 1

    def waiting_of(self, account: AccountName) -> int:
        """Places taken by this account."""
        return self._taken[account]

    # Messages in.

    def put(self, message: Message) -> OperatorName | None:
        """Queue a message that the journal has; return the operator that may pull it now."""
        queue = self._queue(message.plan, message.lane, message.account)
        if message.router_id <= queue.last_id:  # The journal was read before it said so: `fetched`
            queue.behind += 1  # has counted it off already, and it is here or gone.
            self._feed(queue)
            return queue.home
        queue = self._queue_for(message)
        if queue.behind or len(queue.messages) >= MOST_IN_MEMORY:
            queue.behind += 1
            self._feed(queue)
        else:
            self._take_in(queue, message)
        return queue.home

    def _take_in(self, queue: Queue, message: Message) -> None:
        """It is in memory now: behind the others, or apart until its time comes."""
        if message.not_before_utc:
            queue.last_id = message.router_id
            self.put_on_schedule(message)
        else:
            queue.append(message)

    def restore(self, plan: Plan, lane: int, account: AccountName, count: int) -> None:
        """An earlier process left this many messages in the journal for one queue."""
        queue = self._queue(plan, lane, account)
        queue.behind += count
        self._taken[account] += count
        self._feed(queue)

    def fetched(
        self, queue: Queue, messages: Sequence[Message], elsewhere: Collection[RouterId] = ()
    ) -> OperatorName | None:
        """The journal's next messages of this queue; return the operator that may pull them.

        Those that are `elsewhere` have been put into another queue, or are over.
        """
        queue.is_fetching = False
        self._wake(queue)  # With nothing to come, others of its account need not wait for it.
        for message in messages:
            if message.router_id not in elsewhere:
                message.stage = Stage.WAITING
                self._take_in(queue, message)
            queue.last_id = message.router_id
        # Fewer than there should be: the journal is right, and nothing is waited for in vain.
        queue.behind = queue.behind - len(messages) if messages else 0
        self._feed(queue)
        return queue.home

    def not_fetched(self, queue: Queue) -> None:
        """The journal failed; the queue stays hungry."""
        queue.is_fetching = False
        self._feed(queue)

    def _feed(self, queue: Queue) -> None:
        """Have a queue that may soon run dry fetched for."""
        if queue.behind and not queue.is_fetching and len(queue.messages) < FEW_IN_MEMORY:
            queue.is_fetching = True
            self.hungry.append(queue)

    def put_first(self, message: Message) -> OperatorName | None:
        """Queue a message before the others of its kind: it was pulled and is not sent."""
        queue = self._queue_for(message)
        queue.messages.appendleft(message)
        return queue.home

    def put_back(self, message: Message) -> OperatorName | None:
        """Queue a message where it would stand had it come this way at first."""
        queue = self._queue_for(message)
        rank = not message.sends, message.router_id  # What is sent again goes first.
        place = 0
        for other in queue.messages:
            if (not other.sends, other.router_id) > rank:
                break
            place += 1
        queue.messages.insert(place, message)
        return queue.home

    def put_later(self, message: Message, not_before: float) -> None:
        """Queue a message that must wait; nothing waits behind it."""
        message.stage = Stage.WAITING
        heappush(self._delayed, (not_before, message.router_id, message))

    def due(self, now: float) -> Iterator[OperatorName]:
        """Queue, first, what has waited long enough; yield the operators that may pull."""
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            message = heappop(delayed)[2]
            if message.stage is not Stage.WAITING:
                continue  # A late answer has told that it was sent after all.
            home = self.put_first(message)
            if home is not None:
                yield home

    def hurry(self, operator: OperatorName) -> set[OperatorName]:
        """An operator can take nothing: what waits to be tried again there goes to others now."""
        leaving = [
            message
            for _, _, message in self._delayed
            if message.operator == operator
            and message.stage is Stage.WAITING
            and not message.plan.stays
            and any(name in self._available for name in message.plan.candidates)
        ]
        if not leaving:
            return set()
        gone = {message.router_id for message in leaving}
        self._delayed = [entry for entry in self._delayed if entry[1] not in gone]
        heapify(self._delayed)
        return {home for one in leaving if (home := self.put_back(one)) is not None}

    def due_at(self) -> float:
        """When `due` is next needed."""
        return self._delayed[0][0] if self._delayed else float("inf")

    def put_on_schedule(self, message: Message) -> None:
        """Keep a message until the time that its client has set."""
        message.stage = Stage.WAITING
        heappush(self._scheduled, (message.not_before_utc, message.router_id, message))

    def begin(self, now_utc: float) -> set[OperatorName]:
        """Queue, first, what was scheduled for now; return the operators that may pull it."""
        due: list[Message] = []
        while self._scheduled and self._scheduled[0][0] <= now_utc:
            due.append(heappop(self._scheduled)[2])
        homes: set[OperatorName] = set()
        for message in reversed(due):  # So that of those that begin together the oldest is first.
            # It has waited for nobody until now.
            message.accepted_at += max(0.0, message.not_before_utc - message.accepted_utc)
            home = self.put_first(message)
            if home is not None:
                homes.add(home)
        return homes

    # Messages out.

    def pull(
        self,
        operator: OperatorName,
        now_utc: float,
        expired: list[Message],
        *,
        only_urgent: bool = False,
    ) -> Message | None:
        """The next message for this operator; those whose validity has passed go to `expired`."""
        feed = self._feeds.get(operator)
        if feed is None:
            return None
        while (found := feed.urgent() if only_urgent else feed.next()) is not None:
            lane, queue = found
            if self._marks_first[queue.lane] and self._waits_for_mark(queue.messages[0], now_utc):
                # The slot waits for the journal: another message would overtake this one.
                return None
            message = queue.messages.popleft()
            if queue.behind:
                self._feed(queue)
            if message.stage is not Stage.WAITING:
                continue  # A late answer has told that it was sent after all.
            if message.expires_utc > now_utc:
                feed.took(lane)
                return message
            expired.append(message)
        return None

    @staticmethod
    def _waits_for_mark(message: Message, now_utc: float) -> bool:
        return (
            not message.is_marked
            and message.stage is Stage.WAITING
            and message.expires_utc > now_utc
        )

    def next_to_mark(self, operator: OperatorName, most: int) -> list[Message]:
        """Messages that are to be marked now: of the first `most` of a lane, those that are not.

        Of each queue the first one, however many there are: else a slot would wait for it.
        """
        feed = self._feeds.get(operator)
        found: list[Message] = []
        for lane in itertools.compress(feed.lanes if feed is not None else (), self._marks_first):
            queues = [queue for turn in lane.rotation for queue in turn.queues]
            for queue in queues:
                first = itertools.islice(queue.messages, max(1, most // len(queues)))
                found += [m for m in first if m.mark is not True and m.stage is Stage.WAITING]
        return found

    def expire(self, now_utc: float) -> list[Message]:
        """Remove and return messages whose validity has passed."""
        expired: list[Message] = []
        for queue in self._queues.values():
            expired += queue.expire(now_utc)
            self._feed(queue)
        if any(message.expires_utc <= now_utc for _, _, message in self._delayed):
            expired += [m for _, _, m in self._delayed if m.expires_utc <= now_utc]
            self._delayed = [entry for entry in self._delayed if entry[2].expires_utc > now_utc]
            heapify(self._delayed)
        return [message for message in expired if message.stage is Stage.WAITING]

    # Operators.

    def set_available(self, operator: OperatorName, available: bool) -> set[OperatorName]:
        """An operator can take messages, or cannot; return those that may now pull something."""
        return self._set(self._available, operator, available)

    def set_up(self, operator: OperatorName, is_up: bool) -> set[OperatorName]:
        """An operator is bound or is not: what it may have already waits for it while it is."""
        return self._set(self._up, operator, is_up)

    def _set(
        self, members: set[OperatorName], operator: OperatorName, member: bool
    ) -> set[OperatorName]:
        if member == (operator in members):
            return set()
        (members.add if member else members.discard)(operator)
        gained: set[OperatorName] = set()
        for queue in self._queues.values():
            if operator in queue.plan.candidates:
                before = queue.home
                self._rehome(queue)
                if queue.home is not None and queue.home != before and queue.messages:
                    gained.add(queue.home)
                if before in self._available and queue.home != before:
                    gained.add(before)
        return gained

    def is_available(self, operator: OperatorName) -> bool:
        """Whether the operator can take messages now."""
        return operator in self._available

    # What there is, for people.

    def queues(self) -> list[Queue]:
        """Every queue there has been."""
        return list(self._queues.values())

    def delayed(self) -> int:
        """Messages that wait to be tried again."""
        return len(self._delayed)

    def scheduled(self) -> int:
        """Messages in memory that wait for the time that their client has set."""
        return len(self._scheduled)

    # Inside.

    def _queue_for(self, message: Message) -> Queue:
        """The queue that this message is about to enter."""
        message.stage = Stage.WAITING
        queue = self._queue(message.plan, message.lane, message.account)
        if not queue.messages:
            self._wake(queue)
        if message.expires_utc < queue.earliest_expiry_utc:
            queue.earliest_expiry_utc = message.expires_utc
        return queue

    def _queue(self, plan: Plan, lane: int, account: AccountName) -> Queue:
        key = (plan, lane, account)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = Queue(*key)
            self._rehome(queue)
        return queue

    def _rehome(self, queue: Queue) -> None:
        plan = queue.plan
        able = self._available
        home = next((name for name in plan.candidates if name in able), None)
        if plan.stays and plan.candidates[0] in self._up:
            home = plan.candidates[0]
        if home == queue.home:
            return
        if queue.home is not None:
            old = self._feeds[queue.home].lanes[queue.lane]
            left = old.turns[queue.account].queues
            left.remove(queue)
            if left:
                self._wake(left[0])  # They may have waited for this one to be fetched.
        queue.home = home
        if home is None:
            return
        feed = self._feeds.get(home)
        if feed is None:
            feed = self._feeds[home] = _Feed(self.settings)
        turns = feed.lanes[queue.lane].turns
        if queue.account not in turns:
            turns[queue.account] = _Turn(self._accounts[queue.account].weight)
        turns[queue.account].queues.append(queue)
        if queue.messages:
            self._wake(queue)

    def _wake(self, queue: Queue) -> None:
        """A queue that was empty is about to have work: its account joins the rotation."""
        if queue.home is None:
            return
        lane = self._feeds[queue.home].lanes[queue.lane]
        turn = lane.turns[queue.account]
        if not turn.in_rotation:
            turn.in_rotation = True
            lane.rotation.append(turn)
