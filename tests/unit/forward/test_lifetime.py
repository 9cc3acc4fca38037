"""router/forward/lifetime.py: when a session has lived its life."""

from router.forward.lifetime import EARLY, Lifetime
from router.terms.names import BindName
from router.terms.settings import Address, BindSettings


def lifetime(
    messages: int | None = None, age_s: float | None = None, share: float = 0.0
) -> Lifetime:
    settings = BindSettings(
        name=BindName("telia-1"),
        addresses=(Address(host="smsc", port=2775),),
        system_id="agg",
        password="pw",
        max_messages=messages,
        max_age_s=age_s,
    )
    made = Lifetime(settings)
    made.begin(share, 1000.0)
    return made


def over(made: Lifetime, now: float = 1000.0, *, away: bool = False) -> bool:
    return made.is_over(now, another_is_away=away)


def test_session_ends_with_its_last_message_whoever_is_away() -> None:
    made = lifetime(messages=100)
    made.left = 1
    assert not over(made)
    made.left = 0
    assert over(made, away=True)


def test_session_ends_with_its_time_whoever_is_away() -> None:
    made = lifetime(age_s=100.0)
    assert not over(made, 1099.9)
    assert over(made, 1100.0, away=True)


def test_bind_that_is_not_the_first_may_retire_earlier_if_no_other_is_away() -> None:
    made = lifetime(messages=100, age_s=100.0, share=0.5)
    assert (made.spare, made.may_end_at) == (5, 1000 + 100 * (1 - EARLY / 2))
    made.left = 6
    assert not over(made)
    made.left = 5
    assert (over(made), over(made, away=True)) == (True, False)
    made.left = 100
    assert (over(made, 1095.0), over(made, 1095.0, away=True)) == (True, False)


def test_one_limit_alone_is_no_limit_to_the_other() -> None:
    made = lifetime(messages=1)
    assert (over(made, 1e12), made.must_end_at) == (False, float("inf"))
    made = lifetime(age_s=1.0, share=0.9)
    made.left -= 10**9
    assert not over(made)


def test_new_session_has_a_new_life() -> None:
    made = lifetime(messages=3, age_s=10.0)
    made.left = 0
    made.begin(0.0, 2000.0)
    assert (made.left, made.must_end_at, over(made, 2009.0)) == (3, 2010.0, False)
