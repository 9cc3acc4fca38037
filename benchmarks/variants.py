"""What a message costs the router where something differs from the plain case.

Each variant is run in turns with the plain case, and each pair gives one ratio of the processor
time per message: a shared machine changes its speed from minute to minute. As many messages are
under way in all of them.
"""

import argparse
from dataclasses import replace
from typing import Final

from benchmarks import stand
from benchmarks.certificates import OPENSSL
from benchmarks.load import Case, measure
from benchmarks.processes import ChildError
from benchmarks.results import Result, spread

SUMMARY: Final = "CPU of the router per message: slow receipts, accounts, TLS, long messages, binds"
MANY: Final = 100
"""Binds, and accounts."""
UNDER_WAY: Final = 200
"""Messages that are not answered yet, over all client binds."""
SEGMENTS: Final = 3
PLAIN: Final = Case(window=UNDER_WAY)
SPREAD_OUT: Final = replace(PLAIN, client_binds=MANY, window=UNDER_WAY // MANY)
VARIANTS: Final = {
    "plain": PLAIN,
    "slow receipts": replace(PLAIN, receipt_delay="2s"),
    "no receipts": replace(PLAIN, receipts=False),
    "100 client binds": SPREAD_OUT,
    "100 accounts": replace(SPREAD_OUT, accounts=MANY),
    "100 operator binds": replace(PLAIN, operator_binds=MANY),
    "TLS": replace(PLAIN, tls=True),
    "long messages": replace(PLAIN, segments=SEGMENTS),
}
"""The plain case against itself tells what a ratio is worth."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--journal", choices=stand.JOURNALS, default="sqlite")
    parser.add_argument("--count", type=int, help="messages (default: 30000, quick: 2000)")
    parser.add_argument("--pairs", type=int, help="of each variant (default: 3, quick: 1)")
    parser.add_argument("--only", choices=VARIANTS, help="one variant")


def run(given: argparse.Namespace) -> Result:
    """Measure each pair; the order within a pair changes from pair to pair."""
    count: int = given.count or (2_000 if given.quick else 30_000)
    pairs: int = given.pairs or (1 if given.quick else 3)
    names = [given.only] if given.only else list(VARIANTS)
    settings = {"count": count, "pairs": pairs, "journal": given.journal, "under_way": UNDER_WAY}
    settings |= {"many": MANY, "segments": SEGMENTS}
    result = Result(f"variants-{given.journal}", settings)
    if OPENSSL is None and "TLS" in names:
        raise ChildError("openssl is needed to make a certificate")
    for name in names:
        ratios, costs_us, rates_per_s = [], [], []
        for place in range(pairs):
            cases = [PLAIN, VARIANTS[name]]
            turns = cases if place % 2 else cases[::-1]
            runs = [measure(replace(case, journal=given.journal), count, count) for case in turns]
            plain, variant = runs if place % 2 else runs[::-1]
            costs_us.append(variant.numbers["router_us"])
            rates_per_s.append(variant.numbers["rate_per_s"])
            ratios.append(costs_us[-1] / plain.numbers["router_us"])
            print(f"  {name}: {costs_us[-1]:.1f} us, x {ratios[-1]:.3f}", flush=True)
        result.numbers[name] = {
            "ratio": spread(ratios, 3),
            "router_us": spread(costs_us),
            "rate_per_s": spread(rates_per_s),
        }
    return result
