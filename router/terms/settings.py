"""A configuration as frozen values: one class per part of the YAML file.

Only `settings/load.py` builds these values from a file; a stage is handed the part that it needs
and does not know the file. A field's name is its key in the file plus its unit (`bind_timeout: 5s`
is `bind_timeout_s`); the text below a field is its page in `config/README.md`. A field without a
default must be written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, NamedTuple

from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, GroupName, LaneName, OperatorName, ScreenName

BindType = Literal["transmitter", "receiver", "transceiver"]
IdForm = Literal["text", "hex", "decimal"]
ClientIdForm = Literal["decimal", "hex", "uuid", "hex8"]
DialectName = Literal["standard", "kannel", "jasmin", "jsmpp", "cloudhopper", "php-smpp"]
InDoubt = Literal["resend", "elsewhere", "fail"]
Schedule = Literal["as_it_came", "honour"]
Validity = Literal["as_it_came", "remaining"]
Alphabet = Literal["gsm", "latin-1"]
Replace = Literal["none", "punctuation", "full"]
NumberForm = Literal["as_it_came", "e164", "plus", "00", "national"]
NumberKind = Literal["international", "national", "short", "alphanumeric"]
UnwantedNumber = Literal["invalid", "fixed", "premium", "unknown_kind"]
SenderKind = Literal["alphanumeric", "short", "long"]
LimitPer = Literal["text", "number", "block", "country", "account"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ReceiptPer = Literal["part", "message"]
ReceiptWord = Literal[
    "SCHEDLD",
    "ENROUTE",
    "DELIVRD",
    "EXPIRED",
    "DELETED",
    "UNDELIV",
    "ACCEPTD",
    "UNKNOWN",
    "REJECTD",
    "SKIPPED",
]

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""The networks that may bind if an account names none: an allow-list fails closed."""


class Place(NamedTuple):
    """A place in a file; line and column count from 1, and 0 means "not known"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(at) for at in (self.line, self.column) if at)])


Stamp = tuple[object, ...] | None
"""What changes when a file does, such as its size and times; None: there is no such file."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file or folder that a configuration was read from, or names, as it was then."""

    stamp: Stamp
    digest: str = ""
    """SHA-256 of the content of a named file, in hex. Empty for YAML, whose settings are compared,
    and for files with secrets."""
    passwords: dict[Place, str] = field(default_factory=dict)
    """The passwords that it holds in clear text: where each is written, or where the file is named,
    and the path there."""
    is_configuration: bool = False
    """Whether it is the configuration, or a part of it, and not only named there."""


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
    client_ca: Path | None = None
    """Authorities that may have signed the certificates of clients, PEM. Without this key no client
    is asked for a certificate."""
    client_certificate: Literal["required", "optional"] = "required"
    """With `client_ca`: whether a client without a certificate may connect. With `optional` only
    accounts with a `certificate` need one; a certificate that is shown has to be good all the
    same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Proxies that begin each connection with a header of the PROXY protocol, version 2.

    What the header names is the client's address then: for `allow_from`, limits, blocks and the
    log.
    """

    proxies: tuple[IPv4Network | IPv6Network, ...]
    """`from` in the file: the addresses of the proxies. A connection from one of them that does not
    begin with a header is closed, and so is one from elsewhere that does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedBindsSettings:
    """When failed binds have an address blocked for a while; `false`: never.

    An account is not blocked at an address from which it has bound in the last day, or that its
    `allow_from` names with at least /24 (/48 with IPv6): its binds are slowed there. An address is
    not blocked as a whole if that is so of any account, or if it is of this machine.
    """

    system_id: int = 10
    """Failed binds with one system_id from one address: then binds with that system_id from that
    address are refused, whatever their password."""
    address: int = 50
    """Failed binds from one address with whatever system_ids: then its connections are closed as
    soon as they come."""
    within_s: float = 300.0
    """The time in which so many have to fail."""
    for_s: float = 300.0
    """How long the block lasts. It also ends when a reload changes the password, the certificate or
    the networks of the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """One address that clients connect to."""

    address: Address
    """`host:port` to listen on; port 0 lets the kernel choose."""
    tls: TlsSettings | None = None
    """With this key the listener speaks TLS 1.2 or newer."""
    proxy: ProxySettings | None = None
    """For a listener behind a load balancer that sends headers of the PROXY protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Settings of every SMPP session, with clients and with operators."""

    system_id: str = "smpp-router"
    """The system_id in bind responses to clients."""
    bind_timeout_s: float = 5.0
    """A connection that has not bound after this time is closed."""
    enquire_link_s: float = 30.0
    """enquire_link is sent after this time without a PDU from the peer."""
    response_timeout_s: float = 30.0
    """A request that is not answered in this time has failed; an enquire_link that is not answered
    ends the session."""
    inactivity_s: float | None = None
    """A client that sends no request but enquire_link for this time is unbound. Off by default."""
    max_pdu_bytes: int = 70_000
    """A PDU with a longer command_length ends the connection. The default holds a submit_sm with a
    full message_payload (65,535 octets) and generous TLVs."""
    failed_binds: FailedBindsSettings | None = field(default=FailedBindsSettings())
    """When failed binds of clients have an address blocked for a while."""
    unbound_per_address: int = 1_000
    """Connections from one address (with IPv6, from one /64) that have not bound. Whatever stands
    here, an address has no more of them than there are places left for others. With one more, the
    one that is there longest is closed."""
    connections_per_address: int | None = None
    """Connections from one address, bound or not. Without this key only `max_binds` of accounts
    limits those that are bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """The journal, which keeps accepted messages safe."""

    url: str
    """`sqlite:///file` (relative to the configuration), or `memory:`, which keeps nothing."""
    commit_every_s: float = 0.002
    """The longest time that an accepted message waits for others to share a commit with. Under load
    it does; while there is little to write, it waits for nobody."""
    settle_every_s: float = 0.05
    """The longest time that answers and receipts wait for others to share a commit with. Under load
    they do; while there is little to write, they go with the next commit, and alone after
    `commit_every`."""
    keep_free_bytes: int = 512 * 2**20
    """Free space on the journal's disk, with what is free inside the file, below which receipts
    alone are taken: clients hear ESME_RMSGQFUL, and operators send subscribers' messages again
    later. The default holds a second of a flood, SQLite's log, and the receipts of a million
    messages. `0B`: never."""
    keep_records_s: float = 72 * 3600.0
    """How long the journal keeps a record of each message's end, without its text, in the table
    `record`, beside `records.keep`. A million records take some 250 MB. `0s` keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSettings:
    """Records of every message that is over and of every refused submit, without texts.

    What `find` and `export` read: a file beside the journal, named as it is, with `.records.db`.
    """

    keep_s: float = 30 * 86_400.0
    """How long. A million records take some 300 MB. `0s` keeps none, and is the default where
    `journal.keep_records` is `0s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The log, which goes to standard error."""

    format: Literal["json", "console"] = "json"
    """`json` for programs, `console` for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written."""
    messages: float = 0.01
    """Share of messages that get a line in the log when they end, `0%` to `100%`. A line costs
    about a third of the time that the router spends on the whole message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Metrics and health over HTTP; the log."""

    listen: Address = field(default=Address(host="127.0.0.1", port=9464))
    """Serves /metrics, /healthz and /readyz, on any address. None of them needs a password, and
    metrics have the names of accounts and operators."""
    log: LogSettings = field(default=LogSettings())
    """The log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """Commands and status over HTTP."""

    listen: Address | None = None
    """Serves /v1/status and what `smpp-router status`, `reload`, `drain`, `resume`, `clock` and
    `trace` ask for. Loopback only, because there is no password. By default 127.0.0.1 and the port
    after that of `telemetry.listen`, so `127.0.0.1:9465`."""
    reveal: tuple[str, ...] = ()
    """Users of this machine to whom `smpp-router trace --reveal` shows texts and whole numbers;
    each time is in the log (`trace.revealed`). By default nobody."""


URGENT_FAILOVER_AFTER_S: Final = 2.0
"""Of the first lane, where nothing else is written. Someone waits for a one-time password: it is
worth another operator's price before they ask for the next. It is also twice the second in which a
slot of any rate comes again, so a burst that its operator takes at once stays there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One priority lane. Lanes are listed with the most urgent first."""

    name: LaneName
    """How accounts, metrics and logs call it."""
    validity_s: float | None = None
    """How long a message without a validity_period may wait. Never written to a PDU."""
    min_share: float = 0.0
    """The share of an operator's rate that the lane gets even while more urgent lanes have
    messages."""
    in_doubt: InDoubt = "resend"
    """What the router does with a message that was written to an operator and never answered, also
    after a crash. With `fail` each message is marked in the journal before it is written, which
    costs a commit."""
    failover_after_s: float | None = None
    """A message that has waited this long for a slot of its operator may go to any other operator
    of its route, although the first is up; the nearest may take it up to a tenth of the time
    sooner. `2s` by default for the first lane, `false` for the others: then another operator is
    used only if one is down or refuses the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is kept of the people whom an account writes to."""

    numbers: Literal["keep", "mask", "hash"] = "keep"
    """Their numbers in records and exports. `mask` keeps seven digits of each. `hash` keeps a word
    that only `find` can make of the number again, by a key that is another each day and goes with
    the records of that day. What has been recorded stays as it is."""
    records_s: float | None = None
    """How long records of the account are kept; at most, and by default, as long as `records.keep`
    says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIdForms:
    """How a client's message ids are written: one word, or a mapping with these keys."""

    response: ClientIdForm
    """In submit_sm_resp and data_sm_resp. `decimal`: up to 15 digits; `hex`: the same number in up
    to 13 hexadecimal digits, in capitals; `uuid`: 36 characters; `hex8`: eight hexadecimal digits,
    for clients of version 3.3 that have room for no more. `hex8` ids repeat after 4,294,967,296
    messages."""
    receipt: ClientIdForm
    """In receipts: in their text, and in the TLV receipted_message_id. Beside another form
    in the response it is the same number, where clients can tell: of `decimal` and `hex` either
    beside the other or beside `hex8`."""


DECIMAL_IDS: Final = MessageIdForms(response="decimal", receipt="decimal")
USUAL_TEXT: Final = (
    "id:{id} sub:{sub} dlvrd:{dlvrd} submit date:{submit_date} done date:{done_date} stat:{stat}"
    " err:{err} text:{text}"
)
"""The text of receipts that every client library reads (3.4, appendix B)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How clients want message ids and receipts written: a ready-made dialect, or these keys.

    What a key does not say is as in `like`. A receipt follows what is in force when it is made; an
    id that its client was told in another form before stays as it was told.
    """

    like: DialectName = "standard"
    """The ready-made dialect that the other keys change."""
    message_id: MessageIdForms = field(default=DECIMAL_IDS)
    """The forms of message ids."""
    text: str = USUAL_TEXT
    """The text of a receipt. What stands in braces is put in; `{text}` is empty, or tells an error
    that `{err}` has no room for, or why the router made the receipt."""
    date_digits: Literal[10, 12] = 10
    """The digits of the dates in the text: YYMMDDhhmm, or YYMMDDhhmmss. Of a done date that the
    operator tells the router knows the minute."""
    time_zone: tzinfo | None = None
    """The time zone of these dates; by default UTC."""
    states: Literal["3.4", "5.0"] = "5.0"
    """The SMPP version whose states the client knows. For `3.4` SCHEDLD is told as ENROUTE, and
    SKIPPED as UNDELIV."""
    tlvs: bool = True
    """Whether receipts have TLVs: receipted_message_id, message_state, and network_error_code where
    it is known. A client that binds with version 3.3 never gets any."""
    receipts_as: Literal["deliver_sm", "data_sm"] = "deliver_sm"
    """The PDU of receipts. `data_sm` has the text in message_payload; a client that binds with
    version 3.3 gets deliver_sm."""
    intermediate: Literal["0x20", "0x04"] = "0x20"
    """The esm_class of intermediate notifications: `0x20`, or `0x04` as of a final receipt."""
    hold_s: float | None = None
    """A receipt goes out this long after the submit_sm_resp at the earliest. By default `1s` after
    that of a message that came on a transmitter, because its receipt goes out on another connection
    and may be read first, and else at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """Retries of a client are recognised: `retries: true`, or a mapping with these keys."""

    within_s: float = 300.0
    """How long after the first submit the same one is a retry of it."""
    answer_after_s: float = 10.0
    """An answer that comes later than this after its submit is one that the client may not wait
    for any more. Set it to the client's own response timeout, if that is known, or a little
    less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNumberSettings:
    """How the numbers are read that an account sends to, and which of them are refused."""

    country: str = ""
    """The country (ISO 3166, such as `EE`) whose numbers the client may write as they are dialled
    there. A number is read so if it is valid in that country and no valid international one; what
    is both stays international, and is counted. A number that begins with `+` or `00`, or has less
    than seven digits, is never read so. Routes, rules and limits go by the number with its country
    code; the operator gets what the client wrote, unless `numbers.normalise` of the operator says
    otherwise."""
    refuse: tuple[UnwantedNumber, ...] = ()
    """What is refused, with ESME_RINVDSTADR: `invalid` (no numbering plan has the number; short
    codes too), `fixed` (certain to be a fixed line: in some countries, such as the US, a number
    does not tell), `premium`, `unknown_kind` (the plan does not tell a mobile from a fixed
    line)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """A file with values of a list, one in each line; `#` begins a comment."""

    file: str
    """As the configuration names it."""
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSenders:
    """The senders of an account. A message without one is refused, unless there is a `default`."""

    only: tuple[str, ...] = ()
    """Senders that are verified for the account, such as `[Shop, "12302"]`: letters one by one,
    numbers with or without `+` or `00`. `Shop until 2027-01-31` holds to the end of that day in
    UTC. A file (`{file: path}`) holds one such entry in each line; `#` begins a comment. Any
    without this key."""
    only_files: tuple[ListFile, ...] = ()
    """The files among them."""
    default: str | None = None
    """The sender of messages that bring none, with TON and NPI as for its kind: 5/0 for letters,
    3/0 for 3 to 8 digits, 1/1 for 9 to 15. It is the account's sender for receipts and records,
    too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountrySenders:
    """The senders that a country allows, for all accounts; by what stands in them, not by TON."""

    kinds: tuple[SenderKind, ...] = ()
    """The kinds that its networks carry: `short` (3 to 8 digits), `long` (9 to 15, also with `+` or
    `00`), `alphanumeric` (at most 11 letters of the GSM alphabet, with a letter among them). All
    without this key. What is of no kind is refused where there is one."""
    only: tuple[str, ...] = ()
    """Senders that are registered there, written as in `accounts.NAME.senders.only`; of an account
    with a list a sender has to be in both. Any without this key."""
    only_files: tuple[ListFile, ...] = ()
    """The files among them."""
    exempt: tuple[SenderKind, ...] = ()
    """Kinds that need not be registered there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReplacement:
    """What becomes of a message whose sender an operator does not let through: `next`, or this."""

    replace: str
    """The sender under which it goes out instead, with TON and NPI as for its kind. The client's
    receipts have the sender that it wrote; records have both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSenders:
    """The senders that an operator lets through."""

    kinds: tuple[SenderKind, ...] = ()
    """The kinds, as in `countries.XX.senders.kinds`; all without this key."""
    only: tuple[str, ...] = ()
    """Senders that are registered with the operator, written as in `accounts.NAME.senders.only`;
    any without this key."""
    only_files: tuple[ListFile, ...] = ()
    """The files among them."""
    otherwise: SenderReplacement | None = None
    """With `next` (the default) other messages go to the other operators of their route; they are
    refused if none of those lets them through. `{replace: "12302"}` sends them under that
    sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSettings:
    """What the router does with an account's texts."""

    replace: Replace = "none"
    """Whether characters that make a text UCS-2 are replaced by what reads the same in the GSM
    alphabet: `punctuation` (quotation marks, dashes, spaces, dots), or `full` (letters too: `š` by
    `s`). Only in a text of one PDU with data_coding 8, only if all of it becomes GSM 7-bit, and
    only if it has fewer parts then; every other text stays as it came."""
    most_parts: int | None = None
    """Parts that one message may have; a longer one is refused with ESME_RINVMSGLEN. Without this
    key any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """One limit: how many messages may be accepted in any stretch of time, counted in memory.

    A restart forgets what was counted; a reload does not. A message that is refused, for whatever
    reason, does not count, and of a long message the parts count as one.
    """

    per: LimitPer
    """What is counted together: messages with the same sender, number and text (`text`), to one
    number (`number`), to numbers that are alike but for the last three digits (`block`), to one
    country (`country`), or all of the account (`account`)."""
    most: int
    """How many may be accepted in that time. Two counters estimate it, as if messages were spread
    evenly over the time before: steady traffic is held to `most`, and no stretch of that length
    ever has twice as many."""
    in_s: float
    """The time."""
    lanes: tuple[LaneName, ...] = ()
    """Only messages of these lanes: those by account, priority_flag or service_type, before any
    route. Of all without this key."""
    countries: tuple[str, ...] = ()
    """Only messages to these countries. To all without this key."""
    do: Literal["refuse", "count"] = "refuse"
    """`refuse` answers ESME_RSUBMITFAIL. `count` lets messages pass and counts those that would be
    refused: watch before you refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One client system. Its key in the file is the system_id that the client binds with."""

    name: AccountName
    """The system_id."""
    passwords: tuple[str, ...] = field(repr=False)
    """`password` in the file: clear text, or the output of `smpp-router hash-password`. A list
    while one password is replaced by another."""
    lane: LaneName
    """The lane of the account's messages."""
    allow_from: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Networks that the client may bind from. By default only loopback."""
    certificates: tuple[str, ...] = ()
    """`certificate` in the file: names, one of which the client's certificate must have, as its CN
    or as a DNS name or URI among its alternative names, letter by letter. Needs a listener with
    `client_ca`. By default no certificate is needed."""
    max_binds: int = 10
    """Binds that the account may have at the same time."""
    window: int = 100
    """submit_sm that may be unanswered on one bind."""
    rate: Rate | None = None
    """submit_sm over all binds of the account; unlimited without this key."""
    burst: int | None = None
    """submit_sm that may come at once; by default one unit of the rate."""
    queue: int = 100_000
    """Messages of the account that may wait for operators."""
    queue_size_bytes: int = 2**30
    """Octets of the account's messages that may wait for operators; the last message may be larger
    than what is left."""
    weight: int = 1
    """Turns of the account inside a lane, relative to other accounts."""
    lane_by_priority: Mapping[int, LaneName] = field(default_factory=dict)
    """A lane by the priority_flag of the submit_sm."""
    lane_by_service_type: Mapping[str, LaneName] = field(default_factory=dict)
    """A lane by the service_type of the submit_sm; takes precedence over `lane_by_priority`."""
    schedule_delivery_time: Schedule = "as_it_came"
    """What the router does with a schedule_delivery_time. `as_it_came` passes the field on unread,
    so that the operator keeps the time. With `honour` the router waits until the time, and then
    sends the message with the field empty."""
    message_id: MessageIdForms | None = None
    """The forms of the message ids that the client gets; by default those of its dialect."""
    dialect: Dialect = field(default=Dialect())
    """How the client wants message ids and receipts written."""
    data_coding_0: Alphabet | None = None
    """What data_coding 0 means to the client: `gsm` (the GSM alphabet, a septet in each octet) or
    `latin-1`. Text with data_coding 0 is written anew, both ways, where an operator has the other
    one. Without this key nothing of the client's is."""
    deliver_window: int = 20
    """deliver_sm that may be unanswered on one bind."""
    outbox_s: float = 72 * 3600.0
    """How long receipts and inbound messages wait for the client."""
    outbox_messages: int = 5_000_000
    """Receipts and inbound messages that may wait for the client. From nine tenths on messages from
    subscribers are refused, and operators send them again later. When it is full the client's
    messages that ask for a receipt are refused too. Receipts are always taken."""
    outbox_size_bytes: int = 2**30
    """The same in octets."""
    retries: RetrySettings | None = None
    """Whether a submit that comes again because the client cannot have seen the answer to the first
    is answered with the id of the first, instead of being another message. Off by default;
    docs/retries.md says for which clients to switch it on."""
    numbers: AccountNumberSettings = field(default=AccountNumberSettings())
    """How numbers are read, and which are refused."""
    countries: tuple[str, ...] = ()
    """The countries (ISO 3166) that the account may send to; what goes elsewhere is refused with
    ESME_RINVDSTADR. All without this key."""
    privacy: Privacy = field(default=Privacy())
    """What is kept of the people whom the account writes to."""
    senders: AccountSenders | None = None
    """Which senders the account may use. Any without this key, none included."""
    text: TextSettings = field(default=TextSettings())
    """What the router does with the account's texts."""
    screens: tuple[ScreenName, ...] = ()
    """The screens that its texts pass through. By default none."""
    signature: str | None = None
    """What stands at the begin or the end of its texts in countries that ask for a `signature`."""
    limits: tuple[LimitSettings, ...] = ()
    """How many messages the account may send, to whom, in which time. All of them are asked, the
    first that is reached refuses."""
    formerly: AccountName | None = None
    """The system_id that the account had until it was renamed: what waits under that name, in the
    queue and in the outbox, is handed over, and its clients bind anew. May stay, and may be left
    out once that is done."""

    @property
    def message_ids(self) -> MessageIdForms:
        """The forms of the account's message ids."""
        return self.dialect.message_id if self.message_id is None else self.message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTlsSettings:
    """TLS 1.2 or newer to an operator: `tls: true`, or a mapping with these keys."""

    ca: Path | None = None
    """Authorities that may have signed the operator's certificate, PEM; by default those that the
    system trusts."""
    certificate: Path | None = None
    """The router's certificate, PEM, if the operator asks for one."""
    key: Path | None = None
    """The private key of `certificate`, PEM."""
    server_name: str | None = None
    """The name in the operator's certificate, if it is not the host of `address`."""
    verify: bool = True
    """`false` accepts any certificate: an attacker on the way can read and change everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbindSettings:
    """An operator that connects to the router and sends outbind, so that the router binds there."""

    listen: Address
    """`host:port` that the operator connects to; several binds may share one address."""
    system_id: str
    """The system_id in the operator's outbind."""
    password: str = field(repr=False)
    """The password in the operator's outbind."""
    allow_from: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Networks that the operator may connect from. By default only loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindSettings:
    """One bind to an operator."""

    name: BindName
    """The name of the bind in metrics, logs and commands; unique over all operators."""
    addresses: tuple[Address, ...] = ()
    """`host:port` of the operator's SMSC, or a list of them that are tried in turn; host names are
    looked up for each attempt, and each of their addresses is tried for five seconds. Required,
    except with `outbind`."""
    outbind: OutbindSettings | None = None
    """For an operator that connects to the router; instead of `address`."""
    system_id: str
    """The system_id that the router binds with."""
    password: str = field(repr=False)
    """The password that the router binds with."""
    type: BindType = "transceiver"
    """`transmitter`, `receiver` or `transceiver`."""
    system_type: str = ""
    """The system_type of the bind request, if the operator wants one."""
    interface_version: int = 0x34
    """The SMPP version of the bind request. With `3.3`, which has no TLVs, messages go without."""
    addr_ton: int = 0
    """The addr_ton of the bind request, if the operator wants one: the type of the numbers in
    `address_range`."""
    addr_npi: int = 0
    """The addr_npi of the bind request: the numbering plan of the numbers in `address_range`."""
    address_range: str = ""
    """The address_range of the bind request, if the operator wants one: the numbers whose messages
    come on this bind, often as a regular expression, such as `^12302$`."""
    rate: Rate | None = None
    """Contracted submit_sm on this bind. Required, except for a receiver."""
    window: int | None = 10
    """submit_sm that may be unanswered. `auto` is as many as the rate needs at the measured round
    trip, beside those whose answers seem to be lost: at least 10, at most what goes out in a
    second. A tenth is reserved for the most urgent lane."""
    source_address: str | None = None
    """The local address to connect from, if the operator expects a certain one."""
    tls: OperatorTlsSettings | None = None
    """TLS to the operator; without this key the connection is not encrypted."""
    enquire_link_s: float | None = None
    """`session.enquire_link` for this bind, if the operator wants enquire_link more or less
    often."""
    max_messages: int | None = None
    """Messages that the operator takes in one session. After them the router ends the session in
    good order and binds again; the binds of one operator do this one after the other."""
    max_age_s: float | None = None
    """How long the operator lets a session last; then the router ends it as for `max_messages`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIdSettings:
    """The forms in which an operator writes message ids."""

    response: IdForm = "text"
    """In submit_sm_resp."""
    receipt: IdForm = "text"
    """In receipts."""


class TonNpi(NamedTuple):
    """Type of number and numbering plan of an address, written `1/1`."""

    ton: int
    npi: int

    def __str__(self) -> str:
        return f"{self.ton}/{self.npi}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSettings:
    """How addresses are written in PDUs to an operator.

    Routes, records and receipts have them as the client wrote them.
    """

    normalise: NumberForm = "as_it_came"
    """Destinations and sources that are numbers: `e164` has digits with the country code, `plus`
    and `00` have that in front of them; `national` has no country code, if it is `country_code`,
    and `national_prefix` instead, and other countries' numbers as `e164` has them. TON and NPI are
    1/1 then, or 2/1 of a national number. Subscribers' messages come as digits with the country
    code, whatever the operator writes. A number with 0 in front, or with TON 2, is taken for one of
    `country_code`, and stays as it came without that key."""
    country_code: str = ""
    """The calling code of the operator's country, such as `372`. Required for `national`."""
    national_prefix: str = ""
    """What is dialled before a number inside the country, such as `0`."""
    ton_npi: Mapping[NumberKind, TonNpi] = field(default_factory=dict)
    """TON and NPI, such as `{international: 1/1, national: 2/1, short: 3/0, alphanumeric: 5/0}`,
    of addresses in this form. `short` is a number of at most six digits, or one with TON 3 or 6;
    `alphanumeric` is what is no number, or has TON 5. Those of kinds that are not named stay as
    they came, but for what `normalise` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSettings:
    """How an operator writes receipts."""

    per: ReceiptPer = "part"
    """Whether each part of a long message has a receipt of its own (`part`), or one receipt stands
    for all of them (`message`), under the id of one part or under an id that the parts share. The
    client gets one for each part that it asked one for."""
    by_text: bool = False
    """Whether a message that reads like a receipt is one, though neither esm_class nor TLVs say so.
    Without this key it is one if its id and its addresses are those of a message that waits for its
    receipt, and a subscriber's message otherwise."""
    words: Mapping[str, ReceiptWord] = field(default_factory=dict)
    """The operator's own words for states, in any case, beside those that every operator may use,
    such as `OK_DELIVERED: DELIVRD`."""
    time_zone: tzinfo | None = None
    """The time zone of the operator's done dates. With it they are told to clients, in UTC, where
    they lie between the submission and a minute after the receipt came. Without it, and elsewhere,
    the done date is when the receipt came here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectSettings:
    """Waits between attempts to bind; each is twice the one before, with some random change."""

    first_s: float = 1.0
    """After the first failure."""
    longest_s: float = 30.0
    """The longest wait."""


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
    """`retry`: what follows after the last time."""
    for_s: float = 1.0
    """`pause`: how long the bind rests; a message that ESME_RTHROTTLED has met among few waits so
    long alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """Stops sending on a bind, or to an operator, that fails, and tries it again after a rest."""

    failures: int = 5
    """The number of failures that opens the breaker ..."""
    of: int = 10
    """... among this number of answers. With five of ten, a one-time password per second fails over
    within seconds, and one or two subscribers with a fault of their own do not stop a bind."""
    rest_s: float = 10.0
    """How long nothing is sent; twice as long after each try that fails. Short, so that a false
    alarm costs little."""
    longest_s: float = 120.0
    """The longest rest. Each try delays one message."""
    statuses: tuple[int, ...] = (0x08, 0x64)
    """The statuses that count as failures, like a missing answer: those that say something of the
    operator and not of the message (ESME_RSYSERR, ESME_RX_T_APPN)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """One mobile operator, and the binds to it."""

    name: OperatorName
    """The key in the file."""
    binds: tuple[BindSettings, ...]
    """At least one."""
    rate: Rate | None = None
    """submit_sm over all binds of the operator together; unlimited without this key."""
    destination_rate: Rate | None = None
    """submit_sm to one number, such as `1/10s`. A message that is too early waits aside, and others
    go before it."""
    message_id: MessageIdSettings | None = None
    """The forms of the operator's message ids. Without this key they are learnt: ten receipts in a
    row whose ids match in one way only, and whose number is that of the message (log
    `receipt.ids_learnt`). A key without values is text on both ways."""
    numbers: NumberSettings | None = None
    """How addresses are written to the operator. By default as the client wrote them."""
    senders: OperatorSenders | None = None
    """Which senders the operator lets through. Any without this key, none included."""
    data_coding_0: Alphabet | None = None
    """What data_coding 0 means to the operator: `gsm` or `latin-1`. Text of and for accounts to
    which it means the other one is written anew; without the key, here or there, nothing is. A
    text with a character that the operator's alphabet lacks goes as Latin-1 with data_coding 3, or
    as UCS-2 with data_coding 8."""
    reconnect: ReconnectSettings = field(default=ReconnectSettings())
    """Waits between attempts to bind."""
    validity_period: Validity = "as_it_came"
    """`as_it_came` passes the field on; with `remaining` a relative period is shortened by the time
    that the message has waited in the router. A lane's `validity` is never written."""
    breaker: BreakerSettings | None = field(default=BreakerSettings())
    """When nothing is sent on a failing bind, or to a failing operator, for a while; `false`:
    never."""
    ramp_s: float = 30.0
    """After the operator was away and another one carried its messages, it gets its traffic back
    over this time, or over the time that it was away if that is shorter; `0s`: all at once. The
    default is the time in which an answer must come: after it the operator has shown whether it
    works."""
    receipts: ReceiptSettings = field(default=ReceiptSettings())
    """How the operator writes receipts, and what they are about."""
    receipt_wait_s: float = 72 * 3600.0
    """How long the router waits for a receipt; then the message counts as never receipted."""
    accepted_is_final: bool = False
    """Whether the receipt state ACCEPTD ends a message, as delivered."""
    unknown_is_final: bool = False
    """Whether the receipt state UNKNOWN ends a message; otherwise the router waits for another
    receipt."""
    cancel_sm: bool = False
    """Whether the operator takes cancel_sm: a client's cancel_sm for a message that the operator
    has is then passed on, and else refused with ESME_RCANCELFAIL."""
    undeliverable: tuple[str, ...] = ("001", "005", "009", "011", "012")
    """`err` of its receipts of failure that mean that the number cannot be reached by anybody: such
    messages are left out of the share that the operator delivers. Operators have codes of their
    own; the default has those of MAP (3GPP TS 29.002) for a subscriber that is unknown,
    unidentified or illegal, has no SMS, or has an illegal handset. Zeros in front do not matter. A
    submit_sm that is answered ESME_RINVDSTADR counts alike."""
    formerly: OperatorName | None = None
    """The name that the operator had until it was renamed: the receipts that are awaited under that
    name are handed over, its rates keep the slots that are used, and its binds are bound anew. What
    waits follows the routes. May stay, and may be left out once that is done."""
    on_status: Mapping[int, StatusAction] = field(default_factory=dict)
    """Actions by command_status; they replace those of the default table."""


class DaySpan(NamedTuple):
    """A span of the day in local time, in minutes; it goes over midnight if it ends first."""

    begin_min: int
    end_min: int
    """Up to 1440: the end of the day."""

    def __str__(self) -> str:
        begin, end = (f"{at // 60:02}:{at % 60:02}" for at in self)
        return f"{begin}-{end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """The links that texts may have: `none`, or a mapping with this key."""

    only: tuple[str, ...] = ()
    """Hosts, such as `shop.example`, and all below them (`www.shop.example`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSettings:
    """What texts are looked through for; accounts name the screens that theirs pass through."""

    name: ScreenName
    """The key in the file."""
    phrases: tuple[str, ...] = ()
    """Phrases, found as whole words; case, punctuation, letters that look alike and invisible
    characters do not matter. A file (`{file: path}`, in UTF-8) holds one in each line; `#` begins a
    comment."""
    phrase_files: tuple[ListFile, ...] = ()
    """The files among them."""
    links: LinkSettings | None = None
    """`none` finds every text with a link; `{only: [hosts]}` every text with a link to another
    host. Without this key links are not looked at."""
    do: Literal["refuse", "count"] = "refuse"
    """`refuse` refuses what is found with ESME_RSUBMITFAIL; `count` lets it pass and counts it, to
    see first what would be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixGroup:
    """A group of prefixes that rules name: a list of prefixes, or a mapping with these keys."""

    file: str
    """The CSV file that holds them, as operators send it: separated by `,`, `;`, tabs or `|`. A
    first line that is a heading is passed over, and so are lines that begin with `#`. A prefix is
    digits; after `+` or `00` spaces may stand among them."""
    column: str = "1"
    """The column of the prefixes: its number, or its name in the heading, which is no number."""
    prefixes: tuple[str, ...] = ()
    """The prefixes, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """A CSV file that says of which network the numbers with a prefix are."""

    file: str
    """As the configuration names it."""
    networks: Mapping[str, str]
    """MCCMNC by prefix."""
    names: Mapping[str, str]
    """The names of networks that the file tells, by MCCMNC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountrySettings:
    """What holds for messages to the numbers of one country, for all accounts."""

    zone: tzinfo | None = None
    """The time zone of its numbers. By default that of the country, if it has one, and else what
    the numbering plan tells of a number: a prefix may be that of a region. Where that is not known
    either, the number has none."""
    senders: CountrySenders | None = None
    """Which senders may be used there."""
    signature: Literal["start", "end"] | None = None
    """Where the account's `signature` must stand in a text. Where it is missing it is added to a
    message of one PDU without user data header, if it still fits; else the message is refused with
    ESME_RSUBMITFAIL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """One rule: the operators that carry messages to some prefixes."""

    destination: tuple[str, ...]
    """A prefix of the normalised number, a group (`{prefixes: NAME}`), or a list of those; `""` is
    every number."""
    groups: tuple[GroupName, ...] = ()
    """The groups among them."""
    account: tuple[AccountName, ...] = ()
    """Only for this account, or for those of a list."""
    sender: tuple[str, ...] = ()
    """Only for this source address, letter by letter, in Latin-1; for all that begin so if it ends
    with `*`; or for any of a list. A file (`{file: path}`) holds one in each line and nothing
    beside it; `#` begins a comment. With an empty file alone the rule is for nobody."""
    sender_files: tuple[ListFile, ...] = ()
    """The files among them."""
    priority: int | None = None
    """Only for this priority_flag."""
    service_type: tuple[str, ...] = ()
    """Only for this service_type, or for those of a list."""
    country: tuple[str, ...] = ()
    """Only to numbers of this country (ISO 3166, such as `EE`), or of those of a list: by the
    numbering plan."""
    network: tuple[str, ...] = ()
    """Only to numbers of this network (MCCMNC, such as `24801`), or of those of a list: by the
    files under `networks`."""
    in_lane: tuple[LaneName, ...] = ()
    """Only for messages of this lane, or of those of a list: the lane by account, priority_flag or
    service_type. `lane` is another matter: what the rule makes of it."""
    hours: tuple[DaySpan, ...] = ()
    """Only at this time of the day, such as `08:00-20:00`, or at those of a list. `22:00-06:00`
    goes over midnight and belongs to the day on which it begins. What counts is when the message
    was accepted: what waits keeps its operators."""
    days: tuple[Day, ...] = ()
    """Only on this day, such as `sat`; on those of a span, such as `mon-fri`; or on those of a
    list."""
    zone: tzinfo | None = None
    """The time zone of `hours` and `days`, daylight saving included. UTC without this key."""
    to: tuple[OperatorName, ...] = ()
    """A list of operators in order (failover), or a mapping of operators to weights (shares)."""
    weights: tuple[int, ...] = ()
    """The weights of a mapping, in the order of `to`; empty for a list."""
    refuse: int | None = None
    """The command_status that refuses the message. A rule for a longer prefix goes before this one:
    what nobody may send stands under `refuse` at the top."""
    lane: LaneName | None = None
    """The lane of messages that take this rule; replaces that of the account."""
    line: int = field(default=0, compare=False)
    """The line of the rule in its file, for `explain` and for messages; a rule that has only moved
    is still equal."""
    file: str = field(default="", compare=False)
    """The file of the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseSettings:
    """One rule that refuses messages, whatever route they have: the first that holds decides.

    All of its conditions must hold; of the values of one condition, any.
    """

    destination: tuple[str, ...] = ()
    """Only for numbers with this prefix, of a group (`{prefixes: NAME}`), or of a list of those."""
    groups: tuple[GroupName, ...] = ()
    """The groups among them."""
    account: tuple[AccountName, ...] = ()
    """Only for this account, or for those of a list."""
    sender: tuple[str, ...] = ()
    """Only for this source address, in whatever case it is written, with or without `+` or `00`
    before a number; for all that begin so if it ends with `*`; or for any of a list. A file
    (`{file: path}`) holds one in each line and nothing beside it; `#` begins a comment. With an
    empty file alone the rule is for nobody."""
    sender_files: tuple[ListFile, ...] = ()
    """The files among them."""
    service_type: tuple[str, ...] = ()
    """Only for this service_type, or for those of a list."""
    country: tuple[str, ...] = ()
    """Only to numbers of this country (ISO 3166, such as `EE`), or of those of a list: by the
    numbering plan."""
    network: tuple[str, ...] = ()
    """Only to numbers of this network (MCCMNC, such as `24801`), or of those of a list: by the
    files under `networks`."""
    lane: tuple[LaneName, ...] = ()
    """Only for messages of this lane, or of those of a list: the lane by account, priority_flag or
    service_type, before any route."""
    hours: tuple[DaySpan, ...] = ()
    """Only at this time of the day, as in `routes`."""
    days: tuple[Day, ...] = ()
    """Only on these days, as in `routes`."""
    zone: tzinfo | None = None
    """The time zone of `hours` and `days`. UTC without this key."""
    status: int = 0x45
    """The command_status of the answer: one after which clients do not send the message again."""
    reason: str = "refused_by_rule"
    """The word for it in counters, records and the log: small letters, digits and `_`, and none of
    the router's own, such as `no_route`."""
    line: int = field(default=0, compare=False)
    """The line of the rule in its file."""
    file: str = field(default="", compare=False)
    """The file of the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundSettings:
    """One rule: the account that gets messages which subscribers send."""

    to: AccountName
    """The account that gets the messages."""
    operator: OperatorName | None = None
    """Only from this operator."""
    destination: str | None = None
    """Only to this number or short code."""
    keyword: str | None = None
    """Only texts with this first word, whatever its case, accents and punctuation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration, valid in itself."""

    listen: tuple[ListenSettings, ...]
    """Where clients connect."""
    session: SessionSettings = field(default=SessionSettings())
    """Settings of every session."""
    journal: JournalSettings
    """Where accepted messages are kept safe."""
    records: RecordsSettings = field(default=RecordsSettings())
    """Records of what became of messages."""
    telemetry: TelemetrySettings = field(default=TelemetrySettings())
    """Metrics, health, log."""
    control: ControlSettings = field(default=ControlSettings())
    """Status and commands."""
    lanes: tuple[LaneSettings, ...]
    """Priority lanes, most urgent first."""
    accounts: Mapping[AccountName, AccountSettings]
    """Clients, by system_id."""
    operators: Mapping[OperatorName, OperatorSettings]
    """Operators, by name."""
    prefixes: Mapping[GroupName, PrefixGroup] = field(default_factory=dict)
    """Groups of prefixes, which `destination` of a rule may name."""
    networks: tuple[NetworkFile, ...] = ()
    """A list of CSV files that say which numbers are of which network, for the condition `network`.
    Columns are `prefix`, `network` (MCCMNC, such as `24801`) and, if need be, `name`, in this order
    or as the first line names them, separated by `,`, `;`, tabs or `|`. The longest prefix wins.
    Where two files have the same prefix, the later file wins, and `check` says so."""
    countries: Mapping[str, CountrySettings] = field(default_factory=dict)
    """What holds for the numbers of a country, by its code (ISO 3166, such as `EE`)."""
    screens: Mapping[ScreenName, ScreenSettings] = field(default_factory=dict)
    """What texts are looked through for, by name."""
    refuse: tuple[RefuseSettings, ...] = ()
    """Which messages are refused, before any route is looked at: the first rule that holds
    decides."""
    routes: tuple[RouteSettings, ...]
    """Which operators carry which messages. Among the rules whose conditions hold, the one with the
    longest prefix wins; among equal prefixes, the first."""
    inbound: tuple[InboundSettings, ...] = ()
    """Which accounts get messages from subscribers: the first rule that holds decides."""
    node: int = 0
    """Two digits at the end of every message id, 0 to 99; unique per router."""
    stop_within_s: float = 20.0
    """After SIGTERM the process has ended within this time. For most of it answers of operators are
    waited for, where they do not come sooner."""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    """The place in the file of everything but the routes, by path (`operators.telia.rate`); for
    warnings. No key of the file."""
    files: Mapping[Path, SeenFile] = field(default_factory=dict, compare=False, repr=False)
    """The files that these settings were read from and those that they name. No key of the file."""
    folder: Path = field(default=Path(), compare=False, repr=False)
    """Where relative paths of these settings start. No key of the file."""
    digest: str = field(default="", compare=False, repr=False)
    """The name of what these settings say: `settings/digest.py`. No key of the file."""

    @property
    def control_listen(self) -> Address:
        """Where commands are taken: as written, or beside `telemetry.listen`."""
        return self.control.listen or beside(self.telemetry.listen)


def beside(telemetry: Address) -> Address:
    """Return the default of `control.listen`; port 0, which the kernel chooses, stays 0."""
    port = telemetry.port
    if port:
        port += 1 if port < 65535 else -1
    return Address(host="127.0.0.1", port=port)
