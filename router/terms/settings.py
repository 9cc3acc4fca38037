"""What a configuration says, as frozen values: one class per part of the YAML file.

`settings/load.py` is the only place that builds these from a file; a stage is handed the part
that it needs and never learns where it came from. A field's name is its key in the file plus its
unit (`bind_timeout: 5s` is `bind_timeout_s`); the text below a field is its page in
`config/README.md`. A field without a default must be written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, LaneName, OperatorName

BindType = Literal["transmitter", "receiver", "transceiver"]
IdForm = Literal["text", "hex", "decimal"]
ClientIdForm = Literal["decimal", "hex8"]
InDoubt = Literal["resend", "elsewhere", "fail"]
Schedule = Literal["as_it_came", "honour"]
Validity = Literal["as_it_came", "remaining"]

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who may bind where an account does not say: an allow-list fails closed."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is written; line and column count from 1, and 0 is "not known"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(at) for at in (self.line, self.column) if at)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A TCP address, written `host:port`, an IPv6 host in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """A certificate for a listener."""

    certificate: Path
    """The certificate chain, PEM."""
    key: Path
    """Its private key, PEM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """One address that clients connect to."""

    address: Address
    """`host:port` to listen on; port 0 lets the kernel choose."""
    tls: TlsSettings | None = None
    """With it the listener speaks TLS 1.2 or newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What holds for every SMPP session, to clients and to operators."""

    system_id: str = "smpp-router"
    """What bind responses carry."""
    bind_timeout_s: float = 5.0
    """A connection that has not bound by then is closed."""
    enquire_link_s: float = 30.0
    """enquire_link is sent after this long without a PDU from the peer."""
    response_timeout_s: float = 30.0
    """A request unanswered for so long has failed; an enquire_link unanswered ends the session."""
    inactivity_s: float | None = None
    """A client that sends no request but enquire_link for so long is unbound. Off by default."""
    max_pdu_bytes: int = 70_000
    """A longer command_length ends the connection. The default holds a submit_sm with a full
    message_payload (65,535 octets) and generous TLVs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """Where accepted messages are kept safe."""

    url: str
    """`sqlite:///file` (relative to the configuration), or `memory:`, which keeps nothing."""
    commit_every_s: float = 0.002
    """The longest an accepted message waits for others to share its commit."""
    settle_every_s: float = 0.05
    """The same for what an answer or a receipt settles."""
    keep_records_s: float = 72 * 3600.0
    """How long the journal remembers how a message ended, in its table `record`: without the text.
    A million take some 100 MB. `0s` keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How the log is written; it goes to standard error."""

    format: Literal["json", "console"] = "json"
    """`json` for machines, `console` for eyes."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least urgent level that is written."""
    messages: float = 0.01
    """Share of messages that get a line at the end of their journey, `0%` to `100%`. A line costs
    about as much time as a third of the whole journey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Metrics, health and status over HTTP."""

    listen: Address = field(default=Address(host="127.0.0.1", port=9464))
    """Serves /metrics, /healthz, /readyz and /v1/status. Loopback only."""
    log: LogSettings = field(default=LogSettings())
    """The log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One priority lane; lanes are written most urgent first."""

    name: LaneName
    """How accounts, metrics and logs call it."""
    validity_s: float | None = None
    """How long a message without a validity_period of its own may wait; never written to a PDU."""
    min_share: float = 0.0
    """What the lane still gets of an operator's rate while more urgent lanes have work."""
    in_doubt: InDoubt = "resend"
    """What becomes of a message written to an operator and never answered, also after a crash.
    With `fail` each is marked in the journal before it is written, which costs a commit."""
    failover_after_s: float | None = None
    """A message that has waited so long for its operator may go to the next one of its route, too,
    and after as long again to the one after that, though the first is up. Off by default: then
    only an operator that is down, or refuses a message, is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One client system; its key in the file is the system_id that it binds with."""

    name: AccountName
    """The system_id."""
    passwords: tuple[str, ...] = field(repr=False)
    """`password` in the file: clear text or the output of `smpp-router hash-password`; a list
    while one is replaced."""
    lane: LaneName
    """The lane of its messages."""
    allow_from: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Networks that it may bind from. Where this is missing: loopback only."""
    max_binds: int = 10
    """Binds that it may have at once."""
    window: int = 100
    """submit_sm that it may have unanswered on one bind."""
    rate: Rate | None = None
    """submit_sm over all its binds; unlimited where it is missing."""
    burst: int | None = None
    """How many may come at once; where it is missing, one unit of the rate."""
    queue: int = 100_000
    """Messages that it may have waiting."""
    weight: int = 1
    """Its turns inside a lane, against the other accounts."""
    lane_by_priority: Mapping[int, LaneName] = field(default_factory=dict)
    """A lane by the priority_flag of the submit_sm."""
    lane_by_service_type: Mapping[str, LaneName] = field(default_factory=dict)
    """A lane by the service_type of the submit_sm; it goes before `lane_by_priority`."""
    schedule_delivery_time: Schedule = "as_it_came"
    """What becomes of the time at which a message is to be sent: `as_it_came` passes it on, unread,
    for the operator to keep it; with `honour` the router waits until then, and sends the message
    with the field empty."""
    message_id: ClientIdForm = "decimal"
    """The ids that it is given: `decimal`, up to 15 digits, or `hex8`, eight hexadecimal digits for
    clients of version 3.3 that have room for no more. Those repeat after 4,294,967,296."""
    deliver_window: int = 20
    """deliver_sm that it may have unanswered on one bind."""
    outbox_s: float = 72 * 3600.0
    """How long receipts and inbound messages wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTlsSettings:
    """TLS 1.2 or newer to an operator: `tls: true`, or more than that."""

    ca: Path | None = None
    """Who may have signed its certificate, PEM; where it is missing, whoever the system trusts."""
    certificate: Path | None = None
    """Ours, PEM, for an operator that asks for one."""
    key: Path | None = None
    """Its private key, PEM."""
    server_name: str | None = None
    """The name in its certificate, where that is not the host of `address`."""
    verify: bool = True
    """`false` takes any certificate: whoever is in between can read and change everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbindSettings:
    """An operator that connects to us and says outbind; we bind on that connection."""

    listen: Address
    """`host:port` where it connects to; several binds may share one."""
    system_id: str
    """Its name, in its outbind."""
    password: str = field(repr=False)
    """Its password, in its outbind."""
    allow_from: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Networks that it may connect from. Where this is missing: loopback only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindSettings:
    """One bind to an operator."""

    name: BindName
    """How metrics, logs and commands call it; unique over all operators."""
    addresses: tuple[Address, ...] = ()
    """The operator's SMSC, or a list of hosts that are tried in turn; names are looked up anew at
    each attempt. Must be written unless the operator calls us."""
    outbind: OutbindSettings | None = None
    """For an operator that connects to us; instead of `address`."""
    system_id: str
    """Our name there."""
    password: str = field(repr=False)
    """Our password there."""
    type: BindType = "transceiver"
    """transmitter, receiver or transceiver."""
    system_type: str = ""
    """As the operator wants it."""
    interface_version: int = 0x34
    """The SMPP version of the bind request."""
    rate: Rate | None = None
    """Contracted submit_sm on this bind. Must be written unless the bind is a receiver."""
    window: int | None = 10
    """submit_sm unanswered at once; `auto` is as many as the rate needs at the round trip that is
    measured, at least 10, and at most what goes out in a second. A tenth is for the most urgent
    lane alone."""
    source_address: str | None = None
    """Our address to connect from, where the operator knows us by it."""
    tls: OperatorTlsSettings | None = None
    """TLS to the operator; without it the connection is plain."""
    enquire_link_s: float | None = None
    """`session.enquire_link` for this bind, where the operator wants it more or less often."""
    max_messages: int | None = None
    """How many messages the operator takes in one session. Then the bind ends it in good order and
    binds anew; the binds of one operator do so one after the other."""
    max_age_s: float | None = None
    """How long the operator lets a session last; the same happens then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIdSettings:
    """How an operator writes its message ids, on each way."""

    response: IdForm = "text"
    """In submit_sm_resp."""
    receipt: IdForm = "text"
    """In receipts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectSettings:
    """Waits between attempts to bind; each is jittered and twice the one before."""

    first_s: float = 1.0
    """After the first failure."""
    longest_s: float = 30.0
    """Never longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAction:
    """What an operator's command_status means for the message and for the bind."""

    do: Literal["retry", "next", "fail", "pause", "rebind"]
    """retry (same operator, after a wait), next (another operator), fail, pause (the bind rests;
    the message goes first again), rebind."""
    after_s: float = 30.0
    """`retry`: the wait."""
    times: int = 1
    """`retry`, `next`: how often at most."""
    then: Literal["next", "fail"] = "next"
    """`retry`: what follows when the times are used up."""
    for_s: float = 1.0
    """`pause`: how long the bind rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """Leaves a bind, or all of an operator, alone while it fails, and tries it again."""

    failures: int = 5
    """So many failures ..."""
    of: int = 10
    """... among so many answers. Five of ten: a one-time password a second fails over within
    seconds, and a subscriber or two with a fault of their own do not stop a bind."""
    rest_s: float = 10.0
    """For how long; twice as long after each try that fails. Short, so that a false alarm costs
    little."""
    longest_s: float = 120.0
    """Never longer than that. Each try costs one message a delay."""
    statuses: tuple[int, ...] = (0x08, 0x64)
    """The statuses that are failures, beside answers that never came: those that speak of the
    operator, not of the message (ESME_RSYSERR, ESME_RX_T_APPN)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """One mobile operator and our binds to it."""

    name: OperatorName
    """Its key in the file."""
    binds: tuple[BindSettings, ...]
    """At least one."""
    rate: Rate | None = None
    """submit_sm over all its binds together; unlimited where it is missing."""
    destination_rate: Rate | None = None
    """submit_sm to one number, such as `1/10s`. A message that is too soon waits aside, and others
    go before it."""
    message_id: MessageIdSettings = field(default=MessageIdSettings())
    """How it writes message ids."""
    reconnect: ReconnectSettings = field(default=ReconnectSettings())
    """Waits between attempts to bind."""
    validity_period: Validity = "as_it_came"
    """`as_it_came`, or `remaining`: a relative period is written shorter by what the message has
    waited here. A lane's `validity` is never written."""
    breaker: BreakerSettings | None = field(default=BreakerSettings())
    """When a bind or all of it is left alone for a while because it fails; `false` is never."""
    ramp_s: float = 30.0
    """After it was away it gets its traffic back over this time, and at most over as long as it was
    away, where another operator has stood in for it; `0s`: all at once. By default as long as an
    answer is waited for: by then it has shown whether it is well."""
    receipt_wait_s: float = 72 * 3600.0
    """How long a receipt is waited for; then the message counts as never receipted."""
    accepted_is_final: bool = False
    """Whether the receipt state ACCEPTD ends the message's journey (as delivered)."""
    unknown_is_final: bool = False
    """Whether the receipt state UNKNOWN ends it; otherwise a better one is waited for."""
    on_status: Mapping[int, StatusAction] = field(default_factory=dict)
    """Actions by command_status, over the default table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """One rule: who may carry messages to a prefix."""

    destination: str
    """Prefix of the normalised number; `""` is every number."""
    account: AccountName | None = None
    """Only for this account."""
    sender: str | None = None
    """Only for this source address."""
    priority: int | None = None
    """Only for this priority_flag."""
    service_type: str | None = None
    """Only for this service_type."""
    to: tuple[OperatorName, ...] = ()
    """A list names operators in order (failover); a mapping gives weights (share)."""
    weights: tuple[int, ...] = ()
    """The weights of a mapping, in the order of `to`; empty for a list."""
    refuse: int | None = None
    """The command_status that refuses the message."""
    lane: LaneName | None = None
    """The lane of messages that take this rule, over the account's."""
    line: int = field(default=0, compare=False)
    """Where the rule stands in its file, for `explain` and for messages about it; a rule that
    only moved is still the same rule."""
    file: str = field(default="", compare=False)
    """Its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundSettings:
    """One rule: whose are the messages that subscribers send?"""

    to: AccountName
    """The account that gets them."""
    operator: OperatorName | None = None
    """Only from this operator."""
    destination: str | None = None
    """Only to this number or short code."""
    keyword: str | None = None
    """Only texts whose first word this is, in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration, valid in itself."""

    listen: tuple[ListenSettings, ...]
    """Where clients connect."""
    session: SessionSettings = field(default=SessionSettings())
    """What holds for every session."""
    journal: JournalSettings
    """Where accepted messages are kept safe."""
    telemetry: TelemetrySettings = field(default=TelemetrySettings())
    """Metrics, health, status, log."""
    lanes: tuple[LaneSettings, ...]
    """Priority lanes, most urgent first."""
    accounts: Mapping[AccountName, AccountSettings]
    """Clients, by system_id."""
    operators: Mapping[OperatorName, OperatorSettings]
    """Operators, by name."""
    routes: tuple[RouteSettings, ...]
    """Who carries what. Among the prefixes with a rule whose other conditions hold the longest
    wins; at equal length the first such rule."""
    inbound: tuple[InboundSettings, ...] = ()
    """Whose are messages from subscribers; the first rule that holds."""
    node: int = 0
    """Two digits at the end of every message id, 0 to 99; unique per router."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    """Where everything but the routes is written, by path (`operators.telia.rate`); for warnings,
    and no key of the file."""
