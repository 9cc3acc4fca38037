"""The journal's memory twin, for trials and tests: with the process all is lost.

It is asynchronous like the journal on disk, so that no step can rely on an answer that comes at
once: what is asked in one turn of the loop is answered in a later turn, in batches. Tests hand in
their own `later` to delay answers, and set `failing` to make operations fail.
"""

from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Final

from router.enqueue.journal import (
    CALLED_WITHIN,
    NOT_CALLED,
    Backlog,
    Called,
    Changes,
    Done,
    Fetched,
    Held,
    HeldFetched,
    JournalError,
    LookedUp,
    LookedUpDone,
    PendingReceipt,
    Place,
    Recalled,
    Recovered,
    Renames,
    Replaced,
    Searched,
    SentFetched,
    Wanted,
    Weighed,
    Weights,
    is_with_operator,
    take_up_doubt,
)
from router.terms.group import Group, Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.queue_key import QueueKey
from router.terms.states import TAKE
from router.terms.unseen import UnseenAnswer


class MemoryJournal:
    """Messages, attempts and deliveries in dictionaries."""

    keeps_records: Final = False

    def __init__(self, later: Callable[[Callable[[], None]], object], first_number: int) -> None:
        self._later = later
        self._next_number = first_number
        self._asked: list[Callable[[JournalError | None], None]] = []
        self.failing: JournalError | None = None
        """Set it to make every commit fail, as a full disk would."""
        self.messages: dict[int, Message] = {}
        """Accepted and not settled, by router_id."""
        self.attempts: dict[int, list[PendingReceipt]] = {}
        """What operators took, by router_id."""
        self._queues: dict[QueueKey, deque[Message]] = {}
        """The messages by queue, in order. One that does not wait is removed when it is first."""
        self._numbers: dict[QueueKey, int] = {}
        self._keys: list[QueueKey] = []
        """The queue of each number, from 1 on."""
        self.written: dict[int, tuple[int, OperatorName | None]] = {}
        """How far each queue was written, and to which operator last, by the queue's number."""
        self.marks: dict[int, bool] = {}
        """Which messages may be with an operator, and which are not, wherever their queues are."""
        self._written_before: dict[int, tuple[int, OperatorName | None]] = {}
        self._marks_before: dict[int, bool] = {}
        """`written` and `marks` as an earlier process left them."""
        self.known_utc = 0.0
        """The time that a process told last."""
        self.held: dict[int, Delivery] = {}
        """Deliveries that are not acknowledged, by `kept_as`."""
        self.orphans: dict[int, Orphan] = {}
        """Receipts whose message is not known, by `kept_as`."""
        self.started: dict[int, Started] = {}
        """Long messages of which an operator has taken parts and not all, by number."""
        self.unseen_answers: dict[int, UnseenAnswer] = {}
        """Submits whose answer the client may not have seen, by router_id."""
        self._taken_as: dict[tuple[OperatorName, OperatorId], list[PendingReceipt]] = {}
        """The attempts by operator and by the operator's message id."""
        self._octets: dict[int, bytes] = {}
        """The PDUs of messages that wait, by router_id."""
        self._weights = Weights()
        """What waited when the journal was recovered."""
        self._last_delivery = 0
        self._last_orphan = 0
        self._last_attempt = 0
        self._next_started = 1

    @property
    def pending(self) -> int:
        """How many operations are not done yet."""
        return len(self._asked)

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`. Urgent or not makes no difference here: no commit is worth waiting for."""
        for delivery in changes.held:
            self._last_delivery += 1
            delivery.kept_as = self._last_delivery
        for orphan in changes.orphaned:
            self._last_orphan += 1
            orphan.kept_as = self._last_orphan
        for one in changes.started:
            self._next_started = one.numbered(self._next_started)

        def answer(error: JournalError | None) -> None:
            if error is None:
                self._apply(changes)
            done(changes, error)

        self._ask(answer)

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done(0, error)
                return
            first = self._next_number
            self._next_number += count
            done(first, None)

        self._ask(answer)

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done([], error)
                return
            queue = self._queues.get(wanted.queue, deque())
            while queue and not self._waits(queue[0]):
                queue.popleft()
            found: list[Message] = []
            octets = 0
            for message in queue:  # A loop: compiled, a generator expression would read to the end.
                if len(found) == wanted.count or octets >= wanted.octets:
                    break
                if message.router_id > wanted.after and self._waits(message):
                    found.append(self._waiting_anew(message))
                    octets += found[-1].size
            done(found, None)

        self._ask(answer)

    def look_up(
        self, router_ids: Collection[RouterId], done: LookedUpDone, *, called: Called = NOT_CALLED
    ) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            found = LookedUp()
            asked = {*router_ids, *(self._called(called) if called else ())}
            for router_id in sorted(asked) if error is None else ():
                message = self.messages.get(router_id)
                if message is not None and router_id in self.attempts:
                    found.sent += self._with_others(self.attempts[router_id])
                elif message is not None:
                    found.waiting.append(self._waiting_anew(message))
            done(found, error)

        self._ask(answer)

    def _called(self, called: Called) -> list[RouterId]:
        return [
            message.router_id
            for message in self.messages.values()
            for first, client_ids in called.items()
            if first < message.router_id <= first + CALLED_WITHIN
            and message.client_id in client_ids
        ]

    def search(
        self,
        account: AccountName,
        destination: bytes,
        after: Place,
        count: int,
        done: Searched,
        *,
        most: int = 2**60,
    ) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done([], None, error)
                return
            every = sorted(number for number in self.messages if number > after)
            piece = [self.messages[number] for number in every[:count]]
            found = [
                self._waiting_anew(one)
                for one in piece
                if self._waits(one)
                and one.account == account
                and one.destination_octets.endswith(destination)
            ]
            if len(found) >= most:
                del found[most:]
                done(found, found[-1].router_id, None)
                return
            done(found, piece[-1].router_id if len(piece) == count else None, None)

        self._ask(answer)

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            found: list[Delivery] = []
            size = 0
            for delivery in self.held.values() if error is None else ():
                if len(found) == count or size >= octets:
                    break
                if delivery.account == account and delivery.kept_as > after:
                    found.append(_anew(delivery))
                    size += len(delivery.octets)
            done(found, error)

        self._ask(answer)

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            keys = [(operator, operator_id) for operator_id in operator_ids]
            found = [pending for key in keys for pending in self._taken_as.get(key, ())]
            wholes = {_part_of(pending.message) for pending in found} - {0}
            if wholes:
                every = [pending for attempts in self.attempts.values() for pending in attempts]
                found += [
                    one
                    for one in every
                    if one.operator == operator and _part_of(one.message) in wholes
                ]
            done([] if error else self._with_others(found), error)

        self._ask(answer)

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """See `Journal`. Reads all attempts in one piece."""

        def answer(error: JournalError | None) -> None:
            found = [
                pending
                for attempts in self.attempts.values()
                for pending in attempts
                if pending.operator == operator
                and (pending.at_utc < before_utc or pending.failure is not None)
            ]
            done([] if error else self._with_others(found), None, error)

        self._ask(answer)

    def _with_others(self, found: list[PendingReceipt]) -> list[PendingReceipt]:
        """Return all attempts of the messages, which are new objects, as if read from a disk."""
        messages = {a.message.router_id: a.message for a in found}
        attempts: list[PendingReceipt] = []
        for router_id, message in messages.items():
            anew = _anew_without_text(message)
            anew.enter(TAKE)
            if _part_of(message):
                anew.group = Group(message.plan, 0)
                anew.group.number = _part_of(message)
            anew.not_before_utc = 0.0
            anew.writes = message.writes
            for one in sorted(self.attempts[router_id], key=attrgetter("at_utc")):
                attempts.append(_of(anew, one))
                anew.row.attempts += (one.kept_as,)
                anew.row.taken_utc = one.at_utc
                anew.operator = one.operator
        return sorted(attempts, key=attrgetter("at_utc"))

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """See `Journal`. Finds something only in tests, where the object outlives a process."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done(Recovered(), error)
                return
            self._queue_anew()
            self._written_before, self._marks_before = dict(self.written), dict(self.marks)
            waiting = [Backlog(key, len(queue)) for key, queue in self._queues.items()]
            octets: Counter[AccountName] = Counter()
            for delivery in self.held.values():
                octets[delivery.account] += len(delivery.octets)
            self._weights = Weights(
                {
                    key: sum([len(self._octets[one.router_id]) for one in queue])
                    for key, queue in self._queues.items()
                },
                dict(octets),
            )
            sent = Counter(a.operator for attempts in self.attempts.values() for a in attempts)
            held: dict[AccountName, Held] = {}
            for number, delivery in self.held.items():
                of_account = held.setdefault(delivery.account, Held(0, number, number))
                of_account.count += 1
                of_account.last = number
            orphans = [_orphan_anew(orphan) for orphan in self.orphans.values()]
            started = [one for _, one in sorted(self.started.items())]
            unseen = [_unseen_anew(one) for one in self.unseen_answers.values()]
            recovered = Recovered(waiting, dict(sent), held, orphans, started, unseen)
            recovered.known_utc = self.known_utc
            done(recovered, None)

        self._ask(answer)

    def rename(self, renames: Renames) -> None:
        """See `Journal`. Here all that is kept is given its new name, in its turn."""
        self._ask(lambda _: self._rename(*renames))

    def _rename(
        self,
        accounts: Mapping[AccountName, AccountName],
        operators: Mapping[OperatorName, OperatorName],
    ) -> None:
        for message in self.messages.values():
            message.account = accounts.get(message.account, message.account)
        for delivery in self.held.values():
            delivery.account = accounts.get(delivery.account, delivery.account)
        for orphan in self.orphans.values():
            orphan.operator = operators.get(orphan.operator, orphan.operator)
        for unseen in self.unseen_answers.values():
            unseen.account = accounts.get(unseen.account, unseen.account)
        for started in self.started.values():
            started.account = accounts.get(started.account, started.account)
        self._taken_as = {}
        for attempts in self.attempts.values():
            for one in attempts:
                one.operator = operators.get(one.operator, one.operator)
                self._taken_as.setdefault((one.operator, one.operator_id), []).append(one)
        for written in (self.written, self._written_before):
            for number, (router_id, name) in written.items():
                written[number] = router_id, name and operators.get(name, name)
        self._keys = [
            key._replace(account=accounts.get(key.account, key.account)) for key in self._keys
        ]
        self._numbers = {key: number for number, key in reversed([*enumerate(self._keys, 1)])}
        self._queue_anew()

    def weigh(self, done: Weighed) -> None:
        """See `Journal`."""
        self._ask(lambda error: done(self._weights if error is None else Weights(), error))

    def _queue_anew(self) -> None:
        """Build the queues for a new process: the one before has moved and fetched messages."""
        self._queues = {}
        for _, message in sorted(self.messages.items()):
            if self._waits(message):
                self._queue_of(message).append(message)

    def _queue_of(self, message: Message) -> deque[Message]:
        """Return the queue that a message was accepted to; its plan may have changed since."""
        return self._queues.setdefault(self._keys[message.row.queue - 1], deque())

    def _waiting_anew(self, message: Message) -> Message:
        """Return a message that waits, as a journal on disk would read it."""
        anew = _anew_without_text(message)
        anew.plan, anew.lane, *_ = self._keys[message.row.queue - 1]
        anew.octets = self._octets[message.router_id]
        anew.size = len(anew.octets)
        anew.not_before_utc = message.not_before_utc
        written, operator = self._written_before.get(message.row.queue, (0, None))
        take_up_doubt(anew, self._marks_before.get(message.router_id), written, operator)
        return anew

    def _waits(self, message: Message) -> bool:
        return message.router_id in self.messages and message.router_id not in self.attempts

    def close(self, done: Callable[[], None]) -> None:
        """See `Journal`."""
        self._ask(lambda _: done())

    def _ask(self, answer: Callable[[JournalError | None], None]) -> None:
        if not self._asked:
            self._later(self._answer)
        self._asked.append(answer)

    def _answer(self) -> None:
        asked, self._asked = self._asked, []
        failing = self.failing  # All fail together: one operation may follow from another.
        for answer in asked:
            answer(failing)

    def _apply(self, changes: Changes) -> None:
        messages, queues = self.messages, self._queues
        self.known_utc = changes.at_utc or self.known_utc
        for message in changes.accepted:
            messages[message.router_id] = message
            self._octets[message.router_id] = message.octets
            key = QueueKey(message.plan, message.lane, message.account)
            message.row.queue = self._numbers.get(key) or self._number_of_new(key)
            queue = queues.get(key)
            if queue is None:
                queue = self._queue_of(message)
            while queue and queue[0].router_id not in messages:
                queue.popleft()
            if queue and queue[-1].router_id > message.router_id:
                insort(queue, message, key=attrgetter("router_id"))
            else:
                queue.append(message)
        for replaced in changes.replaced:
            self._replace(replaced)
        for message, fingerprint in changes.unseen_answers:
            self.unseen_answers[message.router_id] = UnseenAnswer(
                message.account,
                message.router_id,
                message.client_id,
                fingerprint,
                message.accepted_utc,
            )
        for router_id in changes.seen_answers:
            self.unseen_answers.pop(router_id, None)
        for message in (*changes.marked, *changes.unmarked):
            self.marks[message.router_id] = is_with_operator(message.mark)
        for queue_number, message in changes.written.items():
            before, _ = self.written.get(queue_number, (0, None))
            if message.router_id > before:
                self.written[queue_number] = message.router_id, message.operator
        for pending in changes.taken:
            if pending.failure is None:
                self._take(pending)
            else:
                self._failed(pending)
        for delivery in changes.held:
            self.held[delivery.kept_as] = delivery
        for settlement in changes.settled:
            router_id = settlement.message.router_id
            messages.pop(router_id, None)
            self._octets.pop(router_id, None)
            self.marks.pop(router_id, None)
            for pending in self.attempts.pop(router_id, ()):
                self._forget(pending)
        for delivery in changes.acknowledged:
            self.held.pop(delivery.kept_as, None)
        for orphan in changes.orphaned:
            self.orphans[orphan.kept_as] = orphan
        for orphan in changes.claimed:
            self.orphans.pop(orphan.kept_as, None)
        for one in changes.started:
            self.started[one.number] = one
            if one.is_over:
                del self.started[one.number]

    def _replace(self, replaced: Replaced) -> None:
        router_id = replaced.message.router_id
        kept = self.messages.get(router_id)
        if kept is not None and router_id not in self.attempts:
            self._octets[router_id] = replaced.octets
            kept.registered_delivery = replaced.registered_delivery
            kept.expires_utc = replaced.expires_utc
            kept.not_before_utc = replaced.not_before_utc

    def _failed(self, pending: PendingReceipt) -> None:
        for one in self.attempts[pending.message.router_id]:
            if (one.operator, one.operator_id) == (pending.operator, pending.operator_id):
                one.failure = pending.failure

    def _number_of_new(self, key: QueueKey) -> int:
        self._keys.append(key)
        self._numbers[key] = len(self._keys)
        return len(self._keys)

    def _take(self, pending: PendingReceipt) -> None:
        """Keep an attempt that an operator took, and forget the text of its message."""
        router_id = pending.message.router_id
        self._octets.pop(router_id, None)
        self.marks.pop(router_id, None)
        every = self.attempts.setdefault(router_id, [])
        if pending.kept_as:  # Told again because its row was damaged.
            return
        self._last_attempt += 1
        pending.kept_as = self._last_attempt
        pending.message.row.attempts += (pending.kept_as,)
        pending.message.row.taken_utc = pending.at_utc
        every.append(pending)
        self._taken_as.setdefault((pending.operator, pending.operator_id), []).append(pending)

    def _forget(self, pending: PendingReceipt) -> None:
        key = pending.operator, pending.operator_id
        others = [one for one in self._taken_as[key] if one is not pending]
        if others:
            self._taken_as[key] = others
        else:
            del self._taken_as[key]


def _part_of(message: Message) -> int:
    """Return the number of the long message whose parts have one receipt; 0 where there is none."""
    return 0 if message.group is None else message.group.number


def _anew_without_text(message: Message) -> Message:
    """Return a message as a journal on disk would read it: without what only memory had."""
    anew = Message(
        router_id=message.router_id,
        client_id=message.client_id,
        account=message.account,
        lane=message.lane,
        plan=message.plan,
        command_id=message.command_id,
        octets=b"",
        source_octets=message.source_octets,
        destination_octets=message.destination_octets,
        registered_delivery=message.registered_delivery,
        accepted_at=message.accepted_at,
        accepted_utc=message.accepted_utc,
        expires_utc=message.expires_utc,
        not_before_utc=message.not_before_utc,
        hold_receipt=message.hold_receipt,
        submitted=message.submitted,
    )
    anew.row.queue = message.row.queue
    return anew


def _anew(delivery: Delivery) -> Delivery:
    anew = Delivery(
        router_id=delivery.router_id,
        account=delivery.account,
        octets=delivery.octets,
        made_utc=delivery.made_utc,
        final=delivery.final,
        bind=delivery.bind,
    )
    anew.kept_as = delivery.kept_as
    return anew


def _unseen_anew(one: UnseenAnswer) -> UnseenAnswer:
    """Return an unseen answer as a journal on disk would read it."""
    of = one.account, one.router_id, one.client_id
    return UnseenAnswer(*of, one.fingerprint, one.accepted_utc)


def _orphan_anew(orphan: Orphan) -> Orphan:
    """Return an orphan as a journal on disk would read it."""
    return Orphan(
        orphan.operator,
        orphan.operator_id,
        orphan.source_octets,
        orphan.octets,
        orphan.at_utc,
        orphan.kept_as,
    )


def _of(message: Message, one: PendingReceipt) -> PendingReceipt:
    """Return the same attempt of another object of its message."""
    return PendingReceipt(
        message, one.operator, one.operator_id, one.at_utc, one.failure, one.kept_as
    )
