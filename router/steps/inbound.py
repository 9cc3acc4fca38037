"""A subscriber's message goes to the account that the inbound rules name.

The operator hears ESME_ROK, and the client gets the message, only when the journal has it. A
message that no rule is for is refused for good; log and counter name our number and the reason.
"""

from typing import Final

from router.enqueue.ids import Ids
from router.report.inbound import for_client
from router.smpp.pdu import Pdu, Sm
from router.smpp.session import Note
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.peers import OperatorPeer, Reply
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import Delivery
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import NOT_FOR_US, TEMPORARY, Refusal

MOST_NUMBERS: Final = 100
"""Of ours, that the counter of messages without a rule has a label for."""
OTHER_NUMBERS: Final = "other"
"""The label of those beyond, and of what is no number or short code."""
LONGEST_NUMBER: Final = 20


class Inbound:
    """What subscribers send."""

    __slots__ = ("_clocks", "_commits", "_counters", "_ids", "_numbers", "_rulebook", "_turn")

    def __init__(
        self,
        commits: Commits,
        rulebook: Rulebook,
        ids: Ids,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._commits: Final = commits
        self._rulebook: Final = rulebook
        self._ids: Final = ids
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._numbers: Final[set[str]] = set()
        """Our numbers that the counter has labels for."""

    def arrived(self, peer: OperatorPeer, pdu: Pdu, sm: Sm) -> None:
        """Keep a subscriber's message for the account that the inbound rules name."""
        account = self._rulebook.rules.inbound.account_of(peer.bind.operator.name, sm)
        self._keep(peer, pdu, sm, account)

    def _keep(self, peer: OperatorPeer, pdu: Pdu, sm: Sm, account: AccountName | None) -> None:
        operator = peer.bind.operator.name
        if account is None:
            why = self._rulebook.rules.inbound.why_not(operator, sm)
            self._count(operator, "unrouted")
            self._counters.inbound_unrouted[operator, self._label(sm), why] += 1
            self._refuse(peer, pdu, sm, NOT_FOR_US, why)
            return
        number = self._ids.take()
        if number is None:
            self._count(operator, "refused")
            self._refuse(peer, pdu, sm, TEMPORARY, TEMPORARY.reason)
            return
        self._count(operator, "held")
        delivery = Delivery(
            router_id=number,
            account=account,
            octets=for_client(sm, pdu.command_id),
            made_utc=self._clocks.utc(),
        )
        reply = Reply(peer, pdu.command_id, pdu.sequence_number)
        reply.brought = delivery
        self._commits.settles.held.append(delivery)
        self._commits.settles.replies.append(reply)

    def _refuse(self, peer: OperatorPeer, pdu: Pdu, sm: Sm, refusal: Refusal, why: str) -> None:
        number = sm.destination_addr
        peer.tell(
            Note("inbound.refused", pdu.command_id, refusal.status, our_number=number, reason=why)
        )
        Reply(peer, pdu.command_id, pdu.sequence_number).send(refusal.status, self._turn)

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
