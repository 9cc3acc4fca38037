"""router/forward/pool.py: which bind of an operator may send now, and when to ask again.

What a rate means: test_pacing.py.
"""

import pytest

from router.forward.pace import Pace
from router.forward.pacing import MARGIN_S
from router.forward.pool import NEVER, Asked, Attempt, Bind, Operator
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer
from router.smpp.session import Note, Session, Timers
from router.smpp.states import Side, State
from router.terms.limits import Rate
from router.terms.message import Message
from router.terms.names import AccountName, BindName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plans
from router.terms.settings import (
    Address,
    BindSettings,
    BindType,
    OperatorSettings,
)

TELIA = OperatorName("telia")
PLAN = Plans().of((TELIA,))
TIMERS = Timers(bind_s=5, enquire_link_s=30, response_s=30)
START = 100.0
FIFTY = Rate(50, 1.0)
FIRST_AT = START + 1.0 + MARGIN_S
"""A rate begins as if it had just been used."""


class FarPeer:
    """The owner of a session's transport, without one."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.to_write = False
        self.writable = True
        self.adopted = 0

    @property
    def can_send(self) -> bool:
        return self.session.state in (State.BOUND_TX, State.BOUND_TRX)

    @property
    def is_bound(self) -> bool:
        raise AssertionError("the pool asks what it may send")

    @property
    def state_name(self) -> str:
        raise AssertionError("the pool asks what it may send")

    def flush(self) -> None:
        raise AssertionError("the pool writes nothing itself")

    @property
    def has_answered(self) -> bool:
        return self.session.has_answered

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        return False

    def enquire(self) -> None:
        self.session.enquire()

    def write(self, octets: bytes, attempt: Attempt, now: float) -> None:
        self.session.request(octets, attempt, now)

    def tell(self, note: Note) -> None:
        raise AssertionError("the pool has nothing to tell")

    def rebind(self) -> None:
        raise AssertionError("the pool ends no session")

    def adopt(self) -> None:
        self.adopted += 1


def bind_settings(
    name: str = "telia-1",
    rate: Rate | None = FIFTY,
    window: int | None = 100,
    type: BindType = "transceiver",
    **more: object,
) -> BindSettings:
    return BindSettings(
        name=BindName(name),
        addresses=(Address(host="smsc", port=2775),),
        system_id="agg",
        password="pw",
        rate=rate,
        window=window,
        type=type,
        **more,  # type: ignore[arg-type]
    )


def operator_of(*binds: BindSettings, rate: Rate | None = None) -> Operator:
    return Operator(OperatorSettings(name=TELIA, binds=binds, rate=rate), START)


def come_up(bind: Bind, now: float = START, command: int = v.BIND_TRANSCEIVER) -> Session:
    session = Session(Side.ESME, TIMERS, 70_000, now)
    session.bind(command, system_id=b"agg", password=b"pw")
    session.receive(p.response(command, 1, body=b"smsc\0"), now)
    session.take_octets()
    bind.operator.came_up(bind, FarPeer(session), now)
    return session


def paced(bind: Bind) -> Pace:
    """The pace of a bind that sends."""
    assert bind.pace is not None
    return bind.pace


def message() -> Message:
    octets = p.sm(v.SUBMIT_SM, 0, destination=(1, 1, b"37255512345"))
    return Message(
        router_id=RouterId(100),
        client_id=ClientId(b"100"),
        account=AccountName("bank"),
        lane=LaneName("otp"),
        plan=PLAN,
        command_id=v.SUBMIT_SM,
        octets=octets,
        source_octets=b"",
        destination_octets=b"",
        registered_delivery=0,
        accepted_at=START,
        accepted_utc=0.0,
        expires_utc=NEVER,
    )


def send(operator: Operator, now: float) -> Attempt:
    """Send one on whatever bind is ready."""
    bind = operator.ready_bind(now)
    assert bind is not None
    one = message()
    operator.send(bind, one, one.octets, now)
    return next(reversed(bind.unanswered))


def send_alone(operator: Operator, now: float) -> Attempt:
    """Send one that is written in a turn of its own."""
    attempt = send(operator, now)
    attempt.bind.batch = None
    return attempt


def answer(attempt: Attempt, now: float) -> None:
    peer = attempt.bind.peer
    assert isinstance(peer, FarPeer)
    session = peer.session
    (number,) = [n for n, entry in session.unanswered.items() if entry[1] is attempt]
    session.receive(p.response(v.SUBMIT_SM, number, body=b"1\0"), now)
    attempt.bind.operator.attempt_ended(attempt, now, answered=True)


# Available.


@pytest.mark.parametrize(
    ("command", "sends"),
    [(v.BIND_TRANSMITTER, True), (v.BIND_TRANSCEIVER, True), (v.BIND_RECEIVER, False)],
)
def test_operator_is_available_while_a_bind_is_up_that_messages_travel_on(
    command: int, sends: bool
) -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    assert not operator.is_available
    assert not bind.sends
    come_up(bind, command=command)
    assert (operator.is_available, bind.sends) == (sends, sends)
    assert (operator.ready_bind(FIRST_AT) is bind) == sends
    operator.went_down(bind, START + 5)
    assert not operator.is_available
    assert (bind.peer, bind.in_use, bind.changed_at) == (None, 0, START + 5)
    assert operator.ready_bind(FIRST_AT) is None


def test_operator_that_does_not_read_is_available_but_not_written_to() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    assert bind.peer is not None
    bind.peer.writable = False
    assert operator.is_available
    assert operator.ready_bind(FIRST_AT) is None
    assert operator.ready_at == NEVER
    bind.peer.writable = True
    operator.offer(bind, FIRST_AT)
    assert operator.ready_bind(FIRST_AT) is bind


def test_bind_that_comes_up_again_is_written_to_whatever_the_old_connection_was() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    assert bind.peer is not None
    bind.peer.writable = False
    operator.went_down(bind, FIRST_AT)
    come_up(bind, FIRST_AT)
    assert operator.ready_bind(FIRST_AT) is bind


def test_bind_without_a_rate_never_sends() -> None:
    operator = operator_of(bind_settings(rate=None))
    (bind,) = operator.binds
    come_up(bind)
    assert operator.ready_bind(FIRST_AT) is None
    assert operator.ready_at == NEVER


# Rate and window.


def test_what_is_sent_is_in_flight_until_it_lands() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    session = come_up(bind)
    attempt = send(operator, FIRST_AT)
    assert (operator.in_flight, bind.in_use, attempt.sent_at) == (1, 1, FIRST_AT)
    assert paced(bind).busiest.most(FIRST_AT) == 1
    (pdu,) = Framer(70_000).feed(session.take_octets())
    assert pdu.command_id == v.SUBMIT_SM
    answer(attempt, FIRST_AT + 0.1)
    assert (operator.in_flight, bind.in_use, attempt.over) == (0, 0, False)
    assert bind.round_trip.smallest_s == pytest.approx(0.1)


def test_bind_sends_no_more_than_its_rate_and_says_when_to_ask_again() -> None:
    operator = operator_of(bind_settings(rate=Rate(2, 1.0)))
    come_up(operator.binds[0])
    now = START
    sent: list[float] = []
    while len(sent) < 10:
        while operator.ready_bind(now) is not None:
            attempt = send(operator, now)
            answer(attempt, now)
            sent.append(now)
        assert operator.ready_at > now
        now = operator.ready_at
    for earlier, later in zip(sent, sent[2:], strict=False):
        assert later - earlier >= 1.0


def test_full_window_is_not_ready_and_an_answer_makes_it_so() -> None:
    operator = operator_of(bind_settings(window=2))
    come_up(operator.binds[0])
    first = send(operator, FIRST_AT)
    send(operator, FIRST_AT)
    assert operator.ready_bind(FIRST_AT + 0.5) is None
    assert operator.ready_at == NEVER
    answer(first, FIRST_AT + 0.6)
    assert operator.ready_bind(FIRST_AT + 0.6) is operator.binds[0]


def test_binds_send_in_turn() -> None:
    operator = operator_of(*(bind_settings(name) for name in "abc"))
    for bind in operator.binds:
        come_up(bind)
    sent = [send(operator, FIRST_AT + place / 10).bind.settings.name for place in range(6)]
    assert sorted(sent[:3]) == sorted(sent[3:]) == ["a", "b", "c"]


def test_bind_that_is_full_or_gone_leaves_the_others_all_the_work() -> None:
    operator = operator_of(bind_settings("a", window=1), bind_settings("b"), bind_settings("c"))
    for bind in operator.binds:
        come_up(bind)
    operator.went_down(operator.binds[2], FIRST_AT)
    sent = [send(operator, FIRST_AT + place / 10).bind.settings.name for place in range(6)]
    assert sorted(sent) == ["a", *"bbbbb"]


def test_rate_of_the_operator_holds_over_its_binds_together() -> None:
    operator = operator_of(bind_settings("a"), bind_settings("b"), rate=Rate(3, 1.0))
    for bind in operator.binds:
        come_up(bind)
    now = START
    sent: list[float] = []
    while len(sent) < 12:
        while operator.ready_bind(now) is not None:
            attempt = send(operator, now)
            answer(attempt, now + 0.001)
            sent.append(now)
        assert operator.ready_at > now
        now = operator.ready_at
    for earlier, later in zip(sent, sent[3:], strict=False):
        assert later - earlier >= 1.0
    assert sent[-1] - sent[0] < 12 / 3 * 1.01


def test_lost_messages_count_against_both_rates() -> None:
    operator = operator_of(bind_settings(rate=Rate(1, 1.0)), rate=Rate(1, 1.0))
    (bind,) = operator.binds
    come_up(bind)
    attempt = send(operator, FIRST_AT)
    operator.went_down(bind, FIRST_AT + 0.9)
    operator.attempt_ended(attempt, FIRST_AT + 0.9, answered=False)
    assert attempt.over
    assert operator.in_flight == 0
    assert bind.round_trip.smallest_s == NEVER
    come_up(bind, FIRST_AT + 0.95)
    free_at = FIRST_AT + 1.9 + MARGIN_S
    assert operator.ready_bind(FIRST_AT + 1.5) is None
    assert operator.ready_at == pytest.approx(free_at)
    assert paced(bind).ready_at(FIRST_AT + 1.5) == pytest.approx(free_at)
    assert operator.ready_bind(free_at + 1e-6) is bind


def test_reconnection_brings_no_new_rate() -> None:
    operator = operator_of(bind_settings(rate=Rate(2, 1.0)))
    (bind,) = operator.binds
    come_up(bind)
    now = FIRST_AT
    for _ in range(2):
        while operator.ready_bind(now) is None:
            now = operator.ready_at
        answer(send(operator, now), now)
    operator.went_down(bind, now)
    come_up(bind, now)
    assert operator.ready_bind(now) is None
    assert operator.ready_at >= FIRST_AT + 1.0


def test_bind_that_rests_sends_nothing_before_its_time() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    operator.rest(bind, FIRST_AT + 3)
    operator.rest(bind, FIRST_AT + 1)  # A shorter rest does not end the longer one.
    assert operator.ready_bind(FIRST_AT + 2.9) is None
    assert operator.ready_at == FIRST_AT + 3
    assert operator.ready_bind(FIRST_AT + 3) is bind


def test_bind_that_is_drained_sends_nothing_and_hears_what_is_in_flight() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    attempt = send(operator, FIRST_AT)
    operator.drain(bind, drained=True)
    assert (operator.is_available, bind.sends, bind.window) == (False, True, 0)
    assert operator.ready_bind(FIRST_AT + 1) is None
    answer(attempt, FIRST_AT + 1)
    assert operator.ready_bind(FIRST_AT + 1) is None
    assert (operator.in_flight, bind.in_use) == (0, 0)
    operator.drain(bind, drained=False)
    operator.offer(bind, FIRST_AT + 1)
    assert (operator.is_available, bind.window) == (True, 100)
    assert operator.ready_bind(FIRST_AT + 1) is bind


def test_bind_is_offered_once_however_often() -> None:
    operator = operator_of(bind_settings(window=1))
    (bind,) = operator.binds
    come_up(bind)
    for _ in range(5):
        operator.offer(bind, FIRST_AT)
    send(operator, FIRST_AT)
    assert operator.ready_bind(FIRST_AT) is None
    assert operator._ready == []


# The round trip.


def test_round_trip_begins_when_the_message_leaves_and_not_when_the_turn_began() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    attempt = send(operator, FIRST_AT)
    assert bind.batch is attempt.batch
    attempt.batch.left_at = FIRST_AT + 0.008  # Two hundred others were written in this turn.
    bind.batch = None
    answer(attempt, FIRST_AT + 0.03)
    assert bind.round_trip.smallest_s == pytest.approx(0.022)
    assert send(operator, FIRST_AT + 1).batch is not attempt.batch


def test_binds_to_one_host_know_the_smallest_round_trip_of_each_other() -> None:
    operator = operator_of(*(bind_settings(f"t-{n}") for n in range(3)))
    for bind, address in zip(operator.binds, ("a:1", "a:1", "b:1"), strict=True):
        bind.address = address
        come_up(bind)
    first, second, other = (bind.round_trip for bind in operator.binds)
    first.add_sample(0.02, FIRST_AT)
    second.add_sample(0.05, FIRST_AT)
    other.add_sample(0.09, FIRST_AT)
    assert (first.smallest_s, second.smallest_s, other.smallest_s) == (0.02, 0.02, 0.09)
    assert (first.mean_s, second.mean_s) == (0.02, 0.05)


def test_bind_that_has_moved_to_another_host_knows_nothing_of_it() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    bind.address = "a:1"
    come_up(bind)
    bind.round_trip.add_sample(0.02, FIRST_AT)
    bind.address = "b:1"
    come_up(bind)
    assert bind.round_trip.smallest_s == NEVER


# Room that is kept for the most urgent lane.


def kept_of(window: int) -> tuple[Operator, Bind]:
    settings = OperatorSettings(name=TELIA, binds=(bind_settings(window=window),))
    operator = Operator(settings, START, keeps_room=True)
    come_up(operator.binds[0])
    return operator, operator.binds[0]


def test_last_tenth_of_a_window_is_for_the_most_urgent_lane() -> None:
    operator, bind = kept_of(10)
    attempts = [send(operator, FIRST_AT + n) for n in range(9)]
    now = FIRST_AT + 10
    assert (operator.ready_bind(now), operator.kept_bind(now)) == (None, bind)
    operator.send(bind, message(), message().octets, now)
    assert (bind.in_use, operator.kept_bind(now + 1)) == (10, None)
    answer(attempts[0], now + 1)
    assert (operator.ready_bind(now + 1), operator.kept_bind(now + 1)) == (None, bind)
    answer(attempts[1], now + 1)
    assert operator.ready_bind(now + 1) is bind


def test_kept_room_is_within_the_rate_too() -> None:
    operator, bind = kept_of(10)
    for n in range(9):
        send(operator, FIRST_AT + n)
    now = FIRST_AT + 10
    operator.rest(bind, now + 5)
    assert operator.ready_bind(now) is None
    assert operator.kept_bind(now) is None
    assert operator.ready_at == now + 5
    assert operator.kept_bind(now + 5) is bind


def test_kept_room_is_within_the_rate_of_the_operator_too() -> None:
    settings = OperatorSettings(name=TELIA, binds=(bind_settings(window=10),), rate=Rate(10, 1.0))
    operator = Operator(settings, START, keeps_room=True)
    (bind,) = operator.binds
    come_up(bind)
    attempts = [send(operator, FIRST_AT + n) for n in range(9)]
    now = FIRST_AT + 10
    assert (operator.ready_bind(now), operator.kept_bind(now)) == (None, bind)
    operator.send(bind, message(), message().octets, now)
    answer(attempts[3], now)  # There is room again, and all ten slots are in use.
    assert (operator.ready_bind(now), operator.kept_bind(now)) == (None, None)
    assert operator.kept_bind(now + 1 + 2 * MARGIN_S) is bind


@pytest.mark.parametrize("window", [1, 2, 3])
def test_small_window_is_for_everybody(window: int) -> None:
    operator, bind = kept_of(window)
    for n in range(window):
        send(operator, FIRST_AT + n)
    assert bind.in_use == window
    assert operator.kept_bind(FIRST_AT + 10) is None


def test_bind_that_is_lost_keeps_no_room() -> None:
    operator, bind = kept_of(10)
    for n in range(9):
        send(operator, FIRST_AT + n)
    now = FIRST_AT + 10
    assert operator.ready_bind(now) is None
    operator.went_down(bind, now)
    assert operator.kept_bind(now) is None


def test_window_that_is_not_given_follows_the_round_trip() -> None:
    operator = operator_of(bind_settings(window=None))
    (bind,) = operator.binds
    come_up(bind)
    assert bind.window == 10
    for n in range(10):
        answer(send(operator, FIRST_AT + n), FIRST_AT + n + 0.8)
    operator.tick(FIRST_AT + 20)
    assert (bind.sized, bind.window) == (50, 50)
    operator.drain(bind, drained=True)
    operator.tick(FIRST_AT + 21)
    assert bind.window == 0


def test_window_that_is_not_given_is_larger_by_what_answers_have_passed() -> None:
    operator = operator_of(bind_settings(window=None))
    (bind,) = operator.binds
    come_up(bind)
    lost = [send_alone(operator, FIRST_AT + n) for n in range(3)]
    answer(send_alone(operator, FIRST_AT + 3), FIRST_AT + 3.01)
    operator.tick(FIRST_AT + 4)
    assert (bind.passed, bind.window) == (3, 13)
    answer(send_alone(operator, FIRST_AT + 4), FIRST_AT + 4.01)
    operator.attempt_ended(lost[0], FIRST_AT + 5, answered=False)
    operator.tick(FIRST_AT + 5)
    assert (bind.passed, bind.window) == (2, 12)


def test_messages_that_no_answer_has_passed_make_no_window_larger() -> None:
    operator = operator_of(bind_settings(window=None))
    (bind,) = operator.binds
    come_up(bind)
    answer(send_alone(operator, FIRST_AT), FIRST_AT + 0.01)
    for n in range(1, 10):
        send_alone(operator, FIRST_AT + n)
    operator.tick(FIRST_AT + 20)
    assert (bind.passed, bind.window) == (0, 10)


def test_full_window_that_is_not_given_is_sized_when_it_is_full() -> None:
    operator = operator_of(bind_settings(window=None))
    (bind,) = operator.binds
    come_up(bind)
    answer(send_alone(operator, FIRST_AT), FIRST_AT + 0.01)
    sent = [send_alone(operator, FIRST_AT + 0.1 * n) for n in range(1, 11)]
    assert operator.ready_bind(FIRST_AT + 1.1) is None
    answer(sent[-1], FIRST_AT + 1.2)
    assert (bind.in_use, bind.window) == (9, 10)
    send_alone(operator, FIRST_AT + 1.2)
    assert operator.ready_bind(FIRST_AT + 1.3) is bind
    assert (bind.in_use, bind.window) == (10, 19)


def test_window_that_is_given_stays_whatever_answers_have_passed() -> None:
    operator = operator_of(bind_settings(window=4))
    (bind,) = operator.binds
    come_up(bind)
    for n in range(3):
        send_alone(operator, FIRST_AT + n)
    answer(send_alone(operator, FIRST_AT + 3), FIRST_AT + 3.01)
    send_alone(operator, FIRST_AT + 4)
    assert operator.ready_bind(FIRST_AT + 5) is None
    operator.tick(FIRST_AT + 6)
    assert (bind.in_use, bind.window) == (4, 4)


def test_what_answers_have_passed_takes_no_more_room_for_the_most_urgent_lane() -> None:
    operator = Operator(
        OperatorSettings(name=TELIA, binds=(bind_settings(window=None),)), START, keeps_room=True
    )
    (bind,) = operator.binds
    come_up(bind)
    for n in range(8):
        send_alone(operator, FIRST_AT + n * 0.1)
    for n in (8, 9):
        answer(send_alone(operator, FIRST_AT + n * 0.1), FIRST_AT + n * 0.1 + 0.01)
    operator.tick(FIRST_AT + 1)
    for n in range(10, 18):
        send_alone(operator, FIRST_AT + n * 0.1)
    answer(send_alone(operator, FIRST_AT + 1.8), FIRST_AT + 1.81)
    operator.tick(FIRST_AT + 2)
    assert (bind.passed, bind.window, bind.window - bind.common) == (16, 26, 1)


# The end of a session's life.


def test_bind_that_has_sent_its_messages_retires_and_sends_no_more() -> None:
    operator = operator_of(bind_settings(max_messages=2))
    (bind,) = operator.binds
    come_up(bind)
    first = send(operator, FIRST_AT)
    assert (bind.retires, operator.is_available) == (False, True)
    second = send(operator, FIRST_AT + 0.5)
    assert (bind.retires, bind.window, operator.is_available) == (True, 0, False)
    answer(first, FIRST_AT + 0.6)
    answer(second, FIRST_AT + 0.6)
    assert operator.ready_bind(FIRST_AT + 2) is None
    operator.went_down(bind, FIRST_AT + 1)
    come_up(bind, FIRST_AT + 1)
    assert (bind.retires, bind.window) == (False, 100)
    assert operator.ready_bind(FIRST_AT + 2) is bind


def test_bind_whose_time_is_over_retires_when_it_is_asked() -> None:
    operator = operator_of(bind_settings(max_age_s=60.0))
    (bind,) = operator.binds
    come_up(bind)
    assert not operator.retire(bind, START + 59.9)
    assert operator.retire(bind, START + 60)
    assert not operator.is_available


def test_binds_of_one_operator_retire_one_after_the_other() -> None:
    operator = operator_of(*(bind_settings(f"t-{n}", max_age_s=100.0) for n in range(2)))
    first, second = operator.binds
    come_up(first)
    come_up(second)
    assert operator.retire(second, START + 96)  # It may, and nobody else is away.
    assert operator.retire(first, START + 100)  # It must.
    operator.went_down(first, START + 101)
    come_up(first, START + 101)
    operator.went_down(second, START + 101)
    assert not operator.retire(first, START + 200)
    come_up(second, START + 200)
    operator.went_down(first, START + 201)
    assert not operator.retire(second, START + 296)  # It may, but the other one is away.


def test_bind_without_an_end_never_retires() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    assert not operator.retire(bind, START + 1e9)


# The bind that other parts of a long message went to.


@pytest.mark.parametrize(
    ("settings", "after_s"),
    [(bind_settings(rate=Rate(1, 1.0)), 0.5), (bind_settings(window=1), 5.0)],
    ids=["rate", "window"],
)
def test_preferred_bind_is_within_its_rate_and_window_too(
    settings: BindSettings, after_s: float
) -> None:
    operator = operator_of(settings, bind_settings("telia-2"))
    first, other = operator.binds
    come_up(first)
    attempt = send(operator, FIRST_AT)
    assert attempt.bind is first
    come_up(other)
    now = FIRST_AT + after_s
    assert operator.ready_bind(now) is other
    assert operator.prefer(first, other, now) is other
    answer(attempt, now)
    later = now + 2.0
    assert operator.ready_bind(later) is other
    assert operator.prefer(first, other, later) is first


def test_what_a_lost_connection_did_not_write_is_no_measure_of_the_next() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    come_up(bind)
    send(operator, FIRST_AT)
    operator.went_down(bind, FIRST_AT)
    come_up(bind, FIRST_AT + 5)
    assert send(operator, FIRST_AT + 6).batch.left_at == FIRST_AT + 6
