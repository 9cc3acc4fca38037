"""The life of a message, in the order in which it happens. Read this first.

    a client's submit_sm      intake         room, check, decide, and to the journal
    the journal has it        kept           the lane, and only then ESME_ROK to the client
    an operator has a slot    dispatcher     pulled from a lane, written to a bind
    the operator answers      answers        sent; or again, elsewhere, or given up
    no answer will come       answers        in doubt: again, elsewhere, or given up
    the operator's receipt    receipts       matched; outcome and receipt to the journal
    a subscriber's message    inbound        its account found, and to the journal
    the journal has those     kept           ESME_ROK to the operator, the receipt to the outbox
    the client acknowledges   deliveries     the journal forgets the receipt

    a client asks, or changes its mind, about a message that waits: client_requests

Each of these is a step, a plain object in `steps/` that owns its state. The journey builds them,
and keeps in sight what no step may decide for itself: the order of the promise (`_kept`) and the
order of a turn of the loop (`_end_turn`).

Whatever happens is one synchronous call, for a PDU or for a committed batch. Nothing here waits:
what is to be kept goes into the turn's `Changes`; what is to be written stays in its session; the
end of the turn hands the first to the journal and has the second written, once for all of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from router.accept.rooms import Rooms
from router.check.country import Countries
from router.check.heard import HeardParts
from router.decide.table import Up
from router.enqueue.ids import Ids
from router.enqueue.journal import (
    Changes,
    Damaged,
    Journal,
    Recovered,
    Renames,
    Settlement,
)
from router.enqueue.lanes import Lanes
from router.enqueue.ramp_up import RampUp
from router.forward.pool import Bind, BindChanges, Operator
from router.report.quality import Quality
from router.smpp import vocabulary as v
from router.smpp.session import Writable
from router.steps.amendments import Amendments
from router.steps.answers import Answers
from router.steps.availability import Availability
from router.steps.backlog import Backlog
from router.steps.cancel_orders import CancelOrders
from router.steps.cancelling import Cancelling
from router.steps.client_requests import ClientRequests
from router.steps.client_retries import ClientRetries
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.damage import Damage
from router.steps.data_sm import DataSm
from router.steps.deliveries import Deliveries
from router.steps.dispatcher import Dispatcher
from router.steps.expiry import Expiry
from router.steps.failover import Failover
from router.steps.former_names import FormerNames
from router.steps.hand_over import HandOver
from router.steps.inbound import Inbound
from router.steps.intake import Intake
from router.steps.long_messages import LongMessages
from router.steps.marks import Marks
from router.steps.operator_requests import OperatorRequests
from router.steps.outcomes import Outcomes
from router.steps.peers import Reply
from router.steps.pending_receipts import PendingReceipts
from router.steps.querying import LookUpRecords, Querying, no_records
from router.steps.recall import Recall
from router.steps.receipts import Receipts
from router.steps.replacing import Replacing
from router.steps.rules import Rulebook, Rules
from router.steps.suspicions import Suspicions
from router.steps.turn import Turn
from router.steps.whereabouts import Whereabouts
from router.steps.withdrawing import Withdrawing
from router.terms.capacity import Capacity
from router.terms.counters import Counters
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import TEMPORARY, JournalError
from router.terms.plan import Plans
from router.terms.settings import AccountSettings, OperatorSettings, Settings
from router.terms.states import MarkEvent

SWEEP_S: Final = 1.0
"""How often what only becomes due with time is looked for."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What else is to be done when the journey has followed a new configuration."""

    binds: dict[OperatorName, BindChanges]
    """What has become of the binds to each operator."""
    renamed: dict[AccountName, AccountName]
    """The accounts that were handed over, by their former names: their clients bind anew."""


class Journey:
    """All steps of one router. Clocks and `later` (run this in a later turn) are handed in."""

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal,
        clock: Callable[[], float],
        clock_utc: Callable[[], float],
        later: Callable[[Callable[[], None]], object],
        settled: Callable[[Settlement], None],
        journal_changed: Callable[[JournalError | None], None] = lambda _: None,
        clock_changed: Callable[[float], None] = lambda _: None,
        is_synchronised: Callable[[], bool] = lambda: False,
        set_aside: Callable[[Damaged], None] = lambda _: None,
        look_up_records: LookUpRecords = no_records,
        capacity: Capacity = Capacity(),
    ) -> None:
        """`settled` hears of every outcome; `journal_changed` of a failure, and None of its end.

        `clock_changed` hears how far ahead a wall clock is that is not believed, and 0 when it is;
        `is_synchronised` says whether the kernel has it kept right. `set_aside` hears of rows of
        the journal that cannot be used; whoever reads it tells `damage.found`. `look_up_records`
        reads how messages ended; without it, nothing is known of those that are over.
        """
        now = clock()
        self.journal: Final = journal
        self.counters: Final = Counters()
        self.plans: Final = Plans()
        self.up: Final = Up()
        self.heard: Final = HeardParts()
        self.rulebook: Final = Rulebook(Rules.of(settings, self.plans, self.up, self.heard))
        self.clocks: Final = Clocks(clock, clock_utc, clock_changed, is_synchronised)
        self.turn: Final = Turn(later, self._end_turn)
        self._ids: Final = Ids(journal, settings.node)
        self._sweep_at = now + SWEEP_S
        self._unsure_s = 0.0
        """How much later it could be than the time to use, at the last sweep."""
        # What steps act on.
        ramp_up = RampUp({name: one.ramp_s for name, one in settings.operators.items()}, now)
        self.rooms: Final = Rooms(settings.accounts)
        self.lanes: Final = Lanes(settings.lanes, settings.accounts, ramp_up, capacity=capacity)
        keeps_room = len(settings.lanes) > 1

        def operator_of(settings: OperatorSettings, now: float) -> Operator:
            return Operator(
                settings, now, keeps_room=keeps_room, capacity=capacity,
                inland=self.rulebook.inland,
            )  # fmt: skip

        self.operators: Final = {
            name: operator_of(one, now) for name, one in settings.operators.items()
        }
        # The steps, each after those that it acts on. A reading of the journal ends later than it
        # began: what it brings comes back through the three callbacks of Recall.
        clocks, turn, counters = self.clocks, self.turn, self.counters
        rulebook, rooms, lanes, operators = self.rulebook, self.rooms, self.lanes, self.operators
        long_messages, amendments = LongMessages(capacity), Amendments()
        self._former: Final = FormerNames()
        former = self._former
        self.commits: Final = Commits(journal, turn, now, kept=self._kept, changed=journal_changed)
        self.pending: Final = PendingReceipts(settings.operators, self.commits, capacity)
        self.recall: Final = Recall(
            journal, self.pending, self.commits, clocks, turn, capacity,
            former,
            found=lambda came, now: self.receipts.found(came, now),
            taken_back=lambda message: self.receipts.tell_withheld(message),
            ended=lambda message: self.receipts.never_receipted(message),
        )  # fmt: skip
        self.quality: Final = Quality(Countries().of)
        self.outcomes: Final = Outcomes(
            rooms, self.pending, self.recall, self.commits, self.quality, rulebook, counters,
            clocks, turn, told=settled,
        )  # fmt: skip
        self.deliveries: Final = Deliveries(
            settings.accounts, journal, self.commits, counters, clocks, turn, capacity
        )
        self.inbound: Final = Inbound(
            self.commits, self.deliveries, rulebook, self._ids, counters, clocks, turn, capacity
        )
        self.expiry: Final = Expiry(
            lanes, self.outcomes, clocks, turn, is_new=self._ids.is_of_this_process
        )
        self.receipts: Final = Receipts(
            operators, self.pending, self.recall, self.outcomes, self.inbound, self.commits,
            rulebook, counters, clocks, turn,
        )  # fmt: skip
        self.availability: Final = Availability(
            operators, operator_of, lanes, self.up, clocks, turn
        )
        self.marks: Final = Marks(lanes, operators, self.commits, turn)
        self.failover: Final = Failover(
            lanes, self.plans, self.pending, self.outcomes, counters, turn
        )
        self.suspicions: Final = Suspicions(lanes, self.outcomes, self.expiry, turn)
        self.data_sm: Final = DataSm(self.plans)
        self.answers: Final = Answers(
            self.availability, self.failover, self.suspicions, self.marks, self.receipts,
            self.outcomes, self.pending, self.commits, rooms, lanes, rulebook, self.data_sm,
            counters, clocks, turn,
        )  # fmt: skip
        self.dispatcher: Final = Dispatcher(
            operators, lanes, self.availability, self.failover, self.suspicions, self.marks,
            self.expiry, counters, clocks, turn, capacity, rulebook,
            is_new=self._ids.is_of_this_process,
        )  # fmt: skip
        self.backlog: Final = Backlog(
            journal, rooms, lanes, self.pending, self.deliveries, self.failover, long_messages,
            rulebook, self._ids, clocks, turn, capacity, former, amendments,
        )  # fmt: skip
        self.client_retries: Final = ClientRetries(self.commits, counters, turn, capacity)
        self.hand_over: Final = HandOver(
            operators, rooms, lanes, long_messages, self.pending, self.recall, self.deliveries,
            self.inbound, self.backlog, self.client_retries, self.commits, self.plans, former,
            amendments,
        )  # fmt: skip
        self.damage: Final = Damage(
            self.pending, self.recall, self.deliveries, self.backlog, self.outcomes, self.commits,
            counters, clocks, turn, former, told=set_aside,
        )  # fmt: skip
        self.whereabouts: Final = Whereabouts(
            journal, lanes, self.commits, amendments, former,
            is_untouched=self.backlog.is_untouched,
        )  # fmt: skip
        self.cancelling: Final = Cancelling(
            lanes, self.backlog, self.outcomes, self.commits, amendments
        )
        self.client_requests: Final = ClientRequests(
            self._ids, self.whereabouts, Querying(self.whereabouts, look_up_records, clocks),
            self.cancelling,
            Replacing(lanes, rooms, rulebook, self.commits, amendments, clocks, turn),
            OperatorRequests(operators), self.commits, counters, turn,
        )  # fmt: skip
        self.cancel_orders: Final = CancelOrders(
            self._ids, self.whereabouts, self.cancelling, rulebook, self.commits, turn
        )
        self.intake: Final = Intake(
            self._ids, rulebook, long_messages, rooms, self.client_retries, self.commits,
            self.deliveries, self.data_sm,
            Withdrawing(long_messages, self.whereabouts, self.cancelling),
            counters, clocks, turn,
            settings.lanes[0].name if len(settings.lanes) > 1 else None,
        )  # fmt: skip
        self.intake.refusals.keeps_records = journal.keeps_records

    def start(self, ready: Callable[[JournalError | None], None]) -> None:
        """Go on where an earlier process stopped; `ready` is called when clients may come."""

        def recovered(found: Recovered, error: JournalError | None) -> None:
            if error is None:
                clocks = self.clocks
                if found.waiting or found.sent or found.held:  # Else no time of it matters.
                    clocks.go_on_from(found.known_utc or clocks.utc())
                self.commits.tell_time(clocks.now(), clocks.utc())  # Before a client's message.
                self.hand_over.of_today(found.started, self.rulebook.rules.renames)
                self.client_retries.take_up(
                    found.unseen_answers, self.rulebook.rules.accounts, clocks.now(), clocks.utc()
                )
                self.backlog.take_up(found)
                self.backlog.weigh()
                self._ids.reserve(ready)
                self.turn.end_soon()  # Validity ends even if nobody ever connects.
            else:
                ready(error)

        renames = self.rulebook.rules.renames
        if any(renames):
            self.journal.rename(renames)
        self.journal.recover(recovered)

    def adopt(self, settings: Settings, rules: Rules, now: float) -> Adopted:
        """Follow a new configuration, between two turns; return what is to be done with binds.

        Cannot fail: `rules` were built of the settings before, whole. Rules first, so that what
        comes in follows them; then accounts and operators that are new or have changed; those that
        are gone drain, and are forgotten when nothing is owed. The lanes have the names and the
        order of the start (`settings/difference.py` says what else needs a restart).
        """
        assert [lane.name for lane in settings.lanes] == list(self.lanes.settings)
        known, self.rulebook.rules = self.rulebook.rules.accounts, rules
        accounts = self._rename_accounts(rules.renames, known)
        renamed = self._rename(rules.renames)
        if accounts or renamed:  # A commit, with which the new names are in the file.
            self.commits.settles.at_utc = self.clocks.utc()
        self._former.adopt(settings.accounts)
        self.rooms.adopt(settings.accounts)
        self.deliveries.adopt(settings.accounts)
        self.client_retries.adopt(settings.accounts)
        self.pending.adopt(settings.operators)
        ramps_s = {name: one.ramp_s for name, one in settings.operators.items()}
        for name in self.lanes.adopt(settings.lanes, settings.accounts, ramps_s, now):
            self.turn.dispatch(name)
        changes = self.availability.adopt(settings.operators, now, renamed)
        self.backlog.adopt()
        self.backlog.decide_again(now)
        self.turn.end_soon()
        return Adopted(changes, accounts)

    def not_handed_over(self, accounts: Mapping[AccountName, AccountSettings]) -> list[AccountName]:
        """Return which accounts that are new can have what their former names have only later.

        When the router starts: under their new names are still things of accounts that are gone.
        For any thread.
        """
        known = self.rulebook.rules.accounts
        return [
            name
            for name, one in accounts.items()
            if one.formerly is not None
            and name not in known
            and not self.hand_over.can_rename(one.formerly, name)
        ]

    def _rename_accounts(
        self, renames: Renames, known: Mapping[AccountName, AccountSettings]
    ) -> dict[AccountName, AccountName]:
        """Hand over what accounts have that were renamed; return their new names, by the former.

        Not to one that there is already under its new name: that is done when the router starts.
        """
        renamed: dict[AccountName, AccountName] = {}
        for was, now in renames.accounts.items():
            if now not in known and self.hand_over.can_rename(was, now):
                self.hand_over.rename_account(was, now)
                renamed[was] = now
        if renamed:
            self.journal.rename(Renames(renamed, {}))
        return renamed

    def _rename(self, renames: Renames) -> list[OperatorName]:
        """Hand over what operators have that were renamed; return what they are called now.

        Not to one that there is already under its new name: that is done when the router starts.
        """
        renamed: dict[OperatorName, OperatorName] = {}
        for was, now in renames.operators.items():
            if now in self.operators:
                continue
            is_here = was in self.operators
            if is_here:
                self.hand_over.rename(was, now)
                self.quality.rename(was, now)
            if self.backlog.rename(was, now) or is_here:
                renamed[was] = now
        if renamed:
            self.journal.rename(Renames({}, renamed))
        return list(renamed.values())

    def is_done_with(self, bind: Bind) -> bool:
        """Whether a bind that the configuration has no more may be unbound.

        One that was removed, when its messages are answered; those of an operator that is gone,
        when that owes no receipts any more, or is forgotten.
        """
        operator = bind.operator
        if self.operators.get(operator.name) is not operator:
            return True
        if operator.is_leaving:
            return not (operator.in_flight or self._owes(operator.name))
        return bind.removed and not bind.in_use

    def _owes(self, operator: OperatorName) -> bool:
        """Whether receipts of an operator may come, or are being looked up in the journal."""
        return self.pending.owes(operator) or self.recall.asks_for(operator)

    # The journal has answered. These lines stand in the order of the promise.

    def _kept(self, changes: Changes, error: JournalError | None) -> None:
        """A batch is safe, or none of it is."""
        now = self.clocks.now()
        if error is not None:
            self._not_kept(changes, error, now)
            return
        if self.commits.succeeded():
            self.dispatcher.try_all()
        for message in changes.accepted:
            # The room was taken when it was let in, and the disk has it now. The lane comes before
            # the answer, whether or not the client is still there to hear it.
            self.turn.dispatch_all(self.lanes.put(message))
            if message.origin is not None:
                message.origin.accepted(message, now)  # ESME_ROK.
        for message in changes.marked:
            message.set_mark(MarkEvent.KEEP)
        for delivery in changes.held:
            self.deliveries.put(delivery, now)
        for settlement in changes.settled:
            self.outcomes.count(settlement, now)
        for reply in changes.replies:
            assert isinstance(reply, Reply)
            if reply.inbound_of is not None:
                self.inbound.answered(reply, reply.inbound_of)
            reply.send(v.ESME_ROK, self.turn)
        for tell in changes.promised:
            tell(True)

    def _not_kept(self, changes: Changes, error: JournalError, now: float) -> None:
        """Nothing of it was promised. What has happened all the same is told again later."""
        self.commits.failed(error, now)
        for message in changes.accepted:
            self.intake.not_kept(message, now)
        changes.accepted.clear()
        changes.unseen_answers.clear()
        for reply in changes.replies:
            assert isinstance(reply, Reply)
            if reply.inbound_of is not None:
                self.inbound.answered(reply, reply.inbound_of)
            reply.send(TEMPORARY.status, self.turn)
            for delivery in reply.brought:
                changes.held.remove(delivery)
            if reply.orphan is not None:
                self.receipts.refused(reply.orphan)
        changes.replies.clear()
        for tell in changes.promised:
            tell(False)
        changes.promised.clear()
        changes.orphaned.clear()
        self.commits.tell_again(changes)

    # The turn of the loop.

    def _end_turn(self) -> None:
        """Once per turn: lanes to operators, outboxes to clients, a batch to the journal; write."""
        now = self.clocks.now()
        try:
            if self.commits.up and not self.intake.draining:  # Else we would forget what we sent.
                self.dispatcher.pump(now)
            self.deliveries.pump(now)
            if self.lanes.needs_fetch and self.commits.up:
                self.backlog.fetch()
            self.commits.flush()
            self.recall.ask_journal()
            self.whereabouts.ask_journal()
            self.deliveries.read(now)
        finally:  # A mistake of ours in one message must not stop all the others.
            self.turn.flush()

    # Time.

    def wake_at(self) -> float:
        """Return when `wake` is next needed although nothing happens before."""
        return min(
            self._sweep_at,
            self.commits.wake_at(),
            self.lanes.wake_at(),
            self.dispatcher.wake_at(),
            self.deliveries.wake_at(),
            self.inbound.wake_at(),
        )

    def wake(self, now: float) -> None:
        """Do what is due."""
        self.dispatcher.wake(now)
        for name in self.lanes.wake(now):
            self.turn.dispatch(name)
        self.deliveries.wake(now)
        self.inbound.wake(now)
        self.commits.wake(now)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """What only becomes due with time: validity, receipts that never came, old deliveries."""
        clocks, lanes, turn = self.clocks, self.lanes, self.turn
        clocks.look(now)
        if clocks.steady.unsure_s != self._unsure_s:  # Judge anew what waits because of it.
            self._unsure_s = clocks.steady.unsure_s
            turn.dispatch_all(lanes.end_doubt())
        now_utc = clocks.steady.at(now)
        self.commits.tell_time(now, now_utc)
        self.availability.tick(now)
        turn.dispatch_all(lanes.begin(now_utc))
        self.expiry.end(lanes.expire(now_utc))
        self.suspicions.sweep(self.operators.values(), now_utc)
        self.backlog.decide_more()
        self.backlog.decide_again(now)
        for name in self.availability.left():
            if not self._owes(name):
                self.availability.forget(name)
                self.pending.forget(name)
                self.quality.forget(name)
        if lanes.needs_fetch:  # Also after a read that failed.
            turn.end_soon()
        self.client_retries.sweep(now)
        self.receipts.sweep()
        self.pending.leave_to_journal()
        self.recall.search_overdue(now)
        self.deliveries.sweep(now)
        self.whereabouts.sweep()

    # What its surroundings ask.

    def write_soon(self, peer: Writable) -> None:
        """Have the peer's session written when this turn ends."""
        self.turn.write(peer)

    @property
    def delayed(self) -> int:
        """Messages that wait for a moment, or apart from the lanes because they are in doubt."""
        apart = sum(one.waiting_apart for one in self.operators.values())
        return self.lanes.delays.delayed() + self.lanes.delays.doubted() + apart

    @property
    def left_waiting(self) -> int:
        """What stays in the journal: its account or its operators are no more."""
        return sum(count for _, count in self.left())

    def left(self) -> list[tuple[str, int]]:
        """Return the same by what the configuration lacks: `account NAME` or `operator NAME`."""
        return [*self.backlog.left(), *self.deliveries.left()]

    @property
    def taken_up(self) -> dict[str, int]:
        """What an earlier process left, and what of it stays in the journal."""
        taken_up = self.backlog.taken_up
        return {
            "messages": taken_up.messages,
            "receipts_expected": taken_up.receipts_expected,
            "deliveries": taken_up.deliveries,
            "left_waiting": self.left_waiting,
        }
