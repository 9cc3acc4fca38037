"""The parts of one long message from a subscriber find each other, and go to one account.

Parts of one message have operator, addresses, reference and total in common, whichever bind of the
operator each comes over.

Rule 1: the first part decides for all, since the keyword stands in it. A part that comes before it
waits, unanswered, where a keyword can matter.

Rule 2: a part waits 5 s at most, and of more than 1,000 of an operator the message that has waited
longest does not wait any more. Then it is decided by what those parts say that have come. The first
part, where it still comes, goes where they went; where no rule was for them, it decides after all.

Rule 3: what is decided holds until ten minutes after the latest part. Nothing of this outlives the
process.

Rule 4: a part number that has come already begins a new message, unless its text is that of the
part that came: then the operator sends it again, perhaps long after the others, and it belongs to
the old one.

Rule 5: what waited on a session that has ended is forgotten: the operator sends it again.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from router.smpp.pdu import Sm
from router.smpp.segments import Part
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName, RouterId
from router.terms.oldest_first import OldestFirst

WAITS_S: Final = 5.0
KNOWN_S: Final = 600.0
"""How long after its latest part a message is known."""

_NEVER: Final = float("inf")

Held = TypeVar("Held")
"""What a caller answers when a part waits no longer."""

Key = tuple[OperatorName, bytes, bytes, int, int]


class LongInbound(Generic[Held]):
    """One long message: which parts have come, and whose it is."""

    __slots__ = ("account", "came", "is_decided", "key", "latest_at", "router_id", "waiting")

    def __init__(self, key: Key) -> None:
        self.key: Final = key
        self.came: Final[dict[int, int]] = {}
        """The hash of the text of each part that has come, by its number."""
        self.latest_at = 0.0
        """When a part came last."""
        self.waiting: list[tuple[float, int, Held]] = []
        """Parts that wait for the first: when each came, its number, and what it is."""
        self.is_decided = False
        self.account: AccountName | None = None
        """Whose it is, once that is decided; None if no rule is for it."""
        self.router_id: RouterId | None = None
        """The number of the message, which its parts share; None until one was kept."""

    @property
    def operator(self) -> OperatorName:
        """The operator that it came from."""
        return self.key[0]

    def decide(self, account: AccountName | None) -> None:
        """Note whose it is."""
        self.is_decided = True
        self.account = account


class LongInbounds(Generic[Held]):
    """All long messages of subscribers of which parts may yet come."""

    __slots__ = ("_capacity", "_counts", "_messages", "_waiting", "due_at")

    def __init__(self, capacity: Capacity) -> None:
        self._capacity: Final = capacity
        self._messages: Final[OldestFirst[Key, LongInbound[Held]]] = OldestFirst(
            capacity.long_inbound
        )
        self._waiting: Final[dict[OperatorName, OldestFirst[LongInbound[Held], None]]] = {}
        """Messages with parts that wait, in the order in which they began to."""
        self._counts: Final[dict[OperatorName, int]] = {}
        """How many parts wait."""
        self.due_at = _NEVER
        """When the first part has waited long enough; may be early, never late."""

    def __len__(self) -> int:
        return len(self._messages)

    def waiting_of(self, operator: OperatorName) -> int:
        """Return how many parts of an operator wait."""
        return self._counts.get(operator, 0)

    def join(self, operator: OperatorName, sm: Sm, part: Part, now: float) -> LongInbound[Held]:
        """Return the message that this is a part of, a new one where it is the first to come."""
        key = (operator, sm.source_octets, sm.destination_octets, part.reference, part.total)
        digest = hash(sm.message)
        messages = self._messages
        while (oldest := messages.oldest()) and now - oldest[1].latest_at > KNOWN_S:
            messages.take_oldest()
        message = messages.get(key)
        if message is None or message.came.get(part.number, digest) != digest:
            message = LongInbound(key)
        message.came[part.number] = digest
        message.latest_at = now
        messages.put(key, message)
        return message

    def wait(
        self, message: LongInbound[Held], number: int, held: Held, now: float
    ) -> LongInbound[Held] | None:
        """Have a part wait for the first; return the message that may not wait any more, if any."""
        operator = message.operator
        message.waiting.append((now, number, held))
        of_operator = self._waiting.setdefault(operator, OldestFirst())
        if message not in of_operator:
            of_operator.put(message, None)
        self.due_at = min(self.due_at, now + WAITS_S)
        count = self._counts[operator] = self.waiting_of(operator) + 1
        if count <= self._capacity.inbound_waiting:
            return None
        oldest = of_operator.oldest()
        assert oldest is not None
        return oldest[0]

    def due(self, now: float) -> list[LongInbound[Held]]:
        """Return the messages that have waited long enough; the caller takes their parts."""
        due: list[LongInbound[Held]] = []
        if now < self.due_at:
            return due
        self.due_at = _NEVER
        for of_operator in self._waiting.values():
            for message in of_operator.by_key:
                due_at = message.waiting[0][0] + WAITS_S
                if due_at <= now:
                    due.append(message)
                else:
                    self.due_at = min(self.due_at, due_at)
        return due

    def take(self, message: LongInbound[Held]) -> list[Held]:
        """Return the parts that wait, in the order of their numbers; they wait no more."""
        waiting, message.waiting = message.waiting, []
        if waiting:
            self._counts[message.operator] -= len(waiting)
            self._waiting[message.operator].pop(message)
        return [held for _, _, held in sorted(waiting, key=_number_of)]

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Have what is an account's go to it under its new name."""
        for message in self._messages.by_key.values():
            if message.account == was:
                message.account = now

    def forget(self, message: LongInbound[Held]) -> None:
        """Forget a message: what comes of it is looked at as if it were the first to come."""
        if self._messages.get(message.key) is message:
            self._messages.pop(message.key)

    def lose(self, is_lost: Callable[[Held], bool]) -> None:
        """Forget parts that wait and cannot be answered any more."""
        for operator, of_operator in self._waiting.items():
            for message in list(of_operator.by_key):
                left = [one for one in message.waiting if not is_lost(one[2])]
                self._counts[operator] -= len(message.waiting) - len(left)
                message.waiting = left
                if not left:
                    of_operator.pop(message)


def _number_of(waiting: tuple[float, int, object]) -> int:
    return waiting[1]
