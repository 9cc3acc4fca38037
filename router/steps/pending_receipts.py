"""Messages that operators have taken and not reported on: the latest in memory.

The older ones only the journal has: `recall.py` brings them back.

Rule: a message is one object, however many operators have taken it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from struct import Struct
from typing import Final

from router.enqueue.journal import PendingReceipt
from router.report import receipts
from router.report.correlate import Correlator
from router.smpp import receipt as r
from router.smpp.numbers import WireNumbers
from router.smpp.pdu import Pdu, Sm
from router.smpp.receipt import Receipt
from router.smpp.senders import source_octets
from router.steps.commits import Commits
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.settings import OperatorSettings

_COMMAND_ID: Final = Struct(">I")


class PendingReceipts:
    """The receipts that operators owe, and failures that wait for a better word."""

    __slots__ = ("_capacity", "_commits", "_doubted", "_withheld", "correlators")

    def __init__(
        self,
        operators: Mapping[OperatorName, OperatorSettings],
        commits: Commits,
        capacity: Capacity,
    ) -> None:
        self._commits: Final = commits
        self._capacity: Final = capacity
        self.correlators: Final[dict[OperatorName, Correlator]] = {
            name: self._correlator(one) for name, one in operators.items()
        }
        self._doubted: dict[RouterId, Message] = {}
        """Messages that more than one operator, or one twice, may have taken."""
        self._withheld: dict[RouterId, tuple[Receipt, r.State]] = {}
        """Failures of one attempt, while another may still end well."""

    def adopt(self, operators: Mapping[OperatorName, OperatorSettings]) -> None:
        """Follow a new configuration; what an operator that is gone owes is waited for."""
        for name, one in operators.items():
            correlator = self.correlators.get(name)
            if correlator is None:
                self.correlators[name] = self._correlator(one)
            else:
                per_message = one.receipts.per == "message"
                correlator.adopt(one.message_id, one.receipt_wait_s, per_message=per_message)
                _know_addresses(correlator, one)

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Expect what an operator owes under its new name."""
        correlator = self.correlators[now] = self.correlators.pop(was)
        for orphan in correlator.every_orphan():
            orphan.operator = now
        for _, _, message in correlator.entries():
            if message.operator == was:
                message.operator = now
        for changes in self._commits.unseen():
            for pending in changes.taken:
                if pending.operator == was:
                    pending.operator = now
                if pending.message.operator == was:
                    pending.message.operator = now
            for orphan in (*changes.orphaned, *changes.claimed):
                if orphan.operator == was:
                    orphan.operator = now

    def messages(self) -> Iterator[Message]:
        """Yield the messages in memory that an operator has, or may have, taken."""
        for correlator in self.correlators.values():
            for _, _, message in correlator.entries():
                yield message
        yield from self._doubted.values()

    def forget(self, operator: OperatorName) -> None:
        """Forget an operator that is gone and owes nothing any more."""
        self._commits.settles.claimed += self.correlators.pop(operator).given_up()

    def owes(self, operator: OperatorName) -> bool:
        """Whether an operator owes receipts."""
        return len(self.correlators[operator]) > 0

    def _correlator(self, settings: OperatorSettings) -> Correlator:
        wait_s = settings.receipt_wait_s
        per_message = settings.receipts.per == "message"
        correlator = Correlator(
            settings.message_id, wait_s, per_message=per_message, capacity=self._capacity
        )
        _know_addresses(correlator, settings)
        return correlator

    def may_be_taken_twice(self, message: Message) -> None:
        """Know that more than one operator, or one twice, may have taken the message."""
        self._doubted[message.router_id] = message

    def settled(self, message: Message) -> None:
        """Forget a message that has its outcome."""
        self._doubted.pop(message.router_id, None)

    def take_up(self, orphans: Iterable[Orphan]) -> None:
        """Go on with receipts that an earlier process could not match."""
        claimed = self._commits.settles.claimed
        for orphan in orphans:
            correlator = self.correlators.get(orphan.operator)
            if correlator is None:  # It answers with no more ids.
                claimed.append(orphan)
                continue
            receipt = r.recognise(sm_of(orphan))
            if receipt is not None:
                orphan.other_id = correlator.other_id(orphan, receipt)
            claimed += correlator.keep(orphan)

    # Failures that are not told yet.

    def withhold(self, message: Message, receipt: Receipt, state: r.State) -> None:
        """Keep an operator's last word while another attempt may still end better."""
        self._withheld[message.router_id] = receipt, state

    def take_withheld(self, message: Message) -> tuple[Receipt, r.State] | None:
        """Remove and return what was withheld; None if nothing was."""
        return self._withheld.pop(message.router_id, None)

    # What is in memory, and what is left to the journal.

    def in_memory(self, message: Message, attempts: Iterable[PendingReceipt]) -> Message | None:
        """Return the same message as it is in memory."""
        router_id = message.router_id
        found = self._doubted.get(router_id)
        for one in attempts:
            if found is None and (correlator := self.correlators.get(one.operator)) is not None:
                found = correlator.awaits(one.operator_id, router_id)
        return found

    def kept_as(self, numbers: Collection[int]) -> dict[int, PendingReceipt]:
        """Return the attempts in memory that have these numbers in the journal.

        Walks over all of them. Of a message with several attempts it is one of those.
        """
        found: dict[int, PendingReceipt] = {}
        for name, correlator in self.correlators.items():
            for operator_id, at_utc, message in correlator.entries():
                for number in message.row.attempts:
                    if number in numbers:
                        found[number] = PendingReceipt(
                            message, name, operator_id, at_utc, kept_as=number
                        )
        return found

    def take_back(self, message: Message, attempts: list[PendingReceipt]) -> None:
        """Have a message that an operator took in memory again, with all its attempts."""
        router_id = message.router_id
        message.operator = attempts[-1].operator
        if len(attempts) > 1 or attempts[0].failure is not None:
            message.times_in_doubt = 1
            self._doubted[router_id] = message
        for one in reversed(attempts):  # The oldest last: of those with one id it goes first.
            correlator = self.correlators.get(one.operator)
            if correlator is None:
                continue  # An operator that this configuration has no more will not report.
            if one.failure is None:
                message.pending_receipts += 1
                correlator.take_back(one.operator_id, message, one.at_utc)
            else:
                correlator.behind -= 1
                self._withheld[router_id] = receipts.failure_of(one.failure)

    def leave_to_journal(self) -> None:
        """Forget the oldest attempts where there are too many, if the journal has them."""
        in_memory = {name: one.in_memory for name, one in self.correlators.items()}
        excess = sum(in_memory.values()) - self._capacity.pending_receipts
        if excess <= 0:
            return
        # Not by time: what is noted later bears an earlier one when the clock was put back.
        batches = self._commits.unseen()
        unkept = {pending.message.router_id for one in batches for pending in one.taken}
        for name in sorted(in_memory, key=lambda name: -in_memory[name]):
            share = -(-excess * in_memory[name] // sum(in_memory.values()))
            self.correlators[name].leave_to_journal(share, unkept)


def _know_addresses(correlator: Correlator, settings: OperatorSettings) -> None:
    """Have a correlator know the addresses of messages as they are written to its operator."""
    written = None if settings.numbers is None else WireNumbers(settings.numbers).written
    senders = settings.senders
    otherwise = None if senders is None else senders.otherwise
    source = None if otherwise is None else source_octets(otherwise.replace)
    correlator.written = written
    correlator.replacement = source if source is None or written is None else written(source)


def sm_of(orphan: Orphan) -> Sm:
    """Return the deliver_sm or data_sm that an orphan is."""
    (command_id,) = _COMMAND_ID.unpack_from(orphan.octets, 4)
    return Sm(Pdu(command_id, 0, 0, orphan.octets), tolerant=True)
