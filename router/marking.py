"""What the journal is told of what goes out, so that a crash leaves no more in doubt than it must.

After a crash a message that waits in the journal has been written to an operator, or has not. For
most it is enough to know, soon, how far its queue has been written: that costs a row per queue and
commit, and what is in doubt is sent again or elsewhere. A lane whose `in_doubt` is `fail` pays for
more: each of its messages is marked first, and goes out when the journal has the mark. The first
messages of its queues are marked ahead, so that a slot finds one that may use it.
"""

from typing import Final

from router.enqueue.journal import Changes, JournalError
from router.forward.pool import Operator
from router.resume import Resume
from router.terms.message import Message

FEWEST_AHEAD: Final = 1
"""Marks ahead where the window is full: a slot becomes free with an answer."""


class Marking(Resume):
    """The acts before and beside a message's being written to an operator."""

    def _note_written(self, message: Message) -> None:
        """Have the journal know, soon, how far its queue has been written."""
        if message.mark is not None or message.not_before_utc:
            # It goes before its turn or after it: where its queue is says nothing of it.
            if not message.mark:
                message.mark = True
                self._settles.marked.append(message)
        else:
            self._written[message.kept_in] = message.router_id
            self._settles.written[message.kept_in] = message

    def _note_not_written(self, message: Message) -> None:
        """Others of its queue go before it, or it was refused: it is with no operator."""
        if message.mark is None if message.sends == 0 else message.is_marked:
            message.mark = message.is_marked = False
            self._settles.unmarked.append(message)

    def _mark_ahead(self, operator: Operator) -> None:
        """Have the next messages of lanes that need it marked: at most what the window takes."""
        room = sum(bind.window - bind.in_use for bind in operator.binds if bind.sends)
        for message in self.lanes.next_to_mark(operator.name, max(FEWEST_AHEAD, room)):
            message.mark = True
            self._marks.marked.append(message)
        if self._marks.marked:
            marks, self._marks = self._marks, Changes()
            self.journal.commit(marks, self._marked, urgent=True)

    def _marked(self, changes: Changes, error: JournalError | None) -> None:
        """The journal knows: they may go out."""
        for message in changes.marked:
            if error is None:
                message.is_marked = True
            elif message.mark and not message.is_marked:
                message.mark = None  # It is asked for again, when the journal is back.
        changes.marked.clear()
        self._kept(changes, error)
        for name in self.operators:
            self._wants_pump(name)

    def _kept(self, changes: Changes, error: JournalError | None) -> None:
        """A batch is safe, or none of it is."""
        raise NotImplementedError
