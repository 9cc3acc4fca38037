"""Finds the other parts of a long message, whichever bind of the account each part comes over.

Parts of one message have account, addresses, reference and total in common. The first part decides
the plan of all: a weighted route picks once. When all parts have come, or none for long enough, a
part with the same reference belongs to another message.
"""

from collections.abc import Callable
from typing import Final

from router.smpp.segments import Part
from router.terms.capacity import Capacity
from router.terms.group import Group
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.plan import Plan

FORGOTTEN_AFTER_S: Final = 600.0
"""How long after its last part. Parts of one message come within seconds, a client's second try
within a few minutes, and a reference of 8 bits is used again soon."""

Key = tuple[AccountName, bytes, bytes, int, int]


class Groups:
    """All long messages that may have parts to come; first the one whose last part is oldest."""

    def __init__(self, *, capacity: Capacity = Capacity()) -> None:
        self._groups: Final[OldestFirst[Key, Group]] = OldestFirst(capacity.long_messages)

    def __len__(self) -> int:
        return len(self._groups)

    def join(
        self,
        account: AccountName,
        source: bytes,
        destination: bytes,
        part: Part,
        next_plan: Callable[[], Plan],
        now: float,
    ) -> Group:
        """Return the long message of this part; if the part is the first, `next_plan` decides."""
        key = (account, source, destination, part.reference, part.total)
        group = self._groups.get(key)
        if group is None or _is_another(group, now):
            group = Group(next_plan(), part.total)
        self._came(key, group, part, now)
        return group

    def rejoin(self, message: Message, part: Part, now: float) -> Group:
        """Return the long message of a part that was fetched from the journal."""
        key = _key_of(message, part)
        group = self._groups.get(key)
        if group is None:
            group = Group(message.plan, part.total)
        self._came(key, group, part, now)
        return group

    def leave(self, message: Message, part: Part) -> None:
        """Note that a part is not accepted after all: its client may send it again."""
        group = self._groups.get(_key_of(message, part))
        if group is not None:
            group.missing |= _bit_of(part)

    def _came(self, key: Key, group: Group, part: Part, now: float) -> None:
        groups = self._groups
        group.missing &= ~_bit_of(part)
        group.touched_at = now
        groups.put(key, group)
        # For each part that comes two groups may go, so old groups go faster than new ones come.
        for _ in range(2):
            oldest = groups.oldest()
            if oldest is None or now - oldest[1].touched_at <= FORGOTTEN_AFTER_S:
                break
            groups.take_oldest()


def _is_another(group: Group, now: float) -> bool:
    """Return whether the part is of the next message that uses this reference."""
    return not group.missing or now - group.touched_at > FORGOTTEN_AFTER_S


def _bit_of(part: Part) -> int:
    return 1 << (part.number - 1)


def _key_of(message: Message, part: Part) -> Key:
    addresses = message.source_octets, message.destination_octets
    return message.account, *addresses, part.reference, part.total
