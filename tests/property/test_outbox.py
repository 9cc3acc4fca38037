"""router/report/outbox.py: whatever clients do, every delivery ends exactly once, in its order.

Real sessions, and a client that answers, refuses, is silent, answers late, stops reading and loses
its binds in any order. A journal that tells late and is read while it changes, and so little memory
that most of it is needed. Beside the outbox stands a plain list of what was put for each message.
"""

from collections import Counter, deque
from copy import copy
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.report.outbox import Outbox
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.capacity import Capacity
from router.terms.message import Delivery
from router.terms.names import LaneName
from router.terms.outcome import TEMPORARY_FOR_CLIENTS
from router.terms.settings import AccountSettings
from tests.unit.messages import ACCEPTED_UTC, BANK, delivery
from tests.unit.report.receiver import RESPONSE_S, ClientBind

WINDOW: Final = 2
OUTBOX_S: Final = 1000.0
ANSWER: Final = st.sampled_from([0, 0, 0, 0x65, 0x45, *sorted(TEMPORARY_FOR_CLIENTS)])
STEP_S: Final = st.sampled_from([0.0, 1.0, 2.0, RESPONSE_S, RESPONSE_S, 301.0])
AT_ONCE: Final = st.sampled_from([True, True, True, False])
"""Whether the turn ends after this, so that what is due is sent."""
LITTLE: Final = Capacity(
    outbox_deliveries=3,
    outbox_refill_below=2,
    outbox_away=1,
    outbox_fetch=2,
    outbox_retrying=1,
    outbox_per_turn=2,
)


class Handback(RuleBasedStateMachine):
    """One account, its binds, and what is still to end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outbox = Outbox(
            AccountSettings(
                name=BANK,
                passwords=("x",),
                lane=LaneName("otp"),
                deliver_window=WINDOW,
                outbox_s=OUTBOX_S,
            ),
            capacity=LITTLE,
        )
        self.binds: list[ClientBind] = []
        self.read: list[tuple[ClientBind, Pdu]] = []
        """What the client has read and not answered, also what it takes too long for."""
        self.put: dict[int, list[int]] = {}
        """What was put for each message and has not ended, in order, by its number."""
        self.ended: Counter[int] = Counter()
        self.bind_of: dict[int, ClientBind] = {}
        """The bind of each message of which more deliveries may come, while it is bound."""
        self.count = 0
        self.rows: dict[int, Delivery] = {}
        """What the journal holds."""
        self.untold: deque[Delivery] = deque()
        """What it has kept and not told yet."""
        self.unkept: set[int] = set()
        """What has ended, and is in the journal still."""
        self.read_from_journal: list[Delivery] | None = None
        """What it has read and not told yet."""
        self.it_binds(v.VERSION_3_4)

    # The stage.

    @rule(
        number=st.integers(0, 3),
        wait_s=st.sampled_from([0.0, 0.0, 1.0]),
        own=st.integers(0, 3),
        at_once=AT_ONCE,
    )
    def a_delivery_is_put(self, number: int, wait_s: float, own: int, *, at_once: bool) -> None:
        self.count += 1
        number = number or 100 + self.count  # The only one of its message.
        one = delivery(
            number,
            b"%d" % self.count,
            made_utc=ACCEPTED_UTC + self.now,
            not_before=self.now + wait_s,
        )
        one.kept_as = self.count
        one.final = number > 100
        one.bind = self.binds[own].address if own < len(self.binds) else "127.0.0.1:1"
        self.put.setdefault(number, []).append(one.kept_as)
        self.rows[one.kept_as] = one
        self.untold.append(one)
        if at_once:
            self.the_journal_tells()
            self.what_is_due_is_sent()

    @rule()
    def the_journal_tells(self) -> None:
        while self.untold:
            self.outbox.put(self.untold.popleft(), self.now)

    @rule()
    def the_journal_keeps_what_has_ended(self) -> None:
        for kept_as in self.unkept:
            del self.rows[kept_as]
        self.unkept.clear()

    @precondition(lambda self: self.read_from_journal is None)
    @rule()
    def the_journal_is_read(self) -> None:
        after = self.outbox.wants(self.now)
        if after is not None:
            self.outbox.reads(self.unkept)
            numbers = sorted(kept_as for kept_as in self.rows if kept_as > after)
            found = [copy(self.rows[kept_as]) for kept_as in numbers[: LITTLE.outbox_fetch]]
            for one in found:
                one.tries, one.not_before, one.was_silent, one.is_over = 0, 0.0, False, False
            self.read_from_journal = found

    @precondition(lambda self: self.read_from_journal is not None)
    @rule(fails=st.sampled_from([False, False, False, True]))
    def the_journal_tells_what_it_has_read(self, *, fails: bool) -> None:
        found, self.read_from_journal = self.read_from_journal, None
        assert found is not None
        if fails:
            self.outbox.not_fetched()
        else:
            self.outbox.fetched(found, self.now)

    @rule()
    def what_is_due_is_sent(self) -> None:
        given = self.outbox.pump(self.now)
        cut_short = len(given) == LITTLE.outbox_per_turn
        assert self.outbox.wake_at() > self.now or cut_short
        sent = 0
        for bind in self.binds:
            for pdu in bind.read():
                _, whose, _ = bind.session.unanswered[pdu.sequence_number]
                assert isinstance(whose, Delivery)
                assert bind.receives
                assert bind in given
                assert self.put[whose.router_id][0] == whose.kept_as
                assert self.rows[whose.kept_as].not_before <= self.now
                if not whose.final:
                    assert self.bind_of.setdefault(whose.router_id, bind) is bind
                self.read.append((bind, pdu))
                sent += 1
        assert sent == len(given)

    def end(self, one: Delivery) -> None:
        self.ended[one.kept_as] += 1
        assert self.put[one.router_id].pop(0) == one.kept_as
        self.unkept.add(one.kept_as)

    # The client.

    @precondition(lambda self: len(self.binds) < 3)
    @rule(version=st.sampled_from([v.VERSION_3_3, v.VERSION_3_4]))
    def it_binds(self, version: int) -> None:
        bind = ClientBind(version, self.now)
        self.binds.append(bind)
        self.outbox.bound(bind, self.now)

    @precondition(lambda self: self.binds)
    @rule(place=st.integers(0, 2))
    def it_loses_a_bind(self, place: int) -> None:
        bind = self.binds.pop(place % len(self.binds))
        self.outbox.unbound(bind)
        self.bind_of = {key: of for key, of in self.bind_of.items() if of is not bind}
        self.read = [one for one in self.read if one[0] is not bind]
        lost = bind.lose()
        self.outbox.lost(lost)
        left = [one for one in lost if not one.is_over]
        assert list(self.outbox.waiting)[: len(lost)] == lost
        assert all(self.put[one.router_id][0] == one.kept_as for one in left)

    @precondition(lambda self: self.binds)
    @rule(place=st.integers(0, 2), receives=st.booleans())
    def it_reads_or_does_not(self, place: int, *, receives: bool) -> None:
        self.binds[place % len(self.binds)].receives = receives

    @precondition(lambda self: self.read)
    @rule(place=st.integers(0, 9), status=ANSWER)
    def it_answers(self, place: int, status: int) -> None:
        bind, pdu = self.read.pop(place % len(self.read))
        whose, status, late = bind.answer(pdu.sequence_number, status, self.now)
        before = whose.is_over
        self.outbox.heard(bind, self.now)
        if self.outbox.answered(whose, status, self.now, late=late):
            assert not before
            self.end(whose)
        else:
            assert before or status in TEMPORARY_FOR_CLIENTS

    # Time.

    @rule(step_s=STEP_S, at_once=AT_ONCE)
    def time_passes(self, step_s: float, *, at_once: bool) -> None:
        self.now += step_s
        for bind in self.binds:
            for one in bind.overdue(self.now):
                self.outbox.unanswered(one, self.now)
        if at_once:
            self.what_is_due_is_sent()

    @rule()
    def what_is_too_old_is_dropped(self) -> None:
        now_utc = ACCEPTED_UTC + self.now
        for one in self.outbox.too_old(self.now, now_utc):
            assert one.made_utc < now_utc - OUTBOX_S
            self.end(one)

    # What always holds.

    @invariant()
    def length_is_what_has_not_ended(self) -> None:
        assert len(self.outbox) == sum(map(len, self.put.values())) - len(self.untold)

    @invariant()
    def octets_are_those_of_what_has_not_ended(self) -> None:
        untold = {one.kept_as for one in self.untold}
        left = {kept_as for of in self.put.values() for kept_as in of} - untold
        assert self.outbox.octets == sum(len(self.rows[kept_as].octets) for kept_as in left)

    @invariant()
    def octets_in_memory_are_counted(self) -> None:
        outbox = self.outbox
        behind = [one for more in outbox._behind.values() for one in more]
        assert outbox._next_octets == sum(len(one.octets) for one in [*outbox.waiting, *behind])
        assert outbox._later_octets == sum(len(one.octets) for _, _, one in outbox._later)

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert all(times == 1 for times in self.ended.values())

    @invariant()
    def window_is_kept(self) -> None:
        assert all(len(bind.session.unanswered) <= WINDOW for bind in self.binds)

    @invariant()
    def what_waits_for_binds_is_counted(self) -> None:
        outbox = self.outbox
        lines = [one for line in outbox._waited_for.values() for one in line.waiting]
        assert outbox._in_lines == len(lines)
        behind = [one for more in outbox._behind.values() for one in more]
        every = (*outbox.waiting, *lines, *behind)
        assert outbox._next_octets == sum(len(one.octets) for one in every)

    @invariant()
    def nothing_is_with_the_client_twice_at_once(self) -> None:
        asked = [
            id(whose) for bind in self.binds for _, whose, _ in bind.session.unanswered.values()
        ]
        assert len(set(asked)) == len(asked)

    def teardown(self) -> None:
        """A client that takes everything at last has everything, and nothing is left."""
        while self.binds:
            self.it_loses_a_bind(0)
        self.it_binds(v.VERSION_3_4)
        for _ in range(6 * self.count + 6):
            self.the_journal_tells()
            self.the_journal_keeps_what_has_ended()
            if self.read_from_journal is None:
                self.the_journal_is_read()
            if self.read_from_journal is not None:
                self.the_journal_tells_what_it_has_read(fails=False)
            self.now = max(self.now, min(self.outbox.wake_at(), self.now + 400.0))
            self.what_is_due_is_sent()
            while self.read:
                self.it_answers(0, 0)
        assert len(self.outbox) == 0
        assert set(self.ended) == set(range(1, self.count + 1))


TestHandback = Handback.TestCase
# What goes wrong here needs several things to happen in a row.
TestHandback.settings = settings(max_examples=4 * settings().max_examples)
