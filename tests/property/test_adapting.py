"""router/forward/adapting.py: never above the contract, never stuck, and it recovers."""

from hypothesis import given
from hypothesis import strategies as st

from router.forward.adapting import FLOOR, HOLD, LONGEST_UNIT_S, STEP, AdaptiveRate
from router.terms.limits import Rate

RATES = st.builds(Rate, st.integers(1, 5000), st.sampled_from([1.0, 2.5, 60.0, 3600.0]))
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["throttled", "refused", "look", "sent"]),
        st.floats(0.0, 100.0),
        st.floats(0.0, 40.0),
        st.sampled_from([0.0005, 0.1, 5.0, float("inf")]),
    ),
    max_size=60,
)


def lived(rate: Rate, events: list[tuple[str, float, float, float]]) -> tuple[AdaptiveRate, float]:
    """A rate to which this has happened, and the time by then, within bounds all the way."""
    adaptive, now, answered = AdaptiveRate(rate), 1000.0, 0
    least, most = rate.per_second * FLOOR * (1 - 1e-9), rate.per_second
    for what, wait_s, age_s, usual_s in events:
        before = adaptive.per_second(now)
        assert least <= before <= adaptive.per_second(now + wait_s) <= most
        now += wait_s
        match what:
            case "throttled":
                answered += 1
                if not adaptive.is_by_chance(now - age_s, answered, now):
                    adaptive.refused(now - age_s, now)
            case "refused":
                adaptive.refused(now - age_s, now)
            case "look":
                adaptive.tick(age_s, usual_s, now)
            case _:
                adaptive.sent(now)
        assert least <= adaptive.per_second(now) <= most
        assert adaptive.is_slowed or adaptive.per_second(now) == most
    return adaptive, now


@given(RATES, EVENTS)
def test_rate_is_never_above_the_contract_and_always_above_nothing(
    rate: Rate, events: list[tuple[str, float, float, float]]
) -> None:
    adaptive, now = lived(rate, events)
    adaptive.sent(now)
    longest_s = 1.0 / (rate.per_second * FLOOR) + 1.0
    began = now
    while (at := adaptive.ready_at(now)) > now:
        now = at
        assert now - began <= longest_s


@given(RATES, EVENTS)
def test_rate_goes_back_to_the_contract_when_nothing_happens_any_more(
    rate: Rate, events: list[tuple[str, float, float, float]]
) -> None:
    adaptive, now = lived(rate, events)
    unit_s = min(max(rate.per_s, 1.0), LONGEST_UNIT_S)
    now += (HOLD + 1.0 / STEP) * unit_s + 1e-6
    assert not adaptive.tick(0.0, 0.001, now)
    assert adaptive.per_second(now) == rate.per_second
    assert not adaptive.is_slowed
