"""router/enqueue/inbox.py: no work is lost or slept over, in every order of the steps."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType

import pytest

from router.enqueue import inbox as under_test
from router.enqueue.inbox import Inbox

NEVER = float("inf")


@dataclass(slots=True)
class Work:
    asked_at: float


@pytest.fixture
def inbox() -> Inbox[Work]:
    return Inbox()


def test_urgent_work_is_taken_in_order(inbox: Inbox[Work]) -> None:
    works = [Work(at) for at in (1.0, 2.0, 3.0)]
    for work in works:
        inbox.add(work, urgent=True)

    assert inbox.urgent(None) == works
    assert inbox.urgent(0.0) == []


def test_work_that_may_wait_stays_until_it_is_taken(inbox: Inbox[Work]) -> None:
    first, second, urgent = Work(1.0), Work(2.0), Work(3.0)
    inbox.add(first, urgent=False)
    inbox.add(second, urgent=False)
    inbox.add(urgent, urgent=True)

    assert inbox.urgent(None) == [urgent]
    assert inbox.oldest_asked_at() == 1.0
    assert inbox.rest() == [first, second]
    assert inbox.oldest_asked_at() == NEVER
    assert inbox.rest() == []


def test_urgent_work_is_never_taken_after_what_was_added_behind_it(inbox: Inbox[Work]) -> None:
    assert inbox.urgent(0.0) == []  # The thread has looked, and is about to take what may wait.
    urgent, behind = Work(1.0), Work(2.0)
    inbox.add(urgent, urgent=True)
    inbox.add(behind, urgent=False)

    assert inbox.rest() == [urgent, behind]


def test_the_thread_is_woken_by_the_first_that_may_wait_and_not_by_others(
    inbox: Inbox[Work],
) -> None:
    news: list[object] = []
    inbox._news = Woken(news)  # type: ignore[assignment]
    for at in (1.0, 2.0, 3.0):
        inbox.add(Work(at), urgent=False)
    assert len(news) == 1

    inbox._may_wait.clear()
    inbox.add(Work(4.0), urgent=False)
    assert len(news) == 2


class Woken:
    """A queue that remembers what was put."""

    def __init__(self, put: list[object]) -> None:
        self.put = put.append


def test_closed_inbox_has_ended_when_all_was_taken(inbox: Inbox[Work]) -> None:
    urgent, unhurried = Work(1.0), Work(2.0)
    inbox.add(urgent, urgent=True)
    inbox.add(unhurried, urgent=False)
    assert not inbox.ended
    inbox.close()

    assert inbox.urgent(None) == [urgent]
    assert inbox.ended
    assert inbox.rest() == [unhurried]
    assert inbox.urgent(None) == []  # Without waiting: nothing more will come.


# Two threads, in every order of their steps with up to three changes between them.


class Stepper:
    """A call in a thread of its own, which stops where it is told to: steps are byte codes."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._left = 0
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self, count: int) -> None:
        """Let it take so many steps, or as many as are left."""
        if not self.over:
            self._left = count
            self._go.release()
            self._stopped.acquire()

    def finish(self) -> None:
        """Let it take all steps."""
        self.step(sys.maxsize)
        self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        sys.settrace(self._trace)  # type: ignore[arg-type] # It returns itself.
        try:
            self._call()
        finally:
            sys.settrace(None)
            self.over = True
            self._stopped.release()

    def _trace(self, frame: FrameType, event: str, _: object) -> object:
        if frame.f_code.co_filename != under_test.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if not self._left:
                self._stopped.release()
                self._go.acquire()
            self._left -= 1
        return self._trace


def steps_of(call: Callable[[], None]) -> int:
    """How many steps the call takes when nobody interferes."""
    stepper, count = Stepper(call), 0
    while not stepper.over:
        stepper.step(1)
        count += 1
    return count


class Sleeper:
    """The journal's thread: takes all work, and falls asleep where nothing wakes it."""

    def __init__(self, inbox: Inbox[Work]) -> None:
        self._inbox = inbox
        self.taken: list[Work] = []

    def go_on(self) -> None:
        """Work until there is nothing to wake up for."""
        inbox = self._inbox
        while True:
            while inbox.oldest_asked_at() != NEVER:  # It looks before it sleeps, each time.
                self.taken += inbox.rest()
            if inbox._news.empty():
                return  # It would sleep for ever, unless somebody wakes it.
            self.taken += inbox.urgent(None)


def orders(limit: int, *, coarse: int) -> list[tuple[int, int]]:
    """Where the first changes over, and how many steps the second takes before the first ends."""
    return [(at, after) for at in range(limit) for after in range(0, limit * 2, coarse)]


@pytest.mark.parametrize("urgent", [True, False])
@pytest.mark.parametrize("before", [0, 1])
def test_no_order_of_steps_loses_work_or_sleeps_over_it(urgent: bool, before: int) -> None:
    steps = steps_of(lambda: Inbox[Work]().add(Work(1.0), urgent=urgent))
    for at, after in orders(steps + 1, coarse=3):
        inbox: Inbox[Work] = Inbox()
        there = [Work(float(number)) for number in range(before)]
        for work in there:
            inbox.add(work, urgent=False)
        new, sleeper = Work(9.0), Sleeper(inbox)
        adds = Stepper(partial(inbox.add, new, urgent=urgent))
        takes = Stepper(sleeper.go_on)

        adds.step(at)
        takes.step(after)
        adds.finish()
        takes.finish()
        # It sleeps now. Whatever is left must have been put where it wakes the thread.
        woken = not inbox._news.empty()
        if woken:
            sleeper.go_on()

        assert sleeper.taken.count(new) == 1, (at, after, woken)
        assert all(sleeper.taken.count(work) == 1 for work in there)


@pytest.mark.parametrize("urgent", [True, False])
def test_no_order_of_steps_loses_work_when_it_is_closed(urgent: bool) -> None:
    def add_and_close(inbox: Inbox[Work], work: Work) -> None:
        inbox.add(work, urgent=urgent)
        inbox.close()

    steps = steps_of(lambda: add_and_close(Inbox(), Work(1.0)))
    for at, after in orders(steps + 1, coarse=3):
        inbox: Inbox[Work] = Inbox()
        work, taken = Work(1.0), list[Work]()

        def take(inbox: Inbox[Work] = inbox, taken: list[Work] = taken) -> None:
            taken += inbox.urgent(0.0)

        adds = Stepper(partial(add_and_close, inbox, work))
        takes = Stepper(take)
        adds.step(at)
        takes.step(after)
        adds.finish()
        takes.finish()
        if not inbox.ended:
            taken += inbox.urgent(None)
        assert inbox.ended
        taken += inbox.rest()

        assert taken == [work], (at, after)


def test_no_order_of_steps_takes_work_before_urgent_work_that_was_added_first() -> None:
    def add_both(inbox: Inbox[Work], urgent: Work, behind: Work) -> None:
        inbox.add(urgent, urgent=True)
        inbox.add(behind, urgent=False)

    steps = steps_of(lambda: add_both(Inbox(), Work(1.0), Work(2.0)))
    for at, after in orders(steps + 1, coarse=3):
        inbox: Inbox[Work] = Inbox()
        there, urgent, behind = Work(0.0), Work(1.0), Work(2.0)
        inbox.add(there, urgent=False)
        taken: list[Work] = []

        def take(inbox: Inbox[Work] = inbox, taken: list[Work] = taken) -> None:
            taken += inbox.urgent(0.0)
            taken += inbox.rest()

        adds = Stepper(partial(add_both, inbox, urgent, behind))
        takes = Stepper(take)
        adds.step(at)
        takes.step(after)
        adds.finish()
        takes.finish()

        assert behind not in taken or urgent in taken[: taken.index(behind)], (at, after)
