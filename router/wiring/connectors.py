"""The binds that are kept bound, and what becomes of them when the configuration changes.

Owns a connector and its task for each bind, and the addresses at which operators call. What a new
configuration does to a bind may take a while, and is looked after until it is done:

- A bind that was removed ends when what it has in flight is answered. The binds of an operator that
  was removed stay bound, and bind again, until nothing is owed on them (`Journey.is_done_with`).
- Binds whose address, credentials, type or TLS changed are bound anew, one after the other: those
  that are down at once, and each of the others when none before it is down. A session ends in good
  order, when its messages are answered. While a bind does not come up, the others keep their old
  session; after `RENEWED_S` the status and the log say so.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Final, NamedTuple, Protocol, TypeVar

import structlog

from router.forward.bind import BindConnector
from router.forward.outbind import OutbindConnector, OutbindListener
from router.forward.pool import Bind, BindChanges, Operator, needs_session
from router.journey import Journey
from router.settings.mistakes import item_path, key_path
from router.smpp.link import Host
from router.terms.names import BindName, OperatorName
from router.terms.settings import Address, SessionSettings, Settings

LOOK_EVERY_S: Final = 0.1
"""How often binds that are to end, or to be bound anew, are looked at, while there are any."""
RENEWED_S: Final = 30.0
"""How long a bind has to come up with new settings before the others are said to wait for it."""

log = structlog.get_logger()

T = TypeVar("T")


class Begin(Protocol):
    """Begins a task that belongs to the router."""

    def __call__(self, work: Coroutine[object, object, T], /) -> asyncio.Task[T]:
        """Begin it."""


class Surroundings(Host, Protocol):
    """What connectors need of the router."""

    @property
    def journey(self) -> Journey:
        """The steps of the router."""


class _Kept(NamedTuple):
    """One bind that is kept bound."""

    connector: BindConnector
    task: asyncio.Task[None]


class Renewal:
    """The binds of one operator that are being bound anew."""

    def __init__(self, operator: Operator, binds: list[Bind], now: float) -> None:
        self.operator: Final = operator
        self.binds: Final = binds
        """In the order of their turns."""
        self.waiting: list[BindName] = []
        """The binds that keep their old session because another one has not come up in time."""
        self.why = ""
        """Which ones those are, and what keeps each down; empty until the time is over."""
        self.since = now
        """When the latest of them began."""


class Connectors:
    """All binds that are kept bound."""

    def __init__(self, host: Surroundings, session: SessionSettings) -> None:
        self._host: Final = host
        self._session = session
        self._kept: Final[dict[Bind, _Kept]] = {}
        self._leaving: list[Bind] = []
        """Binds that are to end when nothing is owed on them."""
        self.renewals: Final[dict[OperatorName, Renewal]] = {}
        """What is being bound anew, by operator."""
        self._doors: Final[dict[Address, tuple[OutbindListener, asyncio.Server]]] = {}
        """Where operators call, by address."""
        self._called: Iterable[Address] = ()
        """Where they may call by the configuration in force."""
        self._begin: Begin = asyncio.create_task
        self._looking: asyncio.Task[None] | None = None

    # Start and stop.

    def start(self, begin: Begin) -> None:
        """Keep every bind of the journey bound, in tasks that `begin` begins."""
        self._begin = begin
        self._called = list(self._doors)
        for operator in self._host.journey.operators.values():
            for bind in operator.binds:
                self._keep(bind)
        self._admit()

    def _keep(self, bind: Bind) -> None:
        """Keep a bind bound, from now on with the settings that it has now."""
        self._drop(bind)
        kind = BindConnector if bind.settings.outbind is None else OutbindConnector
        connector = kind(self._host, self._host.journey, bind, self._session)
        self._kept[bind] = _Kept(connector, self._begin(connector.run()))

    def _drop(self, bind: Bind) -> None:
        """Keep a bind bound no longer, and end its connection if there is one."""
        kept = self._kept.pop(bind, None)
        if kept is not None:
            kept.connector.unbind()
            kept.task.cancel()

    def stop_binding(self) -> None:
        """Bind nothing again, and listen to no operator that calls."""
        if self._looking is not None:
            self._looking.cancel()
        self.close(list(self._doors))
        for kept in self._kept.values():
            kept.connector.stop_binding()

    def unbind(self) -> None:
        """End all sessions."""
        for kept in self._kept.values():
            kept.connector.unbind()

    @property
    def are_over(self) -> bool:
        """Whether there is no connection to any operator."""
        return all(kept.connector.is_over for kept in self._kept.values())

    def cancel(self) -> None:
        """End all tasks."""
        for kept in self._kept.values():
            kept.task.cancel()

    # Operators that call.

    async def listen(self, settings: Settings) -> list[Address]:
        """Listen where operators call by these settings; return the addresses that are new.

        Raises OSError that names the setting; then it listens where it did before. No caller is
        admitted before the settings are adopted.
        """
        new: list[Address] = []
        called = _called(settings)
        try:
            for listen, path in called.items():
                if listen not in self._doors:
                    self._doors[listen] = await self._door(listen, path)
                    new.append(listen)
        except OSError:
            self.close(new)
            raise
        return new

    async def _door(self, listen: Address, path: str) -> tuple[OutbindListener, asyncio.Server]:
        counters, wait_s = self._host.journey.counters, self._session.bind_timeout_s
        door = OutbindListener(self._host, counters, wait_s)
        try:
            server = await asyncio.get_running_loop().create_server(door, listen.host, listen.port)
        except OSError as error:
            what = f"{path}: {listen}: {error.strerror or error}"
            raise OSError(error.errno, what) from error
        for socket in server.sockets:
            host, port = socket.getsockname()[:2]
            log.info("router.listening", address=str(Address(host=host, port=port)), outbind=True)
        return door, server

    def close(self, addresses: Iterable[Address]) -> None:
        """Listen no longer at these addresses. Connections that are there go on."""
        for address in addresses:
            if address in self._doors:
                self._doors.pop(address)[1].close()

    def _admit(self) -> None:
        """Tell each address which binds operators may ask for there."""
        for door, _ in self._doors.values():
            door.connectors.clear()
        for bind, (connector, _) in self._kept.items():
            outbind = bind.settings.outbind
            called = None if outbind is None else self._doors.get(outbind.listen)
            if called is not None and isinstance(connector, OutbindConnector):
                called[0].connectors.append(connector)

    def _close_unused(self) -> None:
        """Close where nobody may call any more; whose operator is gone may, while it owes."""
        still = (bind.settings.outbind for bind in self._leaving if not bind.removed)
        used = {outbind.listen for outbind in still if outbind is not None}
        self.close(self._doors.keys() - used - set(self._called))

    # Another configuration.

    def adopt(self, settings: Settings, changes: Mapping[OperatorName, BindChanges]) -> None:
        """Follow a new configuration, after `listen` and after the journey has followed it.

        `changes` says for which binds the journey wants more than a change in place.
        """
        if settings.session != self._session:
            self._session = settings.session
            for kept in self._kept.values():
                kept.connector.adopt(settings.session)
            for door, _ in self._doors.values():
                door.wait_s = settings.session.bind_timeout_s
        for name, one in changes.items():
            self._adopt(self._host.journey.operators[name], one)
        self._leaving = [one for one in self._kept if one.removed or one.operator.is_leaving]
        self._called = _called(settings)
        self._close_unused()
        self._admit()
        if self._is_busy and (self._looking is None or self._looking.done()):
            self._looking = self._begin(self._look_again())

    def _adopt(self, operator: Operator, changes: BindChanges) -> None:
        before = self.renewals.pop(operator.name, None)
        if operator.is_leaving:
            return
        known = before.binds if before is not None and before.operator is operator else []
        to_renew: list[Bind] = []
        for bind in operator.binds:
            if bind not in self._kept:
                self._keep(bind)
                continue
            if bind in changes.renewed and self._is_down(bind):
                self._keep(bind)
            if bind in known or bind in changes.renewed or self._is_unfit(bind):
                to_renew.append(bind)
        if to_renew:
            self.renewals[operator.name] = Renewal(operator, to_renew, self._host.clock())

    def _is_unfit(self, bind: Bind) -> bool:
        """Whether its connector can bind it no more: it is about to end, or of the other kind."""
        connector = self._kept[bind].connector
        calls = bind.settings.outbind is not None
        return connector.is_stopping or isinstance(connector, OutbindConnector) != calls

    def _is_down(self, bind: Bind) -> bool:
        """Whether it has no session, not even one that is about to end."""
        connector = self._kept[bind].connector
        return connector.bound_with is None and not connector.is_unbinding

    def _is_stale(self, bind: Bind) -> bool:
        """Whether it is bound with other settings than it has now."""
        bound_with = self._kept[bind].connector.bound_with
        return bound_with is not None and needs_session(bound_with, bind.settings)

    @property
    def _is_busy(self) -> bool:
        return bool(self._leaving or self.renewals)

    async def _look_again(self) -> None:
        while self._is_busy:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """End what nothing is owed on; go on with what is bound anew."""
        for bind in list(self._leaving):
            if self._is_over(bind):
                self._leaving.remove(bind)
                self._drop(bind)
                self._close_unused()
        for renewal in list(self.renewals.values()):
            if self._goes_on(renewal):
                continue
            del self.renewals[renewal.operator.name]
            if renewal.why:
                log.info("bind.renewed", operator=renewal.operator.name)

    def _is_over(self, bind: Bind) -> bool:
        """Unbind a bind that nothing is owed on; return whether it has no connection any more."""
        connector = self._kept[bind].connector
        if self._host.journey.is_done_with(bind):
            connector.unbind()
        return connector.is_stopping and connector.is_over

    def _goes_on(self, renewal: Renewal) -> bool:
        """Have the next bind bound anew if it is its turn; return whether any is left."""
        for bind in renewal.binds:
            if self._is_unfit(bind) and self._kept[bind].connector.is_over:
                self._keep(bind)
                self._admit()
        now = self._host.clock()
        old = [bind for bind in renewal.binds if self._is_stale(bind)]
        down = [bind for bind in renewal.binds if self._kept[bind].connector.bound_with is None]
        if not old:
            # Nobody waits for what is down: it goes on trying, as at any other time.
            return any(self._is_unfit(bind) for bind in renewal.binds)
        if not down:
            # Also while its answers are waited for: the time to come up begins when it is down.
            renewal.since, renewal.waiting = now, []
            self._kept[old[0]].connector.retire()
        elif now >= renewal.since + RENEWED_S:
            waiting = [bind.settings.name for bind in old]
            why = ", ".join(f"{one.settings.name} {one.trouble or 'is not bound'}" for one in down)
            if not renewal.waiting:
                log.warning(
                    "bind.awaited", operator=renewal.operator.name, waiting=waiting, why=why
                )
            renewal.waiting, renewal.why = waiting, why
        return True


def _called(settings: Settings) -> dict[Address, str]:
    """Return where operators call, each with the first setting that says so."""
    called: dict[Address, str] = {}
    for name, operator in settings.operators.items():
        for number, bind in enumerate(operator.binds):
            if bind.outbind is not None:
                path = item_path(f"{key_path('operators', name)}.binds", number)
                called.setdefault(bind.outbind.listen, f"{path}.outbind.listen")
    return called
