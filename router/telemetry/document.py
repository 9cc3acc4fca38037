"""The status document: what `/v1/status` serves. Its names stay; keys may be added.

Times that end in `_s` are seconds, in `_utc` seconds since 1970; `per_s` is messages a second, over
the last seconds.
"""

from typing import Literal, TypedDict


class ProblemStatus(TypedDict):
    """One thing that is not well."""

    what: str
    about: str
    """The operator, account or lane; empty where it is about the whole router."""
    kind: str
    """Which of these: `operator`, `account`, `lane` or `router`."""
    do: str
    """What helps; empty where only time does."""
    see: str
    """Where that is explained: a file of the documentation, and a heading in it."""


class DeliveredStatus(TypedDict):
    """How much was delivered, of what has ended and was asked about."""

    share: float | None
    """Since the start; None where nothing has ended."""
    of: int
    lately_share: float | None
    """Over the last 5 to 10 minutes."""
    lately_of: int


class NowStatus(TypedDict):
    """Messages a second, of the whole router."""

    over_s: float
    """Over how long a time: the last 5 to 10 seconds."""
    in_per_s: float
    """Messages of clients that were taken."""
    out_per_s: float
    """Messages that operators took."""
    receipts_per_s: float
    """Receipts of operators."""
    refused_per_s: float
    """Messages of clients that were refused."""
    refused_by_operators_per_s: float
    """Messages that operators refused, or did not answer."""


class AccountNow(TypedDict):
    """Messages a second, of one account."""

    in_per_s: float
    refused_per_s: float
    refused_as: str
    """What most of the refused were answered; empty where none was refused."""
    throttled_per_s: float
    """Those of the refused that came faster than the account's rate, as configured."""
    receipts_per_s: float
    """Receipts and subscribers' messages that the client acknowledged."""


class BindNow(TypedDict):
    """Messages a second, of one bind."""

    out_per_s: float
    refused_per_s: float
    """Those that were answered with another status than ESME_ROK, or not at all."""
    refused_as: str
    """The status of most of them, `timeout` or `lost`; empty where there were none."""


class OperatorNow(BindNow):
    """Messages a second, of one operator."""

    receipts_per_s: float


class CommitsNow(TypedDict):
    """How fast the journal is."""

    per_s: float
    mean_s: float | None
    """How long a commit takes; None where there was none."""


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
    read_failures: int
    """Reads that failed, since the start."""
    commits: CommitsNow


class RecordsStatus(TypedDict):
    """The file in which records are kept."""

    path: str
    octets: int
    behind_s: float
    """How long ago all that was over had its record there."""
    failure: str
    """Why nothing is written; empty where all is well."""
    lost: int
    """Records that could wait no longer, since the start."""


class ClockStatus(TypedDict):
    """Whether the wall clock is believed."""

    ahead_s: float
    """How far it is ahead of the time that the router uses; negative behind it; 0 if believed."""
    waiting: int
    """Messages that wait because only this clock says that they are over."""
    cure: str
    """What ends the doubt; empty if there is none."""


class CongestionStatus(TypedDict):
    """A congestion: more comes than the router can take."""

    since_s: float
    refused: int
    """Messages that were refused because they had waited too long."""


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
    """Why it is down, in a word; empty while it is up."""
    why: str
    """What the system said, where that is `unreachable`."""
    next_attempt_s: float | None
    """When the router tries again to bind; None while it is up, or being tried."""
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
    now: BindNow
    answers: dict[str, int]
    """What the operator answered, by status, since the start."""


class LaneStatus(TypedDict):
    """The messages that wait in one lane."""

    lane: str
    messages: int
    oldest_s: float


class OutcomesStatus(TypedDict):
    """The last outcomes of an operator, over all countries and lanes: 1,000 of each at most."""

    outcomes: int
    deliverable: int
    """Without the numbers that nobody can reach."""
    delivered: int
    never_receipted: int
    latest_s: float | None
    """How long ago the latest was; None without any."""


class IdsStatus(TypedDict):
    """The forms of an operator's message ids."""

    known: Literal["set", "learnt", "not yet"]
    """Whether `message_id` says them, or they were learnt, or nothing tells them yet."""
    response: str
    receipt: str


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
    lately_receipts: int
    """Receipts that came in the last minutes."""
    lately_unmatched: int
    """Those whose message was not known, as far as they are given up."""
    ids: IdsStatus
    leaving: bool
    """Whether the configuration has it no more: its binds stay while something is owed on them."""
    serves_data_sm: bool
    """False for an hour after it has refused one because it does not know data_sm."""
    waiting_to_rebind: list[str]
    """Binds that keep their old session, because another one does not come up with new settings."""
    waiting_because: str
    """Which one that is, and what keeps it down; empty where none waits."""
    binds: list[BindStatus]
    lanes: list[LaneStatus]
    nowhere: list[LaneStatus]
    """What it may take, and neither it nor another operator can take now; without empty lanes."""
    last: OutcomesStatus
    now: OperatorNow
    answers: dict[str, int]
    """Answers by status, since the start."""
    receipts: dict[str, int]
    """Receipts by state, since the start."""
    delivered: DeliveredStatus
    """By its receipts."""


class UnusualStatus(TypedDict):
    """A share of an account that is worse than usual."""

    what: str
    """`delivery`: delivered of what could be; `refusals`: refused of what was submitted."""
    share: float
    usual: float
    since_s: float


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


class ClientStatus(TypedDict):
    """One bind of a client."""

    address: str
    type: str
    since_s: float


class RefusedBindsStatus(TypedDict):
    """Binds with the name of an account that were refused, since the start."""

    count: int
    last_s: float | None
    """How long ago the last was; None without any."""
    why: str
    """Why that was,"""
    host: str
    """and where it came from."""


class AccountStatus(TypedDict):
    """One client."""

    name: str
    leaving: bool
    """Whether the configuration has it no more: it takes no binds, and what it has runs dry."""
    binds: dict[str, int]
    """How many, by type."""
    max_binds: int
    clients: list[ClientStatus]
    """Who is bound, the longest first."""
    refused_binds: RefusedBindsStatus
    lanes: list[LaneStatus]
    """What waits for an operator; of that which is to be tried again, only `waiting` knows."""
    nowhere: list[LaneStatus]
    """What of that no operator can take now; without empty lanes."""
    unusual: list[UnusualStatus]
    """What is worse than usual now."""
    now: AccountNow
    submits: dict[str, int]
    """What it was answered, by status, since the start."""
    outcomes: dict[str, int]
    """How its messages ended, since the start."""
    delivered: DeliveredStatus
    lately_expired: int
    """Of `lately_of` in there, those whose validity ended first."""
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


class QualityStatus(TypedDict):
    """The last outcomes of an operator in one country and lane: 1,000 at most."""

    operator: str
    country: str
    """As of ISO 3166; `other` for numbers of none."""
    lane: str
    outcomes: int
    unreachable: int
    """Numbers that cannot be reached by anybody (`undeliverable`)."""
    delivered: int
    too_fast: int
    """Of the delivered: receipts that came faster than a telephone answers."""
    never_receipted: int
    deliverable_share: float | None
    delivered_share: float | None
    """Of the deliverable; None without any."""
    p50_s: float | None
    """Within this time half of the delivered had their receipt, from acceptance."""
    p95_s: float | None


class BlockedStatus(TypedDict):
    """An address whose binds are refused for a while, because too many have failed."""

    address: str
    """With IPv6, the network of one line."""
    system_id: str | None
    """Only binds with it are refused; None where the address as a whole is closed."""
    failures: int
    """Failed binds that led to it."""
    left_s: float


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
    records: RecordsStatus | None
    """None where none are kept."""
    clock: ClockStatus
    congestion: CongestionStatus | None
    """None if there is none."""
    operators: list[OperatorStatus]
    without_operator: list[LaneStatus]
    delayed: int
    scheduled: int
    left_waiting: int
    """Messages and receipts that stay in the journal, because of what the configuration lacks:"""
    left_of: dict[str, int]
    """`account NAME` or `operator NAME`, and how many those are."""
    accounts: list[AccountStatus]
    quality: list[QualityStatus]
    """How well operators deliver."""
    blocked: list[BlockedStatus]
    """The latest 100 that are blocked, the latest first."""
    now: NowStatus
    delivered: DeliveredStatus
    """Of all accounts."""
    totals: Totals
    problems: list[ProblemStatus]
    """What is not well, the worst first; empty where nothing is known to be."""
    notes: list[ProblemStatus]
    """What somebody has to look at some day, and what stays so until a restart."""
    events: list[dict[str, object]]
    """The latest lines of the log, the oldest first."""
