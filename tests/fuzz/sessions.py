"""Targets over sessions: one side alone with any octets, and the two sides of one connection.

What must hold after each step is asked by `Observed` of tests/property/test_session.py: every
request is answered once, every request of ours has one fate, nothing waits longer than its timer
says, and nothing that is kept grows. Here the steps come from the input.
"""

from collections.abc import Callable
from typing import Final

from router.smpp import pdu as p
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.session import MOST_HELD_OCTETS, MOST_LATE, Timers
from router.smpp.states import BOUND, Side, State
from tests.fuzz.octets import Octets, in_pieces
from tests.property.test_session import LONGEST_OCTETS, Observed

MOST_STEPS: Final = 60
SPANS_S: Final = (0.1, 1 / 3, 1.0, 2.0, 5.0, 10.0, 30.0, 50.0)
STARTS: Final = (0.1, 5.3, 1000.1, 9_876_543.21)
STATUSES: Final = (0, v.ESME_RTHROTTLED, 0x401, 0xFFFFFFFF)
BINDS: Final = tuple(sorted(v.BINDS))
COMMANDS: Final = (
    *sorted(states.KNOWN_REQUESTS),
    *sorted(one | v.RESPONSE for one in states.KNOWN_REQUESTS),
    *(v.GENERIC_NACK, 0x0BAD, 0x8BAD0000),
)
TIMERS: Final = tuple(
    Timers(bind_s=5.0, enquire_link_s=enquire_s, response_s=response_s, inactivity_s=idle_s)
    for enquire_s in (30.0, 7.7)
    for response_s in (10.0, 0.3, 60.0)
    for idle_s in (None, 45.0)
)
Step = Callable[[Observed, Octets], None]


def _one_pdu(octets: Octets) -> bytes:
    """A PDU whose header is in order, with any body."""
    command_id = octets.one_of(COMMANDS)
    status, number = octets.one_of(STATUSES), octets.number() & 0x0F
    return p.build(command_id, status, number, octets.some(30))


def _pdu_comes(observed: Observed, octets: Octets) -> None:
    observed.arrives(_one_pdu(octets))


def _pdus_come_in_pieces(observed: Observed, octets: Octets) -> None:
    size = 1 + octets.number() % 40
    stream = b"".join(_one_pdu(octets) for _ in range(1 + octets.number() % 4))
    for piece in in_pieces(stream, (size,)):
        observed.arrives(piece)


def _octets_come(observed: Observed, octets: Octets) -> None:
    sizes = (octets.number(), octets.number())
    for piece in in_pieces(octets.some(), sizes):
        observed.arrives(piece)


def _binds(observed: Observed, octets: Octets) -> None:
    if observed.session.side is Side.ESME:
        observed.binds(octets.one_of(BINDS))
    else:
        observed.arrives(p.bind(octets.one_of(BINDS), 1, system_id=b"a", password=b"b"))


def _is_judged(observed: Observed, octets: Octets) -> None:
    accept = octets.number() % 4 > 0
    bind = observed.session._bind_request
    if observed.session.side is Side.MC:
        observed.judges_bind(accept)
    elif bind is not None:
        status = v.ESME_ROK if accept else v.ESME_RBINDFAIL
        observed.arrives(p.response(bind.command_id, bind.sequence_number, status, b"smsc\0"))


def _is_answered(observed: Observed, octets: Octets) -> None:
    how = octets.one_of(("well", "nack", "mixed up", "twice"))
    observed.is_answered(octets.number(), how, octets.one_of(STATUSES))


STEPS: Final[tuple[Step, ...]] = (
    _pdu_comes,
    _pdus_come_in_pieces,
    _octets_come,
    _binds,
    _is_judged,
    lambda observed, octets: observed.asks(1 + octets.number() % 4),
    lambda observed, octets: observed.answers(octets.number(), octets.one_of(STATUSES)),
    _is_answered,
    lambda observed, octets: observed.time_passes(octets.one_of(SPANS_S)),
    lambda observed, octets: observed.is_woken_in_time(octets.one_of(SPANS_S)),
    lambda observed, _: observed.wakes(),
    lambda observed, _: observed.unbinds(),
    lambda observed, _: observed.is_doubted(),
)


def session(octets: bytes) -> None:
    """One side, and whatever its peer, its stage and its clock do to it."""
    choices = Octets(octets)
    side = choices.one_of((Side.ESME, Side.MC))
    observed = Observed(side, choices.one_of(TIMERS), choices.one_of(STARTS))
    if choices.number() % 2:
        _binds(observed, choices)
        _is_judged(observed, Octets(b"\x01"))
    for _ in range(MOST_STEPS):
        if choices.is_over:
            break
        choices.one_of(STEPS)(observed, choices)
        observed.check()
    observed.finish()


class End(Observed):
    """A session of which what it writes is kept for the other one."""

    written = b""

    def check_written(self) -> None:
        """Keep what was written, and ask of it what is always asked."""
        octets = self.session.take_octets()
        self.written += octets
        self.session._out.append(octets)
        super().check_written()


class Wire:
    """What lies between two sessions: octets each way, and who may change them."""

    def __init__(self, client: End, centre: End) -> None:
        self.ends: Final = (client, centre)
        self.under_way: Final = [b"", b""]
        """Octets for each end that have not come yet."""

    def take_written(self) -> None:
        """Have what both have written under way."""
        for place, end in enumerate(self.ends):
            self.under_way[1 - place] += end.written
            end.written = b""

    def deliver(self, place: int, count: int) -> None:
        """Have the first octets of those for one end come."""
        came, self.under_way[place] = self.under_way[place][:count], self.under_way[place][count:]
        if came:
            self.ends[place].arrives(came)

    def check(self) -> None:
        """Look at both."""
        for end in self.ends:
            end.check()
            session = end.session
            assert len(session.unanswered) <= len(end.asked)
            assert len(session._late) <= MOST_LATE
            assert session._held_octets <= MOST_HELD_OCTETS + LONGEST_OCTETS
            assert len(session.unread) <= LONGEST_OCTETS
        self.take_written()


def pair(octets: bytes) -> None:
    """A client's session and the message centre's; somebody between changes what they say."""
    choices = Octets(octets)
    timers = choices.one_of(TIMERS), choices.one_of(TIMERS)
    start = choices.one_of(STARTS)
    ends = End(Side.ESME, timers[0], start), End(Side.MC, timers[1], start)
    wire = Wire(*ends)
    ends[0].binds(choices.one_of(BINDS))
    wire.check()
    if choices.number() % 4:  # Most lives begin bound.
        for place in (1, 0):
            wire.deliver(place, LONGEST_OCTETS)
            ends[1].judges_bind(True)
            wire.check()
        assert all(end.session.state in BOUND for end in ends)
    for _ in range(MOST_STEPS):
        if choices.is_over:
            break
        _happens(wire, choices)
        wire.check()
    for end in ends:
        end.finish()
        assert end.session.state is State.CLOSED


def _happens(wire: Wire, choices: Octets) -> None:
    what = choices.number()
    place = what & 1
    one, under_way = wire.ends[place], wire.under_way
    match (what >> 1) % 10:
        case 0:
            wire.deliver(place, len(under_way[place]))
        case 1:
            wire.deliver(place, 1 + choices.number() % 60)
        case 2:  # An octet is changed on the way.
            at, octet = choices.number(), choices.number()
            if at < len(under_way[place]):
                before, after = under_way[place][:at], under_way[place][at + 1 :]
                under_way[place] = before + bytes((octet,)) + after
        case 3:  # Octets are put in or taken out.
            at, taken = choices.number(), choices.number() % 20
            before, after = under_way[place][:at], under_way[place][at + taken :]
            under_way[place] = before + choices.some(40) + after
        case 4:  # What is under way comes twice.
            under_way[place] += under_way[place][: 4 * LONGEST_OCTETS]
        case 5:
            under_way[place] += _one_pdu(choices)
        case 6:
            one.asks(1 + choices.number() % 3)
        case 7:
            one.answers(choices.number(), choices.one_of(STATUSES))
        case 8:
            for end in wire.ends:
                end.is_woken_in_time(choices.one_of(SPANS_S))
        case _:
            _own_step(one, choices.number())


def _own_step(one: Observed, what: int) -> None:
    match what % 4:
        case 0:
            one.unbinds()
        case 1:
            one.is_doubted()
        case 2:
            one.wakes()
        case _:
            one.judges_bind(what & 4 == 0)
