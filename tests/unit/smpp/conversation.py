"""Two sessions that talk to each other without a network, and a clock that stands still.

What one writes the other reads when `carry` is called; time passes only in `pass_s`, and timers go
off in their order on the way.
"""

from typing import Final

from router.smpp import pdu as p
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu
from router.smpp.session import Session, Timers
from router.smpp.states import Side, State

LONGEST_OCTETS: Final = 70_000
TIMERS: Final = Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0)
SUBMIT: Final = p.sm(v.SUBMIT_SM, 0, destination=(1, 1, b"3725550001"), short_message=b"Tere")
DELIVER: Final = p.sm(v.DELIVER_SM, 0, destination=(1, 1, b"12302"), short_message=b"Tere")


def pdus_in(octets: bytes) -> list[Pdu]:
    """The PDUs of which `octets` consist, to the last octet."""
    pdus = Framer(LONGEST_OCTETS).feed(octets)
    assert b"".join(pdu.octets for pdu in pdus) == octets
    return pdus


def state_of(session: Session) -> State:
    """Its state; a call, because mypy believes that what is asserted once stays so."""
    return session.state


def header(pdu: Pdu) -> tuple[int, int, int]:
    """Command, status and sequence number: all that most tests ask of a PDU."""
    return pdu.command_id, pdu.command_status, pdu.sequence_number


def written_by(session: Session) -> list[tuple[int, int, int]]:
    """The headers of what the session has to write, which is thereby taken."""
    return [header(pdu) for pdu in pdus_in(session.take_octets())]


def events_of(session: Session) -> list[str]:
    """What the session noted, which is thereby taken."""
    events = [note.event for note in session.notes]
    session.notes.clear()
    return events


def session_in(
    state: State, side: Side, timers: Timers = TIMERS, now: float = 0.0, *, bound_as: int = 0
) -> Session:
    """A session of `side` that came to `state` by the usual way, with nothing left to write."""
    session = Session(side, timers, LONGEST_OCTETS, now)
    if state is State.OPEN:
        return session
    binds = {states.BOUND_BY[command].name: command for command in states.BOUND_BY}
    command = bound_as or binds.get(state.name, v.BIND_TRANSCEIVER)
    if side is Side.ESME:
        session.bind(command, system_id=b"bank", password=b"secret01")
    else:
        request = p.bind(command, 1, system_id=b"bank", password=b"secret01")
        assert len(session.receive(request, now)) == 1
    if state is not State.BINDING:
        if side is Side.ESME:
            session.receive(p.response(command, 1, body=b"smsc\0"), now)
        else:
            session.accept_bind(b"smsc", v.VERSION_3_4, now)
        if state is State.UNBINDING:
            session.unbind(now)
        elif state is State.CLOSED:
            session.close()
    session.take_octets()
    assert session.state is state
    return session


class Conversation:
    """A client's session, a message centre's, and what each handed to its stage."""

    def __init__(self, timers: Timers = TIMERS, mc_timers: Timers | None = None) -> None:
        self.now = 1000.0
        self.esme = Session(Side.ESME, timers, LONGEST_OCTETS, self.now)
        self.mc = Session(Side.MC, mc_timers or timers, LONGEST_OCTETS, self.now)
        self.esme_got: list[Pdu] = []
        self.mc_got: list[Pdu] = []
        self.overdue: list[object] = []
        """What `wake` of either returned."""
        self.cut = False
        """Nothing is carried any more; neither side is told."""

    def carry(self) -> None:
        """Bring each what the other wrote, until nobody has more to say."""
        while not self.cut:
            to_mc, to_esme = self.esme.take_octets(), self.mc.take_octets()
            if not to_mc and not to_esme:
                return
            if to_mc:
                self.mc_got += self.mc.receive(to_mc, self.now)
            if to_esme:
                self.esme_got += self.esme.receive(to_esme, self.now)

    def bind(self, command_id: int = v.BIND_TRANSCEIVER, version: int = v.VERSION_3_4) -> None:
        """Bind the two, and forget the PDUs that it took."""
        self.esme.bind(
            command_id, system_id=b"bank", password=b"secret01", interface_version=version
        )
        self.carry()
        asked = p.BindRequest(self.mc_got.pop())
        self.mc_got += self.mc.accept_bind(b"smsc", asked.interface_version, self.now)
        self.carry()
        assert self.esme_got.pop().command_id == command_id | v.RESPONSE

    def pass_s(self, seconds: float) -> None:
        """Let time pass; each is woken when it asked to be, and what it writes is carried."""
        end = self.now + seconds
        while (wake_at := min(self.esme.wake_at(), self.mc.wake_at())) <= end:
            self.now = wake_at
            for session in (self.esme, self.mc):
                if session.wake_at() <= self.now:
                    self.overdue += session.wake(self.now)
                    assert session.wake_at() > self.now, "what it was woken for is still due"
            self.carry()
        self.now = end
