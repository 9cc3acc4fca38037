"""Queues by plan, lane and account, and which of them an operator pulls its next message from.

Rule 1: a queue's home is the best available candidate of its plan, and pulls from the queue. So a
failover after queueing moves no message: when an operator goes or comes, queues change their home.

Rule 2: the most urgent lane goes first. A lower lane with a `min_share` gains that much credit with
each message that its operator takes while the lane has work, and goes when the credit is a whole
message; but lower lanes never go twice in a row while a more urgent message waits. What a lane
sends while nothing more urgent waits counts for its share.

Rule 3: inside a lane accounts take turns, `weight` messages each, so that a million messages of one
account do not stand before ten of another. Within an account the oldest message goes first,
whichever plan it follows.

Rule 4: a queue keeps its first messages in memory and fetches the others from the journal, in their
order, before the memory is empty. While a queue waits for the journal, its account waits too: the
order of an account's messages is more important than speed.

Rule 5: a message that its client has scheduled, or that is delayed, is in no queue, and no other
message waits for it. At its time it goes first, like a message that is sent again.

Rule 6: while a queue's first message has waited for its lane's `failover_after`, all available
candidates of its plan pull from the queue. The nearest begin a little sooner (`SOONER`), so those
after them get what they cannot take. No message is moved and no wait is estimated.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from router.enqueue.delays import Delays
from router.enqueue.feed import NEVER, Feed, Queue
from router.enqueue.ramp_up import RampUp
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import AccountName, LaneName, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import ORDINARY, REQUEUED, STAYING, QueueKey, QueueKind
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import QUEUE, QUEUED, WAITS, Mark

MARKED: Final = Mark.MARKED
NOT_MARKED: Final = (Mark.UNMARKED, Mark.CLEARED)

SOONER: Final = 0.1
"""The last of the others helps after `failover_after`, those before it sooner, in equal steps, and
the first by nearly this share. So where messages come a little faster than the home takes them, the
nearest takes the excess and they never wait long enough for the next."""
LOOK_EVERY_S: Final = 0.025
"""How often the queues are looked through at most. Less than such a step: 67 ms for three others
after 2 s. With ten thousand queues a look takes 0.2 to 0.8 ms."""


class Lanes:
    """All messages that wait for an operator."""

    def __init__(
        self,
        lanes: Sequence[LaneSettings],
        accounts: Mapping[AccountName, AccountSettings],
        ramp_up: RampUp | None = None,
        *,
        capacity: Capacity = Capacity(),
    ) -> None:
        self.settings: Final = {lane.name: lane for lane in lanes}
        """In order of urgency."""
        self._proven_only: Final = lanes[0].name if len(lanes) > 1 else None
        """The most urgent lane: it avoids operators that have just come back. None if there is only
        one lane."""
        self.delays: Final = Delays()
        self.ramp_up: Final = ramp_up or RampUp({}, 0.0)
        self._capacity = capacity
        self._weights = {name: account.weight for name, account in accounts.items()}
        self._marks_first = _lanes_with_marks(lanes)
        """The lanes with `in_doubt: fail`: their messages must be marked before they go out."""
        self._queues: dict[tuple[Plan, LaneName, AccountName, QueueKind], Queue] = {}
        self._feeds: dict[OperatorName, Feed] = {}
        self._available: set[OperatorName] = set()
        self._up: set[OperatorName] = set()
        self._takes_trial: set[OperatorName] = set()
        self.needs_fetch: list[Queue] = []
        """Queues that need messages from the journal, for the step that fetches: it empties the
        list."""
        self._now = 0.0
        """The time of the last look at the queues or change of an operator: helpers are judged by
        it, so they may join late, but not longer than until the next look."""
        self._looked_at = -NEVER
        self._helps_at = NEVER
        """When the first message of some queue will have waited for so long that one more operator
        may help; may be early, never late."""

    # Messages in.

    # Each of these returns the operators that may pull the message now, the best first.

    def put(self, message: Message) -> tuple[OperatorName, ...]:
        """Queue a message that the journal has."""
        queue = self._queue(message.plan, message.lane, message.account, message.queue_kind)
        if message.router_id <= queue.last_id:
            # A reading of the journal has brought the message before its commit was confirmed, and
            # `fetched` has subtracted the message from `behind` before it was counted here.
            queue.behind += 1
            self._feed(queue)
            return queue.consumers
        self._enter(queue, message)
        capacity = self._capacity
        if (
            queue.behind
            or len(queue.messages) >= capacity.queue_messages
            or queue.octets >= capacity.queue_octets
        ):
            queue.behind += 1
            self._feed(queue)
        else:
            self._take_in(queue, message)
        return queue.consumers

    def _take_in(self, queue: Queue, message: Message) -> None:
        """Keep a message in memory: last in its queue, or in no queue until its schedule."""
        if message.not_before_utc:
            queue.last_id = message.router_id
            self.delays.schedule(message)
        else:
            queue.append(message)

    def restore(self, key: QueueKey, count: int) -> None:
        """Count messages of one queue that an earlier process left in the journal."""
        queue = self._queue(*key)
        queue.behind += count
        self._feed(queue)

    def fetched(
        self,
        queue: Queue,
        messages: Sequence[Message],
        elsewhere: Collection[RouterId] = (),
        *,
        cancelled: Sequence[RouterId] = (),
    ) -> tuple[OperatorName, ...]:
        """Take in the next messages of a queue, which the journal has brought.

        The messages in `elsewhere` have been put into another queue, or are settled. Those that are
        `cancelled` it has brought as well: `cancel_behind` has counted them.
        """
        queue.is_fetching = False
        self._wake(queue)  # If the journal brings nothing, other queues of the account may go on.
        for message in messages:
            if message.router_id not in elsewhere:
                message.enter(QUEUE)
                self._take_in(queue, message)
            queue.last_id = message.router_id
        if cancelled:
            queue.last_id = max(queue.last_id, *cancelled)
            queue.behind -= len(messages)
        else:
            # If it has none of those that were counted when it was asked, the journal is right.
            queue.behind -= len(messages) or queue.asked_for
        self._feed(queue)
        self._expect_help(queue)
        return queue.consumers

    def not_fetched(self, queue: Queue) -> None:
        """Have a queue fetched for again: the journal has failed to read."""
        queue.is_fetching = False
        self._feed(queue)

    def _feed(self, queue: Queue) -> None:
        """Have messages fetched for a queue that may soon have none in memory."""
        capacity = self._capacity
        if (
            queue.behind > 0  # Below it what was brought is yet to be counted: nothing is missing.
            and not queue.is_fetching
            and len(queue.messages) < capacity.queue_refill_below
            and queue.octets <= capacity.queue_octets // 2
        ):
            queue.is_fetching = True
            queue.asked_for = queue.behind
            self.needs_fetch.append(queue)

    def put_first(self, message: Message) -> tuple[OperatorName, ...]:
        """Queue a message before all others of its queue, for example one that was not sent."""
        queue = self._queue_for(message)
        self._insert(queue, 0, message)
        return queue.consumers

    def take_out(self, queue: Queue) -> list[Message]:
        """Remove and return the messages of a queue that are in memory; the next are fetched."""
        messages = [message for message in queue.messages if message.state is QUEUED]
        queue.messages.clear()
        queue.octets = 0
        self._feed(queue)
        return messages

    def put_back(self, message: Message) -> tuple[OperatorName, ...]:
        """Queue a message where it would stand if it had been in this queue from the beginning."""
        queue = self._queue_for(message)
        rank = not message.writes, message.router_id  # Messages that are sent again go first.
        place = 0
        for other in queue.messages:
            if (not other.writes, other.router_id) > rank:
                break
            place += 1
        self._insert(queue, place, message)
        return queue.consumers

    def _insert(self, queue: Queue, place: int, message: Message) -> None:
        """Keep a message in memory before those that stand at this place and behind it."""
        if place < len(queue.messages):
            # Who may help is told by the first message: by how long any of the queue has waited.
            message.waits_since = min(message.waits_since, queue.messages[place].waits_since)
        queue.messages.insert(place, message)
        queue.octets += message.size
        self._expect_help(queue)

    def wake(self, now: float) -> Iterator[OperatorName]:
        """Do what is due; yield the operators that may pull.

        Delayed messages are queued. Operators help where messages have waited for too long.
        """
        self._now = now
        for operator in self.ramp_up.wake(now):
            yield from self._rehome_all(operator)
        for message in self.delays.wake(now):
            yield from self._put_delayed(message, now)
        if now >= self._looks_at():
            yield from self._look(now)

    def _put_delayed(self, message: Message, now: float) -> tuple[OperatorName, ...]:
        """Queue a message whose delay is over."""
        message.waits_since = min(message.waits_since, now)
        begins_anew = message.waits_since > message.accepted_at
        may_overflow = self.settings[message.lane].failover_after_s is not None
        if begins_anew and may_overflow and message.queue_kind is ORDINARY:
            # In its old queue it would go first, and hide how long those behind it have waited.
            message.queue_kind = REQUEUED
        return self.put_back(message)

    def release_delayed(self, operator: OperatorName, now: float) -> set[OperatorName]:
        """Queue messages that wait for a retry at an operator that can now take nothing.

        Only those that another operator can take; return the operators that may pull them.
        """

        def may_leave(message: Message) -> bool:
            return (
                message.operator == operator
                and message.queue_kind is not STAYING
                and any(name in self._available for name in message.plan.candidates)
            )

        released = self.delays.release(may_leave)
        return {name for one in released for name in self._put_delayed(one, now)}

    def end_doubt(self) -> set[OperatorName]:
        """Queue the doubted messages again; return the operators that may pull them."""
        # The newest first: each then finds its place at the front of its queue.
        doubted = sorted(self.delays.end_doubt(), key=lambda one: one.router_id, reverse=True)
        return {name for message in doubted for name in self.put_back(message)}

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return min(self.ramp_up.wake_at(), self.delays.wake_at(), self._looks_at())

    def begin(self, now_utc: float) -> set[OperatorName]:
        """Queue messages that were scheduled for now; return the operators that may pull them."""
        gained: set[OperatorName] = set()
        # Each is put before those of the loop's earlier steps: the oldest comes to stand first.
        for message in reversed(self.delays.begin(now_utc)):
            gained.update(self.put_first(message))
        return gained

    # One message among the others.

    def find(
        self, account: AccountName, router_ids: Collection[RouterId]
    ) -> dict[RouterId, Message]:
        """Return those of an account's messages that wait here in memory, by their ids.

        Every message of the account that is in memory is looked at.
        """
        find = self.delays.find
        found = {one: message for one in router_ids if (message := find(one)) is not None}
        for queue in self._queues.values():
            if queue.account == account:
                for message in queue.messages:
                    if message.router_id in router_ids and message.state is QUEUED:
                        found[message.router_id] = message
        return found

    def behind(self, key: QueueKey, router_id: RouterId) -> Queue | None:
        """Return the queue of which only the journal has this message; None if there is none."""
        queue = self._queues.get((key.plan, key.lane, key.account, key.kind))
        return queue if queue is not None and router_id > queue.last_id else None

    def withdraw(self, message: Message) -> None:
        """Have a message that waits in memory leave, wherever that is."""
        self.delays.withdraw(message)
        key = message.plan, message.lane, message.account, message.queue_kind
        queue = self._queues.get(key)
        if queue is not None and message in queue.messages:
            queue.messages.remove(message)
            queue.octets -= message.size
            self._feed(queue)

    def cancel_behind(self, queue: Queue) -> None:
        """Count one message less of those that only the journal has."""
        queue.behind -= 1
        if queue.is_fetching:
            queue.asked_for -= 1

    def schedule_anew(self, message: Message) -> tuple[OperatorName, ...]:
        """Have a message that waits in memory wait for another time that its client has set."""
        self.withdraw(message)
        consumers = self.put_first(message)
        if not message.not_before_utc:
            return consumers
        self.withdraw(message)
        self.delays.schedule(message)
        return ()

    def replaced(self, message: Message, octets: int) -> None:
        """Note that a message which waits in memory has another text, of so many octets more.

        And that it may expire at another time.
        """
        key = message.plan, message.lane, message.account, message.queue_kind
        queue = self._queues.get(key)
        if queue is not None and message in queue.messages:
            queue.octets += octets
            queue.earliest_expiry_utc = min(queue.earliest_expiry_utc, message.expires_utc)

    # Messages out.

    def pull(
        self,
        operator: OperatorName,
        now_utc: float,
        expired: list[Message],
        *,
        only_urgent: bool = False,
    ) -> Message | None:
        """Remove and return the next message for this operator; None if there is none now.

        Messages on the way whose validity has passed are removed too, and added to `expired`.
        """
        feed = self._feeds.get(operator)
        if feed is None:
            return None
        while (found := feed.urgent() if only_urgent else feed.next()) is not None:
            lane, queue = found
            if queue.consumers[0] != operator and not self._may_help(queue, operator):
                continue
            if queue.lane in self._marks_first and self._waits_for_mark(queue.messages[0], now_utc):
                # The slot waits for the journal: another message would overtake this one.
                return None
            message = queue.messages.popleft()
            queue.octets -= message.size
            if queue.behind:
                self._feed(queue)
            if message.state is not QUEUED:
                continue  # A late answer has told that the message was sent after all.
            if message.expires_utc > now_utc:
                feed.charge(lane)
                return message
            expired.append(message)
        return None

    @staticmethod
    def _waits_for_mark(message: Message, now_utc: float) -> bool:
        """Whether a message may not go out yet; False if it will not go out anyway."""
        return (
            message.mark is not MARKED and message.state is QUEUED and message.expires_utc > now_utc
        )

    def next_to_mark(self, operator: OperatorName, most: int) -> list[Message]:
        """Return messages that are to be marked now: the unmarked among the first `most` of a lane.

        The first message of each queue is always among them: else a slot would wait for its mark.
        """
        feed = self._feeds.get(operator)
        found: list[Message] = []
        if feed is None:
            return found
        for name in self._marks_first:
            queues = [queue for turn in feed.lanes[name].rotation for queue in turn.queues]
            for queue in queues:
                first = itertools.islice(queue.messages, max(1, most // len(queues)))
                found += [m for m in first if m.mark in NOT_MARKED and m.state is QUEUED]
        return found

    def expire(self, now_utc: float) -> list[Message]:
        """Remove and return messages whose validity has passed."""
        expired: list[Message] = []
        for queue in self._queues.values():
            expired += queue.expire(now_utc)
            self._feed(queue)
        expired += self.delays.expire(now_utc)
        return [message for message in expired if message.state in WAITS]

    # Operators.

    def set_available(
        self, operator: OperatorName, available: bool, now: float, *, tried: bool = False
    ) -> set[OperatorName]:
        """Note whether an operator can take messages; return the operators that may now pull.

        An operator that is only `tried`, with one message, does not count as back yet.
        """
        self._now = now
        if not available:
            self.ramp_up.went_away(operator, now)
        elif not (tried or operator in self.ramp_up):
            self.ramp_up.came_back(operator, now)
        return self._set(self._available, operator, available)

    def set_takes_trial(self, operator: OperatorName, takes: bool) -> set[OperatorName]:
        """Note whether an operator that is not available takes what no other can take now.

        Return the operators that may now pull.
        """
        return self._set(self._takes_trial, operator, takes)

    def set_up(self, operator: OperatorName, is_up: bool) -> set[OperatorName]:
        """Note whether an operator is bound; return the operators that may now pull.

        Messages that it may have already (STAYING) wait for it while it is bound.
        """
        return self._set(self._up, operator, is_up)

    def _set(
        self, members: set[OperatorName], operator: OperatorName, member: bool
    ) -> set[OperatorName]:
        if member == (operator in members):
            return set()
        (members.add if member else members.discard)(operator)
        return self._rehome_all(operator)

    def _rehome_all(self, operator: OperatorName) -> set[OperatorName]:
        """Decide anew who pulls from the queues that this operator is a candidate of."""
        gained: set[OperatorName] = set()
        for queue in self._queues.values():
            if operator in queue.plan.candidates:
                before = queue.home
                self._rehome(queue)
                if queue.home is not None and queue.home != before and queue.messages:
                    gained.add(queue.home)
                if before in self._available and queue.home != before:
                    gained.add(before)
                if queue.messages:
                    gained.update(queue.consumers[1:])
        return gained

    @property
    def available(self) -> Set[OperatorName]:
        """The operators that can take messages now."""
        return self._available

    def is_available(self, operator: OperatorName) -> bool:
        """Whether the operator can take messages now."""
        return operator in self._available

    # Settings.

    @property
    def needs_marks(self) -> bool:
        """Whether messages of some lane must be marked before they go out."""
        return bool(self._marks_first)

    def adopt(
        self,
        lanes: Sequence[LaneSettings],
        accounts: Mapping[AccountName, AccountSettings],
        ramps_s: Mapping[OperatorName, float],
        now: float,
    ) -> set[OperatorName]:
        """Adopt the values of another configuration; return the operators that may now pull.

        The lanes have the names and the order that they had. An account that is not in the
        configuration any more keeps its last weight: messages of it may wait, or come back from an
        operator.
        """
        assert [lane.name for lane in lanes] == list(self.settings)
        self._now = now
        changed = {lane.name for lane in lanes if lane != self.settings[lane.name]}
        had_marks, self._marks_first = self._marks_first, _lanes_with_marks(lanes)
        self.settings.update((lane.name, lane) for lane in lanes)
        self._weights.update((name, account.weight) for name, account in accounts.items())
        for feed in self._feeds.values():
            feed.adopt(lanes, self._weights)
        gained: set[OperatorName] = set()
        for operator in self.ramp_up.adopt(ramps_s):
            gained |= self._rehome_all(operator)
        # A slot that waited for a mark may be used now. And where a mark is needed from now on, the
        # journal is asked for it when an operator has tried to pull.
        other_marks = {*had_marks} ^ {*self._marks_first}
        for queue in self._queues.values():
            if queue.lane in changed:
                before = queue.consumers
                self._rehome(queue)
                if queue.messages:
                    known = () if queue.lane in other_marks else before
                    gained.update(name for name in queue.consumers if name not in known)
        return gained

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Know an operator by its new name; under the old one it pulls from no queue any more."""
        self.ramp_up.rename(was, now)
        self._up.discard(was)
        self._available.discard(was)
        self._takes_trial.discard(was)
        self._rehome_all(was)

    def rename_account(self, was: AccountName, now: AccountName) -> None:
        """Let an account's queues, and its place in turn, be those of its new name.

        Nothing waits under that, or is about to.
        """
        self._weights[now] = self._weights.pop(was)
        for queue in self.queues():
            if queue.account == now:  # Empty: of an account that is gone.
                self._attach(queue, ())
                del self._queues[queue.key]
        for feed in self._feeds.values():
            feed.rename(was, now)
        for queue in self.queues():
            if queue.account == was:
                del self._queues[queue.key]
                queue.rename(now)
                self._queues[queue.key] = queue

    # For the status document.

    def queues(self) -> list[Queue]:
        """Return all queues; a queue that has become empty is still there."""
        return list(self._queues.values())

    # Inside.

    def _queue_for(self, message: Message) -> Queue:
        """Return the queue that the message belongs to, and prepare both for its coming."""
        queue = self._queue(message.plan, message.lane, message.account, message.queue_kind)
        self._enter(queue, message)
        return queue

    def _enter(self, queue: Queue, message: Message) -> None:
        """Prepare a queue and a message for the message's coming."""
        message.enter(QUEUE)
        if not queue.messages:
            self._wake(queue)
            helps_at = message.waits_since + queue.helped_after_s
            if helps_at < self._helps_at:
                self._helps_at = helps_at
        if message.expires_utc < queue.earliest_expiry_utc:
            queue.earliest_expiry_utc = message.expires_utc

    def _queue(self, plan: Plan, lane: LaneName, account: AccountName, kind: QueueKind) -> Queue:
        queue = self._queues.get((plan, lane, account, kind))  # A plain tuple is made much faster.
        if queue is None:
            key = QueueKey(plan, lane, account, kind)
            queue = self._queues[key] = Queue(key)
            self._rehome(queue)
        return queue

    def _rehome(self, queue: Queue) -> None:
        """Decide who pulls from a queue, by availability, ramps and waiting time."""
        queue.helped_from_s, queue.helped_after_s = -NEVER, NEVER
        plan = queue.plan
        up = [name for name in plan.candidates if name in self._available]
        ramp_up = self.ramp_up
        if queue.key.kind is STAYING and plan.candidates[0] in self._up:
            self._attach(queue, plan.candidates[:1])
        elif not up:
            trying = [name for name in plan.candidates if name in self._takes_trial]
            self._attach(queue, tuple(trying[:1]))
        elif up[0] not in ramp_up.ramping:
            self._attach(queue, (up[0], *self._helpers_of(queue, up[1:])))
        elif queue.lane != self._proven_only:
            home = next((name for name in up if name not in ramp_up.skipped), up[0])
            others = [name for name in up if name != home]
            self._attach(queue, (home, *self._helpers_of(queue, others)))
        else:
            # Urgent messages go to operators that have not just come back, while there are any. The
            # better candidates, which have just come back, may help.
            place = next((n for n, name in enumerate(up) if name not in ramp_up.ramping), 0)
            helpers = *up[:place], *self._helpers_of(queue, up[place + 1 :])
            self._attach(queue, (up[place], *helpers))

    # Helpers: operators that pull from a queue beside its home, while messages wait too long.

    def _helpers_of(self, queue: Queue, others: Sequence[OperatorName]) -> tuple[OperatorName, ...]:
        """Return which of these operators may help now, and note when one more may."""
        after_s = self.settings[queue.lane].failover_after_s
        if after_s is None:
            return ()
        since = queue.messages[0].waits_since if queue.messages else NEVER
        for number in range(len(others)):
            to_come = len(others) - 1 - number
            joins_s = after_s - SOONER * after_s * to_come / len(others)
            if since + joins_s > self._now:
                queue.helped_after_s = joins_s
                self._helps_at = min(self._helps_at, since + joins_s)
                return tuple(others[:number])
            queue.helped_from_s = joins_s
        return tuple(others)

    def _may_help(self, queue: Queue, operator: OperatorName) -> bool:
        """Whether the queue's first message has waited long enough for this operator to pull."""
        if queue.messages[0].waits_since + queue.helped_from_s > self._now:
            self._rehome(queue)  # The message that the helpers came for has left.
        return operator in queue.consumers

    def _expect_help(self, queue: Queue) -> None:
        """Note when one more operator may help with the first message of a queue."""
        if queue.messages:
            helps_at = queue.messages[0].waits_since + queue.helped_after_s
            self._helps_at = min(self._helps_at, helps_at)

    def _looks_at(self) -> float:
        """Return when the queues are to be looked through next."""
        return max(self._helps_at, self._looked_at + LOOK_EVERY_S)

    def _look(self, now: float) -> set[OperatorName]:
        """Have operators help where messages have waited for too long; return these operators."""
        self._looked_at, self._helps_at = now, NEVER
        gained: set[OperatorName] = set()
        for queue in self._queues.values():
            if queue.messages:
                helps_at = queue.messages[0].waits_since + queue.helped_after_s
                if helps_at <= now:
                    self._rehome(queue)
                    gained.update(queue.consumers[1:])
                elif helps_at < self._helps_at:
                    self._helps_at = helps_at
        return gained

    def _attach(self, queue: Queue, consumers: tuple[OperatorName, ...]) -> None:
        """Have these operators, and no others, pull from the queue."""
        before = queue.consumers
        if consumers == before:
            return
        queue.consumers = consumers
        for name in before:
            if name not in consumers:
                self._feeds[name].detach(queue)
        for name in consumers:
            if name not in before:
                feed = self._feeds.get(name)
                if feed is None:
                    feed = self._feeds[name] = Feed(self.settings.values())
                feed.attach(queue, self._weights[queue.account])

    def _wake(self, queue: Queue) -> None:
        """Tell the queue's consumers that it is about to have messages."""
        for name in queue.consumers:
            self._feeds[name].wake(queue)


def _lanes_with_marks(lanes: Iterable[LaneSettings]) -> tuple[LaneName, ...]:
    return tuple(lane.name for lane in lanes if lane.in_doubt == "fail")
