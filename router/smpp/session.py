"""One SMPP session, either side: octets and `now` in, PDUs for the stage and octets out.

The session keeps the state (states.py), numbers our requests, holds the window of those that are
unanswered, answers what needs no stage (enquire_link, unbind, what is out of place or unknown), and
runs the timers. A session never touches a socket and never reads a clock. The transport's owner

- calls `receive()` with what arrived and works through the PDUs that come back,
- writes `take_octets()` at the end of each turn,
- closes the transport when `state` is CLOSED and everything is written,
- calls `wake()` when `wake_at()` has passed.

Timers: bind (OPEN, BINDING), enquire_link after silence and its answer, inactivity, response, and
the answer to unbind (UNBINDING). Source: SMPP v3.4, 7.2. A session whose place another one needs
has shorter ones (`doubt`): its host may have vanished without a word.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from router.smpp import pdu as p
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.pdu import ALL, Framer, Pdu
from router.smpp.states import Event, Side, State
from router.terms.oldest_first import OldestFirst

NEVER: Final = float("inf")
LAST_SEQUENCE: Final = 0x7FFF_FFFF
"""Last of our sequence_numbers, before they start again at 1 (3.4, 3.2). Any number of a peer is
echoed."""

MOST_LATE: Final = 1000
"""Overdue requests whose late answer is still recognised; older requests are forgotten."""

MOST_HELD_OCTETS: Final = 262_144
"""Octets that a peer may send behind its bind request, or ahead of its answer to ours, before the
session is bound: 1,700 usual submit_sm. A peer that sends more is cut off."""

MOST_BEFORE_BIND: Final = 10
"""Requests and answers that a client may send before its bind request. One that sends more is cut
off: a bind is one PDU."""

DOUBTED_SILENT_S: Final = 3.0
"""The silence after which a peer is asked whether it lives, once another needs its place."""
DOUBTED_ANSWER_S: Final = 2.0
"""How long such a peer has to answer: a round trip, and one lost segment sent again. The two make
5 s at most from the other's first try to the free place, however short the silence was until then.
A peer that has said something since is not asked, and none is asked more often than every 3 s,
however often others try."""

LONGEST_ID_OCTETS: Final = 65
"""A message_id of 3.4 with its NUL; the beginning of a longer one is enough for the log."""

MOST_REST: Final = 5000
"""PDUs that are looked through for answers when the connection is gone: the largest window."""

COURTESY_S: Final = 1.0
"""How long our unbind waits for answers that we owe: those that wait for the journal are there by
then, while a receipt that waits for its message may take ten times as long. Also how long the
answer to a message centre's unbind waits for its answers to us: without them those messages would
be sent twice."""

HANDED_ON: Final = frozenset(
    {
        *(v.SUBMIT_SM, v.SUBMIT_MULTI, v.DATA_SM, v.DELIVER_SM),
        *(v.QUERY_SM, v.CANCEL_SM, v.REPLACE_SM),
        *(v.BIND_RECEIVER, v.BIND_TRANSMITTER, v.BIND_TRANSCEIVER),
    }
)
"""Requests that a stage answers; the session answers every other one."""

SERVED: Final = HANDED_ON | {v.ENQUIRE_LINK, v.UNBIND}
"""Requests that are answered as what they are. Every other one, whether it is known and in its
place or not, gets a generic_nack with ESME_RINVCMDID: the body of its own answer could not be
filled, and some peers cannot read an answer without one."""

NOT_ANSWERED: Final = frozenset({v.OUTBIND, v.ALERT_NOTIFICATION})
"""Requests that have no answer (3.4, 4.1.7 and 4.12). A stage hears of an alert_notification."""

_RESPONSE = v.RESPONSE
_NACK = v.GENERIC_NACK
# Before Python 3.12 a member of an enum costs five globals.
_CLOSED: Final = State.CLOSED
_UNBOUND: Final = State.OPEN, State.BINDING
_OVER: Final = (State.CLOSED,)
_NOT_BOUND: Final = State.OPEN, State.BINDING, State.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """How long a session waits, in seconds; None is for ever."""

    bind_s: float
    enquire_link_s: float
    response_s: float
    inactivity_s: float | None = None


@dataclass(slots=True)
class Note:
    """An event on a session that is counted and may be logged: a fault of the peer, not of ours."""

    event: str
    """One of: pdu.refused, pdu.unknown, framing.lost, response.unasked, response.mismatched,
    response.late, bind.timed_out, bind.flooded, link.dead, link.gave_way, session.idle,
    unbind.timed_out, nack.received, peer.slowed; or an event that a step reports."""
    command_id: int = 0
    status: int = 0
    message_id: bytes = b""
    """The id that a receipt came with."""
    our_number: bytes = b""
    """The number of ours that a subscriber's message was sent to."""
    reason: str = ""
    """A word of a few, which a metric has too."""
    why: str = ""
    """More than the status says."""
    looks_like: str = ""
    """The protocol that the peer speaks instead of SMPP."""

    def words(self) -> dict[str, str]:
        """Return the fields of the note's log line."""
        words = {}
        if self.command_id:
            words["command"] = v.command_name(self.command_id)
        if self.status:
            words["status"] = v.status_name(self.status)
        if self.why:
            words["why"] = self.why
        if self.message_id:
            words["message_id"] = self.message_id[:LONGEST_ID_OCTETS].decode("latin-1")
        if self.our_number:
            words["our_number"] = self.our_number[:LONGEST_ID_OCTETS].decode("latin-1")
        if self.reason:
            words["reason"] = self.reason
        if self.looks_like:
            words["looks_like"] = self.looks_like
        return words


class Writable(Protocol):
    """A connection that is written to once, when a turn of the loop ends."""

    to_write: bool
    """Whether the end of this turn writes to the connection already."""

    def flush(self) -> None:
        """Write what the session has for the peer."""


class Peer(Writable, Protocol):
    """The other end of a session."""

    @property
    def session(self) -> "Session":
        """The session."""


class Session:
    """One side of one session."""

    def __init__(self, side: Side, timers: Timers, longest_pdu_octets: int, now: float) -> None:
        self.side: Final = side
        self.peer: Final = Side.MC if side is Side.ESME else Side.ESME
        self.state = State.OPEN
        self.notes: list[Note] = []
        """Notes that have not been taken yet."""
        self.unanswered: dict[int, tuple[float, object, int]] = {}
        """Our requests in flight by sequence_number, oldest first: when, whose, which command. A
        plain dict, because every message is written to it; so nothing looks for its oldest but
        `wake`, once."""
        self._oldest_at = NEVER
        """No request in flight is older; the request that was sent then may be answered by now."""
        self.has_answered = False
        """Whether the peer has answered any request since the bind."""
        self.has_timed_out = False
        """Whether it is over because the peer did not answer in time."""
        self.peer_has_unbound = False
        """Whether the peer has asked to end the session."""
        self.useless = 0
        """PDUs that were no message and no answer to one of ours, or were refused; whoever has them
        pay for it sets it back."""
        self.has_more = False
        """Whether there may be PDUs that `receive` has not dealt with: they were too many."""
        self._before_bind = 0
        self.owed = 0
        """Requests handed on by `receive` and not answered yet; bind requests do not count."""
        self._late: Final[OldestFirst[int, tuple[object, int]]] = OldestFirst(MOST_LATE)
        """Overdue requests by sequence_number: whose, which command."""
        self.interface_version = v.VERSION_3_4
        """The version that the client of this session speaks."""
        self.timers = timers
        """How long it waits; others may take their place while it lasts."""
        self._framer = Framer(longest_pdu_octets)
        self._out: list[bytes] = []
        self._sequence = 0
        self._opened_at = now
        self._heard_at = now
        self._request_heard_at = now
        self._enquired_at = NEVER
        self._enquiry = 0
        """The sequence_number of the enquire_link whose answer a stage wants; 0: of none."""
        self._probes = 0
        """Unanswered enquire_links of `probe`; the answers to those cost the peer nothing."""
        self._doubted_at = -NEVER
        """When another first needed the place; over once the peer is heard after it."""
        self._unbound_at = NEVER
        self.has_refused = False
        """Whether the session ended with the refusal of a bind request."""
        self.has_flooded = False
        """Whether the session ended because the peer sent too much before it was bound."""
        self._system_id = b""
        """The system_id with which the client's bind request was answered."""
        self._bind_request: Pdu | None = None
        self._has_asked_to_end = False
        self._ending = False
        """Whether an unbind, or the answer to one, waits for other answers."""
        self._courteous_until = NEVER
        """Until when; NEVER where it is as long as it takes, or is over."""
        self._unbinds: list[Pdu] = []
        self._held: list[Pdu] = []
        self._held_octets = 0
        self._to_stage = self._legal_for_stage()

    def adopt(self, timers: Timers, longest_pdu_octets: int) -> None:
        """Follow other timers and another limit, from the next octets and the next wake on."""
        self.timers = timers
        self._framer.longest_octets = longest_pdu_octets

    @property
    def longest_pdu_octets(self) -> int:
        """A PDU with a longer command_length ends the session."""
        return self._framer.longest_octets

    @property
    def unread(self) -> bytes:
        """Octets that have come and were not dealt with yet."""
        return self._framer.rest

    # What comes in.

    def receive(self, octets: bytes, now: float, most: int = ALL) -> list[Pdu]:
        """Return the PDUs a stage must deal with: requests to answer, and answers to its own.

        At most so many PDUs are dealt with; then `has_more` says that another call, without octets,
        deals with the next.

        An answer carries the object that its request was sent with. A bind request comes back once
        and is followed by `accept_bind` or `refuse_bind`; what the peer sent behind it waits. What
        a message centre sent ahead of its bind_resp comes back behind that.
        """
        if self.state is _CLOSED:
            self.has_more = False
            return []
        framer = self._framer
        pdus = framer.feed(octets, most)
        if pdus:  # Octets alone are no sign of life: a peer may drip one a minute.
            self._heard_at = now
            self._enquired_at = NEVER
        stage = self._sort(pdus, now)
        if self._ending:
            self._go_on_ending()
        if framer.lost_at_sequence is not None:
            self._lose_framing(framer.lost_at_sequence)
        self.has_more = framer.has_more and self.state not in _OVER
        return stage

    def rest(self, now: float) -> list[Pdu]:
        """Return the answers to our requests among what has come and was not dealt with.

        For a connection that is gone: requests cannot be answered any more, and the peer knows it.
        """
        self.has_more = False
        if not self.unanswered or self.state is _CLOSED:
            return []
        pdus = self._framer.feed(b"", MOST_REST)
        return self._sort([pdu for pdu in pdus if pdu.command_id & _RESPONSE], now)

    def _lose_framing(self, sequence_number: int) -> None:
        if self.state is not _CLOSED:  # An unbind in the same octets goes before.
            self._out.append(p.build(_NACK, v.ESME_RINVCMDLEN, sequence_number))
            other = p.looks_like(self._framer.lost_octets) if self.state in _UNBOUND else ""
            self._end("framing.lost", looks_like=other)

    def _sort(self, pdus: Iterable[Pdu], now: float) -> list[Pdu]:
        stage: list[Pdu] = []
        unanswered = self.unanswered
        for pdu in pdus:
            command_id = pdu.command_id
            if command_id & _RESPONSE:
                request = unanswered.get(pdu.sequence_number)
                if request is not None and (command_id == request[2] or command_id == _NACK):
                    del unanswered[pdu.sequence_number]
                    self.has_answered = True
                    pdu.sent_at = request[0]
                    pdu.request = request[1]
                    stage.append(pdu)
                else:
                    self._other_response(pdu, stage, now)
            elif self._bind_request is not None and self._waits_for_bind(command_id):
                self._hold(pdu)
            elif command_id in self._to_stage:
                self._request_heard_at = now
                stage.append(pdu)
                if command_id in states.BOUND_BY:
                    self._bind_request = pdu
                    self._move(Event.BIND_SENT)
                else:
                    self.owed += 1
            elif self._other_request(pdu, now):
                stage.append(pdu)
            if self.state is _CLOSED:
                break
        return stage

    def _waits_for_bind(self, command_id: int) -> bool:
        """Whether a request that came before the bind was answered is dealt with after that.

        What a client sends behind its bind request waits, all of it in its order. What a message
        centre sends a moment before its bind_resp waits where it is legal in a bound session: a
        status now would have it drop its messages. The rest is answered at once, as ever.
        """
        if self.side is Side.MC:
            return True
        if states.may_issue(self.state, command_id, self.peer):
            return False
        return any(states.may_issue(state, command_id, self.peer) for state in states.BOUND)

    def _hold(self, pdu: Pdu) -> None:
        """Keep a request until the bind is answered."""
        self._held.append(pdu)
        self._held_octets += len(pdu.octets)
        if self._held_octets > MOST_HELD_OCTETS:
            self._cut_off()

    def _other_response(self, pdu: Pdu, stage: list[Pdu], now: float) -> None:
        """An answer to a bind, an enquire_link or an unbind; or to nothing."""
        self._count_unbound()
        command_id = pdu.command_id
        bind = self._bind_request
        if bind is not None and self.side is Side.ESME:
            if command_id not in (bind.command_id | _RESPONSE, _NACK):
                self._note("response.unasked", command_id)
                return
            self._bind_request = None
            ok = pdu.command_status == v.ESME_ROK and command_id != _NACK
            self._move(states.BOUND_BY[bind.command_id] if ok else Event.BIND_REFUSED)
            stage.append(pdu)
            held = self._release()
            if ok:  # Else nobody is bound to hear of them: they stay with the message centre.
                stage += self._sort(held, now)
        elif command_id == v.UNBIND_RESP and self.state is State.UNBINDING:
            self._move(Event.CLOSED)
        elif self._enquiry and pdu.sequence_number == self._enquiry:
            self._enquiry = 0  # A generic_nack shows as well that it reads what we write.
            self.has_answered = True
            stage.append(pdu)
        elif command_id == v.ENQUIRE_LINK_RESP:
            if self._probes:
                self._probes -= 1
            else:
                self.useless += 1  # Unless silence made us ask, which is seldom.
            self.has_answered = True  # And `receive` has noted that the peer lives.
        elif command_id == _NACK:
            self.useless += 1
            self._note("nack.received", status=pdu.command_status)
        elif pdu.sequence_number in self.unanswered:
            self.useless += 1
            self._note("response.mismatched", command_id)
        elif (late := self._late.get(pdu.sequence_number)) is not None and late[1] == command_id:
            self._late.pop(pdu.sequence_number)
            pdu.request = late[0]
            self._note("response.late", command_id, pdu.command_status)
            stage.append(pdu)
        else:
            self.useless += 1
            self._note("response.unasked", command_id)

    def _other_request(self, pdu: Pdu, now: float) -> bool:
        """Answer a request that no stage answers; return whether one hears of it all the same."""
        self._count_unbound()
        self.useless += 1
        command_id, sequence_number = pdu.command_id, pdu.sequence_number
        if states.may_issue(self.state, command_id, self.peer):
            if command_id == v.ENQUIRE_LINK:
                self._out.append(p.response(command_id, sequence_number))
            elif command_id == v.UNBIND:
                self.peer_has_unbound = True
                self._unbinds.append(pdu)
                if self.state is not State.UNBINDING:
                    self._unbound_at = now
                    self._move(Event.UNBIND)
                    if self.side is Side.ESME:
                        self._courteous_until = now + COURTESY_S
                # Answered behind all that came in the same octets, some of it perhaps behind it.
                self._ending = True
            elif command_id == v.ALERT_NOTIFICATION:
                return True
            elif command_id == v.OUTBIND:
                self._note("pdu.refused", command_id)
            elif command_id in HANDED_ON:  # Too late for this session: on another, or later.
                self._refuse(pdu, v.ESME_RX_T_APPN)
            else:
                self._refuse(pdu, v.ESME_RINVCMDID)
        elif command_id in states.KNOWN_REQUESTS:
            bound_twice = command_id in states.BOUND_BY and self.state in states.BOUND
            self._refuse(pdu, v.ESME_RALYBND if bound_twice else v.ESME_RINVBNDSTS)
        else:
            self._note("pdu.unknown", command_id, v.ESME_RINVCMDID)
            self._out.append(p.build(_NACK, v.ESME_RINVCMDID, sequence_number))
        return False

    def _count_unbound(self) -> None:
        """Cut off a client that sends much before it binds."""
        if self.side is Side.MC and self.state in _UNBOUND:
            self._before_bind += 1
            if self._before_bind > MOST_BEFORE_BIND:
                self._cut_off()

    def _refuse(self, pdu: Pdu, status: int) -> None:
        command_id, sequence_number = pdu.command_id, pdu.sequence_number
        if command_id in states.BOUND_BY:
            answer = p.bind_response(command_id, sequence_number, status, self._system_id)
        elif command_id in SERVED:
            answer = p.response(command_id, sequence_number, status)
        elif command_id in NOT_ANSWERED:
            answer = b""
        else:
            status = v.ESME_RINVCMDID
            answer = p.build(_NACK, status, sequence_number)
        self._note("pdu.refused", command_id, status)
        if answer:
            self._out.append(answer)

    # Binding.

    def bind(
        self,
        command_id: int,
        *,
        system_id: bytes,
        password: bytes,
        system_type: bytes = b"",
        interface_version: int = v.VERSION_3_4,
        address_range: tuple[int, int, bytes] = (0, 0, b""),
    ) -> None:
        """Send a bind request. The answer comes back from `receive`.

        `address_range` is addr_ton, addr_npi and address_range.
        """
        octets = p.bind(
            command_id,
            self._next_sequence(),
            system_id=system_id,
            password=password,
            system_type=system_type,
            interface_version=interface_version,
            address_range=address_range,
        )
        self.interface_version = interface_version
        self._bind_request = Pdu(command_id, 0, self._sequence, octets)
        self._out.append(octets)
        self._move(Event.BIND_SENT)

    def accept_bind(self, system_id: bytes, interface_version: int, now: float) -> list[Pdu]:
        """Answer the bind request with ESME_ROK; return what the peer sent behind it.

        Nothing happens if the session has ended while the request was judged. After this it may
        have ended too, by an unbind that came behind the request.
        """
        bind = self._bind_request
        if bind is None or self.state is not State.BINDING:
            return []
        self.interface_version = interface_version
        tlvs = b""
        if interface_version >= v.VERSION_3_4:  # 3.3 has no TLVs.
            tlvs = p.tlv(v.SC_INTERFACE_VERSION, bytes((interface_version,)))
        number = bind.sequence_number
        self._out.append(p.bind_response(bind.command_id, number, v.ESME_ROK, system_id, tlvs))
        self._system_id = system_id
        self._bind_request = None
        self._move(states.BOUND_BY[bind.command_id])
        self._request_heard_at = now
        stage = self._sort(self._release(), now)
        if self._ending:
            self._go_on_ending()
        return stage

    def _release(self) -> list[Pdu]:
        held, self._held = self._held, []
        self._held_octets = 0
        return held

    def refuse_bind(self, system_id: bytes, status: int) -> None:
        """Answer the bind request with `status` and end the session, if it has not ended yet."""
        bind = self._bind_request
        if bind is None or self.state is not State.BINDING:
            return
        number = bind.sequence_number
        self._out.append(p.bind_response(bind.command_id, number, status, system_id))
        self.has_refused = True
        self._bind_request = None
        self._release()
        self._move(Event.BIND_REFUSED)
        self._move(Event.CLOSED)

    # What goes out.

    def request(self, octets: bytes, whose: object, now: float) -> None:
        """Send this request under our next sequence_number; `whose` comes back with its answer."""
        number = self._sequence + 1
        unanswered = self.unanswered
        if number > LAST_SEQUENCE or number in unanswered:
            self._sequence = number - 1
            number = self._next_sequence()
        self._sequence = number
        if not unanswered:
            self._oldest_at = now
        command_id = octets[4] << 24 | octets[5] << 16 | octets[6] << 8 | octets[7]
        unanswered[number] = (now, whose, command_id | _RESPONSE)
        self._out.append(p.relay(octets, number))

    def notify(self, octets: bytes) -> None:
        """Send a request that has no answer, under our next sequence_number."""
        self._out.append(p.relay(octets, self._next_sequence()))

    def enquire(self) -> None:
        """Send an enquire_link now; its answer comes back from `receive`, with no request.

        Nothing follows if none comes, and nothing happens on a session that is not bound.
        """
        if self.state in states.BOUND:
            self._enquiry = self._next_sequence()
            self._out.append(p.build(v.ENQUIRE_LINK, 0, self._enquiry))

    def probe(self) -> None:
        """Write to a peer of which much is not read yet, whatever it answers.

        Where it is gone, its end may be unsent in its system behind what it has sent last; that
        system answers octets with a reset.
        """
        if self.state in states.BOUND:
            self._probes += 1
            self._out.append(p.build(v.ENQUIRE_LINK, 0, self._next_sequence()))

    def doubt(self, now: float) -> bool:
        """Ask a silent peer soon whether it lives, and end the session if it does not answer.

        For a session whose place another one needs. Return whether the peer is in doubt: not if it
        has asked to end, since then it waits for us.
        """
        if self.peer_has_unbound or self.state in _NOT_BOUND:
            return False
        if not self._is_doubted:
            self._doubted_at = now
        return True

    @property
    def _is_doubted(self) -> bool:
        return self._doubted_at >= self._heard_at

    def respond(self, octets: bytes) -> None:
        """Send this answer to a request that `receive` handed on."""
        self.owed -= 1
        self._out.append(octets)
        if self._ending:
            self._go_on_ending()

    def _go_on_ending(self) -> None:
        """Unbind, or answer the peer's unbind, once all else is answered.

        A peer that gets no answer sends its messages again (Kannel, vumi and SMSCs do).
        """
        if self.state is not State.UNBINDING:
            return
        is_courteous = self._courteous_until != NEVER
        if self._unbinds:
            self._ending = self.owed > 0 or (is_courteous and bool(self.unanswered))
            if not self._ending:
                answers = [p.response(v.UNBIND, pdu.sequence_number) for pdu in self._unbinds]
                self._out += answers
                self._move(Event.CLOSED)
        else:
            self._ending = self.owed > 0 and is_courteous
            if not self._ending:
                self._courteous_until = NEVER
                self._out.append(p.build(v.UNBIND, 0, self._next_sequence()))

    def unbind(self, now: float) -> None:
        """Ask the peer to end the session, once all that it has asked is answered or soon.

        Answers to what is in flight are still read. A message centre that goes on delivering hears
        that it must come again: we would never be done.
        """
        self._has_asked_to_end = True
        self._unbound_at = now
        self._courteous_until = now + COURTESY_S
        self._move(Event.UNBIND)
        self._go_on_ending()

    def close(self) -> list[object]:
        """End the session here and now; return the requests whose fate is unknown, oldest first."""
        if self.state is not _CLOSED:
            self._move(Event.CLOSED)
        lost = [whose for _, whose, _ in self.unanswered.values()]
        self.unanswered.clear()
        self._framer.clear()
        self.has_more = False
        self._release()
        self._bind_request = None
        return lost

    def take_octets(self) -> bytes:
        """Return what there is to write."""
        out = self._out
        if not out:
            return b""
        octets = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return octets

    # Time.

    def wake_at(self) -> float:
        """Return when `wake` is next needed, in monotonic seconds; may be early, never late."""
        timers = self.timers
        if self.state is _CLOSED:
            return NEVER
        if self.state in _UNBOUND:
            return self._opened_at + timers.bind_s
        if self._doubted_at >= self._heard_at:
            at = self._doubt_ends_at()
        elif self._enquired_at == NEVER:
            at = self._heard_at + timers.enquire_link_s
        else:
            at = self._enquired_at + timers.response_s
        if self.unanswered:
            at = min(at, self._oldest_at + timers.response_s)
        if timers.inactivity_s is not None:
            at = min(at, self._request_heard_at + timers.inactivity_s)
        return min(at, self._courteous_until, self._unbound_at + timers.response_s)

    def wake(self, now: float) -> list[object]:
        """Do what is due. Return the requests whose answer is overdue: their fate is unknown.

        An answer that comes late all the same is returned by `receive`, `sent_at` 0.

        A dead link, a bind that did not come and a peer that does not answer unbind leave the
        session CLOSED; `close` then returns what was in flight.
        """
        timers = self.timers
        if self.state is _CLOSED:
            return []
        if self.state in _UNBOUND:
            if now >= self._opened_at + timers.bind_s:
                self._end("bind.timed_out")
            return []
        if now >= self._unbound_at + timers.response_s:
            self._end("unbind.timed_out")
            return []
        if now >= self._enquired_at + timers.response_s:
            self.has_timed_out = True
            self._end("link.dead")
            return []
        is_due = now >= self._heard_at + timers.enquire_link_s
        if self._is_doubted and now >= self._doubt_ends_at():
            if self._enquired_at != NEVER:
                self.has_timed_out = True
                self._end("link.gave_way")
                return []
            is_due = True
        if is_due and self._enquired_at == NEVER:
            self._enquired_at = now
            self._out.append(p.build(v.ENQUIRE_LINK, 0, self._next_sequence()))
        idle_s = timers.inactivity_s
        if idle_s is not None and now >= self._request_heard_at + idle_s:
            if self.state in states.BOUND:
                self._note("session.idle")
                self.unbind(now)
            self._request_heard_at = NEVER
        if now >= self._courteous_until:
            self._courteous_until = NEVER
            self._go_on_ending()
        return self._overdue(now)

    def _doubt_ends_at(self) -> float:
        """When a peer in doubt is asked, or, once it is asked, when it has answered too late."""
        timers, doubted_at = self.timers, self._doubted_at
        if self._enquired_at == NEVER:
            silent_s = min(DOUBTED_SILENT_S, timers.enquire_link_s)
            return max(doubted_at, self._heard_at + silent_s)
        answers_until = max(doubted_at, self._enquired_at) + DOUBTED_ANSWER_S
        return min(answers_until, self._enquired_at + timers.response_s)

    def _overdue(self, now: float) -> list[object]:
        unanswered = self.unanswered
        response_s = self.timers.response_s
        numbers: list[int] = []
        for number, (sent_at, _, _) in unanswered.items():
            # The same sum as in `wake_at`: a difference could be rounded the other way, and then
            # nothing would be overdue at the moment for which we were woken.
            if sent_at + response_s > now:
                self._oldest_at = sent_at
                break
            numbers.append(number)
        overdue: list[object] = []
        for number in numbers:
            _, whose, response = unanswered.pop(number)
            overdue.append(whose)
            self._late.put(number, (whose, response))
        return overdue

    # The state.

    def _move(self, event: Event) -> None:
        self.state = states.AFTER[self.state][event]
        self._to_stage = self._legal_for_stage()

    def _legal_for_stage(self) -> frozenset[int]:
        if self._has_asked_to_end and self.side is Side.ESME:
            return frozenset()
        return frozenset(
            command for command in HANDED_ON if states.may_issue(self.state, command, self.peer)
        )

    def _cut_off(self) -> None:
        self.has_flooded = True
        self._end("bind.flooded")

    def _end(self, event: str, *, looks_like: str = "") -> None:
        self._note(event, looks_like=looks_like)
        self._framer.clear()
        self._move(Event.CLOSED)

    def _note(
        self, event: str, command_id: int = 0, status: int = 0, *, looks_like: str = ""
    ) -> None:
        self.notes.append(Note(event, command_id, status, looks_like=looks_like))

    def _next_sequence(self) -> int:
        number = self._sequence
        while True:
            number = number + 1 if number < LAST_SEQUENCE else 1
            if number not in self.unanswered:
                self._sequence = number
                return number

    def __repr__(self) -> str:
        return f"<Session {self.side.name} {self.state.name} unanswered={len(self.unanswered)}>"
