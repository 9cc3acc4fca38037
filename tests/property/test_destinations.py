"""router/forward/destinations.py: whatever delays there are, no number is sent to more often."""

from collections import defaultdict
from heapq import heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from router.forward.destinations import STALE_UNITS, Destinations
from router.terms.limits import Rate
from router.terms.names import RouterId

RATES = st.sampled_from([Rate(1, 1.0), Rate(1, 10.0), Rate(2, 5.0), Rate(3, 60.0)])
MESSAGES = st.lists(
    st.tuples(
        st.floats(0.0, 5.0),  # How long after the one before it comes,
        st.integers(0, 2),  # to which number,
        st.floats(0.0, 1.0),  # how much of the time until its answer it is on its way,
        st.floats(0.0, 0.5) | st.floats(0.0, 20.0),  # and when it is answered.
    ),
    min_size=1,
    max_size=25,
)


@given(RATES, MESSAGES)
def test_number_is_never_sent_to_more_often_than_the_rate_and_all_are_sent_in_order(
    rate: Rate, messages: list[tuple[float, int, float, float]]
) -> None:
    made = Destinations(rate)
    events: list[tuple[float, int, int]] = []
    now = 1000.0
    for number, (wait_s, *_) in enumerate(messages):
        now += wait_s
        heappush(events, (now, 0, number))
    arrivals: defaultdict[bytes, list[float]] = defaultdict(list)
    order: defaultdict[bytes, list[int]] = defaultdict(list)
    written: dict[int, float] = {}
    asked = 0
    while events:
        now, is_answer, number = heappop(events)
        _, place, way, answer_s = messages[number]
        to = b"%d" % place
        if is_answer:
            made.attempt_ended(to, written[number], now)
            continue
        asked += 1
        at = made.ask(to, RouterId(number), now)
        assert at is not None
        if at > now:
            heappush(events, (at, 0, number))
            continue
        made.sent(to, now)
        written[number] = now
        order[to].append(number)
        arrivals[to].append(now + way * answer_s)
        heappush(events, (now + answer_s, 1, number))
    for times in arrivals.values():
        times.sort()
        for first, later in zip(times, times[rate.count :], strict=False):
            assert later - first >= rate.per_s - 1e-6
    assert sum(map(len, order.values())) == len(messages)
    if rate.count == 1:
        assert all(numbers == sorted(numbers) for numbers in order.values())
    # Nobody asks again and again: at most ten times a second while an answer is late.
    assert asked <= len(messages) * (10 * 20 + 50 * STALE_UNITS)
