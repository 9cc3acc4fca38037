"""An operator and its pool of binds: which bind may send the next message, and when.

Pure: an operator is told when a bind comes up or goes down, what was written or answered, and the
time; it says which bind may send and when to ask again. Rates and windows belong to the name of a
configured bind: they outlive its connections, and follow the settings that a reload brings.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, Literal, NamedTuple, Protocol

from router.forward.arrival import Path, RoundTrip
from router.forward.breaker import Breaker
from router.forward.circuit import Circuit
from router.forward.destinations import Destinations
from router.forward.lifetime import Lifetime
from router.forward.pace import Pace
from router.forward.pacing import Pacer
from router.forward.queue_full import QueueFullDetector
from router.forward.suspects import (
    PROVEN_S,
    Aside,
    Suspects,
    Trial,
    is_new,
    may_try,
    unproven,
)
from router.forward.troubles import Troubles
from router.forward.window import LEAST, kept, passed_s, sized
from router.smpp.numbers import Inland, WireNumbers, no_inland
from router.smpp.senders import replacement_of
from router.smpp.session import Note, Writable
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import BindName
from router.terms.settings import BindSettings, OperatorSettings

NEVER: Final = float("inf")
MOST_EVENTS: Final = 1000
"""Events that wait to be logged; the oldest are dropped."""


FEWEST_UNHEARD: Final = 2
"""So many unanswered messages, one written after the other, show that an operator is slow."""
SIZE_AGAIN_S: Final = 0.05
"""The time after which a full `auto` window is sized again; one that is not full, every second."""


class Asked:
    """A request to an operator that is no message."""

    __slots__ = ("done",)

    def __init__(self, done: Callable[[int | None], None]) -> None:
        self.done: Final = done
        """Hears the status of the answer; None where none came."""


class Channel(Writable, Protocol):
    """Where a bind's messages are written while it is bound: an SMPP session or another service."""

    writable: bool
    """Whether the operator reads what is written."""

    @property
    def can_send(self) -> bool:
        """Whether the state of the channel allows messages to be sent."""

    @property
    def is_bound(self) -> bool:
        """Whether the operator has accepted the bind and neither side has ended it."""

    @property
    def state_name(self) -> str:
        """The state of the channel in a word, for the status document."""

    @property
    def has_answered(self) -> bool:
        """Whether the operator has answered anything since it accepted the bind."""

    def write(self, octets: bytes, attempt: "Attempt", now: float) -> None:
        """Write a message; the answer comes back with this attempt."""

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        """Write another request, whose answer is told to `asked`; return whether that can be."""

    def enquire(self) -> None:
        """Ask whether the operator answers; `Availability.proven` hears that it does."""

    def tell(self, note: Note) -> None:
        """Log a note that is already counted."""

    def rebind(self) -> None:
        """End the session in good order, and bind again."""

    def adopt(self) -> None:
        """Follow the settings of the bind, which have changed without a new session."""


class Batch:
    """The messages that are written to a bind together, at the end of a turn of the loop."""

    __slots__ = ("left_at", "place")

    def __init__(self, now: float, place: int) -> None:
        self.place = place
        """How many messages the bind will have answered when it has answered all before these."""
        self.left_at = now
        """Right before the octets were handed to the system. A turn with many messages takes some
        milliseconds; a round trip must not include them, or it would be too large for messages that
        wait for no others."""


class Attempt:
    """One writing of a message to an operator, until it is answered or given up."""

    __slots__ = (
        "batch",
        "bind",
        "is_tried",
        "message",
        "operator_slot",
        "over",
        "sender",
        "sent_at",
        "slot",
    )

    def __init__(
        self,
        message: Message,
        bind: "Bind",
        slot: int,
        operator_slot: int,
        sent_at: float,
        batch: Batch,
        sender: str = "",
    ) -> None:
        self.batch = batch
        self.sender = sender
        """The sender under which it was written; empty: its own."""
        self.message = message
        self.bind = bind
        self.slot = slot
        self.operator_slot = operator_slot
        self.sent_at = sent_at
        self.is_tried = False
        """Whether the bind was kept for this suspect."""
        self.over = False
        """Whether the attempt was given up without an answer: an answer that comes now is late."""


class Bind:
    """One configured bind to an operator."""

    __slots__ = (
        "address",
        "batch",
        "breaker",
        "certificate_expires_utc",
        "changed_at",
        "common",
        "drained",
        "failures",
        "heard_to",
        "in_heap",
        "lifetime",
        "next_attempt_at",
        "operator",
        "pace",
        "passed",
        "peer",
        "probe",
        "removed",
        "retires",
        "round_trip",
        "settings",
        "sized",
        "sized_at",
        "trial",
        "trouble",
        "troubles",
        "unanswered",
        "unreachable_why",
        "window",
    )

    def __init__(self, settings: BindSettings, operator: "Operator", now: float) -> None:
        self.settings = settings
        self.operator: Final = operator
        self.breaker: Final = Breaker(operator.settings.breaker)
        self.pace = None if settings.rate is None else Pace(settings.rate, now)
        """None for a receiver, which sends nothing."""
        self.round_trip: Final = RoundTrip()
        self.peer: Channel | None = None
        """The channel that messages are written to; None while the bind is down."""
        self.unanswered: dict[Attempt, None] = {}
        """Attempts on the present session that are not answered."""
        self.heard_to = now
        """The latest time of writing of a message that was answered."""
        self.sized = LEAST if settings.window is None else settings.window
        """The window of the settings, or the present size of an `auto` window."""
        self.passed = 0
        """Places of an `auto` window for messages that are unanswered though later ones are not."""
        self.sized_at = now
        """When an `auto` window was sized."""
        self.window = 0 if self.pace is None else self.sized
        """Messages that may be unanswered just now; 0: nothing is to be sent on this bind."""
        self.common = self.window - (kept(self.window) if operator.keeps_room else 0)
        """The part of the window for all lanes; the rest is for the most urgent lane."""
        self.trial: Trial | None = None
        """The trying of suspects on the present session."""
        self.probe: Attempt | None = None
        """The new message in flight that decides whether a breaker that is probing closes."""
        self.drained = False
        """Whether a command has stopped sending on the bind. The bind stays bound, for receipts."""
        self.failures = 0
        """Failed attempts to bind since the last session."""
        self.trouble = ""
        """Why the bind is down, in a word for the status document; empty while it is bound."""
        self.unreachable_why = ""
        """What the system said, where that word is `unreachable`."""
        self.next_attempt_at = NEVER
        """When the next attempt to bind begins; NEVER while none is waited for."""
        self.troubles: Final = Troubles()
        """What the log has said of attempts to bind."""
        self.changed_at = now
        """When the bind came up or went down."""
        self.in_heap = False
        self.batch: Batch | None = None
        """The messages that are written when this turn ends."""
        self.address = ""
        """The host of the latest connection."""
        self.certificate_expires_utc: float | None = None
        """When our certificate expires that this connection was made with, if it was with one."""
        self.lifetime: Final = Lifetime(settings)
        self.removed = False
        """Whether the configuration no longer names the bind: then nothing more is sent on it."""
        self.retires = False
        """Whether the session is about to end because its lifetime is over; a new one follows."""

    def adopt(self, settings: BindSettings, now: float) -> bool:
        """Follow other settings; return whether they need a new session."""
        before, self.settings = self.settings, settings
        rate = settings.rate
        if rate is None:
            self.pace = None
        elif self.pace is None:
            self.pace = Pace(rate, now)
        elif rate != before.rate:
            self.pace.adopt(rate, now)
        if settings.window is not None:
            self.sized, self.passed = settings.window, 0
        self.lifetime.adopt(settings)
        if needs_session(before, settings):
            self.failures = 0  # They were failures of the settings before.
            self.troubles.forget()
            return True
        if before != settings and self.peer is not None:
            self.peer.adopt()
        return False

    @property
    def watches_acknowledgements(self) -> bool:
        """Whether a rate waits for what answers do not show soon enough: when messages arrive."""
        pace, pacer, way_s = self.pace, self.operator.pacer, self.round_trip.way_s
        if pace is not None and pace.pacer.wants_acknowledgements(way_s):
            return True
        return pacer is not None and pacer.wants_acknowledgements(way_s)

    @property
    def path(self) -> str:
        """The path of the latest connection: its address, or the bind, which outbind is known by.

        With outbind the port changes with each connection.
        """
        name = self.settings.name
        return self.address or name if self.settings.outbind is None else name

    @property
    def sends(self) -> bool:
        """Whether the channel takes messages now; rate and window are not considered."""
        peer = self.peer
        return peer is not None and peer.writable and peer.can_send

    @property
    def in_use(self) -> int:
        """Messages of the present session that are not answered: the used part of the window."""
        return len(self.unanswered)

    def update_window(self) -> None:
        """Compute `window` again: something that it depends on has changed."""
        is_shut = self.drained or self.retires or self.removed or self.operator.is_leaving
        if is_shut or self.pace is None:
            self.window = 0
        else:
            most = self.operator.circuit.most_unanswered(self)
            self.window = min(self.sized, most)
            if most != 1:
                self.probe = None
            else:
                # What else is in flight was there before, or is tried again: it decides nothing.
                beside = self.in_use - (self.probe is not None)
                self.common = self.window = min(self.sized, beside + 1)
                return
            trial = self.trial
            if trial is not None and most > 1 and not trial.is_free:  # Else a breaker comes first.
                self.common = 0
                if not trial.is_proven:
                    self.window = 0
                return
        room = max(0, self.window - self.passed)
        self.common = self.window - (kept(room) if self.operator.keeps_room else 0)

    def unheard_s(self, now: float) -> float:
        """Return how long the operator has answered nothing, though it has several messages.

        Messages that were written before one that is answered do not count, nor does a single one:
        they say something about themselves, and nothing about the operator. Nor does one that was
        not answered in time before.
        """
        heard_to = self.heard_to
        new = [one for one in self.unanswered if not one.message.timeouts]
        written = [one.sent_at for one in new if one.sent_at > heard_to]
        judged = min(FEWEST_UNHEARD, self.window) or 1
        return now - sorted(written)[judged - 1] if len(written) >= judged else 0.0

    def count_passed(self) -> int:
        """Return how many messages later answers have passed: their own are hardly under way."""
        before = self.heard_to - passed_s(self.round_trip.mean_s)
        count = 0
        for attempt in self.unanswered:  # In the order of writing.
            if attempt.sent_at >= before:
                break
            count += 1
        return count

    def per_second(self, now: float) -> float:
        """Return the adaptive rate per second; 0 for a receiver."""
        return 0.0 if self.pace is None else self.pace.adaptive.per_second(now)


def needs_session(before: BindSettings, after: BindSettings) -> bool:
    """Return whether a session with the settings before has to end for those after."""
    in_place = replace(
        before,
        rate=after.rate,
        window=after.window,
        enquire_link_s=after.enquire_link_s,
        max_messages=after.max_messages,
        max_age_s=after.max_age_s,
    )
    return in_place != after


class OperatorEvent(NamedTuple):
    """A change of an operator or of a bind that belongs into the log."""

    what: Literal["slowed", "opened", "closed", "suspected", "unanswered", "data_sm"]
    bind: BindName | None
    """The bind; None where the event is about the whole operator."""
    why: str = ""
    per_second: float = 0.0
    rest_s: float = 0.0
    about: Mapping[str, str | int | float] = {}
    """More words; of a suspect, what a person needs to find it, and nothing of its text."""


@dataclass(frozen=True, slots=True)
class BindChanges:
    """The binds of an operator for which new settings need more than a change in place."""

    added: tuple[Bind, ...]
    """New binds, which are to be bound."""
    renewed: tuple[Bind, ...]
    """Binds whose session is to be ended and bound again, with the new settings."""
    removed: tuple[Bind, ...]
    """Binds that are no longer named. They send nothing more; what is in flight still ends."""


class Operator:
    """One operator: its binds, its own rate, its breakers."""

    def __init__(
        self,
        settings: OperatorSettings,
        now: float,
        *,
        keeps_room: bool = False,
        capacity: Capacity = Capacity(),
        inland: Inland = no_inland,
    ) -> None:
        """Make an operator whose binds are down.

        `keeps_room`: a part of each window is kept for the most urgent of several lanes. `inland`
        tells which numbers are national ones of their account.
        """
        self._inland: Final = inland
        self.settings = settings
        self.keeps_room: Final = keeps_room
        self.name = settings.name
        """Changes only when it is renamed (`steps/hand_over.py`)."""
        self.binds = tuple(Bind(bind, self, now) for bind in settings.binds)
        self.circuit: Final = Circuit(settings.breaker, self.binds)
        self._round_trips = [bind.round_trip for bind in self.binds]
        self.pacer = None if settings.rate is None else Pacer(settings.rate, now, self._round_trips)
        self._capacity: Final = capacity
        self._removed: tuple[Bind, ...] = ()
        """Binds that were removed and may still be bound."""
        self.is_leaving = False
        """Whether the configuration no longer names the operator: it sends nothing more."""
        rate = settings.destination_rate
        self.destinations = None if rate is None else Destinations(rate, capacity=capacity)
        self.numbers = None if settings.numbers is None else WireNumbers(settings.numbers, inland)
        """How addresses are written; None: as they came."""
        self.replacement = replacement_of(settings.senders)
        """The sender of what goes out under another; None: nothing does."""
        self.queue_full: Final = QueueFullDetector()
        self.in_flight = 0
        """Messages in flight over all binds, those that are no longer named included."""
        self.late_until = 0.0
        """The time until which the late answer of an attempt that was given up may come."""
        self.all_fell_at = float("-inf")
        """When no session was left, the last time."""
        self.answered = 0
        """Messages that it has answered, whatever the answers said."""
        self.suspects: Final = Suspects()
        """Messages that may have ended their session, until a bind tries them."""
        self.held: Final = Aside()
        """Messages in doubt while a breaker lets one message through: others go before them."""
        self.is_trying = False
        """Whether a bind tries suspects, or did until a moment ago."""
        self.ready_at = NEVER
        """When to ask `ready_bind` again, after it has found no bind."""
        self.events: Final[deque[OperatorEvent]] = deque(maxlen=MOST_EVENTS)
        """Events for the log, which takes them off."""
        self._ready: list[tuple[float, int, Bind]] = []
        self._paths: dict[str, Path] = {}
        """The paths by host; for a bind that the operator connects to, by the bind's name."""
        self._kept: dict[Bind, None] = {}
        """Binds with only the kept part of the window left, and some that were so before."""
        self._order = 0

    def adopt(self, settings: OperatorSettings, now: float) -> BindChanges:
        """Follow other settings: binds, rates, windows and breakers change.

        Binds are matched by name. Messages in flight on a removed bind are answered or lost as on
        any other bind. The caller sees to the sessions, and has lanes and routes told about every
        bind, because the operator may now be able to send more, or less.
        """
        assert settings.name == self.name
        self.is_leaving = False
        if settings.numbers != self.settings.numbers:
            numbers = settings.numbers
            self.numbers = None if numbers is None else WireNumbers(numbers, self._inland)
        if settings.senders != self.settings.senders:
            self.replacement = replacement_of(settings.senders)
        self.settings = settings
        known = {bind.settings.name: bind for bind in self.binds}
        sending = [bind for bind in self.binds if bind.pace is not None]
        is_drained = bool(sending) and all(bind.drained for bind in sending)
        binds: list[Bind] = []
        added: list[Bind] = []
        renewed: list[Bind] = []
        for one in settings.binds:
            bind = known.pop(one.name, None)
            if bind is None:
                bind = Bind(one, self, now)
                bind.drained = is_drained  # Who drains an operator means the binds to come, too.
                added.append(bind)
            elif bind.adopt(one, now):
                renewed.append(bind)
            binds.append(bind)
        removed = tuple(known.values())
        still = (bind for bind in self._removed if bind.peer is not None)
        self._removed = (*still, *removed)
        for bind in removed:
            bind.removed = True
        self.binds = tuple(binds)
        self._adopt_rates(settings, now)
        self.circuit.adopt(settings.breaker, self.binds, now)
        for bind in (*self.binds, *removed):
            self._size(bind, now)
            bind.update_window()
            self.retire(bind, now)  # The session may be older than the new limit.
            self.offer(bind, now)
        # With a faster rate a bind may be ready before it was to be asked again.
        self._ready = [(min(at, now), order, bind) for at, order, bind in self._ready]
        heapify(self._ready)
        return BindChanges(tuple(added), tuple(renewed), removed)

    @property
    def is_unbound(self) -> bool:
        """Whether no bind is bound, a removed one neither, and nothing is in flight."""
        binds = (*self.binds, *self._removed)
        return not self.in_flight and all(bind.peer is None for bind in binds)

    def messages(self) -> Iterator[Message]:
        """Yield the messages that are in flight, or wait here apart from the lanes."""
        for bind in (*self.binds, *self._removed):
            for attempt in bind.unanswered:
                yield attempt.message
        for _, message in (*self.suspects.waiting, *self.held.waiting):
            yield message

    def is_sending_to(self, *numbers: bytes) -> bool:
        """Return whether a message to one of these addresses (digits and NUL) is in flight."""
        return any(
            self.number_of(attempt.message)[2:] in numbers
            for bind in (*self.binds, *self._removed)
            for attempt in bind.unanswered
        )

    def number_of(self, message: Message) -> bytes:
        """Return the destination of a message (TON, NPI, number, NUL) as it is written here."""
        numbers = self.numbers
        return message.destination_octets if numbers is None else numbers.destination(message)

    def leave(self) -> BindChanges:
        """Send nothing more; every bind stays bound until nothing is owed on it."""
        self.is_leaving = True
        for bind in self.binds:
            bind.update_window()
        return BindChanges((), (), self.binds)

    def _adopt_rates(self, settings: OperatorSettings, now: float) -> None:
        """Follow the rates of the whole operator, each of which may appear or vanish."""
        self._round_trips[:] = [
            bind.round_trip for bind in self.binds
        ]  # The pacer holds this list.
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
        """Whether any bind is up and neither drained, nor retiring, nor stopped by a breaker.

        A bind that is probing does not count while its trial message is unanswered: other messages
        must not wait for that answer.
        """
        return any(
            bind.window
            and bind.peer is not None
            and bind.peer.can_send
            and not (bind.in_use and self.circuit.is_probing(bind))
            for bind in self.binds
        )

    @property
    def takes_trial(self) -> bool:
        """Whether a message may try for a breaker, for which there is no other operator.

        Then a message that was not answered before is perhaps tried meanwhile.
        """
        circuit = self.circuit
        return circuit.is_troubled and any(
            bind.in_use < bind.window and bind.sends and circuit.is_probing(bind)
            for bind in self.binds
        )

    @property
    def is_tried(self) -> bool:
        """Whether the operator has failed, and no bind may send more than a trial message."""
        circuit = self.circuit
        return circuit.is_troubled and not any(
            bind.sends and circuit.most_unanswered(bind) > 1 for bind in self.binds
        )

    @property
    def is_up(self) -> bool:
        """Whether any bind is up that can send, even if it is drained or stopped by a breaker."""
        return not self.is_leaving and any(
            bind.peer is not None and bind.peer.can_send for bind in self.binds
        )

    def came_up(self, bind: Bind, peer: Channel, now: float) -> None:
        """Note that a bind is bound, on this channel."""
        bind.peer = peer
        bind.changed_at = now
        bind.trouble = ""
        bind.troubles.forget()
        bind.retires = False
        bind.round_trip.path = self._paths.setdefault(bind.path, Path())
        bind.round_trip.acknowledged.forget()
        bind.lifetime.begin(self._share(bind), now)
        if bind.pace is not None and self.suspects.may_go_on(bind, self._able()):
            self._begin_trial(bind, now)
        bind.update_window()
        self.offer(bind, now)

    def went_down(self, bind: Bind, now: float) -> None:
        """Note that a bind is down. Its attempts end after this, one by one."""
        bind.peer = None
        bind.trial = None
        bind.unanswered.clear()  # At once: `is_available` is asked before all attempts have ended.
        bind.batch = None
        bind.changed_at = now
        if not any(one.peer is not None for one in self.binds):
            self.all_fell_at = now

    def _share(self, bind: Bind) -> float:
        """Return the part of the binds that come before this one: 0 for the first bind."""
        if bind.removed:
            return 0.0
        return self.binds.index(bind) / len(self.binds)

    def drain(self, bind: Bind, *, drained: bool) -> None:
        """Stop sending on this bind, or start again; call `offer` after that."""
        bind.drained = drained
        bind.update_window()

    def retire(self, bind: Bind, now: float) -> bool:
        """Stop sending on this bind if its session has lived its time; return whether it has."""
        lifetime = bind.lifetime
        if bind.retires or bind.peer is None:
            return bind.retires
        away = any(one.retires or one.peer is None for one in self.binds if one is not bind)
        if lifetime.is_over(now, another_is_away=away):
            bind.retires = True
            bind.update_window()
        return bind.retires

    def offer(self, bind: Bind, now: float) -> None:
        """Consider a bind again: it may have become able to send."""
        if not bind.in_heap and bind.sends:
            if bind.in_use < bind.common:
                self._push(bind, now)
            elif now - bind.sized_at >= SIZE_AGAIN_S and self._size(bind, now):
                pass  # It has been offered with its new size.
            elif bind.in_use < bind.window:
                self._kept[bind] = None

    def _push(self, bind: Bind, at: float) -> None:
        bind.in_heap = True
        self._order += 1
        heappush(self._ready, (at, self._order, bind))

    def ready_bind(self, now: float) -> Bind | None:
        """Return a bind that may send a message now; else None, and set `ready_at`."""
        if self.pacer is not None and (at := self.pacer.ready_at(now)) > now:
            self.ready_at = at
            return None
        ready = self._ready
        while ready:
            at, order, bind = ready[0]
            if at > now:
                self.ready_at = at
                return None
            peer = bind.peer  # As `bind.sends`, without the cost of a call for each message.
            is_up = peer is not None and peer.writable and peer.can_send
            if not is_up or len(bind.unanswered) >= bind.common:
                heappop(ready)
                bind.in_heap = False
                self.offer(bind, now)
                continue
            pace = bind.pace
            assert pace is not None  # A bind without a pace has no window.
            at = pace.ready_at(now)
            if at <= now:
                return bind
            heapreplace(ready, (at, order, bind))
        self.ready_at = NEVER
        return None

    def kept_bind(self, now: float) -> Bind | None:
        """Return a bind with room for the most urgent lane only; `ready_bind` found none."""
        if self.pacer is not None and self.pacer.ready_at(now) > now:
            return None
        for bind in list(self._kept):
            pace = bind.pace
            trial = bind.trial
            if pace is None or bind.in_heap or not bind.sends or bind.in_use >= bind.window:
                del self._kept[bind]
            elif trial is not None and not trial.takes_urgent(now):
                continue  # Now it is a suspect's turn.
            elif (at := pace.ready_at(now)) <= now:
                return bind
            else:
                self.ready_at = min(self.ready_at, at)
        return None

    def prefer(self, preferred: object, bind: Bind, now: float) -> Bind:
        """Return the preferred bind if it can send now as well; else the bind that is ready."""
        if (
            isinstance(preferred, Bind)
            and preferred.in_heap
            and preferred.operator is self
            and preferred.sends
            and preferred.in_use < preferred.common
            and preferred.pace is not None
            and preferred.pace.ready_at(now) <= now
        ):
            return preferred
        return bind

    def send(
        self, bind: Bind, message: Message, octets: bytes, now: float, sender: str = ""
    ) -> None:
        """Write the message, as these octets, to a bind that `ready_bind` or `prefer` returned.

        `sender` is the one under which it goes out instead of its own, for its record.
        """
        peer, pace = bind.peer, bind.pace
        assert peer is not None
        assert pace is not None
        slot = pace.take(bind.round_trip, now)
        operator_slot = -1 if self.pacer is None else self.pacer.take(bind.round_trip, now)
        if self.destinations is not None:
            self.destinations.sent(self.number_of(message), now)
        self.in_flight += 1
        batch = bind.batch
        if batch is None:
            place = bind.round_trip.answered + len(bind.unanswered)
            batch = bind.batch = Batch(now, place)
        message.in_flight += 1
        attempt = Attempt(message, bind, slot, operator_slot, now, batch, sender)
        if bind.trial is not None:
            self._tried(bind.trial, attempt)
        bind.unanswered[attempt] = None
        if self.circuit.is_troubled and self.circuit.is_probing(bind):
            if not message.timeouts:
                bind.probe = attempt
            bind.update_window()
        peer.write(octets, attempt, now)
        lifetime = bind.lifetime
        lifetime.left = left = lifetime.left - 1
        if left <= lifetime.spare:
            self.retire(bind, now)
        self._order += 1
        if self._ready and self._ready[0][2] is bind:
            heapreplace(self._ready, (now, self._order, bind))  # Last of the binds that are ready.

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        """Write a request that is no message; return whether a bind can send it now."""
        for bind in self.binds:
            peer = bind.peer
            if peer is not None and peer.can_send and peer.writable and bind.in_use < bind.window:
                return peer.ask(octets, asked, now)
        return False

    @staticmethod
    def _tried(trial: Trial, attempt: Attempt) -> None:
        """Note what goes on a bind that tries suspects, if it is one of them."""
        if attempt.message.suspicion is not None and not trial.is_free:
            trial.wrote(attempt.sent_at)
            attempt.is_tried = True

    def attempt_ended(self, attempt: Attempt, now: float, *, answered: bool) -> None:
        """End an attempt: it was answered, or is given up."""
        bind = attempt.bind
        bind.unanswered.pop(attempt, None)  # Attempts of a lost session are not in it.
        self.in_flight -= 1
        attempt.message.in_flight -= 1
        attempt.over = not answered
        if self.destinations is not None:
            self.destinations.attempt_ended(self.number_of(attempt.message), attempt.sent_at, now)
        if answered:
            self.answered += 1
            if attempt.sent_at > bind.heard_to:
                bind.heard_to = attempt.sent_at
            bind.round_trip.add_sample(now - attempt.batch.left_at, now)
        if bind.pace is not None:
            bind.pace.pacer.ended(attempt.slot, attempt.sent_at, now, answered=answered)
        if self.pacer is not None:
            self.pacer.ended(attempt.operator_slot, attempt.sent_at, now, answered=answered)
        if attempt.is_tried and bind.trial is not None:
            bind.trial.ended(now - attempt.sent_at, now)
        if attempt is bind.probe:
            bind.probe = None
        if self.circuit.is_troubled and self.circuit.is_probing(bind):
            bind.update_window()
        if not bind.in_heap:
            self.offer(bind, now)

    # Suspects.

    @property
    def waiting_apart(self) -> int:
        """Messages in doubt that wait apart from the lanes."""
        return len(self.suspects.waiting) + len(self.held.waiting)

    def suspect(self, message: Message, urgency: int, now: float) -> None:
        """Have a suspect wait apart until it can go alone."""
        suspicion = message.suspicion
        assert suspicion is not None
        suspicion.at(self.name, self.answered)
        fell_here = message.operator == self.name
        self.suspects.suspect(message, urgency, now, fell_here=fell_here)
        able = self._able()
        for bind in able:
            if is_new(bind, self.suspects.since) and self.suspects.may_go_on(bind, able):
                self._begin_trial(bind, now)
                bind.update_window()

    def bind_to_try(self, now: float) -> Bind | None:
        """Return a bind on which the next suspect may be written now, alone; else None.

        Then `suspects.ready_at` says when to ask again although nothing has happened.
        """
        suspects = self.suspects
        suspects.ready_at = NEVER
        most_unanswered = self.circuit.most_unanswered
        able = [bind for bind in self._able() if most_unanswered(bind) > 1]
        for bind in able:
            if bind.trial is not None:
                self._look(bind, bind.trial, now)
        another = suspects.bind_to_try(able, now)
        if isinstance(another, Bind):
            self._begin_trial(another, now)
            another.update_window()
        for bind in able:
            if may_try(bind) and suspects.may_go_on(bind, able):
                at = self._ready_at(bind, now)
                if at <= now:
                    return bind
                suspects.ready_at = min(suspects.ready_at, at)
        return None

    def _look(self, bind: Bind, trial: Trial, now: float) -> None:
        """See whether a bind that tries is to take ordinary messages for a while, or no longer."""
        was_free = trial.is_free
        at = trial.look(bind.in_use, bind.round_trip.mean_s, now)
        self.suspects.ready_at = min(self.suspects.ready_at, at)
        if trial.is_free != was_free:
            bind.update_window()
            self.offer(bind, now)

    def bind_for_breaker(self, now: float) -> Bind | None:
        """Return a bind that may write a message in doubt now, while a breaker is probing."""
        if now < self.circuit.again_at:
            return None
        for bind in self._able():
            is_free = bind.window > 0 and bind.sends and not bind.in_use
            if is_free and self.circuit.is_probing(bind) and self._ready_at(bind, now) <= now:
                return bind
        return None

    def _ready_at(self, bind: Bind, now: float) -> float:
        """Return when the rates of the bind and of the operator allow a message; or earlier."""
        assert bind.pace is not None
        at = bind.pace.ready_at(now)
        return at if self.pacer is None else max(at, self.pacer.ready_at(now))

    def _begin_trial(self, bind: Bind, now: float) -> None:
        peer = bind.peer
        assert peer is not None
        # One that was bound for so long needs no proof.
        is_proven = peer.has_answered or now - bind.changed_at >= PROVEN_S
        bind.trial = Trial(now, is_proven=is_proven)
        self.is_trying = True
        if not is_proven:
            peer.enquire()

    def proven(self, bind: Bind, now: float) -> bool:
        """Note that a session has answered; return whether a trial has waited for that."""
        trial = bind.trial
        if trial is None or trial.is_proven:
            return False
        trial.is_proven = True
        bind.update_window()
        self.offer(bind, now)
        return True

    def end_trials(self, now: float) -> bool:
        """Have binds take ordinary messages again, as no suspect waits; return whether any does."""
        over = False
        for bind in self.binds:
            trial = bind.trial
            if trial is not None and trial.is_proven and not trial.trying:
                bind.trial = None
                bind.update_window()
                self.offer(bind, now)
                over = True
        self.is_trying = any(bind.trial is not None for bind in self.binds)
        return over

    def rest(self, bind: Bind, until: float) -> None:
        """Send nothing on this bind before `until`."""
        if bind.pace is not None:
            bind.pace.rest(until)

    # Failures and slow answers.

    def throttled(self, bind: Bind, sent_at: float, now: float) -> bool:
        """Note that a message written at this time was throttled; return whether too many are.

        Then the bind is slowed, and is to rest. Else it is by chance, and only the message waits.
        """
        if bind.pace is not None:
            answered = bind.round_trip.answered
            if bind.pace.adaptive.is_by_chance(sent_at, answered, now):
                return False
            self.refused(bind, sent_at, now)
        return True

    def refused(self, bind: Bind, sent_at: float, now: float) -> None:
        """Note that a message written at this time was certainly too soon for the operator."""
        if bind.pace is not None and bind.pace.adaptive.refused(sent_at, now):
            self._slowed(bind, "throttled", now)

    def is_failure(self, status: int) -> bool:
        """Return whether a status is about the operator, and not about the message."""
        breaker = self.settings.breaker
        return breaker is not None and status in breaker.statuses

    def is_silent(self, attempt: Attempt) -> bool:
        """Return whether it is held against the operator that it does not answer this in time.

        A message counts once. Nor does it count when most that was written after it is answered,
        by as much as the breaker asks for: then this one is lost, however late that shows.
        """
        bind = attempt.bind
        if self.circuit.is_tried(bind):
            return attempt is bind.probe
        if attempt.message.timeouts:
            return False
        breaker = self.settings.breaker
        if breaker is None or attempt.sent_at >= bind.heard_to:
            return True
        answered = max(0, bind.round_trip.answered - attempt.batch.place)
        silent = sum(
            one.sent_at >= attempt.sent_at and not one.message.timeouts for one in bind.unanswered
        )
        return silent * breaker.of >= breaker.failures * (silent + answered)

    def succeeded(self, bind: Bind) -> bool:
        """Note that a message was taken after failures; return whether any window has changed."""
        return self._tell_breakers("closed", bind, self.circuit.succeeded(bind))

    def failed(self, bind: Bind, now: float) -> bool:
        """Note a failure of the operator; return whether any window has changed."""
        opened = self.circuit.failed(bind, self._able(), now)
        return self._tell_breakers("opened", bind, opened)

    def tick(self, now: float) -> bool:
        """Do what is due, once a second or so; return whether any window has changed."""
        if self.destinations is not None:
            self.destinations.forget_old(now)
        for bind in self.binds:
            self._size(bind, now)
            if bind.pace is not None and bind.peer is not None:
                unheard_s = bind.unheard_s(now)
                if bind.pace.adaptive.tick(unheard_s, bind.round_trip.smallest_s, now):
                    self._slowed(bind, "slow answers", now)
        trusted = unproven(self.binds, now)
        for trial in trusted:
            trial.is_proven = True
        probes = self.circuit.is_troubled and self.circuit.tick(self._able(), now)
        if not (probes or trusted):
            return False
        self._update_windows()
        return True

    def _size(self, bind: Bind, now: float) -> bool:
        """Compute the size of an `auto` window; return whether it is another one."""
        settings = bind.settings
        bind.sized_at = now
        if settings.window is not None or settings.rate is None:
            return False
        before, bind.passed = bind.sized, bind.count_passed()
        bind.sized = sized(settings.rate, bind.round_trip.mean_s, bind.passed)
        if bind.sized == before:
            return False
        bind.update_window()
        self.offer(bind, now)
        return True

    def _able(self) -> list[Bind]:
        """Return the binds that could send if breakers and windows allowed it."""
        return [
            bind
            for bind in self.binds
            if not (bind.drained or bind.retires) and bind.peer is not None and bind.peer.can_send
        ]

    def _update_windows(self) -> None:
        for bind in self.binds:
            bind.update_window()

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
            self._update_windows()
        return bool(breakers)
