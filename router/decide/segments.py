"""Finds the other parts of a long message, whichever bind of the account each part comes over.

Parts of one message have account, addresses, reference and total in common. The first part decides
the plan of all: a weighted route picks once. References are used again, soon where they have eight
bits, so the same reference is not always the same message:

Rule 1: a part number that has come already begins a new message, unless its text is that of the
part that came: then a client sends it again, and it belongs to the old one. The PDU may differ, in
its sequence_number or its validity.

Rule 2: when all parts have come, or none for a minute, any part begins a new message.

Rule 3: what is fetched from the journal is judged by when it was accepted, so that after a restart
the same parts belong together as before it. For that the message before the latest one with the
same reference is known as well.
"""

from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

from router.smpp.segments import Part
from router.terms.capacity import Capacity
from router.terms.group import Group, Started
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.plan import Plan

LIVES_S: Final = 60.0
"""How long after its latest part a message takes further ones. Parts of one message come within
seconds, a client's second try after its time-out, and a message that lacks a part must not catch
the parts of another."""
KEPT_S: Final = 600.0
"""How long a message is known after a part of it came or was fetched: the next piece of its queue
may be fetched minutes later, and begin with its other parts."""

Key = tuple[AccountName, bytes, bytes, int, int]


class Groups:
    """All long messages that may have parts to come; first the one whose last part is oldest."""

    def __init__(self, *, capacity: Capacity = Capacity()) -> None:
        self._groups: Final[OldestFirst[Key, Group]] = OldestFirst(capacity.long_messages)

    def __len__(self) -> int:
        return len(self._groups)

    def every(self) -> Iterator[Group]:
        """Yield all of them."""
        for latest in self._groups.by_key.values():
            yield latest
            if latest.before is not None:
                yield latest.before

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Know an account by another name."""
        by_key = self._groups.by_key
        entries = list(by_key.items())
        by_key.clear()  # Built anew, in the same order.
        for key, group in entries:
            account, source, destination, reference, total = key
            account = now if account == was else account
            by_key[account, source, destination, reference, total] = group

    def join(
        self,
        account: AccountName,
        source: bytes,
        destination: bytes,
        part: Part,
        text: bytes,
        next_plan: Callable[[], Plan],
        now: float,
    ) -> Group:
        """Return the long message of this part; if the part is the first, `next_plan` decides."""
        key = (account, source, destination, part.reference, part.total)
        digest = crc32(text)  # The same in every process: the journal keeps it.
        latest = self._groups.get(key)
        group = None if latest is None else _sent_again(latest, part.number, digest, now)
        if group is not None and (group.is_complete or group.refused):
            group = None
        if group is None and latest is not None and _lacks(latest, part.number, now):
            group = latest
        if group is None:
            group = Group(next_plan(), part.total, now, part.reference)
            latest = _follow(latest, group)
        self._came(key, latest or group, group, part.number, digest, now, now)
        return group

    def missing(
        self, account: AccountName, source: bytes, destination: bytes, part: Part, now: float
    ) -> Group | None:
        """Return the long message that lacks this part; None if there is none."""
        key = (account, source, destination, part.reference, part.total)
        latest = self._groups.get(key)
        return latest if latest is not None and _lacks(latest, part.number, now) else None

    def rejoin(self, message: Message, part: Part, text: bytes, now: float) -> Group:
        """Return the long message of a part that was fetched from the journal."""
        key = _key_of(message, part)
        digest, at = crc32(text), message.accepted_at
        latest = self._groups.get(key)
        group = None
        if latest is not None:
            group = _sent_again(latest, part.number, digest, at)
            for one in (latest, latest.before):
                if group is None and one is not None and _lacks(one, part.number, at):
                    group = one
        if group is None:
            group = Group(message.plan, part.total, at, part.reference)
            if latest is not None and at < latest.first_at:
                latest.before = group
            else:
                latest = _follow(latest, group)
        self._came(key, latest or group, group, part.number, digest, at, now)
        return group

    def restore(self, started: Started, now: float, now_utc: float) -> None:
        """Go on with a long message of which an operator took parts in an earlier process.

        To be called in the order of their beginnings, before parts come or are fetched.
        """
        addresses = started.source_octets, started.destination_octets
        key = (started.account, *addresses, started.reference, started.total)
        first_at = now - max(0.0, now_utc - started.first_utc)
        group = Group(started.plan, started.total, first_at, started.reference)
        group.latest_at = now - max(0.0, now_utc - started.latest_utc)
        group.came = dict(started.came)
        group.operator = started.operator
        group.fixed = True
        group.taken = started.taken
        group.number = started.part_of
        group.kept_as = started.number
        group.touched_at = now
        self._groups.put(key, _follow(self._groups.get(key), group))

    def _came(
        self,
        key: Key,
        latest: Group,
        group: Group,
        number: int,
        digest: int,
        at: float,
        now: float,
    ) -> None:
        group.came[number] = digest
        group.first_at = min(group.first_at, at)
        group.latest_at = max(group.latest_at, at)
        groups = self._groups
        latest.touched_at = now
        groups.put(key, latest)
        # For each part that comes two groups may go, so old groups go faster than new ones come.
        for _ in range(2):
            oldest = groups.oldest()
            if oldest is None or now - oldest[1].touched_at <= KEPT_S:
                break
            groups.take_oldest()


def _sent_again(latest: Group, number: int, digest: int, at: float) -> Group | None:
    """Return the message that has this very part already; None if there is none."""
    for group in (latest, latest.before):
        if group is not None and group.came.get(number) == digest and _lives(group, at):
            return group
    return None


def _lacks(group: Group, number: int, at: float) -> bool:
    """Return whether this part of the message has not come, and may."""
    return number not in group.came and not group.refused and _lives(group, at)


def _lives(group: Group, at: float) -> bool:
    """Return whether a part that was accepted then may belong to the message."""
    return group.first_at - LIVES_S <= at <= group.latest_at + LIVES_S


def _follow(latest: Group | None, group: Group) -> Group:
    """Make a message the latest one of its reference."""
    if latest is not None:
        latest.before = None
        group.before = latest
    return group


def _key_of(message: Message, part: Part) -> Key:
    addresses = message.source_octets, message.destination_octets
    return message.account, *addresses, part.reference, part.total
