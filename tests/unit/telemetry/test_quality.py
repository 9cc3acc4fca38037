"""router/telemetry/quality.py: how well operators deliver, in the status and its verdict."""

import pytest

from router.report.quality import ENOUGH
from router.telemetry.quality import MOST_ROWS, not_believed, quality_status
from router.telemetry.status import snapshot
from router.terms.names import OperatorName
from router.terms.outcome import Evidence, Outcome
from router.wiring.status_tables import quality_section
from tests.unit.telemetry.running import ELISA, TELIA, FakeRouter


def counted(
    router: FakeRouter,
    outcome: Outcome,
    times: int,
    evidence: Evidence = Evidence.OPERATOR,
    operator: OperatorName = TELIA,
    number: bytes = b"37255512345",
) -> None:
    """Count outcomes that took four seconds."""
    message = router.message(age_s=4.0)
    message.operator = operator
    message.destination_octets = b"\1\1" + number + b"\0"
    for _ in range(times):
        router.journey.quality.count(message, outcome, evidence, 1.8e9, router.now)


def test_row_says_how_many_could_be_delivered_and_were_and_in_what_time() -> None:
    router = FakeRouter()
    counted(router, Outcome.DELIVERED, 70)
    counted(router, Outcome.FAILED, 10)
    counted(router, Outcome.UNKNOWN, 10, Evidence.SILENCE)
    counted(router, Outcome.FAILED, 10, Evidence.UNREACHABLE)
    (row,) = snapshot(router)["quality"]
    assert row.pop("p50_s") == pytest.approx(4.0, rel=0.26)  # type: ignore[misc]
    assert row.pop("p95_s") == pytest.approx(4.0, rel=0.26)  # type: ignore[misc]
    assert row == {
        "operator": "telia",
        "country": "EE",
        "lane": "otp",
        "outcomes": 100,
        "unreachable": 10,
        "delivered": 70,
        "too_fast": 0,
        "never_receipted": 10,
        "deliverable_share": 0.9,
        "delivered_share": 0.778,
    }


def test_operator_has_the_sums_of_its_rows_and_the_age_of_the_latest() -> None:
    router = FakeRouter()
    counted(router, Outcome.DELIVERED, 70)
    router.now += 50.0
    counted(router, Outcome.UNKNOWN, 10, Evidence.SILENCE, number=b"358401234567")
    router.now += 7.0
    telia, elisa, *_ = snapshot(router)["operators"]
    assert telia["last"] == {
        "outcomes": 80,
        "deliverable": 80,
        "delivered": 70,
        "never_receipted": 10,
        "latest_s": 7.0,
    }
    assert (elisa["last"]["outcomes"], elisa["last"]["latest_s"]) == (0, None)


def test_rows_are_bounded_and_those_with_the_most_outcomes_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = FakeRouter()
    counted(router, Outcome.DELIVERED, 1)
    counted(router, Outcome.DELIVERED, 3, number=b"358401234567")
    counted(router, Outcome.DELIVERED, 2, operator=ELISA)
    rows = quality_status(router.journey.quality)
    assert [(row["operator"], row["country"]) for row in rows] == [
        ("telia", "FI"), ("elisa", "EE"), ("telia", "EE"),
    ]  # fmt: skip
    assert len(rows) < MOST_ROWS
    monkeypatch.setattr("router.telemetry.quality.MOST_ROWS", 2)
    assert quality_status(router.journey.quality) == rows[:2]


def test_operator_most_of_whose_receipts_come_too_fast_is_not_believed() -> None:
    router = FakeRouter()
    counted(router, Outcome.DELIVERED, ENOUGH // 2 - 1, Evidence.TOO_FAST, ELISA)
    counted(router, Outcome.DELIVERED, ENOUGH // 2, operator=ELISA)
    counted(router, Outcome.DELIVERED, ENOUGH - 1, Evidence.TOO_FAST)
    assert not_believed(snapshot(router)["quality"]) == []
    counted(router, Outcome.DELIVERED, 1, Evidence.TOO_FAST, number=b"358401234567")
    status = snapshot(router)
    told = (
        "100% of what telia calls delivered was receipted faster than a telephone can answer:"
        " hardly true"
    )
    assert told in [note["what"] for note in status["notes"]]
    assert len(not_believed(status["quality"])) == 1


def test_table_shows_the_worst_first() -> None:
    router = FakeRouter()
    assert quality_section(snapshot(router)["quality"]).rows == []
    counted(router, Outcome.DELIVERED, 50)
    counted(router, Outcome.DELIVERED, 40, operator=ELISA)
    counted(router, Outcome.FAILED, 10, operator=ELISA)
    counted(router, Outcome.FAILED, 50, Evidence.UNREACHABLE)
    rows = quality_section(snapshot(router)["quality"]).rows
    assert [[one.text for one in row.cells[:6]] for row in rows] == [
        ["elisa", "EE", "otp", "50", "100.0%", "80.0%"],
        ["telia", "EE", "otp", "100", "50.0%", "100.0%"],
    ]
