"""router/telemetry/account_quality.py: an account that fares worse than usual is told, once."""

import re
from pathlib import Path

from structlog.testing import capture_logs

from router.accept.refusals import Refusals
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.telemetry.account_quality import (
    LINES_AT_ONCE,
    LOOK_EVERY_S,
    NOW_EVENTS,
    TOLD_ELSEWHERE,
    USUAL_S,
    AccountQuality,
)
from router.terms.counters import Counters
from router.terms.names import AccountName, LaneName
from router.terms.outcome import (
    CONGESTED,
    NO_ROUTE,
    OWN_REASONS,
    REFUSED_BY_ROUTE,
    THROTTLED,
    Outcome,
    Refusal,
)

BANK, SHOP = AccountName("bank"), AccountName("shop")
OTP = LaneName("otp")
PDU = Pdu(v.SUBMIT_SM, 0, 1, p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"372"), short_message=b""))


class Traffic:
    """What is counted of accounts, looked at after each step."""

    def __init__(self, *accounts: AccountName) -> None:
        self.accounts = list(accounts or (BANK,))
        self.counters, self.refusals = Counters(), Refusals()
        self.quality = AccountQuality()
        self.now = 1000.0
        self.told: list[dict[str, object]] = []

    def outcomes(self, delivered: int, failed: int = 0, account: AccountName = BANK) -> None:
        self.counters.outcomes[account, Outcome.DELIVERED] += delivered
        self.counters.outcomes[account, Outcome.FAILED] += failed

    def submits(self, taken: int, refused: int = 0, refusal: Refusal = NO_ROUTE) -> None:
        self.counters.submits[BANK, OTP, v.ESME_ROK] += taken
        self.counters.submits[BANK, OTP, refusal.status] += refused
        for _ in range(refused):
            self.refusals.add(BANK, "192.0.2.1:5", PDU, refusal, 1.8e9)

    def look(self, after_s: float = LOOK_EVERY_S) -> list[str]:
        """Return the events that are logged."""
        self.now += after_s
        with capture_logs() as lines:
            self.quality.look(self.accounts, self.counters, self.refusals, self.now)
        self.told += [dict(line) for line in lines]
        return [str(line["event"]) for line in lines]

    def usual(self, looks: int = 2000, delivered: int = 95, failed: int = 5) -> None:
        for _ in range(looks):
            self.outcomes(delivered, failed)
            assert self.look() == []


def events_of(traffic: Traffic, looks: int, delivered: int, failed: int) -> list[str]:
    found = []
    for _ in range(looks):
        traffic.outcomes(delivered, failed)
        found += traffic.look()
    return found


def test_share_that_falls_is_told_once_and_once_when_it_is_back() -> None:
    traffic = Traffic()
    traffic.usual()
    assert events_of(traffic, 200, 70, 30) == ["account.delivery_fell"]
    told = traffic.told[-1]
    assert (told["account"], told["log_level"], told["usual"]) == ("bank", "warning", 0.948)
    assert isinstance(told["share"], float)
    assert 0.8 < told["share"] < 0.85
    assert events_of(traffic, 200, 95, 5) == ["account.delivery_back"]
    told = traffic.told[-1]
    assert told["log_level"] == "info"
    assert isinstance(told["lasted_s"], float)
    assert 2000.0 < told["lasted_s"] < 3000.0


def test_share_that_hovers_at_the_bound_is_not_told_again_and_again() -> None:
    traffic = Traffic()
    traffic.usual()
    assert events_of(traffic, 100, 83, 17) == ["account.delivery_fell"]
    for delivered in (88, 83, 88, 83):
        assert events_of(traffic, 100, delivered, 100 - delivered) == []


def test_few_points_are_no_fall_and_few_outcomes_say_nothing() -> None:
    traffic = Traffic()
    traffic.usual()
    assert events_of(traffic, 500, 88, 12) == []
    fresh = Traffic()
    fresh.usual(3)
    fresh.outcomes(0, NOW_EVENTS - 301)
    assert fresh.look() == []
    assert not fresh.quality.accounts[BANK].delivery.is_known


def test_one_bad_second_is_no_fall_of_a_busy_account() -> None:
    traffic = Traffic()
    traffic.usual(2000, 9_500, 500)
    assert events_of(traffic, 1, 8_550, 1_450) == []
    assert events_of(traffic, 60, 9_500, 500) == []


def test_burst_of_which_all_fails_is_told_at_once_and_is_not_usual() -> None:
    traffic = Traffic()
    traffic.usual(8640, 19, 1)
    assert events_of(traffic, 1, 0, 1_500) == ["account.delivery_fell"]
    assert float(str(traffic.told[-1]["usual"])) > 0.9
    assert events_of(traffic, 1, 0, 10_000) == []
    assert events_of(traffic, 1, 9_500, 500) == ["account.delivery_back"]


def test_burst_of_which_all_is_refused_is_told_at_once() -> None:
    traffic = Traffic()
    for _ in range(200):
        traffic.submits(20)
        assert traffic.look() == []
    traffic.submits(0, 10_000)
    assert traffic.look() == ["account.refusals_rose"]


def test_numbers_that_cannot_be_reached_are_no_fall() -> None:
    traffic = Traffic()
    traffic.usual()
    for _ in range(100):
        traffic.outcomes(50, 50)
        traffic.counters.unreachable[BANK] += 50
        assert traffic.look() == []


def test_outcome_without_a_receipt_says_nothing() -> None:
    traffic = Traffic()
    traffic.usual()
    traffic.counters.outcomes[BANK, Outcome.SENT] += 100_000
    assert traffic.look() == []
    assert traffic.quality.accounts[BANK].delivery.now > 0.94


def test_what_has_been_so_for_a_day_is_usual() -> None:
    traffic = Traffic()
    traffic.usual()
    assert events_of(traffic, 100, 50, 50) == ["account.delivery_fell"]
    traffic.outcomes(50, 50)
    assert traffic.look(USUAL_S) == ["account.delivery_back"]
    assert events_of(traffic, 100, 50, 50) == []
    assert events_of(traffic, 100, 20, 80) == ["account.delivery_fell"]


def test_refusals_that_rise_are_told_and_those_for_its_rate_are_not() -> None:
    traffic = Traffic()
    for _ in range(200):
        traffic.submits(98, 2)
        assert traffic.look() == []
    for _ in range(100):
        traffic.submits(98, 2)
        traffic.submits(0, 100, THROTTLED)
        assert traffic.look() == []
    found = []
    for _ in range(100):
        traffic.submits(50, 50)
        found += traffic.look()
    assert found == ["account.refusals_rose"]
    assert traffic.quality.accounts[BANK].refusals.now > 0.3
    for _ in range(200):
        traffic.submits(100)
        found += traffic.look()
    assert found == ["account.refusals_rose", "account.refusals_back"]


def test_looks_come_no_closer_than_their_time() -> None:
    traffic = Traffic()
    traffic.outcomes(NOW_EVENTS)
    traffic.look()
    traffic.outcomes(0, NOW_EVENTS)
    traffic.look(LOOK_EVERY_S / 2)
    assert traffic.quality.accounts[BANK].delivery.now == 1.0


def test_accounts_come_and_go_with_the_configuration() -> None:
    traffic = Traffic(BANK, SHOP)
    traffic.usual(10)
    traffic.accounts = [SHOP, AccountName("new")]
    traffic.look()
    assert list(traffic.quality.accounts) == traffic.accounts
    assert traffic.quality.accounts[SHOP].delivery.seen == 0


def test_fall_of_many_accounts_is_told_bit_by_bit() -> None:
    accounts = [AccountName(f"a{number}") for number in range(LINES_AT_ONCE + 5)]
    traffic = Traffic(*accounts)
    for share in (100, 0):
        for _ in range(100):
            for account in accounts:
                traffic.outcomes(share, 100 - share, account)
            told = traffic.look()
            assert len(told) <= LINES_AT_ONCE
    fell = [line["account"] for line in traffic.told if line["event"] == "account.delivery_fell"]
    assert sorted(map(str, fell)) == sorted(accounts)


def test_what_rules_refuse_is_no_news() -> None:
    for reason in ("gambling", "refused_by_rule", "refused_by_route"):
        traffic = Traffic(BANK)
        for _ in range(200):
            traffic.submits(100)
            traffic.look()
        for _ in range(20):
            traffic.submits(50, 50, Refusal(reason, 0x45))
            assert traffic.look() == [], reason


def test_alerts_are_for_the_reasons_of_the_router_and_not_for_those_of_rules() -> None:
    text = (Path(__file__).parents[3] / "config" / "prometheus" / "alerts.yml").read_text()
    (reasons,) = set(re.findall(r'refused_total\{reason=~"([^"]*no_route[^"]*)"\}', text))
    quiet = {*TOLD_ELSEWHERE, REFUSED_BY_ROUTE} - {CONGESTED.reason}
    of_binds = {*("blocked", "foreign_address", "too_many_binds", "too_many_checks"),
                *("wrong_certificate", "wrong_credentials", "unrouted")}  # fmt: skip
    assert set(reasons.split("|")) == OWN_REASONS - quiet - of_binds
