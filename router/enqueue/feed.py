"""In which order one operator pulls: lanes by urgency and share, accounts in turn, oldest first.

The rules are in `lanes.py`, which says which queues an operator may pull from.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from router.terms.message import Message
from router.terms.names import AccountName, OperatorName, RouterId
from router.terms.queue_key import QueueKey
from router.terms.settings import LaneSettings

NEVER: Final = float("inf")
_MOST_CREDIT: Final = 2.0
"""In messages. A lane that could not use its share for a long time gets no burst afterwards."""


class Queue:
    """The messages of one account in one lane that follow one plan, in the order of acceptance.

    Queues of one account, lane and plan differ by their kind.
    """

    __slots__ = (
        "account",
        "asked_for",
        "behind",
        "consumers",
        "earliest_expiry_utc",
        "helped_after_s",
        "helped_from_s",
        "is_fetching",
        "key",
        "lane",
        "last_id",
        "messages",
        "octets",
        "plan",
    )

    def __init__(self, key: QueueKey) -> None:
        self.key = key
        self.plan: Final = key.plan
        self.lane: Final = key.lane
        self.account = key.account
        self.messages: deque[Message] = deque()
        """The messages in memory, in the order in which they go."""
        self.octets = 0
        """The octets of the messages in memory."""
        self.behind = 0
        """How many messages follow that only the journal has. Negative while some that a reading
        has brought are not counted yet, because their commit is not confirmed."""
        self.asked_for = 0
        """How many those were when the journal was asked."""
        self.last_id = RouterId(-1)
        """The newest message that has been in memory; all messages that are `behind` are newer."""
        self.is_fetching = False
        """Whether the journal is asked for messages, or is to be asked."""
        self.consumers: tuple[OperatorName, ...] = ()
        """The operators that may pull from the queue: its home, and then those that help because
        the home lets messages wait for too long, or has just come back."""
        self.helped_from_s = -NEVER
        """How long the first message must have waited for all present helpers to pull it."""
        self.helped_after_s = NEVER
        """And how long for one more operator to help."""
        self.earliest_expiry_utc = NEVER
        """No message in memory expires before this. May be too early: the message that it was the
        time of may have left."""

    def __len__(self) -> int:
        """Messages that wait in the queue, in memory or only in the journal."""
        return len(self.messages) + max(0, self.behind)

    @property
    def home(self) -> OperatorName | None:
        """The best available candidate; None while there is none."""
        return self.consumers[0] if self.consumers else None

    def rename(self, account: AccountName) -> None:
        """Be the queue of the account under its new name."""
        self.key = self.key.of(account)
        self.account = account

    def append(self, message: Message) -> None:
        """Keep one more message in memory, as the last."""
        self.messages.append(message)
        self.octets += message.size
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
            self.octets -= sum([message.size for message in expired])
        self.earliest_expiry_utc = min((m.expires_utc for m in self.messages), default=NEVER)
        return expired


class AccountTurn:
    """One account's place in the rotation of one lane at one operator."""

    __slots__ = ("in_rotation", "left", "queues", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.left = weight
        self.in_rotation = False
        self.queues: list[Queue] = []

    def oldest(self) -> Queue | None:
        """Return the queue whose first message goes next; None if there is none, or none yet.

        A message that is sent again or was scheduled goes first, then the oldest.
        """
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
            if first.writes or first.not_before_utc:
                return queue  # Had its turn before: older ones may stand behind it in the queue.
            if best is None or first.router_id < best.messages[0].router_id:
                best = queue
        # A message that is being fetched may be older than all of these.
        return None if fetching else best


class LaneAtOperator:
    """One lane as one operator sees it."""

    __slots__ = ("credit", "min_share", "rotation", "turns")

    def __init__(self, min_share: float) -> None:
        self.min_share = min_share
        self.credit = 0.0
        self.turns: dict[AccountName, AccountTurn] = {}
        self.rotation: deque[AccountTurn] = deque()
        """Accounts that have something to send, or had when their turn came last."""

    def next(self) -> Queue | None:
        """Return the queue to take from; accounts without work leave the rotation."""
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

    def adopt(self, min_share: float, weights: Mapping[AccountName, int]) -> None:
        """Adopt the share and the accounts' weights of another configuration."""
        self.min_share = min_share
        if not min_share:
            self.credit = 0.0  # Else the lane would spend it when it gets a share again.
        for account, turn in self.turns.items():
            if turn.weight != weights[account]:
                self._adopt_weight(turn, weights[account])

    def _adopt_weight(self, turn: AccountTurn, weight: int) -> None:
        """Count what the account has already sent in its turn against the new weight."""
        turn.left += weight - turn.weight
        turn.weight = weight
        if turn.left <= 0:
            # Its turn is over. Only the first account of the rotation can have begun its turn.
            turn.left = weight
            self.rotation.rotate(-1)

    def charge(self) -> None:
        """Count a message of the account whose turn it is."""
        turn = self.rotation[0]
        turn.left -= 1
        if turn.left <= 0:
            turn.left = turn.weight
            self.rotation.rotate(-1)


class Feed:
    """What one operator may pull from."""

    __slots__ = ("_most_urgent", "lanes", "lower_before")

    def __init__(self, lanes: Iterable[LaneSettings]) -> None:
        self.lanes: Final = {lane.name: LaneAtOperator(lane.min_share) for lane in lanes}
        """The lanes in order of urgency."""
        most_urgent, *_ = self.lanes.values()
        self._most_urgent: Final = most_urgent
        self.lower_before = False
        """Whether the last message came from a lane while a more urgent lane had work."""

    def adopt(self, lanes: Iterable[LaneSettings], weights: Mapping[AccountName, int]) -> None:
        """Adopt the shares and weights of another configuration."""
        for lane in lanes:
            self.lanes[lane.name].adopt(lane.min_share, weights)

    def next(self) -> tuple[LaneAtOperator, Queue] | None:
        """Return the lane and the queue of the next message; nothing is counted yet."""
        urgent: tuple[LaneAtOperator, Queue] | None = None
        owed: tuple[LaneAtOperator, Queue] | None = None
        for lane in self.lanes.values():
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

    def urgent(self) -> tuple[LaneAtOperator, Queue] | None:
        """Return the lane and the queue of the next message of the most urgent lane."""
        lane = self._most_urgent
        queue = lane.next() if lane.rotation else None
        return None if queue is None else (lane, queue)

    def charge(self, taken: LaneAtOperator) -> None:
        """Count the message that `next` offered and that goes out, not one that has expired."""
        is_urgent = True
        for lane in self.lanes.values():
            if not lane.rotation:
                continue
            if is_urgent:
                is_urgent = False
                self.lower_before = lane is not taken
            elif lane.min_share:
                lane.credit = min(lane.credit + lane.min_share, _MOST_CREDIT)
        if self.lower_before:
            taken.credit -= 1.0
        elif taken.credit > 0.0:  # What went while nothing more urgent waited is of its share too.
            taken.credit = max(0.0, taken.credit - 1.0)
        taken.charge()

    def attach(self, queue: Queue, weight: int) -> None:
        """Have this operator pull from the queue."""
        turns = self.lanes[queue.lane].turns
        if queue.account not in turns:
            turns[queue.account] = AccountTurn(weight)
        turns[queue.account].queues.append(queue)
        if queue.messages:
            self.wake(queue)

    def detach(self, queue: Queue) -> None:
        """Have this operator pull from the queue no more."""
        others = self.lanes[queue.lane].turns[queue.account].queues
        others.remove(queue)
        if others:
            self.wake(others[0])  # The others may have waited for this queue to be fetched.

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Give an account's places in the rotations another name."""
        for lane in self.lanes.values():
            turn = lane.turns.pop(was, None)
            if turn is not None:
                lane.turns[now] = turn

    def wake(self, queue: Queue) -> None:
        """Have the account of a queue that is about to have messages join the rotation."""
        lane = self.lanes[queue.lane]
        turn = lane.turns[queue.account]
        if not turn.in_rotation:
            turn.in_rotation = True
            lane.rotation.append(turn)
