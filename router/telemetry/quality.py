"""How well operators deliver, as the status tells it: by operator, country and lane."""

from typing import Final

from router.report.quality import ENOUGH, Quality, Sums
from router.telemetry.document import OutcomesStatus, ProblemStatus, QualityStatus

MOST_ROWS: Final = 200
"""Rows of the document: those with the most outcomes."""
DELIVERY: Final = "docs/operators.md, Fewer messages are delivered"
"""Where quality is explained."""
LIE: Final = 0.5
"""More receipts that come too fast are no chance: most telephones have to be woken first."""


def quality_status(quality: Quality) -> list[QualityStatus]:
    """Return the rows of the status, those with the most outcomes first."""
    counted = sorted(quality.by_lane().items(), key=lambda item: (-item[1].outcomes, item[0]))
    return [
        QualityStatus(
            operator=operator,
            country=country,
            lane=lane,
            outcomes=sums.outcomes,
            unreachable=sums.unreachable,
            delivered=sums.delivered,
            too_fast=sums.too_fast,
            never_receipted=sums.never_receipted,
            deliverable_share=_rounded(sums.deliverable_share),
            delivered_share=_rounded(sums.delivered_share),
            p50_s=_rounded(sums.within_s(0.5)),
            p95_s=_rounded(sums.within_s(0.95)),
        )
        for (operator, country, lane), sums in counted[:MOST_ROWS]
    ]


def outcomes_status(sums: Sums | None, latest_s: float | None) -> OutcomesStatus:
    """Return what the status says of the last outcomes of one operator.

    None if it has none; the latest was so long ago.
    """
    if sums is None:
        return OutcomesStatus(
            outcomes=0, deliverable=0, delivered=0, never_receipted=0, latest_s=None
        )
    return OutcomesStatus(
        outcomes=sums.outcomes,
        deliverable=sums.deliverable,
        delivered=sums.delivered,
        never_receipted=sums.never_receipted,
        latest_s=_rounded(latest_s),
    )


def not_believed(rows: list[QualityStatus]) -> list[ProblemStatus]:
    """Return a note for each operator most of whose receipts are too fast to be true."""
    delivered: dict[str, int] = {}
    too_fast: dict[str, int] = {}
    for row in rows:
        name = row["operator"]
        delivered[name] = delivered.get(name, 0) + row["delivered"]
        too_fast[name] = too_fast.get(name, 0) + row["too_fast"]
    return [
        ProblemStatus(
            what=f"{too_fast[name] / count:.0%} of what {name} calls delivered was receipted faster"
            " than a telephone can answer: hardly true",
            about=name,
            kind="operator",
            do="test with numbers of your own; simulators are that fast, too",
            see=DELIVERY,
        )
        for name, count in delivered.items()
        if count >= ENOUGH and too_fast[name] > LIE * count
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
