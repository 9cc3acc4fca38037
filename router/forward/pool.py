"""An operator as the router uses it: its binds, and which of them may send now.

Pure: it is told when a bind comes up, when something was written or answered and what time it is,
and says which bind may send and when to ask again. Rates and windows are those of the contract, and
belong to a bind's configured name: they outlive the connection.
"""

from collections import deque
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, Literal, NamedTuple, Protocol

from router.forward.adapting import AdaptiveRate
from router.forward.breaker import Breaker
from router.forward.circuit import Circuit
from router.forward.destinations import Destinations
from router.forward.lifetime import Lifetime
from router.forward.pacing import BusiestSecond, Pacer, Path, RoundTrip
from router.forward.queue_full import QueueFullDetector
from router.forward.window import LEAST, kept, sized
from router.smpp.session import Note, Writable
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import BindName
from router.terms.settings import BindSettings, OperatorSettings

NEVER: Final = float("inf")
MOST_EVENTS: Final = 1000


class Channel(Writable, Protocol):
    """Where a bind's messages are written while it is bound: an SMPP session or another service."""

    writable: bool
    """Whether the operator reads what is written."""

    @property
    def can_send(self) -> bool:
        """Whether messages may travel on it, as far as its session goes."""

    @property
    def is_bound(self) -> bool:
        """Whether the operator has accepted the bind and neither side has ended it."""

    @property
    def state_name(self) -> str:
        """The state of its session, in a word for people."""

    def write(self, octets: bytes, attempt: "Attempt", now: float) -> None:
        """Write a message; its answer comes with the attempt."""

    def tell(self, note: Note) -> None:
        """Log a note that is counted already."""

    def rebind(self) -> None:
        """End the session in good order, and bind anew."""

    def adopt(self) -> None:
        """Follow the settings of the bind, which have changed in place."""


class Batch:
    """What is written to a bind at once, at the end of a turn of the loop."""

    __slots__ = ("left_at",)

    def __init__(self, now: float) -> None:
        self.left_at = now
        """When it was handed to the system. A turn with many messages takes some milliseconds, and
        a round trip that had them in it would be too large for those that wait for nobody."""


class Attempt:
    """One writing of a message to an operator, until it is answered or given up."""

    __slots__ = ("batch", "bind", "message", "operator_slot", "over", "sent_at", "slot")

    def __init__(
        self,
        message: Message,
        bind: "Bind",
        slot: int,
        operator_slot: int,
        sent_at: float,
        batch: Batch,
    ) -> None:
        self.batch = batch
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
        "adaptive",
        "address",
        "batch",
        "breaker",
        "busiest",
        "changed_at",
        "common",
        "drained",
        "failures",
        "in_heap",
        "lifetime",
        "operator",
        "pacer",
        "peer",
        "removed",
        "resting_until",
        "retires",
        "round_trip",
        "settings",
        "sized",
        "trouble",
        "unanswered",
        "window",
    )

    def __init__(self, settings: BindSettings, operator: "Operator", now: float) -> None:
        self.settings = settings
        self.operator: Final = operator
        self.breaker: Final = Breaker(operator.settings.breaker)
        rate = settings.rate
        self.pacer = None if rate is None else Pacer(rate, now)
        self.adaptive = None if rate is None else AdaptiveRate(rate)
        self.round_trip: Final = RoundTrip()
        self.busiest: Final = BusiestSecond()
        self.peer: Channel | None = None
        """Where it is written to, while it is bound."""
        self.unanswered: dict[Attempt, None] = {}
        """What is written on its present session and not answered, oldest first."""
        self.sized = LEAST if settings.window is None else settings.window
        """The window as it is given, or as it is sized now."""
        self.window = self.sized
        """How many messages may be unanswered on it just now; 0: nothing is to be sent on it."""
        self.common = self.window - (kept(self.window) if operator.keeps_room else 0)
        """How much of that is for all lanes; the rest is for the most urgent one."""
        self.drained = False
        """People have asked that nothing more is sent on it. It stays bound, for receipts."""
        self.resting_until = 0.0
        self.failures = 0
        """Attempts to bind that failed since it was last bound."""
        self.trouble = ""
        """Why it is not bound, in a word for people; empty while it is."""
        self.changed_at = now
        """When it came up or went down."""
        self.in_heap = False
        self.batch: Batch | None = None
        """What is to be written when this turn ends."""
        self.address = ""
        """The host that it was connected to last."""
        self.lifetime: Final = Lifetime(settings)
        self.removed = False
        """The configuration names it no more: nothing is sent on it, whoever is still bound."""
        self.retires = False
        """Its session is about to end as the operator wants it, and it binds anew."""

    def adopt(self, settings: BindSettings, now: float) -> bool:
        """Go on with other settings; return whether its session has to be bound anew for them."""
        before, self.settings = self.settings, settings
        in_place = replace(
            before,
            rate=settings.rate,
            window=settings.window,
            enquire_link_s=settings.enquire_link_s,
            max_messages=settings.max_messages,
            max_age_s=settings.max_age_s,
        )
        rate = settings.rate
        if rate is None:
            self.pacer = self.adaptive = None
        elif self.pacer is None or self.adaptive is None:
            self.pacer, self.adaptive = Pacer(rate, now), AdaptiveRate(rate)
        elif rate != before.rate:
            self.pacer.adopt(rate, now)
            self.adaptive.adopt(rate)
        if settings.window is not None:
            self.sized = settings.window
        self.lifetime.adopt(settings)
        if in_place != settings:
            self.failures = 0  # Of other settings.
            return True
        if before != settings and self.peer is not None:
            self.peer.adopt()
        return False

    @property
    def sends(self) -> bool:
        """Whether submit_sm may travel on it now, rate and window apart."""
        peer = self.peer
        return peer is not None and peer.writable and peer.can_send

    @property
    def in_use(self) -> int:
        """How much of the window is in use."""
        return len(self.unanswered)

    def reckon_window(self) -> None:
        """Set `window` anew: something has changed that it depends on."""
        if self.drained or self.retires or self.removed:
            self.window = 0
        else:
            most = self.operator.circuit.most_unanswered(self)
            self.window = min(self.sized, most)
        self.common = self.window - (kept(self.window) if self.operator.keeps_room else 0)

    def ready_at(self, now: float) -> float:
        """When the rate next allows a message."""
        pacer, adaptive = self.pacer, self.adaptive
        if pacer is None or adaptive is None:
            return NEVER
        at = pacer.ready_at(now)
        if adaptive.is_slowed:
            at = max(at, adaptive.ready_at(now))
        return at if at > self.resting_until else self.resting_until

    def per_second(self, now: float) -> float:
        """The rate as it is adapted now, per second."""
        return 0.0 if self.adaptive is None else self.adaptive.per_second(now)


class OperatorEvent(NamedTuple):
    """Something about an operator that people want to read in the log."""

    what: Literal["slowed", "opened", "closed"]
    bind: BindName | None
    """None where it is about all of them."""
    why: str = ""
    per_second: float = 0.0
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class BindChanges:
    """What has to be done about the binds of an operator whose settings have changed."""

    added: tuple[Bind, ...]
    """Binds that are new, and to be bound."""
    renewed: tuple[Bind, ...]
    """Binds whose session is to be ended, and bound anew with the new settings."""
    removed: tuple[Bind, ...]
    """Binds that are named no more: nothing is sent on them, and their attempts still end."""


class Operator:
    """One operator: the pool of its binds and its own rate."""

    def __init__(
        self,
        settings: OperatorSettings,
        now: float,
        *,
        keeps_room: bool = False,
        capacity: Capacity = Capacity(),
    ) -> None:
        """`keeps_room`: some of each window is kept for the most urgent of several lanes."""
        self.settings = settings
        self.keeps_room: Final = keeps_room
        self.name: Final = settings.name
        self.binds = tuple(Bind(bind, self, now) for bind in settings.binds)
        self.circuit: Final = Circuit(settings.breaker, self.binds)
        self._round_trips = [bind.round_trip for bind in self.binds]
        self.pacer = None if settings.rate is None else Pacer(settings.rate, now, self._round_trips)
        self._capacity: Final = capacity
        rate = settings.destination_rate
        self.destinations = None if rate is None else Destinations(rate, capacity=capacity)
        self.queue_full: Final = QueueFullDetector()
        self.in_flight = 0
        """Messages written and not answered, over all binds."""
        self.late_until = 0.0
        """Until then an answer may come that is not waited for any more."""
        self.ready_at = NEVER
        """When `ready_bind` may next find one, if it found none."""
        self.events: Final[deque[OperatorEvent]] = deque(maxlen=MOST_EVENTS)
        """What has happened; whoever logs it takes it off."""
        self._ready: list[tuple[float, int, Bind]] = []
        self._paths: dict[str, Path] = {}
        """By the host to which a bind is connected."""
        self._kept: dict[Bind, None] = {}
        """Binds with nothing left but what is kept; perhaps some that were."""
        self._order = 0

    def adopt(self, settings: OperatorSettings, now: float) -> BindChanges:
        """Go on with other settings: binds, rates, windows and breakers follow them.

        Binds are known by their names. What is in flight on a bind that is removed is answered, or
        lost, as on any other. Whoever calls this sees to the sessions, and has everything offered
        anew, because an operator may be able to send more now, or less.
        """
        assert settings.name == self.name
        self.settings = settings
        known = {bind.settings.name: bind for bind in self.binds}
        binds: list[Bind] = []
        added: list[Bind] = []
        renewed: list[Bind] = []
        for one in settings.binds:
            bind = known.pop(one.name, None)
            if bind is None:
                bind = Bind(one, self, now)
                added.append(bind)
            elif bind.adopt(one, now):
                renewed.append(bind)
            binds.append(bind)
        removed = tuple(known.values())
        for bind in removed:
            bind.removed = True
        self.binds = tuple(binds)
        self._adopt_rates(settings, now)
        self.circuit.adopt(settings.breaker, self.binds, now)
        for bind in (*self.binds, *removed):
            self._size(bind, now)
            bind.reckon_window()
            self.retire(bind, now)  # Its session may have lasted longer than it may now.
            self.offer(bind, now)
        # A faster rate is ready sooner than it was to be asked again.
        self._ready = [(min(at, now), order, bind) for at, order, bind in self._ready]
        heapify(self._ready)
        return BindChanges(tuple(added), tuple(renewed), removed)

    def _adopt_rates(self, settings: OperatorSettings, now: float) -> None:
        """Follow the rates over all binds, which may come and go."""
        self._round_trips[:] = [bind.round_trip for bind in self.binds]  # The pacer has the list.
        rate = settings.rate
        if rate is None:
            self.pacer = None
        elif self.pacer is None:
            self.pacer = Pacer(rate, now, self._round_trips)
        else:
            self.pacer.adopt(rate, now)
        rate = settings.destination_rate
        if rate is None:
            self.destinations = None
        elif self.destinations is None:
            self.destinations = Destinations(rate, capacity=self._capacity)
        else:
            self.destinations.adopt(rate)

    @property
    def is_available(self) -> bool:
        """Whether any bind is up that messages can travel on, and nobody minds that they do.

        One that only tries whether it works is not available while its message is unanswered:
        others must not wait for that.
        """
        return any(
            bind.window
            and bind.peer is not None
            and bind.peer.can_send
            and not (bind.in_use and self.circuit.is_probing(bind))
            for bind in self.binds
        )

    @property
    def is_tried(self) -> bool:
        """Whether it failed, and no bind may send more than the one message that finds out."""
        circuit = self.circuit
        return circuit.is_troubled and not any(
            bind.sends and circuit.most_unanswered(bind) > 1 for bind in self.binds
        )

    @property
    def is_up(self) -> bool:
        """Whether any bind is up that messages can travel on, if they are allowed to or not."""
        return any(bind.peer is not None and bind.peer.can_send for bind in self.binds)

    def came_up(self, bind: Bind, peer: Channel, now: float) -> None:
        """A bind is bound."""
        bind.peer = peer
        bind.changed_at = now
        bind.trouble = ""
        bind.retires = False
        # An operator that calls has no address of its own: it calls from any port.
        host = bind.settings.name if bind.settings.outbind is not None else bind.address
        bind.round_trip.path = self._paths.setdefault(host or bind.settings.name, Path())
        bind.lifetime.begin(self._share(bind), now)
        bind.reckon_window()
        self.offer(bind, now)

    def went_down(self, bind: Bind, now: float) -> None:
        """A bind is lost; its session has given back what was in flight."""
        bind.peer = None
        bind.unanswered.clear()  # Before each attempt ends: `is_available` is asked in between.
        bind.batch = None
        bind.changed_at = now

    def _share(self, bind: Bind) -> float:
        """How many of the binds come before this one: 0 for the first, under 1 for the last."""
        if bind.removed:
            return 0.0
        return self.binds.index(bind) / len(self.binds)

    def drain(self, bind: Bind, *, drained: bool) -> None:
        """Send nothing more on this bind, or do so again; `offer` it then."""
        bind.drained = drained
        bind.reckon_window()

    def retire(self, bind: Bind, now: float) -> bool:
        """Send nothing more on this bind if its session has lived its life; return whether so."""
        lifetime = bind.lifetime
        if bind.retires or bind.peer is None:
            return bind.retires
        away = any(one.retires or one.peer is None for one in self.binds if one is not bind)
        if lifetime.is_over(now, another_is_away=away):
            bind.retires = True
            bind.reckon_window()
        return bind.retires

    def offer(self, bind: Bind, now: float) -> None:
        """A bind may have become able to send: look at it again."""
        if not bind.in_heap and bind.sends:
            if bind.in_use < bind.common:
                self._push(bind, now)
            elif bind.in_use < bind.window:
                self._kept[bind] = None

    def _push(self, bind: Bind, at: float) -> None:
        bind.in_heap = True
        self._order += 1
        heappush(self._ready, (at, self._order, bind))

    def ready_bind(self, now: float) -> Bind | None:
        """A bind that may send a message now; None, and `wake_at`, if there is none."""
        if self.pacer is not None and (at := self.pacer.ready_at(now)) > now:
            self.ready_at = at
            return None
        ready = self._ready
        while ready:
            at, order, bind = ready[0]
            if at > now:
                self.ready_at = at
                return None
            if len(bind.unanswered) >= bind.common or not bind.sends:
                heappop(ready)
                bind.in_heap = False
                self.offer(bind, now)
                continue
            at = bind.ready_at(now)
            if at <= now:
                return bind
            heapreplace(ready, (at, order, bind))
        self.ready_at = NEVER
        return None

    def kept_bind(self, now: float) -> Bind | None:
        """A bind that may send one of the most urgent lane, when `ready_bind` has found none."""
        if self.pacer is not None and self.pacer.ready_at(now) > now:
            return None
        for bind in list(self._kept):
            if bind.in_heap or not bind.sends or bind.in_use >= bind.window:
                del self._kept[bind]
            elif (at := bind.ready_at(now)) <= now:
                return bind
            else:
                self.ready_at = min(self.ready_at, at)
        return None

    def prefer(self, preferred: object, bind: Bind, now: float) -> Bind:
        """The preferred bind where it can send now too; else the one that is ready."""
        if (
            isinstance(preferred, Bind)
            and preferred.in_heap
            and preferred.operator is self
            and preferred.sends
            and preferred.in_use < preferred.common
            and preferred.ready_at(now) <= now
        ):
            return preferred
        return bind

    def send(self, bind: Bind, message: Message, octets: bytes, now: float) -> None:
        """Write the message, as these octets, to the bind that `ready_bind` or `rather` gave."""
        peer, pacer = bind.peer, bind.pacer
        assert peer is not None
        assert pacer is not None
        slot = pacer.take(bind.round_trip, now)
        operator_slot = -1 if self.pacer is None else self.pacer.take(bind.round_trip, now)
        if self.destinations is not None:
            self.destinations.sent(message.destination_octets, now)
        bind.busiest.written(now)
        self.in_flight += 1
        batch = bind.batch
        if batch is None:
            batch = bind.batch = Batch(now)
        message.in_flight += 1
        attempt = Attempt(message, bind, slot, operator_slot, now, batch)
        bind.unanswered[attempt] = None
        peer.write(octets, attempt, now)
        if bind.adaptive is not None and bind.adaptive.is_slowed:
            bind.adaptive.sent(now)
        lifetime = bind.lifetime
        lifetime.left -= 1
        if lifetime.left <= lifetime.spare:
            self.retire(bind, now)
        self._order += 1
        if self._ready and self._ready[0][2] is bind:
            heapreplace(self._ready, (now, self._order, bind))  # Behind the others that are ready.

    def attempt_ended(self, attempt: Attempt, now: float, *, answered: bool) -> None:
        """The attempt is over: answered, or given up."""
        bind = attempt.bind
        bind.unanswered.pop(attempt, None)  # An attempt of a lost session is not in it.
        self.in_flight -= 1
        attempt.message.in_flight -= 1
        attempt.over = not answered
        if self.destinations is not None:
            self.destinations.attempt_ended(
                attempt.message.destination_octets, attempt.sent_at, now
            )
        if answered:
            bind.round_trip.add_sample(now - attempt.batch.left_at, now)
        for pacer, slot in ((bind.pacer, attempt.slot), (self.pacer, attempt.operator_slot)):
            if pacer is None:
                continue
            if answered:
                pacer.answered(slot, attempt.sent_at, now)
            else:
                pacer.given_up(slot, attempt.sent_at, now)
        self.offer(bind, now)

    def rest(self, bind: Bind, until: float) -> None:
        """Send nothing on this bind before `until`."""
        bind.resting_until = max(bind.resting_until, until)

    # How well it goes.

    def throttled(self, bind: Bind, sent_at: float, now: float) -> None:
        """A message that was written then came too soon for the operator."""
        adaptive = bind.adaptive
        if adaptive is not None and adaptive.throttled(sent_at, now):
            self._slowed(bind, "throttled", now)

    def is_failure(self, status: int) -> bool:
        """Whether a status speaks of the operator, and not of the message that it answers."""
        breaker = self.settings.breaker
        return breaker is not None and status in breaker.statuses

    def succeeded(self, bind: Bind) -> bool:
        """A message was taken, in troubled times; return whether any window has changed."""
        return self._tell_breakers("closed", bind, self.circuit.succeeded(bind))

    def failed(self, bind: Bind, now: float) -> bool:
        """A message was not taken, for a reason that is not its own; return the same."""
        opened = self.circuit.failed(bind, self._able(), now)
        return self._tell_breakers("opened", bind, opened)

    def tick(self, now: float) -> bool:
        """Do what is due, once a second or so; return whether any window has changed."""
        if self.destinations is not None:
            self.destinations.forget_old(now)
        for bind in self.binds:
            self._size(bind, now)
            adaptive = bind.adaptive
            if adaptive is not None and bind.peer is not None:
                oldest = next(iter(bind.unanswered), None)
                oldest_s = 0.0 if oldest is None else now - oldest.sent_at
                if adaptive.tick(oldest_s, bind.round_trip.smallest_s, now):
                    self._slowed(bind, "slow answers", now)
        if not self.circuit.is_troubled or not self.circuit.tick(self._able(), now):
            return False
        self._reckon_windows()
        return True

    def _size(self, bind: Bind, now: float) -> None:
        """Size a window that is not given."""
        settings = bind.settings
        if settings.window is None and settings.rate is not None:
            before, bind.sized = bind.sized, sized(settings.rate, bind.round_trip.mean_s)
            if bind.sized != before:
                bind.reckon_window()
                self.offer(bind, now)

    def _able(self) -> list[Bind]:
        """The binds that could send if they were allowed to."""
        return [
            bind
            for bind in self.binds
            if not (bind.drained or bind.retires) and bind.peer is not None and bind.peer.can_send
        ]

    def _reckon_windows(self) -> None:
        for bind in self.binds:
            bind.reckon_window()

    def _slowed(self, bind: Bind, why: str, now: float) -> None:
        per_second = bind.per_second(now)
        self.events.append(
            OperatorEvent("slowed", bind.settings.name, why=why, per_second=per_second)
        )

    def _tell_breakers(
        self, what: Literal["opened", "closed"], bind: Bind, breakers: list[Breaker]
    ) -> bool:
        for breaker in breakers:
            name = bind.settings.name if breaker is bind.breaker else None
            self.events.append(OperatorEvent(what, name, rest_s=breaker.rest_s))
        if breakers:
            self._reckon_windows()
        return bool(breakers)
