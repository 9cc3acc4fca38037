"""router/report/handback.py: whatever clients do, every delivery ends exactly once, in its order.

Real sessions, and a client that answers, refuses, is silent, answers late, stops reading and loses
its binds in any order. Beside the outbox stands a plain list of what was put for each message.
"""

from collections import Counter
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.report.handback import Outbox
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
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
            )
        )
        self.binds: list[ClientBind] = []
        self.read: list[tuple[ClientBind, Pdu]] = []
        """What the client has read and not answered, also what it takes too long for."""
        self.put: dict[int, list[Delivery]] = {}
        """What was put for each message and has not ended, in order."""
        self.ended: Counter[int] = Counter()
        self.count = 0
        self.it_binds(v.VERSION_3_4)

    # The stage.

    @rule(number=st.integers(1, 3), wait_s=st.sampled_from([0.0, 0.0, 1.0]), at_once=AT_ONCE)
    def a_delivery_is_put(self, number: int, wait_s: float, *, at_once: bool) -> None:
        self.count += 1
        one = delivery(
            number,
            b"%d" % self.count,
            made_utc=ACCEPTED_UTC + self.now,
            not_before=self.now + wait_s,
        )
        one.kept_as = self.count
        self.put.setdefault(number, []).append(one)
        self.outbox.put(one, self.now)
        if at_once:
            self.what_is_due_is_sent()

    @rule()
    def what_is_due_is_sent(self) -> None:
        given = self.outbox.pump(self.now)
        assert self.outbox.pump_at() > self.now
        sent = 0
        for bind in self.binds:
            for pdu in bind.read():
                _, whose, _ = bind.session.unanswered[pdu.sequence_number]
                assert isinstance(whose, Delivery)
                assert bind.receives
                assert bind in given
                assert self.put[whose.router_id][0] is whose
                assert whose.not_before <= self.now
                self.read.append((bind, pdu))
                sent += 1
        assert sent == len(given)

    def end(self, one: Delivery) -> None:
        self.ended[one.kept_as] += 1
        assert self.put[one.router_id].pop(0) is one

    # The client.

    @precondition(lambda self: len(self.binds) < 3)
    @rule(version=st.sampled_from([v.VERSION_3_3, v.VERSION_3_4]))
    def it_binds(self, version: int) -> None:
        bind = ClientBind(version, self.now)
        self.binds.append(bind)
        self.outbox.receivers.append(bind)

    @precondition(lambda self: self.binds)
    @rule(place=st.integers(0, 2))
    def it_loses_a_bind(self, place: int) -> None:
        bind = self.binds.pop(place % len(self.binds))
        self.outbox.receivers.remove(bind)
        self.read = [one for one in self.read if one[0] is not bind]
        lost = bind.lose()
        self.outbox.lost(lost)
        left = [one for one in lost if not one.is_over]
        assert list(self.outbox.waiting)[: len(lost)] == lost
        assert all(self.put[one.router_id][0] is one for one in left)

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
        assert len(self.outbox) == sum(map(len, self.put.values()))

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert all(times == 1 for times in self.ended.values())

    @invariant()
    def window_is_kept(self) -> None:
        assert all(len(bind.session.unanswered) <= WINDOW for bind in self.binds)

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
        for _ in range(3 * self.count + 3):
            self.now = max(self.now, min(self.outbox.pump_at(), self.now + 400.0))
            self.what_is_due_is_sent()
            while self.read:
                self.it_answers(0, 0)
        assert len(self.outbox) == 0
        assert set(self.ended) == set(range(1, self.count + 1))


TestHandback = Handback.TestCase
