"""One process of the router: all of it that needs no socket, no thread and no clock of its own."""

from collections.abc import Callable

from router.accept.accounts import Accounts
from router.accept.server import ClientLink
from router.enqueue.journal import JournalError
from router.forward.bind import CREDENTIALS, LASTED_S, OperatorLink
from router.forward.pool import Bind, reconnect_wait_s
from router.journey import Journey
from router.smpp.states import BOUND
from router.terms.settings import Settings
from tests.simulation.disk import Disk, SimulatedJournal
from tests.simulation.world import Loop, Process

LOOK_EVERY_S = 0.05
DRAIN_S = 4.0
"""How long a stop waits for answers; less than `DRAIN_S` in `router/wiring/app.py`."""


class Life(Process):
    """One process of the router."""

    def __init__(self, loop: Loop, settings: Settings, disk: Disk, life: int) -> None:
        super().__init__(loop, life)
        self.settings = settings
        self.failed: Callable[[], None] = lambda: None
        self.ready: Callable[[], None] = lambda: None
        self.connect: Callable[[Bind, OperatorLink], bool] = lambda _bind, _link: False
        """Reaches an operator, if one listens."""
        self.journal = SimulatedJournal(disk, self, lambda names: self.journey.plans.of(names))
        self.accounts = Accounts(settings.accounts, b"secret", loop.now)
        self.journey = Journey(
            settings,
            journal=self.journal,
            clock=self.clock,
            clock_utc=loop.wall,
            later=self.later,
            settled=lambda _: None,
        )

    def start(self) -> None:
        """As `router/wiring/app.py` does it."""

        def started(error: JournalError | None) -> None:
            (self.ready if error is None else self.failed)()

        self.soon(lambda: self.journey.start(started))

    def keep_bound(self, bind: Bind) -> None:
        """Connect, and again when that is over, as `BindKeeper` does."""
        started_at = self.loop.now
        link = OperatorLink(self, self.journey, bind, self.settings.session)

        def ended() -> None:
            if self.loop.now - started_at > LASTED_S:
                bind.failures = 0
            wait_s = reconnect_wait_s(
                bind.operator.settings.reconnect,
                bind.failures,
                refused=link.refused_status in CREDENTIALS,
                spread=self.loop.rng.random(),
            )
            bind.failures += 1
            self.call_later(wait_s, self._connect_again(bind))

        link.on_ended = ended
        if not self.connect(bind, link):
            ended()

    def _connect_again(self, bind: Bind) -> Callable[[], None]:
        return lambda: None if self.journey.draining else self.keep_bound(bind)

    # A stop, as `App._drain` does it.

    def stop(self, stopped: Callable[[bool], None]) -> None:
        """Answer what is in flight, unbind, leave; `stopped` hears whether there was time."""
        self.journey.draining = True
        give_up_at = self.loop.now + DRAIN_S

        def look() -> None:
            if not self._in_flight():
                self._unbind()
                self.call_later(1.0, lambda: self.journal.close(lambda: stopped(True)))
            elif self.loop.now > give_up_at:
                stopped(False)
            else:
                self.call_later(LOOK_EVERY_S, look)

        look()

    def _in_flight(self) -> int:
        links = [connection.link for connection in self.connections]
        return self.journal.pending + sum(
            len(link.session.unanswered)
            + (link.session.owed if isinstance(link, ClientLink) else 0)
            for link in links
        )

    def _unbind(self) -> None:
        for connection in list(self.connections):
            link = connection.link
            if link.session.state in BOUND:
                link.session.unbind(self.loop.now)
            else:
                link.session.close()
            self.write_soon(link)
