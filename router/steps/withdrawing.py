"""What waits of a long message is not sent once a part of it was refused.

The parts come one after the other, and the first may be accepted, and be sent, before a later one
is refused. What an operator has is recorded as it ended. What waits ends as `rejected`, with the
reason of the refusal: at once where the journal tells where it is, and else when its turn comes. A
part that a client sends after that begins a new message.
"""

from functools import partial
from typing import Final

from router.smpp.pdu import Sm
from router.steps.cancelling import Cancelling
from router.steps.long_messages import LongMessages
from router.steps.whereabouts import Found, Whereabouts
from router.terms.names import AccountName
from router.terms.outcome import Refusal


class Withdrawing:
    """Ends what waits of messages of which a part was refused."""

    __slots__ = ("_cancelling", "_long_messages", "_whereabouts")

    def __init__(
        self, long_messages: LongMessages, whereabouts: Whereabouts, cancelling: Cancelling
    ) -> None:
        self._long_messages: Final = long_messages
        self._whereabouts: Final = whereabouts
        self._cancelling: Final = cancelling

    def part_refused(self, account: AccountName, sm: Sm, refusal: Refusal, now: float) -> None:
        """A PDU was refused by the account's policy. If it is a part, so are the others."""
        group = self._long_messages.missing(account, sm, now)
        if group is None:
            return
        group.refused = refusal.reason
        if group.members:
            self._whereabouts.look_up(group.members, partial(self._found, refusal.reason))

    def _found(self, reason: str, found: Found) -> None:
        waiting = list(found.waiting.values())
        if waiting:
            self._cancelling.cancel(waiting, _ignored, reason)


def _ignored(is_safe: bool) -> None:
    """Nobody waits for it: what could not be kept is over as long as this process lives."""
