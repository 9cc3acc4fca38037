"""The status of the router at one moment: binds, rates, lanes, accounts. One JSON document.

`snapshot` runs in the loop's thread, so that its numbers are of one moment. It counts, and shows
the latest lines of the log, in which no message, whole number or password is. `/v1/status` serves
it, `smpp-router status` draws it.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Protocol, TypedDict, TypeVar

from router.accept.accounts import Account, Accounts
from router.enqueue.lanes import Lanes
from router.forward.pool import Bind, Operator
from router.forward.window import needed
from router.journey import Journey
from router.smpp.vocabulary import status_name
from router.telemetry.account_quality import AccountQuality
from router.telemetry.quality import QualityStatus, quality_status
from router.telemetry.recent import Recent
from router.telemetry.verdict import notes, problems
from router.terms.clock import CONFIRM_S, LARGEST_S
from router.terms.limits import Rate
from router.terms.names import NOBODY, BindName, LaneName, OperatorName
from router.terms.settings import BindSettings, Settings

Key = TypeVar("Key")


class Loop(Protocol):
    """The part of the event loop that another thread uses."""

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object:
        """Run a call in the loop's thread."""


class RunningConfig(Protocol):
    """The configuration that runs."""

    @property
    def settings(self) -> Settings:
        """What it says."""

    @property
    def digest(self) -> str:
        """The name of what it says."""

    @property
    def since_utc(self) -> float:
        """Since when it runs."""

    @property
    def stale(self) -> str:
        """Why its files are not what runs; empty if they are."""


class Renewal(Protocol):
    """Binds of one operator that are being bound anew, with other settings."""

    @property
    def waiting(self) -> list[BindName]:
        """The binds that keep their old session because another one has not come up."""

    @property
    def why(self) -> str:
        """Which one that is, and what keeps it down."""


class Renewing(Protocol):
    """The binds that are kept bound, as the status sees them."""

    @property
    def renewals(self) -> Mapping[OperatorName, Renewal]:
        """What is being bound anew, by operator."""


class InForce(Protocol):
    """A certificate that may be replaced while the router runs."""

    @property
    def expires_utc(self) -> float | None:
        """When the one in force expires; None where that cannot be read."""


class Running(Protocol):
    """The running router, as status and metrics see it."""

    @property
    def settings(self) -> Settings:
        """The configuration in force."""

    @property
    def config(self) -> RunningConfig:
        """Which configuration that is, and whether its files still say the same."""

    @property
    def clock(self) -> Callable[[], float]:
        """Return monotonic seconds, equal in all threads."""

    @property
    def started_at(self) -> float:
        """When the process began."""

    @property
    def beat_at(self) -> float:
        """When the loop last showed that it is alive."""

    @property
    def ready(self) -> bool:
        """Whether clients are served."""

    @property
    def listeners(self) -> list[str]:
        """Addresses that clients connect to."""

    @property
    def certificates(self) -> Sequence[InForce | None]:
        """The certificate of each listener, None where it has none."""

    @property
    def loop(self) -> Loop:
        """The loop in which the router runs."""

    @property
    def journey(self) -> Journey:
        """The steps of the router."""

    @property
    def accounts(self) -> Accounts:
        """The accounts and their binds."""

    @property
    def account_quality(self) -> AccountQuality:
        """How the messages of accounts fare."""

    @property
    def connectors(self) -> Renewing:
        """The binds that are kept bound."""


class ConfigStatus(TypedDict):
    """Which configuration runs."""

    hash: str
    """Equal where configurations say the same, but for passwords."""
    since_utc: float
    stale: bool
    """Whether the files are not what runs, as of the last look, which is a minute old at most."""
    why: str
    """Why they are not; empty if they are."""


class JournalStatus(TypedDict):
    """Whether the journal works, so that messages can be accepted."""

    up: bool
    pending: int
    set_aside: int
    """Rows that could not be used, since the start."""
    lost: bool
    """Whether this process began although the journal lacked what was accepted."""
    free_octets: int | None
    """The space that is left for it; None where that is not known, or has no end."""
    keep_free: int
    """The space below which receipts alone are taken, in octets."""
    is_short_of_space: bool


class ClockStatus(TypedDict):
    """Whether the wall clock is believed."""

    ahead_s: float
    """How far it is ahead of the time that the router uses; negative behind it; 0 if believed."""
    waiting: int
    """Messages that wait because only this clock says that they are over."""
    cure: str
    """What ends the doubt; empty if there is none."""


class BindStatus(TypedDict):
    """One bind to an operator; fields about the rate are None for a receiver."""

    name: str
    type: str
    address: str
    up: bool
    state: str
    since_s: float
    failures: int
    trouble: str
    drained: bool
    breaker: str
    resting_s: float
    window: int
    window_in_use: int
    window_needed: int | None
    rate: str | None
    rate_now: float | None
    busiest_second: int | None
    round_trip_s: float | None


class LaneStatus(TypedDict):
    """The messages that wait in one lane."""

    lane: str
    messages: int
    oldest_s: float


class OperatorStatus(TypedDict):
    """One operator with its binds and the messages that wait for it."""

    name: str
    available: bool
    breaker: str
    rate: str | None
    in_flight: int
    receipts_outstanding: int
    receipts_unmatched: int
    receipts_guessed: int
    leaving: bool
    """Whether the configuration has it no more: its binds stay while something is owed on them."""
    waiting_to_rebind: list[str]
    """Binds that keep their old session, because another one does not come up with new settings."""
    waiting_because: str
    """Which one that is, and what keeps it down; empty where none waits."""
    binds: list[BindStatus]
    lanes: list[LaneStatus]


class RefusedStatus(TypedDict):
    """Submits of one account that were refused for one reason."""

    reason: str
    status: str
    """What the latest was answered."""
    count: int
    last_utc: float
    client: str
    """An example: where one of them came from,"""
    prefix: str
    """and the first digits of its number."""


class AccountStatus(TypedDict):
    """One client."""

    name: str
    binds: dict[str, int]
    max_binds: int
    waiting: int
    queue: int
    waiting_octets: int
    queue_size: int
    outbox: int
    outbox_messages: int
    """The limit of `outbox`."""
    outbox_octets: int
    outbox_size: int
    """The limit of `outbox_octets`."""
    refused: list[RefusedStatus]
    """What was refused since the start, the latest first."""


class Totals(TypedDict):
    """Counters since the start, over all accounts and operators."""

    submits: dict[str, int]
    sends: dict[str, int]
    outcomes: dict[str, int]
    receipts: dict[str, int]
    in_doubt: dict[str, int]
    repeated: int
    failed_binds: dict[str, int]
    refused_pdus: dict[str, int]


class Snapshot(TypedDict):
    """The whole document."""

    version: str
    at_utc: float
    uptime_s: float
    ready: bool
    not_ready: str | None
    listeners: list[str]
    config: ConfigStatus
    journal: JournalStatus
    clock: ClockStatus
    operators: list[OperatorStatus]
    without_operator: list[LaneStatus]
    delayed: int
    scheduled: int
    accounts: list[AccountStatus]
    quality: list[QualityStatus]
    """How well operators deliver."""
    totals: Totals
    problems: list[str]
    """What is not well, each in a sentence, the worst first; empty where nothing is known to be."""
    notes: list[str]
    """What somebody has to look at some day, and what stays so until a restart."""
    events: list[dict[str, object]]
    """The latest lines of the log, the oldest first."""


def version() -> str:
    """Return the version that is installed."""
    try:
        return installed_version("smpp-router")
    except PackageNotFoundError:  # Run from a checkout that is not installed.
        return "unknown"


def not_ready(app: Running) -> str | None:
    """Return why clients cannot be served now; None if they can."""
    if app.journey.intake.draining:
        return "draining"
    if not app.ready:
        return "starting"
    if not app.journey.commits.up:
        return "journal is down"
    if app.journey.commits.is_short_of_space:
        return "the disk is nearly full (journal.keep_free)"
    return None


def snapshot(app: Running) -> Snapshot:
    """Return the status of this moment. Call it in the loop's thread."""
    journey, now = app.journey, app.clock()
    reason = not_ready(app)
    waiting = waiting_by_operator(journey.lanes, journey.operators, now)
    status = Snapshot(
        version=version(),
        at_utc=round(journey.clocks.steady.at(now), 3),
        uptime_s=_s(now - app.started_at),
        ready=reason is None,
        not_ready=reason,
        listeners=list(app.listeners),
        config=_config(app.config),
        journal=_journal(app),
        clock=_clock(journey),
        operators=[_operator(app, one, waiting, now) for one in journey.operators.values()],
        without_operator=_lanes(journey.lanes, waiting, NOBODY),
        delayed=journey.delayed,
        scheduled=journey.lanes.delays.scheduled(),
        accounts=[_account(journey, account) for account in app.accounts.by_name.values()],
        quality=quality_status(journey.quality),
        totals=_totals(journey),
        problems=[],
        notes=[],
        events=Recent.lines(),
    )
    status["problems"], status["notes"] = problems(status), notes(status)
    return status


def _config(config: RunningConfig) -> ConfigStatus:
    return ConfigStatus(
        hash=config.digest,
        since_utc=round(config.since_utc, 3),
        stale=bool(config.stale),
        why=config.stale,
    )


def _journal(app: Running) -> JournalStatus:
    commits = app.journey.commits
    return JournalStatus(
        up=commits.up,
        pending=app.journey.journal.pending,
        free_octets=commits.free_octets,
        keep_free=app.settings.journal.keep_free_bytes,
        is_short_of_space=commits.is_short_of_space,
        set_aside=sum(app.journey.counters.rows_set_aside.values()),
        lost=bool(app.journey.counters.journal_lost),
    )


def _clock(journey: Journey) -> ClockStatus:
    ahead_s = journey.clocks.steady.doubted_s
    return ClockStatus(
        ahead_s=round(ahead_s, 3),
        waiting=journey.lanes.delays.doubted(),
        cure=cure_of(ahead_s) if ahead_s else "",
    )


def cure_of(ahead_s: float) -> str:
    """Return what ends a doubt about the wall clock, for people."""
    if ahead_s > 0.0:
        right = "if it is right, because the router stood still for so long"
    else:
        right = "if it is right, because it was wrong before"
    cure = f"put the machine's clock right; or, {right}: `smpp-router clock believe`"
    if abs(ahead_s) <= LARGEST_S:
        cure += f". Else it is believed when it has stood for {CONFIRM_S / 60:.0f} minutes"
    return cure


Waiting = dict[tuple[OperatorName, LaneName], tuple[int, float]]
"""By operator and lane: how many messages wait, and the age of the oldest in seconds."""


def waiting_by_operator(lanes: Lanes, operators: Iterable[OperatorName], now: float) -> Waiting:
    """Return what waits for each operator in each lane; under NOBODY what no operator may take.

    A message that waits to be tried again is in no queue and not in here. Another thread may call
    this while the loop works: it copies what grows, and a queue that has just run empty is empty.
    """
    waiting: Waiting = {
        (operator, name): (0, 0.0) for operator in (*operators, NOBODY) for name in lanes.settings
    }
    for queue in lanes.queues():
        key = queue.home or NOBODY, queue.lane
        count, oldest_s = waiting[key]
        with suppress(IndexError):
            oldest_s = max(oldest_s, now - queue.messages[0].accepted_at)
        waiting[key] = count + len(queue), oldest_s
    return waiting


def _lanes(lanes: Lanes, waiting: Waiting, operator: OperatorName) -> list[LaneStatus]:
    found = [(name, *waiting[operator, name]) for name in lanes.settings]
    return [
        LaneStatus(lane=name, messages=count, oldest_s=_s(oldest_s))
        for name, count, oldest_s in found
    ]


def _operator(app: Running, operator: Operator, waiting: Waiting, now: float) -> OperatorStatus:
    journey, name = app.journey, operator.name
    renewal = app.connectors.renewals.get(name)
    rebinds = [] if renewal is None else list(renewal.waiting)
    correlator = journey.pending.correlators[name]
    return OperatorStatus(
        name=name,
        available=operator.is_available,
        breaker=operator.circuit.whole.state.name.lower(),
        rate=_rate(operator.settings.rate),
        in_flight=operator.in_flight,
        receipts_outstanding=len(correlator),
        receipts_unmatched=journey.counters.receipts_unmatched.get(name, 0),
        receipts_guessed=correlator.guessed,
        leaving=operator.is_leaving,
        waiting_to_rebind=[str(bind) for bind in rebinds],
        waiting_because=renewal.why if renewal is not None and rebinds else "",
        binds=[_bind(bind, now) for bind in operator.binds],
        lanes=_lanes(journey.lanes, waiting, name),
    )


def _bind(bind: Bind, now: float) -> BindStatus:
    settings, peer = bind.settings, bind.peer
    round_trip_s = bind.round_trip.smallest_s
    pace = bind.pace
    return BindStatus(
        name=settings.name,
        type=settings.type,
        address=bind.address or _where(settings),
        up=is_up(bind),
        state="down" if peer is None else peer.state_name,
        since_s=_s(now - bind.changed_at),
        failures=bind.failures,
        trouble=bind.trouble,
        drained=bind.drained,
        breaker=bind.breaker.state.name.lower(),
        resting_s=_s(0.0 if pace is None else max(0.0, pace.resting_until - now)),
        window=bind.sized,
        window_in_use=bind.in_use,
        window_needed=_needed(bind),
        rate=_rate(settings.rate),
        rate_now=None if pace is None else round(bind.per_second(now), 3),
        busiest_second=None if pace is None else pace.busiest.most(now),
        round_trip_s=_s(round_trip_s) if math.isfinite(round_trip_s) else None,
    )


def _needed(bind: Bind) -> int | None:
    """Return the window that the rate needs at the measured round trip."""
    rate, mean_s = bind.settings.rate, bind.round_trip.mean_s
    return needed(rate, mean_s) if rate is not None and mean_s else None


def _where(settings: BindSettings) -> str:
    """Return the address that a bind will try first."""
    if settings.outbind is not None:
        return f"outbind at {settings.outbind.listen}"
    return ", ".join(map(str, settings.addresses))


def is_up(bind: Bind) -> bool:
    """Return whether the bind is bound."""
    return bind.peer is not None and bind.peer.is_bound


def _account(journey: Journey, account: Account) -> AccountStatus:
    binds = dict.fromkeys(("transmitter", "receiver", "transceiver"), 0)
    for bound in account.binds:
        binds[bound.bind_type] += 1
    settings, outbox = account.settings, journey.deliveries.outboxes[account.name]
    return AccountStatus(
        name=account.name,
        binds=binds,
        max_binds=settings.max_binds,
        waiting=journey.rooms.taken(account.name),
        queue=settings.queue,
        waiting_octets=max(0, journey.rooms.octets(account.name)),
        queue_size=settings.queue_size_bytes,
        outbox=len(outbox),
        outbox_messages=settings.outbox_messages,
        outbox_octets=max(0, outbox.octets),
        outbox_size=settings.outbox_size_bytes,
        refused=[
            RefusedStatus(
                reason=one.reason,
                status=status_name(one.status),
                count=one.count,
                last_utc=round(one.last_utc, 3),
                client=one.client,
                prefix=one.prefix,
            )
            for one in journey.intake.refusals.of(account.name)
        ],
    )


def _totals(journey: Journey) -> Totals:
    counters = journey.counters
    return Totals(
        submits=_summed(counters.submits, lambda key: status_name(key[2])),
        sends=_summed(counters.sends, lambda key: answer_name(key[2])),
        outcomes=_summed(counters.outcomes, lambda key: key[1].name.lower()),
        receipts=_summed(counters.receipts, lambda key: key[1]),
        in_doubt=_summed(counters.in_doubt, lambda key: key[1]),
        repeated=sum(counters.repeated.values()),
        failed_binds=dict(counters.failed_binds),
        refused_pdus=dict(counters.refused_pdus),
    )


def answer_name(status: int | str) -> str:
    """Return the name of an operator's answer; `timeout` or `lost` if there was none."""
    return status if isinstance(status, str) else status_name(status)


def _summed(counted: Mapping[Key, int], name: Callable[[Key], str]) -> dict[str, int]:
    sums: defaultdict[str, int] = defaultdict(int)
    for key, count in counted.items():
        sums[name(key)] += count
    return dict(sums)


def _rate(rate: Rate | None) -> str | None:
    return None if rate is None else str(rate)


def _s(seconds: float) -> float:
    """Round to the microsecond: more digits would be noise."""
    return round(seconds, 6)
