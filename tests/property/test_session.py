"""router/smpp/session.py: whatever comes, in whatever order, from whichever side.

A session is put through any sequence of what can happen to it: PDUs good and bad, known and
unknown, in pieces; time; and the calls of its own stage. After each step everything that must
always hold is looked at. The stage here makes only calls that are legal for it; what the peer sends
is unrestricted.
"""

from collections.abc import Callable
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu
from router.smpp.session import (
    COURTESY_S,
    DOUBTED_ANSWER_S,
    DOUBTED_SILENT_S,
    HANDED_ON,
    LAST_SEQUENCE,
    MOST_HELD_OCTETS,
    MOST_LATE,
    NEVER,
    SERVED,
    Session,
    Timers,
)
from router.smpp.states import AFTER, BOUND, Side, State

LONGEST_OCTETS: Final = 200
NO_ANSWER: Final = {v.OUTBIND, v.ALERT_NOTIFICATION}
SUBMIT: Final = p.sm(v.SUBMIT_SM, 0, destination=(1, 1, b"3725550001"))
DELIVER: Final = p.sm(v.DELIVER_SM, 0, destination=(1, 1, b"12302"))


def reachable() -> dict[State, set[State]]:
    """From each state the states that any number of events lead to."""
    found = {state: {state} for state in State}
    for _ in State:
        for state in State:
            for after in AFTER[state].values():
                found[state] |= found[after]
    return found


REACHABLE: Final = reachable()


def picture(session: Session) -> dict[str, object]:
    """All there is to know of a session, to compare with later."""
    return {
        name: value.copy() if isinstance(value, list | dict) else value
        for name, value in vars(session).items()
    }


class Observed:
    """A session, its stage, and a book of what must become of everything."""

    def __init__(self, side: Side, timers: Timers, now: float = 0.1) -> None:
        self.now = self.opened_at = self.heard_at = now
        self.unbinding_since = self.doubted_at = NEVER
        self.timers = timers
        self.session = Session(side, timers, LONGEST_OCTETS, self.now)
        self.to_answer: list[Pdu] = []
        """Requests that were handed on."""
        self.bind_request: Pdu | None = None
        """One that was handed on and is not judged yet."""
        self.asked: dict[int, str] = {}
        """What became of each request of ours: open, answered, overdue, late, lost."""
        self.unread = b""
        """Octets of a PDU of the peer's that are not there yet."""
        self.came: list[Pdu] = []
        """Requests of the peer's that must be answered, by the session or the stage."""
        self.answered: list[Pdu] = []
        self.reader = Framer(100_000)
        self.peer_reader = Framer(LONGEST_OCTETS)
        self.before = self.session.state

    # What may happen.

    def arrives(self, octets: bytes) -> None:
        """The peer wrote this, and perhaps the rest of something before."""
        closed = self.session.state is State.CLOSED
        got = self.session.receive(octets, self.now)
        if closed:
            assert got == []
        else:
            pdus = self.peer_reader.feed(octets)
            if pdus:
                self.heard_at = self.now
                if self.now > self.doubted_at:
                    self.doubted_at = NEVER
            self.came += [
                pdu
                for pdu in pdus
                if not pdu.command_id & v.RESPONSE and pdu.command_id not in NO_ANSWER
            ]
        self.handed_on(got)

    def handed_on(self, pdus: list[Pdu]) -> None:
        for pdu in pdus:
            if pdu.command_id == v.ALERT_NOTIFICATION:  # It is passed on, and has no answer.
                assert self.session.side is Side.ESME
            elif not pdu.command_id & v.RESPONSE:
                assert pdu.command_id in HANDED_ON
                assert pdu.request is None
                if pdu.command_id in v.BINDS:
                    assert self.session.side is Side.MC
                    assert self.bind_request is None
                    self.bind_request = pdu
                else:
                    self.to_answer.append(pdu)
            elif pdu.request is not None:
                assert isinstance(pdu.request, int)
                ours = v.SUBMIT_SM if self.session.side is Side.ESME else v.DELIVER_SM
                assert pdu.command_id in (ours | v.RESPONSE, v.GENERIC_NACK)
                before = self.asked[pdu.request]
                assert before == ("overdue" if pdu.sent_at == 0.0 else "open")
                self.asked[pdu.request] = "late" if before == "overdue" else "answered"
            elif pdu.command_status or pdu.command_id == v.GENERIC_NACK:  # Our bind is refused.
                assert self.session.side is Side.ESME
                assert len(pdus) == 1 or self.session.state is not State.CLOSED
                self.session.close()
            else:  # The answer to our bind.
                assert self.session.side is Side.ESME

    def time_passes(self, seconds: float) -> None:
        """Nobody looks at the session meanwhile."""
        self.now += seconds

    def is_woken_in_time(self, seconds: float) -> None:
        """Its owner sleeps until it wants to be woken, or so long."""
        end = self.now + seconds
        wakes = 0
        while (wake_at := self.session.wake_at()) <= end:
            self.now = max(self.now, wake_at)
            self.wakes()
            wakes += 1
            assert wakes < 1000, "it asks to be woken again and again, and nothing comes of it"
        self.now = end

    def wakes(self) -> None:
        due = self.session.wake_at() <= self.now
        before = picture(self.session)
        overdue = self.session.wake(self.now)
        if due:
            assert self.session.wake_at() > self.now, "something is due, and stays so"
        else:
            assert overdue == []
            after = picture(self.session)
            # That the oldest request was answered may be found out by any look.
            changed = {name for name in after if after[name] != before[name]} - {"_oldest_at"}
            assert changed == set()
        if "link.dead" in [note.event for note in self.session.notes]:
            silent_s = self.timers.enquire_link_s
            if self.doubted_at != NEVER:  # Then it was asked sooner.
                silent_s = min(silent_s, DOUBTED_SILENT_S)
            assert self.now >= self.heard_at + silent_s + self.timers.response_s
        if "link.gave_way" in [note.event for note in self.session.notes]:
            assert self.now >= self.doubted_at + DOUBTED_ANSWER_S
            assert self.now >= self.heard_at + DOUBTED_ANSWER_S
        for whose in overdue:
            assert isinstance(whose, int)
            assert self.asked[whose] == "open"
            self.asked[whose] = "overdue"
        self.note_goodbye()

    def note_goodbye(self) -> None:
        """Since when the session is about to end: the courtesy of its end counts from then."""
        if self.session.state is State.UNBINDING:
            self.unbinding_since = min(self.now, self.unbinding_since)

    def binds(self, command_id: int) -> None:
        if self.session.side is Side.ESME and self.session.state is State.OPEN:
            self.session.bind(command_id, system_id=b"a", password=b"b")

    def judges_bind(self, accept: bool) -> None:
        """Perhaps after the session has ended: a password takes its time."""
        if self.bind_request is None:
            return
        self.bind_request = None
        if accept:
            self.handed_on(self.session.accept_bind(b"smsc", v.VERSION_3_4, self.now))
        else:
            self.session.refuse_bind(b"smsc", v.ESME_RINVPASWD)

    def asks(self, count: int) -> None:
        octets = SUBMIT if self.session.side is Side.ESME else DELIVER
        if self.session.state in BOUND:
            for _ in range(count):
                whose = len(self.asked)
                self.asked[whose] = "open"
                self.session.request(octets, whose, self.now)

    def answers(self, which: int, status: int) -> None:
        if self.to_answer:
            pdu = self.to_answer.pop(which % len(self.to_answer))
            self.answered.append(pdu)
            self.session.respond(p.response(pdu.command_id, pdu.sequence_number, status))

    def is_answered(self, which: int, how: str, status: int) -> None:
        """The peer answers something that is, or was, in flight."""
        numbers = [*self.session.unanswered, *self.session._late.by_key]
        if numbers:
            ours = v.SUBMIT_SM if self.session.side is Side.ESME else v.DELIVER_SM
            command = {"nack": 0, "mixed up": v.DATA_SM}.get(how, ours)
            answer = p.response(command, numbers[which % len(numbers)], status)
            self.arrives(answer * 2 if how == "twice" else answer)

    def is_doubted(self) -> None:
        """Another session needs its place."""
        if self.session.doubt(self.now):
            self.doubted_at = min(self.doubted_at, self.now)

    def unbinds(self) -> None:
        if self.session.state in BOUND:
            self.session.unbind(self.now)

    def is_left(self) -> None:
        """The transport ended."""
        for whose in self.session.close():
            assert isinstance(whose, int)
            assert self.asked[whose] == "open"
            self.asked[whose] = "lost"
        assert "open" not in self.asked.values(), "a request whose fate nobody is told"
        assert self.session.close() == []
        assert self.session.state is State.CLOSED

    # What always holds.

    def check(self) -> None:
        session = self.session
        assert session.state in REACHABLE[self.before]
        self.before = session.state
        assert session.owed == len(self.to_answer)
        assert sorted(
            whose for _, whose, _ in session.unanswered.values() if isinstance(whose, int)
        ) == [whose for whose, fate in self.asked.items() if fate == "open"]
        assert all(1 <= number <= LAST_SEQUENCE for number in session.unanswered)
        times = [sent_at for sent_at, _, _ in session.unanswered.values()]
        assert times == sorted(times)
        assert len(session._late) <= MOST_LATE
        assert session._held_octets <= MOST_HELD_OCTETS + LONGEST_OCTETS
        self.check_time()
        self.check_written()

    def check_time(self) -> None:
        """Whatever waits for something waits no longer than its timer says."""
        session, timers = self.session, self.timers
        if session.state is State.CLOSED:
            assert session.wake_at() == NEVER
        elif session.state in (State.OPEN, State.BINDING):
            assert session.wake_at() == self.opened_at + timers.bind_s
        else:
            for sent_at, _, _ in session.unanswered.values():
                assert session.wake_at() <= sent_at + timers.response_s
            if session.state is State.UNBINDING:
                self.note_goodbye()
                assert session.wake_at() <= self.unbinding_since + timers.response_s
            longest_s = max(timers.enquire_link_s, timers.response_s)
            assert session.wake_at() <= self.now + longest_s
            if self.doubted_at != NEVER and not session.peer_has_unbound:
                asked_at = max(self.now, self.doubted_at + DOUBTED_SILENT_S)
                assert session.wake_at() <= asked_at + DOUBTED_ANSWER_S

    def check_written(self) -> None:
        octets = self.session.take_octets()
        written = self.reader.feed(octets)
        assert sum(len(pdu.octets) for pdu in written) == len(octets)
        ours = [pdu for pdu in written if not pdu.command_id & v.RESPONSE]
        assert len({pdu.sequence_number for pdu in ours}) == len(ours)
        for pdu in ours:
            assert 1 <= pdu.sequence_number <= LAST_SEQUENCE
        for pdu in written:
            if pdu.command_id == v.GENERIC_NACK and pdu.command_status == v.ESME_RINVCMDLEN:
                assert self.session.state is State.CLOSED
            elif pdu.command_id & v.RESPONSE:
                self.answers_something(pdu)
            says_goodbye = pdu.command_id == v.UNBIND_RESP and pdu.command_status == v.ESME_ROK
            waited = self.now >= self.unbinding_since + COURTESY_S
            if says_goodbye or (pdu.command_id == v.UNBIND and not waited):
                assert self.to_answer == [], "the peer takes what was not answered for lost"

    def answers_something(self, answer: Pdu) -> None:
        for request in self.came:
            served = request.command_id in SERVED
            fits = request.command_id | v.RESPONSE if served else v.GENERIC_NACK
            if fits == answer.command_id and answer.sequence_number == request.sequence_number:
                self.came.remove(request)
                return
        raise AssertionError(f"{answer} answers nothing")

    def finish(self) -> None:
        """Let the stage do its work; then no request may be left that nobody answered."""
        self.judges_bind(True)
        bind = self.session._bind_request
        is_over = self.session.state is State.CLOSED  # Too much came ahead of the answer.
        if bind is not None and self.session.side is Side.ESME and not is_over:
            octets = p.response(bind.command_id, bind.sequence_number)
            answer = Pdu(bind.command_id | v.RESPONSE, 0, bind.sequence_number, octets)
            self.handed_on(self.session._sort([answer], self.now))
        self.check()
        while self.to_answer:
            self.answers(0, 0)
        self.check()
        # The peer's unbind is answered when what is in flight has had its time to be answered.
        self.is_woken_in_time(COURTESY_S)
        self.check()
        if self.session.state is not State.CLOSED:
            assert self.came == [], "a request was swallowed"
        self.is_left()


Step = Callable[[Observed], None]

REQUESTS = st.sampled_from(sorted(states.KNOWN_REQUESTS)) | st.sampled_from(
    [v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM, v.UNBIND, v.BIND_TRANSCEIVER, v.ENQUIRE_LINK, 0x0BAD]
)
SEQUENCES = st.integers(0, 8) | st.sampled_from([0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
STATUSES = st.sampled_from([0, v.ESME_RTHROTTLED, 0x401, 0xFFFFFFFF])
PDUS = st.builds(
    p.build,
    REQUESTS | REQUESTS.map(lambda command: command | v.RESPONSE) | st.just(v.GENERIC_NACK),
    STATUSES,
    SEQUENCES,
    st.binary(max_size=20),
)
GOOD_OCTETS = st.lists(PDUS, min_size=1, max_size=6).map(b"".join)
SPANS = st.sampled_from([0.1, 1 / 3, 5.0, 10.0, 30.0]) | st.floats(0, 50)


def arriving(octets: bytes) -> Step:
    return lambda observed: observed.arrives(octets)


@st.composite
def in_two_pieces(draw: st.DrawFn) -> Step:
    octets = draw(GOOD_OCTETS)
    cut = draw(st.integers(0, len(octets)))

    def step(observed: Observed) -> None:
        observed.arrives(octets[:cut])
        observed.arrives(octets[cut:])

    return step


STEPS: st.SearchStrategy[Step] = st.one_of(
    GOOD_OCTETS.map(arriving),
    in_two_pieces(),
    st.binary(max_size=40).map(arriving),
    st.sampled_from(sorted(v.BINDS)).map(lambda command: lambda o: o.binds(command)),
    st.booleans().map(lambda accept: lambda o: o.judges_bind(accept)),
    st.integers(1, 4).map(lambda count: lambda o: o.asks(count)),
    st.tuples(st.integers(0, 5), STATUSES).map(lambda which: lambda o: o.answers(*which)),
    st.tuples(
        st.integers(0, 5), st.sampled_from(["well", "nack", "mixed up", "twice"]), STATUSES
    ).map(lambda which: lambda o: o.is_answered(*which)),
    SPANS.map(lambda span: lambda o: o.time_passes(span)),
    SPANS.map(lambda span: lambda o: o.is_woken_in_time(span)),
    st.just(lambda o: o.wakes()),
    st.just(lambda o: o.unbinds()),
    st.just(lambda o: o.is_doubted()),
)
LIVES = st.lists(STEPS, min_size=15, max_size=40)
STARTS = st.sampled_from([0.1, 5.3, 1000.1, 9_876_543.21])
"""Clocks start anywhere, and sums of floats are rounded differently everywhere."""
TIMERS = st.builds(
    Timers,
    bind_s=st.just(5.0),
    enquire_link_s=st.sampled_from([30.0, 7.7]),
    response_s=st.sampled_from([10.0, 0.3, 60.0]),
    inactivity_s=st.sampled_from([None, 45.0]),
)


def bound(side: Side, timers: Timers, command: int, start: float) -> Observed:
    """A life that begins bound, so that most of it is about something."""
    observed = Observed(side, timers, start)
    if side is Side.ESME:
        observed.binds(command)
        observed.arrives(p.response(command, 1, body=b"smsc\0"))
    else:
        observed.arrives(p.bind(command, 1, system_id=b"a", password=b"b"))
        observed.judges_bind(True)
    assert observed.session.state in BOUND
    observed.check()
    return observed


@settings(max_examples=max(200, settings().max_examples))
@given(st.sampled_from(Side), TIMERS, STARTS, st.sampled_from([None, *sorted(v.BINDS)]), LIVES)
@example(  # Inactivity ends it, and the courtesy is over, while nobody looks.
    Side.ESME,
    Timers(bind_s=5.0, enquire_link_s=30.0, response_s=60.0, inactivity_s=45.0),
    1000.1,
    v.BIND_RECEIVER,
    [arriving(p.build(v.DELIVER_SM, 0, 4)), lambda o: o.is_woken_in_time(46.0)],
)
@example(  # The older of two requests is answered, and then somebody looks before the time.
    Side.ESME,
    Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0),
    1000.1,
    v.BIND_TRANSCEIVER,
    [
        lambda o: o.asks(1),
        lambda o: o.time_passes(1.0),
        lambda o: o.asks(1),
        lambda o: o.is_answered(0, "well", 0),
        lambda o: o.wakes(),
    ],
)
@example(  # The peer says goodbye to a session that has asked for something.
    Side.ESME,
    Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0),
    0.1,
    v.BIND_RECEIVER,
    [lambda o: o.asks(2), arriving(p.build(v.UNBIND, 0, 5))],
)
def test_every_life_keeps_its_books(
    side: Side, timers: Timers, start: float, bound_as: int | None, life: list[Step]
) -> None:
    if bound_as is None:
        observed = Observed(side, timers, start)
    else:
        observed = bound(side, timers, bound_as, start)
    for step in life:
        step(observed)
        observed.check()
    observed.finish()


@given(TIMERS, st.lists(PDUS, max_size=8), st.lists(st.integers(1, 30), max_size=8))
def test_any_split_gives_the_same_life(timers: Timers, pdus: list[bytes], sizes: list[int]) -> None:
    octets = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"a", password=b"b") + b"".join(pdus)
    whole, split = Observed(Side.MC, timers), Observed(Side.MC, timers)
    whole.arrives(octets)
    at = 0
    for size in sizes:
        split.arrives(octets[at : at + size])
        at += size
    split.arrives(octets[at:])
    for observed in (whole, split):
        observed.judges_bind(True)
    assert [pdu.octets for pdu in split.to_answer] == [pdu.octets for pdu in whole.to_answer]
    assert split.session.take_octets() == whole.session.take_octets()
    assert split.session.state is whole.session.state


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 3))
def test_numbers_in_flight_are_never_used_twice_around_the_wrap(
    answered: list[bool], before_the_end: int
) -> None:
    session = Session(Side.ESME, Timers(bind_s=5, enquire_link_s=30, response_s=10), 200, 0.0)
    session._sequence = LAST_SEQUENCE - before_the_end
    sent = []
    for number, answer in enumerate(answered):
        if number == len(answered) // 2:  # Around once more, to those still in flight.
            session._sequence = LAST_SEQUENCE - before_the_end
        in_flight = set(session.unanswered)
        session.request(SUBMIT, number, 0.0)
        (pdu,) = Framer(200).feed(session.take_octets())
        assert pdu.sequence_number not in in_flight
        assert 1 <= pdu.sequence_number <= LAST_SEQUENCE
        sent.append((number, pdu.sequence_number))
        if answer:
            del session.unanswered[pdu.sequence_number]
    open_ones = {number: whose for number, (_, whose, _) in session.unanswered.items()}
    assert len(open_ones) == answered.count(False)
