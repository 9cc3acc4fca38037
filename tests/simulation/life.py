"""One process of the router: all of it that needs no socket, no thread and no clock of its own."""

from collections.abc import Callable

from router.accept.accounts import Accounts
from router.accept.server import ClientLink
from router.enqueue.journal import JournalError
from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.forward.reconnect import ConnectionAttempts
from router.journey import Journey
from router.smpp.link import Link
from router.smpp.states import BOUND
from router.steps.rules import Rules
from router.terms.capacity import Capacity
from router.terms.settings import Settings
from tests.simulation.disk import Disk, SimulatedJournal
from tests.simulation.world import Loop, Process

LOOK_EVERY_S = 0.05
DRAIN_S = 8.0
UNBIND_S = 2.0
ACKNOWLEDGE_S = 1.0
"""How long a stop waits for each of its steps; less than in `router/wiring/app.py`."""


class Life(Process):
    """One process of the router."""

    def __init__(
        self, loop: Loop, settings: Settings, disk: Disk, life: int, capacity: Capacity
    ) -> None:
        super().__init__(loop, life)
        self.settings = settings
        self._kept_bound: set[Bind] = set()
        """The binds that are bound, or will be tried again."""
        self.failed: Callable[[], None] = lambda: None
        self.ready: Callable[[], None] = lambda: None
        self.connect: Callable[[Bind, OperatorLink], bool] = lambda _bind, _link: False
        """Reaches an operator, if one listens."""
        self.journal = SimulatedJournal(
            disk,
            self,
            lambda names: self.journey.plans.of(names),
            lambda: self.journey.clocks.utc(),
        )
        self.accounts = Accounts(settings.accounts, b"secret", loop.now)
        self.journey = Journey(
            settings,
            journal=self.journal,
            clock=self.clock,
            clock_utc=loop.wall,
            later=self.later,
            settled=lambda _: None,
            is_synchronised=lambda: loop.is_synchronised,
            capacity=capacity,
        )

    def start(self) -> None:
        """As `router/wiring/app.py` does it."""

        def started(error: JournalError | None) -> None:
            (self.ready if error is None else self.failed)()

        self.soon(lambda: self.journey.start(started))

    def adopt(self, settings: Settings) -> None:
        """Follow another configuration, as a reload does it."""
        journey = self.journey
        self.settings = settings
        rules = Rules.of(settings, journey.plans, journey.up)
        adopted = journey.adopt(settings, rules, self.loop.now)
        former = [bind for one in adopted.renamed.items() for bind in self.accounts.rename(*one)]
        self.accounts.adopt(settings.accounts, self.loop.now)
        for client in former:
            client.unbind(self.loop.now)
        for one in adopted.binds.values():
            for bind in one.added:
                self.keep_bound(bind)
            for link in self._links(OperatorLink):
                assert isinstance(link, OperatorLink)
                if link.bind in one.renewed:
                    link.rebind()
        self._let_go()

    def _let_go(self) -> None:
        """Unbind what the configuration has no more, when nothing is owed on it."""
        waits = False
        for link in self._links(OperatorLink):
            assert isinstance(link, OperatorLink)
            if self.journey.is_done_with(link.bind):
                self._unbind(link)
            waits = waits or link.bind.removed
        if waits or any(one.is_leaving for one in self.journey.operators.values()):
            self.call_later(LOOK_EVERY_S, self._let_go)

    def _is_kept(self, bind: Bind) -> bool:
        """Whether a bind is to be bound: an operator that is gone keeps its own while it owes."""
        operator = bind.operator
        is_known = self.journey.operators.get(operator.name) is operator
        return is_known and not bind.removed and not self.journey.is_done_with(bind)

    def keep_bound(self, bind: Bind) -> None:
        """Connect, and again when that is over, as `BindConnector` does."""
        if bind in self._kept_bound:
            return
        self._kept_bound.add(bind)
        self._connect_to(bind)

    def _connect_to(self, bind: Bind) -> None:
        started_at = self.loop.now
        link = OperatorLink(self, self.journey, bind, self.settings.session)

        def ended() -> None:
            wait_s = ConnectionAttempts(bind).wait_s(
                was_bound=link.was_bound,
                status=link.refused_status,
                retired=link.retired,
                lasted_s=self.loop.now - started_at,
                spread=self.loop.rng.random(),
            )
            self.call_later(wait_s, self._connect_again(bind))

        link.on_ended = ended
        if not self.connect(bind, link):
            ended()

    def _connect_again(self, bind: Bind) -> Callable[[], None]:
        def again() -> None:
            if self._is_kept(bind) and not self.journey.intake.draining:
                self._connect_to(bind)
            else:
                self._kept_bound.discard(bind)

        return again

    # A stop, as `App._drain` does it.

    def stop(self, stopped: Callable[[bool], None]) -> None:
        """Answer what is in flight, unbind, leave; `stopped` hears whether there was time."""
        journey = self.journey
        journey.intake.draining = True
        operators = journey.operators.values()

        def unbind_operators(in_time: bool) -> None:
            for link in self._links(OperatorLink):
                self._unbind(link)
            self._until(lambda: not self._links(OperatorLink), UNBIND_S, lambda _: settle(in_time))

        def settle(in_time: bool) -> None:
            journey.deliveries.delivers = False
            self._until(
                lambda: not journey.commits.has_unkept, DRAIN_S, lambda ok: hear(in_time and ok)
            )

        def hear(in_time: bool) -> None:
            self._until(
                lambda: not any(link.session.unanswered for link in self._links(ClientLink)),
                ACKNOWLEDGE_S,
                lambda _: unbind_clients(in_time),
            )

        def unbind_clients(in_time: bool) -> None:
            for link in self._links(ClientLink):
                self._unbind(link)
            self._until(lambda: not self._links(ClientLink), UNBIND_S, lambda _: close(in_time))

        def close(in_time: bool) -> None:
            self.journal.close(lambda: stopped(in_time))

        self._until(
            lambda: (
                not any(operator.in_flight for operator in operators)
                and not any(link.session.owed for link in self._links(ClientLink))
            ),
            DRAIN_S,
            unbind_operators,
        )

    def _until(
        self, reached: Callable[[], bool], longest_s: float, then: Callable[[bool], None]
    ) -> None:
        give_up_at = self.loop.now + longest_s

        def look() -> None:
            if reached():
                then(True)
            elif self.loop.now > give_up_at:
                then(False)
            else:
                self.call_later(LOOK_EVERY_S, look)

        look()

    def _links(self, kind: type[Link]) -> list[Link]:
        links = [connection.link for connection in self.connections]
        return [link for link in links if isinstance(link, kind)]

    def _unbind(self, link: Link) -> None:
        if link.session.state in BOUND:
            link.session.unbind(self.loop.now)
        else:
            link.session.close()
        self.write_soon(link)
