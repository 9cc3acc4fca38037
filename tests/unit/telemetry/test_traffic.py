"""router/telemetry/traffic.py: rates over the last seconds, and what is delivered."""

from router.smpp import vocabulary as v
from router.telemetry.traffic import LATELY_S, MOST_WORDS, NOW_S, Flow, Traffic
from router.terms.counters import Counters
from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.outcome import Outcome

BANK, OTP = AccountName("bank"), LaneName("otp")
TELIA, TELIA_1 = OperatorName("telia"), BindName("telia-1")


def flow_of(traffic: Traffic, counters: Counters, now: float) -> Flow:
    return Flow(traffic.samples(counters, now))


def flowing(seconds: float, *, per_s: int = 50, refused_per_s: int = 5) -> tuple[Traffic, Counters]:
    """So long at a steady rate, with a look every tenth of a second as the loop has it."""
    traffic, counters = Traffic(), Counters()
    for tenth in range(round(seconds * 10) + 1):
        traffic.sample(counters, tenth / 10)
        if tenth % 10 == 9:
            counters.submits[BANK, OTP, v.ESME_ROK] += per_s
            counters.submits[BANK, OTP, v.ESME_RTHROTTLED] += refused_per_s
            counters.sends[TELIA, TELIA_1, v.ESME_ROK] += per_s
            counters.sends[TELIA, TELIA_1, "timeout"] += refused_per_s
            counters.receipts[TELIA, "delivered"] += per_s
            counters.deliveries[BANK, "acknowledged"] += per_s
            counters.outcomes[BANK, Outcome.DELIVERED] += per_s
    return traffic, counters


def test_rates_are_those_of_the_last_seconds_and_not_since_the_start() -> None:
    traffic, counters = flowing(60)
    counters.submits[BANK, OTP, v.ESME_ROK] += 0
    flow = flow_of(traffic, counters, 60.0)
    assert NOW_S <= flow.over_s < 2 * NOW_S
    assert flow.of_account(BANK) == {
        "in_per_s": 50.0,
        "refused_per_s": 5.0,
        "refused_as": "ESME_RTHROTTLED",
        "throttled_per_s": 5.0,
        "receipts_per_s": 50.0,
    }
    answered = {"out_per_s": 50.0, "refused_per_s": 5.0, "refused_as": "timeout"}
    assert flow.of_bind(TELIA, TELIA_1) == answered
    assert flow.of_operator(TELIA) == {**answered, "receipts_per_s": 50.0}
    for tenth in range(1, 150):  # Then nothing happens.
        traffic.sample(counters, 60 + tenth / 10)
    assert flow_of(traffic, counters, 75.0).of_account(BANK)["in_per_s"] == 0.0


def test_receipts_of_no_known_message_are_those_of_late() -> None:
    traffic, counters = flowing(60)
    counters.receipts_unmatched[TELIA] = 7
    flow = flow_of(traffic, counters, 60.0)
    assert (flow.lately_receipts(TELIA), flow.lately_unmatched(TELIA)) == (3000, 7)
    for second in range(60, 60 + round(2 * LATELY_S) + 1):
        traffic.sample(counters, float(second))
    flow = flow_of(traffic, counters, 60.0 + 2 * LATELY_S)
    assert (flow.lately_receipts(TELIA), flow.lately_unmatched(TELIA)) == (0, 0)


def test_what_has_never_sent_has_rates_of_nothing() -> None:
    flow = flow_of(Traffic(), Counters(), 7.0)
    assert flow.of_account(BANK)["in_per_s"] == 0.0
    assert flow.of_operator(TELIA)["refused_as"] == ""
    assert flow.delivered()["share"] is None


def test_counts_since_the_start_are_by_status_over_all_lanes_and_binds() -> None:
    counters = Counters()
    counters.submits[BANK, OTP, v.ESME_ROK] = 1
    counters.submits[BANK, LaneName("bulk"), v.ESME_ROK] = 2
    counters.sends[TELIA, TELIA_1, v.ESME_RSYSERR] = 3
    counters.sends[TELIA, BindName("telia-2"), v.ESME_RSYSERR] = 4
    flow = flow_of(Traffic(), counters, 0.0)
    assert flow.submits[BANK] == {"ESME_ROK": 3}
    assert flow.answers[TELIA] == {"ESME_RSYSERR": 7}
    assert flow.bind_answers[TELIA, TELIA_1] == {"ESME_RSYSERR": 3}


def test_share_is_of_what_has_ended_and_was_asked_about() -> None:
    counters = Counters()
    counters.outcomes[BANK, Outcome.DELIVERED] = 90
    counters.outcomes[BANK, Outcome.FAILED] = 10
    counters.outcomes[BANK, Outcome.SENT] = 1000
    counters.receipts[TELIA, "delivered"] = 3
    counters.receipts[TELIA, "rejected"] = 1
    counters.receipts[TELIA, "enroute"] = 50
    flow = flow_of(Traffic(), counters, 0.0)
    assert (flow.delivered_to(BANK)["share"], flow.delivered_to(BANK)["of"]) == (0.9, 100)
    assert (flow.delivered_by(TELIA)["share"], flow.delivered_by(TELIA)["of"]) == (0.75, 4)


def test_share_of_late_forgets_what_was_long_ago() -> None:
    traffic, counters = Traffic(), Counters()
    counters.outcomes[BANK, Outcome.DELIVERED] = 1000
    for second in range(int(2 * LATELY_S) + 1):
        traffic.sample(counters, float(second))
    counters.outcomes[BANK, Outcome.FAILED] = 10
    counters.outcomes[BANK, Outcome.DELIVERED] += 10
    found = flow_of(traffic, counters, 2 * LATELY_S + 1).delivered_to(BANK)
    assert (found["lately_share"], found["lately_of"]) == (0.5, 20)
    assert found["share"] == round(1010 / 1020, 4)


def test_statuses_that_an_operator_invents_are_told_up_to_a_number() -> None:
    counters = Counters()
    for status in range(0x400, 0x400 + 2 * MOST_WORDS):
        counters.sends[TELIA, TELIA_1, status] = 1
    answers = flow_of(Traffic(), counters, 0.0).answers[TELIA]
    assert len(answers) == MOST_WORDS + 1
    assert sum(answers.values()) == 2 * MOST_WORDS


def test_commits_are_as_fast_as_those_of_the_last_seconds() -> None:
    traffic, counters = Traffic(), Counters()
    counters.commit_s.add(5.0)
    traffic.sample(counters, 0.0)
    for _ in range(10):
        counters.commit_s.add(0.002)
    flow = flow_of(traffic, counters, 5.0)
    assert flow.commits() == {"per_s": 2.0, "mean_s": 0.002}
