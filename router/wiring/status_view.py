"""`smpp-router status`: fetches the status of a running router and draws it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, TextIO, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from router.telemetry.log import printable
from router.telemetry.status import (
    AccountStatus,
    BindStatus,
    ClockStatus,
    ConfigStatus,
    JournalStatus,
    LaneStatus,
    OperatorStatus,
    Snapshot,
    version,
)
from router.telemetry.verdict import NEAR, age
from router.wiring.quality_view import drawn_quality
from router.wiring.remote import NoAnswerError, ask

MOST_EVENTS: Final = 8
MOST_PROBLEMS: Final = 10
MOST_REFUSED: Final = 10
"""Kinds of refusals that are shown: by account and reason."""
_HEADS: Final = ("timestamp", "level", "event")
_GOOD, _BAD, _DIM = "green", "bold red", "dim"


def fetch(url: str) -> Snapshot:
    """Return the status of the router at this address."""
    return parsed(ask(url, "/v1/status"))


def parsed(octets: bytes) -> Snapshot:
    """Return the document that `/v1/status` answers with."""
    try:
        document = json.loads(octets)
    except ValueError as error:
        raise NoAnswerError("the answer is not JSON: is there a router at that address?") from error
    if not isinstance(document, dict) or Snapshot.__required_keys__ - document.keys():
        raise NoAnswerError("the answer is not that of a router of this version")
    return cast("Snapshot", document)


def drawn(status: Snapshot) -> RenderableType:
    """Draw the status. Between an upgrade and the restart it comes from an older version."""
    try:
        return Group(*_parts(status))
    except (KeyError, TypeError, AttributeError) as error:
        theirs, ours = status["version"], version()
        what = f"a router of version {theirs} is not understood by this command, which is {ours}"
        raise NoAnswerError(f"{what}; --json shows what it says") from error


def _parts(status: Snapshot) -> Iterator[RenderableType]:
    yield _verdict(status["problems"], status["notes"])
    yield _head(status)
    yield _binds(status["operators"])
    yield _lanes(status)
    yield _accounts(status["accounts"])
    refused = _refused(status["accounts"])
    if refused is not None:
        yield refused
    quality = drawn_quality(status["quality"])
    if quality is not None:
        yield quality
    yield _totals(status)
    events = _events(status["events"])
    if events is not None:
        yield events


def _verdict(problems: list[str], notes: list[str]) -> Text:
    """Return what is not well, before all else."""
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        told = problems[:MOST_PROBLEMS]
        if len(problems) > len(told):
            told.append(f"and {len(problems) - len(told)} more (--json has all)")
        verdict = Text("\n  ".join([f"{count}:", *told]), style=_BAD)
    else:
        verdict = Text("No problem is known.", style=_GOOD)
    for note in notes:
        verdict.append(f"\nNote: {note}", style=_DIM)
    return verdict


def _head(status: Snapshot) -> Text:
    reason = status["not_ready"]
    state = ("ready", _GOOD) if reason is None else (f"not ready: {reason}", _BAD)
    journal = status["journal"]
    up = ("up", _GOOD) if journal["up"] else ("down", _BAD)
    return Text.assemble(
        f"smpp-router {status['version']}, up {age(status['uptime_s'])}, ",
        state,
        ", journal ",
        up,
        f" ({journal['pending']} pending)",
        *_space(journal),
        (f", {aside} damaged rows set aside" if (aside := journal["set_aside"]) else "", _BAD),
        (", started without all that it had" if journal["lost"] else "", _BAD),
        f"\nlistening on {', '.join(status['listeners']) or 'nothing'}\n",
        *_config(status["config"]),
        *_doubt(status["clock"]),
    )


def _config(config: ConfigStatus) -> Iterator[tuple[str, str]]:
    """Yield which configuration runs, and how to see what its files would change."""
    since = datetime.fromtimestamp(config["since_utc"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield f"configuration {config['hash']} since {since} UTC\n", ""
    if config["stale"]:
        yield f"{config['why']}: `smpp-router check CONFIG --against-running`\n", _BAD


def _space(journal: JournalStatus) -> Iterator[tuple[str, str]]:
    """Yield how much space is left, where there is an end to it."""
    free = journal["free_octets"]
    if free is not None:
        yield f", {amount(free)} free", _BAD if journal["is_short_of_space"] else ""
    if journal["is_short_of_space"]:
        yield f" of {amount(journal['keep_free'])} to keep: only receipts are taken", _BAD


def _doubt(clock: ClockStatus) -> Iterator[tuple[str, str]]:
    """Yield what people have to know of a clock that is not believed."""
    if clock["cure"]:
        off = f"{age(abs(clock['ahead_s']))} {'ahead' if clock['ahead_s'] > 0 else 'behind'}"
        yield f"the clock is {off}, and doubted", _BAD
        yield (f"; {clock['waiting']} messages wait for it" if clock["waiting"] else ""), _BAD
        yield f": {clock['cure']}\n", ""


def _table(title: str, *columns: str, right: int) -> Table:
    """Return a table whose columns from `right` on hold numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for number, column in enumerate(columns):
        justify: JustifyMethod = "right" if number >= right else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    return table


def _binds(operators: list[OperatorStatus]) -> Table:
    columns = ("operator", "bind", "state", "since", "window", "rate", "busiest", "answer")
    table = _table("Binds", *columns, right=3)
    for operator in operators:
        for bind in operator["binds"]:
            table.add_row(operator["name"], *_bind(bind))
        if operator["rate"] is not None:
            table.add_row(operator["name"], "together", "", "", "", operator["rate"], "", "")
        if operator["waiting_to_rebind"]:
            waiting = ", ".join(operator["waiting_to_rebind"])
            state = Text(f"old session: {operator['waiting_because']}", style=_BAD)
            table.add_row(operator["name"], waiting, state, "", "", "", "", "")
        if operator["leaving"]:
            state = Text("removed: stays for receipts", style=_DIM)
            table.add_row(operator["name"], "all", state, "", "", "", "", "")
        if operator["breaker"] != "closed":
            state = Text(f"fails: {operator['breaker']}", style=_BAD)
            table.add_row(operator["name"], "all", state, "", "", "", "", "")
    return table


def _bind(bind: BindStatus) -> Iterator[RenderableType]:
    yield bind["name"]
    state = bind["state"]
    if bind["drained"] and bind["up"]:
        state = "drained"
    elif bind["breaker"] != "closed" and bind["up"]:
        state = f"fails: {bind['breaker']}"
    elif bind["resting_s"]:
        state = f"rests {age(bind['resting_s'])}"
    elif bind["failures"] and not bind["up"]:
        state += f", {bind['failures']} failed"
    if bind["trouble"]:
        state += f": {bind['trouble']}"
    well = bind["up"] and not bind["drained"] and bind["breaker"] == "closed"
    yield Text(state, style=_GOOD if well else _BAD)
    yield age(bind["since_s"])
    yield _window(bind)
    yield _rate(bind)
    yield "" if bind["busiest_second"] is None else str(bind["busiest_second"])
    round_trip_s = bind["round_trip_s"]
    yield "" if round_trip_s is None else f"{round_trip_s * 1000:.1f} ms"


def _window(bind: BindStatus) -> RenderableType:
    """Return how much of the window is in use, and whether it is too small for the rate."""
    text = f"{bind['window_in_use']}/{bind['window']}"
    least = bind["window_needed"]
    if least is None or least <= bind["window"]:
        return text
    return Text(f"{text}, rate needs {least}", style=_BAD)


def _rate(bind: BindStatus) -> RenderableType:
    """Return the contracted rate, and the adapted rate while the operator does not keep up."""
    rate, now = bind["rate"], bind["rate_now"]
    if rate is None or now is None:
        return ""
    count, _, unit = rate.partition("/")
    per_s = {"s": 1.0, "min": 60.0, "h": 3600.0}.get(unit)
    if per_s is None or now * per_s >= int(count) * (1 - 1e-6):
        return rate
    return Text(f"{now * per_s:.3g} of {rate}", style=_BAD)


def _lanes(status: Snapshot) -> Table:
    names = [lane["lane"] for lane in status["without_operator"]]
    columns = ("operator", *names, "in flight", "receipts due", "unmatched")
    table = _table("Waiting, and the age of the oldest", *columns, right=1)
    for operator in status["operators"]:
        table.add_row(
            operator["name"],
            *_waiting(operator["lanes"]),
            str(operator["in_flight"]),
            str(operator["receipts_outstanding"]),
            str(operator["receipts_unmatched"]),
        )
    if any(lane["messages"] for lane in status["without_operator"]):
        nobody = Text("no operator up", style=_BAD)
        table.add_row(nobody, *_waiting(status["without_operator"]), "", "", "")
    waits = (status["delayed"], "to be tried again"), (status["scheduled"], "for their schedule")
    table.caption = ", ".join(f"{count} more wait {what}" for count, what in waits if count) or None
    return table


def _waiting(lanes: list[LaneStatus]) -> Iterator[str]:
    for lane in lanes:
        count = lane["messages"]
        yield f"{count}, {age(lane['oldest_s'])}" if count else "0"


def _accounts(accounts: list[AccountStatus]) -> Table:
    columns = ("binds", "tx", "rx", "trx", "queued", "octets", "outbox", "octets")
    table = _table("Accounts", "account", *columns, right=1)
    for account in accounts:
        binds = account["binds"]
        bound = sum(binds.values())
        table.add_row(
            account["name"],
            Text(f"{bound}/{account['max_binds']}", style="" if bound else _DIM),
            *(str(binds[name]) for name in ("transmitter", "receiver", "transceiver")),
            _filled(account["waiting"], account["queue"]),
            _filled(account["waiting_octets"], account["queue_size"], amount),
            _filled(account["outbox"], account["outbox_messages"]),
            _filled(account["outbox_octets"], account["outbox_size"], amount),
        )
    return table


def _refused(accounts: list[AccountStatus]) -> Table | None:
    """Return what was refused to accounts, the latest first; None where nothing was."""
    rows = [(account["name"], one) for account in accounts for one in account["refused"]]
    if not rows:
        return None
    columns = ("reason", "answered", "last at (UTC)", "such as to", "count")
    table = _table("Refused since the start", "account", *columns, right=5)
    for name, one in sorted(rows, key=lambda row: -row[1]["last_utc"])[:MOST_REFUSED]:
        at = datetime.fromtimestamp(one["last_utc"], UTC).strftime("%d %b %H:%M:%S")
        prefix = f"{one['prefix']}..." if one["prefix"] else ""
        table.add_row(name, one["reason"], one["status"], at, prefix, str(one["count"]))
    if len(rows) > MOST_REFUSED:
        table.caption = f"{len(rows) - MOST_REFUSED} more in --json"
    return table


def _events(events: list[dict[str, object]]) -> Text | None:
    """Return the latest warnings and errors, a line each; None if there were none."""
    bad = [one for one in events if one["level"] in ("warning", "error", "critical")]
    if not bad:
        return None
    lines = Text(no_wrap=True, overflow="ellipsis")
    lines.append("Latest warnings and errors (UTC)", style="bold")
    for one in bad[-MOST_EVENTS:]:
        words = [f"{key}={one[key]}" for key in one if key not in _HEADS]
        told = " ".join([str(one["timestamp"])[11:19], str(one["event"]), *words])
        lines.append(f"\n  {printable(told)}")
    return lines


def _filled(count: int, most: int, show: Callable[[int], str] = str) -> Text:
    """Return how much is taken of what may be; red where little is left."""
    return Text(f"{show(count)}/{show(most)}", style=_BAD if count >= NEAR * most else "")


def _totals(status: Snapshot) -> Table:
    """Return the line of what was counted since the start."""
    totals = status["totals"]
    counted = {
        "submits answered": totals["submits"],
        "operators answered": totals["sends"],
        "receipts": totals["receipts"],
        "outcomes": totals["outcomes"],
        "in doubt": totals["in_doubt"],
        "failed binds": totals["failed_binds"],
        "refused PDUs": totals["refused_pdus"],
        "sent again": {"": totals["repeated"]} if totals["repeated"] else {},
    }
    table = Table(
        title="Since the start", title_justify="left", title_style="bold", box=SIMPLE_HEAD
    )
    table.show_header = False
    for what, counts in counted.items():
        if counts:
            table.add_row(what, ", ".join(f"{name} {n}".strip() for name, n in counts.items()))
    return table


def amount(octets: int) -> str:
    """Return octets in the largest unit of which there is one, such as `31.4MiB`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if octets >= size:
            return f"{octets / size:.3g}{unit}"
    return f"{octets}B"


def console(file: TextIO | None = None, width: int | None = None) -> Console:
    """Return standard output, on which texts are drawn as they are, without rich's markup."""
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)
