"""router/wiring/drains.py: which binds are meant, and what they and their operator do then."""

import pytest

from router.wiring.drains import UnknownNameError, set_drained
from tests.unit.telemetry.running import ELISA, OTP, TELIA, FakeRouter


def drained(router: FakeRouter) -> list[str]:
    binds = [bind for one in router.journey.operators.values() for bind in one.binds]
    return [bind.settings.name for bind in binds if bind.drained]


def test_operator_means_all_its_binds_that_send() -> None:
    router = FakeRouter()
    answer = set_drained(router, "elisa", drained=True)
    assert [bind["bind"] for bind in answer["binds"]] == ["elisa-tx", "elisa-tx2"]
    assert drained(router) == ["elisa-tx", "elisa-tx2"]


def test_one_bind_of_a_drained_operator_can_be_resumed() -> None:
    router = FakeRouter()
    set_drained(router, "telia", drained=True)
    set_drained(router, "telia/telia-2", drained=False)
    assert drained(router) == ["telia-1", "telia-3"]


def test_operator_is_resumed_with_all_its_binds_however_they_were_drained() -> None:
    router = FakeRouter()
    set_drained(router, "telia/telia-3", drained=True)
    answer = set_drained(router, "telia", drained=False)
    assert [bind["changed"] for bind in answer["binds"]] == [False, False, True]
    assert drained(router) == []


def test_operator_whose_binds_are_drained_hands_its_messages_to_the_next() -> None:
    router = FakeRouter()
    router.bring_up(TELIA)
    router.bring_up(ELISA)
    lanes = router.journey.lanes
    lanes.put(router.message())
    (queue,) = lanes.queues()
    assert (queue.lane, queue.home) == (OTP, TELIA)
    set_drained(router, "telia/telia-1", drained=True)  # The only one that is up.
    assert queue.home == ELISA
    set_drained(router, "telia", drained=False)
    assert queue.home == TELIA


def test_bind_that_comes_up_stays_drained() -> None:
    router = FakeRouter()
    set_drained(router, "telia", drained=True)
    router.bring_up(TELIA)
    assert not router.journey.operators[TELIA].is_available


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("tellia", "no operator 'tellia'; did you mean 'telia'? known operators are telia, elisa"),
        ("", "there is no operator ''; known operators are telia, elisa"),
        ("telia/telia_1", "no bind of telia 'telia_1'; did you mean 'telia-1'? known binds of "),
        ("telia/", "there is no bind of telia ''; known binds of telia are telia-1, telia-2"),
        ("telia/elisa-tx", "there is no bind of telia 'elisa-tx'; "),
        ("elisa/elisa-rx", "elisa/elisa-rx is a receiver, and sends nothing"),
        ("Telia", "did you mean 'telia'?"),
    ],
)
def test_name_that_is_none_is_told_what_there_is(what: str, said: str) -> None:
    router = FakeRouter()
    with pytest.raises(UnknownNameError) as error:
        set_drained(router, what, drained=True)
    assert said in str(error.value)
    assert drained(router) == []
