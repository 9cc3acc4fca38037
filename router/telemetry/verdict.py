"""What is not well, in words: the first thing that somebody with an outage wants to read.

Made of the status alone, so that every reader of it (the command, a script, a page) says the same.
What was asked for, such as a drained bind, is no problem; nor is what is about to come, such as a
bind of a router that has just started.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from router.telemetry.quality import not_believed

if TYPE_CHECKING:
    from router.telemetry.status import AccountStatus, BindStatus, OperatorStatus, Snapshot

NEAR: Final = 0.8
"""The share of a limit that calls for attention, as in the alerts."""
LATE_S: Final = 30.0
"""How long a message of the most urgent lane may wait, as in the alerts."""
GRACE_S: Final = 30.0
"""How long a bind may take that is about to come up."""
LATELY_S: Final = 60.0
"""How long ago the last refusal may be, of what is refused now."""
FULL: Final = ("queue_full", "outbox_full", "journal_behind")
"""Reasons for which an account is refused because of what waits, and not of what it sends."""
SPACE: Final = 3
"""So many times `keep_free` is little space, as in the alerts."""
MOST_NAMED: Final = 3
"""Binds of one operator that are named; how many more there are is told."""


def problems(status: "Snapshot") -> list[str]:
    """Return what is not well, each in a sentence, the worst first.

    What holds up all, operators that get nothing, messages that wait, other binds, accounts.
    """
    operators = [one for one in status["operators"] if not one["leaving"]]
    return [
        *_of_all(status),
        *(told for one in operators for told in _gets_nothing(one)),
        *_of_waiting(status),
        *(told for one in operators for told in _of_binds(one)),
        *(told for one in status["accounts"] for told in _of_account(one, status["at_utc"])),
    ]


def notes(status: "Snapshot") -> list[str]:
    """Return what should be looked at, each in a sentence; most of it stays until a restart."""
    journal, config = status["journal"], status["config"]
    found = []
    if journal["lost"]:
        found.append("the journal lacked what had been accepted, when this process started")
    if journal["set_aside"]:
        rows = _count(journal["set_aside"], "row")
        found.append(f"{rows} of the journal could not be used, since this process started")
    if config["stale"]:
        found.append(f"configuration: {config['why']}")
    return found + not_believed(status["quality"])


def _of_all(status: "Snapshot") -> Iterator[str]:
    journal, clock = status["journal"], status["clock"]
    if status["not_ready"] is not None:
        yield f"clients are not served: {status['not_ready']}"
    free = journal["free_octets"]
    if free is not None and journal["keep_free"] <= free < SPACE * journal["keep_free"]:
        yield (
            f"the journal's disk has {free / 2**20:.0f} MiB left; below"
            f" {journal['keep_free'] / 2**20:.0f} MiB only receipts are taken"
        )
    if clock["cure"]:
        where = "ahead of" if clock["ahead_s"] > 0 else "behind"
        away = age(abs(clock["ahead_s"]))
        yield f"the wall clock is {away} {where} the time that the router uses: {clock['cure']}"


def _down(binds: list["BindStatus"]) -> list["BindStatus"]:
    """Return those that are down, and neither about to come up nor for the operator to begin."""
    return [
        one
        for one in binds
        if not one["up"]
        and (one["trouble"] or (one["since_s"] > GRACE_S and "outbind" not in one["address"]))
    ]


def _sought(operator: "OperatorStatus") -> list["BindStatus"]:
    """Return the binds that should be up."""
    return [one for one in operator["binds"] if not one["drained"]]


def _sends_nothing(operator: "OperatorStatus") -> bool:
    senders = [one for one in _sought(operator) if one["rate"] is not None]
    return bool(senders) and len(_down(senders)) == len(senders)


def _gets_nothing(operator: "OperatorStatus") -> Iterator[str]:
    name, binds = operator["name"], _sought(operator)
    if _sends_nothing(operator):
        down = _down(binds)
        what = "is down" if len(down) == len(binds) else "cannot be sent anything"
        since_s = min(bind["since_s"] for bind in down if bind["rate"] is not None)
        yield f"{name} {what}, for {age(since_s)}{_why(down[0])}"
    elif operator["breaker"] != "closed":
        yield f"{name} gets nothing, or one message at a time: too much fails there"


def _of_binds(operator: "OperatorStatus") -> Iterator[str]:
    name, binds = operator["name"], _sought(operator)
    down = _down(binds)
    if down and not _sends_nothing(operator):
        named = [f"{bind['name']} for {age(bind['since_s'])}{_why(bind)}" for bind in down]
        yield f"{name}: {len(down)} of {_count(len(binds), 'bind')} down: {_named(named)}"
    broken = [bind["name"] for bind in binds if bind["up"] and bind["breaker"] != "closed"]
    if broken and operator["breaker"] == "closed":
        what = "nothing, or one message at a time"
        yield f"{name}: {what}, on {_named(broken)}: too much fails there"
    if operator["waiting_to_rebind"]:
        waiting = ", ".join(operator["waiting_to_rebind"])
        yield f"{name}: {waiting} keep the old session, because {operator['waiting_because']}"


def _named(names: list[str]) -> str:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _why(bind: "BindStatus") -> str:
    return f" ({bind['trouble']})" if bind["trouble"] else ""


def _of_waiting(status: "Snapshot") -> Iterator[str]:
    nowhere = sum(lane["messages"] for lane in status["without_operator"])
    if nowhere:
        yield f"{_count(nowhere, 'message')} can go nowhere: no operator of theirs can take them"
    for operator in status["operators"]:
        urgent, *others = operator["lanes"]
        if others and urgent["messages"] and urgent["oldest_s"] > LATE_S:
            waits = f"{_count(urgent['messages'], 'message')} of {urgent['lane']}"
            yield f"{waits} at {operator['name']}, the oldest for {age(urgent['oldest_s'])}"


def _of_account(account: "AccountStatus", now_utc: float) -> Iterator[str]:
    for what, taken, most in (
        ("queue", account["waiting"], account["queue"]),
        ("queue_size", account["waiting_octets"], account["queue_size"]),
        ("outbox_messages", account["outbox"], account["outbox_messages"]),
        ("outbox_size", account["outbox_octets"], account["outbox_size"]),
    ):
        if most and taken >= NEAR * most:
            yield f"{account['name']} has taken {taken / most:.0%} of its {what}"
    for one in account["refused"]:
        if one["reason"] in FULL and now_utc - one["last_utc"] < LATELY_S:
            yield f"messages of {account['name']} are refused: {one['reason']} ({one['status']})"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def age(seconds: float) -> str:
    """Return a span of time in its two largest units, such as `2h 5m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    left = int(seconds)
    words: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or words:
            words.append(f"{count}{unit}")
    return " ".join(words[:2])
