"""router/terms/limits.py: never more than burst and rate, over any span; and never stuck."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.terms.limits import Rate, TokenBucket

RATES = st.builds(
    Rate, st.sampled_from([1, 3, 50, 10_000]), st.sampled_from([1.0, 60.0, 3600.0, 0.7])
)
STARTS = st.sampled_from([0.0, 0.1, 12_345.678, 9_876_543.21])
"""Monotonic clocks start anywhere."""
GAPS = st.sampled_from([0.0, 1e-9, 0.02, 1 / 3, 1.0, 100.0, 86_400.0]) | st.floats(0, 5)


@pytest.mark.parametrize(
    ("rate", "per_second", "text"),
    [
        (Rate(50, 1.0), 50.0, "50/s"),
        (Rate(1, 60.0), 1 / 60, "1/min"),
        (Rate(1000, 3600.0), 1000 / 3600, "1000/h"),
        (Rate(5, 0.5), 10.0, "5/0.5s"),
    ],
)
def test_rate_is_a_count_in_a_unit(rate: Rate, per_second: float, text: str) -> None:
    assert rate.per_second == pytest.approx(per_second)
    assert str(rate) == text


def takings(bucket: TokenBucket, start: float, tries: list[tuple[float, int]]) -> list[float]:
    """When a token was taken, of some tries after each of some gaps."""
    now, taken = start, []
    for gap, count in tries:
        now += gap
        taken += [now for _ in range(count) if bucket.take(now)]
    return taken


@given(
    RATES, st.integers(0, 20), STARTS, st.lists(st.tuples(GAPS, st.integers(1, 30)), max_size=25)
)
def test_no_span_has_more_than_the_burst_and_the_rate(
    rate: Rate, burst: int, start: float, tries: list[tuple[float, int]]
) -> None:
    taken = takings(TokenBucket(rate, burst, start), start, tries)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = max(burst, 1) + rate.per_second * (taken[last] - begin)
            # A clock that has run for long counts in steps of a nanosecond or so.
            assert last - first + 1 <= allowed + 1e-6 + rate.per_second * 4e-9


Change = tuple[Rate, int]
"""A rate and a burst."""
CHANGES = st.none() | st.tuples(RATES, st.integers(0, 20))


@given(
    st.tuples(RATES, st.integers(0, 20)),
    STARTS,
    st.lists(st.tuples(GAPS, CHANGES, st.integers(0, 30)), max_size=25),
)
def test_no_span_has_more_than_the_largest_burst_and_rate_that_were_allowed_in_it(
    first: Change, start: float, steps: list[tuple[float, Change | None, int]]
) -> None:
    bucket, now, allowed = TokenBucket(*first, start), start, first
    taken: list[tuple[float, Change]] = []
    """When each token was taken, and what was allowed then."""
    changes: list[tuple[int, Change]] = [(0, first)]
    """What was allowed from which token on."""
    for gap, change, tries in steps:
        now += gap
        if change is not None:
            allowed = change
            bucket.adopt(*change, now)
            changes.append((len(taken), change))
        taken += [(now, allowed) for _ in range(tries) if bucket.take(now)]
    for begin in range(len(taken)):
        # What gathered before the first of a span did so under what was allowed before it.
        in_force = [change for at, change in changes if at <= begin][-1:]
        for end in range(begin, len(taken)):
            in_force += [change for at, change in changes if at == end > begin]
            fastest = max(rate.per_second for rate, _ in in_force)
            most = max(burst for _, burst in in_force)
            span_s = taken[end][0] - taken[begin][0]
            hair = 1e-6 + fastest * 4e-9
            assert end - begin + 1 <= max(most, 1) + fastest * span_s + hair


@pytest.mark.parametrize(
    ("taken", "burst", "left"),
    [
        (0, 10, 10),  # Nothing has changed.
        (3, 10, 7),
        (3, 5, 5),  # No more than the new burst.
        (8, 5, 2),
        (10, 5, 0),
        (0, 20, 10),  # A larger burst fills up with time.
        (10, 20, 0),
        (0, 0, 1),
    ],
)
def test_what_was_taken_stays_taken_under_another_burst(taken: int, burst: int, left: int) -> None:
    bucket = TokenBucket(Rate(1, 60.0), 10, 100.0)
    assert sum(bucket.take(100.0) for _ in range(taken)) == taken
    bucket.adopt(Rate(1, 60.0), burst, 100.0)
    assert sum(bucket.take(100.0) for _ in range(30)) == left


def test_tokens_gather_at_the_rate_of_their_time() -> None:
    bucket = TokenBucket(Rate(10, 1.0), 100, 0.0)
    assert len(takings(bucket, 0.0, [(0.0, 200)])) == 100
    bucket.adopt(Rate(1, 1.0), 100, 2.0)  # 20 have gathered.
    assert len(takings(bucket, 2.0, [(5.0, 200)])) == 25


def test_larger_burst_is_there_in_the_end() -> None:
    bucket = TokenBucket(Rate(10, 1.0), 1, 0.0)
    bucket.adopt(Rate(10, 1.0), 5, 0.0)
    assert takings(bucket, 0.0, [(0.0, 9), (10.0, 9)]) == [0.0] + [10.0] * 5


def test_what_gathered_beyond_the_old_burst_is_not_there_under_the_new_one() -> None:
    bucket = TokenBucket(Rate(10, 1.0), 2, 0.0)
    bucket.adopt(Rate(10, 1.0), 100, 60.0)
    assert takings(bucket, 60.0, [(0.0, 9)]) == [60.0] * 2


def test_burst_is_there_at_once_and_no_more() -> None:
    bucket = TokenBucket(Rate(50, 1.0), 7, 100.0)
    assert [bucket.take(100.0) for _ in range(9)] == [True] * 7 + [False] * 2


def test_bucket_holds_one_token_at_least() -> None:
    bucket = TokenBucket(Rate(1, 60.0), 0, 0.0)
    assert bucket.take(0.0)
    assert not bucket.take(59.0)
    assert bucket.take(bucket.ready_at(59.0))


def test_long_silence_fills_the_burst_and_no_more() -> None:
    bucket = TokenBucket(Rate(50, 1.0), 7, 0.0)
    assert takings(bucket, 0.0, [(0.0, 10), (1e6, 10)]) == [0.0] * 7 + [1e6] * 7


def test_refused_tries_cost_nothing() -> None:
    bucket = TokenBucket(Rate(10, 1.0), 1, 0.0)
    assert bucket.take(0.0)
    for step in range(1, 1000):
        assert not bucket.take(step * 0.0001)
    assert bucket.take(0.1001)


@given(RATES, st.integers(1, 5), STARTS, st.lists(GAPS, min_size=1, max_size=30))
def test_token_is_there_at_ready_at_and_not_much_before(
    rate: Rate, burst: int, start: float, gaps: list[float]
) -> None:
    bucket, now = TokenBucket(rate, burst, start), start
    for gap in gaps:
        now += gap
        ready_at = bucket.ready_at(now)
        assert ready_at >= now
        just_before = ready_at - 1e-8 - 1e-8 / rate.per_second
        if just_before > now:
            assert not bucket.take(just_before)
            assert bucket.ready_at(just_before) == pytest.approx(ready_at, abs=1e-5)
        assert bucket.take(ready_at), "the caller came when it was told to, in vain"
        now = ready_at


@pytest.mark.parametrize("start", [0.0, 9_876_543.21])
@pytest.mark.parametrize("rate", [Rate(50, 1.0), Rate(7, 60.0), Rate(10_000, 1.0)], ids=str)
def test_who_comes_when_ready_gets_the_whole_rate(rate: Rate, start: float) -> None:
    bucket, now = TokenBucket(rate, 1, start), start
    for _ in range(1001):
        now = bucket.ready_at(now)
        assert bucket.take(now)
    assert now - start == pytest.approx(1000 / rate.per_second, rel=1e-4, abs=1e-5)
