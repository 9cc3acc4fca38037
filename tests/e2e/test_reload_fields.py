"""Every key of a configuration is followed by a reload, or is said to need a restart.

One router runs in this process, with nobody bound. Key after key is changed. What is followed must
leave nothing behind: whatever the router reaches, no part of the old configuration is among it.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, tzinfo
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import FrameType, FunctionType, ModuleType, NoneType
from typing import Any, Final, Literal, get_args, get_origin

import pytest

from router.settings.declared import types_of
from router.terms import settings as declared
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.settings import (
    Address,
    DaySpan,
    MessageIdForms,
    NumberSettings,
    OperatorTlsSettings,
    OutbindSettings,
    ProxySettings,
    RetrySettings,
    Settings,
    StatusAction,
    TlsSettings,
    TonNpi,
)
from router.wiring.app import App
from router.wiring.reload import Reloaded
from tests.doubles import with_account, without_operator
from tests.unit.settings.configurations import CONTRACT, changed, loaded

NO_KEYS: Final = frozenset(
    {
        *("name", "line", "file", "places", "files", "digest", "folder"),
        *("groups", "sender_files", "phrase_files"),
    }
)
"""Fields that are no keys of the file, or under which a part is found again."""
ELSEWHERE: Final = frozenset(
    {
        *("TlsSettings", "ProxySettings", "ListFile"),
        *("Place", "Address", "SeenFile", "TonNpi", "DaySpan"),
    }
)
"""Certificates and lists need files: test_reload.py; proxies have test_proxy.py. The others are no
parts of a file."""
TEXT: Final = changed(
    CONTRACT,
    ('{address: "127.0.0.1:2775"}', '{address: "127.0.0.1:0"}'),
    ('listen: "127.0.0.1:9464"', 'listen: "127.0.0.1:0"'),
    ("sqlite:///router.db", '"memory:"'),
    (
        "    message_id: {response: text",
        "    numbers: {normalise: e164}\n    message_id: {response: text",
    ),
    (
        "    max_binds: 4\n",
        "    max_binds: 4\n    retries: true\n    screens: [scam]\n    signature: Bank\n"
        "    text: {most_parts: 9}\n",
    ),
    ("    lane: bulk\n", "    lane: bulk\n    screens: [scam]\n"),
    (
        "routes:\n",
        "screens: {scam: {phrases: [casino], links: {only: [bank.example]}}}\n"
        "countries: {FR: {signature: end}}\n"
        'prefixes: {near: ["370"]}\nrefuse: [{destination: ["1", "2"], lane: [otp]}]\nroutes:\n',
    ),
    ('telia-1, address: "127.0.0.1:27751",', 'telia-1, address: "127.0.0.1:1", tls: true,'),
    (
        'elisa-tx, address: "127.0.0.1:27752",',
        'elisa-tx, outbind: {listen: "127.0.0.1:0", system_id: a, password: b},',
    ),
)
OF_FIELD: Final[Mapping[str, object]] = {
    "url": "sqlite:///other.db",
    "lane_by_priority": {9: LaneName("otp")},
    "lane_by_service_type": {"VMN": LaneName("otp")},
    "data_coding_0": "latin-1",
    "ton_npi": {"short": TonNpi(3, 0)},
    "words": {"OK": "DELIVRD"},
    "on_status": {9: StatusAction(do="fail")},
    "source_address": "127.0.0.9",
    "weights": (1, 9),
    "statuses": (8,),
    "allow_from": (ip_network("10.0.0.0/8"),),
    "addresses": (Address(host="127.0.0.1", port=2),),
    "passwords": ("another1",),
    "reveal": ("another",),
    "certificate": Path("other.pem"),
    "certificates": ("bank.example",),
    "to": (OperatorName("elisa"),),
    "account": (AccountName("shop"),),
    "sender": ("Shop",),
    "service_type": ("VMN",),
    "hours": (DaySpan(480, 1200),),
    "days": ("sat",),
    "phrases": ("free money",),
}
OF_TYPE: Final[Mapping[object, object]] = {
    Rate: Rate(7, 1.0),
    Address: Address(host="127.0.0.1", port=9),
    Path: Path("other.pem"),
    str: "other",
    int: 3,
    float: 3.0,
    tzinfo: UTC,
    AccountName: AccountName("shop"),
    OperatorName: OperatorName("elisa"),
    LaneName: LaneName("alert"),
    TlsSettings: TlsSettings(certificate=Path("a"), key=Path("b")),
    ProxySettings: ProxySettings(proxies=(ip_network("10.0.0.5"),)),
    OperatorTlsSettings: OperatorTlsSettings(verify=False),
    NumberSettings: NumberSettings(normalise="plus"),
    MessageIdForms: MessageIdForms(response="hex", receipt="hex"),
    RetrySettings: RetrySettings(within_s=60.0),
    OutbindSettings: OutbindSettings(
        listen=Address(host="127.0.0.1", port=0), system_id="c", password="d"
    ),
}
OTHER_NAME: Final = {"shop": AccountName("bank"), "elisa": OperatorName("telia")}
BEFORE: Final[list[object]] = []
"""The parts of the configuration that the router has just left. The router does not reach it."""


@dataclass
class Variant:
    """A configuration in which one key is changed."""

    path: str
    field: str
    """With the name of its class."""
    settings: Settings
    parts: list[object]
    """What holds the key, from the whole down, as it was before."""


Build = Callable[[object], Settings]
"""Makes the whole of a part that takes the place of another."""


def variants(
    part: object, path: str, build: Build, above: tuple[object, ...] = ()
) -> Iterator[Variant]:
    """Every key below a part, each changed alone."""
    for name, hint in types_of(type(part)).items():
        if name in NO_KEYS:
            continue
        value, here = getattr(part, name), f"{path}{name}"

        def rebuilt(new: object, name: str = name) -> Settings:
            return build(replace(part, **{name: new}))  # type: ignore[type-var]

        field = f"{type(part).__name__}.{name}"
        is_part = is_dataclass(value) and _is_part(value)
        if not is_part or NoneType in get_args(hint):
            new = None if is_part else _another(name, hint, value)
            yield Variant(here, field, rebuilt(new), [*above, part])
        yield from _below(value, here, rebuilt, (*above, part))


def _below(value: object, here: str, build: Build, above: tuple[object, ...]) -> Iterator[Variant]:
    if is_dataclass(value) and _is_part(value):
        yield from variants(value, f"{here}.", build, above)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if is_dataclass(one):
                in_its_place = partial(_with, build, value, name)
                yield from variants(one, f"{here}.{name}.", in_its_place, above)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]) and _is_part(value[0]):
        (first, *rest) = value
        yield from variants(first, f"{here}[0].", lambda new: build((new, *rest)), above)


def _with(build: Build, parts: Mapping[object, object], name: object, new: object) -> Settings:
    return build({**parts, name: new})


def _is_part(value: object) -> bool:
    return type(value).__module__ == declared.__name__ and not isinstance(value, Address)


def _another(name: str, hint: object, value: object) -> object:
    """Another value that this field may have."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if name in OF_FIELD:
        return OF_FIELD[name]
    if get_origin(hint) is Literal:
        return next(kind for kind in kinds if kind != value)
    if kinds and get_origin(kinds[0]) is Literal:  # Or None.
        return next(kind for kind in get_args(kinds[0]) if kind != value)
    if isinstance(value, tuple):
        return value[1:]
    if isinstance(value, Mapping):
        third = deepcopy(next(iter(value.values())))
        return {**value, "third": replace(third, name="third") if hasattr(third, "name") else third}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    of_type = OF_TYPE[kinds[0] if kinds else hint]
    return OTHER_NAME.get(str(value), of_type) if of_type == value else of_type


def _reached(root: object) -> set[int]:
    """What the router reaches, by identity; of a part that has left, nothing is reached."""
    seen: set[int] = set()
    found = [root]
    while found:
        one = found.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FrameType):
            continue
        seen.add(id(one))
        if isinstance(one, FunctionType):
            found += [one.__closure__, one.__defaults__, one.__kwdefaults__]
        elif not isinstance(one, asyncio.AbstractEventLoop):
            found += gc.get_referents(one)
    return seen


async def _reloaded(app: App) -> Reloaded:
    answer: Future[Reloaded] = Future()
    app.reloader.ask(answer)
    return await asyncio.wrap_future(answer)


async def _leaves_nothing_behind(app: App) -> list[str]:
    """The old parts that the router still reaches, after it has had time to forget them."""
    left: list[str] = []
    still = _reached(app.settings)  # Parts that nobody has written are one object.
    for _ in range(200):
        await asyncio.sleep(0.01)
        reached = _reached(app) - still
        left = [type(part).__name__ for part in BEFORE if id(part) in reached]
        if not left:
            break
    return left


async def _walk(folder: Path) -> tuple[set[str], list[str]]:
    base = loaded(TEXT, folder=folder)
    now = [base]
    app = App(now[0], lambda: now[0])
    app.loop = asyncio.get_running_loop()
    servers = await app._started()
    assert servers is not None
    app.connectors.start(asyncio.create_task)
    app.ready = True
    walked: set[str] = set()
    wrong: list[str] = []
    for one in variants(base, "", _whole):
        if len(wrong) > 3:  # Each waits long for what does not happen.
            break
        walked.add(one.field)
        BEFORE[:] = one.parts
        now[0] = one.settings
        told = await _reloaded(app)
        if told["result"] == "needs_restart":
            if app.settings is not base or not told["needs_restart"]:
                wrong.append(f"{one.path}: {told['reason']}")
        elif told["result"] != "applied" or app.settings is not now[0]:
            wrong.append(f"{one.path}: {told}")
        elif left := await _leaves_nothing_behind(app):
            wrong.append(f"{one.path}: the router still reaches the old {left}")
        now[0] = base
        told = await _reloaded(app)
        assert told["result"] in ("applied", "unchanged"), told
    app.connectors.stop_binding()
    app.connectors.cancel()
    for listener in app._servers:
        listener.close()
    for server in servers:
        server.stop()
    return walked, wrong


def _whole(settings: object) -> Settings:
    assert isinstance(settings, Settings)
    return settings


async def _failed(folder: Path) -> None:
    base = loaded(TEXT, folder=folder)
    now = [base]
    app = App(base, lambda: now[0])
    assert (await _reloaded(app))["reason"] == "the router is starting; reload when it is ready"
    app.loop = asyncio.get_running_loop()
    servers = await app._started()
    assert servers is not None
    app.connectors.start(asyncio.create_task)
    app.ready = True
    rules = app.journey.rulebook.rules
    less = without_operator(with_account(base, "bank", max_binds=1), "telia")
    level: Any = "loud"  # No file can say that.
    loud = replace(base.telemetry.log, level=level)
    now[0] = replace(less, telemetry=replace(base.telemetry, log=loud))
    told = await _reloaded(app)
    assert told["result"] == "failed"
    assert "went back" in told["reason"]
    assert app.settings is base
    assert app.journey.rulebook.rules is rules
    assert app.accounts.by_name[AccountName("bank")].settings.max_binds == 4
    assert list(app.journey.operators) == list(base.operators)
    assert not any(one.is_leaving for one in app.journey.operators.values())
    now[0] = base
    assert (await _reloaded(app))["result"] == "unchanged"
    app.stopping = True
    assert (await _reloaded(app))["reason"] == "the router is stopping"
    counted = app.journey.counters.config_reloads
    assert counted == {"failed": 1, "unchanged": 1}
    app.connectors.stop_binding()
    app.connectors.cancel()
    for listener in app._servers:
        listener.close()
    for server in servers:
        server.stop()


def test_error_while_it_is_applied_leads_back_and_the_next_reload_is_served(tmp_path: Path) -> None:
    asyncio.run(_failed(tmp_path))


@pytest.mark.long  # A hundred keys, and after each all that the router reaches.
def test_every_key_is_followed_or_named(tmp_path: Path) -> None:
    walked, wrong = asyncio.run(_walk(tmp_path))
    assert not wrong, "\n".join(wrong)
    parts = [
        one
        for one in vars(declared).values()
        if isinstance(one, type) and is_dataclass(one) and one.__module__ == declared.__name__
    ]
    every = {
        f"{part.__name__}.{name}"
        for part in parts
        if part.__name__ not in ELSEWHERE
        for name, hint in types_of(part).items()
        if name not in NO_KEYS and (hint not in parts or hint is Address)
    }
    assert every == walked
