"""router/smpp/link.py: octets leave once per turn, one timer runs, and the end comes once."""

from collections.abc import Callable
from typing import Final, Literal

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import (
    IN_DEBT,
    IN_TIME,
    LINGER_S,
    MOST_UNREAD_OCTETS,
    REFUSED_S,
    TAKES_NONE,
    TAKES_SOME,
    Link,
)
from router.smpp.pdu import Framer, Pdu
from router.smpp.reading import (
    ALONE_PDUS,
    AT_ONCE_PDUS,
    GIVES_UP,
    LATE_OF,
    LATE_S,
    OPERATORS,
    OTHERS,
    READ_OCTETS,
    SHARE_S,
    SHARED_PDUS,
    STEP_PDUS,
    URGENT,
    USELESS,
    ReadingLine,
)
from router.smpp.session import NEVER, Session, Timers
from router.smpp.states import Side, State
from router.terms.limits import TokenBucket
from tests.unit.smpp.conversation import (
    DELIVER,
    LONGEST_OCTETS,
    SUBMIT,
    pdus_in,
    session_in,
    state_of,
)

TIMERS: Final = Timers(bind_s=5.0, enquire_link_s=30.0, response_s=10.0)
ENQUIRE: Final = p.build(v.ENQUIRE_LINK, 0, 1)
UNBIND: Final = p.build(v.UNBIND, 0, 9)


class FakeTransport:
    """Notes what is asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.written: list[bytes] = []
        self.high: int | None = None
        self.two_ways = True

    def can_write_eof(self) -> bool:
        return self.two_ways

    def write(self, data: bytes) -> None:
        self.calls.append("write")
        self.written.append(data)

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def get_extra_info(self, name: Literal["peername"]) -> tuple[str, int] | None:
        return "127.0.0.1", 40000

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


class FakeTimer:
    """A call that was asked for, until it is made or cancelled."""

    def __init__(self, host: "FakeHost", at: float, call: Callable[[], None]) -> None:
        self.host, self.at, self.call = host, at, call

    def cancel(self) -> None:
        self.host.timers.remove(self)


class FakeHost:
    """A clock that stands still, timers, and the turn's end when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.takes_s = 0.0
        """How long it takes from each look at the clock to the next."""
        self.timers: list[FakeTimer] = []
        self.soon: list[Link] = []
        self.turns: list[Callable[[], None]] = []
        self.peer_is_gone = False
        """Whether the system knows that the other end is closed."""
        self.reading = ReadingLine(lambda _, call: self.turns.append(call), self.clock)

    def clock(self) -> float:
        self.now += self.takes_s
        return self.now

    def call_later(self, delay_s: float, call: Callable[[], None]) -> FakeTimer:
        assert delay_s >= 0.0
        timer = FakeTimer(self, self.now + delay_s, call)
        self.timers.append(timer)
        return timer

    def unacknowledged(self, link: Link) -> None:
        """Nothing is known of the other end's system."""

    def connected(self, link: Link) -> None:
        """Nobody traces."""

    def disconnected(self, link: Link, exc: Exception | None) -> None:
        """Nobody traces."""

    def has_hung_up(self, link: Link) -> bool:
        return self.peer_is_gone

    def write_soon(self, link: Link) -> None:
        if not link.to_write:
            link.to_write = True
            self.soon.append(link)

    def turn(self) -> None:
        """Begin a turn: the line is served."""
        turns = self.turns[:]
        del self.turns[: len(turns)]
        for call in turns:
            call()

    def end_turn(self) -> None:
        """Write to whoever wants it."""
        links, self.soon = self.soon, []
        for link in links:
            link.to_write = False
            link.flush()

    def pass_s(self, seconds: float) -> None:
        """Let time pass; timers go off in their order, each in a turn of its own."""
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= until]:
            timer = min(due, key=lambda one: one.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            timer.call()
            self.end_turn()
        self.now = until


class Noting(Link):
    """A link that notes what happens to it."""

    def __init__(self, session: Session, host: FakeHost) -> None:
        super().__init__(session, host)
        self.log: list[str] = []
        self.latenesses: list[int] = []
        self.lost: list[object] = []
        self.late: list[object] = []
        self.wants_at = NEVER
        self.useless: TokenBucket | None = None
        self.costs = 1
        """A submit_multi counts as so many PDUs."""
        self.waits_at_once = False
        """Whether it is put into the line by who deals with it, as behind a bind."""
        self.to_do = 0
        self.done: list[int] = []
        """How much of what was put off was done at a time."""

    def go_on(self, most: int, now: float) -> int:
        done = min(most, self.to_do)
        self.to_do -= done
        self.has_put_off = self.to_do > 0
        self.done.append(done)
        return most - done

    def budget(self) -> TokenBucket | None:
        return self.useless

    def started(self, now: float) -> None:
        self.log.append("started")

    def arrived(self, pdu: Pdu, now: float) -> None:
        self.log.append(v.command_name(pdu.command_id))
        self.latenesses.append(self.lateness)
        if pdu.command_id == v.SUBMIT_MULTI:
            self.to_do += self.costs
            self.has_put_off = True
            if self.waits_at_once:
                self.wait_in_line()

    def overdue(self, whose: list[object], now: float) -> None:
        self.late += whose

    def ended(self, lost: list[object], now: float) -> None:
        self.log.append("ended")
        self.lost += lost

    def noted(self) -> None:
        self.log += [note.event for note in self.session.notes]
        self.session.notes.clear()

    def wake_at(self) -> float:
        return self.wants_at

    def wake(self, now: float) -> None:
        self.log.append(f"woken at {now:g}")
        self.wants_at = NEVER


class Waiting:
    """Another connection in the line."""

    rank = OTHERS
    owner = "another"

    def read_on(self) -> bool:
        return False

    def give_up(self) -> bool:
        return True


class Scene:
    """A message centre's side of a session, bound, on a transport."""

    def __init__(self, state: State = State.BOUND_TRX) -> None:
        self.host = FakeHost()
        self.transport = FakeTransport()
        self.session = session_in(state, Side.MC, TIMERS, self.host.now)
        self.link = Noting(self.session, self.host)
        self.link.connection_made(self.transport)
        self.host.end_turn()

    def deliver(self, whose: object) -> None:
        """Send a deliver_sm, and let the turn end."""
        self.session.request(DELIVER, whose, self.host.now)
        self.host.write_soon(self.link)
        self.host.end_turn()

    def written(self) -> list[str]:
        """The commands that were written."""
        pdus = pdus_in(b"".join(self.transport.written))
        return [v.command_name(pdu.command_id) for pdu in pdus]


# Writing.


def test_all_that_was_said_in_a_turn_is_written_at_once() -> None:
    scene = Scene()
    for _ in range(3):
        scene.link.data_received(ENQUIRE)
    scene.session.request(DELIVER, "a", scene.host.now)
    assert scene.transport.written == []
    scene.host.end_turn()
    assert len(scene.transport.written) == 1
    assert scene.written() == ["enquire_link_resp"] * 3 + ["deliver_sm"]


def test_nothing_is_written_where_there_is_nothing_to_say() -> None:
    scene = Scene()
    scene.link.flush()
    scene.link.flush()
    assert scene.transport.calls == []


def test_link_begins_when_its_transport_is_there() -> None:
    host, transport = FakeHost(), FakeTransport()
    link = Noting(Session(Side.MC, TIMERS, LONGEST_OCTETS, host.now), host)
    assert host.timers == []
    link.connection_made(transport)
    assert (link.log, transport.high, host.soon) == (["started"], MOST_UNREAD_OCTETS, [link])


def test_data_that_comes_in_pieces_arrives_whole() -> None:
    scene = Scene()
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"372555"), short_message=b"Tere")
    for at in range(len(octets)):
        assert scene.link.log == ["started"]
        scene.link.data_received(octets[at : at + 1])
    assert scene.link.log == ["started", "submit_sm"]


# A peer that does not read.


def test_peer_that_does_not_read_is_not_read_from() -> None:
    scene = Scene()
    assert scene.link.writable
    scene.link.pause_writing()
    assert not scene.link.writable
    assert scene.transport.calls == ["pause"]
    scene.link.resume_writing()
    assert (scene.link.writable, scene.transport.calls) == (True, ["pause", "resume"])
    assert scene.host.soon == [scene.link]


def test_reading_is_stopped_and_taken_up_once() -> None:
    scene = Scene()
    for call in ("pause_writing", "pause_writing", "resume_writing", "resume_writing"):
        getattr(scene.link, call)()
    assert scene.transport.calls == ["pause", "resume"]


def test_transport_that_is_gone_is_asked_nothing() -> None:
    scene = Scene()
    scene.link.connection_lost(None)
    scene.link.pause_writing()
    scene.link.resume_writing()
    scene.host.end_turn()
    assert scene.transport.calls == []


# Time.


def test_one_timer_runs_whatever_happens() -> None:
    scene = Scene()
    for number in range(5):
        scene.deliver(number)
        scene.link.data_received(ENQUIRE)
        scene.host.end_turn()
        assert len(scene.host.timers) == 1
        scene.host.pass_s(1.0)


def test_timer_is_armed_for_what_comes_first() -> None:
    scene = Scene()
    start = scene.host.now
    assert [timer.at for timer in scene.host.timers] == [start + 30.0]
    scene.deliver("a")
    assert [timer.at for timer in scene.host.timers] == [start + 10.0]
    scene.link.wants_at = start + 3.0
    scene.link.flush()
    assert [timer.at for timer in scene.host.timers] == [start + 3.0]


def test_timer_that_fires_too_early_only_looks_and_is_armed_again() -> None:
    scene = Scene()
    start = scene.host.now
    scene.host.pass_s(20.0)
    scene.link.data_received(ENQUIRE)
    scene.host.end_turn()
    assert [timer.at for timer in scene.host.timers] == [start + 30.0]
    scene.host.pass_s(10.0)
    assert scene.written() == ["enquire_link_resp"]
    assert [timer.at for timer in scene.host.timers] == [start + 50.0]


def test_silent_peer_is_asked_and_then_given_up() -> None:
    scene = Scene()
    scene.host.pass_s(30.0)
    assert scene.written() == ["enquire_link"]
    scene.host.pass_s(9.9)
    assert scene.transport.calls == ["write"]
    scene.host.pass_s(0.1)
    assert scene.transport.calls == ["write", "close"]
    assert scene.link.log == ["started", "link.dead", "ended"]


def test_overdue_requests_are_told_in_their_order() -> None:
    scene = Scene()
    scene.deliver("a")
    scene.deliver("b")
    scene.host.pass_s(9.9)
    assert scene.link.late == []
    scene.host.pass_s(0.1)
    assert scene.link.late == ["a", "b"]
    assert scene.link.lost == []


def test_subclass_is_woken_at_the_time_it_asked_for_and_once() -> None:
    scene = Scene()
    scene.link.wants_at = 107.0
    scene.link.flush()
    scene.host.pass_s(20.0)
    assert scene.link.log == ["started", "woken at 107"]


def test_time_that_has_passed_already_is_due_at_once() -> None:
    scene = Scene()
    scene.link.wants_at = 1.0
    scene.link.flush()
    assert min(timer.at for timer in scene.host.timers) == scene.host.now


# A peer that sends much.

MANY: Final = 3 * ALONE_PDUS


def heard(scene: Scene) -> int:
    return scene.link.log.count("submit_sm")


def test_much_at_once_is_dealt_with_in_several_turns_and_not_read_meanwhile() -> None:
    scene = Scene()
    scene.host.takes_s = SHARE_S
    scene.link.data_received(SUBMIT * MANY)
    assert heard(scene) == ALONE_PDUS
    assert scene.transport.calls == ["pause"]
    counts = []
    while scene.host.turns:
        scene.host.turn()
        counts.append(heard(scene))
    assert counts == list(range(ALONE_PDUS + STEP_PDUS, MANY + 1, STEP_PDUS))
    assert scene.transport.calls == ["pause", "resume"]


MULTI: Final = p.build(v.SUBMIT_MULTI, 0, 1)


def test_one_pdu_that_takes_as_long_as_many_is_dealt_with_in_several_turns() -> None:
    scene = Scene()
    scene.link.costs = ALONE_PDUS + 2 * STEP_PDUS
    scene.link.data_received(MULTI + SUBMIT)
    assert scene.link.log.count("submit_sm") == 1
    assert scene.link.done == [ALONE_PDUS - 2]
    assert scene.transport.calls[-1] == "pause"
    for _ in range(3):
        scene.host.takes_s = SHARE_S
        scene.host.turn()
    assert scene.link.done == [ALONE_PDUS - 2, STEP_PDUS, STEP_PDUS, 2]
    assert scene.transport.calls[-1] == "resume"


def test_what_is_put_off_goes_before_what_has_come_behind_it() -> None:
    scene = Scene()
    scene.host.reading.wait(Waiting())
    scene.link.costs = SHARED_PDUS + STEP_PDUS
    scene.link.data_received(MULTI + SUBMIT * SHARED_PDUS)
    assert scene.link.log.count("submit_sm") == SHARED_PDUS - 1
    assert scene.link.to_do == scene.link.costs
    scene.host.takes_s = SHARE_S
    while scene.link.to_do:
        assert scene.link.log.count("submit_sm") == SHARED_PDUS - 1
        scene.host.turn()
    for _ in range(2):
        scene.host.turn()
    assert scene.link.log.count("submit_sm") == SHARED_PDUS
    assert scene.transport.calls.count("resume") == 1


def test_link_that_comes_into_the_line_while_it_is_served_stands_in_it_once() -> None:
    scene = Scene()
    scene.link.costs, scene.link.waits_at_once = 3 * STEP_PDUS, True
    scene.link.stop_reading(IN_DEBT)
    scene.link.data_received(MULTI)
    scene.link.read_again(IN_DEBT)
    scene.host.takes_s = SHARE_S
    scene.host.turn()
    assert scene.link.to_do
    assert len(scene.host.reading) == 1
    for _ in range(4):
        scene.host.turn()
    assert scene.transport.calls[-1] == "resume"


def test_half_closed_connection_stays_while_something_is_put_off() -> None:
    scene = Scene()
    scene.link.costs = ALONE_PDUS + STEP_PDUS
    scene.link.data_received(MULTI)
    assert scene.link.eof_received()
    scene.host.turn()
    assert scene.link.to_do == 0


def test_usual_amount_is_dealt_with_at_once() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * ALONE_PDUS)
    assert heard(scene) == ALONE_PDUS
    assert (scene.transport.calls, scene.host.turns) == ([], [])


def test_while_others_wait_each_has_less_at_once() -> None:
    scene = Scene()
    scene.host.reading.wait(Waiting())
    scene.link.data_received(SUBMIT * ALONE_PDUS)
    assert heard(scene) == SHARED_PDUS


def test_what_comes_behind_much_is_dealt_with_behind_it() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * MANY + SUBMIT[:20])
    scene.link.data_received(SUBMIT[20:] + DELIVER)  # As TLS may do, although reading is paused.
    while scene.host.turns:
        scene.host.turn()
    scene.host.end_turn()
    assert heard(scene) == MANY + 1
    assert scene.transport.calls == ["pause", "pause", "resume", "write"]
    assert scene.written() == ["deliver_sm_resp"]  # A client may not send it.


def test_few_long_pdus_are_read_once_in_a_turn_as_well() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT + SUBMIT[:4] + bytes(4))
    assert scene.transport.calls == []
    scene = Scene()
    long_one = (READ_OCTETS).to_bytes(4) + SUBMIT[4:] + bytes(READ_OCTETS - len(SUBMIT))
    scene.session._framer = Framer(READ_OCTETS)
    scene.link.data_received(long_one)
    assert (heard(scene), scene.transport.calls) == (1, ["pause"])
    scene.host.turn()
    assert (heard(scene), scene.transport.calls) == (1, ["pause", "resume"])


def test_much_of_a_peer_that_does_not_read_waits_until_it_reads() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * MANY)
    scene.link.pause_writing()
    scene.host.turn()
    assert (heard(scene), scene.host.turns) == (ALONE_PDUS, [])
    scene.link.resume_writing()
    assert scene.transport.calls == ["pause"]
    while scene.host.turns:
        scene.host.turn()
    assert heard(scene) == MANY
    assert scene.transport.calls == ["pause", "resume"]


def test_peer_that_stops_and_goes_on_within_a_turn_stands_in_the_line_once() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * MANY)
    scene.link.pause_writing()
    scene.link.resume_writing()
    assert len(scene.host.reading) == 1


def test_half_closed_connection_still_hears_of_all_that_it_has_sent() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * MANY)
    for _ in range(ALONE_PDUS):
        scene.session.respond(p.response(v.SUBMIT_SM, 1, body=b"1\0"))
    assert scene.link.eof_received()
    scene.host.end_turn()
    while scene.host.turns:
        assert "close" not in scene.transport.calls
        scene.host.turn()
    assert heard(scene) == MANY


def test_answers_that_came_before_the_connection_was_lost_still_count() -> None:
    scene = Scene()
    scene.deliver("a")
    scene.deliver("b")
    answer = p.response(v.DELIVER_SM, 1, body=b"\0")
    scene.link.data_received(SUBMIT * MANY + answer)
    scene.link.connection_lost(OSError("reset"))
    assert scene.link.log[-2:] == ["deliver_sm_resp", "ended"]
    assert (heard(scene), scene.link.lost) == (ALONE_PDUS, ["b"])
    scene.host.turn()
    assert (heard(scene), scene.host.turns) == (ALONE_PDUS, [])


def test_much_behind_an_unbind_is_not_waited_for() -> None:
    scene = Scene()
    scene.link.data_received(UNBIND + SUBMIT * MANY)
    scene.host.end_turn()
    while scene.host.turns:
        scene.host.turn()
    assert len(scene.host.reading) == 0


def test_session_that_dies_while_it_waits_in_line_leaves_it() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * MANY)
    scene.session.close()
    scene.host.turn()
    assert (heard(scene), scene.host.turns) == (ALONE_PDUS, [])


def test_peer_that_sends_much_of_no_use_waits_until_it_has_paid() -> None:
    scene = Scene()
    scene.link.useless = TokenBucket(USELESS, 5, scene.host.now)
    scene.link.data_received(ENQUIRE * 5)
    assert scene.transport.calls == []
    scene.link.data_received(ENQUIRE * 50)
    assert scene.transport.calls == ["pause"]
    scene.host.end_turn()
    assert scene.link.log == ["started", "peer.slowed"]
    scene.host.pass_s(0.99 * 50 / USELESS.per_second)
    assert "resume" not in scene.transport.calls
    scene.host.pass_s(0.02 * 50 / USELESS.per_second)
    assert scene.transport.calls.count("resume") == 1


def test_messages_cost_nothing() -> None:
    scene = Scene()
    scene.link.useless = TokenBucket(USELESS, 1, scene.host.now)
    scene.link.data_received(SUBMIT * 100)
    assert scene.transport.calls == []


def test_much_that_is_of_no_use_is_paid_for_before_the_rest_is_read() -> None:
    scene = Scene()
    scene.link.useless = TokenBucket(USELESS, ALONE_PDUS + 1, scene.host.now)
    scene.link.data_received(ENQUIRE * MANY)
    tenths = 0
    while scene.host.turns or "resume" not in scene.transport.calls:
        scene.host.turn()
        scene.host.end_turn()
        scene.host.pass_s(0.1)
        tenths += 1
    scene.host.end_turn()
    written = scene.written()
    assert written.count("enquire_link_resp") == MANY
    assert set(written) == {"enquire_link_resp", "enquire_link"}  # Is it still there?
    assert tenths >= 10 * (MANY - ALONE_PDUS - SHARED_PDUS) / USELESS.per_second


# The end.


@pytest.mark.parametrize("two_ways", [True, False], ids=["plain", "TLS"])
@pytest.mark.parametrize("times", [1, 20])
def test_stranger_that_floods_over_tls_is_cut_when_its_last_octets_are_written(
    two_ways: bool, times: int
) -> None:
    scene = Scene(State.OPEN)
    scene.transport.two_ways = two_ways
    scene.link.data_received(ENQUIRE * times)
    scene.session.close()
    scene.host.write_soon(scene.link)
    scene.host.end_turn()
    scene.host.pass_s(0.0)
    is_cut = times > 1 and not two_ways
    assert scene.transport.calls == ["write", "close"] + ["abort"] * is_cut


def test_peer_that_goes_on_at_full_speed_after_the_end_is_not_read_and_cut() -> None:
    scene = Scene(State.BINDING)
    scene.transport.two_ways = False
    scene.session.refuse_bind(b"us", v.ESME_RINVPASWD)
    scene.host.write_soon(scene.link)
    scene.host.end_turn()
    scene.link.data_received(bytes(READ_OCTETS - 1))
    assert "pause" not in scene.transport.calls
    scene.link.data_received(bytes(READ_OCTETS))
    scene.host.turn()
    scene.host.pass_s(REFUSED_S)
    assert scene.transport.calls == ["write", "pause", "close", "abort"]


def test_session_that_is_over_has_its_last_octets_written_and_is_closed() -> None:
    scene = Scene()
    scene.link.data_received(UNBIND)
    assert scene.link.log == ["started"]
    scene.host.end_turn()
    assert scene.written() == ["unbind_resp"]
    assert scene.transport.calls == ["write", "close"]
    assert scene.link.log == ["started", "ended"]


def refused() -> Scene:
    scene = Scene(State.BINDING)
    scene.session.refuse_bind(b"smsc", v.ESME_RINVPASWD)
    scene.host.write_soon(scene.link)
    scene.host.end_turn()
    assert scene.written() == ["bind_transceiver_resp"]
    return scene


def test_client_that_is_refused_is_closed_after_a_while_whatever_it_sends() -> None:
    scene = refused()
    scene.host.pass_s(REFUSED_S - 0.1)
    scene.link.data_received(ENQUIRE + UNBIND)
    scene.host.end_turn()
    assert (scene.transport.calls, scene.link.log) == (["write"], ["started"])
    scene.host.pass_s(0.1)
    assert scene.transport.calls == ["write", "close"]
    assert scene.link.log == ["started", "ended"]
    scene.host.pass_s(LINGER_S)
    assert scene.transport.calls == ["write", "close", "abort"]


def test_client_that_is_refused_and_closes_has_closed_first() -> None:
    scene = refused()
    assert not scene.link.eof_received()  # The transport closes.
    scene.link.connection_lost(None)
    assert scene.link.log == ["started", "ended"]
    scene.host.pass_s(REFUSED_S + LINGER_S)
    assert (scene.transport.calls, scene.link.log) == (["write"], ["started", "ended"])


def test_lost_connection_ends_the_session() -> None:
    scene = Scene()
    scene.deliver("a")
    scene.deliver("b")
    scene.link.connection_lost(OSError("reset"))
    assert state_of(scene.session) is State.CLOSED
    assert (scene.link.log, scene.link.lost) == (["started", "ended"], ["a", "b"])
    assert scene.host.timers == []


def test_end_of_input_ends_a_session_that_owes_nothing() -> None:
    assert not Scene().link.eof_received()


def owing() -> Scene:
    """A client's submit_sm is being made safe."""
    scene = Scene()
    scene.link.data_received(SUBMIT)
    return scene


def test_half_closed_connection_stays_until_all_is_answered() -> None:
    scene = owing()
    scene.link.data_received(SUBMIT)
    assert scene.link.eof_received()
    for answers in ["submit_sm_resp"], ["submit_sm_resp"] * 2:
        scene.host.end_turn()
        assert "close" not in scene.transport.calls
        scene.session.respond(p.response(v.SUBMIT_SM, 1, body=b"1\0"))
        scene.host.write_soon(scene.link)
        scene.host.end_turn()
        assert scene.written() == answers
    assert scene.transport.calls[-1] == "close"
    assert scene.link.log[-1] == "ended"


def test_half_closed_connection_is_given_nothing_new() -> None:
    scene = owing()
    scene.link.eof_received()
    assert not scene.link.writable


def test_half_closed_connection_is_cut_when_its_answers_take_too_long() -> None:
    scene = owing()
    scene.link.eof_received()
    scene.host.pass_s(LINGER_S)
    assert scene.transport.calls[-1] == "abort"


def test_end_of_input_of_tls_is_the_end() -> None:
    scene = owing()
    scene.transport.two_ways = False
    assert not scene.link.eof_received()


@pytest.mark.parametrize("order", ["unbind, lost", "lost, unbind", "lost, lost", "unbind, wake"])
def test_end_comes_once_however_many_reasons_there_are(order: str) -> None:
    scene = Scene()
    scene.deliver("a")
    for reason in order.split(", "):
        if reason == "unbind":
            scene.link.data_received(UNBIND)
        elif reason == "lost":
            scene.link.connection_lost(None)
        scene.host.end_turn()
        scene.host.pass_s(100.0)
    assert scene.link.log.count("ended") == 1
    assert scene.link.lost + scene.link.late == ["a"]
    assert scene.host.timers == []


def test_session_that_is_over_arms_no_timer_but_the_last() -> None:
    scene = Scene()
    scene.link.wants_at = scene.host.now + 1.0
    scene.link.data_received(UNBIND)
    scene.host.end_turn()
    scene.link.flush()
    assert [timer.at for timer in scene.host.timers] == [scene.host.now + LINGER_S]


def test_peer_that_does_not_read_its_last_octets_is_cut_off() -> None:
    scene = Scene()
    scene.link.data_received(UNBIND)
    scene.host.end_turn()
    scene.host.pass_s(LINGER_S - 0.1)
    assert scene.transport.calls == ["write", "close"]
    scene.host.pass_s(0.1)
    assert scene.transport.calls == ["write", "close", "abort"]


def test_peer_that_is_gone_in_time_is_not_cut_off() -> None:
    scene = Scene()
    scene.link.data_received(UNBIND)
    scene.host.end_turn()
    scene.link.connection_lost(None)
    scene.host.pass_s(LINGER_S)
    assert scene.transport.calls == ["write", "close"]
    assert scene.link.log.count("ended") == 1


def test_what_comes_after_the_end_is_not_heard() -> None:
    scene = Scene()
    scene.link.data_received(UNBIND)
    scene.host.end_turn()
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"372555"), short_message=b"Tere")
    scene.link.data_received(octets)
    scene.host.end_turn()
    assert scene.link.log[-1] == "ended"
    assert scene.transport.calls == ["write", "close"]


def test_notes_are_told_before_the_end() -> None:
    scene = Scene()
    scene.link.data_received(p.build(0x99, 0, 5))
    scene.link.connection_lost(None)
    assert scene.link.log == ["started", "pdu.unknown", "ended"]


def test_connection_that_never_binds_is_closed() -> None:
    scene = Scene(State.OPEN)
    scene.host.pass_s(5.0)
    assert scene.transport.calls == ["close"]
    assert scene.link.log == ["started", "bind.timed_out", "ended"]


# Much of all connections together.


def test_what_all_have_at_once_is_limited_for_each_turn() -> None:
    scene = Scene()
    scene.host.reading.left = 10
    scene.link.data_received(SUBMIT * 8)
    assert heard(scene) == 8
    scene.link.data_received(SUBMIT * 8)
    assert heard(scene) == 10
    assert scene.transport.calls == ["pause"]
    scene.host.turn()
    assert heard(scene) == 16
    assert scene.host.reading.left == AT_ONCE_PDUS


@pytest.mark.parametrize(
    ("rank", "at_once"), [(OPERATORS, 20), (URGENT, 20), (OTHERS, 0)], ids=["op", "urgent", "other"]
)
def test_operators_and_urgent_clients_are_dealt_with_where_others_have_used_it_up(
    rank: int, at_once: int
) -> None:
    scene = Scene()
    scene.link.rank = rank
    scene.host.reading.left = -5
    scene.link.data_received(SUBMIT * 20)
    assert heard(scene) == at_once
    scene.host.reading.left = -AT_ONCE_PDUS
    scene.link.data_received(SUBMIT * 20)
    assert heard(scene) == at_once + (20 if rank == OPERATORS else 0)


# What has waited too long.


def waiting_for(scene: Scene, waited_s: float, count: int = MANY) -> list[int]:
    """Let so many wait in line; return the lateness of each that is dealt with after that time."""
    scene.host.takes_s = SHARE_S
    scene.link.data_received(SUBMIT * count)
    scene.link.latenesses.clear()
    scene.host.now += waited_s
    scene.host.turn()
    return scene.link.latenesses


def test_what_has_waited_in_line_for_a_while_is_in_time() -> None:
    assert waiting_for(Scene(), LATE_S - 0.1) == [IN_TIME] * STEP_PDUS


def test_what_has_waited_too_long_is_known_as_late_and_more_is_dealt_with() -> None:
    scene = Scene()
    assert waiting_for(scene, LATE_S) == [TAKES_SOME] * STEP_PDUS * LATE_OF
    scene.link.data_received(SUBMIT)
    assert scene.link.lateness == IN_TIME


def test_what_an_operator_sends_is_never_late() -> None:
    scene = Scene()
    scene.link.rank = OPERATORS
    assert waiting_for(scene, 10 * LATE_S) == [IN_TIME] * STEP_PDUS


@pytest.mark.parametrize(("waited_s", "lateness"), [(0.5, IN_TIME), (0.6, TAKES_SOME)])
def test_what_was_left_unread_came_in_the_middle_between_two_reads(
    waited_s: float, lateness: int
) -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * (READ_OCTETS // len(SUBMIT) + 1))
    scene.host.now += 0.9 * LATE_S
    while scene.host.turns:
        scene.host.turn()
    assert set(waiting_for(scene, waited_s * LATE_S)) == {lateness}


def test_what_comes_a_while_after_a_full_read_is_new() -> None:
    scene = Scene()
    scene.link.data_received(SUBMIT * (READ_OCTETS // len(SUBMIT) + 1))
    while scene.host.turns:
        scene.host.turn()
    scene.host.now += LATE_S
    assert waiting_for(scene, 0.2 * LATE_S) == [IN_TIME] * STEP_PDUS


def test_late_is_given_up_a_few_times_until_it_is_its_turn_again() -> None:
    scene = Scene()
    assert waiting_for(scene, 0.0) == [IN_TIME] * STEP_PDUS
    scene.link.latenesses.clear()
    assert scene.link.give_up()
    assert scene.link.latenesses == []
    scene.host.now += LATE_S
    for _ in range(GIVES_UP + 2):
        assert scene.link.give_up()
    assert scene.link.latenesses == [TAKES_NONE] * GIVES_UP * STEP_PDUS * LATE_OF
    assert scene.link.read_on()
    assert scene.link.give_up()
    assert scene.link.latenesses.count(TAKES_NONE) == (GIVES_UP + 1) * STEP_PDUS * LATE_OF
    assert scene.link.latenesses.count(TAKES_SOME) == STEP_PDUS * LATE_OF


def test_connection_that_is_not_read_for_another_reason_leaves_the_line_when_it_gives_up() -> None:
    scene = Scene()
    waiting_for(scene, 2 * LATE_S)
    scene.link.latenesses.clear()
    scene.link.stop_reading(IN_DEBT)
    assert not scene.link.give_up()
    assert scene.link.latenesses == []
    scene.link.read_again(IN_DEBT)
    scene.host.turn()
    assert scene.link.latenesses
