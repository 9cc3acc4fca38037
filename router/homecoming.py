"""A client comes home, and gets what was held for it: read from the journal in its order, paced.

Every outbox keeps its next deliveries in memory (`report/handback.py`); this has the journal read
for those that run dry. Accounts take turns, one reading at a time and so many per second over all
of them (`Capacity`): a million receipts go out in minutes, and nobody else is hurt.
"""

from functools import partial

from router.binds import Binds
from router.enqueue.journal import JournalError
from router.stations import NEVER
from router.terms.message import Delivery
from router.terms.names import AccountName


class Homecoming(Binds):
    """The acts between an outbox and what only the journal holds for it."""

    def _look_for_held(self, account: AccountName, now: float) -> None:
        """Have the journal read for this account when its turn comes, if that is needed."""
        if self.outboxes[account].wants(now) is not None:
            self._hungry[account] = None
            if not self._held_is_read:
                self._read_held_at = max(now, self._held_again_at)

    def _read_held(self, now: float) -> None:
        """Read for the account whose turn it is, if it is time."""
        if now < self._read_held_at:
            return
        self._read_held_at = NEVER
        if not self.journal_up or not self.hands_back:
            return  # The next sweep looks again.
        while self._hungry and not self._held_is_read:
            account = next(iter(self._hungry))
            del self._hungry[account]
            outbox = self.outboxes[account]
            after = outbox.wants(now)
            if after is None:
                continue
            batches = (self._settles, *self._under_way, *self._unsafe)
            outbox.reads(one.kept_as for batch in batches for one in batch.acknowledged)
            self._held_is_read = True
            count = self.capacity.outbox_fetch
            self._held_again_at = now + count / self.capacity.deliveries_read_per_s
            done = partial(self._held_fetched, account)
            self.journal.fetch_held(account, after, count, done)

    def _held_fetched(
        self, account: AccountName, deliveries: list[Delivery], error: JournalError | None
    ) -> None:
        self._held_is_read = False
        now = self.clock()
        outbox = self.outboxes[account]
        if error is None:
            outbox.fetched(deliveries, now)
            self._drop_too_old(account, now)
            self._look_for_held(account, now)
        else:
            outbox.not_fetched()  # The next sweep looks again.
        if self._hungry:
            self._read_held_at = max(now, self._held_again_at)
        self._to_hand_back.add(account)
        self._end_turn_soon()

    def _drop_too_old(self, account: AccountName, now: float) -> None:
        """What has waited longer than the account's `outbox` says is not given to it any more."""
        for delivery in self.outboxes[account].too_old(now, self.wall.at(now)):
            self.counters.deliveries[account, "too_old"] += 1
            self._settles.acknowledged.append(delivery)
            self._end_turn_soon()
