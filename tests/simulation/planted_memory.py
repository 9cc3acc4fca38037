"""Bugs in what is kept in memory and what is left to the journal and found again there."""

from collections.abc import Callable, Iterable, Sequence, Set

from router.enqueue.journal import JournalError, PendingReceipt
from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.journey import Journey
from router.report.correlate import Correlator
from router.report.outbox import Outbox
from router.steps.marks import Marks
from router.steps.peers import Arrival
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.terms.message import Delivery, Message
from router.terms.names import OperatorId, OperatorName, RouterId
from router.terms.states import Mark
from tests.simulation.disk import MessageRow, Queue, SimulatedJournal
from tests.simulation.planting import Patch, bug


@bug(seed=157)
def what_must_not_be_in_doubt_goes_out_before_its_mark() -> list[Patch]:
    """A crash finds it unmarked, and sends it again in a lane that must not."""

    def hasty(message: Message, now_utc: float) -> bool:
        return False

    return [(Lanes, "_waits_for_mark", staticmethod(hasty))]


@bug(seed=29)
def a_mark_is_believed_before_the_disk_has_it() -> list[Patch]:
    """The message goes out, and a crash knows nothing of it."""
    ahead = Marks.mark_ahead

    def believing(self: Marks, operator: Operator) -> None:
        ahead(self, operator)
        for message in self._lanes.next_to_mark(operator.name, 0):
            message.mark = Mark.MARKED
        for queue in self._lanes.queues():
            for message in queue.messages:
                if message.mark is Mark.MARKING:
                    message.mark = Mark.MARKED

    return [(Marks, "mark_ahead", believing)]


@bug(seed=17)
def how_far_a_queue_was_written_is_not_told() -> list[Patch]:
    """A crash takes what was in flight for what was never sent."""
    note = Marks.written

    def silent(self: Marks, message: Message) -> None:
        note(self, message)
        self._commits.settles.written.clear()

    return [(Marks, "written", silent)]


@bug(seed=4)
def a_restart_forgets_the_marks() -> list[Patch]:
    """What may be with an operator is sent again."""
    waiting = SimulatedJournal._waiting

    def forgetful(self: SimulatedJournal, row: MessageRow, queue: Queue) -> Message:
        self._marks_before.clear()
        return waiting(self, row, queue)

    return [(SimulatedJournal, "_waiting", forgetful)]


@bug(seed=10)
def what_is_recalled_is_sent_again() -> list[Patch]:
    """It is taken for what waits."""
    journeys: list[Journey] = []
    start, take_back = Journey.start, Recall._take_back

    def known(self: Journey, ready: Callable[[JournalError | None], None]) -> None:
        journeys[:] = [self]
        start(self, ready)

    def eager(self: Recall, message: Message, attempts: list[PendingReceipt]) -> None:
        take_back(self, message, attempts)
        journeys[0].rooms.restore(message.account, 1, 0)
        journeys[0].lanes.put_first(message)

    return [(Journey, "start", known), (Recall, "_take_back", eager)]


@bug(seed=349)
def a_restart_expects_one_receipt_of_each_message_only() -> list[Patch]:
    """Of two attempts the second is not expected to be receipted."""
    with_others = SimulatedJournal._with_others

    def forgetful(self: SimulatedJournal, router_ids: Iterable[RouterId]) -> list[PendingReceipt]:
        found = with_others(self, router_ids)
        return list({one.message.router_id: one for one in found}.values())

    return [(SimulatedJournal, "_with_others", forgetful)]


@bug(seed=1)
def what_is_settled_meanwhile_is_taken_back() -> list[Patch]:
    """A reading that is older than the settlement brings the message to life again."""
    begin = Recall._begin_reading

    def blind(self: Recall) -> None:
        begin(self)
        self._over = set()

    return [(Recall, "_begin_reading", blind)]


@bug(seed=9)
def a_message_is_taken_back_beside_itself() -> list[Patch]:
    """Its two attempts are of two messages, and each of them ends."""
    return [(PendingReceipts, "in_memory", lambda self, message, attempts: None)]


@bug(seed=3)
def what_the_journal_does_not_have_yet_is_left_to_it() -> list[Patch]:
    """A receipt that comes before the commit finds nothing."""
    leave = Correlator.leave_to_journal

    def hasty(self: Correlator, count: int, unkept: Set[RouterId]) -> None:
        leave(self, count, set())

    return [(Correlator, "leave_to_journal", hasty)]


@bug(seed=38)
def an_error_of_the_journal_is_taken_for_an_answer() -> list[Patch]:
    """The receipt is acknowledged as one that nobody knows."""
    recalled = Recall._recalled

    def blind(
        self: Recall,
        name: OperatorName,
        arrivals: list[tuple[OperatorId, Arrival]],
        attempts: list[PendingReceipt],
        error: JournalError | None,
    ) -> None:
        recalled(self, name, arrivals, attempts, None)

    return [(Recall, "_recalled", blind)]


@bug(seed=2)
def nobody_looks_for_what_has_waited_too_long_on_the_disk() -> list[Patch]:
    """Its client never hears."""
    return [(Recall, "search_overdue", lambda self, now: None)]


@bug(seed=5)
def what_was_found_on_the_disk_is_counted_still() -> list[Patch]:
    """As a receipt that is waited for."""
    take_back = Correlator.take_back

    def twice(self: Correlator, operator_id: OperatorId, message: Message, at_utc: float) -> None:
        take_back(self, operator_id, message, at_utc)
        self.behind += 1

    return [(Correlator, "take_back", twice)]


@bug(seed=8)
def the_journal_is_never_asked() -> list[Patch]:
    """A receipt of what only the journal knows is one that nobody knows."""
    return [(Recall, "must_ask", lambda self, came, operator_id, message: False)]


# What waits for clients.


@bug(seed=21)
def a_new_receipt_overtakes_those_that_only_the_journal_has() -> list[Patch]:
    """And with it everything before it is taken for read."""
    put = Outbox.put

    def eager(self: Outbox, delivery: Delivery, now: float) -> None:
        ahead, self.ahead = self.ahead, 0
        put(self, delivery, now)
        self.ahead += ahead

    return [(Outbox, "put", eager)]


@bug(seed=1)
def the_journal_is_read_from_where_it_was_read_before() -> list[Patch]:
    """A receipt is given twice."""
    fetched = Outbox.fetched

    def forgetful(self: Outbox, deliveries: Sequence[Delivery], now: float) -> None:
        cursor = self.cursor
        fetched(self, deliveries, now)
        self.cursor = cursor

    return [(Outbox, "fetched", forgetful)]


@bug(seed=1)
def what_was_refused_for_now_is_not_read_again() -> list[Patch]:
    """Where there was no room for it in memory."""

    def forget(self: Outbox, count: int, now: float) -> None:
        self.passed += count

    return [(Outbox, "_pass", forget)]


@bug(seed=33)
def a_receipt_from_the_journal_goes_at_once() -> list[Patch]:
    """It overtakes its submit_sm_resp on another connection."""
    fetched = Outbox.fetched

    def hasty(self: Outbox, deliveries: Sequence[Delivery], now: float) -> None:
        self._ahead_not_before = 0.0
        fetched(self, deliveries, now)

    return [(Outbox, "fetched", hasty)]


@bug(seed=9)
def a_reading_that_failed_is_the_last_one() -> list[Patch]:
    """The journal is believed to be read still."""
    return [(Outbox, "not_fetched", lambda self: None)]


@bug(seed=2)
def what_is_held_is_not_read_after_a_restart() -> list[Patch]:
    """Nobody knows of it."""
    return [(Outbox, "restore", lambda self, count, first, octets: None)]
