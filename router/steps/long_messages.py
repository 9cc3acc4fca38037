"""The parts of a long message find each other, in memory and after a restart."""

from collections.abc import Iterator
from typing import Final

from router.decide.segments import Groups
from router.decide.table import Rule
from router.smpp.pdu import Pdu, Sm
from router.smpp.segments import part_of
from router.terms.capacity import Capacity
from router.terms.group import Group, Started
from router.terms.message import Message
from router.terms.names import AccountName


class LongMessages:
    """All long messages that parts may yet come of."""

    __slots__ = ("_groups",)

    def __init__(self, capacity: Capacity) -> None:
        self._groups: Final = Groups(capacity=capacity)

    def join(self, account: AccountName, sm: Sm, rule: Rule, now: float) -> Group | None:
        """Return the long message that this is a part of; None where it is whole in itself."""
        part = part_of(sm)
        if part is None:
            return None
        addresses = sm.source_octets, sm.destination_octets
        return self._groups.join(account, *addresses, part, sm.message, rule.next_plan, now)

    def missing(self, account: AccountName, sm: Sm, now: float) -> Group | None:
        """Return the long message that this is a part of, if it lacks that part."""
        part = part_of(sm)
        if part is None:
            return None
        return self._groups.missing(account, sm.source_octets, sm.destination_octets, part, now)

    def groups(self) -> Iterator[Group]:
        """Yield all of them."""
        return self._groups.every()

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Know an account by another name."""
        self._groups.rename(was, now)

    def leave(self, message: Message) -> None:
        """Forget a part that is not accepted after all."""
        part = None if message.group is None else part_of(_sm_of(message))
        if part is not None and message.group is not None:
            message.group.came.pop(part.number, None)
            if message.router_id in message.group.members:
                message.group.members.remove(message.router_id)

    def restore(self, started: Started, now: float, now_utc: float) -> None:
        """Go on with one of which an operator took parts in an earlier process."""
        self._groups.restore(started, now, now_utc)

    def rejoin(self, message: Message, now: float) -> None:
        """Find the group of a message from the journal."""
        sm = _sm_of(message)
        part = part_of(sm)
        if part is not None:
            group = message.group = self._groups.rejoin(message, part, sm.message, now)
            if message.router_id not in group.members:
                group.members.append(message.router_id)


def _sm_of(message: Message) -> Sm:
    return Sm(Pdu(message.command_id, 0, 0, message.octets))
