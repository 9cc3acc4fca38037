"""Each journal that there is, for tests of what all of them do: its loop, and how it fails."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from router.enqueue.journal import (
    Changes,
    Journal,
    JournalError,
    LookedUp,
    PendingReceipt,
    Recovered,
    Wanted,
)
from router.enqueue.memory import MemoryJournal
from router.enqueue.sqlite import SqliteJournal
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from tests.simulation.disk import Disk, SimulatedJournal, Transaction
from tests.simulation.world import Loop, Process
from tests.unit.enqueue.turns import Turns
from tests.unit.messages import BANK, OTP, PLANS, TELIA, TO_TELIA

FULL = JournalError("no space left on device")


class Kept(ABC):
    """A journal, and the loop that it answers to."""

    turns: Turns
    journal: Journal
    is_closed = False
    """Whether a test has closed the journal itself."""

    @abstractmethod
    def restart(self) -> None:
        """Have a new process on what this one has left."""

    @abstractmethod
    def set_broken(self, *, broken: bool) -> None:
        """Have all that is asked from now on fail, or not."""

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Whatever is asked and answered while this lasts fails."""
        self.set_broken(broken=True)
        yield
        self.set_broken(broken=False)

    def close(self) -> None:
        """End this process."""
        if not self.is_closed:
            self.turns.close(self.journal)

    # What it is asked, each until it has answered.

    def keep(self, one: Changes) -> JournalError | None:
        """Commit; return the error."""
        return self.turns.keep(self.journal, one)

    def waiting(
        self,
        after: int = 0,
        count: int = 1000,
        plan: Plan = TO_TELIA,
        lane: LaneName = OTP,
        account: AccountName = BANK,
    ) -> list[Message]:
        """The next messages of a queue."""
        wanted = Wanted(QueueKey(plan, lane, account), RouterId(after), count)
        return self.turns.waiting(self.journal, wanted)

    def sent(
        self,
        operator: OperatorName = TELIA,
        before_utc: float = float("inf"),
        count: int = 1000,
    ) -> list[PendingReceipt]:
        """What this operator took before, in pieces of `count`; the same one may come twice."""
        return self.turns.sent(self.journal, operator, before_utc, count)

    def recalled(
        self, *operator_ids: bytes, operator: OperatorName = TELIA
    ) -> list[PendingReceipt]:
        """What the operator took under these ids."""
        return self.turns.recalled(self.journal, *operator_ids, operator=operator)

    def looked_up(self, *router_ids: int) -> LookedUp:
        """What is kept of these messages."""
        return self.turns.looked_up(self.journal, *router_ids)

    def searched(
        self,
        destination: bytes,
        account: AccountName = BANK,
        count: int = 1000,
        most: int = 2**60,
    ) -> list[Message]:
        """What an account has waiting for a destination, searched in pieces of `count`."""
        return self.turns.searched(self.journal, account, destination, count, most)

    def held(self, after: int = 0, count: int = 1000) -> list[Delivery]:
        """The next deliveries of the bank."""
        return self.turns.held(self.journal, after, count)

    def recovered(self) -> Recovered:
        """What a new process finds, which this begins."""
        self.restart()
        return self.turns.recovered(self.journal)


class InMemory(Kept):
    """The twin. It is its own successor."""

    def __init__(self, _: Path) -> None:
        self.turns = Turns()
        self.memory = MemoryJournal(self.turns.soon, 1000)
        self.journal = self.memory

    def restart(self) -> None:
        """See `Kept`."""

    def set_broken(self, *, broken: bool) -> None:
        """See `Kept`."""
        self.memory.failing = FULL if broken else None


class OnSqlite(Kept):
    """The file, which is away while it is broken."""

    def __init__(self, folder: Path) -> None:
        self.turns = Turns()
        self._path = folder / "router.db"
        self.journal: SqliteJournal = self._open()

    def _open(self) -> SqliteJournal:
        return self.turns.open(self._path, first_number=1000)

    def restart(self) -> None:
        """See `Kept`."""
        self.close()
        self.journal = self._open()

    def set_broken(self, *, broken: bool) -> None:
        """See `Kept`."""
        away = self._path.with_name("away.db")
        if broken:
            self._path.rename(away)
        else:
            away.rename(self._path)


class Simulated(Kept):
    """The simulation's, on a disk that forgets what was not synced."""

    def __init__(self, _: Path) -> None:
        self._loop = Loop(Random(7), None)
        self.turns = SimulatedTurns(self._loop)
        self._disk = Disk(self._loop, 1000)
        self._disk.watcher = _Nobody()
        self._lives = 0
        self.restart()

    def restart(self) -> None:
        """See `Kept`. It dies without a word."""
        self._lives += 1
        self.process = Process(self._loop, self._lives)
        self.journal = SimulatedJournal(self._disk, self.process, PLANS.of, self._loop.wall)

    def set_broken(self, *, broken: bool) -> None:
        """See `Kept`."""
        self._disk.hiccups = float(broken)


class SimulatedTurns(Turns):
    """Turns of the simulation's loop."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def until(self, reached: Callable[[], object]) -> None:
        """See `Turns`."""
        give_up_at = self._loop.now + 60.0
        while not reached():
            assert self._loop.now < give_up_at, "the journal says no more"
            self._loop.run(self._loop.now + 0.0001)


class _Nobody:
    """Judges nothing."""

    def committed(self, transaction: Transaction) -> None:
        """See `Watcher`."""


JOURNALS: list[Callable[[Path], Kept]] = [InMemory, OnSqlite, Simulated]
