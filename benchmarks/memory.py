"""What one more of each thing takes of the router's memory.

Each figure is the difference of the resident memory at two sizes, divided by the difference of the
sizes: what there is only once does not count, and what Python's allocator rounds up hardly does.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.idle import SPARE_FILES, Idle, may_open
from benchmarks.processes import Child, until
from benchmarks.results import Result
from router.terms.capacity import Capacity

SUMMARY: Final = "resident octets: idle; per bind, account, queued and outstanding message"
QUICK: Final = 10
"""Sizes are so many times smaller."""
ACCOUNTS: Final = 20
"""That share the messages that are queued in memory: each queue keeps its first ones there."""
BIND_RATE: Final = "50/s"
"""Of an operator's bind: the pacing remembers as many messages as go in a second."""


class Sizes(NamedTuple):
    """Two sizes of one thing."""

    few: int
    many: int


CLIENT_BINDS: Final = Sizes(500, 4_500)
OPERATOR_BINDS: Final = Sizes(20, 220)
SETTINGS_ACCOUNTS: Final = Sizes(200, 2_200)
QUEUED: Final = Sizes(10_000, ACCOUNTS * Capacity().queue_messages)
QUEUED_ON_DISK: Final = Sizes(100_000, 300_000)
OUTSTANDING: Final = Sizes(30_000, Capacity().pending_receipts)
OUTSTANDING_ON_DISK: Final = Sizes(150_000, 350_000)


def arguments(_: argparse.ArgumentParser) -> None:
    """It has no options of its own."""


def run(given: argparse.Namespace) -> Result:
    """Measure one thing after the other, each with a router of its own."""
    by = QUICK if given.quick else 1
    result = Result("memory", {"journal": "sqlite", "operator_bind_rate": BIND_RATE})
    client_bind, idle_octets = _client_bind(_smaller(CLIENT_BINDS, by))
    result.numbers = {
        "idle_router": idle_octets,
        "client_bind": client_bind,
        "operator_bind": _operator_bind(_smaller(OPERATOR_BINDS, by)),
        "account": _account(_smaller(SETTINGS_ACCOUNTS, by)),
        "queued_message": _queued(_smaller(QUEUED, by), ACCOUNTS),
        "queued_message_on_disk": _queued(_smaller(QUEUED_ON_DISK, by), 1),
        "outstanding_message": _outstanding(_smaller(OUTSTANDING, by)),
        "outstanding_message_on_disk": _outstanding(_smaller(OUTSTANDING_ON_DISK, by)),
    }
    return result


def _smaller(sizes: Sizes, by: int) -> Sizes:
    return Sizes(sizes.few // by, sizes.many // by)


@dataclass(slots=True)
class _Looks:
    """The resident memory of a router at each of two sizes."""

    sizes: Sizes
    octets: list[int] = field(default_factory=list)

    def at(self, router: stand.Router) -> None:
        """Look at a router that has the next size."""
        self.octets.append(router.child.resident_bytes())

    def each(self) -> int:
        """The octets that one more takes."""
        few, many = self.octets
        return round((many - few) / (self.sizes.many - self.sizes.few))


def _configuration(operator_port: int, accounts: Sequence[str] = ("load",)) -> dict[str, object]:
    configuration = stand.configuration(operator_port, binds=1, journal="sqlite")
    configuration["accounts"] = {name: stand.account() for name in accounts}
    return configuration


def _names(count: int) -> list[str]:
    return [f"load{place + 1}" for place in range(count)]


def _client_bind(sizes: Sizes) -> tuple[int, int]:
    """Octets of one, and of a router that has none."""
    may_open(sizes.many + SPARE_FILES)
    looks = _Looks(sizes)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        configuration = _configuration(stand.operator(stack).port)
        configuration["accounts"] = {"idle": stand.account() | {"max_binds": sizes.many}}
        router = stand.router(stack, configuration, folder)
        router.until_bound(1)
        idle_octets = router.child.resident_bytes()
        stack.enter_context(Idle(router.port, sizes.few))
        looks.at(router)
        stack.enter_context(Idle(router.port, sizes.many - sizes.few))
        looks.at(router)
    return looks.each(), idle_octets


def _operator_bind(sizes: Sizes) -> int:
    looks = _Looks(sizes)
    for binds in sizes:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            configuration = stand.configuration(
                stand.operator(stack).port, binds=binds, rate=BIND_RATE, journal="sqlite"
            )
            router = stand.router(stack, configuration, folder)
            router.until_bound(binds)
            looks.at(router)
    return looks.each()


def _account(sizes: Sizes) -> int:
    looks = _Looks(sizes)
    for accounts in sizes:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            configuration = _configuration(stand.operator(stack).port, _names(accounts))
            router = stand.router(stack, configuration, folder)
            router.until_bound(1)
            looks.at(router)
    return looks.each()


def _queued(sizes: Sizes, accounts: int) -> int:
    """Octets of a message that waits because its operator is down."""
    looks = _Looks(sizes)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        names = _names(accounts) if accounts > 1 else ["load"]
        router = stand.router(stack, _configuration(stand.free_port(), names), folder)
        options = ["--binds", str(accounts), "--accounts", str(accounts)]
        for count in (sizes.few, sizes.many - sizes.few):
            _submit(stack, router, count, *options, "--registered-delivery", "0")
            looks.at(router)
    return looks.each()


def _outstanding(sizes: Sizes) -> int:
    """Octets of a message that was sent and has no receipt yet."""
    looks = _Looks(sizes)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipts", "none:1")
        router = stand.router(stack, _configuration(operator.port), folder)
        router.until_bound(1)
        outstanding = 0
        for count in (sizes.few, sizes.many - sizes.few):
            _submit(stack, router, count)
            outstanding += count
            _until_outstanding(router, outstanding)
            looks.at(router)
    return looks.each()


def _until_outstanding(router: stand.Router, count: int) -> None:
    until(
        f"{count} receipts outstanding",
        lambda: router.samples().sum("receipts_outstanding") >= count,
    )


def _submit(stack: ExitStack, router: stand.Router, count: int, *options: str) -> None:
    """Have a client submit so many, and leave without waiting for receipts."""
    client: Child = stand.client(
        stack, router.port, *options, "--count", str(count), "--wait-receipts", "0s"
    )
    totals = stand.totals_of(client)
    if totals["accepted"] != count:
        raise client.failed("was not", "well served")
