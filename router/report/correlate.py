"""Finds the message of a receipt, by operator and by the operator's id in one canonical form.

Never by bind (a receipt may come on any bind) and never over all operators (two operators may give
the same ids). A receipt may come before the submit_sm_resp with its id: while messages are in
flight such an orphan is kept for `ORPHAN_S`, in the journal too. It is answered as soon as it is
safe there: an operator whose window it filled could send no other receipt. One that stays unknown
is given up and counted.

The latest attempts are in memory. Older ones are `behind`: only the journal has them, and
`steps/recall.py` brings them back when their receipt comes.

A receipt's TLV and text may name different ids. The one that is known counts; an orphan waits under
both.

An operator may use an id again. Then the number decides whose receipt it is; of two messages with
one number the older is meant, or the younger if all sessions of the operator fell between the two:
it may count from the beginning again. A receipt that comes before its answer may find the id in use
by an older message, and waits if its number is that of one in flight (`steps/receipts.py`). A
receipt that says what the last one with its id said, of the same moment, is a repeat, and no news
of another message.

When a new configuration gives the ids of responses another form (`adopt`), attempts from before
keep the ids that they have, because the journal knows them by these. A receipt finds such an
attempt by its id in any form, if its address is the message's destination too. The address must
decide: 10 in one form and 0x0A in the other are the same id of two messages.

Where no setting says the forms they are learnt (`learnt_ids.py`), and the ids of answers are kept
as text: what is learnt is how those of receipts are to be read.
"""

from collections.abc import Callable, Iterator, Set
from typing import Final, Protocol

from router.report.half_receipted import HalfReceipted
from router.report.id_forms import canonical, cut, is_number, other_forms
from router.report.learnt_ids import AS_IT_IS, LearntIds, Rule, readings
from router.smpp.receipt import Receipt
from router.terms.capacity import Capacity
from router.terms.group import Group
from router.terms.latest import Latest
from router.terms.message import FINAL_BITS, Message
from router.terms.names import OperatorId, RouterId
from router.terms.oldest_first import OldestFirst
from router.terms.orphan import Orphan
from router.terms.settings import MessageIdSettings

ORPHAN_S: Final = 60.0
"""How long an orphan is kept: twice the usual time in which an answer comes, or never."""
FEWEST_DIGITS: Final = 7
"""Of a national number; a shorter one is a service's, and has no other form."""
_LONG_AGO: Final = float("-inf")
_UNKNOWN: Final = 4
"""The doubt about an id under which nothing is known."""


class Addressed(Protocol):
    """A receipt, as far as its addresses go."""

    @property
    def source_octets(self) -> bytes:
        """TON, NPI, address and NUL of the source: the number of its message."""

    @property
    def destination_octets(self) -> bytes:
        """The same of the destination; some operators do not swap the two."""


Said = bytes
"""What a final receipt has said: of which number, the state, and the done date as it came."""


class Correlator:
    """The receipts that one operator still owes."""

    def __init__(
        self,
        forms: MessageIdSettings | None,
        wait_s: float,
        *,
        per_message: bool = False,
        capacity: Capacity = Capacity(),
    ) -> None:
        """`forms` are those of the settings; None: they are learnt from what comes."""
        self.learnt = LearntIds() if forms is None else None
        """What is learnt of the ids; None where a setting says their forms."""
        self.sign: Rule | None = None
        """What the receipt that `find` was asked for last says of the forms; for `learn`."""
        self._weighs = self.learnt is not None
        forms = forms or AS_IT_IS.forms
        self.of_response = canonical(forms.response)
        self.of_receipt = canonical(forms.receipt)
        self.guessed = 0
        """Receipts that matched only in another base than is set or was learnt."""
        self.behind = 0
        """The number of attempts that only the journal has."""
        self.is_in_order = True
        """Whether attempts in memory stand in the order of their times; taking one back ends
        that."""
        self.wait_s = wait_s
        """How long a receipt is waited for."""
        self.per_message = per_message
        """Whether one receipt is that of all parts of a long message."""
        self.half_receipted: Final = HalfReceipted()
        self.replacement: bytes | None = None
        """The source (TON, NPI, address, NUL) of messages that go out under another sender, as it
        is written."""
        self.written: Callable[[bytes], bytes] | None = None
        """How the operator is written the addresses of messages; None: as they came."""
        self._forms = forms
        self._latest_utc = _LONG_AGO
        """When the operator last took a message."""
        self._former_until_utc = _LONG_AGO
        """When the last attempt before the latest change of form was taken."""
        self._capacity = capacity
        self._open: Final[OldestFirst[OperatorId, tuple[float, Message]]] = OldestFirst()
        """By id, the attempt that is owed a receipt, and when the operator took it."""
        self.more: dict[OperatorId, list[tuple[float, Message]]] = {}
        """The younger attempts of an id that the operator has used more than once."""
        self._parts: dict[int, list[tuple[OperatorId, Message]]] = {}
        """The attempts in memory of long messages, by the number of their group, where one receipt
        is that of all parts."""
        self._told: Final[OldestFirst[int, bytes]] = OldestFirst(capacity.ids_remembered)
        """By the same number, what the receipt of all parts has said."""
        self._done: Final[OldestFirst[OperatorId, Said | None]] = OldestFirst()
        """The latest ids whose final receipt has come, and what it said, where it had a date."""
        self.restarted_utc = _LONG_AGO
        """When all sessions of the operator had fallen last; asked for only where ids clash."""
        self._unwanted: Final[Latest[OperatorId, int]] = Latest(capacity.ids_remembered)
        """The latest ids of messages that want no receipt; with the number of their group, where
        one receipt is that of all parts."""
        self._orphans: Final[OldestFirst[OperatorId, dict[Orphan, None]]] = OldestFirst()
        """By id, in the order in which the last one with it came. An orphan whose TLV and text name
        different ids is there under both."""
        self.strangers = 0
        """Receipts in a row whose number was that of no message, under their id or in flight."""
        self.orphans = 0
        """Receipts that wait for the submit_sm_resp with their id."""
        self._orphan_octets = 0

    def adopt(
        self, forms: MessageIdSettings | None, wait_s: float, *, per_message: bool = False
    ) -> None:
        """Follow new settings: ids and long messages from now on, and the wait of all.

        A receipt is waited for from when its attempt was taken, so a shorter wait may make many
        overdue at once. What was learnt of ids goes on where nothing is set, before and now.
        """
        if forms is not None or self.learnt is None:
            self.learnt = LearntIds() if forms is None else None
            self._weighs = self.learnt is not None
            forms = forms or AS_IT_IS.forms
            if is_number(forms.response) != is_number(self._forms.response):
                self._former_until_utc = self._latest_utc
            self._forms = forms
            self.of_response = canonical(forms.response)
            self.of_receipt = canonical(forms.receipt)
        self.wait_s = wait_s
        self.per_message = per_message

    def __len__(self) -> int:
        """Attempts that are owed a receipt, in memory or not."""
        return self.in_memory + self.behind

    @property
    def in_memory(self) -> int:
        """Attempts in memory."""
        return len(self._open) + sum(map(len, self.more.values()))

    def expect(self, operator_id: OperatorId, message: Message, now_utc: float) -> list[Orphan]:
        """Await the receipt of a message taken under this id; return receipts that came before.

        Those under the id in another base than the settings say are this message's if their address
        is its destination.
        """
        entry = (now_utc, message)
        self._latest_utc = now_utc
        open_by_id = self._open.by_key
        if operator_id in open_by_id:  # The operator has used an id twice; the older goes first.
            self.more.setdefault(operator_id, []).append(entry)
        else:
            open_by_id[operator_id] = entry
        if message.group is not None:
            self._part_taken(message.group, operator_id, message, is_new=True)
        return self.claimed(operator_id, message) if self.orphans else []

    def claimed(self, operator_id: OperatorId, message: Message) -> list[Orphan]:
        """Remove and return the orphans of a message that was taken under this id."""
        claimed: list[Orphan] = []
        for one_id in (operator_id, *other_forms(operator_id)):
            orphans = self._orphans.get(one_id)
            if orphans is None:
                continue
            first, *_ = orphans
            if one_id == operator_id or self._same_number(message, first.source_octets):
                claimed += self._taken_out(one_id)
        return claimed

    def find(self, octets: bytes, addressed: Addressed) -> tuple[OperatorId, Message | None]:
        """Return the id in canonical form, and the message that a receipt with it is about.

        If an id has been used twice, the receipt's address (the message's destination) decides. An
        id that fits only in another base than the settings say must come with that address too: 10
        and 0x10 are two messages of an operator that numbers its messages. An empty id finds none.
        """
        operator_id = self.of_receipt(octets)
        if operator_id == b"0" and not cut(octets):  # The form of nothing, too.
            return OperatorId(b""), None
        entry = self._open.by_key.get(operator_id)
        # Every receipt comes by here.
        if entry is None or entry[0] <= self._former_until_utc or self._weighs:
            return self._find_in_any_form(operator_id, octets, addressed)
        if self.more and operator_id in self.more:
            every = (entry, *self.more[operator_id])
            same = [one for one in every if self.is_sure(one[1], addressed)]
            since = [one for one in same if one[0] >= self.restarted_utc]
            if same:
                return operator_id, (since or same)[0][1]
        return operator_id, entry[1]

    def knows_better(self, other: bytes, octets: bytes, addressed: Addressed) -> bool:
        """Return whether, of two ids in one receipt, `other` is known better than `octets`."""
        return self._doubt(other, addressed) < self._doubt(octets, addressed)

    def _doubt(self, octets: bytes, addressed: Addressed) -> int:
        """Return by how little an id in a receipt is known; 0 is the surest.

        A message of that number is surer than one whose receipt has come, and that is surer than a
        message of another number, which may have the id by chance.
        """
        if not cut(octets):
            return _UNKNOWN
        operator_id = self.of_receipt(octets)
        doubt = _UNKNOWN
        for _, message in self._attempts(operator_id):
            if self.is_sure(message, addressed):
                return 0
            doubt = _UNKNOWN - 1
        for one_id in other_forms(octets):
            for _, message in self._attempts(one_id):
                if self.is_sure(message, addressed):
                    return 1
        return 2 if operator_id in self._done or operator_id in self._unwanted else doubt

    def other_id(self, orphan: Orphan, receipt: Receipt) -> OperatorId | None:
        """Return the second id, in canonical form, under which an orphan is to be found."""
        for octets in (receipt.operator_id, receipt.other_id):
            if cut(octets) and (one_id := self.of_receipt(octets)) != orphan.operator_id:
                return one_id
        return None

    def last_said(self, operator_id: OperatorId) -> Said | None:
        """Return what the last final receipt with this id said, if it had a date."""
        return self._done.by_key.get(operator_id)

    def _find_in_any_form(
        self, operator_id: OperatorId, octets: bytes, addressed: Addressed
    ) -> tuple[OperatorId, Message | None]:
        """Find the message of a receipt whose id has no attempt of this configuration first.

        Or any, while the forms of ids are not learnt.
        """
        learnt = self.learnt
        if learnt is not None:
            found = self._weigh(learnt, octets, addressed)
            if found is not None:
                return found
        matching = [
            (one_id, taken_utc, message)
            for one_id in (operator_id, *other_forms(octets))
            for taken_utc, message in self._attempts(one_id)
            if self.is_sure(message, addressed)
        ]
        # An id in today's form is the surest sign, then one in an earlier form. Both with the
        # address, because ids of two forms may be equal by chance.
        for one_id, taken_utc, message in matching:
            if one_id == operator_id and not self._is_former(taken_utc):
                return operator_id, message
        for one_id, taken_utc, message in matching:
            if self._is_former(taken_utc):
                return one_id, message
        if learnt is None or learnt.trusts_ids:
            for taken_utc, message in self._attempts(operator_id):
                if not self._is_former(taken_utc):
                    return operator_id, message
        if matching and operator_id not in self._done:
            self.guessed += 1
            return matching[0][0], matching[0][2]
        return operator_id, None

    # The forms of ids, where no setting says them.

    def _weigh(
        self, learnt: LearntIds, octets: bytes, addressed: Addressed
    ) -> tuple[OperatorId, Message | None] | None:
        """Find the message by any reading of its receipt's id, if the number is its own.

        One to the same number may have the id in another reading: what has come in the likeliest,
        and was of that number, comes again, and is about no message. `sign` is the rule that the
        receipt speaks for: none if several readings are a message's, or if several rules read
        alike.
        """
        self.sign = None
        learnt.weigh()
        self._weighs = learnt.weighs
        read = readings(octets)
        found = {
            one_id: message
            for one_id in read
            if (message := self._oldest_about(one_id, addressed)) is not None
        }
        if not found:
            return None
        likeliest = learnt.favoured.of_receipt(octets)
        if likeliest not in found:
            if self._has_come(likeliest, addressed):
                return likeliest, None
            likeliest, *_ = found
        if len(found) == 1 and len(read[likeliest]) == 1:
            (self.sign,) = read[likeliest]
            if learnt.rule is not None and self.sign is not learnt.rule:
                self.guessed += 1
        return likeliest, found[likeliest]

    def _has_come(self, operator_id: OperatorId, addressed: Addressed) -> bool:
        """Return whether the final receipt of an id has come, and not for another number."""
        if operator_id not in self._done:
            return False
        said = self._done.get(operator_id)
        return said is None or said.startswith(addressed.source_octets)

    def _oldest_about(self, operator_id: OperatorId, addressed: Addressed) -> Message | None:
        """Return the message under an id that has the receipt's number, and whose id is no former.

        Of several the oldest since all sessions had fallen, or else the oldest.
        """
        same = [
            one
            for one in self._attempts(operator_id)
            if not self._is_former(one[0]) and self.is_sure(one[1], addressed)
        ]
        since = [one for one in same if one[0] >= self.restarted_utc]
        return (since or same)[0][1] if same else None

    def learn(self, sign: Rule) -> None:
        """Take what a receipt that has found its message says of the forms of ids."""
        learnt = self.learnt
        if learnt is None:  # New settings say them since.
            return
        if learnt.saw(sign):
            self.of_receipt = sign.of_receipt
        self._weighs = learnt.weighs

    def _is_former(self, taken_utc: float) -> bool:
        """Whether an attempt of then may have an id in the form of an earlier configuration."""
        return taken_utc <= self._former_until_utc

    def _attempts(self, operator_id: OperatorId) -> list[tuple[float, Message]]:
        """The attempts in memory under an id, the oldest first."""
        entry = self._open.get(operator_id)
        return [] if entry is None else [entry, *self.more.get(operator_id, ())]

    def forms(self, octets: bytes) -> Iterator[OperatorId]:
        """Yield all ids, in canonical form, under which the receipt's message may be kept."""
        yield self.of_receipt(octets)
        yield from other_forms(octets)

    def is_sure(self, message: Message, addressed: Addressed) -> bool:
        """Return whether `find` has surely found the right message.

        If an id has been used twice, only the address tells; the other message may be in the
        journal.
        """
        return self._same_number(message, addressed.source_octets) or self._same_number(
            message, addressed.destination_octets
        )

    def _same_number(self, message: Message, octets: bytes) -> bool:
        """Return whether an address is the message's destination, as it came or as it was sent."""
        ours = message.destination_octets
        if _same_number(ours, octets):
            return True
        return self.written is not None and _same_number(self.written(ours), octets)

    def is_to_sender(self, message: Message, addressed: Addressed) -> bool:
        """Return whether a receipt goes to the source of the message, as it came or was sent."""
        ours, theirs = message.source_octets, addressed.destination_octets[2:]
        if ours[2:] == theirs:
            return True
        if self.replacement is not None and self.replacement[2:] == theirs:
            return True
        return self.written is not None and self.written(ours)[2:] == theirs

    def is_done(self, operator_id: OperatorId) -> bool:
        """Return whether the final receipt of this id has come before."""
        return operator_id in self._done

    def wants_none(self, operator_id: OperatorId, message: Message) -> None:
        """Know that the message taken under this id wants no receipt; one may come all the same."""
        group = message.group
        if group is None or not self.per_message:
            self._unwanted.put(operator_id, 0)
        else:
            group.number = group.number or message.router_id
            self._unwanted.put(operator_id, group.number)

    def is_unwanted(self, operator_id: OperatorId) -> bool:
        """Return whether the message under this id wants no receipt."""
        return operator_id in self._unwanted

    # Parts of long messages.

    def _part_taken(
        self, group: Group, operator_id: OperatorId, message: Message, *, is_new: bool = False
    ) -> None:
        """Await the receipt of a part: its own, or that of the whole."""
        if self.per_message and is_new:
            group.number = group.number or message.router_id
        if self.per_message and group.number:
            self._parts.setdefault(group.number, []).append((operator_id, message))
        elif message.registered_delivery & FINAL_BITS == 1:  # Else its receipt may never come.
            group.expected += 1

    def _part_gone(self, group: Group, operator_id: OperatorId, message: Message) -> None:
        """Know that the receipt of a part is not awaited any more, or not in memory."""
        parts = self._parts.get(group.number)
        if parts is not None and (operator_id, message) in parts:
            parts.remove((operator_id, message))
            if not parts:
                del self._parts[group.number]
        elif group.expected and message.registered_delivery & FINAL_BITS == 1:
            group.expected -= 1

    def parts_of(self, number: int) -> list[tuple[OperatorId, Message]]:
        """Return the attempts of a long message that await one receipt for all, with their ids."""
        return list(self._parts.get(number, ()))

    def unwanted_part(self, operator_id: OperatorId) -> int:
        """Return of which long message this is the id of a part that wants no receipt; or 0."""
        return self._unwanted.get(operator_id) or 0

    def tell(self, number: int, octets: bytes) -> None:
        """Remember what the final receipt of all parts has said, for those that are taken later."""
        if number:
            self._told.put(number, octets)

    def told(self, number: int) -> bytes | None:
        """Return what the final receipt of all parts has said; None if it has not come."""
        return self._told.get(number) if self._told else None

    # What only the journal knows.

    def entries(self) -> Iterator[tuple[OperatorId, float, Message]]:
        """Yield the attempts in memory: id, time, message. Walks over all of them."""
        for operator_id in self._open.by_key:
            for at_utc, message in self._attempts(operator_id):
                yield operator_id, at_utc, message

    def every_orphan(self) -> Iterator[Orphan]:
        """Yield the receipts that wait for an id; one that is there under two ids comes twice."""
        for orphans in self._orphans.by_key.values():
            yield from orphans

    def leave_to_journal(self, count: int, unkept: Set[RouterId]) -> None:
        """Forget `count` of the oldest attempts, up to the first that the journal may not have.

        Keep the attempts of a message that was in doubt: it may have several, and all of them must
        share one object.
        """
        left: list[tuple[OperatorId, Message]] = []
        open_by_id = self._open.by_key
        for operator_id, (_, message) in open_by_id.items():
            if len(left) >= count or message.router_id in unkept:
                break
            if operator_id in self.more:
                every = [one for _, one in self._attempts(operator_id)]
                # All of one id, or none: else the older were passed over.
                if not any(one.times_in_doubt or one.router_id in unkept for one in every):
                    left += [(operator_id, one) for one in every]
            elif not message.times_in_doubt:
                left.append((operator_id, message))
        for operator_id, message in left:
            open_by_id.pop(operator_id, None)
            self.more.pop(operator_id, None)
            if message.group is not None:
                self._part_gone(message.group, operator_id, message)
        self.behind += len(left)

    def take_back(self, operator_id: OperatorId, message: Message, at_utc: float) -> None:
        """Await again an attempt that only the journal had; it is older than those in memory."""
        newer = self._open.get(operator_id)
        if newer is not None:
            self.more.setdefault(operator_id, []).insert(0, newer)
        self._open.by_key[operator_id] = at_utc, message
        if message.group is not None:
            self._part_taken(message.group, operator_id, message)
        self.behind -= 1
        self.is_in_order = False

    def awaits(self, operator_id: OperatorId, router_id: RouterId) -> Message | None:
        """Return the message in memory with this number that the operator took under this id."""
        entry = self._open.get(operator_id)
        if entry is not None and entry[1].router_id == router_id:
            return entry[1]
        others = (message for _, message in self.more.get(operator_id, ()))
        return next((message for message in others if message.router_id == router_id), None)

    def is_overdue(self, at_utc: float, now_utc: float) -> bool:
        """Return whether an attempt of then has waited long enough for its receipt."""
        return at_utc + self.wait_s <= now_utc

    # How it ends.

    def close(self, operator_id: OperatorId, message: Message, said: Said | None = None) -> float:
        """Await no further receipt of an attempt; return when the operator took the message.

        `said` is what its receipt has said, if one came and had a date.
        """
        open_by_id = self._open.by_key
        entry = open_by_id[operator_id]
        more = self.more.get(operator_id) if self.more else None
        if entry[1] is message:
            del open_by_id[operator_id]
            if more:
                open_by_id[operator_id] = more.pop(0)
        elif more:
            entry = next(one for one in more if one[1] is message)
            more.remove(entry)
        if more is not None and not more:
            del self.more[operator_id]
        if message.group is not None:
            self._part_gone(message.group, operator_id, message)
        done = self._done.by_key
        done[operator_id] = said
        if len(done) > self._capacity.ids_remembered:
            self._done.take_oldest()
        return entry[0]

    def keep(self, orphan: Orphan) -> list[Orphan]:
        """Keep a receipt whose message is not known; return what is given up to make room."""
        for one_id in _ids_of(orphan):
            orphans = self._orphans.get(one_id) or {}
            orphans[orphan] = None
            self._orphans.put(one_id, orphans)
        self.orphans += 1
        self._orphan_octets += len(orphan.octets)
        given_up: list[Orphan] = []
        capacity = self._capacity
        while self.orphans > capacity.orphans or self._orphan_octets > capacity.orphan_octets:
            given_up += self._give_up_oldest()
        return given_up

    def forget(self, orphan: Orphan) -> None:
        """Keep an orphan no longer: it was refused after all, and comes again."""
        if orphan in (self._orphans.get(orphan.operator_id) or ()):
            self._take_out(orphan)

    def given_up(self, now_utc: float = float("inf")) -> list[Orphan]:
        """Remove and return the orphans that have waited long enough; all without a time."""
        given_up: list[Orphan] = []
        while (oldest := self._orphans.oldest()) is not None:
            if next(reversed(oldest[1])).at_utc + ORPHAN_S > now_utc:
                break
            given_up += self._give_up_oldest()
        return given_up

    def _give_up_oldest(self) -> list[Orphan]:
        oldest = self._orphans.oldest()
        return [] if oldest is None else self._taken_out(oldest[0])

    def _taken_out(self, operator_id: OperatorId) -> list[Orphan]:
        """Remove and return the orphans under this id."""
        orphans = list(self._orphans.get(operator_id) or ())
        for orphan in orphans:
            self._take_out(orphan)
        return orphans

    def _take_out(self, orphan: Orphan) -> None:
        """Remove an orphan from all ids that it is kept under."""
        self.orphans -= 1
        self._orphan_octets -= len(orphan.octets)
        for one_id in _ids_of(orphan):
            orphans = self._orphans.get(one_id)
            if orphans is not None:
                orphans.pop(orphan, None)
                if not orphans:
                    self._orphans.pop(one_id)

    def never_receipted(self, now_utc: float) -> list[Message]:
        """Remove and return messages that have waited long enough for their receipt.

        A message that was taken back may stand behind younger ones, and is then left for the
        search of the journal (`steps/recall.py`).
        """
        self.is_in_order = self.is_in_order or not self._open
        overdue: list[Message] = []
        while (oldest := self._open.oldest()) is not None:
            operator_id, (taken_utc, message) = oldest
            if not self.is_overdue(taken_utc, now_utc):
                break
            overdue.append(message)
            self.close(operator_id, message)
        return overdue


def _ids_of(orphan: Orphan) -> tuple[OperatorId, ...]:
    """Return the ids under which an orphan is kept."""
    if orphan.other_id is None:
        return (orphan.operator_id,)
    return orphan.operator_id, orphan.other_id


def _same_number(ours: bytes, theirs: bytes) -> bool:
    """Return whether two addresses are one, in national or international form.

    TON, NPI, + and leading zeros do not count; of numbers of at least `FEWEST_DIGITS` the end of
    the longer one does.
    """
    ours, theirs = ours[2:-1].lstrip(b"+0"), theirs[2:-1].lstrip(b"+0")
    if ours == theirs:
        return True
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) >= FEWEST_DIGITS and longer.endswith(shorter)
