"""router/forward/reconnect.py: which host is next, and after what wait."""

import pytest

from router.forward.pool import Operator
from router.forward.reconnect import (
    LASTED_S,
    MOST_TRIED,
    ConnectionAttempts,
    reconnect_wait_s,
)
from router.smpp import vocabulary as v
from router.terms.names import BindName, OperatorName
from router.terms.settings import Address, BindSettings, OperatorSettings, ReconnectSettings


def attempts_at(*hosts: str) -> ConnectionAttempts:
    bind = BindSettings(
        name=BindName("telia-1"),
        addresses=tuple(Address(host=host, port=2775) for host in hosts),
        system_id="agg",
        password="pw",
        type="receiver",
    )
    reconnect = ReconnectSettings(first_s=1.0, longest_s=30.0)
    settings = OperatorSettings(name=OperatorName("telia"), binds=(bind,), reconnect=reconnect)
    return ConnectionAttempts(Operator(settings, 0.0).binds[0])


def ended(
    attempts: ConnectionAttempts,
    *,
    was_bound: bool = False,
    status: int | None = None,
    retired: bool = False,
    lasted_s: float = 0.0,
) -> float:
    """The wait after this, without any chance in it."""
    return attempts.wait_s(
        was_bound=was_bound, status=status, retired=retired, lasted_s=lasted_s, spread=1.0
    )


def test_waits_between_attempts_double_up_to_the_longest() -> None:
    attempts = attempts_at("a")
    assert [ended(attempts) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    reconnect = ReconnectSettings(first_s=1.0, longest_s=30.0)
    assert reconnect_wait_s(reconnect, 10_000, refused=False, spread=1.0) == 30


def test_bind_that_held_for_a_while_begins_anew_with_the_waits() -> None:
    attempts = attempts_at("a")
    for _ in range(5):
        ended(attempts)
    assert ended(attempts, was_bound=True, lasted_s=LASTED_S) == 30
    assert ended(attempts, was_bound=True, lasted_s=LASTED_S + 0.1) == 1


def test_attempt_that_takes_long_and_is_not_bound_is_a_failure_like_others() -> None:
    attempts = attempts_at("a")
    assert [ended(attempts, lasted_s=LASTED_S + 20.0) for _ in range(3)] == [1, 2, 4]


@pytest.mark.parametrize("refused", [False, True])
def test_waits_are_spread_over_their_upper_half(refused: bool) -> None:
    reconnect = ReconnectSettings(first_s=4.0, longest_s=30.0)
    waits = [reconnect_wait_s(reconnect, 0, refused=refused, spread=s) for s in (0.0, 0.5, 1.0)]
    whole = 300 if refused else 4
    assert waits == [whole / 2, whole * 0.75, whole]


@pytest.mark.parametrize(
    ("status", "wait_s"),
    [
        *((v.ESME_RINVPASWD, 300), (v.ESME_RINVSYSID, 300), (v.ESME_RINVSYSTYP, 300)),
        *((v.ESME_RALYBND, 1), (v.ESME_RBINDFAIL, 1), (v.ESME_RSYSERR, 1), (0x400, 1)),
    ],
)
def test_only_refused_credentials_make_the_wait_long(status: int, wait_s: float) -> None:
    assert ended(attempts_at("a"), status=status) == wait_s


def test_hosts_are_tried_in_turn_without_a_wait_until_all_were() -> None:
    attempts = attempts_at("a", "b", "c")
    tried = []
    for another_at_once in (True, True, False, True, True, False):
        tried.append(attempts.address.host)
        assert attempts.unreachable() == another_at_once
    assert tried == ["a", "b", "c", "a", "b", "c"]


def test_host_that_has_bound_us_is_the_first_again() -> None:
    attempts = attempts_at("a", "b")
    attempts.unreachable()
    attempts.connected()
    ended(attempts, was_bound=True)
    assert attempts.address.host == "b"


@pytest.mark.parametrize("was_bound", [False, True])
def test_host_that_does_not_answer_the_bind_gives_way_to_the_next(was_bound: bool) -> None:
    attempts = attempts_at("a", "b")
    attempts.connected()
    ended(attempts, was_bound=was_bound)
    assert attempts.address.host == ("a" if was_bound else "b")


def test_round_without_any_host_ends_where_it_began() -> None:
    attempts = attempts_at("a", "b")
    for _ in range(2):
        attempts.unreachable()
    ended(attempts)
    assert attempts.address.host == "a"


def test_after_a_refusal_the_next_host_has_its_turn() -> None:
    attempts = attempts_at("a", "b")
    attempts.connected()
    ended(attempts, status=v.ESME_RBINDFAIL)
    assert attempts.address.host == "b"
    attempts.connected()
    assert attempts.unreachable()  # And the other one is tried at once.


def test_session_that_has_lived_its_life_is_followed_by_another_at_once() -> None:
    attempts = attempts_at("a")
    ended(attempts)
    assert ended(attempts, was_bound=True, retired=True, lasted_s=1.0) == 0
    assert ended(attempts) == 2  # It was no failure, and no cure.


# The addresses of a name.

SIX, FOUR, OTHER = "2001:db8::1", "192.0.2.1", "192.0.2.2"


def tried(attempts: ConnectionAttempts, *found: str) -> str:
    """The address that is tried first of those that the name stands for."""
    number = attempts.in_turn(found)[0]
    attempts.tries(number)
    return number


def test_all_addresses_of_a_name_are_tried_each_once_in_the_resolvers_order() -> None:
    attempts = attempts_at("smsc.example")
    assert attempts.in_turn([SIX, FOUR, SIX, OTHER]) == [SIX, FOUR, OTHER]
    assert attempts.in_turn([]) == []


@pytest.mark.parametrize("status", [None, v.ESME_RBINDFAIL])
def test_next_attempt_goes_on_with_the_address_that_was_not_tried_for_longest(
    status: int | None,
) -> None:
    attempts = attempts_at("smsc.example")
    answers = [(SIX, FOUR, OTHER), (FOUR, SIX, OTHER), (FOUR, OTHER, SIX), (OTHER, FOUR, SIX)]
    seen = []
    for found in answers:
        seen.append(tried(attempts, *found))
        attempts.connected()
        ended(attempts, status=status)
    assert seen == [SIX, FOUR, OTHER, SIX]


def test_address_that_has_bound_us_is_the_first_again_and_once() -> None:
    attempts = attempts_at("smsc.example")
    assert [tried(attempts, SIX, FOUR), tried(attempts, SIX, FOUR)] == [SIX, FOUR]
    attempts.connected()
    ended(attempts, was_bound=True, retired=True)
    assert attempts.in_turn([SIX, FOUR]) == [FOUR, SIX]
    assert attempts.in_turn([SIX, OTHER]) == [OTHER, SIX]  # It has moved.
    assert tried(attempts, SIX, FOUR) == FOUR
    assert attempts.in_turn([SIX, FOUR]) == [SIX, FOUR]


def test_address_of_two_hosts_is_two() -> None:
    attempts = attempts_at("a", "b")
    tried(attempts, FOUR)
    tried(attempts, OTHER)
    attempts.unreachable()
    assert attempts.address.host == "b"
    assert attempts.in_turn([OTHER, FOUR]) == [OTHER, FOUR]


def test_names_that_move_all_the_time_fill_no_memory() -> None:
    attempts = attempts_at("smsc.example")
    for number in range(10 * MOST_TRIED):
        attempts.tries(str(number))
    assert len(attempts._tried) == MOST_TRIED
