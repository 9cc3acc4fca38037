"""Every key of a configuration: how its value is written, and the rules between keys.

The keys are the fields of `terms/settings.py`, without their units; the tables here are by field.
A field whose type says how it is written (a few words, a truth, a rate, the name of a lane, a part)
is in no table. What a key means stands beside the field, and `config/README.md` and the JSON Schema
are made of both. Operators are read before routes, because a route asks which of them can send.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Final,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from router.settings import networks
from router.settings import screens as screening
from router.settings import values as value
from router.settings.conditions import (
    any_of,
    destinations,
    file_name,
    finish_conditions,
    finish_group,
    group_reader,
    senders,
)
from router.settings.declared import types_of
from router.settings.mistakes import item_path
from router.settings.parts import (
    Found,
    Part,
    Reader,
    former,
    key_spot,
    listing,
    listing_with_twins,
    mapping,
    named,
    part_or_none,
    part_or_truth,
    part_or_word,
    read_all,
    read_pairs,
    reference,
    take,
    unique,
)
from router.settings.places import Alike, Sequence, Table, Twin
from router.settings.reading import Spot
from router.settings.senders import (
    finish_account_senders,
    finish_country_senders,
    finish_operator_senders,
    own_sender,
    sender_list,
)
from router.settings.units import prefix, show_percent
from router.terms.dialects import READY
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName, OperatorName, ScreenName
from router.terms.settings import (
    URGENT_FAILOVER_AFTER_S,
    AccountNumberSettings,
    AccountSenders,
    AccountSettings,
    Address,
    BindSettings,
    BreakerSettings,
    ClientIdForm,
    ControlSettings,
    CountrySenders,
    CountrySettings,
    Dialect,
    DialectName,
    FailedBindsSettings,
    InboundSettings,
    JournalSettings,
    LaneSettings,
    LimitSettings,
    LinkSettings,
    ListenSettings,
    LogSettings,
    MessageIdForms,
    MessageIdSettings,
    NumberKind,
    NumberSettings,
    OperatorSenders,
    OperatorSettings,
    OperatorTlsSettings,
    OutbindSettings,
    PrefixGroup,
    Privacy,
    ProxySettings,
    ReceiptSettings,
    ReceiptWord,
    ReconnectSettings,
    RecordsSettings,
    RefuseSettings,
    RetrySettings,
    RouteSettings,
    ScreenSettings,
    SenderReplacement,
    SessionSettings,
    Settings,
    StatusAction,
    TelemetrySettings,
    TextSettings,
    TlsSettings,
    beside,
)

MOST_REASONS: Final = 100
"""Of rules that refuse, each a time series for each account that it meets."""
MOST_SHARED: Final = 0.5
"""Largest sum of shares: while an urgent lane waits, two lower lanes never go in a row."""

T = TypeVar("T")

_BY_TYPE: Final[dict[object, Reader[object]]] = {
    bool: value.truth,
    Rate: value.rate,
    Address: value.address,
    IPv4Network: value.network,
    Path: value.existing_file,
    LaneName: reference("lane"),
    AccountName: reference("account"),
    OperatorName: reference("operator"),
    ScreenName: reference("screen"),
}
"""Readers of fields whose type says how they are written; parts are added when they are made."""


def _part(
    settings: Callable[..., T],
    readers: Mapping[str, Reader[object]],
    finish: Callable[[Found], None] | None = None,
    no_keys: tuple[str, ...] = (),
) -> Part[T]:
    """Return the part for a class of settings; `readers` are for what no type tells."""
    every = {
        name: readers[name] if name in readers else _reader_by_type(hint)
        for name, hint in types_of(settings).items()
        if name not in no_keys
    }
    part = Part(settings, every, finish)
    _BY_TYPE[settings] = part.reader
    return part


def _reader_by_type(hint: object) -> Reader[object]:
    match get_origin(hint), get_args(hint):
        case origin, kinds if origin is Literal:
            return value.one_of(*kinds)
        case origin, kinds if origin is tuple:
            return listing(_reader_by_type(kinds[0]))
        case origin, kinds if origin in (Union, UnionType):
            # None stands for a key that is not written; networks of IPv4 and IPv6 are read alike.
            return _reader_by_type(next(kind for kind in kinds if kind is not NoneType))
        case _:
            return _BY_TYPE[hint]


def _finish_tls(found: Found) -> None:
    if "client_certificate" in found.entries and found.lacks("client_ca"):
        found.note("client_certificate", "says nothing without client_ca beside it")


_part(TlsSettings, {}, _finish_tls)
_part(ProxySettings, {})


def _finish_listen(found: Found) -> None:
    address = found.values.get("address")
    if isinstance(address, Address) and address.port:
        take(found.spot.child(found.entries["address"]), "listener", str(address))


_part(ListenSettings, {}, _finish_listen)
FAILED_BINDS: Final = _part(
    FailedBindsSettings,
    {
        "system_id": value.whole(1, 10_000),
        "address": value.whole(1, 10_000),
        "within_s": value.duration("1s", "1d"),
        "for_s": value.duration("1s", "1d"),
    },
)
_part(
    SessionSettings,
    {
        "system_id": value.text(15),
        "bind_timeout_s": value.duration("10ms", "10m"),
        "enquire_link_s": value.duration("10ms", "1d"),
        "response_timeout_s": value.duration("10ms", "1h"),
        "inactivity_s": value.duration("10ms", "30d"),
        "max_pdu_bytes": value.size("1KiB", "16MiB"),
        "failed_binds": part_or_truth(FAILED_BINDS, value.truth),
        "unbound_per_address": value.whole(1, 2_000),
        "connections_per_address": value.whole(1, 1_000_000),
    },
)
_part(
    JournalSettings,
    {
        "url": value.journal_url,
        "commit_every_s": value.duration("0ms", "1s"),
        "settle_every_s": value.duration("0ms", "10s"),
        "keep_free_bytes": value.size("0B", "1000GiB"),
        "keep_records_s": value.duration("0s", "3650d"),
    },
)
_part(RecordsSettings, {"keep_s": value.duration("0s", "3650d")})
_part(LogSettings, {"messages": value.percent})
_part(TelemetrySettings, {})
_part(
    ControlSettings,
    {"listen": value.loopback_address, "reveal": listing(value.text(256), at_least=0)},
)


def _finish_lane(found: Found) -> None:
    if found.spot.path == FIRST_LANE and found.lacks("failover_after"):
        found.values["failover_after_s"] = URGENT_FAILOVER_AFTER_S


FIRST_LANE: Final = item_path("lanes", 0)
_part(
    LaneSettings,
    {
        "name": unique("lane", value.name),
        "validity_s": value.duration("10ms", "30d"),
        "min_share": value.percent,
        "failover_after_s": value.duration_or_false("10ms", "30d"),
    },
    _finish_lane,
)


_part(Privacy, {"records_s": value.duration("1h", "3650d")})


def _finish_message_ids(found: Found) -> None:
    response, receipt = found.values.get("response"), found.values.get("receipt")
    if response is None or receipt is None or response == receipt:
        return
    if "uuid" in (response, receipt):
        found.note("receipt", f"no client can tell that a {receipt} is the {response} it was told")
    elif receipt == "hex8":
        found.note("receipt", f"eight digits do not hold the number of a {response} id")


MESSAGE_IDS: Final = _part(MessageIdForms, {}, _finish_message_ids)
_BY_TYPE[MessageIdForms] = part_or_word(
    MESSAGE_IDS,
    value.one_of(*get_args(ClientIdForm)),
    lambda word: MessageIdForms(
        response=cast(ClientIdForm, word), receipt=cast(ClientIdForm, word)
    ),
)


def _finish_dialect(found: Found) -> None:
    """Take what is not written from the ready-made dialect."""
    ready = READY[cast(DialectName, found.values.get("like", "standard"))]
    for one in fields(Dialect):
        found.values.setdefault(one.name, getattr(ready, one.name))
    if found.values["receipts_as"] == "data_sm" and not found.values["tlvs"]:
        key = "receipts_as" if "receipts_as" in found.entries else "tlvs"
        found.note(key, "a data_sm has its text in a TLV: it needs tlvs: true")


DIALECT: Final = _part(
    Dialect,
    {
        "text": value.receipt_text,
        "date_digits": value.one_number_of(10, 12),
        "time_zone": value.time_zone,
        "states": replace(value.one_of("3.4", "5.0"), schema=value.chosen("3.4", "5.0", 3.4, 5.0)),
        "intermediate": replace(
            value.one_of("0x20", "0x04"), schema=value.chosen("0x20", "0x04", 0x20, 0x04)
        ),
        "hold_s": value.duration("0ms", "1h"),
    },
    _finish_dialect,
)
_BY_TYPE[Dialect] = part_or_word(
    DIALECT,
    value.one_of(*get_args(DialectName)),
    lambda word: READY[cast(DialectName, word)],
)


def _finish_retries(found: Found) -> None:
    if found.number("answer_after_s") > found.number("within_s"):
        found.spot.note("retries are recognised `within` less than a client waits for an answer")


RETRIES: Final = _part(
    RetrySettings,
    {
        "within_s": value.duration("1s", "1h"),
        "answer_after_s": value.duration("100ms", "10m"),
    },
    _finish_retries,
)


_part(TextSettings, {"most_parts": value.whole(1, 255)})
_service_type: Final = value.plain_text(5, shortest=0)

# Which senders may be used, and how much may be sent.

_part(
    AccountSenders,
    {"only": sender_list, "default": own_sender},
    finish_account_senders,
    no_keys=("only_files",),
)
_part(
    CountrySenders,
    {"only": sender_list},
    finish_country_senders,
    no_keys=("only_files",),
)
_REPLACEMENT: Final = _part(SenderReplacement, {"replace": own_sender})
_part(
    OperatorSenders,
    {
        "only": sender_list,
        "otherwise": part_or_none(_REPLACEMENT, "next"),
    },
    finish_operator_senders,
    no_keys=("only_files",),
)
_part(
    LimitSettings,
    {
        "most": value.whole(1, 1_000_000_000),
        "in_s": value.duration("1s", "31d"),
        "countries": listing(value.country),
    },
)


def _finish_account(found: Found) -> None:
    if "burst" in found.entries and found.lacks("rate"):
        found.note("burst", "a burst needs a rate beside it")
    if "message_id" in found.entries and "dialect" in found.entries:
        dialect = found.entries["dialect"].value
        if isinstance(dialect, Table) and "message_id" in dialect.entries:
            found.note("message_id", "the dialect has a message_id too: one of them says nothing")


_part(AccountNumberSettings, {"country": value.country})
ACCOUNT: Final = _part(
    AccountSettings,
    {
        "countries": listing(value.country),
        "passwords": value.passwords,
        "certificates": value.certificate_names,
        "max_binds": value.whole(1, 10_000),
        "window": value.whole(1, 100_000),
        "burst": value.whole(1, 10_000_000),
        "queue": value.whole(1, 100_000_000),
        "queue_size_bytes": value.size("64KiB", "1000GiB"),
        "weight": value.whole(1, 1_000),
        "lane_by_priority": mapping(value.whole(0, 255), reference("lane")),
        "lane_by_service_type": mapping(_service_type, reference("lane")),
        "deliver_window": value.whole(1, 100_000),
        "outbox_s": value.duration("10ms", "30d"),
        "outbox_messages": value.whole(1, 1_000_000_000),
        "outbox_size_bytes": value.size("64KiB", "1000GiB"),
        "retries": part_or_truth(RETRIES, value.truth),
        "screens": any_of(reference("screen")),
        "signature": screening.signature,
        "formerly": former("account", value.text(64)),
    },
    _finish_account,
    no_keys=("name",),
)


def _finish_operator_tls(found: Found) -> None:
    for key, other in (("certificate", "key"), ("key", "certificate")):
        if key in found.entries and found.lacks(other):
            found.note(key, f"a {key} needs a {other} beside it")
    if found.values.get("verify") is False and "ca" in found.entries:
        found.note("ca", "says nothing beside verify: false")


OPERATOR_TLS: Final = _part(
    OperatorTlsSettings, {"server_name": value.text(253)}, _finish_operator_tls
)
_part(OutbindSettings, {"system_id": value.text(64), "password": value.secret})


def _finish_bind(found: Found) -> None:
    if found.lacks("address") and found.lacks("outbind"):
        found.note("address", "is missing and must be written")
    for key in ("address", "source_address", "tls"):
        if "outbind" in found.entries and key in found.entries:
            found.note(key, "says nothing beside outbind: the operator connects to us")
    is_clear = "type" in found.values or found.lacks("type")
    sends = found.values.get("type", "transceiver") != "receiver"
    if is_clear and sends and found.lacks("rate"):
        found.note(
            "rate",
            "is missing and must be written for a bind that sends: it is what the operator has "
            "contracted, for example 50/s",
        )


_part(
    BindSettings,
    {
        "name": unique("bind", value.name),
        "addresses": value.peer_addresses,
        "system_id": value.text(64),
        "password": value.secret,
        "system_type": value.text(64, shortest=0),
        "interface_version": value.version,
        "addr_ton": value.whole(0, 255),
        "addr_npi": value.whole(0, 255),
        "address_range": value.text(40, shortest=0),
        "window": value.whole_or_auto(1, 100_000),
        "source_address": value.own_address,
        "tls": part_or_truth(OPERATOR_TLS, value.truth),
        "enquire_link_s": value.duration("10ms", "1d"),
        "max_messages": value.whole(1, 1_000_000_000),
        "max_age_s": value.duration("1s", "30d"),
    },
    _finish_bind,
)
_part(MessageIdSettings, {})


def _finish_numbers(found: Found) -> None:
    if found.values.get("normalise") == "national" and found.lacks("country_code"):
        found.note("country_code", "is missing and must be written: `national` leaves it out")
    if "national_prefix" in found.entries and found.lacks("country_code"):
        found.note("national_prefix", "says nothing without country_code")


_part(
    NumberSettings,
    {
        "normalise": value.number_form,
        "country_code": value.country_code,
        "national_prefix": value.national_prefix,
        "ton_npi": mapping(value.one_of(*get_args(NumberKind)), value.ton_npi),
    },
    _finish_numbers,
)
_part(
    ReceiptSettings,
    {
        "words": mapping(value.receipt_word, value.one_of(*get_args(ReceiptWord))),
        "time_zone": value.time_zone,
    },
)


def _finish_reconnect(found: Found) -> None:
    if found.number("first_s") > found.number("longest_s"):
        found.spot.note("the first wait is longer than the longest")


_part(
    ReconnectSettings,
    {"first_s": value.duration("10ms", "1h"), "longest_s": value.duration("10ms", "1d")},
    _finish_reconnect,
)


def _finish_breaker(found: Found) -> None:
    if found.number("failures") > found.number("of"):
        found.spot.note("so many failures cannot be among so few answers (`of`)")
    if found.number("rest_s") > found.number("longest_s"):
        found.spot.note("the first rest is longer than the longest")


BREAKER: Final = _part(
    BreakerSettings,
    {
        "failures": value.whole(1, 1_000),
        "of": value.whole(1, 1_000),
        "rest_s": value.duration("100ms", "1d"),
        "longest_s": value.duration("100ms", "1d"),
        "statuses": listing(value.status, at_least=0),
    },
    _finish_breaker,
)

_MEANS_SOMETHING: Final[Mapping[object, tuple[str, ...]]] = {
    "retry": ("after", "times", "then"),
    "next": ("times",),
    "pause": ("for",),
    "fail": (),
    "rebind": (),
}


def _finish_action(found: Found) -> None:
    do = found.values.get("do")
    for key in ("after", "times", "then", "for"):
        if do in _MEANS_SOMETHING and key in found.entries and key not in _MEANS_SOMETHING[do]:
            found.note(key, f"says nothing beside do: {do}")


ACTION: Final = _part(
    StatusAction,
    {
        "after_s": value.duration("10ms", "1d"),
        "times": value.whole(1, 1_000),
        "for_s": value.duration("10ms", "1h"),
    },
    _finish_action,
)


def _finish_operator(found: Found) -> None:
    binds = cast(tuple[BindSettings, ...], found.values.get("binds", ()))
    if binds and all(bind.type == "receiver" for bind in binds):
        found.spot.reading.receive_only.add(str(found.values["name"]))


OPERATOR: Final = _part(
    OperatorSettings,
    {
        "destination_rate": value.destination_rate,
        "breaker": part_or_truth(BREAKER, value.truth),
        "ramp_s": value.duration("0s", "1h"),
        "receipt_wait_s": value.duration("10ms", "30d"),
        "undeliverable": listing(value.receipt_error, at_least=0),
        "formerly": former("operator", value.operator_name),
        "on_status": mapping(value.status, ACTION.reader),
    },
    _finish_operator,
    no_keys=("name",),
)


class Carriers(NamedTuple):
    """The value of `to`: operators, and weights if it is a mapping."""

    to: tuple[str, ...]
    weights: tuple[int, ...] = ()


_weight: Final = value.whole(1, 1_000_000)
_operator: Final = reference("operator", in_list=True)


def _read_sender(spot: Spot) -> str:
    """Return the name of an operator that can send."""
    operator = _operator.read(spot)
    if operator in spot.reading.receive_only:
        spot.refuse("all binds of this operator are receivers: it can carry nothing")
    return operator


def _read_carriers(spot: Spot) -> Carriers:
    if isinstance(spot.node, Table) and spot.node.entries:
        shares = read_pairs(
            spot,
            lambda entry: _read_sender(key_spot(spot, entry)),
            lambda child, _: _weight.read(child),
        )
        return Carriers(tuple(shares), tuple(shares.values()))
    if isinstance(spot.node, Sequence) and spot.node.items:
        operators = read_all(spot.items(), _read_sender)
        for index, item in enumerate(spot.items()):
            if operators[index] in operators[:index]:
                item.note("this operator stands in the list already")
        return Carriers(tuple(operators))
    name = spot.text() if not isinstance(spot.node, Table | Sequence) else None
    spot.refuse(
        "operators are wanted here: a list (failover) or a mapping with weights (share)",
        f"[{name}]" if name else None,
    )


CARRIERS: Final = Reader(
    "operators",
    _read_carriers,
    "a list of names, or `{name: weight}`",
    schema={"anyOf": [listing(_operator).schema, mapping(_operator, _weight).schema]},
)


def _finish_route(found: Found) -> None:
    finish_conditions(found)
    if "to" in found.entries and "refuse" in found.entries:
        found.note("refuse", "a route has `to` or `refuse`, not both")
    elif found.lacks("to") and found.lacks("refuse"):
        found.spot.note("a route needs `to` (operators) or `refuse` (a status)")
    carriers = found.values.get("to")
    if isinstance(carriers, Carriers):
        found.values.update(carriers._asdict())


_CONDITIONS: Final[Mapping[str, Reader[object]]] = {
    "destination": destinations,
    "account": any_of(reference("account", in_list=True)),
    "sender": senders,
    "service_type": any_of(_service_type),
    "country": any_of(value.country),
    "network": any_of(value.mccmnc),
    "hours": value.hours,
    "days": value.days,
    "zone": value.time_zone,
}
ROUTE: Final = _part(
    RouteSettings,
    {
        **_CONDITIONS,
        "priority": value.whole(0, 255),
        "in_lane": any_of(reference("lane")),
        "to": CARRIERS,
        "refuse": value.status,
    },
    _finish_route,
    no_keys=("groups", "sender_files", "weights", "line", "file"),
)
ROUTES_ALIKE: Final = Alike("routes", "destination")


def _twins_of(route: RouteSettings) -> Callable[[Twin], RouteSettings]:
    like = partial(RouteSettings, **{one.name: getattr(route, one.name) for one in fields(route)})
    return lambda twin: like(destination=(prefix(twin.text),), line=twin.line)


PREFIXES: Final = _part(
    PrefixGroup,
    {"file": file_name, "column": value.column},
    finish_group,
    no_keys=("prefixes",),
)


def _finish_refuse(found: Found) -> None:
    finish_conditions(found)
    if not found.entries.keys() - {"status", "reason", "zone"} - found.meant:
        found.spot.note(
            "a rule without conditions would refuse every message; if it is meant to, write "
            'destination: ""'
        )


REFUSE: Final = _part(
    RefuseSettings,
    {
        **_CONDITIONS,
        "lane": any_of(reference("lane", in_list=True)),
        "status": value.final_status,
        "reason": value.reason,
    },
    _finish_refuse,
    no_keys=("groups", "sender_files", "line", "file"),
)


LINKS: Final = _part(LinkSettings, {"only": screening.hosts}, screening.finish_links)
_BY_TYPE[LinkSettings] = part_or_word(LINKS, value.one_of("none"), lambda _: LinkSettings())
SCREEN: Final = _part(
    ScreenSettings,
    {"phrases": screening.phrases},
    screening.finish_screen,
    no_keys=("name", "phrase_files"),
)


INBOUND: Final = _part(InboundSettings, {"destination": value.number, "keyword": value.keyword})


def _finish_settings(found: Found) -> None:
    lanes = cast(tuple[LaneSettings, ...], found.values.get("lanes", ()))
    shares = sum(lane.min_share for lane in lanes)
    if shares > MOST_SHARED + 1e-9:
        found.spot.child(found.entries["lanes"]).note(
            f"the shares (min_share) add up to {show_percent(shares)}; at most "
            f"{show_percent(MOST_SHARED)} can be kept while urgent messages wait"
        )
    journal = found.values.get("journal")
    keeps_none = isinstance(journal, JournalSettings) and not journal.keep_records_s
    if keeps_none and "records" not in found.entries:
        found.values["records"] = RecordsSettings(keep_s=0.0)
    _refuse_many_reasons(found)
    _refuse_shared_port(found)
    reading = found.spot.reading
    found.values |= {
        "places": reading.places,
        "files": reading.files,
        "folder": reading.folder,
    }


def _refuse_many_reasons(found: Found) -> None:
    rules = cast(tuple[RefuseSettings, ...], found.values.get("refuse", ()))
    reasons = {rule.reason for rule in rules}
    if len(reasons) > MOST_REASONS:
        what = f"{len(reasons)} different reasons are labels of metrics: {MOST_REASONS} at most"
        found.note("refuse", what)


_ANY_HOST: Final = ("0.0.0.0", "::")


def _refuse_shared_port(found: Found) -> None:
    """Refuse a `control.listen`, written or not, that another listener has."""
    values = {"telemetry": TelemetrySettings(), "control": ControlSettings()} | found.values
    telemetry, control = values["telemetry"], values["control"]
    if not isinstance(telemetry, TelemetrySettings) or not isinstance(control, ControlSettings):
        return
    here = control.listen or beside(telemetry.listen)
    listeners = cast(tuple[ListenSettings, ...], found.values.get("listen", ()))
    others = {f"listen[{at}].address": one.address for at, one in enumerate(listeners)}
    for path, there in {"telemetry.listen": telemetry.listen, **others}.items():
        hosts = [one.host.replace("localhost", "127.0.0.1") for one in (here, there)]
        same_host = hosts[0] == hosts[1] or any(host in _ANY_HOST for host in hosts)
        if here.port and here.port == there.port and same_host:
            what = f"control.listen would be {here}, which {path} has: give it a port of its own"
            found.note("control", what)


COUNTRY: Final = _part(CountrySettings, {"zone": value.time_zone})
SETTINGS: Final = _part(
    Settings,
    {
        "networks": networks.files,
        "countries": mapping(value.country, COUNTRY.reader),
        "accounts": named(ACCOUNT, value.text(64)),
        "operators": named(OPERATOR, value.operator_name),
        "screens": named(SCREEN, value.name),
        "prefixes": mapping(value.name, group_reader(PREFIXES)),
        "refuse": listing(REFUSE.reader, at_least=0),
        "routes": listing_with_twins(ROUTE, _twins_of),
        "inbound": listing(INBOUND.reader, at_least=0),
        "node": value.whole(0, 99),
        "stop_within_s": value.duration("1s", "10m"),
    },
    _finish_settings,
    no_keys=("places", "files", "folder", "digest"),
)
