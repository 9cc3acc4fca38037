"""What is not well, in words: the first thing that somebody with an outage wants to read.

Made of the status alone, so that every reader of it (the command, a script, a page) says the same.
What was asked for, such as a drained bind, is no problem; nor is what is about to come, such as a
bind of a router that has just started. What helps is told as docs/operators.md has it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from router.report.quality import ENOUGH
from router.telemetry.document import (
    AccountNow,
    AccountStatus,
    BindNow,
    BindStatus,
    LaneStatus,
    OperatorStatus,
    ProblemStatus,
    QualityStatus,
    Snapshot,
)
from router.telemetry.quality import DELIVERY, not_believed
from router.terms.outcome import is_as_configured

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
REFUSED_PER_S: Final = 1.0
"""Fewer refusals a second are no flood, even where nothing is taken."""
OPERATOR_REFUSES: Final = 0.2
"""The share of what is sent to an operator that it may refuse, as in the alerts."""
ACCOUNT_REFUSED: Final = 0.05
"""The share of what an account submits that may be refused, as in the alerts: without what comes
faster than its rate, which may be all but half."""
UNMATCHED: Final = 0.05
"""The share of an operator's receipts that may be about no message that is known, as in the
alerts."""
DELIVERED: Final = 0.7
"""The least share of the deliverable that an operator delivers where all is well."""
SILENT: Final = 0.2
"""The share of the deliverable that may never have a receipt."""
OLD_S: Final = 3600.0
"""Outcomes of an operator that has had none for so long say nothing of now."""
EXPIRED: Final = 0.2
"""The share of an account's outcomes that may be validities that ended: telephones are off."""

STATES, THROTTLED, BREAKER, BACKLOG, REFUSED, LIMIT, STATUSES, CLOCK, QUIET, RECEIPTS = (
    f"docs/operators.md, {heading}"
    for heading in (
        "What does the state of a bind say?",
        "Throttled",
        "An open breaker",
        "A backlog",
        "A client's messages are refused",
        "A limit is reached",
        "Which answer of the operator means what?",
        "The machine's clock is doubted",
        "An account or an operator is silent",
        "Receipts that say nothing, or find no message",
    )
)
JOURNAL, RELOAD = (f"systemd/README.md, {heading}" for heading in ("The journal", "Reload"))
RECORDS: Final = "docs/records.md, When something is wrong"
SEEN: Final = (
    *(RECORDS, DELIVERY),
    *(STATES, THROTTLED, BREAKER, BACKLOG, REFUSED, LIMIT, STATUSES, CLOCK, QUIET, RECEIPTS),
    *(JOURNAL, RELOAD),
)
"""Where problems are explained: the beginnings of headings."""

_CURES: Final = {
    "unreachable": "look at network, firewall and certificate (log: bind.unreachable)",
    "unanswered": "ask the operator: it takes the connection, and answers no bind",
    "lost": "nothing if it comes up again; log: bind.lost says how many messages were in flight",
    "unbound": "ask the operator if it goes on: it ended the session",
    "ESME_RALYBND": "wait until our old session there ends; otherwise ask the operator",
    "ESME_RBINDFAIL": "wait until our old session there ends; otherwise ask the operator",
}
_CREDENTIALS: Final = ("ESME_RINVPASWD", "ESME_RINVSYSID", "ESME_RINVSYSTYP")
_CORRECT: Final = (
    "correct operators.yaml and reload, which has the router try at once; else it waits long,"
    " because operators block who insists"
)


def problems(status: Snapshot) -> list[ProblemStatus]:
    """Return what is not well, the worst first.

    What holds up all, messages that can go nowhere, operators that get nothing, messages that
    wait, other binds, how operators deliver, accounts.
    """
    operators = [one for one in status["operators"] if not one["leaving"]]
    return [
        *_of_all(status),
        *_of_nowhere(status),
        *(told for one in operators for told in _gets_nothing(one)),
        *_of_waiting(status),
        *(told for one in operators for told in _of_binds(one)),
        *(told for one in operators for told in _of_receipts(one)),
        *(told for one in operators for told in _of_delivery(one, status["quality"])),
        *(told for one in status["accounts"] for told in _of_account(one, status["at_utc"])),
    ]


def notes(status: Snapshot) -> list[ProblemStatus]:
    """Return what should be looked at; most of it stays until a restart."""
    journal, config = status["journal"], status["config"]
    found = []
    if journal["lost"]:
        what = "the journal lacked what had been accepted, when this process started"
        found.append(_told(what, "router", "", "log: journal.lost", JOURNAL))
    if journal["set_aside"]:
        rows = _count(journal["set_aside"], "row")
        what = f"{rows} of the journal could not be used, since this process started"
        do = "test disk and memory; log: journal.set_aside"
        found.append(_told(what, "router", "", do, JOURNAL))
    records = status["records"]
    if records is not None and records["lost"]:
        what = f"{_count(records['lost'], 'record')} of what became of messages are lost"
        found.append(_told(what, "router", "", "log: records.failed", RECORDS))
    for account in status["accounts"]:
        if account["leaving"]:
            binds = _count(sum(account["binds"].values()), "bind")
            what = (
                f"{account['name']} is removed, and has {binds}, {account['waiting']} waiting and"
                f" {account['outbox']} in its outbox"
            )
            do = "receipts wait until they are too old: write it again, or `formerly`, and reload"
            found.append(_told(what, "account", account["name"], do, RELOAD))
    for operator in status["operators"]:
        if not operator["serves_data_sm"]:
            what = f"{operator['name']} does not serve data_sm: others are asked first for an hour"
            do = "route accounts that send data_sm to operators that serve it"
            found.append(_told(what, "operator", operator["name"], do, STATUSES))
    if status["left_waiting"]:
        count = status["left_waiting"]
        of = [f"{name} {number}" for name, number in status["left_of"].items()]
        what = f"{count} messages and receipts stay in the journal, for {_named(of)}"
        do = "the configuration lacks the name: write it again, or `formerly`, and reload"
        found.append(_told(what, "router", "", do, JOURNAL))
    if config["stale"]:
        do = "`smpp-router check CONFIG --against-running`"
        found.append(_told(f"configuration: {config['why']}", "router", "", do, RELOAD))
    return found + not_believed(status["quality"])


def _told(what: str, kind: str, about: str, do: str, see: str) -> ProblemStatus:
    return ProblemStatus(what=what, about=about, kind=kind, do=do, see=see)


def _of_all(status: Snapshot) -> Iterator[ProblemStatus]:
    journal, clock = status["journal"], status["clock"]
    if status["not_ready"] is not None:
        what = f"clients are not served: {status['not_ready']}"
        yield _told(what, "router", "", *_to_serve(status))
    congestion = status["congestion"]
    if congestion is not None:
        refused = _count(congestion["refused"], "message")
        what = (
            f"more comes than the router can take, for {age(congestion['since_s'])}: {refused}"
            " refused (ESME_RTHROTTLED), which had waited too long"
        )
        do = (
            "is the disk slow (`journal_commit_seconds`), or the machine busy with something else?"
            " Else a `rate` for the account that submits most"
        )
        yield _told(what, "router", "", do, LIMIT)
    free = journal["free_octets"]
    if free is not None and journal["keep_free"] <= free < SPACE * journal["keep_free"]:
        what = (
            f"the journal's disk has {free / 2**20:.0f} MiB left; below"
            f" {journal['keep_free'] / 2**20:.0f} MiB only receipts are taken"
        )
        yield _told(what, "router", "", "make room", LIMIT)
    records = status["records"]
    if records is not None and records["failure"]:
        what = f"records cannot be written, for {age(records['behind_s'])} ({records['failure']})"
        do = "the journal keeps them for a week; log: records.failed"
        yield _told(what, "router", "", do, RECORDS)
    if clock["cure"]:
        where = "ahead of" if clock["ahead_s"] > 0 else "behind"
        away = age(abs(clock["ahead_s"]))
        what = f"the wall clock is {away} {where} the time that the router uses"
        yield _told(what, "router", "", clock["cure"], CLOCK)


def _to_serve(status: Snapshot) -> tuple[str, str]:
    """Return what helps where clients are not served, and where that is explained."""
    if not status["journal"]["up"]:
        return "look at the disk: log: journal.failed", REFUSED
    if status["journal"]["is_short_of_space"]:
        return "make room; receipts are taken, so that what was accepted ends", LIMIT
    return "", REFUSED


def _down(binds: list[BindStatus]) -> list[BindStatus]:
    """Return those that are down, and neither about to come up nor for the operator to begin."""
    return [one for one in binds if is_down(one)]


def is_down(bind: BindStatus) -> bool:
    """Return whether a bind is down that should be up by now."""
    if bind["up"] or bind["drained"]:
        return False
    return bool(bind["trouble"]) or (bind["since_s"] > GRACE_S and "outbind" not in bind["address"])


def _sought(operator: OperatorStatus) -> list[BindStatus]:
    """Return the binds that should be up."""
    return [one for one in operator["binds"] if not one["drained"]]


def _sends_nothing(operator: OperatorStatus) -> bool:
    senders = [one for one in _sought(operator) if one["rate"] is not None]
    return bool(senders) and len(_down(senders)) == len(senders)


def _gets_nothing(operator: OperatorStatus) -> Iterator[ProblemStatus]:
    name, binds = operator["name"], _sought(operator)
    if _sends_nothing(operator):
        down = _down(binds)
        what = "is down" if len(down) == len(binds) else "cannot be sent anything"
        since_s = min(bind["since_s"] for bind in down if bind["rate"] is not None)
        # The one that comes first: until then nothing changes.
        first = min(down, key=_next_s)
        what = f"{name} {what}, for {age(since_s)}{_why(first)}"
        yield _told(what, "operator", name, *_cure(first))
    elif operator["breaker"] != "closed":
        what = f"{name} gets nothing, or one message at a time: too much fails there"
        yield _told(what, "operator", name, _closes(name), BREAKER)


def _of_binds(operator: OperatorStatus) -> Iterator[ProblemStatus]:
    name, binds = operator["name"], _sought(operator)
    down = _down(binds)
    if down and not _sends_nothing(operator):
        named = [f"{bind['name']} for {age(bind['since_s'])}{_why(bind)}" for bind in down]
        what = f"{name}: {len(down)} of {_count(len(binds), 'bind')} down: {_named(named)}"
        yield _told(what, "operator", name, *_cure(down[0]))
    broken = [bind["name"] for bind in binds if bind["up"] and bind["breaker"] != "closed"]
    if broken and operator["breaker"] == "closed":
        what = "nothing, or one message at a time"
        what = f"{name}: {what}, on {_named(broken)}: too much fails there"
        yield _told(what, "operator", name, _closes(name), BREAKER)
    if operator["waiting_to_rebind"]:
        waiting = ", ".join(operator["waiting_to_rebind"])
        what = f"{name}: {waiting} keep the old session, because {operator['waiting_because']}"
        do = "correct the settings and reload, or ask the operator"
        yield _told(what, "operator", name, do, STATES)
    now = operator["now"]
    if refuses(now):
        flood = _flood(now["refused_per_s"], now["out_per_s"])
        do = f"`smpp-router status {name}` has all statuses; ask the operator"
        see = THROTTLED if now["refused_as"] == "ESME_RTHROTTLED" else STATUSES
        what = f"{name} refuses {flood}, most with {now['refused_as']}"
        yield _told(what, "operator", name, do, see)


def refuses(now: BindNow) -> bool:
    """Return whether an operator refuses too much, all in all or on one bind."""
    refused, taken = now["refused_per_s"], now["out_per_s"]
    return refused >= REFUSED_PER_S and refused > OPERATOR_REFUSES * (refused + taken)


def _of_receipts(operator: OperatorStatus) -> Iterator[ProblemStatus]:
    """Yield that too many of an operator's receipts have found no message lately."""
    name, came, unmatched = (
        operator["name"],
        operator["lately_receipts"],
        operator["lately_unmatched"],
    )
    if unmatched and came >= ENOUGH and unmatched > UNMATCHED * came:
        share = min(1.0, unmatched / came)  # Some came before, and are given up now.
        what = f"{name}: {share:.1%} of the last {came} receipts are about no message that is known"
        ids = operator["ids"]
        if ids["known"] == "set":
            do = "is `message_id` right? Without it the forms of ids are learnt"
        else:
            do = "log: receipt.unmatched has the ids; has another router these messages?"
        yield _told(what, "operator", name, do, RECEIPTS)


def _of_delivery(operator: OperatorStatus, rows: list[QualityStatus]) -> Iterator[ProblemStatus]:
    """Yield what is wrong with the last outcomes of an operator, or else of some countries."""
    name, last = operator["name"], operator["last"]
    if last["latest_s"] is None or last["latest_s"] > OLD_S:
        return
    is_told = False
    for what, do in _fares(last["deliverable"], last["delivered"], last["never_receipted"]):
        is_told = True
        yield _told(f"{name}: {what}", "operator", name, do, DELIVERY)
    if is_told:
        return
    countries: dict[str, list[int]] = {}
    for row in rows:
        if row["operator"] == name:
            sums = countries.setdefault(row["country"], [0, 0, 0])
            sums[0] += row["outcomes"] - row["unreachable"]
            sums[1] += row["delivered"]
            sums[2] += row["never_receipted"]
    bad = [country for country, sums in countries.items() if any(_fares(*sums))]
    if bad:
        for what, do in _fares(*countries[bad[0]]):
            others = f"; and others in {_named(bad[1:])}" if bad[1:] else ""
            yield _told(f"{name}, in {bad[0]}: {what}{others}", "operator", name, do, DELIVERY)


def _fares(deliverable: int, delivered: int, silent: int) -> Iterator[tuple[str, str]]:
    """Yield what is not well of so many last outcomes, and what helps."""
    if deliverable < ENOUGH:
        return
    of = f"of the last {deliverable} that could be delivered"
    if silent > SILENT * deliverable:
        what = f"{silent / deliverable:.1%} {of} never had a receipt"
        yield what, "do ids match (`receipts_unmatched_total`)? Else ask the operator"
    elif delivered < DELIVERED * deliverable:
        yield f"{delivered / deliverable:.1%} {of} were", "look at `err` of its receipts"


def _flood(refused: float, taken: float) -> str:
    return f"{refused:.3g} of {refused + taken:.3g} messages a second"


def _named(names: list[str]) -> str:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _next_s(bind: BindStatus) -> float:
    return float("inf") if bind["next_attempt_s"] is None else bind["next_attempt_s"]


def _why(bind: BindStatus) -> str:
    """Return why a bind is down, and when it is tried again; empty where nothing is known."""
    words = [": ".join(filter(None, (bind["trouble"], bind["why"])))]
    if bind["next_attempt_s"] is not None:
        words.append(f"next attempt in {age(bind['next_attempt_s'])}")
    told = ", ".join(filter(None, words))
    return f" ({told})" if told else ""


def _cure(bind: BindStatus) -> tuple[str, str]:
    """Return what helps a bind that is down, and where that is explained."""
    trouble = bind["trouble"]
    if trouble in _CREDENTIALS:
        return _CORRECT, STATES
    return _CURES.get(trouble, "ask the operator" if trouble else ""), STATES


def _closes(name: str) -> str:
    return f"nothing: it closes by itself; `smpp-router status {name}` has the statuses"


def _of_nowhere(status: Snapshot) -> Iterator[ProblemStatus]:
    """Yield the lanes in which messages wait that no operator can take."""
    for lane in status["without_operator"]:
        if lane["messages"]:
            of = _waiting_in(lane["lane"], status["accounts"])
            may = _waiting_in(lane["lane"], status["operators"])
            whose = f": of {_named(of)}" if of else ""
            takes = f"; {_named(may)} may take them" if may else ""
            yield _goes_nowhere(lane, "lane", lane["lane"], f"{whose}{takes}")


def _waiting_in(lane: str, ones: Sequence[AccountStatus] | Sequence[OperatorStatus]) -> list[str]:
    """Return whose messages can go nowhere in a lane, and how many, the most first."""
    found = {
        one["name"]: of["messages"]
        for one in ones
        for of in one["nowhere"]
        if of["lane"] == lane and of["messages"]
    }
    return [f"{name} {found[name]}" for name in sorted(found, key=lambda name: -found[name])]


def _goes_nowhere(lane: LaneStatus, kind: str, about: str, whose: str) -> ProblemStatus:
    waits = f"{_count(lane['messages'], 'message')} of {lane['lane']} can go nowhere"
    what = f"{waits}, the oldest for {age(lane['oldest_s'])}{whose}"
    do = "bring an operator of theirs up, or resume it; they are safe meanwhile"
    return _told(what, kind, about, do, STATES)


def problems_of(
    status: Snapshot, kind: Literal["operator", "account"], one: AccountStatus | OperatorStatus
) -> list[ProblemStatus]:
    """Return what is not well of one operator or account: its own, and what holds up all."""
    name = one["name"]
    whose = f": of {name}" if kind == "account" else f"; {name} may take them"
    nowhere = [_goes_nowhere(lane, kind, name, whose) for lane in one["nowhere"]]
    others = [
        told
        for told in status["problems"]
        if told["kind"] == "router" or (told["kind"], told["about"]) == (kind, name)
    ]
    return [*nowhere, *others]


def _of_waiting(status: Snapshot) -> Iterator[ProblemStatus]:
    for operator in status["operators"]:
        urgent, *others = operator["lanes"]
        if others and urgent["messages"] and urgent["oldest_s"] > LATE_S:
            name = operator["name"]
            waits = f"{_count(urgent['messages'], 'message')} of {urgent['lane']}"
            what = f"{waits} at {name}, the oldest for {age(urgent['oldest_s'])}"
            do = f"`smpp-router status {name}`: is it down, slow, or is the lane wrong?"
            yield _told(what, "operator", name, do, BACKLOG)


def _of_account(account: AccountStatus, now_utc: float) -> Iterator[ProblemStatus]:
    name, now = account["name"], account["now"]
    refused_s = account["refused_binds"]["last_s"]
    if refused_s is not None and refused_s < LATELY_S and not account["clients"]:
        what = f"{name} is not bound, and has {refused_binds(account)}"
        do = "ask the client which name, password and address it uses"
        yield _told(what, "account", name, do, QUIET)
    full: dict[str, ProblemStatus] = {}
    for one in account["refused"]:
        if one["reason"] in FULL and now_utc - one["last_utc"] < LATELY_S:
            what = f"messages of {name} are refused: {one['reason']} ({one['status']})"
            do = _TO_EMPTY[one["reason"] == "outbox_full"]
            full[one["reason"]] = _told(what, "account", name, do, LIMIT)
    for what, taken, most, reason in (
        ("queue", account["waiting"], account["queue"], "queue_full"),
        ("queue_size", account["waiting_octets"], account["queue_size"], "queue_full"),
        ("outbox_messages", account["outbox"], account["outbox_messages"], "outbox_full"),
        ("outbox_size", account["outbox_octets"], account["outbox_size"], "outbox_full"),
    ):
        # That something is refused for it says as much.
        if most and taken >= NEAR * most and reason not in full:
            do = _TO_EMPTY[reason == "outbox_full"]
            what = f"{name} has taken {taken / most:.0%} of its {what}"
            yield _told(what, "account", name, do, LIMIT)
    yield from full.values()
    lately = [one for one in account["refused"] if now_utc - one["last_utc"] < LATELY_S]
    # What rules refuse is what they were written for: alone it is no trouble.
    is_meant = bool(lately) and all(is_as_configured(one["reason"]) for one in lately)
    if not full and not is_meant and is_flooded(now):
        flood = _flood(now["refused_per_s"], now["in_per_s"])
        last = account["refused"][0]["reason"] if account["refused"] else now["refused_as"]
        do = f"`smpp-router status --account {name}` has the reasons"
        what = f"{flood} of {name} are refused, the last: {last}"
        yield _told(what, "account", name, do, REFUSED)
    for worse in account["unusual"]:
        share, of, do, see = f"{worse['share']:.1%}", *_UNUSUAL[worse["what"]]
        what = f"{share} {of.format(name)}, usually {worse['usual']:.1%}"
        yield _told(f"{what}, for {age(worse['since_s'])}", "account", name, do.format(name), see)
    ended = account["delivered"]["lately_of"]
    if ended >= ENOUGH and account["lately_expired"] > EXPIRED * ended:
        what = f"{account['lately_expired']} of {ended} messages of {name} expired lately"
        do = "do they wait here, or at the operator? See WAITING"
        yield _told(what, "account", name, do, BACKLOG)


_UNUSUAL: Final = {
    "delivery": (
        "of what could be delivered of {} is",
        "to which operator and country? `smpp-router status`, DELIVERY",
        DELIVERY,
    ),
    "refusals": (
        "of what {} submits is refused",
        "`smpp-router status --account {}` has the reasons",
        REFUSED,
    ),
}
"""What is said of a share that is worse than usual, what helps, and where that is explained."""


def refused_binds(account: AccountStatus) -> str:
    """Return how many binds of an account were refused, in words; empty without any."""
    binds = account["refused_binds"]
    if binds["last_s"] is None:
        return ""
    last = f"the last {age(binds['last_s'])} ago from {binds['host']}: {binds['why']}"
    return f"binds refused: {binds['count']}, {last}"


def is_flooded(now: AccountNow) -> bool:
    """Return whether too much is refused: for its rate most of all, for other reasons some."""
    refused, taken, throttled = now["refused_per_s"], now["in_per_s"], now["throttled_per_s"]
    others = refused - throttled
    is_slowed = refused >= max(REFUSED_PER_S, taken)
    return is_slowed or (others >= REFUSED_PER_S and others > ACCOUNT_REFUSED * (refused + taken))


_TO_EMPTY: Final = {
    False: "see what it waits for; a larger limit if the disk has the room",
    True: "does the client bind, and acknowledge?",
}
"""What helps where a queue is full, and where an outbox is."""


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
