"""A subscriber's message goes to the account that the inbound rules name.

The operator hears ESME_ROK, and the client gets the message, only when the journal has it. A
message that no rule is for is refused for good; log and counter name our number and the reason.

There is an end to what is kept: messages for an account whose outbox is nearly full, and those of
an operator that sends faster than the disk writes, are refused for now, and come again.

All parts of a long message go to the account of the first (`report/long_inbound.py`), under one
number, so that its outbox gives them to one bind, one after the other.
"""

from typing import Final

from router.enqueue.ids import Ids
from router.report.inbound import for_client
from router.report.long_inbound import LongInbound, LongInbounds
from router.smpp.pdu import BodyError, Pdu, Sm, esme_addr_of
from router.smpp.recode import recoded
from router.smpp.segments import part_of
from router.smpp.session import Note
from router.smpp.vocabulary import DELIVER_SM
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.deliveries import Deliveries
from router.steps.peers import FromSubscriber, OperatorPeer, Reply
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.counters import Counters
from router.terms.message import Delivery
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import (
    INBOUND_BEHIND,
    NO_SPACE_FOR_INBOUND,
    NOT_FOR_US,
    OUTBOX_NEARLY_FULL,
    TEMPORARY,
    Refusal,
)

MOST_NUMBERS: Final = 100
"""Of ours, that the counter of messages without a rule has a label for."""
OTHER_NUMBERS: Final = "other"
"""The label of those beyond, and of what is no number or short code."""
LONGEST_NUMBER: Final = 20
MOST_UNKEPT_OCTETS: Final = 4_000_000
"""Octets of one operator's messages that the journal may not have yet."""


class Inbound:
    """What subscribers send."""

    __slots__ = (
        "_clocks",
        "_commits",
        "_counters",
        "_deliveries",
        "_ids",
        "_long",
        "_numbers",
        "_rulebook",
        "_turn",
        "_unkept",
    )

    def __init__(
        self,
        commits: Commits,
        deliveries: Deliveries,
        rulebook: Rulebook,
        ids: Ids,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
    ) -> None:
        self._commits: Final = commits
        self._deliveries: Final = deliveries
        self._rulebook: Final = rulebook
        self._ids: Final = ids
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._long: Final[LongInbounds[FromSubscriber]] = LongInbounds(capacity)
        self._numbers: Final[set[str]] = set()
        """Our numbers that the counter has labels for."""
        self._unkept: Final[dict[OperatorName, int]] = {}
        """By operator, octets of messages that the journal has not answered for."""

    def arrived(self, peer: OperatorPeer, pdu: Pdu, sm: Sm, now: float) -> None:
        """Keep a subscriber's message for its account; a part of a long one when that is known."""
        numbers = peer.bind.operator.numbers
        if numbers is not None:
            pdu, sm = numbers.incoming(pdu, sm)
        came = FromSubscriber(peer, pdu, sm)
        rules, operator = self._rulebook.rules.inbound, peer.bind.operator.name
        part = part_of(sm)
        if part is None:
            self._keep(came, rules.account_of(operator, sm))
            return
        message = self._long.join(operator, sm, part, now)
        if not message.is_decided:
            if part.number > 1 and rules.reads_keyword(operator, sm):
                overdue = self._long.wait(message, part.number, came, now)
                if overdue is not None:
                    self._decide_without_first(overdue)
                return
            message.decide(rules.account_of(operator, sm))
        for one in (came, *self._long.take(message)):
            self._keep(one, message.account, message)

    def alerted(self, peer: OperatorPeer, pdu: Pdu) -> None:
        """Pass on to its account that a subscriber can be reached; or count what hinders that.

        An alert_notification has no answer: nobody is promised anything, and nothing is kept.
        """
        operator = peer.bind.operator.name
        why, address = "", b""
        try:
            address = esme_addr_of(pdu)
        except BodyError:
            why = "malformed"
        else:
            account = self._rulebook.rules.inbound.account_of_number(operator, address)
            if account is None:
                why = "unrouted"
            elif not self._deliveries.notify(account, pdu.octets):
                why = "not_bound"
        self._counters.alerts[operator, why or "passed_on"] += 1
        if why:
            number = self._rulebook.rules.inbound.shown_number(address)
            peer.tell(Note("alert.dropped", pdu.command_id, our_number=number, reason=why))

    def lost(self, peer: OperatorPeer) -> None:
        """Forget what waits unanswered on a session that is over: it comes again."""
        self._long.lose(lambda came: came.peer is peer)

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Have the rest of long messages for an account go to it under its new name."""
        self._long.rename(was, now)

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._long.due_at

    def wake(self, now: float) -> None:
        """Decide about parts that have waited long enough for their first."""
        for message in self._long.due(now):
            self._decide_without_first(message)
            self._turn.end_soon()

    def _decide_without_first(self, message: LongInbound[FromSubscriber]) -> None:
        """Decide about a message by those of its parts that have come."""
        parts = self._long.take(message)
        rules = self._rulebook.rules.inbound
        accounts = (rules.account_of(message.operator, one.sm) for one in parts)
        account = next((one for one in accounts if one is not None), None)
        if account is None or not self._commits.up:
            self._long.forget(message)
        else:
            message.decide(account)
        for one in parts:
            self._keep(one, account, message)

    def _keep(
        self,
        came: FromSubscriber,
        account: AccountName | None,
        whole: LongInbound[FromSubscriber] | None = None,
    ) -> None:
        """Hand a message to the journal, or refuse it."""
        operator, sm = came.peer.bind.operator.name, came.sm
        if not self._commits.up:  # While it waited.
            came.reply().send(TEMPORARY.status, self._turn)
            return
        if account is None:
            why = self._rulebook.rules.inbound.why_not(operator, sm)
            self._count(operator, "unrouted")
            self._counters.inbound_unrouted[operator, self._label(sm), why] += 1
            self._refuse(came, NOT_FOR_US, why)
            return
        unkept = self._unkept.get(operator, 0)
        refusal = self._no_room(account, unkept)
        if refusal is not None:
            self._count(operator, "refused")
            self._refuse(came, refusal, refusal.reason)
            return
        number = None if whole is None else whole.router_id
        number = number or self._ids.take()
        if number is None:
            self._count(operator, "refused")
            self._refuse(came, TEMPORARY, TEMPORARY.reason)
            return
        if whole is not None:
            whole.router_id = number
        self._count(operator, "held")
        delivery = Delivery(
            router_id=number,
            account=account,
            octets=self._for_client(came, account),
            made_utc=self._clocks.utc(),
            final=whole is None,
        )
        reply = came.reply()
        reply.brought = (delivery,)
        reply.inbound_of = operator
        self._unkept[operator] = unkept + len(delivery.octets)
        self._commits.settles.held.append(delivery)
        self._commits.settles.replies.append(reply)

    def _for_client(self, came: FromSubscriber, account: AccountName) -> bytes:
        """Return the deliver_sm of a message, in which data_coding 0 is what the client reads."""
        octets = for_client(came.sm, came.command_id)
        operator = came.peer.bind.operator
        alphabet = operator.settings.data_coding_0
        if alphabet is None:
            return octets
        settings = self._rulebook.rules.accounts.get(account)
        goes = None if settings is None else settings.data_coding_0
        if goes is None or goes == alphabet:
            return octets
        octets, result = recoded(DELIVER_SM, octets, alphabet, goes)
        if result is not None:
            self._counters.texts_recoded[operator.name, result] += 1
        return octets

    def _no_room(self, account: AccountName, unkept: int) -> Refusal | None:
        """Return why a message cannot be kept now, though the journal works."""
        if self._commits.is_short_of_space:
            return NO_SPACE_FOR_INBOUND
        if unkept >= MOST_UNKEPT_OCTETS:
            return INBOUND_BEHIND
        if not self._deliveries.has_room_for_inbound(account):
            return OUTBOX_NEARLY_FULL
        return None

    def answered(self, reply: Reply, operator: OperatorName) -> None:
        """The journal has answered for a message of this operator, which it has now or has not."""
        self._unkept[operator] -= sum([len(one.octets) for one in reply.brought])

    def _refuse(self, came: FromSubscriber, refusal: Refusal, why: str) -> None:
        number, status = self._rulebook.rules.inbound.shown(came.sm), refusal.status
        came.peer.tell(
            Note("inbound.refused", came.command_id, status, our_number=number, reason=why)
        )
        came.reply().send(status, self._turn)

    def _count(self, operator: OperatorName, result: str) -> None:
        self._counters.inbound[operator, result] += 1

    def _label(self, sm: Sm) -> str:
        """Return the label of the number that a message was sent to; of how many it is bounded."""
        number = sm.destination_addr.lstrip(b"+")
        if not number.isalnum() or len(number) > LONGEST_NUMBER:
            return OTHER_NUMBERS
        label = number.decode("ascii")
        if label not in self._numbers:
            if len(self._numbers) >= MOST_NUMBERS:
                return OTHER_NUMBERS
            self._numbers.add(label)
        return label
