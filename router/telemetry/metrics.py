"""All metrics of the router for Prometheus, read from plain counters at each scrape.

It runs in the thread of the scrape while the loop goes on: it copies what grows before it looks at
it, and two numbers of one scrape may be a few messages apart. Labels come from bounded sets only,
configured names, status names and states; statuses that have no name share one, and so do all but
the first hundred of our numbers that messages for no account came to.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from router.accept.server import BIND_TYPES
from router.check.policy import RULES
from router.enqueue.row_writer import TABLES
from router.report.quality import ENOUGH
from router.smpp.senders import MONTH_S, last_days, lists_of
from router.smpp.vocabulary import command_name, status_name
from router.telemetry.running import Running
from router.telemetry.status import is_up, version, waiting_by_operator
from router.telemetry.traffic import answer_name
from router.terms.counters import Counters, Histogram, parts_of
from router.terms.settings import OperatorSettings, Settings

PREFIX: Final = "smpp_router_"
IN_DOUBT_ACTIONS: Final = ("resend", "elsewhere", "fail")
RELOAD_RESULTS: Final = ("unchanged", "applied", "partly", "needs_restart", "rejected", "failed")
"""Label values that have a sample from the start: for Prometheus a sample that first appears as 1
is no increase."""
QUANTILES: Final = (0.5, 0.95)
BUSIEST_OF_S: Final = 60.0
BREATHE_AFTER: Final = 32
"""Samples between two pauses: about 0.3 ms of the interpreter."""
BREATH_S: Final = 0.00001
"""Length of a pause. Any value above 0: the system makes it 60 us, enough for the loop to take
over."""

Key = TypeVar("Key")
Value = TypeVar("Value")
Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]


def registry(app: Running, lines_lost: Callable[[], int]) -> CollectorRegistry:
    """Return the router's metrics, and those of its process."""
    found = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=found)
    PlatformCollector(registry=found)
    GCCollector(registry=found)
    found.register(Exporter(app, lines_lost))
    return found


def items(counted: Mapping[Key, Value]) -> list[tuple[Key, Value]]:
    """Return a copy of a dictionary that another thread writes to."""
    while True:
        try:
            return list(counted.items())
        except RuntimeError:  # The dictionary grew meanwhile. Labels are bounded, so this ends.
            continue


def policy_results(counters: Counters) -> Mapping[tuple[str, str, str], int]:
    """Return what checks did, by account, check and result.

    Only what is refused or noted is counted when it happens. What a check let pass is worked out
    here: all that came into the pass, without what it or a check before it has refused.
    """
    found: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    # Refusals first: of a message that comes meanwhile none may be seen to be refused only.
    refusals = dict(items(counters.policy_refusals))
    for one, left in items(counters.judged):
        account, names = parts_of(one)
        for name in names:
            refused = refusals.get((one, name), 0)
            left -= refused
            if name != RULES:  # They are no check, and counted by their reasons.
                found[account, name, "passed"] += left
                found[account, name, "refused"] += refused
    for (account, name, result), count in items(counters.policy_notes):
        found[account, name, result] += count
    return found


class Exporter(Collector):
    """Reads the parts of the router. `lines_lost` counts log lines that could not be written."""

    def __init__(self, app: Running, lines_lost: Callable[[], int]) -> None:
        self._app: Final = app
        self._lines_lost: Final = lines_lost
        self._version: Final = version()
        self._ends_of: Settings | None = None
        self._ends: dict[str, list[float]] = {}
        """When entries of lists of senders end, by list: those of these settings."""

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; a metric without samples yet has its HELP and TYPE."""
        yield from self._of_clients()
        yield from self._of_queues()
        yield from self._of_operators()
        yield from self._of_binds()
        yield from self._of_receipts()
        yield from self._of_outcomes()
        yield from self._of_quality()
        yield from self._of_journal()
        yield from self._of_process()

    def _of_clients(self) -> Iterator[Metric]:
        journey, counters = self._app.journey, self._app.journey.counters
        yield _counter(
            "submits",
            "submit_sm, data_sm and numbers of submit_multi, by the status they were answered.",
            ("account", "lane", "status"),
            (((a, lane, status_name(s)), n) for (a, lane, s), n in items(counters.submits)),
        )
        yield _counter(
            "client_requests",
            "query_sm, cancel_sm and replace_sm by the status that the client was answered.",
            ("account", "command", "status"),
            (
                ((a, command_name(c), status_name(s)), n)
                for (a, c, s), n in items(counters.client_requests)
            ),
        )
        yield _histogram(
            "submit_response_seconds",
            "From a client's submit_sm to its submit_sm_resp; with ESME_ROK, the disk included.",
            ("account",),
            (((account,), values) for account, values in items(counters.submit_response_s)),
        )
        binds: dict[Labels, float] = {}
        for name, account in self._app.accounts.by_name.items():
            binds |= {(name, bind_type): 0.0 for bind_type in BIND_TYPES.values()}
            for bound in list(account.binds):
                binds[name, bound.bind_type] += 1
        yield _gauge("client_binds", "Binds of clients.", ("account", "type"), binds.items())
        yield _counter(
            "failed_binds",
            "Bind requests of clients that were refused.",
            ("reason",),
            (((reason,), n) for reason, n in items(counters.failed_binds)),
        )
        now, blocked = self._app.clock(), {"address": 0.0, "system_id": 0.0}
        guesses = self._app.accounts.guesses
        for (_, system_id), block in items(guesses.blocked.by_key):
            blocked["address" if system_id is None else "system_id"] += block.until > now
        yield _gauge(
            "blocked_binds",
            "Addresses whose binds are refused for a while: all, or those with one system_id.",
            ("scope",),
            (((scope,), n) for scope, n in blocked.items()),
        )
        yield _counter(
            "blocks",
            "Blocks of addresses, as a whole or for one system_id.",
            ("scope",),
            (((scope,), n) for scope, n in guesses.blocks.items()),
        )
        yield _counter(
            "http_refused",
            "HTTP requests and connections that were not served.",
            ("reason",),
            (((reason,), n) for reason, n in items(counters.http_refused)),
        )
        yield _counter(
            "refused_pdus",
            "What clients or operators sent that could not be taken.",
            ("reason",),
            (((reason,), n) for reason, n in items(counters.refused_pdus)),
        )
        yield _counter(
            "refused",
            "Submits that were refused, by number, and by the reason that `refused_pdus` has, too.",
            ("account", "reason"),
            journey.intake.refusals.counts().items(),
        )
        yield _counter(
            "policy",
            "Messages by what a check of their account's policy did: passed, refused; and of those"
            " that passed, counted or changed.",
            ("account", "check", "result"),
            policy_results(counters).items(),
        )
        yield _counter(
            "retries_recognised",
            "submit_sm and data_sm that were answered with the id of an earlier one, which they"
            " repeat; each is in `submits`, too.",
            ("account",),
            (((name,), n) for name, n in items(counters.retries_recognised)),
        )
        yield _counter(
            "retries_forgotten",
            "submit_sm and data_sm whose retry would not be recognised: too many came after them.",
            ("account",),
            (((name,), n) for name, n in items(counters.retries_forgotten)),
        )
        yield _gauge(
            "outbox_messages",
            "Receipts and inbound messages that the client has not acknowledged.",
            ("account",),
            (((name,), _length(outbox)) for name, outbox in journey.deliveries.outboxes.items()),
        )
        outboxes = items(journey.deliveries.outboxes)
        yield _gauge(
            "outbox_bytes",
            "Octets of the receipts and inbound messages that the client has not acknowledged.",
            ("account",),
            (((name,), max(0, outbox.octets)) for name, outbox in outboxes),
        )
        yield _gauge(
            "outbox_full_ratio",
            "Share of `outbox_messages` or `outbox_size` that is reached, the larger of the two.",
            ("account",),
            (((name,), max(0.0, outbox.share)) for name, outbox in outboxes),
        )
        yield _counter(
            "deliveries",
            "deliver_sm to clients by how it ended: acknowledged, refused, too_old.",
            ("account", "result"),
            ((key, value) for key, value in items(counters.deliveries)),
        )

    def _of_queues(self) -> Iterator[Metric]:
        journey = self._app.journey
        waiting = waiting_by_operator(journey.lanes, journey.operators, self._app.clock()).items()
        yield _gauge(
            "queue_messages",
            "Messages that wait for this operator (none: no operator that may take them is up).",
            ("operator", "lane"),
            ((key, count) for key, (count, _) in waiting),
        )
        yield _gauge(
            "queue_oldest_seconds",
            "Age of the oldest message that waits; 0 where none does.",
            ("operator", "lane"),
            ((key, oldest_s) for key, (_, oldest_s) in waiting),
        )
        yield _gauge(
            "queue_delayed_messages",
            "Messages that wait to be tried again, because an operator asked for that.",
            (),
            [((), journey.delayed)],
        )
        yield _gauge(
            "queue_scheduled_messages",
            "Messages that wait for the time that their client has set. Only those in memory.",
            (),
            [((), journey.lanes.delays.scheduled())],
        )
        yield _gauge(
            "account_queue_messages",
            "Places of its `queue` that an account has taken: waiting, delayed or in flight.",
            ("account",),
            (((name,), journey.rooms.taken(name)) for name in self._app.settings.accounts),
        )
        yield _gauge(
            "account_queue_bytes",
            "Octets of its `queue_size` that an account has taken.",
            ("account",),
            (((name,), max(0, journey.rooms.octets(name))) for name in self._app.settings.accounts),
        )
        yield _gauge(
            "account_queue_full_ratio",
            "Share of `queue` or `queue_size` that an account has taken, the larger of the two.",
            ("account",),
            (((name,), journey.rooms.share(name)) for name in self._app.settings.accounts),
        )
        yield _histogram(
            "queue_wait_seconds",
            "From a message's acceptance to its first writing to an operator.",
            ("operator", "lane"),
            ((key, value) for key, value in items(journey.counters.queue_wait_s)),
        )

    def _of_operators(self) -> Iterator[Metric]:
        journey, counters = self._app.journey, self._app.journey.counters
        yield _counter(
            "sends",
            "Messages written to an operator by what it answered; timeout and lost: nothing.",
            ("operator", "bind", "status"),
            (((o, b, answer_name(s)), n) for (o, b, s), n in items(counters.sends)),
        )
        yield _histogram(
            "operator_response_seconds",
            "From a message's writing to the operator's answer.",
            ("operator",),
            (((operator,), values) for operator, values in items(counters.operator_response_s)),
        )
        in_doubt = counters.in_doubt
        yield _counter(
            "in_doubt",
            "Messages that were written and never answered, by what was done about it.",
            ("operator", "action"),
            (
                ((operator, action), in_doubt.get((operator, action), 0))
                for operator in journey.operators
                for action in IN_DOUBT_ACTIONS
            ),
        )
        yield _counter(
            "repeated",
            "Messages written again although an earlier writing may have arrived.",
            ("operator",),
            (((name,), counters.repeated.get(name, 0)) for name in journey.operators),
        )
        suspects = journey.suspicions.by_operator()
        yield _gauge(
            "suspects",
            "Messages that may be why an operator's side ended a session: each goes alone.",
            ("operator",),
            (((name,), suspects[name]) for name in journey.operators),
        )
        yield _gauge(
            "receipts_orphaned",
            "Receipts whose message is not known yet, or is another system's: kept for a minute.",
            ("operator",),
            (((name,), one.orphans) for name, one in journey.pending.correlators.items()),
        )
        whole = [((one.name,), one.circuit.whole) for one in journey.operators.values()]
        yield _gauge(
            "operator_breaker_open",
            "Whether the operator is left alone because it fails, or is being tried after that.",
            ("operator",),
            ((key, float(breaker.is_open)) for key, breaker in whole),
        )
        yield _counter(
            "operator_breaker_opened",
            "How often an operator was left alone because it failed.",
            ("operator",),
            ((key, breaker.opened) for key, breaker in whole),
        )
        yield _gauge(
            "operator_contract_rate",
            "submit_sm a second by the contract: over all, or the sum over binds if that is less.",
            ("operator",),
            (((name,), contracted(one.settings)) for name, one in journey.operators.items()),
        )
        yield _counter(
            "inbound",
            "Messages from subscribers by what became of them: held, unrouted, refused.",
            ("operator", "result"),
            ((key, value) for key, value in items(counters.inbound)),
        )
        yield _counter(
            "alert_notifications",
            "alert_notification of operators: passed on, or why not.",
            ("operator", "result"),
            ((key, value) for key, value in items(counters.alerts)),
        )
        yield _counter(
            "inbound_unrouted",
            "Messages from subscribers that no rule is for, by our number; of many, 100 are told.",
            ("operator", "number", "reason"),
            ((key, value) for key, value in items(counters.inbound_unrouted)),
        )

    def _of_binds(self) -> Iterator[Metric]:
        now = self._app.clock()
        labels = ("operator", "bind")
        binds = [bind for one in self._app.journey.operators.values() for bind in one.binds]
        named = [((bind.operator.name, bind.settings.name), bind) for bind in binds]
        sending = [(key, bind, bind.pace) for key, bind in named if bind.pace is not None]
        yield _gauge(
            "bind_up",
            "Whether the bind is bound.",
            labels,
            ((key, float(is_up(bind))) for key, bind in named),
        )
        yield _gauge(
            "bind_drained",
            "Whether people have asked that nothing is sent on the bind.",
            labels,
            ((key, float(bind.drained)) for key, bind, _ in sending),
        )
        yield _gauge(
            "bind_window_in_use",
            "Messages on the bind that the operator has not answered.",
            labels,
            ((key, bind.in_use) for key, bind in named),
        )
        yield _gauge(
            "bind_rate_limit",
            "Messages per second that the bind may send now.",
            labels,
            ((key, bind.per_second(now)) for key, bind, _ in sending),
        )
        breakers = [(key, bind.breaker) for key, bind, _ in sending]
        yield _gauge(
            "bind_breaker_open",
            "Whether the bind is left alone because it fails, or is being tried after that.",
            labels,
            ((key, float(breaker.is_open)) for key, breaker in breakers),
        )
        yield _counter(
            "bind_breaker_opened",
            "How often a bind was left alone because it failed.",
            labels,
            ((key, breaker.opened) for key, breaker in breakers),
        )
        yield _gauge(
            "bind_busiest_second",
            "Most submit_sm written in any sliding second of the last 60 s.",
            labels,
            ((key, pace.busiest.most(now)) for key, _, pace in sending),
        )
        yield _gauge(
            "bind_second_limit",
            "Most submit_sm in one second by the contract; a rate per minute allows them all.",
            labels,
            ((key, rate.count) for key, bind, _ in sending if (rate := bind.settings.rate)),
        )

    def _of_receipts(self) -> Iterator[Metric]:
        journey, counters = self._app.journey, self._app.journey.counters
        correlators = journey.pending.correlators.items()
        yield _counter(
            "receipts",
            "Receipts from operators.",
            ("operator", "state"),
            ((key, value) for key, value in items(counters.receipts)),
        )
        yield _counter(
            "receipts_unmatched",
            "Receipts whose message is not known.",
            ("operator",),
            (((name,), counters.receipts_unmatched.get(name, 0)) for name in journey.operators),
        )
        yield _counter(
            "fields_cut",
            "What operators delivered with a field that was longer than SMPP allows, and cut.",
            ("operator",),
            (((name,), counters.fields_cut.get(name, 0)) for name in journey.operators),
        )
        yield _counter(
            "texts_recoded",
            "Texts with data_coding 0, which means something else to account and operator.",
            ("operator", "result"),
            ((key, value) for key, value in items(counters.texts_recoded)),
        )
        yield _counter(
            "receipts_guessed",
            "Receipts that matched only in another base than `message_id` says, or was learnt.",
            ("operator",),
            (((name,), correlator.guessed) for name, correlator in correlators),
        )
        yield _gauge(
            "message_ids_learnt",
            "1: the operator's ids have these forms, as was learnt where `message_id` is not set.",
            ("operator", "response", "receipt"),
            (
                ((name, rule.forms.response, rule.forms.receipt), 1)
                for name, correlator in correlators
                if (learnt := correlator.learnt) is not None and (rule := learnt.rule) is not None
            ),
        )
        yield _counter(
            "long_messages_half_receipted",
            "Long messages of which one part had its receipt, and no other within a minute.",
            ("operator",),
            (((name,), correlator.half_receipted.count) for name, correlator in correlators),
        )
        yield _gauge(
            "receipts_outstanding",
            "Receipts that the operator still owes.",
            ("operator",),
            (((name,), _length(correlator)) for name, correlator in correlators),
        )
        yield _histogram(
            "delivery_seconds",
            "From a message's acceptance to its outcome by receipt.",
            ("operator", "lane"),
            ((key, value) for key, value in items(counters.delivery_s)),
        )

    def _of_outcomes(self) -> Iterator[Metric]:
        outcomes = items(self._app.journey.counters.outcomes)
        yield _counter(
            "outcomes",
            "Accepted messages by where their journey ended; each ends once.",
            ("account", "outcome"),
            (((account, outcome.name.lower()), n) for (account, outcome), n in outcomes),
        )

    def _of_quality(self) -> Iterator[Metric]:
        journey = self._app.journey
        counted = journey.quality.by_country().items()
        enough = [(key, sums) for key, sums in counted if sums.deliverable >= ENOUGH]
        labels = ("operator", "country")
        yield _gauge(
            "deliverable_share",
            "Share of the last outcomes whose number can be reached, as the operator says.",
            labels,
            (
                (key, share)
                for key, one in counted
                if one.outcomes >= ENOUGH and (share := one.deliverable_share) is not None
            ),
        )
        yield _gauge(
            "delivered_share",
            "Share of the deliverable among the last outcomes that was delivered.",
            labels,
            ((key, share) for key, one in enough if (share := one.delivered_share) is not None),
        )
        yield _gauge(
            "never_receipted_share",
            "Share of the deliverable among the last outcomes that never had its receipt.",
            labels,
            ((key, sh) for key, one in enough if (sh := one.never_receipted_share) is not None),
        )
        yield _gauge(
            "delivery_quantile_seconds",
            "Time from acceptance to the receipt of delivery, of the last outcomes.",
            (*labels, "quantile"),
            (
                ((*key, str(share)), time_s)
                for key, one in enough
                for share in QUANTILES
                if (time_s := one.within_s(share)) is not None
            ),
        )
        fares = self._app.account_quality.accounts
        yield _gauge(
            "account_delivered_share",
            "Share of the deliverable messages of an account that is delivered now.",
            ("account",),
            (((a,), one.delivery.now) for a, one in fares.items() if one.delivery.is_known),
        )
        yield _gauge(
            "account_refused_share",
            "Share of the submits of an account that is refused now, for reasons that are its own.",
            ("account",),
            (((a,), one.refusals.now) for a, one in fares.items() if one.refusals.is_known),
        )
        yield _gauge(
            "account_unusual",
            "Whether much less of an account is delivered, or more refused, than usual.",
            ("account", "what"),
            (
                ((account, what), float(watched.since is not None))
                for account, one in fares.items()
                for what, watched in zip(one._fields, one, strict=True)
            ),
        )
        too_fast = journey.counters.receipts_too_fast
        yield _counter(
            "receipts_too_fast",
            "Receipts of delivery that came faster than a telephone can answer.",
            ("operator",),
            (((name,), too_fast.get(name, 0)) for name in journey.operators),
        )

    def _of_journal(self) -> Iterator[Metric]:
        journey, counters = self._app.journey, self._app.journey.counters
        yield _gauge("journal_up", "Whether commits succeed.", (), [((), journey.commits.up)])
        free = journey.commits.free_octets
        yield _gauge(
            "journal_free_bytes",
            "Space that is left for the journal, on its disk and inside its file.",
            (),
            [] if free is None else [((), free)],
        )
        yield _gauge(
            "journal_keep_free_bytes",
            "Space below which receipts alone are taken.",
            (),
            [((), self._app.settings.journal.keep_free_bytes)],
        )
        yield _counter(
            "journal_read_failures",
            "Readings of the journal that failed; what was to be read waits.",
            (),
            [((), counters.journal_read_failures)],
        )
        rows = dict.fromkeys(TABLES, 0)
        rows |= items(counters.rows_set_aside)
        yield _counter(
            "journal_rows_set_aside",
            "Rows of the journal that could not be used, by the table that they were in.",
            ("table",),
            (((table,), count) for table, count in rows.items()),
        )
        yield _gauge(
            "journal_lost",
            "Whether this process began with a journal that lacks what was accepted.",
            (),
            [((), counters.journal_lost)],
        )
        recorder = self._app.recorder
        records = None if recorder is None else recorder.state()
        yield _gauge(
            "records_behind_seconds",
            "How long ago all that was over had its record in the file.",
            (),
            [] if records is None else [((), records["behind_s"])],
        )
        yield _gauge(
            "records_octets",
            "The size of the file of records.",
            (),
            [] if records is None else [((), records["octets"])],
        )
        yield _counter(
            "records_lost",
            "Records that could be written nowhere for so long that the journal forgot them.",
            (),
            [] if records is None else [((), records["lost"])],
        )
        yield _gauge(
            "left_waiting",
            "Left by an earlier process for an account or operator that is no more.",
            (),
            [((), journey.left_waiting)],
        )
        yield _gauge(
            "journal_pending",
            "Operations that wait for a commit.",
            (),
            [((), journey.journal.pending)],
        )
        yield _histogram(
            "journal_commit_seconds", "How long a commit takes.", (), [((), counters.commit_s)]
        )
        yield _histogram(
            "journal_batch_messages",
            "Messages that share a commit.",
            (),
            [((), counters.batch_messages)],
        )

    def _of_process(self) -> Iterator[Metric]:
        reloads = dict.fromkeys(RELOAD_RESULTS, 0)
        reloads |= items(self._app.journey.counters.config_reloads)
        yield _histogram(
            "loop_lag_seconds",
            "How late the event loop came to a call that was due.",
            (),
            [((), self._app.journey.counters.loop_lag_s)],
        )
        yield _gauge(
            "congested",
            "Whether more comes than the router can take: what has waited too long is refused.",
            (),
            [((), self._app.journey.intake.congestion.is_on)],
        )
        yield _counter(
            "config_reloads",
            "Configurations read again, by what came of it.",
            ("result",),
            (((result,), n) for result, n in reloads.items()),
        )
        config = self._app.config
        yield _gauge("config_info", "Which configuration runs.", ("hash",), [((config.digest,), 1)])
        yield _gauge(
            "config_stale",
            "Whether the files of the configuration are not what runs.",
            (),
            [((), bool(config.stale))],
        )
        yield _gauge(
            "clock_doubted_seconds",
            "How far ahead the wall clock is while it is not believed; 0 while it is.",
            (),
            [((), self._app.journey.clocks.steady.doubted_s)],
        )
        yield _gauge(
            "certificate_expires_utc",
            "When a certificate of ours expires, by the key that names it, in Unix time.",
            ("use",),
            self._certificates().items(),
        )
        yield _gauge(
            "sender_expires_utc",
            "When the first sender of a list ends that did not end over a month ago, in Unix time.",
            ("list",),
            self._senders().items(),
        )
        yield _counter(
            "log_lines_lost",
            "Log lines that standard error did not take.",
            (),
            [((), self._lines_lost())],
        )
        yield _gauge("build_info", "What runs.", ("version",), [((self._version,), 1)])

    def _senders(self) -> dict[Labels, float]:
        """Return when the next entry of each list ends, or the last one ended."""
        settings = self._app.settings
        if settings is not self._ends_of:
            self._ends = {path: sorted(last_days(entries)) for path, entries in lists_of(settings)}
            self._ends_of = settings
        since_utc = time.time() - MONTH_S
        return {
            (path,): next(at for at in ends if at >= since_utc)
            for path, ends in self._ends.items()
            if ends and ends[-1] >= since_utc
        }

    def _certificates(self) -> dict[Labels, float]:
        """Return when certificates expire: of each listener, and the first of each operator."""
        found: dict[Labels, float] = {}
        for number, one in enumerate(list(self._app.certificates)):
            if one is not None and one.expires_utc is not None:
                found[f"listen[{number}].tls",] = one.expires_utc
        for name, operator in items(self._app.journey.operators):
            expire = [bind.certificate_expires_utc for bind in list(operator.binds)]
            known = [at_utc for at_utc in expire if at_utc is not None]
            if known:
                found[f"operators.{name}",] = min(known)
        return found


def contracted(operator: OperatorSettings) -> float:
    """Return the messages a second that the contracts with an operator allow."""
    together = sum(bind.rate.per_second for bind in operator.binds if bind.rate is not None)
    return together if operator.rate is None else min(operator.rate.per_second, together)


def _length(sized: Sized) -> int:
    """Return the length of an object that the loop changes; `len` may iterate a dictionary."""
    while True:
        try:
            return len(sized)
        except RuntimeError:
            continue


class _Samples(list[Sample]):
    """Samples that are made one by one while they are read; they can be read once.

    So nothing piles up for the garbage collector, and every few samples the interpreter is left to
    the loop, which otherwise has to wait 5 ms for it whenever it wakes.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        super().__init__()
        self._one_by_one = iter(samples)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples."""
        for number, sample in enumerate(self._one_by_one, 1):
            if number % BREATHE_AFTER == 0:
                time.sleep(BREATH_S)
            yield sample


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Metric:
    family = Metric(PREFIX + name, meaning, kind)
    family.samples = _Samples(samples)
    return family


def _gauge(name: str, meaning: str, labels: Labels, samples: Samples) -> Metric:
    full = PREFIX + name
    made = (Sample(full, dict(zip(labels, key, strict=True)), value) for key, value in samples)
    return _family(name, "gauge", meaning, made)


def _counter(name: str, meaning: str, labels: Labels, samples: Samples) -> Metric:
    """Add up samples with the same labels: several statuses share one name."""
    sums: defaultdict[Labels, float] = defaultdict(float)
    for key, value in samples:
        sums[key] += value
    full = f"{PREFIX}{name}_total"
    made = (Sample(full, dict(zip(labels, key, strict=True)), sum_) for key, sum_ in sums.items())
    return _family(name, "counter", meaning, made)


def _histogram(
    name: str, meaning: str, labels: Labels, samples: Iterable[tuple[Labels, Histogram]]
) -> Metric:
    def made() -> Iterator[Sample]:
        full = PREFIX + name
        for key, histogram in samples:
            labelled = dict(zip(labels, key, strict=True))
            total = 0
            bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
            for bound, count in zip(bounds, list(histogram.counts), strict=True):
                total += count
                yield Sample(f"{full}_bucket", labelled | {"le": bound}, total)
            yield Sample(f"{full}_count", labelled, total)
            yield Sample(f"{full}_sum", labelled, histogram.sum)

    return _family(name, "histogram", meaning, made())
