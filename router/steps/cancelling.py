"""A message that waits is cancelled: one step, whoever asks, over SMPP or to the control port.

It ends as `rejected` with the reason `cancelled`; a client that asked for a receipt gets one with
the state DELETED. A message of which another part was refused ends for that reason, as REJECTD.
What an operator has, or may have, is not cancelled here.
"""

from collections.abc import Callable, Iterable
from typing import Final

from router.enqueue.lanes import Lanes
from router.steps.amendments import Amendments
from router.steps.backlog import Backlog
from router.steps.commits import Commits
from router.steps.outcomes import Outcomes
from router.steps.whereabouts import Waiting
from router.terms.outcome import CANCELLED, Outcome


class Cancelling:
    """Ends messages that wait."""

    __slots__ = ("_amendments", "_backlog", "_commits", "_lanes", "_outcomes")

    def __init__(
        self,
        lanes: Lanes,
        backlog: Backlog,
        outcomes: Outcomes,
        commits: Commits,
        amendments: Amendments,
    ) -> None:
        self._lanes: Final = lanes
        self._backlog: Final = backlog
        self._outcomes: Final = outcomes
        self._commits: Final = commits
        self._amendments: Final = amendments

    def cancel(
        self, found: Iterable[Waiting], kept: Callable[[bool], None], reason: str = CANCELLED
    ) -> None:
        """End these messages, in the turn in which they were found.

        `kept` is told when that is safe in the journal, or that it could not be kept: then the
        messages are over all the same, as far as this process lives.
        """
        for one in found:
            message = one.message
            if one.is_in_memory:
                self._lanes.withdraw(message)
            else:
                if one.queue is not None:
                    self._lanes.cancel_behind(one.queue)
                else:
                    self._backlog.cancel_untouched(message)
                self._amendments.cancel(message, one.queue)
            self._outcomes.give_up(message, Outcome.REJECTED, reason, 0)
        self._commits.settles.promised.append(kept)
