"""The status of the router at one moment: binds, rates, lanes, accounts. One JSON document.

What only the loop can tell is looked at in its thread, so that the numbers are of one moment: that
is `observed`. The rest, `described`, takes longer where there are many accounts, and needs no loop.
Both count, and show the latest lines of the log, in which no message, whole number or password is.
`/v1/status` serves it, `smpp-router status` draws it.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeVar

from router.accept.accounts import Account
from router.accept.guesses import Guesses
from router.enqueue.feed import Queue
from router.enqueue.lanes import Lanes
from router.forward.pool import Bind, Operator
from router.forward.window import needed
from router.journey import Journey
from router.report.correlate import Correlator
from router.report.learnt_ids import AS_IT_IS
from router.smpp.vocabulary import status_name
from router.telemetry.account_quality import Fares
from router.telemetry.document import (
    AccountNow,
    AccountStatus,
    BindNow,
    BindStatus,
    BlockedStatus,
    ClientStatus,
    ClockStatus,
    CommitsNow,
    ConfigStatus,
    CongestionStatus,
    DeliveredStatus,
    IdsStatus,
    JournalStatus,
    LaneStatus,
    NowStatus,
    OperatorNow,
    OperatorStatus,
    OutcomesStatus,
    RecordsStatus,
    RefusedBindsStatus,
    RefusedStatus,
    Snapshot,
    Totals,
    UnusualStatus,
)
from router.telemetry.quality import outcomes_status, quality_status
from router.telemetry.recent import Recent
from router.telemetry.running import Running, RunningConfig
from router.telemetry.traffic import Flow, Samples, answer_name
from router.telemetry.verdict import notes, problems
from router.terms.clock import CONFIRM_S, LARGEST_S
from router.terms.limits import Rate
from router.terms.names import NOBODY, AccountName, BindName, LaneName, OperatorName
from router.terms.settings import BindSettings

Key = TypeVar("Key")
MOST_BLOCKED: Final = 100
"""Blocks that are shown: whoever has ten thousand addresses must not fill a page."""


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


class Observed(NamedTuple):
    """A status without what follows from counters, and the counters."""

    status: Snapshot
    samples: Samples


def snapshot(app: Running) -> Snapshot:
    """Return the status of this moment. Call it in the loop's thread."""
    return described(observed(app))


def observed(app: Running) -> Observed:
    """Look at the router. Call it in the loop's thread."""
    journey, now = app.journey, app.clock()
    reason = not_ready(app)
    waiting = waiting_by_operator(journey.lanes, journey.operators, now)
    by_account = _waiting_by_account(journey.lanes, now)
    nowhere, last = _nowhere(journey.lanes, now), journey.quality.by_operator()
    latest = {name: now - at for name, at in journey.quality.latest().items()}
    fares = app.account_quality.accounts
    left = journey.left()
    status = Snapshot(
        version=version(),
        at_utc=round(journey.clocks.steady.at(now), 3),
        uptime_s=_s(now - app.started_at),
        ready=reason is None,
        not_ready=reason,
        listeners=list(app.listeners),
        config=_config(app.config),
        journal=_journal(app),
        records=_records(app),
        clock=_clock(journey),
        congestion=_congestion(journey, now),
        operators=[
            _operator(
                app,
                one,
                waiting,
                nowhere.of_operator.get(one.name, {}),
                outcomes_status(last.get(one.name), latest.get(one.name)),
                now,
            )
            for one in journey.operators.values()
        ],
        without_operator=_lanes(journey.lanes, waiting, NOBODY),
        delayed=journey.delayed,
        scheduled=journey.lanes.delays.scheduled(),
        left_waiting=sum(count for _, count in left),
        left_of=_summed(left, str),
        accounts=[
            _account(
                journey,
                account,
                by_account,
                nowhere.of_account.get(account.name, {}),
                _unusual(fares.get(account.name), now),
                now,
            )
            for account in (*app.accounts.by_name.values(), *_leaving(app))
        ],
        now=_NOTHING_NOW,
        delivered=_NOTHING_DELIVERED,
        quality=quality_status(journey.quality),
        blocked=_blocked(app.accounts.guesses, now),
        totals=_totals(journey),
        problems=[],
        notes=[],
        events=Recent.lines(),
    )
    return Observed(status, app.traffic.samples(journey.counters, now))


def described(found: Observed) -> Snapshot:
    """Return the whole status. For any thread."""
    status, samples = found
    flow, now = Flow(samples), samples.now
    for operator in status["operators"]:
        name = OperatorName(operator["name"])
        operator["now"] = flow.of_operator(name)
        operator["answers"] = flow.answers.get(name, {})
        operator["receipts"] = flow.receipts.get(name, {})
        operator["delivered"] = flow.delivered_by(name)
        operator["lately_receipts"] = flow.lately_receipts(name)
        operator["lately_unmatched"] = flow.lately_unmatched(name)
        for bind in operator["binds"]:
            bind_name = BindName(bind["name"])
            bind["now"] = flow.of_bind(name, bind_name)
            bind["answers"] = flow.bind_answers.get((name, bind_name), {})
    for account in status["accounts"]:
        client = AccountName(account["name"])
        account["now"] = flow.of_account(client)
        account["submits"] = flow.submits.get(client, {})
        account["outcomes"] = flow.outcomes.get(client, {})
        account["delivered"] = flow.delivered_to(client)
        account["lately_expired"] = flow.lately_expired(client)
    totals = status["totals"]
    totals["submits"] = _summed(now.submits.items(), lambda key: status_name(key[2]))
    totals["sends"] = _summed(now.sends.items(), lambda key: answer_name(key[2]))
    totals["outcomes"] = _summed(now.outcomes.items(), lambda key: key[1].name.lower())
    totals["receipts"] = _summed(now.receipts.items(), lambda key: key[1])
    status["journal"]["commits"] = flow.commits()
    status["now"] = _now(flow, status["accounts"], status["operators"])
    status["delivered"] = flow.delivered()
    status["problems"], status["notes"] = problems(status), notes(status)
    return status


_NOTHING_NOW: Final = NowStatus(
    over_s=0.0,
    in_per_s=0.0,
    out_per_s=0.0,
    receipts_per_s=0.0,
    refused_per_s=0.0,
    refused_by_operators_per_s=0.0,
)
_NOTHING_OF_ACCOUNT: Final = AccountNow(
    in_per_s=0.0, refused_per_s=0.0, refused_as="", throttled_per_s=0.0, receipts_per_s=0.0
)
_NOTHING_OF_BIND: Final = BindNow(out_per_s=0.0, refused_per_s=0.0, refused_as="")
_NOTHING_OF_OPERATOR: Final = OperatorNow(
    out_per_s=0.0, refused_per_s=0.0, refused_as="", receipts_per_s=0.0
)
_NOTHING_DELIVERED: Final = DeliveredStatus(share=None, of=0, lately_share=None, lately_of=0)


def _config(config: RunningConfig) -> ConfigStatus:
    return ConfigStatus(
        hash=config.digest,
        since_utc=round(config.since_utc, 3),
        stale=bool(config.stale),
        why=config.stale,
    )


def _now(
    flow: Flow, accounts: Sequence[AccountStatus], operators: Sequence[OperatorStatus]
) -> NowStatus:
    def together(rates: Iterable[float]) -> float:
        return round(sum(rates), 2)

    return NowStatus(
        over_s=_s(flow.over_s),
        in_per_s=together(one["now"]["in_per_s"] for one in accounts),
        out_per_s=together(one["now"]["out_per_s"] for one in operators),
        receipts_per_s=together(one["now"]["receipts_per_s"] for one in operators),
        refused_per_s=together(one["now"]["refused_per_s"] for one in accounts),
        refused_by_operators_per_s=together(one["now"]["refused_per_s"] for one in operators),
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
        read_failures=app.journey.counters.journal_read_failures,
        commits=CommitsNow(per_s=0.0, mean_s=None),
    )


def _records(app: Running) -> RecordsStatus | None:
    return None if app.recorder is None else app.recorder.state()


def _congestion(journey: Journey, now: float) -> CongestionStatus | None:
    one = journey.intake.congestion
    if not one.is_on:
        return None
    return CongestionStatus(since_s=_s(now - one.since), refused=one.count)


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


ByLane = dict[LaneName, tuple[int, float]]
"""By lane, where any wait: how many messages, and the age of the oldest in seconds."""
ByAccount = dict[AccountName, ByLane]


def _waiting_by_account(lanes: Lanes, now: float) -> ByAccount:
    waiting: ByAccount = {}
    for queue in lanes.queues():
        if len(queue):
            _add(waiting.setdefault(queue.account, {}), queue, now)
    return waiting


class Nowhere(NamedTuple):
    """What waits and no operator can take now."""

    of_account: ByAccount
    of_operator: dict[OperatorName, ByLane]
    """By each operator that may take it; a message may be in here several times."""


def _nowhere(lanes: Lanes, now: float) -> Nowhere:
    found = Nowhere({}, {})
    for queue in lanes.queues():
        if queue.home is None and len(queue):
            _add(found.of_account.setdefault(queue.account, {}), queue, now)
            for operator in queue.plan.candidates:
                _add(found.of_operator.setdefault(operator, {}), queue, now)
    return found


def _add(of: ByLane, queue: Queue, now: float) -> None:
    count, oldest_s = of.get(queue.lane, (0, 0.0))
    with suppress(IndexError):
        oldest_s = max(oldest_s, now - queue.messages[0].accepted_at)
    of[queue.lane] = count + len(queue), oldest_s


def _by_lane(of: ByLane) -> list[LaneStatus]:
    return [
        LaneStatus(lane=lane, messages=count, oldest_s=_s(oldest_s))
        for lane, (count, oldest_s) in of.items()
    ]


def _lanes(lanes: Lanes, waiting: Waiting, operator: OperatorName) -> list[LaneStatus]:
    found = [(name, *waiting[operator, name]) for name in lanes.settings]
    return [
        LaneStatus(lane=name, messages=count, oldest_s=_s(oldest_s))
        for name, count, oldest_s in found
    ]


def _operator(
    app: Running,
    operator: Operator,
    waiting: Waiting,
    nowhere: ByLane,
    last: OutcomesStatus,
    now: float,
) -> OperatorStatus:
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
        lately_receipts=0,
        lately_unmatched=0,
        ids=_ids(operator, correlator),
        leaving=operator.is_leaving,
        serves_data_sm=not journey.data_sm.is_refused_by(name, now),
        waiting_to_rebind=[str(bind) for bind in rebinds],
        waiting_because=renewal.why if renewal is not None and rebinds else "",
        binds=[_bind(bind, now) for bind in operator.binds],
        lanes=_lanes(journey.lanes, waiting, name),
        nowhere=_by_lane(nowhere),
        last=last,
        now=_NOTHING_OF_OPERATOR,
        answers={},
        receipts={},
        delivered=_NOTHING_DELIVERED,
    )


def _ids(operator: Operator, correlator: Correlator) -> IdsStatus:
    learnt, forms = correlator.learnt, operator.settings.message_id
    if learnt is None:
        forms = forms or AS_IT_IS.forms
        return IdsStatus(known="set", response=forms.response, receipt=forms.receipt)
    forms = learnt.favoured.forms
    known: Literal["learnt", "not yet"] = "not yet" if learnt.rule is None else "learnt"
    return IdsStatus(known=known, response=forms.response, receipt=forms.receipt)


def _bind(bind: Bind, now: float) -> BindStatus:
    settings, peer = bind.settings, bind.peer
    waits = peer is None and math.isfinite(bind.next_attempt_at)
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
        why=bind.unreachable_why if bind.trouble == "unreachable" else "",
        next_attempt_s=_s(max(0.0, bind.next_attempt_at - now)) if waits else None,
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
        now=_NOTHING_OF_BIND,
        answers={},
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


def _unusual(fares: Fares | None, now: float) -> list[UnusualStatus]:
    """Return what of an account is worse than usual; None where it was not looked at yet."""
    if fares is None:
        return []
    return [
        UnusualStatus(
            what=what,
            share=round(one.now, 3),
            usual=round(one.usual, 3),
            since_s=_s(now - one.since),
        )
        for what, one in (("delivery", fares.delivery), ("refusals", fares.refusals))
        if one.since is not None
    ]


def _leaving(app: Running) -> list[Account]:
    """Return the accounts that were removed, and have binds, messages or receipts here yet."""
    journey = app.journey
    outboxes = journey.deliveries.outboxes
    return [
        account
        for account in app.accounts.gone()
        if account.binds or journey.rooms.taken(account.name) or outboxes.get(account.name)
    ]


def _account(
    journey: Journey,
    account: Account,
    waiting: ByAccount,
    nowhere: ByLane,
    unusual: list[UnusualStatus],
    now: float,
) -> AccountStatus:
    binds = dict.fromkeys(("transmitter", "receiver", "transceiver"), 0)
    for bound in account.binds:
        binds[bound.bind_type] += 1
    name, settings = account.name, account.settings
    outbox = journey.deliveries.outboxes.get(name)
    return AccountStatus(
        name=name,
        leaving=name not in journey.rulebook.rules.accounts,
        binds=binds,
        max_binds=settings.max_binds,
        clients=[
            ClientStatus(
                address=bound.address, type=bound.bind_type, since_s=_s(now - bound.bound_at)
            )
            for bound in account.binds
        ],
        refused_binds=_refused_binds(account, now),
        lanes=_by_lane(waiting.get(name, {})),
        nowhere=_by_lane(nowhere),
        unusual=unusual,
        now=_NOTHING_OF_ACCOUNT,
        submits={},
        outcomes={},
        delivered=_NOTHING_DELIVERED,
        lately_expired=0,
        waiting=journey.rooms.taken(account.name),
        queue=settings.queue,
        waiting_octets=max(0, journey.rooms.octets(account.name)),
        queue_size=settings.queue_size_bytes,
        outbox=0 if outbox is None else len(outbox),
        outbox_messages=settings.outbox_messages,
        outbox_octets=0 if outbox is None else max(0, outbox.octets),
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


def _refused_binds(account: Account, now: float) -> RefusedBindsStatus:
    last = account.last_refused
    return RefusedBindsStatus(
        count=account.binds_refused,
        last_s=None if last is None else _s(now - last.at),
        why="" if last is None else last.why,
        host="" if last is None else last.host,
    )


def _blocked(guesses: Guesses, now: float) -> list[BlockedStatus]:
    latest = islice(reversed(guesses.blocked.by_key.values()), MOST_BLOCKED)
    return [
        BlockedStatus(
            address=one.host,
            system_id=one.system_id,
            failures=one.failures,
            left_s=_s(one.until - now),
        )
        for one in latest
        if one.until > now
    ]


def _totals(journey: Journey) -> Totals:
    counters = journey.counters
    return Totals(
        submits={},
        sends={},
        outcomes={},
        receipts={},
        in_doubt=_summed(counters.in_doubt.items(), lambda key: key[1]),
        repeated=sum(counters.repeated.values()),
        failed_binds=dict(counters.failed_binds),
        refused_pdus=dict(counters.refused_pdus),
    )


def _summed(counted: Iterable[tuple[Key, int]], name: Callable[[Key], str]) -> dict[str, int]:
    sums: defaultdict[str, int] = defaultdict(int)
    for key, count in counted:
        sums[name(key)] += count
    return dict(sums)


def _rate(rate: Rate | None) -> str | None:
    return None if rate is None else str(rate)


def _s(seconds: float) -> float:
    """Round to the microsecond: more digits would be noise."""
    return round(seconds, 6)
