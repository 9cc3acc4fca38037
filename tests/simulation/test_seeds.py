"""The whole router under seeds: whatever happens to it, its promises hold.

The promises are those of README.md, "What the router promises"; `promises.py` checks them.

A seed that fails is named with what it broke; `python -m tests.simulation SEED` tells the rest.
"""

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.simulation.scenario import FIRST_OF_REQUESTS
from tests.simulation.simulation import Result, simulate

ROOT = Path(__file__).parents[2]
AT_ONCE = 25
SHORT = range(0, 400, AT_ONCE)
LONG = range(1_000, 21_000, AT_ONCE)


@cache
def lived(seed: int) -> Result:
    """What a seed has shown."""
    return simulate(seed)


def broken_by(seeds: range) -> list[str]:
    """What these seeds break, and how to see it happen."""
    results = [lived(seed) for seed in seeds]
    return [
        f"{one.broken}; replay with: python -m tests.simulation {one.seed}"
        for one in results
        if one.broken is not None
    ]


@pytest.mark.parametrize("first", SHORT)
def test_the_promises_hold_whatever_happens(first: int) -> None:
    assert broken_by(range(first, first + AT_ONCE)) == []


@pytest.mark.long
@pytest.mark.parametrize("first", LONG)
def test_the_promises_hold_whatever_happens_for_long(first: int) -> None:
    assert broken_by(range(first, first + AT_ONCE)) == []


def test_the_seeds_between_them_meet_everything() -> None:
    outcomes: Counter[str] = Counter()
    answers: Counter[int] = Counter()
    lives = repeated = 0
    for seed in range(100):
        one = lived(seed)
        outcomes.update(one.outcomes)
        answers.update(one.answers)
        lives += one.lives - 1
        repeated += one.repeated
    assert set(outcomes) == {"DELIVERED", "FAILED", "EXPIRED", "REJECTED", "SENT", "UNKNOWN"}
    assert set(answers) == {0x00, 0x08, 0x0B, 0x14, 0x58}
    assert lives > 20
    assert repeated > 100
    assert sum(outcomes.values()) > 2000


def test_clients_ask_and_have_messages_cancelled_and_replaced() -> None:
    requests: Counter[tuple[str, int]] = Counter()
    for seed in range(FIRST_OF_REQUESTS, FIRST_OF_REQUESTS + 50):
        requests.update(lived(seed).requests)
    done = {kind: requests[kind, 0] for kind in ("query", "cancel", "cancel all", "replace")}
    assert min(done.values()) > 20, done
    refused = {status for _, status in requests}
    assert {0x0C, 0x11, 0x13} <= refused


def test_a_seed_is_the_same_history_in_every_process() -> None:
    told = []
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "tests.simulation", "14"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        told.append(done.stdout)
    assert told[0].count("\n") > 300
    assert told[0] == told[1]
