"""router/enqueue/group_commit.py: at once while there is little to write, in company under load."""

import pytest

from router.enqueue.group_commit import BUSY_ROWS, GroupCommit

COMMIT_EVERY_S = 0.002
SETTLE_EVERY_S = 0.05


def pace(rows: int | None = None, *, settle_every_s: float = SETTLE_EVERY_S) -> GroupCommit:
    """The pace after a commit of so many rows at 10.0, or before the first."""
    one = GroupCommit(COMMIT_EVERY_S, settle_every_s)
    if rows is not None:
        one.began(10.0, rows)
    return one


@pytest.mark.parametrize("rows", [None, 0, 1, BUSY_ROWS - 1])
def test_quiet_journal_commits_urgent_work_at_once_and_the_rest_with_it(rows: int | None) -> None:
    quiet = pace(rows)
    assert quiet.urgent_at() < 10.0
    assert quiet.rides_along_at(10.0) == 10.0


def test_quiet_journal_commits_the_rest_alone_after_commit_every() -> None:
    assert pace(1).alone_at(10.0) == 10.0 + COMMIT_EVERY_S


def test_nothing_waits_longer_than_settle_every_says() -> None:
    assert pace(1, settle_every_s=0.0).alone_at(10.0) == 10.0
    assert pace(BUSY_ROWS, settle_every_s=0.0).alone_at(10.0) == 10.0


def test_commits_of_a_busy_journal_begin_commit_every_apart() -> None:
    assert pace(BUSY_ROWS).urgent_at() == 10.0 + COMMIT_EVERY_S


def test_busy_journal_takes_the_rest_along_after_a_fifth_of_settle_every() -> None:
    assert pace(BUSY_ROWS).rides_along_at(10.0) == 10.0 + SETTLE_EVERY_S / 5


def test_busy_journal_commits_the_rest_alone_after_settle_every() -> None:
    assert pace(BUSY_ROWS).alone_at(10.0) == 10.0 + SETTLE_EVERY_S


def test_the_last_commit_tells_whether_the_journal_is_busy() -> None:
    one = pace(BUSY_ROWS)
    one.began(20.0, BUSY_ROWS - 1)
    assert one.urgent_at() < 20.0
    one.began(30.0, BUSY_ROWS)
    assert one.urgent_at() == 30.0 + COMMIT_EVERY_S


def test_where_nothing_waits_nothing_is_due() -> None:
    for rows in (1, BUSY_ROWS):
        assert pace(rows).alone_at(float("inf")) == float("inf")
        assert pace(rows).rides_along_at(float("inf")) == float("inf")
