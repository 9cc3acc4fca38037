"""Every key of a configuration: which there are, how each is written, and what rules join them.

The tables are by field of `terms/settings.py`; a field's key is its name without its unit. What a
key means stands there too, and `config/README.md` is made of both. Operators are read before
routes, because a route asks which of them can send.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from router.settings import values as value
from router.settings.parts import (
    Found,
    Part,
    Reader,
    key_spot,
    listing,
    mapping,
    named,
    read_all,
    read_pairs,
    reference,
    take,
    unique,
)
from router.settings.places import Sequence, Table
from router.settings.reading import Spot
from router.settings.units import show_percent
from router.terms.settings import (
    AccountSettings,
    Address,
    BindSettings,
    BreakerSettings,
    InboundSettings,
    JournalSettings,
    LaneSettings,
    ListenSettings,
    LogSettings,
    MessageIdSettings,
    OperatorSettings,
    OperatorTlsSettings,
    OutbindSettings,
    ReconnectSettings,
    RouteSettings,
    SessionSettings,
    Settings,
    StatusAction,
    TelemetrySettings,
    TlsSettings,
)

MOST_SHARED: Final = 0.5
"""Two lower lanes never go in a row while an urgent one waits, so half is all that can be kept."""

TLS: Final = Part(TlsSettings, {"certificate": value.existing_file, "key": value.existing_file})


def _finish_listen(spot: Spot, found: Found) -> None:
    address = found.values.get("address")
    if isinstance(address, Address) and address.port:
        take(spot.child(found.entries["address"]), "listener", str(address))


LISTEN: Final = Part(
    ListenSettings,
    {"address": value.address, "tls": TLS.reader},
    _finish_listen,
)

SESSION: Final = Part(
    SessionSettings,
    {
        "system_id": value.text(15),
        "bind_timeout_s": value.duration("10ms", "10m"),
        "enquire_link_s": value.duration("10ms", "1d"),
        "response_timeout_s": value.duration("10ms", "1h"),
        "inactivity_s": value.duration("10ms", "30d"),
        "max_pdu_bytes": value.size("1KiB", "16MiB"),
    },
)

JOURNAL: Final = Part(
    JournalSettings,
    {
        "url": value.journal_url,
        "commit_every_s": value.duration("0ms", "1s"),
        "settle_every_s": value.duration("0ms", "10s"),
        "keep_records_s": value.duration("0s", "3650d"),
    },
)

LOG: Final = Part(
    LogSettings,
    {
        "format": value.one_of("json", "console"),
        "level": value.one_of("debug", "info", "warning", "error"),
        "messages": value.percent,
    },
)

TELEMETRY: Final = Part(
    TelemetrySettings,
    {"listen": value.loopback_address, "log": LOG.reader},
)

LANE: Final = Part(
    LaneSettings,
    {
        "name": unique("lane", value.name),
        "validity_s": value.duration("10ms", "30d"),
        "min_share": value.percent,
        "in_doubt": value.one_of("resend", "elsewhere", "fail"),
        "failover_after_s": value.duration("10ms", "30d"),
    },
)


def _finish_account(spot: Spot, found: Found) -> None:
    if "burst" in found.entries and found.lacks("rate"):
        at = found.entries["burst"].key.place
        spot.note("a burst needs a rate beside it", at=at, key="burst")


ACCOUNT: Final = Part(
    AccountSettings,
    {
        "passwords": value.passwords,
        "lane": reference("lane"),
        "allow_from": listing(value.network),
        "max_binds": value.whole(1, 10_000),
        "window": value.whole(1, 100_000),
        "rate": value.rate,
        "burst": value.whole(1, 10_000_000),
        "queue": value.whole(1, 100_000_000),
        "weight": value.whole(1, 1_000),
        "lane_by_priority": mapping(value.whole(0, 255), reference("lane")),
        "lane_by_service_type": mapping(value.text(5, shortest=0), reference("lane")),
        "schedule_delivery_time": value.one_of("as_it_came", "honour"),
        "message_id": value.one_of("decimal", "hex8"),
        "deliver_window": value.whole(1, 100_000),
        "outbox_s": value.duration("10ms", "30d"),
    },
    _finish_account,
)


def _finish_operator_tls(spot: Spot, found: Found) -> None:
    for key, other in (("certificate", "key"), ("key", "certificate")):
        if key in found.entries and found.lacks(other):
            spot.note(
                f"a {key} needs a {other} beside it", at=found.entries[key].key.place, key=key
            )
    if found.values.get("verify") is False and "ca" in found.entries:
        at = found.entries["ca"].key.place
        spot.note("says nothing beside verify: false", at=at, key="ca")


OPERATOR_TLS: Final = Part(
    OperatorTlsSettings,
    {
        "ca": value.existing_file,
        "certificate": value.existing_file,
        "key": value.existing_file,
        "server_name": value.text(253),
        "verify": value.truth,
    },
    _finish_operator_tls,
)


def _read_operator_tls(spot: Spot) -> OperatorTlsSettings | None:
    if isinstance(spot.node, Table):
        return OPERATOR_TLS.read(spot)
    return OperatorTlsSettings() if value.truth.read(spot) else None


OUTBIND: Final = Part(
    OutbindSettings,
    {
        "listen": value.address,
        "system_id": value.text(64),
        "password": value.secret,
        "allow_from": listing(value.network),
    },
)


def _finish_bind(spot: Spot, found: Found) -> None:
    if found.lacks("address") and found.lacks("outbind"):
        spot.note("is missing and must be written", key="address")
    for key in ("address", "source_address", "tls"):
        if "outbind" in found.entries and key in found.entries:
            at = found.entries[key].key.place
            spot.note("says nothing beside outbind: the operator connects to us", at=at, key=key)
    is_clear = "type" in found.values or found.lacks("type")
    sends = found.values.get("type", "transceiver") != "receiver"
    if is_clear and sends and found.lacks("rate"):
        spot.note(
            "is missing and must be written for a bind that sends: it is what the operator has "
            "contracted, for example 50/s",
            key="rate",
        )


BIND: Final = Part(
    BindSettings,
    {
        "name": unique("bind", value.name),
        "addresses": value.peer_addresses,
        "outbind": OUTBIND.reader,
        "system_id": value.text(64),
        "password": value.secret,
        "type": value.one_of("transmitter", "receiver", "transceiver"),
        "system_type": value.text(64, shortest=0),
        "interface_version": value.version,
        "rate": value.rate,
        "window": value.whole_or_auto(1, 100_000),
        "source_address": value.own_address,
        "tls": Reader("truth or mapping", _read_operator_tls, part=OPERATOR_TLS),
        "enquire_link_s": value.duration("10ms", "1d"),
        "max_messages": value.whole(1, 1_000_000_000),
        "max_age_s": value.duration("1s", "30d"),
    },
    _finish_bind,
)

MESSAGE_ID: Final = Part(
    MessageIdSettings,
    {
        "response": value.one_of("text", "hex", "decimal"),
        "receipt": value.one_of("text", "hex", "decimal"),
    },
)


def _finish_reconnect(spot: Spot, found: Found) -> None:
    first_s = found.values.get("first_s", ReconnectSettings().first_s)
    longest_s = found.values.get("longest_s", ReconnectSettings().longest_s)
    if cast(float, first_s) > cast(float, longest_s):
        spot.note("the first wait is longer than the longest")


RECONNECT: Final = Part(
    ReconnectSettings,
    {
        "first_s": value.duration("10ms", "1h"),
        "longest_s": value.duration("10ms", "1d"),
    },
    _finish_reconnect,
)


def _finish_breaker(spot: Spot, found: Found) -> None:
    usual = BreakerSettings()
    failures = cast(int, found.values.get("failures", usual.failures))
    if failures > cast(int, found.values.get("of", usual.of)):
        spot.note("so many failures cannot be among so few answers (`of`)")
    rest_s = cast(float, found.values.get("rest_s", usual.rest_s))
    if rest_s > cast(float, found.values.get("longest_s", usual.longest_s)):
        spot.note("the first rest is longer than the longest")


BREAKER: Final = Part(
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


def _read_breaker(spot: Spot) -> BreakerSettings | None:
    if isinstance(spot.node, Table):
        return BREAKER.read(spot)
    return BreakerSettings() if value.truth.read(spot) else None


_MEANS_SOMETHING: Final[Mapping[object, tuple[str, ...]]] = {
    "retry": ("after", "times", "then"),
    "next": ("times",),
    "pause": ("for",),
    "fail": (),
    "rebind": (),
}


def _finish_action(spot: Spot, found: Found) -> None:
    do = found.values.get("do")
    for key in ("after", "times", "then", "for"):
        if do in _MEANS_SOMETHING and key in found.entries and key not in _MEANS_SOMETHING[do]:
            spot.note(f"says nothing beside do: {do}", at=found.entries[key].key.place, key=key)


ACTION: Final = Part(
    StatusAction,
    {
        "do": value.one_of("retry", "next", "fail", "pause", "rebind"),
        "after_s": value.duration("10ms", "1d"),
        "times": value.whole(1, 1_000),
        "then": value.one_of("next", "fail"),
        "for_s": value.duration("10ms", "1h"),
    },
    _finish_action,
)


def _finish_operator(spot: Spot, found: Found) -> None:
    binds = cast(tuple[BindSettings, ...], found.values.get("binds", ()))
    if binds and all(bind.type == "receiver" for bind in binds):
        spot.reading.receive_only.add(str(found.values["name"]))


OPERATOR: Final = Part(
    OperatorSettings,
    {
        "binds": listing(BIND.reader),
        "rate": value.rate,
        "destination_rate": value.destination_rate,
        "message_id": MESSAGE_ID.reader,
        "reconnect": RECONNECT.reader,
        "breaker": Reader("truth or mapping", _read_breaker, part=BREAKER),
        "validity_period": value.one_of("as_it_came", "remaining"),
        "ramp_s": value.duration("0s", "1h"),
        "receipt_wait_s": value.duration("10ms", "30d"),
        "accepted_is_final": value.truth,
        "unknown_is_final": value.truth,
        "on_status": mapping(value.status, ACTION.reader),
    },
    _finish_operator,
)


class Carriers(NamedTuple):
    """What `to` says: operators, and their weights where it is a mapping."""

    to: tuple[str, ...]
    weights: tuple[int, ...] = ()


_weight: Final = value.whole(1, 1_000_000)
_operator: Final = reference("operator")


def _read_sender(spot: Spot) -> str:
    """The name of an operator that can send."""
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


def _finish_route(spot: Spot, found: Found) -> None:
    if "to" in found.entries and "refuse" in found.entries:
        at = found.entries["refuse"].key.place
        spot.note("a route has `to` or `refuse`, not both", at=at, key="refuse")
    elif found.lacks("to") and found.lacks("refuse"):
        spot.note("a route needs `to` (operators) or `refuse` (a status)")
    carriers = found.values.get("to")
    if isinstance(carriers, Carriers):
        found.values.update(carriers._asdict())
    found.values["file"] = spot.node.place.file
    found.values["line"] = spot.node.place.line


ROUTE: Final = Part(
    RouteSettings,
    {
        "destination": value.prefix,
        "account": reference("account"),
        "sender": value.text(20),
        "priority": value.whole(0, 255),
        "service_type": value.text(5, shortest=0),
        "to": Reader("operators", _read_carriers, "a list of names, or `{name: weight}`"),
        "refuse": value.status,
        "lane": reference("lane"),
    },
    _finish_route,
)

INBOUND: Final = Part(
    InboundSettings,
    {
        "to": reference("account"),
        "operator": reference("operator"),
        "destination": value.number,
        "keyword": value.keyword,
    },
)


def _finish_settings(spot: Spot, found: Found) -> None:
    lanes = cast(tuple[LaneSettings, ...], found.values.get("lanes", ()))
    shares = sum(lane.min_share for lane in lanes)
    if shares > MOST_SHARED + 1e-9:
        spot.child(found.entries["lanes"]).note(
            f"the shares (min_share) add up to {show_percent(shares)}; at most "
            f"{show_percent(MOST_SHARED)} can be kept while urgent messages wait"
        )
    found.values["places"] = spot.reading.places


SETTINGS: Final = Part(
    Settings,
    {
        "listen": listing(LISTEN.reader),
        "session": SESSION.reader,
        "journal": JOURNAL.reader,
        "telemetry": TELEMETRY.reader,
        "lanes": listing(LANE.reader),
        "accounts": named(ACCOUNT, value.text(64)),
        "operators": named(OPERATOR, value.operator_name),
        "routes": listing(ROUTE.reader, at_least=0),
        "inbound": listing(INBOUND.reader, at_least=0),
        "node": value.whole(0, 99),
    },
    _finish_settings,
)
