"""Microseconds per call, measured so that other people's work on the machine shows the least."""

import gc
import time
from collections.abc import Callable
from typing import Final

ROUNDS: Final = 9
"""Whatever else runs can only make a round slower, so the fastest one is nearest to the truth."""


def fastest_us(calls: dict[str, Callable[[], object]], each: int) -> dict[str, float]:
    """Time several callables, each doing something `each` times; return us for one of those.

    They take turns, so that a slow moment of the machine meets all of them.
    """
    best = dict.fromkeys(calls, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in calls.items():
                began_at = time.perf_counter()
                call()
                took_s = time.perf_counter() - began_at
                best[name] = min(best[name], took_s / each * 1e6)
    finally:
        gc.enable()
    return {name: round(took_us, 3) for name, took_us in best.items()}
