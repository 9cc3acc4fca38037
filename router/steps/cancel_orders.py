"""Orders of a person to cancel what waits: single messages, or all that an account has waiting.

A million messages are cancelled in pieces, one after each reading of the journal, so that traffic
goes on in between; and no faster than the journal keeps them. An order is about what waited when it
came: what is submitted later is not cancelled.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from router.check.number import routing_key
from router.enqueue.ids import Ids
from router.enqueue.journal import BEGINNING, Place
from router.steps.cancelling import Cancelling
from router.steps.client_requests import is_called
from router.steps.commits import Commits
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.steps.whereabouts import Found, Waiting, Whereabouts
from router.terms.message import Message
from router.terms.names import AccountName, RouterId

PIECE: Final = 100
"""Messages that are cancelled in one turn: a few milliseconds."""
MOST_UNSAFE: Final = 2_000
"""Cancelled messages of one order that the journal has not answered for, beyond which the order
waits."""
IDS_AT_ONCE: Final = 5
"""Ids of one reading: each may be of four messages, one by each form."""
LAST_DIGITS: Final = 2
"""Of a number, by which the journal looks for its messages: they are found without those before,
which some clients write with signs between."""
MOST_ORDERS: Final = 4
"""Orders that are carried out at once."""

CANNOT_BE_WRITTEN: Final = "the journal cannot be written"

Fate = Literal["cancelled", "with_operator", "not_found"]
"""What has become of an id: an operator has the message, or may have it; or no such message is
known that is not over."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be cancelled: these ids, or all of an account that fits."""

    ids: tuple[bytes, ...] = ()
    """As their clients know them, or as the router does."""
    account: AccountName | None = None
    number: str = ""
    """The routing key of the destination; empty: every one."""
    sender: bytes = b""
    """The source address; empty: every one."""
    is_dry_run: bool = False
    """Only count."""


@dataclass(slots=True)
class Order:
    """An order, and how far it is."""

    wanted: Wanted
    cancelled: int = 0
    """Messages that are over, as the journal has it; that would be cancelled in a dry run."""
    with_operator: int = 0
    """Messages that an operator has, or may have: they are not cancelled."""
    not_kept: int = 0
    """Messages that the journal could not keep: they are over as long as this process lives."""
    fates: dict[bytes, Fate] = field(default_factory=dict)
    """By id, in an order of ids."""
    why: str = ""
    """Why it has ended before all was done."""
    is_over: bool = False
    is_stopped: bool = False
    """Somebody has ended it."""
    unsafe: int = 0
    """Messages that the journal has not answered for."""


Over = Callable[[Order], None]


class CancelOrders:
    """What carries the orders out."""

    __slots__ = (
        "_cancelling",
        "_commits",
        "_ids",
        "_rulebook",
        "_turn",
        "_whereabouts",
        "under_way",
    )

    def __init__(
        self,
        ids: Ids,
        whereabouts: Whereabouts,
        cancelling: Cancelling,
        rulebook: Rulebook,
        commits: Commits,
        turn: Turn,
    ) -> None:
        self._ids: Final = ids
        self._whereabouts: Final = whereabouts
        self._cancelling: Final = cancelling
        self._rulebook: Final = rulebook
        self._commits: Final = commits
        self._turn: Final = turn
        self.under_way: Final[list[Order]] = []

    def begin(self, wanted: Wanted, over: Over) -> Order | None:
        """Begin to carry an order out; `over` is called when it has ended, in a later turn.

        None if as many as there may be are under way.
        """
        if len(self.under_way) >= MOST_ORDERS:
            return None
        order = Order(wanted)
        self.under_way.append(order)
        job = _Job(order, over, self._ids.latest, deque(dict.fromkeys(wanted.ids)))
        self._go_on(job)
        return order

    def _go_on(self, job: "_Job") -> None:
        """Ask for the next piece, or end."""
        order = job.order
        if order.is_over or job.is_asking:
            return
        if order.is_stopped and not order.why:
            order.why = "it was stopped"
        if order.why or job.is_read:
            if not order.unsafe:
                self._end(job)
            return
        if order.unsafe >= MOST_UNSAFE:
            return  # Until the journal has answered.
        job.is_asking = True
        account = order.wanted.account
        if account is None:
            asked = [job.ids.popleft() for _ in range(min(IDS_AT_ONCE, len(job.ids)))]
            job.is_read = not job.ids
            may_be = {one: self._ids.may_be(one) for one in asked}
            every = [router_id for ids in may_be.values() for router_id in ids]
            done = partial(self._looked_up, job, asked)
            self._whereabouts.look_up(every, done, with_others=True)
        else:
            end = order.wanted.number[-LAST_DIGITS:].encode()
            end = end and end + b"\0"
            self._whereabouts.next_of(account, end, job.place, PIECE, partial(self._found, job))
        self._turn.end_soon()

    def _end(self, job: "_Job") -> None:
        job.order.is_over = True
        self.under_way.remove(job.order)
        job.over(job.order)

    def _may_cancel(self, job: "_Job", found: Found) -> bool:
        """A reading is over: return whether what it found may be cancelled now."""
        order = job.order
        job.is_asking = False
        if found.error is not None:
            order.why = f"the journal cannot be read: {found.error}"
        elif not self._commits.up:
            order.why = CANNOT_BE_WRITTEN
        return not (order.why or order.is_stopped)

    # All of an account.

    def _found(self, job: "_Job", found: Found, place: Place | None) -> None:
        order = job.order
        if self._may_cancel(job, found):
            meant = [one for one in found.waiting.values() if job.means(one.message)]
            order.with_operator += sum(map(job.means, found.out.values()))
            self._cancel(job, meant)
            job.is_read = place is None
            job.place = place or job.place
        self._go_on(job)

    # Single messages.

    def _is_called(self, message: Message, asked: bytes) -> bool:
        if b"%d" % message.router_id == asked.lstrip(b"0"):
            return True
        account = self._rulebook.rules.accounts.get(message.account)
        return account is not None and is_called(
            message.client_id, message.router_id, asked, account
        )

    def _looked_up(self, job: "_Job", asked: Sequence[bytes], found: Found) -> None:
        order = job.order
        if self._may_cancel(job, found):
            with_operator = [
                *found.out.values(),
                *(attempts[0].message for attempts in found.sent.values()),
            ]
            meant: dict[RouterId, Waiting] = {}
            for one in asked:
                waiting = [w for w in found.waiting.values() if self._is_called(w.message, one)]
                meant |= {each.message.router_id: each for each in waiting}
                if waiting:
                    order.fates[one] = "cancelled"
                elif any(self._is_called(message, one) for message in with_operator):
                    order.fates[one] = "with_operator"
                    order.with_operator += 1
                else:
                    order.fates[one] = "not_found"
            self._cancel(job, list(meant.values()))
        self._go_on(job)

    # Cancelled.

    def _cancel(self, job: "_Job", meant: list[Waiting]) -> None:
        order = job.order
        if order.wanted.is_dry_run or not meant:
            order.cancelled += len(meant)
            return
        order.unsafe += len(meant)
        self._cancelling.cancel(meant, partial(self._kept, job, len(meant)))

    def _kept(self, job: "_Job", count: int, is_safe: bool) -> None:
        order = job.order
        order.unsafe -= count
        if is_safe:
            order.cancelled += count
        else:
            order.not_kept += count
            order.why = CANNOT_BE_WRITTEN
        self._go_on(job)


class _Job:
    """An order, and what of it is still to be looked for."""

    __slots__ = ("ids", "is_asking", "is_read", "order", "over", "place", "until")

    def __init__(self, order: Order, over: Over, until: RouterId, ids: deque[bytes]) -> None:
        self.order: Final = order
        self.over: Final = over
        self.until: Final = until
        """The last message that was submitted before the order came."""
        self.ids: Final = ids
        """Those that are still to be looked for."""
        self.place: Place = BEGINNING
        self.is_read = False
        """Whether nothing more is to be looked for."""
        self.is_asking = False
        """Whether a reading is under way."""

    def means(self, message: Message) -> bool:
        """Whether a message of the account is one that is meant."""
        wanted = self.order.wanted
        if message.router_id > self.until:
            return False
        if wanted.sender and message.source_octets[2:-1] != wanted.sender:
            return False
        return not wanted.number or routing_key(message.destination_octets[2:-1]) == wanted.number
