"""A submit that a client sends again because it cannot have seen the answer is one message.

For accounts with the key `retries` alone. Each submit that is accepted is remembered by its
fingerprint while the client may not have seen its answer: the answer is not written yet, or was
written in the last seconds of its session, or later than the client waits. The same submit, come
again meanwhile, is a retry: it is answered with the id of the first, and no message is made of it.

Rule 1: an answer that was written in time, on a session that went on for `SEEN_AFTER_S`, was seen.
What comes then is another message, however alike: two submits that were answered are two messages.

Rule 2: a session goes on while it is open and its peer's system takes what is written. One that has
acknowledged nothing of it for `SEEN_AFTER_S` counts as ended when the last acknowledgement came: a
network that fails takes answers with it long before the session is known to be over.

Rule 3: a retry takes the place of the submit that it repeats. Whether the client has seen an answer
is asked of its latest one; so of two alike that wait for a client, it may send both again.

Rule 4: what is remembered is in the journal, with the message, in one transaction. After a restart
all of it counts as not seen.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm, relay_with
from router.smpp.states import State
from router.steps.commits import Commits
from router.steps.peers import Client
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.counters import Counters
from router.terms.names import AccountName, ClientId, RouterId
from router.terms.oldest_first import OldestFirst
from router.terms.settings import AccountSettings, RetrySettings
from router.terms.unseen import UnseenAnswer

SEEN_AFTER_S: Final = 5.0
"""How long a session goes on after an answer that its client has surely seen."""
STANDS_S: Final = 1.0
"""A peer's system that acknowledges nothing for longer than this is not just far away."""
MOST_ALIKE: Final = 16
"""Submits that are all the same and are remembered: each that comes is compared with all."""
FINGERPRINT_OCTETS: Final = 16
_NEVER: Final = float("inf")


class Retry:
    """A submit that repeats one which the journal does not have yet: both wait for it."""

    __slots__ = ("arrived_at", "client", "command_id", "octets", "sequence_number")

    def __init__(self, client: Client, pdu: Pdu, arrived_at: float) -> None:
        self.client: Final = client
        self.command_id: Final = pdu.command_id
        self.sequence_number: Final = pdu.sequence_number
        self.octets: Final = len(pdu.octets)
        self.arrived_at: Final = arrived_at


class Remembered:
    """An accepted submit whose answer the client may not have seen."""

    __slots__ = (
        "accepted_at",
        "account",
        "answered_at",
        "asked_at",
        "client",
        "client_id",
        "fingerprint",
        "is_kept",
        "is_late",
        "is_over",
        "last_asked_at",
        "router_id",
        "waiting",
    )

    def __init__(
        self,
        account: AccountName,
        router_id: RouterId,
        client_id: ClientId,
        fingerprint: bytes,
        accepted_at: float,
        client: Client | None,
    ) -> None:
        self.account = account
        self.router_id: Final = router_id
        self.client_id: Final = client_id
        self.fingerprint: Final = fingerprint
        self.accepted_at: Final = accepted_at
        """When the first submit came, in monotonic seconds."""
        self.client = client
        """The bind that sent it last; None once that has ended without the answer being seen."""
        self.asked_at = accepted_at
        """When `client` sent the first that is not answered."""
        self.last_asked_at = accepted_at
        """When `client` sent the latest, which is the one that its next answer is to."""
        self.answered_at = 0.0
        """When `client` was answered; 0 before that."""
        self.is_late = False
        """Whether that was later than the client waits."""
        self.is_kept = False
        """Whether the journal has the message."""
        self.is_over = False
        """Whether it is forgotten."""
        self.waiting: list[Retry] = []
        """Retries that are answered when the journal has the message."""


class _OfAccount:
    """What is remembered of one account."""

    __slots__ = ("by_fingerprint", "in_order", "settings")

    def __init__(self, settings: RetrySettings) -> None:
        self.settings = settings
        self.by_fingerprint: Final[dict[bytes, list[Remembered]]] = {}
        self.in_order: Final[OldestFirst[RouterId, Remembered]] = OldestFirst()


class _Answered:
    """What one bind was answered and may not have seen."""

    __slots__ = ("entries", "stands_since")

    def __init__(self) -> None:
        self.entries: Final[deque[Remembered]] = deque()
        """In the order of the answers. One may have been answered elsewhere, or again, since."""
        self.stands_since = _NEVER
        """Since when the peer's system acknowledges nothing of what was written to it, as the last
        sweep saw it; once the connection is gone that cannot be asked any more."""


class ClientRetries:
    """The submits whose answers may not have been seen, by account."""

    __slots__ = ("_accounts", "_answered", "_capacity", "_commits", "_counters", "_turn")

    def __init__(
        self, commits: Commits, counters: Counters, turn: Turn, capacity: Capacity
    ) -> None:
        self._capacity: Final = capacity
        self._commits: Final = commits
        self._counters: Final = counters
        self._turn: Final = turn
        self._accounts: dict[AccountName, _OfAccount] = {}
        self._answered: Final[dict[Client, _Answered]] = {}

    def __len__(self) -> int:
        """How many submits are remembered."""
        return sum([len(of.in_order) for of in self._accounts.values()])

    # What comes in.

    def find(
        self, client: Client, fingerprint: bytes, settings: RetrySettings, arrived_at: float
    ) -> Remembered | None:
        """Return the submit that this one repeats; None if it is a message of its own."""
        of = self._accounts.get(client.account.name)
        if of is None:
            return None
        for one in of.by_fingerprint.get(fingerprint, ()):
            if arrived_at - one.accepted_at <= settings.within_s and _may_be_unseen(
                one, settings.answer_after_s, arrived_at
            ):
                return one
        return None

    def take_over(self, one: Remembered, client: Client, arrived_at: float) -> None:
        """Note that a bind has sent this again, and is the one to be answered from now on."""
        if one.client is not client or one.answered_at:
            one.asked_at = arrived_at
        one.client = client
        one.last_asked_at = arrived_at
        self._counters.retries_recognised[one.account] += 1

    def remember(
        self,
        client: Client,
        router_id: RouterId,
        client_id: ClientId,
        fingerprint: bytes,
        settings: RetrySettings,
        arrived_at: float,
    ) -> Remembered:
        """Remember a submit of which a message is made."""
        account = client.account.name
        one = Remembered(account, router_id, client_id, fingerprint, arrived_at, client)
        self._add(one, settings)
        return one

    def _add(self, one: Remembered, settings: RetrySettings) -> None:
        of = self._accounts.get(one.account)
        if of is None:
            of = self._accounts[one.account] = _OfAccount(settings)
        of.settings = settings
        alike = of.by_fingerprint.setdefault(one.fingerprint, [])
        alike.append(one)
        of.in_order.put(one.router_id, one)
        oldest = None
        if len(alike) > MOST_ALIKE:
            oldest = alike[0]
        elif len(of.in_order) > self._capacity.retries:
            _, oldest = of.in_order.take_oldest()
        if oldest is not None:
            self._counters.retries_forgotten[one.account] += 1
            self._forget(of, oldest)

    # What becomes of it.

    def kept(self, one: Remembered, now: float) -> list[Retry]:
        """Note that the journal has the message, and return who else is to be answered now."""
        one.is_kept = True
        if one.is_over:  # Forgotten before; now that its row is there, it can be deleted.
            self._commits.settles.seen_answers.append(one.router_id)
            self._turn.end_soon()
        else:
            self.answered(one, now)
        waiting, one.waiting = one.waiting, []
        return waiting

    def not_kept(self, one: Remembered) -> list[Retry]:
        """Forget a submit of which no message is made after all; return who hears so, too."""
        of = self._accounts.get(one.account)
        if of is not None and not one.is_over:
            self._remove(of, one)
        waiting, one.waiting = one.waiting, []
        return waiting

    def answered(self, one: Remembered, now: float) -> None:
        """Note that the bind which sent it last is answered, if that is still there."""
        client = one.client
        of = self._accounts.get(one.account)
        if client is None or of is None:
            return
        if client.session.state is State.CLOSED:
            one.client = None
            return
        one.answered_at = now
        one.is_late = now - one.last_asked_at > of.settings.answer_after_s
        answered = self._answered.get(client)
        if answered is None:
            answered = self._answered[client] = _Answered()
        answered.entries.append(one)

    def unbound(self, client: Client, now: float) -> None:
        """Note that a bind has ended: what it was answered last may not have been seen."""
        answered = self._answered.pop(client, None)
        if answered is not None:
            until = min(client.reads_until(now), answered.stands_since)
            self._forget_seen(client, answered.entries, until)
            for one in answered.entries:
                if one.client is client:
                    one.client = None

    def _forget_seen(self, client: Client, answered: deque[Remembered], until: float) -> None:
        """Forget what a bind was answered so long before this time that it was seen."""
        while answered and answered[0].answered_at + SEEN_AFTER_S < until:
            one = answered.popleft()
            if one.client is client and not one.is_late:
                of = self._accounts.get(one.account)
                if of is not None and not one.is_over:
                    self._forget(of, one)

    def _forget(self, of: _OfAccount, one: Remembered) -> None:
        """Forget a submit; the journal does, too, once it has it."""
        self._remove(of, one)
        if one.is_kept:
            self._commits.settles.seen_answers.append(one.router_id)
            self._turn.end_soon()

    @staticmethod
    def _remove(of: _OfAccount, one: Remembered) -> None:
        one.is_over = True
        of.in_order.pop(one.router_id)
        alike = of.by_fingerprint[one.fingerprint]
        alike.remove(one)
        if not alike:
            del of.by_fingerprint[one.fingerprint]

    # Time.

    def sweep(self, now: float) -> None:
        """Forget what was seen, and what is too old; call this once a second."""
        for client, answered in list(self._answered.items()):
            entries = answered.entries
            if entries[0].answered_at + SEEN_AFTER_S < now:
                until = client.reads_until(now)
                answered.stands_since = until if until + STANDS_S < now else _NEVER
                self._forget_seen(client, entries, until)
            if not entries:
                del self._answered[client]
        for name, of in list(self._accounts.items()):
            before = now - of.settings.within_s
            while (oldest := of.in_order.oldest()) is not None and oldest[1].accepted_at < before:
                self._forget(of, oldest[1])
            if not of.in_order:
                del self._accounts[name]

    # The configuration, and earlier processes.

    def adopt(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        """Follow a new configuration; of an account that is gone the last binds go on as before."""
        for name, of in self._accounts.items():
            settings = accounts.get(name)
            if settings is None:
                continue
            if settings.retries is not None:
                of.settings = settings.retries
            else:
                for one in list(of.in_order.by_key.values()):
                    self._forget(of, one)

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Let what is remembered of an account be that of its new name, which has nothing."""
        of = self._accounts.pop(was, None)
        if of is not None:
            self._accounts[now] = of
            for one in of.in_order.by_key.values():
                one.account = now

    def take_up(
        self,
        found: Iterable[UnseenAnswer],
        accounts: Mapping[AccountName, AccountSettings],
        now: float,
        now_utc: float,
    ) -> None:
        """Take up what an earlier process left; its sessions are over, and no answer was seen."""
        for row in found:
            account = accounts.get(row.account)
            settings = None if account is None else account.retries
            age_s = max(0.0, now_utc - row.accepted_utc)
            if settings is None or age_s > settings.within_s:
                self._commits.settles.seen_answers.append(row.router_id)
                continue
            one = Remembered(
                row.account, row.router_id, row.client_id, row.fingerprint, now - age_s, None
            )
            one.is_kept = True
            self._add(one, settings)


def fingerprint_of(pdu: Pdu, sm: Sm) -> bytes:
    """Return what two submits have alike where one is a retry of the other.

    All but the header's status and sequence_number, and an absolute validity_period: a client
    reckons that anew for each try. An absolute schedule_delivery_time counts, because a message for
    tomorrow and the same one for the day after are two.
    """
    octets = sm.octets
    validity = sm.validity_period
    if validity and not validity.endswith(b"R"):
        octets = relay_with(sm, 0, validity_period=b"")
    kind = b"data_sm" if pdu.command_id == v.DATA_SM else b"submit_sm"
    return blake2b(octets[16:], digest_size=FINGERPRINT_OCTETS, person=kind).digest()


def _may_be_unseen(one: Remembered, answer_after_s: float, now: float) -> bool:
    """Whether the client of a submit may not have seen the answer to it."""
    client = one.client
    if client is None or one.is_late:
        return True
    is_closed = client.session.state is State.CLOSED
    if not one.answered_at:
        return is_closed or now - one.asked_at > answer_after_s
    if is_closed:  # Its end has not been told yet.
        return now <= one.answered_at + SEEN_AFTER_S
    until = client.reads_until(now)
    return until <= one.answered_at + SEEN_AFTER_S and until + SEEN_AFTER_S <= now
