"""steps/answers.py: a full operator is waited for, a full telephone stands in nobody's way."""

import pytest
from structlog.testing import capture_logs

from router.forward.queue_full import MANY_NUMBERS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.steps.data_sm import NO_DATA_SM_S
from router.terms.names import OperatorName
from router.terms.outcome import WRONG_SET_UP, Outcome
from tests.doubles import Client, Router, World, data_sm, without_operator
from tests.journey.scenes import connected, connected_to_both

ESTONIAN = b"3725551234"
TO = (1, 1, b"37255512345")


def test_an_operator_that_is_full_for_many_numbers_is_throttling(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=v.ESME_RMSGQFUL)
    for number in range(12):
        client.submit(ESTONIAN + b"%02d" % number, registered_delivery=0)
    world.run(1.2)
    assert router.journey.lanes.delays.delayed() == MANY_NUMBERS - 1
    written = len(telia.submits)
    world.run(0.3)
    assert len(telia.submits) - written < 3  # The bind rests; the messages have not failed.
    telia.status = lambda _: v.ESME_ROK
    world.run(35.0)
    assert router.outcomes == [Outcome.SENT] * 12
    router.assert_all_is_over()


def test_numbers_that_are_full_among_others_are_tried_again_later(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    full = {ESTONIAN + b"%02d" % number for number in range(0, 40, 2)}
    telia.status = lambda pdu: v.ESME_RMSGQFUL if p.Sm(pdu).destination_addr in full else v.ESME_ROK
    client = router.client()
    for number in range(40):
        client.submit(ESTONIAN + b"%02d" % number, registered_delivery=0)
    world.run(3.0)
    assert router.outcomes == [Outcome.SENT] * 20
    assert router.journey.lanes.delays.delayed() == 20


def test_a_data_sm_that_an_operator_does_not_serve_goes_to_another(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=v.ESME_RINVCMDID)
    client.far.send(data_sm(client.far.next_sequence(), source=(5, 0, b"BANK"), destination=TO))
    world.run(1.0)
    assert len(telia.submits) == len(elisa.submits) == 1
    client.submit()
    world.run(1.0)
    assert len(telia.submits) == 2
    assert len(elisa.submits) == 1  # A submit_sm is served everywhere: that one has failed.
    assert Outcome.FAILED in router.outcomes


@pytest.mark.parametrize("status", [0xC0, 0xC3, v.ESME_RINVBNDSTS, v.ESME_RINVSYSTYP])
def test_an_answer_about_how_we_are_set_up_is_told(
    world: World, router: Router, status: int
) -> None:
    assert status in WRONG_SET_UP
    router.operator("telia", status=status)
    with capture_logs() as lines:
        router.client().submit()
        world.run(1.0)
    told = [line for line in lines if line["event"] == "message.objected"]
    assert told
    assert told[0]["operator"] == "telia"
    assert told[0]["status"] == v.status_name(status)


def test_an_answer_about_the_message_is_not_told(world: World, router: Router) -> None:
    router.operator("telia", status=v.ESME_RINVDSTADR)
    with capture_logs() as lines:
        router.client().submit()
        world.run(1.0)
    assert not [line for line in lines if line["event"] == "message.objected"]


def submit_data_sm(client: Client, count: int = 1) -> None:
    for _ in range(count):
        number = client.far.next_sequence()
        client.far.send(data_sm(number, source=(5, 0, b"BANK"), destination=TO))


def test_that_an_operator_does_not_serve_data_sm_is_remembered(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=v.ESME_RINVCMDID)
    submit_data_sm(client)
    world.run(1.0)
    telia.status = lambda _: v.ESME_ROK
    submit_data_sm(client, 300)
    client.submit(registered_delivery=0)
    world.run(10.0)
    assert [pdu.command_id for _, pdu in telia.submits] == [v.DATA_SM, v.SUBMIT_SM]
    assert len(elisa.submits) == 301
    events = [event.what for event in router.journey.operators[OperatorName("telia")].events]
    assert events == ["data_sm"]
    assert router.outcomes == [Outcome.SENT] * 302
    router.assert_all_is_over()


def test_an_operator_without_data_sm_is_asked_again_where_there_is_no_other(
    world: World, router: Router
) -> None:
    telia, _, client = connected_to_both(router, status=v.ESME_RINVCMDID)
    submit_data_sm(client)
    world.run(1.0)
    router.adopt(without_operator(router.settings, "elisa"))
    submit_data_sm(client)
    world.run(1.0)
    assert len(telia.submits) == 2
    assert router.outcomes == [Outcome.SENT, Outcome.FAILED]
    telia.status = lambda _: v.ESME_ROK  # It has learnt to.
    submit_data_sm(client)
    world.run(1.0)
    assert router.outcomes[-1] == Outcome.SENT
    assert not router.journey.data_sm.until


def test_an_operator_without_data_sm_is_asked_again_after_an_hour(
    world: World, router: Router
) -> None:
    telia, _, client = connected_to_both(router, status=v.ESME_RINVCMDID)
    submit_data_sm(client)
    world.run(1.0)
    telia.status = lambda _: v.ESME_ROK
    world.coast(NO_DATA_SM_S - 5.0)
    submit_data_sm(client)
    world.run(1.0)
    assert len(telia.submits) == 1
    world.coast(5.0)
    submit_data_sm(client)
    world.run(1.0)
    assert len(telia.submits) == 2


def test_where_no_operator_serves_data_sm_all_are_asked_as_planned(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=v.ESME_RINVCMDID)
    elisa.status = lambda _: v.ESME_RINVCMDID
    for asked in (1, 2):
        submit_data_sm(client)
        world.run(1.0)
        assert len(telia.submits) == len(elisa.submits) == asked
    assert router.outcomes == [Outcome.FAILED] * 2
