"""router/forward/suspects.py: what waits apart, in its order, and which bind tries it."""

from router.forward.suspects import (
    OTHER_BIND_S,
    PROVEN_S,
    REST_S,
    SLOW_S,
    STUCK_S,
    Aside,
    Suspects,
    Trial,
    is_new,
    may_try,
    unproven,
)
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.states import QUEUE, SETTLE
from router.terms.suspicion import Suspicion
from tests.unit.forward.test_pool import START, message

NOW_UTC = 1.8e9


class ABind:
    """A bind as far as trials go."""

    def __init__(self, in_use: int = 0, changed_at: float = START) -> None:
        self.trial: Trial | None = None
        self.changed_at = changed_at
        self.in_use = in_use
        self.sends = True
        self.window = 10


def waiting(number: int = 1, falls: int = 0, expires_utc: float = float("inf")) -> Message:
    one = message()
    one.router_id = type(one.router_id)(number)
    one.expires_utc = expires_utc
    one.enter(QUEUE)
    one.suspicion = Suspicion(START)
    one.suspicion.falls = falls
    return one


def taken(aside: Aside) -> list[int]:
    expired: list[Message] = []
    found = []
    while (one := aside.take(NOW_UTC, expired)) is not None:
        found.append(int(one.router_id))
    return found


def test_fewer_falls_go_first_then_the_urgent_lane_then_the_older() -> None:
    aside = Aside()
    for one, urgency in (
        (waiting(1, falls=1), 0),
        (waiting(4), 1),
        (waiting(3), 1),
        (waiting(5), 0),
    ):
        aside.add(one, urgency)
    assert taken(aside) == [5, 3, 4, 1]


def test_what_has_expired_or_is_over_is_not_taken() -> None:
    aside, expired = Aside(), list[Message]()
    old, over, good = waiting(1, expires_utc=NOW_UTC), waiting(2), waiting(3)
    for one in (old, over, good):
        aside.add(one, 0)
    over.enter(SETTLE)
    assert aside.take(NOW_UTC, expired) is good
    assert expired == [old]
    aside.add(waiting(4, expires_utc=NOW_UTC), 0)
    assert [int(one.router_id) for one in aside.expire(NOW_UTC)] == [4]
    assert not aside.waiting


def test_only_those_leave_that_may() -> None:
    aside = Aside()
    for number in (3, 1, 2):
        aside.add(waiting(number), 0)
    assert [int(m.router_id) for m in aside.leave(lambda m: m.router_id != 2)] == [1, 3]
    assert taken(aside) == [2]


def test_another_bind_tries_when_the_lost_one_does_not_come_back() -> None:
    suspects, busy, idle = Suspects(), ABind(in_use=3), ABind(in_use=1)
    suspects.suspect(waiting(), 0, START, fell_here=True)
    assert suspects.bind_to_try([busy, idle], START + OTHER_BIND_S - 0.1) is None
    assert suspects.ready_at == START + OTHER_BIND_S
    assert suspects.bind_to_try([busy, idle], START + OTHER_BIND_S) is idle
    assert suspects.bind_to_try([], START + OTHER_BIND_S) is None
    busy.trial = Trial(START, is_proven=True)
    assert suspects.bind_to_try([busy, idle], START + OTHER_BIND_S) is None


def test_an_operator_whose_sessions_did_not_fall_tries_at_once() -> None:
    suspects, idle = Suspects(), ABind()
    suspects.suspect(waiting(), 0, START, fell_here=False)
    assert suspects.bind_to_try([idle], START) is idle


def test_a_bind_is_new_that_came_after_the_fall_and_has_nothing_in_flight() -> None:
    assert is_new(ABind(changed_at=START), START)
    assert not is_new(ABind(changed_at=START - 1), START)
    assert not is_new(ABind(in_use=1), START)


def test_a_suspect_goes_alone_on_a_session_that_has_answered() -> None:
    bind = ABind()
    assert not may_try(bind)
    bind.trial = trial = Trial(START, is_proven=False)
    assert not may_try(bind)
    trial.is_proven = True
    assert may_try(bind)
    bind.in_use = 1  # Something ordinary.
    assert not may_try(bind)
    bind.in_use = 0
    assert may_try(bind)
    trial.wrote(START)
    bind.in_use = 1
    assert not may_try(bind)
    bind.window = 0
    bind.in_use = 0
    assert not may_try(bind)


def went_well(trial: Trial, bind: ABind, took_s: float, now: float) -> int:
    """Have a group go and be answered; return how many went together."""
    while may_try(bind):
        trial.wrote(now)
        bind.in_use += 1
    size = bind.in_use
    for _ in range(size):
        bind.in_use -= 1
        trial.ended(took_s, now + took_s)
    return size


def test_suspects_go_in_groups_that_grow_where_answers_are_slow() -> None:
    bind = ABind()
    bind.trial = trial = Trial(START, is_proven=True)
    assert [went_well(trial, bind, SLOW_S, START) for _ in range(3)] == [1, 1, 1]
    assert [went_well(trial, bind, 1.0, START) for _ in range(5)] == [1, 2, 4, 8, bind.window]


def test_urgent_messages_get_as_much_time_as_a_slow_suspect_took() -> None:
    trial = Trial(START, is_proven=True)
    trial.wrote(START)
    assert not trial.takes_urgent(START)
    trial.ended(SLOW_S / 2, START + 1)
    assert trial.takes_urgent(START + 1)
    assert not trial.takes_urgent(START + 1.01)
    trial.wrote(START + 1)
    trial.ended(3.0, START + 4)
    assert trial.takes_urgent(START + 7)
    assert not trial.takes_urgent(START + 7.1)


def test_a_bind_on_which_something_stays_unanswered_takes_ordinary_messages_for_a_while() -> None:
    trial = Trial(START, is_proven=True)
    trial.wrote(START)
    assert trial.look(1, 0.02, START + STUCK_S - 0.1) == START + STUCK_S
    assert not trial.is_free
    assert trial.look(1, 0.02, START + STUCK_S) == START + STUCK_S + REST_S
    assert trial.is_free
    assert trial.takes_urgent(START + 3)
    trial.look(9, 0.02, START + STUCK_S + REST_S)
    assert not trial.is_free
    assert trial.look(9, 1.0, START + STUCK_S + REST_S + 4.9) == START + STUCK_S + REST_S + 5.0


def test_a_message_with_which_a_session_fell_is_tried_on_another_bind() -> None:
    suspects, first, second = Suspects(), ABind(), ABind()
    one = waiting()
    suspects.fell_alone(one, first, 0)
    suspects.suspect(one, 0, START, fell_here=True)
    assert not suspects.may_go_on(first, [first, second])
    assert suspects.may_go_on(second, [first, second])
    assert suspects.may_go_on(first, [first])
    assert suspects.bind_to_try([first, second], START) is second  # And at once.


def test_a_session_that_lives_for_long_is_trusted() -> None:
    bind = ABind()
    bind.trial = Trial(START, is_proven=False)
    assert unproven([bind], START + PROVEN_S - 0.1) == []
    assert unproven([bind], START + PROVEN_S) == [bind.trial]


def test_falls_count_against_a_message_only_while_others_are_answered() -> None:
    suspects, bind, one, other = Suspects(), ABind(), waiting(1), waiting(2)
    suspicion = one.suspicion
    assert suspicion is not None
    for answered in (0, 0, 0, 1, 1):
        suspects.fell_alone(one, bind, answered)
    assert (suspicion.falls, suspicion.charges, suspicion.falls_in_a_row) == (5, 2, 5)
    suspects.fell_alone(other, bind, 1)
    suspects.fell_alone(one, bind, 2)
    assert (suspicion.falls, suspicion.charges, suspicion.falls_in_a_row) == (6, 3, 1)
    assert not suspicion.ends_others
    suspicion.at(OperatorName("elisa"), 7)
    suspicion.at(OperatorName("telia"), 7)
    suspects.fell_alone(one, bind, 7)
    assert not suspicion.ends_others
    suspects.fell_alone(one, bind, 8)
    assert suspicion.ends_others
