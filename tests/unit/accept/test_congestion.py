"""router/accept/congestion.py: one congestion from its first refusal until nothing is refused."""

from structlog.testing import capture_logs

from router.accept.congestion import CALM_S, Congestion
from router.telemetry.account_events import log_congestion


def test_one_that_comes_and_goes_is_one() -> None:
    one = Congestion()
    for at in (100.0, 101.0, 101.0 + CALM_S - 0.1):
        one.refused(at)
        assert not one.is_calm(at)
    assert (one.is_on, one.since, one.count) == (True, 100.0, 3)
    assert one.is_calm(101.0 + 2 * CALM_S)


def test_it_is_told_when_it_begins_and_when_it_has_ended_and_counts_anew() -> None:
    one = Congestion()
    with capture_logs() as told:
        log_congestion(one, 99.0)
        one.refused(100.0)
        one.refused(103.5)
        for at in (103.6, 104.0, 103.5 + CALM_S, 130.0):
            log_congestion(one, at)
        assert not one.is_on
        one.refused(200.0)
        log_congestion(one, 200.1)
    assert told == [
        {"event": "router.congested", "log_level": "warning"},
        {"event": "router.kept_up", "refused": 2, "lasted_s": 3.5, "log_level": "info"},
        {"event": "router.congested", "log_level": "warning"},
    ]
    assert (one.is_on, one.since, one.count) == (True, 200.0, 1)
