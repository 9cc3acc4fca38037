"""Bugs in what clients and people have cancelled, replaced and asked about."""

from collections.abc import Callable, Iterable

from router.enqueue.feed import Queue
from router.enqueue.journal import Replaced
from router.enqueue.lanes import Lanes
from router.steps.amendments import Amendments
from router.steps.cancel_orders import _Job
from router.steps.cancelling import Cancelling
from router.steps.replacing import Replacing
from router.steps.whereabouts import Waiting
from router.terms.message import Message
from router.terms.names import RouterId
from router.terms.queue_key import QueueKey
from tests.simulation.planting import Patch, bug


@bug(seed=336)
def a_reading_brings_back_what_was_cancelled() -> list[Patch]:
    """It began before the journal had that it was."""
    return [(Amendments, "__bool__", lambda self: False)]


@bug(seed=426)
def a_reading_brings_the_text_that_was_replaced() -> list[Patch]:
    """It began before the journal had the other one."""
    return [(Amendments, "replace", lambda self, message, queue: None)]


@bug(seed=302)
def a_cancel_is_answered_before_the_journal_has_it() -> list[Patch]:
    """After a crash the message goes out."""
    cancel = Cancelling.cancel

    def hasty(self: Cancelling, found: Iterable[Waiting], kept: Callable[[bool], None]) -> None:
        cancel(self, found, lambda is_safe: None)
        kept(True)

    return [(Cancelling, "cancel", hasty)]


@bug(seed=317)
def a_replacement_is_kept_with_what_the_message_has_by_then() -> list[Patch]:
    """An operator has taken it meanwhile, and it has no text any more."""

    def ignore(self: Replaced, octets: bytes) -> None:
        """The message has them."""

    return [(Replaced, "octets", property(lambda self: self.message.octets, ignore))]


@bug(seed=303)
def a_replacement_is_not_kept() -> list[Patch]:
    """After a crash the message is what it was."""
    replace = Replacing.replace

    def forgetful(self: Replacing, *arguments: object) -> object:
        refused = replace(self, *arguments)  # type: ignore[arg-type]
        self._commits.settles.replaced.clear()
        return refused

    return [(Replacing, "replace", forgetful)]


@bug(seed=303)
def what_is_in_flight_can_be_cancelled() -> list[Patch]:
    """No lane has it, so only the journal seems to."""

    def anywhere(self: Lanes, key: QueueKey, router_id: RouterId) -> Queue | None:
        return self._queues.get((key.plan, key.lane, key.account, key.kind))

    return [(Lanes, "behind", anywhere)]


@bug(seed=431)
def an_order_cancels_what_comes_while_it_is_carried_out() -> list[Patch]:
    """It ends only when the client does."""

    def every(self: _Job, message: Message) -> bool:
        return True

    return [(_Job, "means", every)]
