"""The whole router in a box: one seed decides everything that happens to it.

    python -m tests.simulation SEED           what happened, line by line
    python -m tests.simulation FIRST LAST     which of these seeds break a promise

Two parts: for a while everybody may misbehave, then everybody behaves and all comes to its end.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

import structlog

from router.enqueue.journal import first_number_at
from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.terms.capacity import Capacity
from router.terms.clock import CONFIRM_S
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.simulation.clients import Client
from tests.simulation.disk import Disk
from tests.simulation.life import Life
from tests.simulation.operators import Operator
from tests.simulation.promises import Promises
from tests.simulation.reconfigured import first_name
from tests.simulation.scenario import MOST_AHEAD_S, Scenario, Voucher, WrongClock, drawn
from tests.simulation.world import LONGEST_SPIKE_S, START, BrokenPromiseError, Loop

LONGEST_REST_S = 600.0
"""By then everything must be over, once everybody behaves."""
BELIEVE_AGAIN_S = 5.0
"""How often a person looks whether the router is in doubt about a clock that is right."""
PARKED_S = 12.0
"""A receipt that nobody knows waits for so long."""


@dataclass(slots=True)
class Result:
    """What a seed has shown."""

    seed: int
    broken: str | None
    """The promise that was broken; None if all were kept."""
    outcomes: dict[str, int]
    """Of the accepted messages."""
    answers: dict[int, int]
    """To clients' submits, by status."""
    requests: dict[tuple[str, int], int]
    """What clients asked about their messages, by the status of the answer."""
    lives: int
    repeated: int
    seconds: float
    """Of simulated time."""
    events: int


class Simulation:
    """One seed."""

    def __init__(self, scenario: Scenario, rng: Random, tell: Callable[[str], None] | None) -> None:
        self.scenario = scenario
        self.rng = rng
        self.loop = loop = Loop(rng, tell)
        self.settings = settings = scenario.settings
        self.disk = disk = Disk(loop, first_number_at(loop.true_utc()))
        self.promises = Promises(loop, disk, settings)
        disk.watcher = self.promises
        disk.slowness_s, disk.hiccups = scenario.slowness_s, scenario.hiccups
        disk.crash_on_commit = self._dies_here
        self.operators = {
            mood.name: Operator(loop, self.promises, settings, mood) for mood in scenario.operators
        }
        self.clients = [Client(loop, self.promises, settings, mood) for mood in scenario.clients]
        self.lives = 0
        self.calm = False
        self._is_ready = False
        self.process: Life
        self._plan()

    def _plan(self) -> None:
        loop, scenario = self.loop, self.scenario
        number = 1
        for client in self.clients:
            client.plan(number, scenario.lasts_s)
            number += client.mood.messages
        for at in scenario.crashes:
            loop.after(at, self._crash)
        for at in scenario.stops:
            loop.after(at, self._stop)
        for at, settings in scenario.configurations:
            loop.after(at, partial(self._reconfigure, settings))
        loop.at_steps = [
            (step, partial(self._reconfigure_now, settings)) for step, settings in scenario.at_steps
        ]
        for at, lasts_s in scenario.full_disk:
            loop.after(at, lambda: self._fill_disk(True))
            loop.after(at + lasts_s, lambda: self._fill_disk(False))
        for at, lasts_s in scenario.stalls:
            loop.after(at, lambda s=lasts_s: self._stall(s))  # type: ignore[misc]
        for at, lasts_s, operator, place in scenario.drains:
            for when, drained in ((at, True), (at + lasts_s, False)):
                loop.after(when, partial(self._drain, operator, place, drained=drained))
        for at, account in scenario.orders:
            loop.after(at, partial(self._order, account))
        for at, by_s in scenario.wall_jumps:
            loop.after(at, lambda s=by_s: self._jump(s))  # type: ignore[misc]
        if (clock := scenario.clock) is not None:
            loop.after(clock.right_s, self._put_clock_right)
            loop.after(clock.vouched_s, partial(self._vouch, clock.by))
        self._start()

    # What happens to the router.

    def _start(self) -> None:
        self._set_clock()
        self.lives += 1
        self._is_ready = False
        self.process = process = Life(
            self.loop, self.settings, self.disk, self.lives, capacity_of(self.scenario)
        )
        process.after_turn, process.after_wake = self.promises.after_turn, self.promises.after_wake
        self.promises.begins(process)
        if self.promises.given is not self.settings:
            self.promises.changed(self.settings)
        self.loop.tell(f"router    starts, life {self.lives}")
        process.ready = self._ready
        process.failed = self._crash
        process.connect = self._connect
        process.start()

    def _ready(self) -> None:
        process = self.process
        self.loop.tell(f"router    is ready {process.journey.taken_up}")
        for operator in process.journey.operators.values():
            for bind in operator.binds:
                process.keep_bound(bind)
        self._is_ready = True
        if process.settings is not self.settings:
            self._adopt()
        for client in self.clients:
            client.serve(process)

    def _reconfigure(self, settings: Settings) -> None:
        self.settings = settings
        process = self.process
        if process.alive and self._is_ready and not process.journey.intake.draining:
            process.soon(self._adopt)

    def _reconfigure_now(self, settings: Settings) -> None:
        """Between two steps, with nothing in between."""
        if self.loop.now > START + self.scenario.lasts_s:
            return
        self.settings = settings
        process = self.process
        if process.alive and self._is_ready and not process.journey.intake.draining:
            self._adopt()

    def _adopt(self) -> None:
        """The router follows the configuration that is there now."""
        self.loop.tell(f"router    is given another configuration: {list(self.settings.operators)}")
        self.promises.changed(self.settings)
        self.process.adopt(self.settings)

    def _connect(self, bind: Bind, link: OperatorLink) -> bool:
        return self.operators[first_name(bind.operator.name)].connect(self.process, bind, link)

    def _stop(self) -> None:
        process = self.process
        if not process.alive or process.journey.intake.draining:
            return
        self.loop.tell("router    is told to stop")

        def stopped(in_time: bool) -> None:
            self.loop.tell(f"router    has stopped{'' if in_time else ', though much was open'}")
            if in_time:
                self.promises.stopped()
            self._crash()

        process.soon(lambda: process.stop(stopped))

    def _crash(self) -> None:
        if self.process.alive:
            self.loop.tell("router    dies")
            if not self.process.journey.intake.draining:
                self.promises.dies()
            self.process.die()
            down_s = LONGEST_SPIKE_S + self.rng.uniform(0.05, 3.0)
            self.loop.after(down_s, self._start)

    def _dies_here(self) -> bool:
        if not self.calm and self.rng.random() < self.scenario.crashes_on_commit:
            self._crash()
            return True
        return False

    def _fill_disk(self, is_full: bool) -> None:
        self.loop.tell(f"disk      {'is full' if is_full else 'has room'}")
        self.disk.is_full = is_full

    def _stall(self, seconds: float) -> None:
        self.loop.tell(f"router    stalls for {seconds:.3f} s")
        self.process.stalled_until = self.loop.now + seconds

    def _drain(self, operator: OperatorName, place: int, *, drained: bool) -> None:
        """As the command does it; a router that was started since has forgotten it."""
        process = self.process

        def act() -> None:
            one = process.journey.operators.get(operator)
            if one is None or place >= len(one.binds):
                return  # Another configuration has it no more.
            bind = one.binds[place]
            self.loop.tell(f"{bind.settings.name:9} is {'drained' if drained else 'resumed'}")
            one.drain(bind, drained=drained)
            process.journey.availability.changed(bind)

        if process.alive:
            process.soon(act)

    def _order(self, account: AccountName) -> None:
        """A person has all cancelled that an account has waiting."""
        process = self.process

        def begin() -> None:
            if process.settings is self.settings:
                self.promises.ordered(process, account)

        if process.alive and self._is_ready and not process.journey.intake.draining:
            process.soon(begin)

    def _jump(self, seconds: float) -> None:
        self.loop.tell(f"wall clock jumps by {seconds:.0f} s")
        self.loop.set_wall(self.loop.wall_error_s + seconds)

    # A clock that is wrong when the router starts.

    def _set_clock(self) -> None:
        """The router is about to start."""
        loop, clock = self.loop, self.scenario.clock
        if clock is None:
            loop.set_wall(0.0)
        elif (
            clock.from_s <= loop.now - START < clock.right_s
            and not loop.wall_error_s
            # Where the journal knows no better, a clock that is far ahead would be believed.
            and (clock.error_s < MOST_AHEAD_S or self.disk.knows_the_time)
        ):
            loop.tell(f"wall clock is wrong by {clock.error_s:.0f} s")
            loop.set_wall(clock.error_s)

    def _put_clock_right(self) -> None:
        self.loop.tell("wall clock is put right")
        self.loop.set_wall(0.0)

    def _vouch(self, by: Voucher) -> None:
        """The kernel says from now on that the wall clock is right, or a person says so."""
        if by == "kernel":
            self.loop.tell("kernel    says that the wall clock is right")
            self.loop.is_synchronised = True
        elif self.process.alive and self._is_ready:
            self.process.soon(self._believe)

    def _believe(self) -> None:
        """As the command does it."""
        promises, process = self.promises, self.process
        promises.times.is_believed_by_command = True
        ahead_s = process.journey.clocks.believe(self.loop.now)
        self.loop.tell(f"a person  believes the wall clock, which was {ahead_s:.0f} s ahead")
        promises.after_wake()

    def _end_doubts(self, clock: WrongClock) -> None:
        """The clock is right, and somebody says so; or so much time passes that none need."""
        if clock.at_last == "kernel":
            self._vouch("kernel")
        else:
            self.loop.after(
                BELIEVE_AGAIN_S if clock.at_last == "person" else CONFIRM_S + BELIEVE_AGAIN_S,
                self._look_for_doubts,
            )

    def _look_for_doubts(self) -> None:
        if self._is_in_doubt():
            self._vouch("person")
            self.loop.after(BELIEVE_AGAIN_S, self._look_for_doubts)

    def _is_in_doubt(self) -> bool:
        return self.promises.times.error_s != 0.0 or self.process.journey.clocks.steady.is_in_doubt

    # The two parts.

    def run(self) -> None:
        """Raise BrokenPromiseError, or return when all is over."""
        loop = self.loop
        loop.run(START + self.scenario.lasts_s + 5.0)
        loop.tell("everybody behaves from now on")
        self.calm = True
        self.disk.is_full = False
        self.disk.hiccups = 0.0
        loop.set_wall(0.0)
        if self.scenario.clock is not None:
            self._end_doubts(self.scenario.clock)
        for operator in self.operators.values():
            operator.behave()
        for client in self.clients:
            client.behave()
        self._wait(self._is_over)
        loop.run(loop.now + PARKED_S)
        self._wait(self._expects_nothing)
        if any(operator.owed for operator in self.operators.values()):
            raise BrokenPromiseError("an operator waits for an answer to its deliver_sm")
        if not all(client.is_content for client in self.clients):
            raise BrokenPromiseError("a client waits for an answer to its submit_sm")
        self.promises.at_rest()

    def _wait(self, reached: Callable[[], bool]) -> None:
        give_up_at = self.loop.now + LONGEST_REST_S
        if self.scenario.clock is not None and self.scenario.clock.at_last == "time":
            give_up_at += CONFIRM_S
        while not reached() and self.loop.now < give_up_at:
            self.loop.run(self.loop.now + 1.0)

    def _expects_nothing(self) -> bool:
        """Receipts of attempts whose message is settled are waited for as long as others."""
        return not any(len(one) for one in self.process.journey.pending.correlators.values())

    def _is_over(self) -> bool:
        return (
            self.process.alive
            and not self._is_in_doubt()
            and self.disk.is_empty
            and all(client.is_content for client in self.clients)
            and not any(operator.owed for operator in self.operators.values())
            and not any(self.process.journey.rooms.taken(a) for a in self.settings.accounts)
        )


def simulate(seed: int, tell: Callable[[str], None] | None = None) -> Result:
    """Live through one seed; `tell` is handed a line for whatever happens."""
    rng = Random(seed)
    scenario = drawn(seed, rng)
    with quiet():
        simulation = Simulation(scenario, rng, tell)
        broken: str | None = None
        try:
            simulation.run()
        except BrokenPromiseError as error:
            cause = error.__cause__
            broken = str(error) if cause is None else f"{error}, {_where(cause)}"
            simulation.loop.tell(f"BROKEN    {broken}")
        except ValueError as error:  # Raised by `len` where a count has gone below nothing.
            broken = str(error)
            simulation.loop.tell(f"BROKEN    {broken}")
    loop, promises = simulation.loop, simulation.promises
    settled = [m.settled for m in promises.by_id.values() if m.settled is not None]
    answers = [m.answer for m in promises.by_body.values() if m.answer is not None]
    return Result(
        seed=seed,
        broken=broken,
        outcomes=dict(Counter(Outcome(one.outcome).name for one in settled)),
        answers=dict(Counter(answers)),
        requests=dict(promises.requests),
        lives=simulation.lives,
        repeated=promises.repeated,
        seconds=loop.now - START,
        events=loop.events,
    )


def _where(error: BaseException) -> str:
    """The innermost line of the router that an exception went through."""
    where = "somewhere"
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        where = f"{file.rpartition('router/')[2]}:{trace.tb_lineno}" if "router/" in file else where
        trace = trace.tb_next
    return where


@contextmanager
def quiet() -> Iterator[None]:
    """The router's log lines cost more than all the rest, and nobody reads them here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


def capacity_of(scenario: Scenario) -> Capacity:
    """So little memory that the few messages of a seed do not fit."""
    of_queue, of_account = scenario.in_memory, scenario.deliveries_in_memory
    return Capacity(
        queue_messages=of_queue,
        queue_refill_below=max(1, of_queue // 2),
        queue_fetch=max(1, of_queue // 2),
        pending_receipts=scenario.attempts_in_memory,
        outbox_deliveries=of_account,
        outbox_refill_below=max(1, of_account // 2),
        outbox_away=max(1, of_account // 10),
        outbox_fetch=max(1, of_account // 2),
        outbox_retrying=of_account // 2,
        outbox_per_turn=max(1, of_account // 5),
    )
