"""router/forward/pool.py: an operator goes on with other settings, and loses nothing by it.

What becomes of the rates: tests/property/test_pacing.py.
"""

from dataclasses import replace

import pytest

from router.forward.breaker import BreakerState
from router.forward.pacing import MARGIN_S
from router.forward.pool import Bind, BindChanges, Operator
from router.terms.limits import Rate
from router.terms.settings import (
    Address,
    BindSettings,
    BreakerSettings,
    OperatorSettings,
    OperatorTlsSettings,
    OutbindSettings,
)
from tests.unit.forward.test_pool import (
    FIRST_AT,
    START,
    TELIA,
    FarPeer,
    answer,
    bind_settings,
    come_up,
    message,
    paced,
    send,
    send_alone,
)

ELSEWHERE = Address(host="elsewhere", port=2775)
A, B, C = (bind_settings(name) for name in "abc")


def settings_of(*binds: BindSettings, **more: object) -> OperatorSettings:
    return OperatorSettings(name=TELIA, binds=binds, **more)  # type: ignore[arg-type]


def bound(*binds: BindSettings, **more: object) -> Operator:
    operator = Operator(settings_of(*binds, **more), START)
    for bind in operator.binds:
        come_up(bind)
    return operator


def names(binds: tuple[Bind, ...]) -> str:
    return "".join(bind.settings.name for bind in binds)


def told(changes: BindChanges) -> tuple[str, str, str]:
    """The names of the binds that are added, renewed and removed."""
    return names(changes.added), names(changes.renewed), names(changes.removed)


# Which binds.


@pytest.mark.parametrize(
    ("after", "changes"),
    [
        ((A, B), ("", "", "")),
        ((B, A), ("", "", "")),
        ((A, B, C), ("c", "", "")),
        ((C, A, B), ("c", "", "")),
        ((B,), ("", "", "a")),
        ((C, replace(B, password="new")), ("c", "b", "a")),
        ((), ("", "", "ab")),
    ],
    ids=["same", "reordered", "added", "added first", "removed", "all at once", "none left"],
)
def test_binds_are_known_by_name_and_follow_the_new_order(
    after: tuple[BindSettings, ...], changes: tuple[str, str, str]
) -> None:
    operator = bound(A, B)
    before = {bind.settings.name: bind for bind in operator.binds}
    assert told(operator.adopt(settings_of(*after), FIRST_AT)) == changes
    assert [bind.settings for bind in operator.binds] == list(after)
    for bind in operator.binds:
        assert before.get(bind.settings.name, bind) is bind


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": (ELSEWHERE,)},
        {"outbind": OutbindSettings(listen=ELSEWHERE, system_id="smsc", password="secret")},
        {"system_id": "other"},
        {"password": "other"},
        {"type": "transmitter"},
        {"system_type": "other"},
        {"interface_version": 0x50},
        {"source_address": "10.0.0.1"},
        {"addr_ton": 1},
        {"addr_npi": 1},
        {"address_range": "^372"},
        {"tls": OperatorTlsSettings()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_said_when_binding_needs_a_new_session(change: dict[str, object]) -> None:
    operator = bound(A, B)
    bind = operator.binds[0]
    bind.failures = 3
    bind.troubles.is_news("a:1", "refused", START)
    new = replace(A, **change)  # type: ignore[arg-type]
    assert told(operator.adopt(settings_of(new, B), FIRST_AT)) == ("", "a", "")
    assert (bind.settings, bind.failures) == (new, 0)
    assert bind.troubles.is_news("a:1", "refused", START)


@pytest.mark.parametrize(
    "change",
    [
        {"rate": Rate(7, 1.0)},
        {"window": 7},
        {"window": None},
        {"enquire_link_s": 7.0},
        {"max_messages": 7},
        {"max_age_s": 7.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_router_alone_keeps_to_changes_in_place(change: dict[str, object]) -> None:
    operator = bound(A, B)
    new = replace(A, **change)  # type: ignore[arg-type]
    assert told(operator.adopt(settings_of(new, B), FIRST_AT)) == ("", "", "")
    assert operator.binds[0].settings == new
    first, second = (bind.peer for bind in operator.binds)
    assert isinstance(first, FarPeer)
    assert isinstance(second, FarPeer)
    assert (first.adopted, second.adopted) == (1, 0)


def test_bind_that_is_added_is_used_when_it_is_bound() -> None:
    operator = bound(A)
    (added,) = operator.adopt(settings_of(A, B), START + 10).added
    come_up(added, START + 10)
    assert operator.ready_bind(START + 10) is operator.binds[0]
    assert (
        paced(added).ready_at(START + 10) == START + 11 + MARGIN_S
    )  # As if it had just been used.


# A bind that is removed.


def test_bind_that_is_removed_sends_no_more_and_its_answers_still_count() -> None:
    operator = bound(A, B, rate=Rate(100, 1.0))
    sent = [send(operator, FIRST_AT + n / 10) for n in range(2)]
    (gone,) = operator.adopt(settings_of(B, rate=Rate(100, 1.0)), FIRST_AT + 0.2).removed
    (attempt,) = (one for one in sent if one.bind is gone)
    assert (gone.window, gone.in_use, operator.in_flight) == (0, 1, 2)
    for n in range(20):
        assert send(operator, FIRST_AT + 0.3 + n / 10).bind is operator.binds[0]
    answer(attempt, FIRST_AT + 3)
    assert (gone.in_use, operator.in_flight) == (0, 21)
    assert not operator.succeeded(gone)
    assert operator.prefer(gone, operator.binds[0], FIRST_AT + 4) is operator.binds[0]


def test_bind_that_is_removed_and_lost_gives_back_what_was_in_flight() -> None:
    operator = bound(A, B)
    attempts = [send(operator, FIRST_AT + n / 10) for n in range(2)]
    changes = operator.adopt(settings_of(), FIRST_AT + 0.2)
    assert (operator.is_available, operator.is_up) == (False, False)
    for bind in changes.removed:
        operator.went_down(bind, FIRST_AT + 1)
    for attempt in attempts:
        operator.attempt_ended(attempt, FIRST_AT + 1, answered=False)
        assert not operator.failed(attempt.bind, FIRST_AT + 1)
    assert (operator.in_flight, [bind.in_use for bind in changes.removed]) == (0, [0, 0])


def test_bind_that_is_removed_may_be_bound_and_retire_and_sends_nothing() -> None:
    operator = bound(replace(A, max_age_s=60.0), B)
    (gone,) = operator.adopt(settings_of(B), FIRST_AT).removed
    operator.went_down(gone, FIRST_AT)
    come_up(gone, FIRST_AT)
    assert operator.retire(gone, FIRST_AT + 60)
    operator.drain(gone, drained=False)
    operator.offer(gone, FIRST_AT + 61)
    assert gone.window == 0
    assert operator.ready_bind(FIRST_AT + 61) is operator.binds[0]


def test_name_that_comes_back_is_another_bind() -> None:
    operator = bound(A, B)
    (gone,) = operator.adopt(settings_of(B), FIRST_AT).removed
    (added,) = operator.adopt(settings_of(A, B), FIRST_AT + 1).added
    assert added is not gone
    assert operator.binds[0] is added
    assert gone.removed
    assert not added.removed


# Windows and lives.


def test_window_that_shrinks_is_kept_to_when_enough_is_answered() -> None:
    operator = bound(A)
    attempts = [send(operator, FIRST_AT + n / 10) for n in range(3)]
    operator.adopt(settings_of(replace(A, window=2)), FIRST_AT + 1)
    (bind,) = operator.binds
    assert (bind.window, bind.in_use) == (2, 3)
    answer(attempts[0], FIRST_AT + 1)
    assert operator.ready_bind(FIRST_AT + 1) is None
    answer(attempts[1], FIRST_AT + 1)
    assert operator.ready_bind(FIRST_AT + 1) is bind


def test_window_that_grows_has_room_at_once() -> None:
    operator = bound(replace(A, window=1))
    send(operator, FIRST_AT)
    assert operator.ready_bind(FIRST_AT + 0.5) is None
    operator.adopt(settings_of(replace(A, window=2)), FIRST_AT + 0.5)
    assert operator.ready_bind(FIRST_AT + 0.5) is operator.binds[0]


def test_window_that_is_no_longer_given_is_sized() -> None:
    operator = bound(A)
    for n in range(10):
        answer(send(operator, FIRST_AT + n), FIRST_AT + n + 0.8)
    operator.adopt(settings_of(replace(A, window=None)), FIRST_AT + 20)
    assert operator.binds[0].window == 50


def test_bind_that_is_drained_stays_so() -> None:
    operator = bound(A)
    (bind,) = operator.binds
    operator.drain(bind, drained=True)
    operator.adopt(settings_of(replace(A, window=20)), FIRST_AT)
    assert bind.window == 0
    operator.drain(bind, drained=False)
    assert bind.window == 20


def test_window_that_is_given_now_has_no_places_for_what_answers_have_passed() -> None:
    operator = Operator(settings_of(replace(A, window=None)), START, keeps_room=True)
    (bind,) = operator.binds
    come_up(bind)
    for n in range(8):
        send_alone(operator, FIRST_AT + n * 0.1)
    answer(send_alone(operator, FIRST_AT + 0.8), FIRST_AT + 0.81)
    operator.tick(FIRST_AT + 1)
    assert bind.passed == 8
    operator.adopt(settings_of(replace(A, window=10)), FIRST_AT + 1)
    assert (bind.window, bind.common) == (10, 9)


def test_session_that_has_sent_more_than_it_may_now_retires() -> None:
    operator = bound(A, B)
    for n in range(6):
        answer(send(operator, FIRST_AT + n), FIRST_AT + n)
    operator.adopt(settings_of(replace(A, max_messages=3), B), FIRST_AT + 10)
    first, second = operator.binds
    assert (first.retires, first.window, second.retires) == (True, 0, False)


def test_session_that_may_last_as_long_as_it_likes_does_not_retire() -> None:
    operator = bound(replace(A, max_messages=2, max_age_s=60.0))
    (bind,) = operator.binds
    send(operator, FIRST_AT)
    operator.adopt(settings_of(A), FIRST_AT + 1)
    send(operator, FIRST_AT + 1)
    assert not operator.retire(bind, FIRST_AT + 100)


# Rates.


def test_rate_of_a_bind_follows_and_its_slots_stay_used() -> None:
    operator = bound(replace(A, rate=Rate(2, 1.0)))
    (bind,) = operator.binds
    answer(send(operator, FIRST_AT), FIRST_AT)
    answer(send(operator, FIRST_AT + 0.5), FIRST_AT + 0.5)
    operator.adopt(settings_of(replace(A, rate=Rate(1, 1.0))), FIRST_AT + 0.5)
    assert bind.per_second(FIRST_AT + 0.5) == 1.0
    assert paced(bind).ready_at(FIRST_AT + 1.2) == pytest.approx(FIRST_AT + 1.5 + MARGIN_S)


def test_faster_rate_is_not_waited_for_as_long_as_the_slower_one() -> None:
    operator = bound(replace(A, rate=Rate(1, 60.0)))
    assert operator.ready_bind(FIRST_AT) is None
    assert operator.ready_at == pytest.approx(START + 60 + MARGIN_S)
    operator.adopt(settings_of(replace(A, rate=Rate(1, 1.0))), FIRST_AT)
    assert operator.ready_bind(FIRST_AT + 0.1) is operator.binds[0]


def test_rate_that_a_bind_loses_or_gets_stops_or_starts_it() -> None:
    operator = bound(A)
    (bind,) = operator.binds
    attempt = send(operator, FIRST_AT)
    operator.adopt(settings_of(replace(A, rate=None, type="receiver")), FIRST_AT)
    assert operator.ready_bind(FIRST_AT + 1) is None
    answer(attempt, FIRST_AT + 1)
    operator.adopt(settings_of(A), FIRST_AT + 10)
    assert paced(bind).ready_at(FIRST_AT + 10) == FIRST_AT + 11 + MARGIN_S
    assert operator.ready_bind(FIRST_AT + 12) is bind


def test_rate_of_the_operator_that_appears_holds_over_its_binds_and_goes_again() -> None:
    operator = bound(A, B)
    before = send(operator, FIRST_AT)
    operator.adopt(settings_of(A, B, rate=Rate(2, 1.0)), FIRST_AT)
    answer(before, FIRST_AT + 0.1)  # It has no slot of this rate.
    assert operator.ready_bind(FIRST_AT + 0.9) is None
    assert operator.ready_at == pytest.approx(FIRST_AT + 1 + MARGIN_S)
    during = [send(operator, FIRST_AT + 2), send(operator, FIRST_AT + 2.6)]
    assert operator.ready_bind(FIRST_AT + 2.9) is None
    operator.adopt(settings_of(A, B), FIRST_AT + 2.9)
    assert operator.pacer is None
    assert operator.ready_bind(FIRST_AT + 2.9) is not None
    operator.adopt(settings_of(A, B, rate=Rate(1, 1.0)), FIRST_AT + 3)
    for attempt in during:
        answer(attempt, FIRST_AT + 3.1)  # Its slot was one of another pacer.
    assert operator.ready_bind(FIRST_AT + 3.9) is None
    assert operator.ready_bind(FIRST_AT + 4.1) is not None


def test_rate_of_the_operator_knows_the_ways_of_its_new_binds() -> None:
    operator = bound(A, rate=Rate(2, 1.0))
    operator.adopt(settings_of(A, B, rate=Rate(3, 1.0)), FIRST_AT)
    assert operator.pacer is not None
    assert operator.pacer.rate == Rate(3, 1.0)
    assert list(operator.pacer._sharing) == [bind.round_trip for bind in operator.binds]


def test_rate_of_a_number_appears_changes_and_goes() -> None:
    operator = bound(A)
    operator.adopt(settings_of(A, destination_rate=Rate(1, 10.0)), FIRST_AT)
    number, one = message().destination_octets, message().router_id
    answer(send(operator, FIRST_AT), FIRST_AT)
    assert operator.destinations is not None
    assert operator.destinations.ask(number, one, FIRST_AT) == FIRST_AT + 10 + MARGIN_S
    operator.adopt(settings_of(A, destination_rate=Rate(2, 10.0)), FIRST_AT)
    assert operator.destinations.ask(number, one, FIRST_AT) == FIRST_AT
    operator.adopt(settings_of(A), FIRST_AT)
    assert operator.destinations is None
    answer(send(operator, FIRST_AT + 1), FIRST_AT + 1)


# Breakers.


def failed(operator: Operator, now: float, times: int = 5) -> None:
    """So many messages fail on each bind."""
    for _ in range(times):
        for bind in operator.binds:
            operator.failed(bind, now)


def test_breaker_that_is_open_stays_so_and_rests_no_longer_than_it_may() -> None:
    operator = bound(A, B, breaker=BreakerSettings(rest_s=60.0))
    failed(operator, FIRST_AT)
    whole = operator.circuit.whole
    assert (whole.state, whole.until) == (BreakerState.OPEN, FIRST_AT + 60)
    changed = settings_of(B, C, breaker=BreakerSettings(rest_s=10.0, longest_s=20.0))
    operator.adopt(changed, FIRST_AT + 1)
    assert (whole.state, whole.until) == (BreakerState.OPEN, FIRST_AT + 21)
    kept, added = operator.binds
    come_up(added, FIRST_AT + 1)
    assert (kept.breaker.state, added.breaker.state) == (BreakerState.OPEN, BreakerState.CLOSED)
    assert (kept.window, added.window) == (0, 0)
    operator.tick(FIRST_AT + 21)
    assert (operator.circuit.probe, added.window) == (kept, 0)


def test_bind_that_tries_for_all_and_is_removed_leaves_that_to_another() -> None:
    operator = bound(A, B)
    failed(operator, FIRST_AT)
    operator.tick(FIRST_AT + 10)
    assert operator.circuit.probe is operator.binds[0]
    operator.adopt(settings_of(B), FIRST_AT + 11)
    assert operator.binds[0].window == 0
    operator.tick(FIRST_AT + 12)
    assert operator.binds[0].window == 1


def test_operator_that_is_never_left_alone_any_more_sends_at_once() -> None:
    operator = bound(A, B)
    failed(operator, FIRST_AT)
    assert not operator.is_available
    operator.adopt(settings_of(A, B, breaker=None), FIRST_AT + 1)
    assert operator.ready_bind(FIRST_AT + 1) is not None
    failed(operator, FIRST_AT + 2, times=50)
    assert operator.is_available


def test_fewer_failures_are_enough_from_now_on() -> None:
    operator = bound(A, breaker=BreakerSettings(failures=5, of=10))
    failed(operator, FIRST_AT, times=2)
    operator.adopt(settings_of(A, breaker=BreakerSettings(failures=3, of=4)), FIRST_AT)
    failed(operator, FIRST_AT, times=1)
    assert operator.circuit.whole.state is BreakerState.OPEN
    assert operator.binds[0].breaker.state is BreakerState.OPEN
