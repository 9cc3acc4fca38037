"""The end of the process: within one budget of time, whatever peers and the disk do.

    answered      what operators have in flight, and what clients wait for
    unbound       operators; meanwhile clients acknowledge what they have been given
    kept          by the journal: all that has happened
    gone          clients
    closed        the journal

Each of these has a share of the budget, and what it does not need is left to those behind it. What
has not come about by then waits in the journal for the next process, or is in doubt there.

Where the journal cannot write, nothing that peers still say would be kept: the budget is short.

A thread of its own ends the process when the budget is used up, because a thread that waits for a
disk can be neither ended nor waited for. The journal is then not marked as closed.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog

from router.accept.server import ClientLink
from router.enqueue.journal import Journal
from router.journey import Journey
from router.smpp.states import BOUND
from router.telemetry.record_lookup import RecordLookup
from router.telemetry.records import Recorder
from router.wiring.connectors import Connectors
from router.wiring.http_server import HttpServer

ANSWERED: Final = 0.7
UNBOUND: Final = 0.8
KEPT: Final = 0.9
GONE: Final = 0.95
"""Shares of the budget. The last twentieth is for closing the journal."""
UNBOUND_S: Final = 2.0
GONE_S: Final = 1.0
"""How long peers are waited for at most that do not answer an unbind, or acknowledge nothing: all
others wait for the next process meanwhile."""
DOWN_S: Final = 4.0
"""The budget where the journal cannot write."""
AT_ONCE_S: Final = 2.0
"""The rest of the budget after a second signal: only for closing the journal."""
ENDED_S: Final = 3.0
"""How long the threads have to end, when all is done."""
TOLD_S: Final = 0.2
"""How long the last line of the log may take, before a process is ended by force."""
LOOK_EVERY_S: Final = 0.02
NEVER: Final = float("inf")

log = structlog.get_logger()


class Budget:
    """The time that a stop has, in monotonic seconds."""

    def __init__(self, now: float, within_s: float) -> None:
        self._began_at: Final = now
        self.ends_at = now + within_s

    def until(self, share: float, now: float, longest_s: float = NEVER) -> float:
        """Return when a wait of at most so long ends, if it ends with this share of the budget."""
        share_ends_at = self._began_at + share * (self.ends_at - self._began_at)
        return min(share_ends_at, now + longest_s)

    def shorten(self, now: float, within_s: float) -> None:
        """End after this time at the latest."""
        self.ends_at = min(self.ends_at, now + within_s)


class Stop:
    """One stop: drains, unbinds and closes. `run` it once."""

    def __init__(
        self,
        journey: Journey,
        connectors: Connectors,
        clients: Collection[ClientLink],
        servers: Sequence[HttpServer],
        clock: Callable[[], float],
        within_s: float,
        *,
        recorder: Recorder | None = None,
        lookup: RecordLookup | None = None,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        """`end_process` is called with the exit status, in a thread, when the time is over."""
        self._journey: Final = journey
        self._journal: Final[Journal] = journey.journal
        self._connectors: Final = connectors
        self._clients: Final = clients
        self._servers: Final = servers
        self._clock: Final = clock
        self._end_process: Final = end_process
        self._recorder: Final = recorder
        self._lookup: Final = lookup
        self.budget: Final = Budget(clock(), within_s - TOLD_S)
        self._waits_for = "answers"
        self._hurries = False
        """Whether a second signal has come: nothing but the journal is waited for."""
        self._is_down = False
        """Whether the journal was found to be down."""
        threading.Thread(target=self._end_in_time, name="stop", daemon=True).start()

    async def run(self) -> None:
        """Wait for answers, unbind all, close the journal and the ports for HTTP."""
        journey = self._journey
        self._connectors.stop_binding()
        await self._until(lambda: not self._unanswered(), ANSWERED)
        # Operators deliver no more. What clients have not acknowledged is delivered again later.
        self._waits_for = "operators"
        self._connectors.unbind()
        journey.deliveries.delivers = False
        # It takes half a second, for which the next process would have to wait.
        stopped = asyncio.gather(*[asyncio.to_thread(server.stop) for server in self._servers])
        await self._until(
            lambda: self._connectors.are_over and not self._undelivered(), UNBOUND, UNBOUND_S
        )
        self._waits_for = "commits"
        await self._until(lambda: not journey.commits.has_unkept, KEPT)
        self._waits_for = "clients"
        for link in list(self._clients):
            if link.session.state in BOUND:
                link.session.unbind(self._clock())
            else:
                link.session.close()
            journey.write_soon(link)
        await self._until(lambda: not self._clients, GONE, GONE_S)
        self._waits_for = "records"
        if self._lookup is not None:
            await asyncio.to_thread(self._lookup.close)
        if self._recorder is not None:
            self._recorder.add(journey.quality.take_days())
            # It reads the journal, which is then closed as a whole.
            await asyncio.to_thread(self._recorder.stop)
        self._waits_for = "journal"
        closed = asyncio.get_running_loop().create_future()
        self._journal.close(lambda: closed.set_result(None))
        await closed
        self._waits_for = ""
        await stopped

    def hurry(self) -> None:
        """End the waits for peers and commits."""
        self._hurries = True
        self.budget.shorten(self._clock(), AT_ONCE_S)

    def is_over(self) -> None:
        """Tell that nothing is left to be done but to end threads."""
        self.budget.shorten(self._clock(), ENDED_S)

    # What is waited for.

    def _unanswered(self) -> int:
        """Return how many answers clients still wait for, and operators still owe."""
        operators = self._journey.operators.values()
        return sum(operator.in_flight for operator in operators) + sum(
            link.session.owed for link in self._clients
        )

    def _undelivered(self) -> int:
        """Return the number of deliver_sm that clients have not acknowledged."""
        return sum(len(link.session.unanswered) for link in self._clients)

    async def _until(
        self, reached: Callable[[], bool], share: float, longest_s: float = NEVER
    ) -> None:
        began_at = self._clock()
        while not (reached() or self._hurries):
            now = self._clock()
            self._look_at_journal(now)
            if now >= self.budget.until(share, began_at, longest_s):
                return
            # A stop waits for dozens of conditions: polling is simpler than an event for each.
            await asyncio.sleep(LOOK_EVERY_S)

    def _look_at_journal(self, now: float) -> None:
        if not (self._is_down or self._journey.commits.up):
            self._is_down = True
            self.budget.shorten(now, DOWN_S)

    # The end, whatever happens.

    def _end_in_time(self) -> None:
        """End the process when the time is over; in a thread of its own."""
        is_never_set = threading.Event()
        while not is_never_set.wait(LOOK_EVERY_S):
            if self._clock() >= self.budget.ends_at:
                self._end_by_force()
                return

    def _end_by_force(self) -> None:
        waits_for = self._waits_for
        if waits_for:
            # The log may be on the same disk.
            teller = threading.Thread(
                target=lambda: log.error("router.stop_forced", waits_for=waits_for), daemon=True
            )
            teller.start()
            teller.join(TOLD_S)
        self._end_process(1 if waits_for else 0)
