"""router/settings/statuses.py: the page about statuses says what the program does."""

from pathlib import Path

from router.settings.statuses import meaning, page
from router.terms.outcome import DEFAULT_ACTIONS
from router.terms.settings import StatusAction

PAGE = Path(__file__).parents[3] / "docs" / "STATUSES.md"


def test_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_status_has_its_row() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `0x")]
    assert len(rows) == len(DEFAULT_ACTIONS)


def test_every_action_is_worded_with_its_numbers() -> None:
    assert "45s" in meaning(StatusAction(do="retry", after_s=45.0, times=7, then="fail"))
    assert "7 times" in meaning(StatusAction(do="retry", after_s=45.0, times=7, then="fail"))
    assert "2s" in meaning(StatusAction(do="pause", for_s=2.0))
