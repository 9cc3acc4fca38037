"""What the journal is told of what goes out, so that a crash leaves no more in doubt than it must.

After a crash a message that waits in the journal has been written to an operator, or has not. For
most it is enough to know, soon, how far its queue has been written: that costs a row per queue and
commit, and what is in doubt is sent again or elsewhere. A lane whose `in_doubt` is `fail` pays for
more: each of its messages is marked first, and goes out when the journal has the mark. The first
messages of its queues are marked ahead, so that a slot finds one that may use it.
"""

from collections.abc import Iterable
from typing import Final

from router.enqueue.journal import Changes, JournalError
from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.steps.commits import Commits
from router.steps.turn import Turn
from router.terms.message import Message
from router.terms.names import OperatorName, RouterId
from router.terms.states import Mark, MarkEvent

UNMARKED: Final = Mark.UNMARKED
MARKED: Final = Mark.MARKED
CLEARED: Final = Mark.CLEARED
ASK: Final = MarkEvent.ASK

FEWEST_AHEAD: Final = 1
"""Marks ahead where the window is full: a slot becomes free with an answer."""


class Marks:
    """How far each queue was written, and which messages are marked for themselves."""

    __slots__ = ("_commits", "_lanes", "_operators", "_turn", "_written")

    def __init__(
        self, lanes: Lanes, operators: Iterable[OperatorName], commits: Commits, turn: Turn
    ) -> None:
        self._lanes: Final = lanes
        self._operators: Final = operators
        self._commits: Final = commits
        self._turn: Final = turn
        self._written: dict[int, RouterId] = {}
        """The newest message of each queue of the journal that was written to an operator."""

    def written(self, message: Message) -> None:
        """Have the journal know, soon, how far the message's queue has been written."""
        mark = message.mark
        if mark is not UNMARKED or message.not_before_utc:
            # It goes before its turn or after it: where its queue is says nothing of it.
            if mark is UNMARKED or mark is CLEARED:
                message.set_mark(ASK)
                self._commits.settles.marked.append(message)
        elif message.router_id > self._written.get(message.row.queue, 0):
            self._written[message.row.queue] = message.router_id
            self._commits.settles.written[message.row.queue] = message

    def not_written(self, message: Message) -> None:
        """Have the journal know that the message is with no operator.

        Others of its queue go before it, or it was refused. One in doubt may be with an operator.
        """
        if message.in_doubt:
            return
        if message.mark is (UNMARKED if message.writes == 0 else MARKED):
            message.set_mark(MarkEvent.CLEAR)
            self._commits.settles.unmarked.append(message)

    def mark_ahead(self, operator: Operator) -> None:
        """Have the next messages of lanes that need it marked: at most what the window takes."""
        room = sum(bind.window - bind.in_use for bind in operator.binds if bind.sends)
        marks = Changes()
        for message in self._lanes.next_to_mark(operator.name, max(FEWEST_AHEAD, room)):
            message.set_mark(ASK)
            marks.marked.append(message)
        if marks.marked:
            self._commits.commit_marks(marks, self._marked)

    def _marked(self, changes: Changes, error: JournalError | None) -> None:
        """The journal has the marks: their messages may go out."""
        for message in changes.marked:
            # After a failure it is asked for again, when the journal is back.
            message.set_mark(MarkEvent.KEEP if error is None else MarkEvent.FAIL)
        changes.marked.clear()
        self._commits.answered(changes, error)
        for name in self._operators:
            self._turn.dispatch(name)
