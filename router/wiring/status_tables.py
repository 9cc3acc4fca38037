"""The tables of `smpp-router status`: which rows there are, and what stands in each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from router.telemetry.document import (
    AccountStatus,
    BindStatus,
    BlockedStatus,
    DeliveredStatus,
    LaneStatus,
    OperatorStatus,
    OutcomesStatus,
    QualityStatus,
    Snapshot,
)
from router.telemetry.log import printable
from router.telemetry.verdict import NEAR, age, is_down, is_flooded, refuses
from router.wiring.columns import BAD, DIM, EMPTY, GOOD, Cell, Column, cell

_HEADS: Final = ("timestamp", "level", "event")
_LOUD: Final = ("warning", "error", "critical")


class Row(NamedTuple):
    """One row of a table, and what it is sorted by."""

    cells: Sequence[Cell]
    name: str
    is_bad: bool = False
    rate: float = 0.0
    refused: float = 0.0
    waiting: float = 0.0
    oldest_s: float = 0.0


class Section(NamedTuple):
    """One table."""

    columns: Sequence[Column]
    """The title of the first one is that of the table."""
    rows: list[Row]
    usual: int
    """How many rows are shown where there is no end to the room."""
    sorts: bool = True


def delivered_words(delivered: DeliveredStatus) -> str:
    """Return the delivered share in words; empty where nothing has ended."""
    if delivered["share"] is None:
        return ""
    words = f"delivered {delivered['share']:.1%} of {delivered['of']}"
    lately = delivered["lately_share"]
    return words if lately is None else f"{words} ({lately:.1%} lately)"


def last_share(last: OutcomesStatus) -> float | None:
    """Return how much of its last outcomes an operator delivered, as DELIVERY counts them."""
    return last["delivered"] / last["deliverable"] if last["deliverable"] else None


def last_words(last: OutcomesStatus) -> str:
    """Return that share in words; empty where nothing could be delivered."""
    share = last_share(last)
    return "" if share is None else f"delivered {share:.1%} of the last {last['deliverable']}"


def rate(per_s: float) -> str:
    """Return messages a second in a few digits."""
    return f"{per_s:.1f}" if 0 < per_s < 10 else f"{per_s:.0f}"


def amount(octets: int) -> str:
    """Return octets in the largest unit of which there is one, such as `31.4MiB`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if octets >= size:
            return f"{octets / size:.3g}{unit}"
    return f"{octets}B"


OPERATORS: Final = (
    Column("OPERATOR", is_right=False),
    Column("state", is_right=False, wraps=True),
    Column("out/s"),
    Column("refused/s", 2),
    Column("receipts/s", 4),
    Column("waiting"),
    Column("oldest", 1),
    Column("in flight", 5),
    Column("delivered", 3),
    Column("due", 6),
    Column("unmatched", 7),
    Column("rate", 8),
)


def operators_section(operators: Sequence[OperatorStatus]) -> Section:
    """Return all operators."""
    return Section(OPERATORS, [_operator(one) for one in operators], 12)


def _operator(one: OperatorStatus) -> Row:
    binds = [bind for bind in one["binds"] if not bind["drained"]]
    up = sum(bind["up"] for bind in binds)
    states = [f"{up}/{len(binds)} up" if binds else "drained"]
    if one["leaving"]:
        states = ["removed: stays for receipts"]
    elif one["breaker"] != "closed":
        states.append(f"fails: {one['breaker']}")
    if one["waiting_to_rebind"]:
        states.append(f"{len(one['waiting_to_rebind'])} with old session")
    is_down_here = any(map(is_down, binds)) and not one["leaving"]
    is_bad = is_down_here or one["breaker"] != "closed" or bool(one["waiting_to_rebind"])
    now, waiting = one["now"], sum(lane["messages"] for lane in one["lanes"])
    oldest_s = max((lane["oldest_s"] for lane in one["lanes"]), default=0.0)
    return Row(
        (
            cell(one["name"]),
            cell(", ".join(states), BAD if is_bad else GOOD),
            cell(rate(now["out_per_s"])),
            _refusals(now["refused_per_s"], is_bad=refuses(now)),
            cell(rate(now["receipts_per_s"])),
            cell(waiting),
            cell(age(oldest_s) if waiting else ""),
            cell(one["in_flight"]),
            cell(_percent(last_share(one["last"]))),
            cell(one["receipts_outstanding"]),
            cell(one["receipts_unmatched"] or ""),
            cell(one["rate"] or ""),
        ),
        one["name"],
        is_bad,
        now["out_per_s"],
        now["refused_per_s"],
        waiting,
        oldest_s,
    )


def _refusals(refused: float, *, is_bad: bool) -> Cell:
    return cell(rate(refused), BAD if is_bad else "")


def _share(delivered: DeliveredStatus) -> Cell:
    """Return what is delivered lately, or else since the start."""
    lately, ever = delivered["lately_share"], delivered["share"]
    share = ever if lately is None else lately
    return EMPTY if share is None else cell(f"{share:.1%}")


BINDS: Final = (
    Column("BIND", is_right=False),
    Column("state", is_right=False, wraps=True),
    Column("since"),
    Column("out/s"),
    Column("rate"),
    Column("busiest", 2),
    Column("window", 1),
    Column("answer", 3),
    Column("refused/s", 4),
)


def binds_section(operators: Sequence[OperatorStatus]) -> Section:
    """Return the binds of these operators; their names are unique over all of them."""
    return Section(BINDS, [row for one in operators for row in _binds(one)], 15)


def _binds(operator: OperatorStatus) -> Iterator[Row]:
    for bind in operator["binds"]:
        state, is_bad, style = _state(bind)
        if bind["name"] in operator["waiting_to_rebind"]:
            state, is_bad = f"old session: {operator['waiting_because']}", True
            style = BAD
        trip_s, now = bind["round_trip_s"], bind["now"]
        cells = (
            cell(bind["name"]),
            cell(state, style),
            cell(age(bind["since_s"])),
            cell("" if bind["rate"] is None else rate(now["out_per_s"])),
            _rate(bind),
            cell("" if bind["busiest_second"] is None else bind["busiest_second"]),
            _window(bind),
            cell("" if trip_s is None else f"{trip_s * 1000:.1f} ms"),
            _refusals(now["refused_per_s"], is_bad=refuses(now)),
        )
        name, waiting = f"{operator['name']}/{bind['name']}", bind["window_in_use"]
        yield Row(cells, name, is_bad, now["out_per_s"], now["refused_per_s"], waiting)


def _state(bind: BindStatus) -> tuple[str, bool, str]:
    """Return the state of a bind, whether it is not well, and its style."""
    state, style, is_bad = bind["state"], GOOD, False
    if bind["drained"]:
        state, style = f"drained{'' if bind['up'] else ', down'}", DIM
    elif not bind["up"]:
        style, is_bad = (BAD, True) if is_down(bind) else ("", False)
        words = [": ".join(filter(None, (bind["trouble"], bind["why"])))]
        if bind["failures"]:
            words.append(f"{bind['failures']} failed")
        if bind["next_attempt_s"] is not None:
            words.append(f"next in {age(bind['next_attempt_s'])}")
        state = ", ".join([state, *filter(None, words)])
    elif bind["breaker"] != "closed":
        state, style, is_bad = f"fails: {bind['breaker']}", BAD, True
    elif bind["resting_s"]:
        state, style, is_bad = f"rests {age(bind['resting_s'])}", BAD, True
    return state, is_bad, style


def _window(bind: BindStatus) -> Cell:
    """Return how much of the window is in use, and whether it is too small for the rate."""
    text, least = f"{bind['window_in_use']}/{bind['window']}", bind["window_needed"]
    if least is None or least <= bind["window"]:
        return cell(text)
    return cell(f"{text}, rate needs {least}", BAD)


def _rate(bind: BindStatus) -> Cell:
    """Return the contracted rate, and the adapted rate while the operator does not keep up."""
    contract, now = bind["rate"], bind["rate_now"]
    if contract is None or now is None:
        return EMPTY
    count, _, unit = contract.partition("/")
    per_s = {"s": 1.0, "min": 60.0, "h": 3600.0}.get(unit)
    if per_s is None or now * per_s >= int(count) * (1 - 1e-6):
        return cell(contract)
    return cell(f"{now * per_s:.3g} of {contract}", BAD)


def waiting_section(status: Snapshot) -> Section:
    """Return what waits, by operator and lane, and the age of the oldest; without what is empty."""
    names = [lane["lane"] for lane in status["without_operator"]]
    columns = (Column("WAITING", is_right=False), *(Column(printable(name)) for name in names))
    rows = [_waiting(one["name"], one["lanes"]) for one in status["operators"]]
    nowhere = _waiting("no operator up", status["without_operator"], BAD)
    return Section(columns, [one for one in (nowhere, *rows) if one.waiting], 8)


def _waiting(name: str, lanes: Sequence[LaneStatus], style: str = "") -> Row:
    cells = [
        cell(f"{one['messages']}, {age(one['oldest_s'])}" if one["messages"] else "0")
        for one in lanes
    ]
    waiting = sum(one["messages"] for one in lanes)
    oldest_s = max((one["oldest_s"] for one in lanes), default=0.0)
    return Row((cell(name, style), *cells), name, bool(style), waiting=waiting, oldest_s=oldest_s)


ACCOUNTS: Final = (
    Column("ACCOUNT", is_right=False),
    Column("binds"),
    Column("in/s"),
    Column("refused/s"),
    Column("receipts/s", 2),
    Column("waiting"),
    Column("oldest", 3),
    Column("outbox", 1),
    Column("full", 4),
    Column("delivered", 5),
)


def accounts_section(accounts: Sequence[AccountStatus]) -> Section:
    """Return all accounts."""
    return Section(ACCOUNTS, [_account(one) for one in accounts], 12)


def limits(one: AccountStatus) -> Iterator[tuple[str, int, int]]:
    """Yield what is taken of each limit of an account, and the limit."""
    yield "queue", one["waiting"], one["queue"]
    yield "queue_size", one["waiting_octets"], one["queue_size"]
    yield "outbox_messages", one["outbox"], one["outbox_messages"]
    yield "outbox_size", one["outbox_octets"], one["outbox_size"]


def _account(one: AccountStatus) -> Row:
    bound, now = sum(one["binds"].values()), one["now"]
    full = max(taken / most if most else 0.0 for _, taken, most in limits(one))
    oldest_s = max((lane["oldest_s"] for lane in one["lanes"]), default=0.0)
    return Row(
        (
            cell(one["name"] + (" (removed)" if one["leaving"] else "")),
            cell(f"{bound}/{one['max_binds']}", "" if bound else DIM),
            cell(rate(now["in_per_s"])),
            _refusals(now["refused_per_s"], is_bad=is_flooded(now)),
            cell(rate(now["receipts_per_s"])),
            cell(one["waiting"]),
            cell(age(oldest_s) if oldest_s else ""),
            cell(one["outbox"]),
            cell(f"{full:.0%}", BAD if full >= NEAR else ""),
            _share(one["delivered"]),
        ),
        one["name"],
        full >= NEAR or is_flooded(now) or bool(one["unusual"] or one["nowhere"]),
        now["in_per_s"],
        now["refused_per_s"],
        one["waiting"] + one["outbox"],
        oldest_s,
    )


REFUSED: Final = (
    Column("REFUSED", is_right=False),
    Column("reason", is_right=False),
    Column("answered", 1, is_right=False),
    Column("last (UTC)"),
    Column("such as to", 2),
    Column("count"),
)


def refused_section(accounts: Sequence[AccountStatus]) -> Section:
    """Return what was refused to accounts since the start, the latest first."""
    rows = []
    for account in accounts:
        for one in account["refused"]:
            at = datetime.fromtimestamp(one["last_utc"], UTC).strftime("%d %b %H:%M:%S")
            prefix = f"{one['prefix']}..." if one["prefix"] else ""
            cells = (account["name"], one["reason"], one["status"], at, prefix, one["count"])
            rows.append((one["last_utc"], Row(tuple(map(cell, cells)), account["name"])))
    rows.sort(key=lambda row: -row[0])
    return Section(REFUSED, [row for _, row in rows], 6, sorts=False)


BLOCKED: Final = (
    Column("BLOCKED", is_right=False),
    Column("system_id", is_right=False),
    Column("failed binds"),
    Column("for another"),
)


def blocked_section(blocked: Sequence[BlockedStatus]) -> Section:
    """Return the addresses whose binds are refused for a while, the latest first."""
    rows = []
    for one in blocked:
        who = "(all)" if one["system_id"] is None else one["system_id"]
        cells = (one["address"], who, one["failures"], age(one["left_s"]))
        rows.append(Row(tuple(map(cell, cells)), one["address"]))
    return Section(BLOCKED, rows, 6, sorts=False)


QUALITY: Final = (
    Column("DELIVERY", is_right=False),
    Column("country", is_right=False),
    Column("lane", 1, is_right=False),
    Column("outcomes", 3),
    Column("reachable"),
    Column("delivered"),
    Column("no receipt", 2),
    Column("too fast", 4),
    Column("half", 5),
    Column("95 %", 6),
)


def quality_section(rows: Sequence[QualityStatus]) -> Section:
    """Return how well operators deliver, the worst first: the most not delivered that could be."""
    found = []
    for one in sorted(rows, key=_lost):
        cells = (
            one["operator"],
            one["country"],
            one["lane"],
            one["outcomes"],
            _percent(one["deliverable_share"]),
            _percent(one["delivered_share"]),
            one["never_receipted"],
            one["too_fast"],
            *("" if time_s is None else age(time_s) for time_s in (one["p50_s"], one["p95_s"])),
        )
        found.append(Row(tuple(map(cell, cells)), one["operator"]))
    return Section(QUALITY, found, 6, sorts=False)


def _lost(one: QualityStatus) -> int:
    return one["unreachable"] + one["delivered"] - one["outcomes"]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


EVENTS: Final = (
    Column("EVENTS", is_right=False),
    Column("(UTC)", is_right=False, wraps=True),
)


def events_section(events: Sequence[dict[str, object]], *, loud: bool, usual: int = 5) -> Section:
    """Return lines of the log, the latest first; `loud` leaves out all but warnings and errors.

    Those that say the same are one row, at the time of the latest.
    """
    found: dict[str, tuple[str, str]] = {}
    times: defaultdict[str, int] = defaultdict(int)
    for one in reversed(events):
        is_loud = one["level"] in _LOUD
        if is_loud or not loud:
            words = [f"{key}={one[key]}" for key in one if key not in _HEADS]
            told = " ".join([str(one["event"]), *words])
            found.setdefault(told, (str(one["timestamp"])[11:19], "" if is_loud else DIM))
            times[told] += 1
    rows = []
    for told, (at, style) in found.items():
        count = f" ({times[told]} times)" if times[told] > 1 else ""
        rows.append(Row((cell(at), cell(f"{told}{count}", style)), at))
    return Section(EVENTS, rows, usual, sorts=False)


def totals_section(status: Snapshot) -> Section:
    """Return what was counted since the start, over all accounts and operators."""
    totals = status["totals"]
    counted = {
        "submits answered": totals["submits"],
        "operators answered": totals["sends"],
        "receipts": totals["receipts"],
        "outcomes": totals["outcomes"],
        "in doubt": totals["in_doubt"],
        "failed binds": totals["failed_binds"],
        "refused PDUs": totals["refused_pdus"],
    }
    return counts_section("SINCE THE START", counted)


def counts_section(title: str, counted: dict[str, dict[str, int]]) -> Section:
    """Return counts by word, the largest first; without what is empty."""
    columns = (Column(title, is_right=False), Column("", is_right=False, wraps=True))
    rows = [
        Row((cell(what), cell(counts_words(counts))), what)
        for what, counts in counted.items()
        if counts
    ]
    return Section(columns, rows, 8, sorts=False)


def counts_words(counts: dict[str, int]) -> str:
    """Return counts by word, the largest first."""
    largest = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in largest)
