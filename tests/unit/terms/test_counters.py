"""router/terms/counters.py: what is counted falls under the right bound and the right labels."""

from itertools import pairwise

import pytest

from router.terms.counters import MESSAGES, SECONDS, SHORT_SECONDS, Counters, Histogram
from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.outcome import Outcome


@pytest.mark.parametrize("bounds", [SECONDS, SHORT_SECONDS, MESSAGES])
def test_bounds_increase(bounds: tuple[float, ...]) -> None:
    assert all(lower < upper for lower, upper in pairwise(bounds))


@pytest.mark.parametrize(
    ("value", "place"),
    [(-1.0, 0), (0.0, 0), (0.9, 0), (1.0, 0), (1.1, 1), (5.0, 1), (5.1, 2), (float("inf"), 2)],
)
def test_value_is_counted_under_the_first_bound_that_it_does_not_pass(
    value: float, place: int
) -> None:
    histogram = Histogram((1.0, 5.0))
    histogram.add(value)
    assert histogram.counts == [int(place == one) for one in range(3)]
    assert histogram.sum == value


def test_histogram_adds_up() -> None:
    histogram = Histogram((1.0, 5.0))
    for value in (0.5, 0.5, 3.0, 100.0):
        histogram.add(value)
    assert (histogram.counts, histogram.sum) == ([2, 1, 1], 104.0)


def test_histograms_of_two_labels_share_nothing() -> None:
    counters = Counters()
    counters.operator_response_s[OperatorName("telia")].add(0.1)
    assert sum(counters.operator_response_s[OperatorName("elisa")].counts) == 0


def test_quick_things_have_short_bounds_and_journeys_long_ones() -> None:
    counters = Counters()
    operator, lane = OperatorName("telia"), LaneName("otp")
    assert counters.submit_response_s[AccountName("bank")].bounds is SHORT_SECONDS
    assert counters.operator_response_s[operator].bounds is SHORT_SECONDS
    assert counters.queue_wait_s[operator, lane].bounds is SECONDS
    assert counters.delivery_s[operator, lane].bounds is SECONDS
    assert counters.batch_messages.bounds is MESSAGES


def test_counters_begin_at_nothing_and_count_by_label() -> None:
    counters = Counters()
    name = AccountName("bank")
    counters.outcomes[name, Outcome.DELIVERED] += 1
    counters.outcomes[name, Outcome.DELIVERED] += 1
    counters.sends[OperatorName("telia"), BindName("telia-1"), "timeout"] += 1
    assert dict(counters.outcomes) == {(name, Outcome.DELIVERED): 2}
    assert list(counters.sends.values()) == [1]
    assert Counters().outcomes == {}
