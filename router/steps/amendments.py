"""What clients have changed of messages that only the journal has.

Such a message was cancelled or replaced though no object of it is in memory. Until the journal has
that, and until each reading that began before it is over, a reading may bring the message as it
was: whoever reads asks here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from router.enqueue.feed import Queue
from router.enqueue.journal import Changes
from router.terms.message import Message
from router.terms.names import RouterId


@dataclass(slots=True)
class _Amendment:
    """What has become of one message."""

    message: Message | None
    """The message as it is now; None where it was cancelled."""
    queue: Queue | None
    """The queue that it waits in; None where the configuration lacks an operator of its plan."""
    readings: int | None = None
    """How many readings had begun when the journal was found to have it; None before that."""


class Amendments:
    """The changes that a reading may not show."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: Final[dict[RouterId, _Amendment]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def cancel(self, message: Message, queue: Queue | None) -> None:
        """Note that a message is over."""
        self._by_id[message.router_id] = _Amendment(None, queue)

    def replace(self, message: Message, queue: Queue | None) -> None:
        """Note what a message is now."""
        self._by_id[message.router_id] = _Amendment(message, queue)

    def messages(self) -> Iterator[Message]:
        """Yield the replaced messages as they are now."""
        for amendment in self._by_id.values():
            if amendment.message is not None:
                yield amendment.message

    def applied(self, messages: Sequence[Message]) -> tuple[list[Message], list[RouterId]]:
        """Return messages that were read as they are now, and the ids of the cancelled ones."""
        as_now: list[Message] = []
        cancelled: list[RouterId] = []
        for message in messages:
            amendment = self._by_id.get(message.router_id)
            if amendment is None:
                as_now.append(message)
            elif amendment.message is None:
                cancelled.append(message.router_id)
            else:
                as_now.append(amendment.message)
        return as_now, cancelled

    def sweep(self, unsafe: Iterable[Changes], begun: int, ended: int) -> None:
        """Forget what every reading shows from now on.

        `unsafe` are the batches that the journal has not answered for; `begun` and `ended` count
        the readings of single messages. Those of queues are over while a queue is not fetching.
        """
        if not self._by_id:
            return
        unknown = {
            router_id
            for batch in unsafe
            for router_id in (
                *(one.message.router_id for one in batch.settled),
                *(one.message.router_id for one in batch.replaced),
            )
        }
        for router_id, amendment in list(self._by_id.items()):
            if router_id in unknown:
                amendment.readings = None
            elif amendment.readings is None:
                amendment.readings = begun
            elif ended >= amendment.readings and not (
                amendment.queue is not None and amendment.queue.is_fetching
            ):
                del self._by_id[router_id]
