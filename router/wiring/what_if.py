"""`smpp-router plan`: the same traffic through two route tables, and what moves.

Every operator counts as up, and weights as the shares that they are in the long run: so the answer
is the same each time, and what one message more would have got does not blur it. Nothing is sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypedDict

from router.check.number import routing_key
from router.check.policies import number_checks_of, places_of
from router.check.submit import Checks
from router.decide.conditions import Conditions, Senders, SendersKey, asks_place, lanes_of
from router.decide.prefixes import longest_prefix, prefixes_of
from router.decide.refuse import RefusingRules
from router.decide.words import destination_in_short
from router.settings.difference import new_names
from router.smpp.pdu import Framer, Sm, sm
from router.smpp.vocabulary import SUBMIT_SM, status_name
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import NO_ROUTE, WRONG_DESTINATION, Refusal
from router.terms.place import NOWHERE, Place
from router.terms.settings import RefuseSettings, RouteSettings, Settings
from router.wiring.traffic import Traffic

MOST_SHOWN: Final = 30
"""Moves that are shown to people; `--json` has all."""
UNKNOWN_ACCOUNT: Final = "unknown_account"
REFUSED: Final = "refused: "
BY_POLICY: Final = "by the account's policy"
UNDER_REFUSE: Final = "under refuse"
"""Where a rule stands that refuses before any route is looked at."""

Carriers = tuple[tuple[str, float], ...]
"""Who carries a message, and the share of such messages; 0 for one that stands in for others."""


class Verdict(NamedTuple):
    """What one configuration does with a message."""

    prefix: str | None
    """The destination of the rule that wins, in words; None where there is none."""
    lane: str | None
    carriers: Carriers
    has_lane: bool = False
    """Whether the lane is that of the rule."""

    @property
    def is_refused(self) -> bool:
        """Whether nobody carries it."""
        return self.carriers[0][0].startswith(REFUSED)


class Carrier(TypedDict):
    """Who carries some messages."""

    operator: str
    """Or `refused: REASON`."""
    share: float
    """Of the messages; 0: stands in where those before it are down."""


class OperatorPlan(TypedDict):
    """What an operator would carry, in messages."""

    operator: str
    before: float
    after: float
    lanes: dict[str, list[float]]
    """Before and after, by lane."""


class Move(TypedDict):
    """Messages that are alike in what becomes of them."""

    prefix_before: str | None
    prefix: str | None
    """Of the rule that wins; None where none does."""
    lane_before: str | None
    lane: str | None
    before: list[Carrier]
    after: list[Carrier]
    messages: int
    moved: float
    """Those of them that get another operator or lane, or are refused in one of the two only."""


class Plan(TypedDict):
    """The whole answer. `before` is what runs, as far as that is what CONFIG2 says."""

    messages: int
    first_utc: float | None
    last_utc: float | None
    """When the first and the last were accepted, where that is known."""
    moved: float
    other_order: int
    """Messages that keep their operator, while others or none stand behind it."""
    refused_before: int
    refused_after: int
    guessed: int
    """Messages for which a rule asks for a priority_flag or service_type that records lack."""
    without_time: int
    """Messages without a time for which a rule holds at some hours only."""
    operators: list[OperatorPlan]
    moves: list[Move]
    """The largest first."""


class Table:
    """The rules of one configuration, with or without those that hold at some hours only."""

    def __init__(self, settings: Settings, *, with_hours: bool) -> None:
        def is_here(rule: RouteSettings | RefuseSettings) -> bool:
            return with_hours or not (rule.hours or rule.days)

        groups = settings.prefixes
        refuse = [rule for rule in settings.refuse if is_here(rule)]
        self.refuse: Final = RefusingRules(refuse, groups)
        self._routes: Final[dict[str, list[tuple[RouteSettings, Conditions]]]] = {}
        self._asking: Final[set[str]] = set()
        self._with_hours: Final[list[RouteSettings | RefuseSettings]] = []
        """Rules that hold at some hours only; few do."""
        self._groups: Final = groups
        rules: list[RouteSettings | RefuseSettings] = [*settings.routes, *settings.refuse]
        self.asks_place: Final = any(map(asks_place, rules))
        """Whether one asks for the place of a number."""
        shared: dict[SendersKey, Senders] = {}
        for rule in filter(is_here, rules):
            prefixes = prefixes_of(rule, groups)
            if rule.service_type or (isinstance(rule, RouteSettings) and rule.priority is not None):
                self._asking.update(prefixes or ("",))
            if rule.hours or rule.days:
                self._with_hours.append(rule)
            if isinstance(rule, RouteSettings):
                both = rule, Conditions(rule, shared)
                for prefix in prefixes:
                    self._routes.setdefault(prefix, []).append(both)
        self._lengths: Final = sorted({len(prefix) for prefix in self._routes}, reverse=True)

    def winner(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        message: Sm,
        at_utc: float,
        place: Place = NOWHERE,
    ) -> RouteSettings | None:
        """Return the route that wins: as `RouteTable.decide`, which does not tell its prefix."""
        for length in self._lengths:
            for route, conditions in self._routes.get(number[:length], ()):
                if conditions.hold(account, lane, message, at_utc, place):
                    return route
        return None

    def asks_for_more(self, number: str) -> bool:
        """Whether a rule for this number has a condition that records say nothing about."""
        return _has_beginning(number, self._asking)

    def asks_for_hours(self, number: str, account: AccountName, lane: LaneName) -> bool:
        """Whether a rule for such messages holds at some hours only."""
        return any(
            (not rule.account or account in rule.account)
            and (not (lanes := lanes_of(rule)) or lane in lanes)
            and (
                longest_prefix(rule, number, self._groups) is not None
                or not (rule.destination or rule.groups)
            )
            for rule in self._with_hours
        )


def _has_beginning(number: str, prefixes: Set[str]) -> bool:
    return bool(prefixes) and any(number[:n] in prefixes for n in range(len(number) + 1))


class Replay:
    """One configuration, asked about many messages."""

    def __init__(
        self,
        settings: Settings,
        operators: Mapping[OperatorName, OperatorName],
        accounts: Mapping[AccountName, AccountName],
    ) -> None:
        """`operators` and `accounts` have what is called otherwise here and in the other one.

        Operators are told of by the name that they have there.
        """
        self._settings: Final = settings
        self._operators: Final = operators
        self._accounts: Final = accounts
        self._checks: Final = Checks(settings.lanes)
        self._lanes: Final = {lane.name for lane in settings.lanes}
        self._at_times: Final = Table(settings, with_hours=True)
        self._at_no_time: Final = Table(settings, with_hours=False)
        self._places: Final = places_of(settings)
        self._numbers: Final = number_checks_of(settings, self._places)
        self._lanes_of: Final = {
            name: {one.lane, *one.lane_by_priority.values(), *one.lane_by_service_type.values()}
            for name, one in settings.accounts.items()
        }
        """The lanes of each account's messages before any route."""
        self._own_lanes: Final[dict[tuple[str, str, int, str], str | None]] = {}

    def asks_for_more(self, number: str) -> bool:
        """Whether a rule for this number has a condition that records say nothing about."""
        return self._at_times.asks_for_more(number)

    def asks_for_hours(self, row: Traffic, number: str) -> bool:
        """Whether a rule for such messages holds at some hours only."""
        account = self._account(row)
        own_lane = self._own_lane(account, row)
        if own_lane is None:
            return False
        return self._at_times.asks_for_hours(number, account, LaneName(own_lane))

    def verdict(self, row: Traffic, lane: str | None) -> Verdict:
        """Return what becomes of a message in this lane, None for that of its account.

        A rule may say another lane.
        """
        # A million records have few senders.
        account = self._account(row)
        kind = account, row.sender, row.priority, row.service_type
        if kind not in self._own_lanes:
            self._own_lanes[kind] = self._own_lane(account, row)
        own_lane = self._own_lanes[kind]
        if own_lane is None:
            return _refused(None, UNKNOWN_ACCOUNT)
        number = routing_key(row.to.encode("latin-1"))
        if number is None:
            return _refused(None, WRONG_DESTINATION.reason)
        message = _message(row.sender, row.priority, row.service_type)
        # Without a time, rules that hold at some hours only are left out.
        at_utc = row.accepted_utc
        table = self._at_no_time if at_utc is None else self._at_times
        place, check = NOWHERE, self._numbers.get(account)
        if check is not None:
            number, place, refusal, _ = check.find(number, row.to.encode("latin-1"))
            if refusal is not None:
                return _refused(BY_POLICY, refusal.reason)
        elif table.asks_place:
            place = self._places.of(number)
        # What came by priority_flag or service_type only the record tells, if no route has changed
        # it.
        came_in = lane if lane in self._lanes_of[account] else own_lane
        asked = number, account, LaneName(came_in), message, at_utc or 0.0, place
        refusal = table.refuse.refusal(*asked)
        if refusal is not None:
            return _refused(UNDER_REFUSE, refusal.reason)
        route = table.winner(*asked)
        if route is None:
            return _refused(None, NO_ROUTE.reason)
        prefix = destination_in_short(route)
        if route.refuse is not None:
            return _refused(prefix, status_name(route.refuse))
        kept = lane if lane in self._lanes else own_lane
        has_lane = route.lane is not None
        return Verdict(prefix, route.lane or kept, self._carriers(route), has_lane)

    def _account(self, row: Traffic) -> AccountName:
        """Return what the account of the traffic is called here: it may have been renamed."""
        name = AccountName(row.account)
        return name if name in self._settings.accounts else self._accounts.get(name, name)

    def _own_lane(self, name: AccountName, row: Traffic) -> str | None:
        """Return the lane of an account's message; None for an account that is not there."""
        account = self._settings.accounts.get(name)
        if account is None:
            return None
        message = _message(row.sender, row.priority, row.service_type)
        checked = self._checks.check(message, account, 0.0)
        return account.lane if isinstance(checked, Refusal) else checked.lane

    def _carriers(self, route: RouteSettings) -> Carriers:
        names = [self._operators.get(name, name) for name in route.to]
        if not route.weights:
            return tuple((name, float(not at)) for at, name in enumerate(names))
        total = sum(route.weights)
        shares = [(name, one / total) for name, one in zip(names, route.weights, strict=True)]
        return tuple(sorted(shares, key=lambda one: (-one[1], one[0])))


@lru_cache(maxsize=10_000)
def _message(sender: str, priority: int, service_type: str) -> Sm:
    """Return a message as far as rules look at it; its number is looked up apart."""
    octets = sm(
        SUBMIT_SM,
        1,
        source=(5, 0, sender.encode("latin-1")),
        destination=(1, 1, b"1"),
        short_message=b"",
        service_type=service_type.encode("latin-1"),
        priority_flag=priority,
    )
    return Sm(Framer(2**16).feed(octets)[0])


def _refused(prefix: str | None, reason: str) -> Verdict:
    return Verdict(prefix, None, ((f"{REFUSED}{reason}", 1.0),))


def plan_of(new: Settings, old: Settings, traffic: Iterable[Traffic]) -> Plan:
    """Replay traffic through both. Raises what `traffic` raises.

    An operator that was renamed (`formerly`) is told of by its new name.
    """
    accounts = new_names(old.accounts, new.accounts)
    former = {name: was for was, name in accounts.items()}
    before = Replay(old, new_names(old.operators, new.operators), former)
    after = Replay(new, {}, accounts)
    counts: defaultdict[tuple[Verdict, Verdict], int] = defaultdict(int)
    guessed = without_time = 0
    first_utc, last_utc = float("inf"), float("-inf")
    for row in traffic:
        was = before.verdict(row, row.lane)
        # What the journal calls the lane is that of the rule, where the rule says one.
        becomes = after.verdict(row, None if was.has_lane else row.lane)
        counts[was, becomes] += row.messages
        number = routing_key(row.to.encode("latin-1")) or ""
        if row.accepted_utc is None:
            if before.asks_for_hours(row, number) or after.asks_for_hours(row, number):
                without_time += row.messages
        else:
            first_utc, last_utc = min(first_utc, row.accepted_utc), max(last_utc, row.accepted_utc)
            if before.asks_for_more(number) or after.asks_for_more(number):
                guessed += row.messages
    known = first_utc <= last_utc
    moves = [
        _move(was, becomes, count)
        for (was, becomes), count in counts.items()
        if (was.carriers, was.lane) != (becomes.carriers, becomes.lane)
    ]
    return Plan(
        messages=sum(counts.values()),
        first_utc=first_utc if known else None,
        last_utc=last_utc if known else None,
        moved=round(sum(move["moved"] for move in moves), 3),
        other_order=sum(move["messages"] for move in moves if not move["moved"]),
        refused_before=sum(count for (was, _), count in counts.items() if was.is_refused),
        refused_after=sum(count for (_, becomes), count in counts.items() if becomes.is_refused),
        guessed=guessed,
        without_time=without_time,
        operators=_operators(counts),
        moves=sorted(
            (move for move in moves if move["moved"]),
            key=lambda move: (-move["moved"], -move["messages"]),
        ),
    )


def _move(was: Verdict, becomes: Verdict, count: int) -> Move:
    before, after = dict(was.carriers), dict(becomes.carriers)
    share = sum(max(0.0, one - after.get(name, 0.0)) for name, one in before.items())
    both_sent = not (was.is_refused or becomes.is_refused)
    if both_sent and was.lane != becomes.lane:
        share = 1.0
    return Move(
        prefix_before=was.prefix,
        prefix=becomes.prefix,
        lane_before=was.lane,
        lane=becomes.lane,
        before=_told(was.carriers),
        after=_told(becomes.carriers),
        messages=count,
        moved=round(count * share, 3),
    )


def _told(carriers: Carriers) -> list[Carrier]:
    return [Carrier(operator=name, share=round(share, 6)) for name, share in carriers]


def _operators(counts: Mapping[tuple[Verdict, Verdict], int]) -> list[OperatorPlan]:
    """Return what each operator carries before and after, in the order of their names."""
    found: defaultdict[str, defaultdict[str, list[float]]]
    found = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for verdicts, count in counts.items():
        for at, verdict in enumerate(verdicts):
            for name, share in verdict.carriers if verdict.lane is not None else ():
                found[name][verdict.lane or ""][at] += count * share
    return [
        OperatorPlan(
            operator=name,
            before=round(sum(one for one, _ in lanes.values()), 3),
            after=round(sum(one for _, one in lanes.values()), 3),
            lanes={lane: [round(one, 3) for one in both] for lane, both in sorted(lanes.items())},
        )
        for name, lanes in sorted(found.items())
    ]


# For people.


def lines_of(plan: Plan) -> Iterator[str]:
    """Yield the answer for people."""
    yield f"{_n(plan['messages'])} messages{_when(plan)}"
    yield f"{_n(plan['moved'])} move ({_share(plan['moved'], plan['messages'])})"
    yield f"{_n(plan['refused_before'])} are refused before, {_n(plan['refused_after'])} after"
    if plan["other_order"]:
        yield f"{_n(plan['other_order'])} keep their operator and get others behind it"
    if plan["guessed"]:
        yield (
            f"{_n(plan['guessed'])} could take a rule by priority_flag or service_type, which"
            " records lack: counted as 0 and empty"
        )
    if plan["without_time"]:
        yield (
            f"{_n(plan['without_time'])} have no time, and could take a rule for some hours:"
            " counted as outside of them"
        )
    yield ""
    yield f"{'operator':<20} {'lane':<12} {'before':>12} {'after':>12} {'change':>12}"
    for operator in plan["operators"]:
        lanes = {name: both for name, both in operator["lanes"].items() if any(both)}
        rows = {"all": [operator["before"], operator["after"]], **lanes}
        for lane, (before, after) in rows.items():
            if lane == "all" or len(lanes) > 1:
                name = operator["operator"] if lane == "all" else ""
                change = f"{round(after) - round(before):+,}"
                yield f"{name:<20} {lane:<12} {_n(before):>12} {_n(after):>12} {change:>12}"
    if plan["moves"]:
        yield ""
        yield f"{'move':>12} {'of':>12}  prefix"
    for move in plan["moves"][:MOST_SHOWN]:
        yield f"{_n(move['moved']):>12} {_n(move['messages']):>12}  {_words(move)}"
    if len(plan["moves"]) > MOST_SHOWN:
        yield f"and {len(plan['moves']) - MOST_SHOWN} groups more, which --json shows"


def _words(move: Move) -> str:
    prefixes = [_prefix(move["prefix_before"]), _prefix(move["prefix"])]
    lanes = [move["lane_before"], move["lane"]]
    told = [" -> ".join(dict.fromkeys(prefixes))]
    if any(lanes):
        told.append("lane " + " -> ".join(dict.fromkeys(lane or "none" for lane in lanes)))
    return f"{', '.join(told)}: {_carried(move['before'])} -> {_carried(move['after'])}"


def _prefix(prefix: str | None) -> str:
    return "no rule" if prefix is None else prefix or "any"


def _carried(carriers: Sequence[Carrier]) -> str:
    if any(0.0 < one["share"] < 1.0 for one in carriers):
        return ", ".join(f"{one['operator']} {one['share'] * 100:.3g}%" for one in carriers)
    return ", then ".join(one["operator"] for one in carriers)


def _when(plan: Plan) -> str:
    first, last = plan["first_utc"], plan["last_utc"]
    if first is None or last is None:
        return ""
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    return f", accepted from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _share(part: float, whole: float) -> str:
    return f"{part / whole * 100:.3g}%" if whole else "0%"


def _n(count: float) -> str:
    return f"{round(count):,}"
