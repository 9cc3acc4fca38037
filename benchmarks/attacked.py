"""What one peer at full speed costs the others.

A client sends at a steady rate, and its answers are timed. Beside it one peer floods the router
with as many PDUs as it takes: another client, strangers who do not bind, or an operator. Message n
is due at n / rate after the start and its time counts from there.
"""

import argparse
import signal
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import Child, ChildError, number
from benchmarks.results import Result

SUMMARY: Final = "another client's answers, and memory, while one peer floods the router"
RATE_PER_S: Final = 200
CONNECTIONS: Final = 4
STRANGERS: Final = 20
MOST_P99_MS: Final = 25.0
MOST_GROWN_MB: Final = 31.5
"""30 MiB."""


class Attack(NamedTuple):
    """Who floods, with what."""

    who: str
    kind: str
    tls: bool = False

    @property
    def name(self) -> str:
        """As the results have it."""
        return f"{self.who} {self.kind}{', TLS' if self.tls else ''}"


ATTACKS: Final = (
    *(Attack("client", kind) for kind in ("enquire_link", "unknown", "unasked", "malformed")),
    Attack("client", "submit_sm"),
    *(Attack("stranger", kind) for kind in ("enquire_link", "submit_sm")),
    *(Attack("operator", kind) for kind in ("enquire_link", "unasked", "deliver_sm")),
    Attack("client", "submit_sm", tls=True),
    Attack("client", "enquire_link", tls=True),
    Attack("stranger", "enquire_link", tls=True),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=int, help="of each flood (default: 15, quick: 3)")
    parser.add_argument("--only", help="the floods whose names begin so")


def run(given: argparse.Namespace) -> Result:
    """Measure without a flood, and with each."""
    seconds: int = given.seconds or (3 if given.quick else 15)
    attacks = [one for one in ATTACKS if one.name.startswith(given.only or "")]
    settings = {"seconds": seconds, "rate_per_s": RATE_PER_S, "connections": CONNECTIONS}
    result = Result("attacked", {**settings, "strangers": STRANGERS})
    if OPENSSL is None and any(one.tls for one in attacks):
        raise ChildError("openssl is needed to make a certificate")
    result.numbers["none"] = under(None, seconds)
    for attack in attacks:
        found = result.numbers[attack.name] = under(attack, seconds)
        print(f"  {attack.name}: {found}", flush=True)
        p99_ms = number(result.numbers, attack.name, "response_ms", "p99")
        result.at_most(f"{attack.name}: p99 of the other's answers, ms", p99_ms, MOST_P99_MS)
        grown_mb = number(result.numbers, attack.name, "peak_grown_mb")
        result.at_most(f"{attack.name}: growth of memory, MB", grown_mb, MOST_GROWN_MB)
    return result


def under(attack: Attack | None, seconds: int) -> dict[str, object]:
    """Return how another client fares under an attack, and how much memory it takes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")
        configuration = stand.configuration(operator.port, binds=2, journal="sqlite")
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        # What most people have: no rate, and the usual window.
        accounts["flood"] = {"password": stand.PASSWORD, "lane": "bulk", "max_binds": CONNECTIONS}
        certificate = None
        if attack is not None and attack.tls:
            certificate = self_signed(folder)
            tls = {"certificate": str(certificate), "key": str(certificate.with_suffix(".key"))}
            listen = configuration["listen"]
            assert isinstance(listen, list)
            listen.append({"address": "127.0.0.1:0", "tls": tls})
        flooding = None
        if attack is not None and attack.who == "operator":
            flooding = _flooding(stack, attack, "")
            _add_operator(configuration, number(flooding.event("flooding"), "port"))
        router = stand.router(stack, configuration, folder)
        router.until_bound(2 if flooding is None else 2 + CONNECTIONS)
        before_bytes = router.child.resident_bytes()
        if attack is not None and flooding is None:
            port = router.ports[-1 if attack.tls else 0]
            options = [] if certificate is None else ["--tls", str(certificate)]
            flooding = _flooding(stack, attack, f"127.0.0.1:{port}", *options)
            flooding.event("flooding")
        client = stand.client(
            stack,
            router.port,
            *("--window", "2000", "--rate", f"{RATE_PER_S}/s"),
            *("--count", str(RATE_PER_S * seconds)),
        )
        seen = stand.totals_of(client)
        found = {
            "response_ms": seen["response_ms"],
            # How late the client itself was: the part of the above that is not the router's.
            "send_lag_ms": seen["send_lag_ms"],
            "refused": seen["refused"],
            "peak_grown_mb": round((router.child.peak_bytes() - before_bytes) / 1e6, 1),
        }
        if flooding is not None:
            flooding.signal(signal.SIGTERM)
            found["flood_pdus_per_s"] = round(number(flooding.event("totals"), "pdus") / seconds)
        return found


def _flooding(stack: ExitStack, attack: Attack, to: str, *options: str) -> Child:
    arguments = ["-m", "benchmarks.flooding", attack.who, attack.kind, *options]
    if to:
        count = STRANGERS if attack.who == "stranger" else CONNECTIONS
        arguments += ["--to", to, "--connections", str(count), "--password", stand.PASSWORD]
    return stack.enter_context(Child("flood", arguments))


def _add_operator(configuration: dict[str, object], port: float) -> None:
    operators = configuration["operators"]
    assert isinstance(operators, dict)
    operators["flood"] = {
        "binds": [
            {
                "name": f"flood-{bind + 1}",
                "address": f"127.0.0.1:{port:.0f}",
                "system_id": "aggregator",
                "password": "secret02",
                "rate": "100/s",
                "window": 10,
            }
            for bind in range(CONNECTIONS)
        ]
    }
