"""Bugs on the way out: from a client's submit_sm to an operator's answer."""

from collections.abc import Callable, Iterable, Sequence

from router.enqueue.feed import Queue
from router.enqueue.journal import JournalError
from router.enqueue.lanes import Lanes
from router.forward import pool
from router.forward.adapting import AdaptiveRate
from router.forward.arrival import RoundTrip
from router.forward.breaker import Breaker, BreakerState
from router.forward.circuit import UNLIMITED, Circuit
from router.forward.lifetime import Lifetime
from router.forward.pacing import Pacer
from router.forward.pool import Attempt, Bind, Channel, Operator
from router.journey import Journey
from router.smpp.numbers import Inland
from router.smpp.pdu import Pdu, Sm, relay_with
from router.smpp.times import relative
from router.steps import dispatcher
from router.steps.answers import Answers
from router.steps.failover import Failover
from router.steps.intake import Intake, SubmitOrigin
from router.steps.outcomes import Outcomes
from router.steps.peers import Client
from router.steps.receipts import Receipts
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.orphan import Orphan
from router.terms.outcome import NO_EVIDENCE, Evidence, Outcome
from router.terms.settings import OperatorSettings
from router.terms.states import QUEUED, SENT
from tests.simulation.disk import SimulatedJournal
from tests.simulation.planting import Patch, bug


def newest_lanes() -> tuple[list[Lanes], Patch]:
    """A list that will have the lanes of the process that was started last, and what fills it."""
    newest: list[Lanes] = []
    start = Journey.start

    def noted(self: Journey, ready: Callable[[JournalError | None], None]) -> None:
        newest[:] = [self.lanes]
        start(self, ready)

    return newest, (Journey, "start", noted)


# A client's submit_sm.


@bug(seed=3)
def a_client_is_answered_before_the_commit() -> list[Patch]:
    """ESME_ROK first, disk second."""
    take_in, accepted = Intake._take_in, SubmitOrigin.accepted

    def hasty(self: Intake, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        count = len(self._commits.accepts.accepted)
        take_in(self, client, pdu, arrived_at, now)
        for message in self._commits.accepts.accepted[count:]:
            assert isinstance(message.origin, SubmitOrigin)
            accepted(message.origin, message, now)

    return [(Intake, "_take_in", hasty)]


@bug(seed=7)
def a_message_is_queued_before_the_commit() -> list[Patch]:
    """Lane first, disk second: it may be sent, and be forgotten in a crash."""
    take_in, put = Intake._take_in, Lanes.put
    newest, watch = newest_lanes()

    def hasty(self: Intake, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        count = len(self._commits.accepts.accepted)
        take_in(self, client, pdu, arrived_at, now)
        for message in self._commits.accepts.accepted[count:]:
            self._turn.dispatch_all(put(newest[0], message))

    return [watch, (Intake, "_take_in", hasty), (Lanes, "put", lambda self, message: ())]


@bug(seed=5)
def room_leaks_when_a_commit_fails() -> list[Patch]:
    """The room of messages that could not be kept is not given back."""
    not_kept = Intake.not_kept

    def leaky(self: Intake, message: Message, now: float) -> None:
        self.rooms.restore(message.account, 1, 0)
        not_kept(self, message, now)

    return [(Intake, "not_kept", leaky)]


@bug(seed=6)
def ids_are_used_before_their_block_is_kept() -> list[Patch]:
    """After a crash the same ids are given out again."""

    def reserve_ids(
        self: SimulatedJournal, count: int, done: Callable[[int, JournalError | None], None]
    ) -> None:
        self.process.soon(lambda: done(self.disk.next_number, None))

    return [(SimulatedJournal, "reserve_ids", reserve_ids)]


# Lanes.


@bug(seed=8)
def the_youngest_goes_first() -> list[Patch]:
    """A message is put in front of those that wait."""
    append = Queue.append

    def in_front(self: Queue, message: Message) -> None:
        append(self, message)
        self.messages.appendleft(self.messages.pop())

    return [(Queue, "append", in_front)]


@bug(seed=0)
def new_messages_overtake_those_that_only_the_journal_has() -> list[Patch]:
    """They stay in memory although older ones wait to be fetched."""

    def put(self: Lanes, message: Message) -> tuple[OperatorName, ...]:
        queue = self._queue_for(message)
        queue.append(message)
        return queue.consumers

    return [(Lanes, "put", put)]


@bug(seed=11)
def a_fetch_begins_where_the_last_one_did() -> list[Patch]:
    """The same messages are fetched again."""
    append = Queue.append

    def forgetful(self: Queue, message: Message) -> None:
        last_id = self.last_id
        append(self, message)
        self.last_id = last_id

    return [(Queue, "append", forgetful)]


@bug(seed=13)
def a_failover_forgets_the_message() -> list[Patch]:
    """One operator refuses, and the next is never asked."""

    def go_elsewhere(self: Failover, operator: Operator, message: Message, status: int) -> None:
        plan = self._plans.without(message.plan, operator.name)
        if plan is None:
            self._outcomes.give_up(message, Outcome.FAILED, "refused by every operator", status)
        else:
            message.plan = plan

    return [(Failover, "go_elsewhere", go_elsewhere)]


@bug(seed=5)
def a_failover_takes_room_twice() -> list[Patch]:
    """Each operator that refuses costs the account a place."""
    go_elsewhere = Failover.go_elsewhere

    def leaky(self: Failover, operator: Operator, message: Message, status: int) -> None:
        self._outcomes._rooms.take(message.account, 0)
        go_elsewhere(self, operator, message, status)

    return [(Failover, "go_elsewhere", leaky)]


@bug(seed=0)
def a_schedule_is_not_waited_for() -> list[Patch]:
    """What is scheduled is queued like all else."""

    def take_in(self: Lanes, queue: Queue, message: Message) -> None:
        queue.append(message)

    return [(Lanes, "_take_in", take_in)]


@bug(seed=5)
def what_is_scheduled_is_forgotten_in_memory() -> list[Patch]:
    """It is sent after a restart, if there is one."""
    return [(Lanes, "begin", lambda self, now_utc: set())]


@bug(seed=7)
def what_remains_is_counted_from_the_wrong_end() -> list[Patch]:
    """An operator is told how long the message has waited."""

    def elapsed(message: Message, now_utc: float) -> bytes:
        sm = Sm(Pdu(message.command_id, 0, 0, message.octets))
        if not sm.validity_period:
            return message.octets
        return relay_with(sm, 0, validity_period=relative(now_utc - message.accepted_utc))

    return [(dispatcher, "with_what_remains", elapsed)]


@bug(seed=10)
def validity_is_not_looked_at_when_a_message_is_sent() -> list[Patch]:
    """And hardly ever while it waits."""
    pull = Lanes.pull

    def late(
        self: Lanes,
        operator: OperatorName,
        now_utc: float,
        expired: list[Message],
        *,
        only_urgent: bool = False,
    ) -> Message | None:
        return pull(self, operator, now_utc - 60.0, expired, only_urgent=only_urgent)

    return [(Lanes, "pull", late), (Queue, "expire", lambda self, now_utc: [])]


# Operators.


@bug(seed=1)
def a_rate_begins_anew_with_each_connection() -> list[Patch]:
    """A bind that is back may send a whole unit at once."""
    came_up = Operator.came_up

    def fresh(self: Operator, bind: Bind, peer: Channel, now: float) -> None:
        if bind.settings.rate is not None:
            object.__setattr__(bind.pace, "pacer", Pacer(bind.settings.rate, now - 3600.0))
        came_up(self, bind, peer, now)

    return [(Operator, "came_up", fresh)]


@bug(seed=301)
def a_rate_begins_anew_with_each_process() -> list[Patch]:
    """What an earlier process has sent is not thought of."""
    init = Pacer.__init__

    def fresh(self: Pacer, rate: Rate, now: float, sharing: Sequence[RoundTrip] = ()) -> None:
        init(self, rate, now - 3600.0, sharing)

    return [(Pacer, "__init__", fresh)]


@bug(seed=11)
def the_rate_of_all_binds_together_is_forgotten() -> list[Patch]:
    """Each bind keeps to its own."""
    init = Operator.__init__

    def without(
        self: Operator,
        settings: OperatorSettings,
        now: float,
        *,
        keeps_room: bool,
        capacity: Capacity,
        inland: Inland,
    ) -> None:
        init(self, settings, now, keeps_room=keeps_room, capacity=capacity, inland=inland)
        object.__setattr__(self, "pacer", None)

    return [(Operator, "__init__", without)]


@bug(seed=2)
def a_slot_is_free_a_unit_after_it_was_written() -> list[Patch]:
    """However long the network held the message back."""
    return [(Pacer, "_arrived_at", lambda self, slot, now: self._written_at[slot])]


@bug(seed=10)
def a_window_is_one_too_wide() -> list[Patch]:
    """One more is in flight than the operator allows."""
    ready_bind = Operator.ready_bind

    def one_more(self: Operator, now: float) -> Bind | None:
        bind = ready_bind(self, now)
        for full in self.binds:
            is_full = full.sends and full.in_use == full.settings.window
            if bind is None and is_full and full.pace and full.pace.ready_at(now) <= now:
                self._push(full, now)
                return full
        return bind

    return [(Operator, "ready_bind", one_more)]


@bug(seed=10)
def a_late_success_is_ignored() -> list[Patch]:
    """An answer after the time-out is thrown away."""
    answered = Answers.answered

    def deaf(self: Answers, attempt: Attempt, status: int, operator_id: bytes, now: float) -> None:
        if not attempt.over:
            answered(self, attempt, status, operator_id, now)

    return [(Answers, "answered", deaf)]


@bug(seed=10)
def a_late_success_leaves_the_message_in_its_lane() -> list[Patch]:
    """It is known to be sent, and sent again all the same."""
    pull = Lanes.pull

    def careless(
        self: Lanes,
        operator: OperatorName,
        now_utc: float,
        expired: list[Message],
        *,
        only_urgent: bool = False,
    ) -> Message | None:
        for queue in self._queues.values():
            for message in queue.messages:
                if message.state is SENT:
                    message.state = QUEUED
        return pull(self, operator, now_utc, expired, only_urgent=only_urgent)

    return [(Lanes, "pull", careless)]


@bug(seed=4)
def what_must_not_be_repeated_is_repeated() -> list[Patch]:
    """`in_doubt: fail` does what `resend` does."""
    give_up = Outcomes.give_up
    newest, watch = newest_lanes()

    def careless(
        self: Outcomes,
        message: Message,
        outcome: Outcome,
        reason: str,
        status: int,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        if reason == "no answer from the operator":
            self._turn.dispatch_all(newest[0].put_first(message))
        else:
            give_up(self, message, outcome, reason, status, evidence)

    return [watch, (Outcomes, "give_up", careless)]


@bug(seed=1)
def what_was_in_flight_on_a_lost_bind_is_forgotten() -> list[Patch]:
    """It is nobody's, until a restart."""
    doubted = Answers._doubted

    def forgetful(
        self: Answers, attempts: Iterable[Attempt], why: str, now: float, *, by_operator: bool
    ) -> None:
        if why != "lost":
            doubted(self, attempts, why, now, by_operator=by_operator)
            return
        for attempt in attempts:
            attempt.bind.operator.attempt_ended(attempt, now, answered=False)

    return [(Answers, "_doubted", forgetful)]


@bug(seed=5)
def a_flight_lands_twice() -> list[Patch]:
    """A late answer counts as if its message were still in flight."""
    answered = Answers.answered

    def twice(self: Answers, attempt: Attempt, status: int, operator_id: bytes, now: float) -> None:
        attempt.over = False
        answered(self, attempt, status, operator_id, now)

    return [(Answers, "answered", twice)]


@bug(seed=31)
def nobody_looks_when_a_window_is_given_up() -> list[Patch]:
    """Its operator has room again, and stands still."""
    doubted = Answers._doubted

    def lazy(
        self: Answers, attempts: Iterable[Attempt], why: str, now: float, *, by_operator: bool
    ) -> None:
        before = set(self._turn.operators)
        doubted(self, attempts, why, now, by_operator=by_operator)
        self._turn.operators = before

    return [(Answers, "_doubted", lazy)]


@bug(seed=9)
def a_drained_bind_goes_on_sending() -> list[Patch]:
    """It is marked, and nobody looks at the mark."""

    def drain(self: Operator, bind: Bind, *, drained: bool) -> None:
        bind.drained = drained

    return [(Operator, "drain", drain)]


@bug(seed=8)
def a_resumed_bind_stays_shut() -> list[Patch]:
    """What waits for it alone waits for ever."""

    def drain(self: Operator, bind: Bind, *, drained: bool) -> None:
        bind.drained = drained
        bind.window = 0

    return [(Operator, "drain", drain)]


@bug(seed=10)
def a_session_lives_for_ever() -> list[Patch]:
    """What its operator says about that is not looked at."""
    return [(Operator, "retire", lambda self, bind, now: False)]


@bug(seed=10)
def a_session_takes_one_message_too_many() -> list[Patch]:
    """It is counted after the question."""
    begin = Lifetime.begin

    def generous(self: Lifetime, share: float, now: float) -> None:
        begin(self, share, now)
        self.left += 1

    return [(Lifetime, "begin", generous)]


# Operators that do not do well.


@bug(seed=17)
def an_operator_that_fails_is_never_tried_again() -> list[Patch]:
    """What waits for it alone waits for ever."""
    return [(Breaker, "tick", lambda self, now: False)]


@bug(seed=19)
def a_bind_that_is_tried_has_its_whole_window() -> list[Patch]:
    """Not one message finds out, but all of them."""

    def most_unanswered(self: Circuit, bind: Bind) -> int:
        states = bind.breaker.state, self.whole.state
        return 0 if BreakerState.OPEN in states else UNLIMITED

    return [(Circuit, "most_unanswered", most_unanswered)]


@bug(seed=15)
def a_slowed_bind_stands_still() -> list[Patch]:
    """A refusal takes all of its rate, and it does not come back."""

    def per_second(self: AdaptiveRate, now: float) -> float:
        return self._contract * (1e-9 if self.is_slowed else 1.0)

    return [(AdaptiveRate, "per_second", per_second)]


@bug(seed=6)
def bulk_takes_the_whole_window() -> list[Patch]:
    """Nothing of it is kept for urgent messages."""
    pull = Lanes.pull

    def greedy(
        self: Lanes,
        operator: OperatorName,
        now_utc: float,
        expired: list[Message],
        *,
        only_urgent: bool = False,
    ) -> Message | None:
        return pull(self, operator, now_utc, expired)

    return [(Lanes, "pull", greedy)]


@bug(seed=3)
def a_suspect_goes_beside_others() -> list[Patch]:
    """A bind that tries suspects sends the next before the last is answered."""

    def hasty(bind: Bind) -> bool:
        trial = bind.trial
        return trial is not None and trial.is_proven and bind.sends and bind.in_use < bind.window

    return [(pool, "may_try", hasty)]


@bug(seed=16)
def an_orphan_is_forgotten_on_the_disk_only() -> list[Patch]:
    """Its message has come, and nothing follows from that."""

    def careless(self: Receipts, orphan: Orphan, operator: Operator, now: float) -> None:
        self._commits.settles.claimed.append(orphan)

    return [(Receipts, "claim", careless)]
