"""Receipts and subscribers' messages reach their client, in order, until the client has them.

Every outbox keeps its next deliveries in memory (`report/outbox.py`); for those that run low the
journal is read. Accounts take turns, one reading at a time and so many a second over all of them
(`Capacity`): a million receipts go out in minutes, and no other client is slowed down.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from router.enqueue.journal import Held, Journal, JournalError
from router.report.outbox import Outbox, is_acknowledged
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.smpp.session import Note
from router.steps.clocks import Clocks
from router.steps.commits import NEVER, Commits
from router.steps.peers import Client
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.counters import Counters
from router.terms.message import Delivery
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.settings import AccountSettings


class Deliveries:
    """All outboxes, and whose turn it is to have the journal read for."""

    __slots__ = (
        "_accounts",
        "_capacity",
        "_clocks",
        "_commits",
        "_counters",
        "_is_read",
        "_journal",
        "_left",
        "_needs_fetch",
        "_pump_at",
        "_read_again_at",
        "_read_at",
        "_renamings",
        "_turn",
        "delivers",
        "outboxes",
    )

    def __init__(
        self,
        accounts: Mapping[AccountName, AccountSettings],
        journal: Journal,
        commits: Commits,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
    ) -> None:
        self._journal: Final = journal
        self._commits: Final = commits
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._capacity: Final = capacity
        self._accounts = accounts
        self.outboxes: Final = {
            name: Outbox(of, capacity=capacity) for name, of in accounts.items()
        }
        self.delivers = True
        """Whether clients are given what is held for them; not when the router is about to go."""
        self._left: dict[AccountName, Held] = {}
        """What stays in the journal: its account is in this configuration no more."""
        self._needs_fetch: Final[OldestFirst[AccountName, None]] = OldestFirst()
        """Accounts whose outbox the journal should be read for, in their turns."""
        self._is_read = False
        self._renamings = 0
        """How often an account was renamed."""
        self._read_again_at = clocks.now()
        """Not before then, so that the journal is not read faster than it may be."""
        self._read_at = NEVER
        self._pump_at = NEVER
        """When the first outbox has something to give; may be early, never late."""

    # Accounts.

    def adopt(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        """Follow a new configuration; the outbox of an account that is gone runs dry."""
        for name, settings in accounts.items():
            outbox = self.outboxes.get(name)
            if outbox is None:
                outbox = self.outboxes[name] = Outbox(settings, capacity=self._capacity)
                left = self._left.pop(name, None)
                if left is not None:
                    outbox.restore(left.count, left.first, left.octets)
            else:
                outbox.adopt(settings)
            self._turn.deliver(name)  # Its window may be larger.
        self._accounts = accounts

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Let an account's outbox be that of its new name, which has none; before `adopt`."""
        self._renamings += 1
        outbox = self.outboxes.pop(was, None)
        if outbox is not None:
            self.outboxes[now] = outbox
        if was in self._needs_fetch:
            self._needs_fetch.pop(was)
            self._needs_fetch.by_key[now] = None
        left, of_now = self._left.pop(was, None), self._left.get(now)
        if left is not None and of_now is not None:
            of_now.count += left.count
            of_now.octets += left.octets
            of_now.first, of_now.last = min(of_now.first, left.first), max(of_now.last, left.last)
        elif left is not None:
            self._left[now] = left

    def has_left(self, account: AccountName) -> bool:
        """Whether deliveries for an account that is no more stay in the journal."""
        return account in self._left

    def _forget_gone(self) -> None:
        """Forget outboxes of accounts that are gone: without clients and with nothing to give."""
        for name in [name for name in self.outboxes if name not in self._accounts]:
            outbox = self.outboxes[name]
            if not (len(outbox) or outbox.receivers or outbox.is_read):
                del self.outboxes[name]
                self._needs_fetch.pop(name)

    # What the journal has.

    def put(self, delivery: Delivery, now: float) -> None:
        """Take in a delivery that is safe in the journal."""
        outbox = self.outboxes.get(delivery.account)
        if outbox is None:
            number = delivery.kept_as
            left = self._left.get(delivery.account, Held(0, number, number))
            octets = left.octets + len(delivery.octets)
            self._left[delivery.account] = Held(left.count + 1, left.first, number, octets)
            return
        outbox.put(delivery, now)
        self._turn.deliver(delivery.account)

    def set_aside(self, account: AccountName, number: int, octets: int) -> None:
        """Forget a delivery that the journal had and cannot read."""
        outbox = self.outboxes.get(account)
        if outbox is not None:
            outbox.set_aside(number, octets)

    def restore(self, account: AccountName, held: Held) -> int:
        """Take up what an earlier process left for an account; return how much of it."""
        outbox = self.outboxes.get(account)
        if outbox is None:
            self._left[account] = held
            return 0
        outbox.restore(held.count, held.first, held.octets)
        return held.count

    def weighed(self, account: AccountName, octets: int) -> None:
        """Count the octets of what an earlier process left for an account."""
        outbox, left = self.outboxes.get(account), self._left.get(account)
        if outbox is not None:
            outbox.weighed(octets)
        elif left is not None:
            left.octets += octets

    # How full outboxes are. That of an account that is gone runs dry, and has room.

    def has_room(self, account: AccountName) -> bool:
        """Return whether the account may ask for more receipts."""
        outbox = self.outboxes.get(account)
        return outbox is None or not outbox.is_full

    def has_room_for_inbound(self, account: AccountName) -> bool:
        """Return whether the account may be sent more messages by subscribers."""
        outbox = self.outboxes.get(account)
        return outbox is None or not outbox.is_nearly_full

    def left(self) -> list[tuple[str, int]]:
        """Return how many deliveries stay in the journal, by the account that is no more."""
        return [(f"account {name}", held.count) for name, held in self._left.items()]

    # Clients' binds.

    def bound(self, client: Client) -> None:
        """A client has bound: it may be owed receipts."""
        self.outboxes[client.account.name].bound(client, self._clocks.now())
        self._turn.deliver(client.account.name)

    def unbound(self, client: Client) -> None:
        """A client's bind is gone."""
        self.outboxes[client.account.name].unbound(client)

    def notify(self, account: AccountName, octets: bytes) -> bool:
        """Write a request that has no answer to one bind of the account; return whether one can."""
        outbox = self.outboxes.get(account)
        for receiver in () if outbox is None else outbox.receivers:
            if receiver.notify(octets):
                self._turn.write(receiver)
                return True
        return False

    def reads_again(self, client: Client) -> None:
        """A client that did not keep up with reading does so now."""
        self._turn.deliver(client.account.name)

    def acknowledged(self, client: Client, pdu: Pdu, now: float) -> None:
        """A deliver_sm_resp (or generic_nack): the client has it, or wants it later, or never."""
        delivery = pdu.request
        assert isinstance(delivery, Delivery)
        account = client.account.name
        status = pdu.command_status
        if status == v.ESME_ROK and pdu.command_id == v.GENERIC_NACK:
            status = v.ESME_RUNKNOWNERR
        outbox = self.outboxes[account]
        outbox.heard(client, now)
        if outbox.answered(delivery, status, now, late=pdu.sent_at == 0.0):
            self._commits.settles.acknowledged.append(delivery)
            if is_acknowledged(status):
                delivery.is_acknowledged = True
                self._counters.deliveries[account, "acknowledged"] += 1
            else:
                self._counters.deliveries[account, "refused"] += 1
                client.tell(Note("delivery.refused", pdu.command_id, status))
        self._turn.deliver(account)

    def undelivered(self, account: AccountName, lost: list[Delivery]) -> None:
        """A client's bind is gone with deliver_sm that it has not acknowledged."""
        self.outboxes[account].lost(lost)
        self._turn.deliver(account)

    def unacknowledged(self, account: AccountName, overdue: list[Delivery], now: float) -> None:
        """A client has not answered these in time."""
        for delivery in overdue:
            self.outboxes[account].unanswered(delivery, now)
        self._turn.deliver(account)

    # The end of a turn, and time.

    def pump(self, now: float) -> None:
        """Give what is due to the clients of this turn's accounts."""
        turn = self._turn
        if not turn.accounts:
            return
        accounts, turn.accounts = turn.accounts, set()
        for account in sorted(accounts) if self.delivers else ():
            outbox = self.outboxes.get(account)
            if outbox is None:
                continue
            for receiver in outbox.pump(now):
                turn.write(receiver)
            self._pump_at = min(self._pump_at, outbox.wake_at())
            self._look_for_held(account, now)

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return min(self._pump_at, self._read_at)

    def wake(self, now: float) -> None:
        """Note what has become due."""
        if now >= self._pump_at:
            self._pump_at = NEVER
            for account, outbox in self.outboxes.items():
                if outbox.wake_at() <= now:
                    self._turn.deliver(account)
                else:
                    self._pump_at = min(self._pump_at, outbox.wake_at())
        if now >= self._read_at:
            self._turn.end_soon()

    def sweep(self, now: float) -> None:
        """Drop what is too old, and read for outboxes that run low; call this once a second."""
        for account in self.outboxes:
            self._drop_too_old(account, now)
            self._look_for_held(account, now)
        if len(self.outboxes) > len(self._accounts):
            self._forget_gone()

    # What only the journal has.

    def _look_for_held(self, account: AccountName, now: float) -> None:
        """Have the journal read for this account when its turn comes, if that is needed."""
        if self.outboxes[account].wants(now) is not None:
            self._needs_fetch.by_key[account] = None  # One that waits keeps its turn.
            if not self._is_read:
                self._read_at = max(now, self._read_again_at)

    def read(self, now: float) -> None:
        """Have the journal read for the account whose turn it is, if it is time."""
        if now < self._read_at:
            return
        self._read_at = NEVER
        if not self._commits.up or not self.delivers:
            return  # The next sweep looks again.
        while self._needs_fetch and not self._is_read:
            account, _ = self._needs_fetch.take_oldest()
            outbox = self.outboxes[account]
            after = outbox.wants(now)
            if after is None:
                continue
            batches = self._commits.unseen()
            outbox.reads(one.kept_as for batch in batches for one in batch.acknowledged)
            self._is_read = True
            count = self._capacity.outbox_fetch
            self._read_again_at = now + count / self._capacity.deliveries_read_per_s
            done = partial(self._fetched, outbox, self._renamings)
            self._journal.fetch_held(account, after, count, self._capacity.outbox_octets, done)

    def _fetched(
        self,
        outbox: Outbox,
        renamings: int,
        deliveries: list[Delivery],
        error: JournalError | None,
    ) -> None:
        self._is_read = False
        now = self._clocks.now()
        account = outbox.settings.name
        if error is not None:
            outbox.not_fetched()  # The next sweep looks again.
        elif renamings != self._renamings:
            # Read by an old name, it may lack what was written by the new one: it is read again.
            outbox.not_fetched()
            self._look_for_held(account, now)
        else:
            outbox.fetched(deliveries, now)
            self._drop_too_old(account, now)
            self._look_for_held(account, now)
        if self._needs_fetch:
            self._read_at = max(now, self._read_again_at)
        self._turn.deliver(account)

    def _drop_too_old(self, account: AccountName, now: float) -> None:
        """Give up what has waited longer than the account's `outbox` says."""
        outbox = self.outboxes[account]
        for delivery in outbox.too_old(now, self._clocks.utc_for(outbox.settings.outbox_s)):
            self._counters.deliveries[account, "too_old"] += 1
            self._commits.settles.acknowledged.append(delivery)
            self._turn.end_soon()
