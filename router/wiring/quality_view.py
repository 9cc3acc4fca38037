"""How well operators deliver, as a table for people."""

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from router.report.quality import LAST
from router.telemetry.quality import QualityStatus
from router.telemetry.verdict import age

MOST_ROWS: Final = 10
"""Operators, countries and lanes that are shown."""


def drawn_quality(rows: list[QualityStatus]) -> Table | None:
    """Return a table, the worst first; None where nothing was counted."""
    if not rows:
        return None
    title = f"Delivery, of the last {LAST:,} outcomes"
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in ("operator", "country", "lane"):
        table.add_column(column, no_wrap=True)
    for column in ("outcomes", "reachable", "delivered", "no receipt", "too fast", "half", "95 %"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in sorted(rows, key=_worst_first)[:MOST_ROWS]:
        table.add_row(
            row["operator"],
            row["country"],
            row["lane"],
            str(row["outcomes"]),
            _percent(row["deliverable_share"]),
            _percent(row["delivered_share"]),
            str(row["never_receipted"]),
            str(row["too_fast"]),
            *("" if time_s is None else age(time_s) for time_s in (row["p50_s"], row["p95_s"])),
        )
    if len(rows) > MOST_ROWS:
        table.caption = f"{len(rows) - MOST_ROWS} more in --json"
    return table


def _worst_first(row: QualityStatus) -> int:
    """Sort by how many were not delivered though they could be."""
    return row["unreachable"] + row["delivered"] - row["outcomes"]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
