"""tests/simulation: it finds bugs. Each of those that can be planted breaks a promise soon."""

import pytest

from tests.simulation.planted import BUGS, planted
from tests.simulation.simulation import simulate

ENOUGH_SEEDS = 400
"""Most bugs show in one of the first ten."""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    with planted(name):
        found = any(simulate(seed).broken is not None for seed in range(ENOUGH_SEEDS))
    assert found


def test_a_bug_is_gone_when_it_is_no_longer_planted() -> None:
    for name in BUGS:
        with planted(name):
            pass
    assert simulate(0).broken is None


def test_there_are_bugs_of_every_kind() -> None:
    assert len(BUGS) >= 10
