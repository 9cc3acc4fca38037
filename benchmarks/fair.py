"""Three bulk accounts with 100,000, 1,000 and 10 messages: when does each finish?

The small ones come when all of the large one waits. In turns of equal weight an account with n
messages is done when so many have gone of each that has as many: that is its ideal.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.results import Result

SUMMARY: Final = "three bulk accounts of 100,000, 1,000 and 10 messages: when does each finish?"
BINDS: Final = 3
RATE: Final = 500
SIZES: Final = (100_000, 1_000, 10)
QUICK_SIZES: Final = (10_000, 1_000, 10)
SLACK: Final = 1.1
SLACK_S: Final = 0.5
"""A small one's client has to submit first, and its answers and receipts have their ways."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--rate", type=int, default=RATE, help="of each bind; default %(default)s")


def run(given: argparse.Namespace) -> Result:
    """Measure."""
    sizes = QUICK_SIZES if given.quick else SIZES
    rate: int = given.rate * BINDS
    result = Result("fair", {"sizes": list(sizes), "binds": BINDS, "rate_of_all": rate})
    names = [f"of {size}" for size in sizes]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "5ms", "--receipt-delay", "1ms")
        configuration = stand.configuration(
            operator.port, binds=BINDS, rate=f"{given.rate}/s", bind_window=100
        )
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        account = accounts.pop("load")
        accounts.update({_system_id(size): account for size in sizes})
        router = stand.router(stack, configuration, folder)
        router.until_rates_are_free(BINDS)
        clients = []
        finished_s: dict[str, float] = {}
        sent = 0.0
        for size in sizes:  # The largest first, and it waits when the others come.
            options = ["--count", str(size), "--window", "2000", "--wait-receipts", "300s"]
            client = stand.client(stack, router.port, *options, system_id=_system_id(size))
            clients.append(client)
            if size == sizes[0]:
                until(
                    "all of the largest accepted",
                    lambda: router.samples().sum("submits_total") >= sizes[0],
                    stand.CLIENT_S,
                )
                sent = router.samples().sum("sends_total")
        for client, name in reversed(list(zip(clients, names, strict=True))):
            seen = stand.totals_of(client)
            stand.well(client, seen)
            finished_s[name] = round(number(seen, "receipt_ms", "max") / 1000, 3)
        left = sizes[0] - sent
    ideals = {
        name: _ideal_s(size, [left, *sizes[1:]], rate)
        for size, name in zip(sizes[1:], names[1:], strict=True)
    }
    result.numbers = {
        "last_receipt_after_s": finished_s,
        "ideal_s": ideals,
        "of_largest_left": left,
    }
    for name, ideal_s in ideals.items():
        limit_s = ideal_s * SLACK + SLACK_S
        result.at_most(f"{name}: seconds to its last receipt", finished_s[name], round(limit_s, 3))
    largest_s = sizes[0] / rate
    result.at_most(
        f"{names[0]}: seconds to its last receipt",
        finished_s[names[0]],
        round(sum(sizes) / rate * SLACK + SLACK_S, 3),
    )
    ideals[names[0]] = round(largest_s, 3)
    return result


def _system_id(size: int) -> str:
    return f"size{size}"


def _ideal_s(size: int, sizes: list[float], rate: int) -> float:
    """Return the messages up to its last one when accounts take turns."""
    return round(sum(min(size, other) for other in sizes) / rate, 3)
