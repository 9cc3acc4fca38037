"""Where a message stops on its way: the stages, built from the settings, and the turn of the loop.

`journey.py` and `homeward.py` are the acts; this is what they act on. What an act wants kept goes
into the turn's `Changes`, who must be written, pumped or handed something is noted, and all of it
happens once, when the turn ends.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from router.accept.accounts import Account
from router.accept.admission import Admission
from router.check.submit import Checks
from router.decide.segments import Groups
from router.decide.table import RouteTable
from router.enqueue.ids import Ids
from router.enqueue.journal import BEGINNING, Changes, Journal, Settlement, Wanted
from router.enqueue.lanes import Lanes
from router.enqueue.returns import Returns
from router.forward.pool import Bind, Operator
from router.report.correlate import Correlator
from router.report.handback import Outbox, Receiver
from router.report.inbound import InboundRules
from router.smpp import receipt as r
from router.smpp.pdu import Pdu, Sm, response
from router.smpp.receipt import Receipt
from router.smpp.session import Note, Peer
from router.smpp.states import State
from router.terms.capacity import Capacity
from router.terms.clock import SteadyUtc
from router.terms.counters import Counters
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId, OperatorName, RouterId
from router.terms.outcome import JournalError
from router.terms.plan import Plans
from router.terms.settings import Settings

NEVER: Final = float("inf")
SWEEP_S: Final = 1.0
TELL_TIME_EVERY_S: Final = 60.0
"""The journal is told what time it is: a later process compares it with its wall clock."""


class Client(Receiver, Protocol):
    """A client's bind."""

    @property
    def account(self) -> Account:
        """Whose it is."""

    @property
    def admission(self) -> Admission:
        """Its gate."""

    def tell(self, note: Note) -> None:
        """Have this logged; it is counted already."""


class OperatorPeer(Peer, Protocol):
    """A bind to an operator, as it is connected now."""

    @property
    def bind(self) -> Bind:
        """Which one."""

    def rebind(self) -> None:
        """Unbind, and bind anew."""

    def tell(self, note: Note) -> None:
        """Have this logged; it is counted already."""


@dataclass(slots=True)
class Reply:
    """Who waits for an answer until a batch is safe."""

    peer: Peer
    command_id: int
    sequence_number: int
    brought: Delivery | None = None
    """What the request brought for a client, and brings again if it is answered to come again."""


@dataclass(slots=True)
class Arrival:
    """A receipt as it came; it may have to wait for its message's submit_sm_resp."""

    peer: OperatorPeer
    pdu: Pdu
    sm: Sm
    receipt: Receipt
    has_waited: bool = False
    """Its message has had the time to come."""


@dataclass(slots=True)
class ToDecide:
    """A queue that an earlier process left; its plan has an operator that is no more."""

    wanted: Wanted
    decided: list[Message] = field(default_factory=list)
    """The last ones that have got a plan of this configuration."""
    is_fetching: bool = False


class Stations:
    """All stages of one router. Clocks and `later` (run this in a later turn) are handed in."""

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal,
        clock: Callable[[], float],
        clock_utc: Callable[[], float],
        later: Callable[[Callable[[], None]], object],
        settled: Callable[[Settlement], None],
        journal_changed: Callable[[JournalError | None], None] = lambda _: None,
        clock_changed: Callable[[float], None] = lambda _: None,
        capacity: Capacity = Capacity(),
    ) -> None:
        """`settled` hears of every outcome; `journal_changed` of a failure, and None of its end.

        `clock_changed` hears how far ahead a wall clock is that is not believed, and 0 when it is.
        """
        now = clock()
        self.settings: Final = settings
        self.capacity: Final = capacity
        self.journal: Final = journal
        self.clock: Final = clock
        self.wall: Final = SteadyUtc(now, clock_utc())
        self._wall_clock: Final = clock_utc
        self.counters: Final = Counters()
        self.plans: Final = Plans()
        self.checks: Final = Checks(settings.lanes)
        self.routes: Final = RouteTable(settings.routes, self.plans, settings.lanes)
        self.groups: Final = Groups(capacity=capacity)
        self.inbound: Final = InboundRules(settings.inbound)
        returns = Returns({name: one.ramp_s for name, one in settings.operators.items()}, now)
        self.lanes: Final = Lanes(settings.lanes, settings.accounts, returns, capacity=capacity)
        self.operators: Final = {
            name: Operator(operator, now, keeps_room=len(settings.lanes) > 1, capacity=capacity)
            for name, operator in settings.operators.items()
        }
        self.correlators: Final[dict[OperatorName, Correlator[Arrival]]] = {
            name: Correlator(operator.message_id, operator.receipt_wait_s, capacity=capacity)
            for name, operator in settings.operators.items()
        }
        self.outboxes: Final = {
            name: Outbox(of, capacity=capacity) for name, of in settings.accounts.items()
        }
        self.draining = False
        """No new submits are taken in, and nothing more is sent to operators."""
        self.hands_back = True
        """Whether clients are given what is held for them; not when the router is about to go."""
        self.journal_up = True
        """False from a commit that failed until one that does not."""
        self.taken_up = {"messages": 0, "receipts_expected": 0, "deliveries": 0, "left_waiting": 0}
        """What an earlier process left. `left_waiting` stays in the journal: its account, or every
        operator that could take it, is in this configuration no more."""
        self._later = later
        self._settled = settled
        self._journal_changed = journal_changed
        self._clock_changed = clock_changed
        self._clock_doubted = False
        self._tell_time_at = now
        self._turn_ends = False
        self._accepts = Changes()
        self._settles = Changes()
        self._marks = Changes()
        self._unsafe: list[Changes] = []
        self._to_write: list[Peer] = []
        self._to_pump: set[OperatorName] = set()
        self._to_hand_back: set[AccountName] = set()
        self._ids: Final = Ids(journal, settings.node)
        self._sweep_at = now + SWEEP_S
        self._retry_at = NEVER
        self._operators_at = NEVER
        """When the first operator has a slot again; this and the next may be early, never late."""
        self._outboxes_at = NEVER
        self._written: dict[int, RouterId] = {}
        """The newest message of each queue of the journal that was written to an operator."""
        self._expired: list[Message] = []
        self._turned_away: list[Message] = []
        """Pulled by an operator that other parts of the same long message keep it from."""
        self._to_decide: list[ToDecide] = []
        self._withheld: dict[RouterId, tuple[Receipt, r.State]] = {}
        """Failures of one attempt, while another may still end well."""
        self._doubted: dict[RouterId, Message] = {}
        """Messages that more than one operator, or one twice, may have taken."""
        self._under_way: list[Changes] = []
        """What the journal was asked to keep, of what may wait, and has not answered for."""
        self._asking: dict[OperatorName, list[tuple[OperatorId, Arrival]]] = {}
        """Receipts whose message is not in memory, until the journal can be asked."""
        self._in_question: Counter[tuple[OperatorName, OperatorId]] = Counter()
        """The same and those for which it has been asked, by id."""
        self._readings = 0
        self._over: set[RouterId] = set()
        """Messages that are settled, though the reading that is under way may not see it."""
        self._hungry: dict[AccountName, None] = {}
        """Accounts whose outbox the journal should be read for, in their turns."""
        self._held_is_read = False
        self._held_again_at = now
        """Not before then, so that it is not read faster than it may be."""
        self._read_held_at = NEVER
        self._to_search: list[OperatorName] = []
        self._search_from = BEGINNING
        self._search_at = now

    def clock_utc(self) -> float:
        """Unix time, for what outlives a restart; it does not follow the wall clock's jumps."""
        return self.wall.at(self.clock())

    def _look_at_the_clock(self, now: float) -> None:
        """Follow the wall clock, or tell that it is not believed."""
        self.wall.look(now, self._wall_clock())
        if now >= self._tell_time_at:
            self._tell_time_at = now + TELL_TIME_EVERY_S
            self._settles.at_utc = self.wall.at(now)
            self._end_turn_soon()
        if self.wall.is_in_doubt != self._clock_doubted:
            self._clock_doubted = self.wall.is_in_doubt
            self._clock_changed(self.wall.doubted_s)

    @property
    def has_unkept(self) -> bool:
        """Whether something has happened that is not safe in the journal yet."""
        return bool(self.journal.pending or self._accepts or self._settles or self._unsafe)

    # Ends a turn, and what depends on time: the journey knows in which order.

    def _finish_turn(self) -> None:
        """Do, once, what the turn has left to be done."""
        raise NotImplementedError

    def _note_not_written(self, message: Message) -> None:
        """Have the journal know that it is with no operator."""
        raise NotImplementedError

    # What an act may leave for the end of the turn.

    def write_soon(self, peer: Peer) -> None:
        """Have the peer's session written when this turn ends."""
        if not peer.to_write:
            peer.to_write = True
            self._to_write.append(peer)
            if not self._turn_ends:
                self._end_turn_soon()

    def _wants_pump(self, operator: OperatorName | None) -> None:
        if operator is not None:
            self._to_pump.add(operator)
            if not self._turn_ends:
                self._end_turn_soon()

    def _end_turn_soon(self) -> None:
        if not self._turn_ends:
            self._turn_ends = True
            self._later(self._finish_turn)

    def _reply(self, reply: Reply, status: int) -> None:
        """The operator hears that its deliver_sm is safe, or that it must come again."""
        session = reply.peer.session
        if session.state is not State.CLOSED:
            session.respond(response(reply.command_id, reply.sequence_number, status, b"\0"))
            self.write_soon(reply.peer)


def reply_to(came: Arrival) -> Reply:
    """The answer that this receipt waits for."""
    return Reply(came.peer, came.pdu.command_id, came.pdu.sequence_number)
