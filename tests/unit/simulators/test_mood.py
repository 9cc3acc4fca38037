"""simulators/mood.py."""

from collections import Counter
from random import Random

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from simulators.behaviour import Behaviour
from simulators.mood import ANSWER_LOST, NACK, SILENT, TAKE, Mood
from simulators.units import Span

ROUGH = Behaviour(
    status=((v.ESME_RSYSERR, 0.1),),
    silent=0.1,
    answer_lost=0.1,
    nack=0.1,
    status_by_destination=((b"372599", v.ESME_RINVDSTADR), (b"3725", v.ESME_RSYSERR)),
    receipts=((State.DELIVERED, 98.0), (State.EXPIRED, 1.0), (None, 1.0)),
    receipt_delay=Span(0.1, 2.0),
)


def test_same_seed_does_the_same() -> None:
    one, two = Mood(ROUGH, Random(5)), Mood(ROUGH, Random(5))
    for _ in range(500):
        assert one.fate(b"358") == two.fate(b"358")
        assert one.receipt_state(b"358") == two.receipt_state(b"358")
        assert one.receipt_wait_s() == two.receipt_wait_s()


def test_each_fate_has_its_share() -> None:
    mood = Mood(ROUGH, Random(5))
    fates = Counter(mood.fate(b"358") for _ in range(20_000))
    assert set(fates) == {TAKE, SILENT, ANSWER_LOST, NACK, v.ESME_RSYSERR}
    assert 11_500 < fates[TAKE] < 12_500
    assert all(1_800 < fates[fate] < 2_200 for fate in fates if fate != TAKE)


def test_states_have_their_shares_and_some_never_come() -> None:
    mood = Mood(ROUGH, Random(5))
    states = Counter(mood.receipt_state(b"358") for _ in range(20_000))
    assert 19_500 < states[State.DELIVERED] < 19_700
    assert 140 < states[State.EXPIRED] < 260
    assert 140 < states[None] < 260


def test_longest_prefix_decides_and_chance_does_not() -> None:
    mood = Mood(ROUGH, Random(5))
    assert {mood.fate(b"37259900000") for _ in range(100)} == {v.ESME_RINVDSTADR}
    assert {mood.fate(b"37250000000") for _ in range(100)} == {v.ESME_RSYSERR}


def test_certain_refusal_refuses_every_one() -> None:
    mood = Mood(Behaviour(status=((v.ESME_RMSGQFUL, 1.0),)), Random(5))
    assert {mood.fate(b"358") for _ in range(1000)} == {v.ESME_RMSGQFUL}
    mood = Mood(Behaviour(bind_status=((v.ESME_RBINDFAIL, 1.0),)), Random(5))
    assert {mood.bind_status() for _ in range(1000)} == {v.ESME_RBINDFAIL}


def test_calm_operator_takes_every_one() -> None:
    mood = Mood(Behaviour(), Random(5))
    assert {mood.fate(b"358") for _ in range(1000)} == {TAKE}
    assert (mood.bind_status(), mood.latency_s(), mood.receipt_first()) == (0, 0.0, False)
