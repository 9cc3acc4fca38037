"""Stand-ins used by tests: the whole router without sockets, between operators and clients.

`loop.py` has its clock, its disk and its transports, `journal.py` its journal, `peers.py` who is at
the far ends.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from router.accept.accounts import Accounts
from router.enqueue.journal import Settlement
from router.forward.pool import BindChanges
from router.journey import Journey
from router.settings.load import load
from router.smpp import vocabulary as v
from router.smpp.link import Link, Unacknowledged
from router.smpp.reading import ReadingLine
from router.steps.querying import LookUpRecords, no_records
from router.steps.rules import Rules
from router.telemetry.trace import Ends, Traces
from router.terms.capacity import Capacity
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.journal import FULL_DISK, WatchedJournal
from tests.loop import START, START_UTC, Disk, ManualTimer, World
from tests.peers import Client, FarEnd, Operator, data_sm, receipt_text

__all__ = [
    "FULL_DISK",
    "START",
    "START_UTC",
    "Client",
    "Disk",
    "Operator",
    "Router",
    "Threads",
    "World",
    "contract_settings",
    "data_sm",
    "receipt_text",
    "with_account",
    "with_action",
    "with_lane",
    "with_operator",
    "without_account",
    "without_operator",
]


class Router:
    """The whole router without sockets: the journey, its host, and what tests look at."""

    def __init__(
        self,
        world: World,
        settings: Settings,
        journal: WatchedJournal | None = None,
        *,
        capacity: Capacity = Capacity(),
        look_up_records: LookUpRecords = no_records,
        warm: bool = True,
    ) -> None:
        self.world = world
        self.settings = settings
        self.capacity = capacity
        self.clock = world.clock
        self.is_dead = False
        self.far_ends: list[FarEnd] = []
        self.settled: list[Settlement] = []
        self.clock_changes: list[float] = []
        self.disk = Disk(world)
        self.step_takes_s = 0.0
        """How long it seems to take to serve one connection of those that wait in line."""
        self._served_s = 0.0
        self.reading = ReadingLine(
            lambda delay_s, call: world.call_later(delay_s, call) if delay_s else world.soon(call),
            self._look,
            lambda: self.journey.commits.behind(),
        )
        self.journal = journal or WatchedJournal(world, self.disk)
        self.accounts = Accounts(settings.accounts, b"secret", world.now, session=settings.session)
        self.traces = Traces(self, world.clock_utc)
        self.tells: Callable[[Link], Unacknowledged | None] = lambda _: None
        """What the system knows that the other end's has not acknowledged."""
        self.hung_up: list[Link] = []
        """Whose other end is closed, as the system knows."""
        self._timer: ManualTimer | None = None
        self._armed_for = float("inf")
        self.journey = Journey(
            settings,
            journal=self.journal,
            clock=world.clock,
            clock_utc=world.clock_utc,
            later=self._later,
            settled=self.settled.append,
            clock_changed=self.clock_changes.append,
            is_synchronised=lambda: world.is_synchronised,
            look_up_records=look_up_records,
            capacity=capacity,
        )
        self.journal.tell_damaged = self.journey.damage.found
        started: list[object] = []
        self.journey.start(started.append)
        # A rate begins as if it had just been used: after 1.1 s each has all its slots.
        world.run(1.1 if warm else 0.0)
        assert started == [None]

    def unacknowledged(self, link: Link) -> Unacknowledged | None:
        return self.tells(link)

    def has_hung_up(self, link: Link) -> bool:
        return link in self.hung_up

    def connected(self, link: Link) -> None:
        self.traces.connected(link)

    def disconnected(self, link: Link, exc: Exception | None) -> None:
        self.traces.disconnected(link, exc)

    def soon(self, call: Callable[[], None]) -> None:
        self.world.soon(call)

    def ends_of(self, link: Link) -> Ends:
        transport = link.transport
        peer = None if transport is None else transport.get_extra_info("peername")
        return Ends(peer or ("", 0), ("127.0.0.1", 2775), is_tls=False)

    def write_soon(self, link: Link) -> None:
        self.journey.write_soon(link)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> ManualTimer:
        return self.world.call_later(delay_s, lambda: None if self.is_dead else call())

    def _look(self) -> float:
        self._served_s += self.step_takes_s
        return self.world.now + self._served_s

    def _later(self, call: Callable[[], None]) -> None:
        def turn() -> None:
            if not self.is_dead:
                call()
                commits = self.journey.commits
                self.reading.turn_ended(commits.accepting, is_slow=commits.times.are_long)
                self._arm()

        self.world.soon(turn)

    def _arm(self) -> None:
        wake_at = self.journey.wake_at()
        if wake_at < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_for = wake_at
            self._timer = self.world.call_later(max(0.0, wake_at - self.world.now), self._wake)

    def _wake(self) -> None:
        if self.is_dead:
            return
        self._armed_for = float("inf")
        self._timer = None
        self.journey.wake(self.world.now)
        self._arm()

    def operator(
        self, name: str, place: int = 0, bind_status: int = 0, status: int | None = 0
    ) -> Operator:
        """Connect the far end of one bind, and let it bind; `status` is its answer to submits."""
        operator = self.journey.operators[OperatorName(name)]
        far = Operator(self.world, self, operator.binds[place], bind_status, status)
        forms = operator.settings.message_id
        if forms is not None and forms.response == "hex":
            far.id_form = lambda number: b"%x" % number
        self.world.settle()
        return far

    def client(
        self,
        system_id: bytes = b"bank",
        password: bytes = b"secret01",
        command_id: int = v.BIND_TRANSCEIVER,
        version: int = v.VERSION_3_4,
    ) -> Client:
        """A client that is bound."""
        client = Client(self.world, self)
        number = client.bind(system_id, password, command_id, version)
        self.world.settle()
        assert client.status_of(number) == 0
        return client

    def restarted(self, capacity: Capacity | None = None) -> "Router":
        """A new process with the journal of this one, which is dead and neither hears nor acts."""
        self.is_dead = True
        for far in self.far_ends:
            far.transport.is_closed = far.closed = True
        for message in self.journal.messages.values():
            message.pending_receipts = (
                0  # The memory journal keeps the very objects of the dead one.
            )
        return Router(self.world, self.settings, self.journal, capacity=capacity or self.capacity)

    def adopt(self, settings: Settings) -> dict[OperatorName, BindChanges]:
        """Follow another configuration, as a reload will; connecting is left to the test."""
        journey = self.journey
        self.settings = settings
        rules = Rules.of(settings, journey.plans, journey.up, journey.heard, journey.rulebook.rules)
        adopted = journey.adopt(settings, rules, self.world.now)
        former = [bind for one in adopted.renamed.items() for bind in self.accounts.rename(*one)]
        self.accounts.adopt(settings.accounts, self.world.now)
        self.accounts.follow(settings.session)
        for bind in former:
            bind.unbind(self.world.now)
        self.world.settle()
        return adopted.binds

    # What tests ask.

    @property
    def outcomes(self) -> list[Outcome]:
        """How the messages that are settled have ended, in that order."""
        return [settlement.outcome for settlement in self.settled]

    @property
    def accepted(self) -> int:
        """How many submit_sm were answered with ESME_ROK."""
        submits = self.journey.counters.submits
        return sum(count for (_, _, status), count in submits.items() if status == 0)

    def room_taken(self, account: str = "bank") -> int:
        """Messages that wait, or have a place where they could."""
        return self.journey.rooms.taken(AccountName(account))

    def assert_all_is_over(self) -> None:
        """Each accepted message has one outcome; no room, record or delivery is left behind."""
        outcomes = self.journey.counters.outcomes
        assert sum(outcomes.values()) == self.accepted == len(self.settled)
        numbers = [settlement.message.router_id for settlement in self.settled]
        assert len(set(numbers)) == len(numbers)
        assert [self.room_taken(name) for name in self.settings.accounts] == [0, 0]
        assert [self.journey.rooms.octets(name) for name in self.settings.accounts] == [0, 0]
        assert not self.journal.messages
        assert not self.journal.attempts
        assert not self.journal.held
        assert all(len(outbox) == 0 for outbox in self.journey.deliveries.outboxes.values())
        assert all(operator.in_flight == 0 for operator in self.journey.operators.values())


class Threads:
    """Stands for the threads that compute hashes: nothing is done until a test says so."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.work: list[tuple[Callable[[], bool], Callable[[bool], None]]] = []
        """What is under way, oldest first."""
        self.computed = 0

    def compute_for(self, router: Router) -> None:
        """Have a router's hashes computed here."""
        accounts = router.settings.accounts
        router.accounts = Accounts(accounts, b"secret", self._world.now, self._begin)

    def _begin(self, work: Callable[[], bool], done: Callable[[bool], None]) -> None:
        self.work.append((work, done))

    def finish_one(self, which: int = 0) -> None:
        """One is done, the oldest or another."""
        work, done = self.work.pop(which)
        self.computed += 1
        done(work())
        self._world.settle()

    def finish_all(self) -> None:
        """All are done, and those that they kept waiting."""
        while self.work:
            self.finish_one()


def with_account(settings: Settings, account: str, **changed: object) -> Settings:
    """The same settings with some of one account's changed."""
    name = AccountName(account)
    one = replace(settings.accounts[name], **changed)  # type: ignore[arg-type]
    return replace(settings, accounts={**settings.accounts, name: one})


def with_operator(settings: Settings, operator: str, **changed: object) -> Settings:
    """The same settings with some of one operator's changed."""
    name = OperatorName(operator)
    one = replace(settings.operators[name], **changed)  # type: ignore[arg-type]
    return replace(settings, operators={**settings.operators, name: one})


def with_action(settings: Settings, operator: str, status: int, action: StatusAction) -> Settings:
    """The same settings with another action for one status of an operator."""
    on_status = settings.operators[OperatorName(operator)].on_status
    return with_operator(settings, operator, on_status={**on_status, status: action})


def with_lane(settings: Settings, lane: str, **changed: object) -> Settings:
    """The same settings with some of one lane's changed."""
    lanes = tuple(
        replace(one, **changed) if one.name == LaneName(lane) else one  # type: ignore[arg-type]
        for one in settings.lanes
    )
    return replace(settings, lanes=lanes)


def without_operator(settings: Settings, operator: str) -> Settings:
    """The same settings without an operator, and without it in any rule."""
    name = OperatorName(operator)
    routes = tuple(
        replace(route, to=left, weights=())
        for route in settings.routes
        if (left := tuple(one for one in route.to if one != name)) or route.refuse is not None
    )
    return replace(
        settings,
        operators={key: one for key, one in settings.operators.items() if key != name},
        routes=routes,
        inbound=tuple(one for one in settings.inbound if one.operator != name),
    )


def without_account(settings: Settings, account: str) -> Settings:
    """The same settings without an account, and without it in any rule."""
    name = AccountName(account)
    return replace(
        settings,
        accounts={key: one for key, one in settings.accounts.items() if key != name},
        routes=tuple(one for one in settings.routes if name not in one.account),
        inbound=tuple(one for one in settings.inbound if one.to != name),
    )


def contract_settings(folder: Path, changes: Callable[[str], str] = lambda text: text) -> Settings:
    """The contract's configuration, with a few words replaced."""
    text = (Path(__file__).parent / "contract" / "router.yaml").read_text()
    file = folder / "router.yaml"
    file.write_text(changes(text))
    return load(file, {})
