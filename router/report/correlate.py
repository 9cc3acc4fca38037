"""Finds the message of a receipt, by operator and by the operator's id in one canonical form.

Never by bind (a receipt may come on any bind) and never over all operators (two operators may give
the same ids). A receipt may come before the submit_sm_resp with its id: while messages are in
flight such an orphan is kept for `ORPHAN_S`, in the journal too. It is answered as soon as it is
safe there: an operator whose window it filled could send no other receipt. One that stays unknown
is given up and counted.

The latest attempts are in memory. Older ones are `behind`: only the journal has them, and
`steps/recall.py` brings them back when their receipt comes.

An operator may use an id again. Then the number decides whose receipt it is; of two messages with
one number the older is meant, or the younger if all sessions of the operator fell between the two:
it may count from the beginning again. A receipt that says what the last one with its id said, of
the same moment, is a repeat, and no news of another message.

When a new configuration gives the ids of responses another form (`adopt`), attempts from before
keep the ids that they have, because the journal knows them by these. A receipt finds such an
attempt by its id in any form, if its address is the message's destination too. The address must
decide: 10 in one form and 0x0A in the other are the same id of two messages.
"""

from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from typing import Final, Protocol

from router.smpp.receipt import State
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import OperatorId, RouterId
from router.terms.oldest_first import OldestFirst
from router.terms.orphan import Orphan
from router.terms.settings import IdForm, MessageIdSettings

ORPHAN_S: Final = 60.0
"""How long an orphan is kept: twice the usual time in which an answer comes, or never."""
FEWEST_DIGITS: Final = 7
"""Of a national number; a shorter one is a service's, and has no other form."""
_LONG_AGO: Final = float("-inf")
_INT32: Final = 1 << 32


class Addressed(Protocol):
    """A receipt, as far as its addresses go."""

    @property
    def source_octets(self) -> bytes:
        """TON, NPI, address and NUL of the source: the number of its message."""

    @property
    def destination_octets(self) -> bytes:
        """The same of the destination; some operators do not swap the two."""


Said = tuple[bytes, State | None, bytes]
"""What a final receipt has said: of which number, the state, and the done date as it came."""


def canonical(form: IdForm) -> Callable[[bytes], OperatorId]:
    """Return the function that makes ids in this form comparable.

    Text and decimal: case and leading zeros do not count. Hex: the number counts, of any length. An
    id that is not of its form is read as text.
    """
    base = {"text": 0, "decimal": 10, "hex": 16}[form]

    def of_text(octets: bytes) -> OperatorId:
        if 0 in octets:  # Else no call: every message comes by here twice.
            octets = _cut(octets)
        return OperatorId(octets.strip().lower().lstrip(b"0") or b"0")

    def of_number(octets: bytes) -> OperatorId:
        digits = _cut(octets)
        if len(digits) > 64 or b"_" in digits:
            return of_text(octets)
        try:
            return OperatorId(b"%d" % int(digits, base))
        except ValueError:
            return of_text(octets)

    return of_number if _is_number(form) else of_text


def other_forms(octets: bytes) -> Iterator[OperatorId]:
    """Yield the canonical forms of an id that is written in another way than the settings say.

    In another base, with 0x, or as the negative that its 32 bits are.
    """
    text = _cut(octets).lower()
    if len(text) > 64 or b"_" in text:
        return
    yield OperatorId(text.lstrip(b"0") or b"0")  # Decimal or text, where the settings say hex.
    numbers: list[int] = []
    with suppress(ValueError):
        if text.startswith(b"-"):
            numbers.append(int(text) % _INT32)
        elif text.startswith((b"0x", b"x")):  # Canonical text has lost the 0.
            numbers.append(int(text.partition(b"x")[2], 16))
        else:
            if text.isdigit():
                numbers.append(int(text))
            numbers.append(int(text, 16))
    for number in numbers:
        yield OperatorId(b"%d" % number)
        yield OperatorId(b"%x" % number)
        yield OperatorId(b"x%x" % number)
        if _INT32 // 2 <= number < _INT32:
            yield OperatorId(b"%d" % (number - _INT32))


class Correlator:
    """The receipts that one operator still owes."""

    def __init__(
        self, forms: MessageIdSettings, wait_s: float, *, capacity: Capacity = Capacity()
    ) -> None:
        self.of_response = canonical(forms.response)
        self.of_receipt = canonical(forms.receipt)
        self.guessed = 0
        """Receipts that matched only in another base: the settings are probably wrong."""
        self.behind = 0
        """The number of attempts that only the journal has."""
        self.is_in_order = True
        """Whether attempts in memory stand in the order of their times; taking one back ends
        that."""
        self.wait_s = wait_s
        """How long a receipt is waited for."""
        self._forms = forms
        self._latest_utc = _LONG_AGO
        """When the operator last took a message."""
        self._former_until_utc = _LONG_AGO
        """When the last attempt before the latest change of form was taken."""
        self._capacity = capacity
        self._open: Final[OldestFirst[OperatorId, tuple[float, Message]]] = OldestFirst()
        """By id, the attempt that is owed a receipt, and when the operator took it."""
        self._more: dict[OperatorId, list[tuple[float, Message]]] = {}
        """The younger attempts of an id that the operator has used more than once."""
        self._done: Final[OldestFirst[OperatorId, Said | None]] = OldestFirst()
        """The latest ids whose final receipt has come, and what it said, where it had a date."""
        self.restarted_utc = _LONG_AGO
        """When all sessions of the operator had fallen last; asked for only where ids clash."""
        self._unwanted: Final[OldestFirst[OperatorId, None]] = OldestFirst(capacity.ids_remembered)
        """The latest ids of messages that want no receipt."""
        self._orphans: Final[OldestFirst[OperatorId, list[Orphan]]] = OldestFirst()
        """By id, in the order in which the last one with it came."""
        self.orphans = 0
        """Receipts that wait for the submit_sm_resp with their id."""

    def adopt(self, forms: MessageIdSettings, wait_s: float) -> None:
        """Follow new settings: the ids of attempts from now on, and the wait of all.

        A receipt is waited for from when its attempt was taken, so a shorter wait may make many
        overdue at once.
        """
        if _is_number(forms.response) != _is_number(self._forms.response):
            self._former_until_utc = self._latest_utc
        self._forms = forms
        self.of_response = canonical(forms.response)
        self.of_receipt = canonical(forms.receipt)
        self.wait_s = wait_s

    def __len__(self) -> int:
        """Attempts that are owed a receipt, in memory or not."""
        return self.in_memory + self.behind

    @property
    def in_memory(self) -> int:
        """Attempts in memory."""
        return len(self._open) + sum(map(len, self._more.values()))

    def expect(self, operator_id: OperatorId, message: Message, now_utc: float) -> list[Orphan]:
        """Await the receipt of a message taken under this id; return receipts that came before.

        Those under the id in another base than the settings say are this message's if their address
        is its destination.
        """
        entry = (now_utc, message)
        self._latest_utc = now_utc
        open_by_id = self._open.by_key
        if operator_id in open_by_id:  # The operator has used an id twice; the older goes first.
            self._more.setdefault(operator_id, []).append(entry)
        else:
            open_by_id[operator_id] = entry
        return self.claimed(operator_id, message) if self.orphans else []

    def claimed(self, operator_id: OperatorId, message: Message) -> list[Orphan]:
        """Remove and return the orphans of a message that was taken under this id."""
        for one_id in (operator_id, *other_forms(operator_id)):
            orphans = self._orphans.get(one_id)
            if orphans is None:
                continue
            if one_id == operator_id or _same_number(message, orphans[0].source_octets):
                self._orphans.pop(one_id)
                self.orphans -= len(orphans)
                return orphans
        return []

    @property
    def has_clashes(self) -> bool:
        """Whether an id awaits the receipts of more than one message."""
        return bool(self._more)

    def find(self, octets: bytes, addressed: Addressed) -> tuple[OperatorId, Message | None]:
        """Return the id in canonical form, and the message that a receipt with it is about.

        If an id has been used twice, the receipt's address (the message's destination) decides. An
        id that fits only in another base than the settings say must come with that address too: 10
        and 0x10 are two messages of an operator that numbers its messages. An empty id finds none.
        """
        operator_id = self.of_receipt(octets)
        if operator_id == b"0" and not _cut(octets):  # The form of nothing, too.
            return OperatorId(b""), None
        entry = self._open.by_key.get(operator_id)
        if entry is None or entry[0] <= self._former_until_utc:  # Every receipt comes by here.
            return self._find_in_any_form(operator_id, octets, addressed)
        if self._more and operator_id in self._more:
            every = (entry, *self._more[operator_id])
            same = [one for one in every if _is_about(one[1], addressed)]
            since = [one for one in same if one[0] >= self.restarted_utc]
            if same:
                return operator_id, (since or same)[0][1]
        return operator_id, entry[1]

    def last_said(self, operator_id: OperatorId) -> Said | None:
        """Return what the last final receipt with this id said, if it had a date."""
        return self._done.by_key.get(operator_id)

    def _find_in_any_form(
        self, operator_id: OperatorId, octets: bytes, addressed: Addressed
    ) -> tuple[OperatorId, Message | None]:
        """Find the message of a receipt whose id has no attempt of this configuration first."""
        matching = [
            (one_id, taken_utc, message)
            for one_id in (operator_id, *other_forms(octets))
            for taken_utc, message in self._attempts(one_id)
            if _is_about(message, addressed)
        ]
        # An id in today's form is the surest sign, then one in an earlier form. Both with the
        # address, because ids of two forms may be equal by chance.
        for one_id, taken_utc, message in matching:
            if one_id == operator_id and not self._is_former(taken_utc):
                return operator_id, message
        for one_id, taken_utc, message in matching:
            if self._is_former(taken_utc):
                return one_id, message
        for taken_utc, message in self._attempts(operator_id):
            if not self._is_former(taken_utc):
                return operator_id, message
        if matching and operator_id not in self._done:
            self.guessed += 1
            return matching[0][0], matching[0][2]
        return operator_id, None

    def _is_former(self, taken_utc: float) -> bool:
        """Whether an attempt of then may have an id in the form of an earlier configuration."""
        return taken_utc <= self._former_until_utc

    def _attempts(self, operator_id: OperatorId) -> list[tuple[float, Message]]:
        """The attempts in memory under an id, the oldest first."""
        entry = self._open.get(operator_id)
        return [] if entry is None else [entry, *self._more.get(operator_id, ())]

    def forms(self, octets: bytes) -> Iterator[OperatorId]:
        """Yield all ids, in canonical form, under which the receipt's message may be kept."""
        yield self.of_receipt(octets)
        yield from other_forms(octets)

    def is_sure(self, message: Message, addressed: Addressed) -> bool:
        """Return whether `find` has surely found the right message.

        If an id has been used twice, only the address tells; the other message may be in the
        journal.
        """
        return _is_about(message, addressed)

    def is_done(self, operator_id: OperatorId) -> bool:
        """Return whether the final receipt of this id has come before."""
        return operator_id in self._done

    def wants_none(self, operator_id: OperatorId) -> None:
        """Know that the message taken under this id wants no receipt; one may come all the same."""
        self._unwanted.put(operator_id, None)

    def is_unwanted(self, operator_id: OperatorId) -> bool:
        """Return whether the message under this id wants no receipt."""
        return operator_id in self._unwanted

    # What only the journal knows.

    def leave_to_journal(self, count: int, unkept: Set[RouterId]) -> None:
        """Forget `count` of the oldest attempts, up to the first that the journal may not have.

        Keep the attempts of a message that was in doubt: it may have several, and all of them must
        share one object.
        """
        left: list[OperatorId] = []
        open_by_id = self._open.by_key
        for operator_id, (_, message) in open_by_id.items():
            if len(left) == count or message.router_id in unkept:
                break
            if not message.times_in_doubt and operator_id not in self._more:
                left.append(operator_id)
        for operator_id in left:
            del open_by_id[operator_id]
        self.behind += len(left)

    def take_back(self, operator_id: OperatorId, message: Message, at_utc: float) -> None:
        """Await again an attempt that only the journal had; it is older than those in memory."""
        newer = self._open.get(operator_id)
        if newer is not None:
            self._more.setdefault(operator_id, []).insert(0, newer)
        self._open.by_key[operator_id] = at_utc, message
        self.behind -= 1
        self.is_in_order = False

    def awaits(self, operator_id: OperatorId, router_id: RouterId) -> Message | None:
        """Return the message in memory with this number that the operator took under this id."""
        entry = self._open.get(operator_id)
        if entry is not None and entry[1].router_id == router_id:
            return entry[1]
        others = (message for _, message in self._more.get(operator_id, ()))
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
        more = self._more.get(operator_id) if self._more else None
        if entry[1] is message:
            del open_by_id[operator_id]
            if more:
                open_by_id[operator_id] = more.pop(0)
        elif more:
            entry = next(one for one in more if one[1] is message)
            more.remove(entry)
        if more is not None and not more:
            del self._more[operator_id]
        done = self._done.by_key
        done[operator_id] = said
        if len(done) > self._capacity.ids_remembered:
            self._done.take_oldest()
        return entry[0]

    def keep(self, orphan: Orphan) -> list[Orphan]:
        """Keep a receipt whose message is not known; return what is given up to make room."""
        orphans = self._orphans.get(orphan.operator_id) or []
        orphans.append(orphan)
        self._orphans.put(orphan.operator_id, orphans)
        self.orphans += 1
        return [] if self.orphans <= self._capacity.orphans else self._give_up_oldest()

    def forget(self, orphan: Orphan) -> None:
        """Keep an orphan no longer: it was refused after all, and comes again."""
        orphans = self._orphans.get(orphan.operator_id)
        if orphans is not None and orphan in orphans:
            orphans.remove(orphan)
            self.orphans -= 1
            if not orphans:
                self._orphans.pop(orphan.operator_id)

    def given_up(self, now_utc: float = float("inf")) -> list[Orphan]:
        """Remove and return the orphans that have waited long enough; all without a time."""
        given_up: list[Orphan] = []
        while (oldest := self._orphans.oldest()) is not None:
            if oldest[1][-1].at_utc + ORPHAN_S > now_utc:
                break
            given_up += self._give_up_oldest()
        return given_up

    def _give_up_oldest(self) -> list[Orphan]:
        _, orphans = self._orphans.take_oldest()
        self.orphans -= len(orphans)
        return orphans

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


def _is_number(form: IdForm) -> bool:
    """Return whether ids of this form are compared as numbers, rather than as they stand."""
    return form == "hex"


def _cut(octets: bytes) -> bytes:
    """Return an id without what stands behind its NUL, and without blanks."""
    end = octets.find(0)
    return (octets if end < 0 else octets[:end]).strip()


def _is_about(message: Message, addressed: Addressed) -> bool:
    """Return whether a receipt names the message's destination, swapped or not."""
    return _same_number(message, addressed.source_octets) or _same_number(
        message, addressed.destination_octets
    )


def _same_number(message: Message, octets: bytes) -> bool:
    """Return whether an address is the message's destination, in national or international form.

    TON, NPI, + and leading zeros do not count; of numbers of at least `FEWEST_DIGITS` the end of
    the longer one does.
    """
    ours, theirs = message.destination_octets[2:-1].lstrip(b"+0"), octets[2:-1].lstrip(b"+0")
    if ours == theirs:
        return True
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) >= FEWEST_DIGITS and longer.endswith(shorter)
