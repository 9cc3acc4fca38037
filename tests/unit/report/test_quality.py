"""router/report/quality.py: shares and times of the last outcomes, and of each day."""

import pytest

from router.report import quality as q
from router.report.quality import DAY_S, ENOUGH, LAST, MOST_CELLS, Quality, Sums
from router.terms.names import NO_COUNTRY, LaneName, OperatorName
from router.terms.outcome import Evidence, Outcome
from tests.unit.messages import message

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
OTP, BULK = LaneName("otp"), LaneName("bulk")
DAY_1_UTC = 20_000 * DAY_S
DELIVERED = (Outcome.DELIVERED, Evidence.OPERATOR)
TOO_FAST = (Outcome.DELIVERED, Evidence.TOO_FAST)
FAILED = (Outcome.FAILED, Evidence.OPERATOR)
UNREACHABLE = (Outcome.FAILED, Evidence.UNREACHABLE)
NEVER = (Outcome.UNKNOWN, Evidence.SILENCE)


class Counted:
    """Outcomes, counted one after the other."""

    def __init__(self) -> None:
        self.quality = Quality(lambda octets: octets[2:4].decode())

    def add(
        self,
        what: tuple[Outcome, Evidence],
        times: int = 1,
        *,
        operator: OperatorName | None = TELIA,
        country: str = "EE",
        lane: LaneName = OTP,
        took_s: float = 3.0,
        at_utc: float = DAY_1_UTC,
        registered_delivery: int = 1,
    ) -> None:
        one = message(lane=lane, registered_delivery=registered_delivery)
        one.operator, one.accepted_at = operator, 1000.0
        one.destination_octets = b"\1\1" + country.encode() + b"\0"
        outcome, evidence = what
        for _ in range(times):
            self.quality.count(one, outcome, evidence, at_utc, 1000.0 + took_s)

    def of(self, operator: OperatorName = TELIA, country: str = "EE", lane: LaneName = OTP) -> Sums:
        return self.quality.by_lane()[operator, country, lane]


def test_shares_are_of_what_could_be_delivered() -> None:
    counted = Counted()
    for what, times in ((DELIVERED, 60), (FAILED, 15), (NEVER, 5), (UNREACHABLE, 20)):
        counted.add(what, times)
    sums = counted.of()
    assert (sums.outcomes, sums.unreachable, sums.delivered) == (100, 20, 60)
    assert (sums.deliverable, sums.never_receipted, sums.too_fast) == (80, 5, 0)
    assert sums.deliverable_share == 0.8
    assert sums.delivered_share == 0.75
    assert sums.never_receipted_share == 5 / 80


def test_share_of_nothing_is_none() -> None:
    counted = Counted()
    counted.add(UNREACHABLE)
    sums = counted.of()
    assert sums.deliverable_share == 0.0
    assert (sums.delivered_share, sums.never_receipted_share, sums.within_s(0.5)) == (None,) * 3


def test_last_outcomes_count_and_older_ones_do_not() -> None:
    counted = Counted()
    counted.add(FAILED, 300)
    counted.add(DELIVERED, LAST - 100)
    assert counted.of().delivered_share == (LAST - 100) / LAST
    counted.add(DELIVERED, 100)
    assert counted.of().delivered_share == 1.0
    assert counted.of().outcomes == LAST
    counted.add(FAILED)
    assert counted.of().delivered_share == (LAST - 1) / LAST


def test_what_came_too_fast_is_delivered_and_apart_and_its_time_is_no_time() -> None:
    counted = Counted()
    counted.add(TOO_FAST, 30, took_s=0.1)
    assert counted.of().within_s(0.5) is None
    counted.add(DELIVERED, 10, took_s=8.0)
    sums = counted.of()
    assert (sums.delivered, sums.too_fast, sums.too_fast_share) == (40, 30, 0.75)
    assert sums.within_s(0.5) == pytest.approx(8.0, rel=0.26)


@pytest.mark.parametrize("took_s", [0.05, 0.2, 1.0, 4.7, 60.0, 3600.0, 86_400.0])
def test_time_is_right_to_a_quarter(took_s: float) -> None:
    counted = Counted()
    counted.add(DELIVERED, 90, took_s=took_s)
    counted.add(DELIVERED, 10, took_s=took_s * 20)
    half, most = counted.of().within_s(0.5), counted.of().within_s(0.95)
    assert half is not None
    assert most is not None
    assert half == pytest.approx(took_s, rel=0.26, abs=0.05)
    assert took_s * 20 * 0.75 < most < took_s * 20 * 1.3 or most == q.BOUNDS_S[-1]


@pytest.mark.parametrize("wanted", [0, 2, 3, 16, 18])
def test_message_without_a_word_of_success_and_failure_says_nothing(wanted: int) -> None:
    counted = Counted()
    counted.add(FAILED, registered_delivery=wanted)
    counted.add(FAILED, operator=None)
    assert counted.quality.by_lane() == {}


def test_operators_countries_and_lanes_are_counted_apart_and_added_up() -> None:
    counted = Counted()
    counted.add(DELIVERED, 3)
    counted.add(FAILED, 1, lane=BULK)
    counted.add(FAILED, 2, country="FI")
    counted.add(DELIVERED, 5, operator=ELISA)
    assert counted.of().delivered_share == 1.0
    by_country = counted.quality.by_country()
    assert by_country.keys() == {(TELIA, "EE"), (TELIA, "FI"), (ELISA, "EE")}
    assert by_country[TELIA, "EE"].delivered_share == 0.75
    by_operator = counted.quality.by_operator()
    assert (by_operator[TELIA].outcomes, by_operator[ELISA].outcomes) == (6, 5)


def test_countries_beyond_the_most_are_counted_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(q, "MOST_CELLS", 3)
    counted = Counted()
    for country in ("EE", "FI", "SE", "NO", "DK"):
        counted.add(DELIVERED, country=country)
    counted.add(DELIVERED, country="EE")
    outcomes = {country: one.outcomes for (_, country), one in counted.quality.by_country().items()}
    assert outcomes == {"EE": 2, "FI": 1, "SE": 1, NO_COUNTRY: 2}
    assert ENOUGH < LAST < MOST_CELLS


def test_days_are_handed_out_once_and_apart() -> None:
    counted = Counted()
    counted.add(DELIVERED, 3)
    counted.add(NEVER, 1, at_utc=DAY_1_UTC + DAY_S - 0.001)
    counted.add(FAILED, 2, at_utc=DAY_1_UTC + DAY_S)
    days = counted.quality.take_days()
    assert [(one.day, one.operator, one.country, one.lane) for one in days] == [
        (20_000, TELIA, "EE", OTP),
        (20_001, TELIA, "EE", OTP),
    ]
    first, second = (one.sums for one in days)
    assert (first.outcomes, first.delivered, first.never_receipted) == (4, 3, 1)
    assert (second.outcomes, second.delivered) == (2, 0)
    assert sum(first.times) == 3
    assert counted.quality.take_days() == []
    counted.add(DELIVERED, 1, at_utc=DAY_1_UTC + DAY_S)
    (more,) = counted.quality.take_days()
    assert (more.day, more.sums.outcomes) == (20_001, 1)
    assert counted.of().outcomes == 7  # The last outcomes do not begin anew.


def test_days_that_nobody_takes_are_forgotten() -> None:
    counted = Counted()
    for day in range(10):
        counted.add(DELIVERED, at_utc=DAY_1_UTC + day * DAY_S)
    assert [one.day for one in counted.quality.take_days()] == [20_007, 20_008, 20_009]


def test_operator_that_is_renamed_keeps_its_outcomes_and_one_that_is_gone_its_day() -> None:
    counted = Counted()
    counted.add(DELIVERED, 3)
    new = OperatorName("telia2")
    counted.quality.rename(TELIA, new)
    counted.add(DELIVERED, 1, operator=new)
    assert counted.of(new).outcomes == 4
    assert counted.quality.by_operator().keys() == {new}
    counted.quality.forget(new)
    assert counted.quality.by_operator() == {}
    days = [(one.operator, one.sums.outcomes) for one in counted.quality.take_days()]
    assert days == [(TELIA, 3), (new, 1)]
