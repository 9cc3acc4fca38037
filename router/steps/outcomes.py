"""Every accepted message gets exactly one outcome, and every exit is counted.

A client that asked for a receipt gets one final receipt: the operator's word (`receipts.py`), or
one made here when the router has to give up.
"""

from collections.abc import Callable
from typing import Final

from router.accept.rooms import Rooms
from router.enqueue.journal import Settlement
from router.report import receipts
from router.report.quality import Quality
from router.smpp.pdu import address
from router.smpp.receipt import Receipt
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import Message
from router.terms.outcome import (
    ENDED_SENT,
    NO_EVIDENCE,
    WRONG_NUMBER,
    Evidence,
    Outcome,
)
from router.terms.states import SENT, SETTLE

UNREACHABLE: Final = Evidence.UNREACHABLE


class Outcomes:
    """The only place where a message is settled."""

    __slots__ = (
        "_clocks",
        "_commits",
        "_counters",
        "_pending",
        "_quality",
        "_recall",
        "_rooms",
        "_rulebook",
        "_told",
        "_turn",
    )

    def __init__(
        self,
        rooms: Rooms,
        pending: PendingReceipts,
        recall: Recall,
        commits: Commits,
        quality: Quality,
        rulebook: Rulebook,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        *,
        told: Callable[[Settlement], None],
    ) -> None:
        """`told` hears of every outcome that is safe in the journal."""
        self._rooms: Final = rooms
        self._pending: Final = pending
        self._recall: Final = recall
        self._commits: Final = commits
        self._quality: Final = quality
        self._rulebook: Final = rulebook
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._told: Final = told

    def settle(
        self,
        message: Message,
        outcome: Outcome,
        now_utc: float,
        reason: str = "",
        receipt: Receipt | None = None,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        """End a message: its room is free, and the journal keeps its record."""
        if message.state is not SENT:  # An operator that takes a message frees its room.
            self._rooms.give(message.account, message.size)
        message.enter(SETTLE)
        message.octets = b""
        if message.times_in_doubt:
            self._pending.settled(message)
        if self._recall.readings:
            self._recall.settled(message)
        settlement = Settlement(message, outcome, now_utc, reason, receipt, evidence)
        self._commits.settles.settled.append(settlement)
        if not self._turn.is_ending:
            self._turn.end_soon()

    def give_up(
        self,
        message: Message,
        outcome: Outcome,
        reason: str,
        status: int,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        """Settle a message that no operator will have taken, and tell the client if it asked.

        `status` is what an operator refused it with, or 0.
        """
        now_utc = self._clocks.utc()
        if receipts.asked_for(message, receipts.state_of(outcome, reason), final=True):
            delivery = receipts.made_by_router(
                message,
                outcome,
                reason,
                status,
                now_utc=now_utc,
                told=self._rulebook.told(message),
            )
            self._commits.settles.held.append(delivery)
        if status:
            evidence = Evidence.UNREACHABLE if status == WRONG_NUMBER else Evidence.OPERATOR
        self.settle(message, outcome, now_utc, reason, evidence=evidence)

    def count(self, settlement: Settlement, now: float) -> None:
        """Count an outcome that is safe in the journal, and tell of it."""
        message, counters = settlement.message, self._counters
        counters.outcomes[message.account, settlement.outcome] += 1
        if message.operator is not None and settlement.outcome is not ENDED_SENT:
            counters.delivery_s[message.operator, message.lane].add(now - message.accepted_at)
        evidence = settlement.evidence
        if evidence is not NO_EVIDENCE:
            at_utc, to = settlement.at_utc, b""
            if self._rulebook.rules.inland:
                inland = self._rulebook.inland(message.account, message.destination_octets)
                to = inland and address(1, 1, inland)
            self._quality.count(message, settlement.outcome, evidence, at_utc, now, to)
            if evidence is UNREACHABLE:
                counters.unreachable[message.account] += 1
        self._told(settlement)
