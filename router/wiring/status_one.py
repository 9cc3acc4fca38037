"""All that is known of one operator, one bind or one account, on one screen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypedDict, TypeVar

from rich.text import Text

from router.settings.mistakes import listed, nearest
from router.telemetry.document import (
    AccountStatus,
    IdsStatus,
    LaneStatus,
    OperatorStatus,
    ProblemStatus,
    QualityStatus,
    Snapshot,
)
from router.telemetry.verdict import age, problems_of, refused_binds
from router.wiring.columns import GOOD, Column, cell, paragraph
from router.wiring.status_page import drawn, problem_lines
from router.wiring.status_tables import (
    Row,
    Section,
    accounts_section,
    amount,
    binds_section,
    counts_section,
    delivered_words,
    events_section,
    last_words,
    limits,
    operators_section,
    quality_section,
    rate,
    refused_section,
)

MOST_EVENTS: Final = 10
One = TypeVar("One")
Events = list[dict[str, object]]


class Told(TypedDict):
    """What the configuration says, beside its defaults, as `/v1/settings` tells it."""

    settings: dict[str, str]
    binds: dict[str, dict[str, str]]
    """By bind."""


NOTHING: Final = Told(settings={}, binds={})


class NoSuchNameError(Exception):
    """There is no such operator, bind or account; the text says which there are."""


class OperatorView(TypedDict):
    """An operator, or one bind of it: then `operator` has that bind alone."""

    operator: OperatorStatus
    is_of_bind: bool
    quality: list[QualityStatus]
    settings: Told
    """`NOTHING` until the router is asked."""
    problems: list[ProblemStatus]
    events: Events


class AccountView(TypedDict):
    """An account."""

    account: AccountStatus
    settings: Told
    """`NOTHING` until the router is asked."""
    problems: list[ProblemStatus]
    events: Events


def operator_view(status: Snapshot, what: str) -> OperatorView:
    """Return what is known of OPERATOR or OPERATOR/BIND. Raises NoSuchNameError."""
    name, slash, bind_name = what.partition("/")
    if not slash:  # The name of a bind is enough: it is unique over all operators.
        of_binds = {bind["name"]: one for one in status["operators"] for bind in one["binds"]}
        operators = {one["name"] for one in status["operators"]}
        if name not in operators and name in of_binds:
            name, slash, bind_name = of_binds[name]["name"], "/", name
    operator = _named("operator", name, {one["name"]: one for one in status["operators"]})
    names = {name}
    if slash:
        binds = {one["name"]: one for one in operator["binds"]}
        operator = operator.copy()
        operator["binds"] = [_named(f"bind of {name}", bind_name, binds)]
        names = {bind_name}
    else:
        names |= {bind["name"] for bind in operator["binds"]}
    return OperatorView(
        operator=operator,
        is_of_bind=bool(slash),
        quality=[one for one in status["quality"] if one["operator"] == operator["name"]],
        settings=NOTHING,
        problems=problems_of(status, "operator", operator),
        events=_events(status, ("operator", "bind"), names),
    )


def account_view(status: Snapshot, name: str) -> AccountView:
    """Return what is known of an account. Raises NoSuchNameError."""
    account = _named("account", name, {one["name"]: one for one in status["accounts"]})
    names = {name, *(one["address"] for one in account["clients"])}
    return AccountView(
        account=account,
        settings=NOTHING,
        problems=problems_of(status, "account", account),
        events=_events(status, ("account", "system_id", "client"), names),
    )


def _named(what: str, name: str, known: Mapping[str, One]) -> One:
    if name in known:
        return known[name]
    meant = nearest(name, known)
    question = f"did you mean {meant!r}? " if meant else ""
    plural = what.replace(" ", "s ", 1) if " " in what else f"{what}s"
    raise NoSuchNameError(f"there is no {what} {name!r}; {question}{listed(plural, list(known))}")


def _events(status: Snapshot, keys: Iterable[str], names: set[str]) -> Events:
    return [one for one in status["events"] if any(one.get(key) in names for key in keys)]


def ids_words(ids: IdsStatus) -> str:
    """Return the forms of an operator's message ids, and how they are known."""
    forms = f"{ids['response']} in answers, {ids['receipt']} in receipts"
    return "not learnt yet" if ids["known"] == "not yet" else f"{forms} ({ids['known']})"


def operator_page(view: OperatorView, width: int) -> list[Text]:
    """Return the lines about an operator or a bind."""
    operator, told = view["operator"], view["settings"]
    binds, is_of_bind = operator["binds"], view["is_of_bind"]
    now = binds[0]["now"] if is_of_bind else operator["now"]
    flow = [f"refused {rate(now['refused_per_s'])}/s {now['refused_as']}".strip()]
    counts = {"answers": binds[0]["answers"] if is_of_bind else operator["answers"]}
    if not is_of_bind:  # What an operator does as a whole says nothing of one bind.
        flow += [
            last_words(operator["last"]),
            f"{operator['receipts_outstanding']} receipts due",
            f"{operator['receipts_unmatched']} unmatched",
            f"{operator['receipts_guessed']} guessed",
            f"ids {ids_words(operator['ids'])}",
        ]
        counts["receipts"] = operator["receipts"]
    settings = _settings_of_binds(told["binds"], [one["name"] for one in binds])
    tables = (
        operators_section([] if is_of_bind else [operator]),
        binds_section([operator]),
        _list(
            ("ADDRESS", "", ""),
            ((bind["name"], bind["address"], bind["type"]) for bind in binds),
        ),
        _list(("BIND", "settings"), settings),
        _waiting(operator["lanes"]),
        quality_section(view["quality"]),
        counts_section("SINCE THE START", counts),
    )
    return _page(view, told["settings"], flow, tables, width)


def account_page(view: AccountView, width: int) -> list[Text]:
    """Return the lines about an account."""
    account = view["account"]
    now = account["now"]
    flow = (
        f"refused {rate(now['refused_per_s'])}/s {now['refused_as']}".strip(),
        delivered_words(account["delivered"]),
        refused_binds(account),
    )
    tables = (
        accounts_section([account]),
        _list(
            ("CLIENT", "", "since"),
            ((one["address"], one["type"], age(one["since_s"])) for one in account["clients"]),
        ),
        _list(("LIMIT", "taken", "of"), map(_limit, limits(account))),
        _waiting(account["lanes"]),
        refused_section([account]),
        counts_section(
            "SINCE THE START",
            {"submits answered": account["submits"], "outcomes": account["outcomes"]},
        ),
    )
    return _page(view, view["settings"]["settings"], flow, tables, width)


def _page(
    view: OperatorView | AccountView,
    settings: Mapping[str, str],
    flow: Iterable[str],
    tables: Iterable[Section],
    width: int,
) -> list[Text]:
    """Return what is not well, what was configured and how it goes, and then the tables."""
    lines = [line for one in view["problems"] for line in problem_lines(one, width)]
    if not lines:
        lines.append(Text("No problem is known.", style=GOOD))
    lines += paragraph(", ".join(filter(None, flow)), width, "", "  ")
    if settings:
        lines += paragraph(f"settings: {_words(settings)}", width, "", "  ")
    events = events_section(view["events"], loud=False)
    sections = [one for one in (*tables, events) if one.rows]
    counts = [len(one.rows) for one in sections]
    if events.rows:
        counts[-1] = min(counts[-1], MOST_EVENTS)
    return [*lines, *drawn(sections, counts, width)]


def _words(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _settings_of_binds(
    told: Mapping[str, Mapping[str, str]], names: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield the settings of binds; those of the second and further ones, where they differ."""
    first: Mapping[str, str] = {}
    for name in names:
        settings = told.get(name, {})
        other = {key: value for key, value in settings.items() if first.get(key) != value}
        yield name, _words(other) or ("as the first" if first else "")
        first = first or settings


def _limit(one: tuple[str, int, int]) -> tuple[str, str, str]:
    what, taken, most = one
    show = amount if what.endswith("size") else str
    return what, show(taken), show(most)


def _waiting(lanes: Iterable[LaneStatus]) -> Section:
    rows = ((one["lane"], str(one["messages"]), age(one["oldest_s"])) for one in lanes)
    return _list(("LANE", "waiting", "oldest"), (row for row in rows if row[1] != "0"))


def _list(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Section:
    """Return a table of all these rows, whose last column may wrap."""
    columns = [
        Column(title, is_right=title in _NUMBERS, wraps=number == len(titles) - 1)
        for number, title in enumerate(titles)
    ]
    return Section(columns, [Row(tuple(map(cell, row)), row[0]) for row in rows], 0, sorts=False)


_NUMBERS: Final = ("since", "taken", "of", "waiting", "oldest")
