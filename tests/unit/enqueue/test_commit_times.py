"""router/enqueue/commit_times.py: a commit is too long only beside what this disk needs."""

import pytest

from router.enqueue.commit_times import LONG_S, SHORTEST_EVERY_S, CommitTimes

HAIR_S = 1e-6


@pytest.mark.parametrize("shortest_s", [0.0, 0.004, 0.2])
def test_commit_is_too_long_beside_the_shortest(shortest_s: float) -> None:
    times = CommitTimes(0.0)
    times.took(shortest_s, 1.0)
    assert not times.are_long
    times.took(LONG_S + 2 * shortest_s - HAIR_S, 2.0)
    assert not times.are_long
    times.took(LONG_S + 2 * shortest_s + HAIR_S, 3.0)
    assert times.are_long
    times.took(shortest_s, 4.0)
    assert not times.are_long


def test_first_commit_of_a_process_is_not_too_long() -> None:
    times = CommitTimes(0.0)
    times.took(3.0, 1.0)
    assert not times.are_long


def test_disk_that_has_become_slow_is_known_as_such_after_a_while() -> None:
    times = CommitTimes(0.0)
    times.took(0.001, 0.0)
    found = {}
    for second in range(1, 200):
        times.took(0.1, float(second))
        found[second] = times.are_long
    last = max(second for second, is_long in found.items() if is_long)
    assert SHORTEST_EVERY_S <= last <= 2 * SHORTEST_EVERY_S
    assert all(found[second] for second in range(1, last))


def test_disk_that_has_become_fast_is_known_as_such_at_once() -> None:
    times = CommitTimes(0.0)
    times.took(0.2, 0.0)
    times.took(0.001, 1.0)
    times.took(0.1, 2.0)
    assert times.are_long
