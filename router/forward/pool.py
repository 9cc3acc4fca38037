"""An operator as the router uses it: its binds, and which of them may send now.

Pure: it is told when a bind comes up, when something was written or answered and what time it is,
and says which bind may send and when to ask again. Rates and windows are those of the contract, and
belong to a bind's configured name: they outlive the connection.
"""

from heapq import heappop, heappush, heapreplace
from typing import Final

from router.forward.lifetime import Lifetime
from router.forward.pacing import BusiestSecond, Pacer, RoundTrip
from router.smpp.session import Peer, Session
from router.smpp.states import State
from router.terms.message import Message
from router.terms.settings import BindSettings, OperatorSettings

NEVER: Final = float("inf")
_SENDING: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})


class Flight:
    """One writing of a message to an operator, until it is answered or given up."""

    __slots__ = ("bind", "message", "operator_slot", "over", "sent_at", "slot")

    def __init__(
        self, message: Message, bind: "Bind", slot: int, operator_slot: int, sent_at: float
    ) -> None:
        self.message = message
        self.bind = bind
        self.slot = slot
        self.operator_slot = operator_slot
        self.sent_at = sent_at
        self.over = False
        """Its fate was decided without an answer: what comes now comes late."""


class Bind:
    """One configured bind to an operator."""

    __slots__ = (
        "address",
        "busiest",
        "changed_at",
        "drained",
        "failures",
        "in_heap",
        "lifetime",
        "operator",
        "pacer",
        "peer",
        "resting_until",
        "retires",
        "round_trip",
        "session",
        "settings",
        "window",
        "writable",
    )

    def __init__(
        self, settings: BindSettings, operator: "Operator", now: float, place: float = 0.0
    ) -> None:
        """`place` is its own among the binds of its operator, from 0 up to 1."""
        self.settings: Final = settings
        self.operator: Final = operator
        self.pacer: Final = None if settings.rate is None else Pacer(settings.rate, now)
        self.round_trip: Final = RoundTrip()
        self.busiest: Final = BusiestSecond()
        self.peer: Peer | None = None
        """Who writes, while it is bound."""
        self.session: Session | None = None
        self.writable = True
        """False while the operator does not read what is written."""
        self.window = settings.window
        """How many messages may be unanswered on it just now; 0: nothing is to be sent on it."""
        self.drained = False
        """People have asked that nothing more is sent on it. It stays bound, for receipts."""
        self.resting_until = 0.0
        self.failures = 0
        """Attempts to bind that failed since it was last bound."""
        self.changed_at = now
        """When it came up or went down."""
        self.in_heap = False
        self.address = ""
        """The host that it was connected to last."""
        self.lifetime: Final = (
            None
            if settings.max_messages is None and settings.max_age_s is None
            else Lifetime(settings, place)
        )
        self.retires = False
        """Its session is about to end as the operator wants it, and it binds anew."""

    @property
    def sends(self) -> bool:
        """Whether submit_sm may travel on it now, rate and window apart."""
        session = self.session
        return session is not None and session.state in _SENDING and self.writable

    @property
    def in_use(self) -> int:
        """How much of the window is in use."""
        return 0 if self.session is None else len(self.session.unanswered)

    def reckon_window(self) -> None:
        """Set `window` anew: something has changed that it depends on."""
        self.window = 0 if self.drained or self.retires else self.settings.window

    def ready_at(self, now: float) -> float:
        """When the rate next allows a message."""
        at = NEVER if self.pacer is None else self.pacer.ready_at(now)
        return at if at > self.resting_until else self.resting_until


class Operator:
    """One operator: the pool of its binds and its own rate."""

    def __init__(self, settings: OperatorSettings, now: float) -> None:
        self.settings: Final = settings
        self.name: Final = settings.name
        count = len(settings.binds)
        self.binds: Final = tuple(
            Bind(bind, self, now, place / count) for place, bind in enumerate(settings.binds)
        )
        round_trips = [bind.round_trip for bind in self.binds]
        self.pacer: Final = (
            None if settings.rate is None else Pacer(settings.rate, now, round_trips)
        )
        self.in_flight = 0
        """Messages written and not answered, over all binds."""
        self.wake_at = NEVER
        """When `ready_bind` may next find one, if it found none."""
        self._ready: list[tuple[float, int, Bind]] = []
        self._order = 0

    @property
    def is_available(self) -> bool:
        """Whether any bind is up that messages can travel on, and nobody minds that they do."""
        return any(
            bind.window and bind.session is not None and bind.session.state in _SENDING
            for bind in self.binds
        )

    def came_up(self, bind: Bind, peer: Peer, now: float) -> None:
        """A bind is bound."""
        bind.peer = peer
        bind.session = peer.session
        bind.writable = True
        bind.changed_at = now
        bind.retires = False
        if bind.lifetime is not None:
            bind.lifetime.begin(now)
        bind.reckon_window()
        self.offer(bind, now)

    def went_down(self, bind: Bind, now: float) -> None:
        """A bind is lost; its session has given back what was in flight."""
        bind.peer = None
        bind.session = None
        bind.changed_at = now

    def drain(self, bind: Bind, *, drained: bool) -> None:
        """Send nothing more on this bind, or do so again; `offer` it then."""
        bind.drained = drained
        bind.reckon_window()

    def retire(self, bind: Bind, now: float) -> bool:
        """Send nothing more on this bind if its session has lived its life; return whether so."""
        lifetime = bind.lifetime
        if lifetime is None or bind.retires or bind.session is None:
            return bind.retires
        away = any(one.retires or one.session is None for one in self.binds if one is not bind)
        if lifetime.is_over(now, another_is_away=away):
            bind.retires = True
            bind.reckon_window()
        return bind.retires

    def offer(self, bind: Bind, now: float) -> None:
        """A bind may have become able to send: look at it again."""
        if not bind.in_heap and bind.sends and bind.in_use < bind.window:
            self._push(bind, now)

    def _push(self, bind: Bind, at: float) -> None:
        bind.in_heap = True
        self._order += 1
        heappush(self._ready, (at, self._order, bind))

    def ready_bind(self, now: float) -> Bind | None:
        """A bind that may send a message now; None, and `wake_at`, if there is none."""
        if self.pacer is not None and (at := self.pacer.ready_at(now)) > now:
            self.wake_at = at
            return None
        ready = self._ready
        while ready:
            at, order, bind = ready[0]
            if at > now:
                self.wake_at = at
                return None
            if not bind.sends or bind.in_use >= bind.window:
                heappop(ready)
                bind.in_heap = False
                continue
            at = bind.ready_at(now)
            if at <= now:
                return bind
            heapreplace(ready, (at, order, bind))
        self.wake_at = NEVER
        return None

    def rather(self, preferred: object, bind: Bind, now: float) -> Bind:
        """The preferred bind where it can send now too; else the one that is ready."""
        if (
            isinstance(preferred, Bind)
            and preferred.in_heap
            and preferred.operator is self
            and preferred.sends
            and preferred.in_use < preferred.window
            and preferred.ready_at(now) <= now
        ):
            return preferred
        return bind

    def send(self, bind: Bind, message: Message, octets: bytes, now: float) -> None:
        """Write the message, as these octets, to the bind that `ready_bind` or `rather` gave."""
        session, pacer = bind.session, bind.pacer
        assert session is not None
        assert pacer is not None
        slot = pacer.take(bind.round_trip, now)
        operator_slot = -1 if self.pacer is None else self.pacer.take(bind.round_trip, now)
        bind.busiest.written(now)
        self.in_flight += 1
        session.request(octets, Flight(message, bind, slot, operator_slot, now), now)
        lifetime = bind.lifetime
        if lifetime is not None:
            lifetime.left -= 1
            if lifetime.left <= lifetime.spare:
                self.retire(bind, now)
        self._order += 1
        if self._ready[0][2] is bind:
            heapreplace(self._ready, (now, self._order, bind))  # Behind the others that are ready.

    def landed(self, flight: Flight, now: float, *, answered: bool) -> None:
        """The flight is over: answered, or given up."""
        bind = flight.bind
        self.in_flight -= 1
        flight.over = not answered
        if answered:
            bind.round_trip.took(now - flight.sent_at, now)
        for pacer, slot in ((bind.pacer, flight.slot), (self.pacer, flight.operator_slot)):
            if pacer is None:
                continue
            if answered:
                pacer.answered(slot, flight.sent_at, now)
            else:
                pacer.given_up(slot, flight.sent_at, now)
        self.offer(bind, now)

    def rest(self, bind: Bind, until: float) -> None:
        """Send nothing on this bind before `until`."""
        bind.resting_until = max(bind.resting_until, until)
