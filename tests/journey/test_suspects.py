"""router/steps/suspicions.py: a message that ends sessions, or is never answered, and who pays.

An operator may hang up because of one message, cut sessions whatever it is sent, or never answer
one message. Innocent messages, and other binds and accounts, must not pay for that.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from router.forward.suspects import OTHER_BIND_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.steps.failover import MOST_TIMEOUTS
from router.steps.suspicions import ASIDE_S, FALLS, LONGEST_S
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import BreakerSettings, Settings
from tests.doubles import Client, Operator, Router, World, with_lane, with_operator

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
DAY = b"000001000000000R"
POISON = b"poison"


def with_binds(settings: Settings, count: int, window: int = 10, rate: int = 50) -> Settings:
    """Telia with so many binds."""
    binds = settings.operators[TELIA].binds[:count]
    few = tuple(
        replace(bind, window=window, rate=replace(bind.rate, count=rate))  # type: ignore[type-var]
        for bind in binds
    )
    return with_operator(settings, "telia", binds=few)


class Line:
    """One bind of an operator, bound again a second after each session; all that it was sent."""

    def __init__(
        self,
        router: Router,
        place: int = 0,
        *,
        operator: str = "telia",
        reads: Callable[[Operator, Pdu], int | None] = lambda far, pdu: 0,
        begins: Callable[[Operator], None] = lambda far: None,
    ) -> None:
        """`reads` says the status of the answer; `begins` is called when a session is bound."""
        self.router = router
        self.bind = router.journey.operators[OperatorName(operator)].binds[place]
        self.reads = reads
        self.begins = begins
        self.ids = 0
        self.sessions: list[Operator] = []
        self.sent: list[tuple[float, bytes]] = []
        self.answered: set[bytes] = set()
        self.latency_s = 0.02
        self._connect()

    def _connect(self) -> None:
        world = self.router.world
        far = Operator(world, self.router, self.bind)
        far.latency_s = self.latency_s
        far.status = lambda pdu: self._read(far, pdu)
        on_bind, far.far.on_pdu = far.far.on_pdu, lambda pdu: self._heard(far, pdu, on_bind)
        closed = far.far.transport.on_closed

        def lost() -> None:
            closed()
            world.call_later(1.0, self._connect)

        far.far.transport.on_closed = lost
        drop = far.far.drop

        def dropped() -> None:
            if not far.far.closed:
                drop()
                world.call_later(1.0, self._connect)

        far.far.drop = dropped  # type: ignore[method-assign]
        self.sessions.append(far)

    def _heard(self, far: Operator, pdu: Pdu, on_pdu: Callable[[Pdu], None]) -> None:
        if far.far.closed:
            return
        on_pdu(pdu)
        if pdu.command_id in v.BINDS:
            self.begins(far)

    def _read(self, far: Operator, pdu: Pdu) -> int | None:
        text = p.Sm(pdu).short_message
        self.sent.append((self.router.world.now, text))
        status = self.reads(far, pdu)
        if status == 0 and not far.far.closed:
            self.answered.add(text)
        return None if far.far.closed else status

    def writings(self, text: bytes) -> int:
        return sum(sent == text for _, sent in self.sent)


def hangs_up_at(poison: bytes) -> Callable[[Operator, Pdu], int | None]:
    """An operator that hangs up as soon as it reads this text."""

    def reads(far: Operator, pdu: Pdu) -> int | None:
        if p.Sm(pdu).short_message.startswith(poison):
            far.far.drop()
        return 0

    return reads


def hangs_up_until(until: float) -> Callable[[Operator, Pdu], int | None]:
    """An operator that hangs up at any message until that time."""

    def reads(far: Operator, pdu: Pdu) -> int | None:
        if far.world.now < until:
            far.far.drop()
        return 0

    return reads


def submit_all(client: Client, *texts: bytes, validity_period: bytes = b"") -> None:
    for text in texts:
        client.submit(text=text, registered_delivery=0, validity_period=validity_period)


def innocent(count: int) -> list[bytes]:
    return [b"innocent %d" % n for n in range(count)]


# A message that the operator cannot read.


def test_the_innocent_do_not_pay_for_a_poison(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, *innocent(4), POISON, *(b"more %d" % n for n in range(5)))
    world.run(10.0)
    assert router.outcomes == [Outcome.SENT] * 9
    assert all(telia.writings(text) <= 2 for _, text in telia.sent if text != POISON)
    for n in range(12):
        submit_all(client, b"later %d" % n)
        world.run(10.0)
    assert router.outcomes.count(Outcome.SENT) == 21
    assert router.outcomes.count(Outcome.FAILED) == 1
    assert telia.writings(POISON) == FALLS + 1  # Once among the others.
    router.assert_all_is_over()


def test_what_comes_while_a_poison_waits_aside_goes_at_full_rate(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, POISON, *innocent(3))
    world.run(12.0)
    assert len(router.outcomes) == 3
    submit_all(client, *(b"later %d" % n for n in range(100)))
    world.run(2.5)
    assert len(router.outcomes) == 103
    assert telia.writings(POISON) < FALLS


def test_the_log_names_a_poison_and_none_of_its_text(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 1))
    Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    number = client.submit(
        text=POISON, data_coding=8, tlvs=p.tlv(0x1400, b"x"), validity_period=DAY
    )
    for n in range(30):
        client.submit(text=b"innocent %d" % n, registered_delivery=0)
        world.run(10.0)
    events = [
        event for event in router.journey.operators[TELIA].events if event.what == "suspected"
    ]
    assert [event.why for event in events] == ["again"] * (FALLS - 2) + ["failed"]
    assert events[-1].about == {
        "id": client.id_of(number).decode(),
        "account": "bank",
        "falls": FALLS,
        "octets": len(POISON),
        "data_coding": 8,
        "esm_class": 0,
        "tlvs": "0x1400",
    }
    assert "poison" not in repr(events)
    (text,) = client.receipt_texts()
    assert b"stat:UNDELIV" in text


def test_a_poison_that_is_the_only_message_is_tried_until_an_hour_is_over(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, POISON, validity_period=DAY)
    world.run(LONGEST_S - 60.0)
    assert router.outcomes == []
    assert FALLS < telia.writings(POISON) < 15
    world.run(ASIDE_S * 40)
    assert router.outcomes == [Outcome.FAILED]
    router.assert_all_is_over()


def test_a_suspect_expires_like_any_other(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 1))
    Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, POISON, validity_period=b"000000000020000R")
    world.run(125.0)
    assert router.outcomes == [Outcome.EXPIRED]
    router.assert_all_is_over()


def test_a_poison_holds_up_no_other_bind(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 3))
    lines = [Line(router, place, reads=hangs_up_at(POISON)) for place in range(3)]
    client = router.client()
    submit_all(client, *innocent(30), POISON, *(b"more %d" % n for n in range(269)))
    world.run(4.5)  # 150/s would take 2 s.
    assert len(router.outcomes) == 299
    sessions = [len(line.sessions) for line in lines]
    assert sorted(sessions)[0] == 1
    assert sum(sessions) <= 3 + 3


def test_urgent_messages_go_between_two_suspects(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=lambda far, pdu: None)
    client = router.client(b"shop", b"secret02")
    bank = router.client()
    submit_all(client, *innocent(10))
    world.run(1.0)
    telia.latency_s = 0.5
    telia.reads = lambda far, pdu: 0
    telia.sessions[-1].far.drop()
    world.run(2.2)
    submit_all(bank, b"urgent 1", b"urgent 2")
    submit_all(client, b"bulk")
    world.run(8.0)
    order = [text for _, text in telia.sent][10:]
    assert set(order[:10]) < {b"urgent 1", b"urgent 2", *innocent(10)}
    assert order[-1] == b"bulk"
    assert order.index(b"urgent 2") - order.index(b"urgent 1") == 1
    assert order.index(b"urgent 2") < 8


def test_a_poison_ends_one_session_elsewhere(world: World, contract: Settings) -> None:
    settings = with_lane(with_binds(contract, 1), "otp", in_doubt="elsewhere")
    router = Router(world, settings)
    telia = Line(router, reads=hangs_up_at(POISON))
    elisa = Line(router, operator="elisa", reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, *innocent(5), POISON, *(b"more %d" % n for n in range(4)))
    world.run(30.0)
    assert router.outcomes.count(Outcome.SENT) == 9
    assert router.outcomes.count(Outcome.FAILED) == 1
    assert (len(telia.sessions), len(elisa.sessions)) == (2, 2)
    fell_at = next(at for at, text in elisa.sent if text == POISON)
    alone = [text for at, text in elisa.sent if abs(at - fell_at) < 0.019]
    assert alone == [POISON]


def test_a_lane_that_must_not_repeat_fails_what_was_in_flight(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(with_binds(contract, 1), "otp", in_doubt="fail"))
    telia = Line(router, reads=hangs_up_at(POISON))
    client = router.client()
    submit_all(client, *innocent(3), POISON)
    world.run(0.5)
    assert set(router.outcomes) <= {Outcome.SENT, Outcome.FAILED}
    assert len(router.outcomes) == 4
    assert all(telia.writings(text) == 1 for _, text in telia.sent)
    assert router.journey.suspicions.by_operator() == {}
    router.assert_all_is_over()


# An operator that is at fault itself.


def test_sessions_that_fall_before_they_answer_cost_no_message_a_try(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_binds(contract, 1))
    begun_at = world.now

    def cut(far: Operator) -> None:
        if world.now - begun_at < 75.0:
            world.soon(far.far.drop)  # Behind its bind_resp.

    telia = Line(router, begins=cut, reads=hangs_up_until(begun_at + 75.0))
    client = router.client()
    world.run(0.5)
    submit_all(client, *innocent(10))
    world.run(90.0)
    assert router.outcomes == [Outcome.SENT] * 10
    assert all(telia.writings(text) <= 1 for text in innocent(10))
    router.assert_all_is_over()


def test_sessions_that_fall_one_after_the_other_are_not_held_against_messages(
    world: World, contract: Settings
) -> None:
    """The operator answers the enquire_link, and cuts before it has answered a message."""
    router = Router(world, with_binds(contract, 1))
    begun_at = world.now

    def cut(far: Operator, pdu: Pdu) -> int | None:
        if world.now - begun_at < 75.0:
            world.call_later(0.001, far.far.drop)
        return 0

    Line(router, reads=cut)
    client = router.client()
    submit_all(client, *innocent(10))
    world.run(80.0)
    assert router.outcomes == [Outcome.SENT] * 10
    router.assert_all_is_over()


def test_an_operator_that_restarts_is_soon_at_its_full_rate(
    world: World, contract: Settings
) -> None:
    settings = with_binds(contract, 3, window=100, rate=100)
    router = Router(world, settings)
    lines = [Line(router, place, reads=lambda far, pdu: None) for place in range(3)]
    client = router.client()
    for _ in range(30):
        submit_all(client, *(b"%d" % n for n in range(100)))
        world.run(0.1)
    assert router.accepted == 3000
    assert [line.bind.in_use for line in lines] == [100] * 3
    for line in lines:
        line.reads = lambda far, pdu: 0
        line.sessions[-1].far.drop()
    world.run(5.0)
    before = len(router.outcomes)
    world.run(2.0)
    assert len(router.outcomes) - before >= 2 * 3 * 100 * 0.98
    assert before >= 300


def test_an_operator_that_never_answers_an_enquire_link_is_used_all_the_same(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=lambda far, pdu: None)
    client = router.client()
    submit_all(client, *innocent(3), validity_period=DAY)
    world.run(1.0)
    telia.reads = lambda far, pdu: 0
    telia.sessions[-1].far.drop()
    world.run(0.5)

    def mute(far: Operator) -> None:
        on_pdu = far.far.on_pdu
        far.far.on_pdu = lambda pdu: None if pdu.command_id == v.ENQUIRE_LINK else on_pdu(pdu)

    telia.begins = mute
    world.run(15.0)
    assert router.outcomes == [Outcome.SENT] * 3


def test_what_we_end_ourselves_is_no_suspect(world: World, contract: Settings) -> None:
    router = Router(world, with_binds(contract, 1))
    telia = Line(router, reads=lambda far, pdu: None)
    client = router.client()
    submit_all(client, *innocent(5))
    world.run(1.0)
    assert telia.bind.peer is not None
    telia.bind.peer.rebind()
    world.run(1.5)
    assert router.journey.suspicions.by_operator() == {}
    assert telia.bind.trial is None


def test_suspects_go_on_another_bind_when_theirs_does_not_come_back(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_binds(contract, 2))
    lost = router.operator("telia", 0, status=None)
    other = Line(router, 1)
    client = router.client()
    submit_all(client, *(b"%d" % n for n in range(200)))
    world.run(1.0)
    in_flight = lost.texts()
    lost.far.drop()
    world.run(OTHER_BIND_S - 0.1)
    assert router.journey.suspicions.by_operator() == {TELIA: 10}
    assert not set(in_flight) & {text for _, text in other.sent}
    world.run(1.5)
    assert router.journey.suspicions.by_operator() == {}
    world.run(3.0)
    assert router.outcomes == [Outcome.SENT] * 200
    router.assert_all_is_over()


# Messages that are never answered.


def silent_at(text: bytes) -> Callable[[Operator, Pdu], int | None]:
    """An operator that never answers this text."""
    return lambda far, pdu: None if p.Sm(pdu).short_message.startswith(text) else 0


def test_messages_that_are_never_answered_do_not_stop_the_healthy(
    world: World, contract: Settings
) -> None:
    breaker = BreakerSettings(failures=10, of=20)
    settings = with_operator(with_binds(contract, 1), "telia", breaker=breaker)
    router = Router(world, settings)
    telia = Line(router, reads=silent_at(b"mute"))
    client = router.client()
    submit_all(client, b"mute 1", b"mute 2", b"mute 3", validity_period=DAY)
    for n in range(44):
        world.run(15.0)
        submit_all(client, b"healthy %d" % n)
    world.run(1.0)
    assert router.outcomes.count(Outcome.SENT) == 44
    assert router.journey.operators[TELIA].circuit.whole.opened == 0
    world.run(1000.0)
    assert router.outcomes.count(Outcome.FAILED) == 3
    assert all(telia.writings(b"mute %d" % n) == 1 + MOST_TIMEOUTS for n in (1, 2, 3))
    router.assert_all_is_over()


def test_a_healthy_message_tries_for_a_breaker_before_one_in_doubt(
    world: World, contract: Settings
) -> None:
    breaker = BreakerSettings(failures=3, of=20)
    settings = with_operator(with_binds(contract, 1), "telia", breaker=breaker)
    router = Router(world, settings)
    telia = Line(router, reads=silent_at(b"mute"))
    client = router.client()
    submit_all(client, *(b"mute %d" % n for n in range(3)), validity_period=DAY)
    world.run(30.5)
    circuit = router.journey.operators[TELIA].circuit
    assert circuit.whole.opened + sum(b.breaker.opened for b in circuit._binds) > 0
    submit_all(client, b"healthy", validity_period=DAY)
    world.run(circuit.whole.rest_s + 3.0)
    assert telia.sent[3][1] == b"healthy"
    assert router.outcomes == [Outcome.SENT]


@pytest.mark.parametrize("again", [0, None])
def test_a_message_in_doubt_tries_for_a_breaker_when_nothing_else_comes(
    world: World, contract: Settings, again: int | None
) -> None:
    breaker = BreakerSettings(failures=3, of=20)
    settings = with_operator(with_binds(contract, 1), "telia", breaker=breaker)
    router = Router(world, settings)
    telia = Line(router, reads=silent_at(b"mute"))
    client = router.client()
    submit_all(client, *(b"mute %d" % n for n in range(3)), validity_period=DAY)
    world.run(30.5)
    telia.reads = lambda far, pdu: again
    world.run(150.0)
    if again is None:
        assert 3 < len(telia.sent) < 9
    else:
        assert router.outcomes == [Outcome.SENT] * 3
        router.assert_all_is_over()
