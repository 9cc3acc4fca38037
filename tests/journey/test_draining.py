"""router/journey.py: before a stop nothing new is taken in, and what was begun is finished."""

import pytest

from router.forward.bind import OperatorLink
from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from tests.doubles import Client, Router, World
from tests.journey.scenes import connected_to_both, taken


def test_new_submits_are_refused_as_a_system_error(world: World, router: Router) -> None:
    client = router.client()
    router.journey.intake.draining = True
    number = client.submit()
    world.run(0.5)
    assert client.status_of(number) == v.ESME_RSYSERR
    assert not client.far.closed
    assert router.room_taken() == 0
    assert router.journey.counters.refused_pdus == {"draining": 1}


@pytest.mark.parametrize("password", [b"secret01", b"wrong"])
def test_new_binds_are_refused_whoever_asks(world: World, router: Router, password: bytes) -> None:
    router.journey.intake.draining = True
    client = Client(world, router)
    number = client.bind(b"bank", password)
    world.run(1.5)
    assert client.status_of(number) == v.ESME_RBINDFAIL
    assert client.far.closed
    assert router.journey.counters.failed_binds == {"draining": 1}


def test_what_the_journal_has_is_answered(world: World, router: Router) -> None:
    client = router.client()
    router.disk.delay_s = 0.5
    number = client.submit()
    world.run(0.1)
    router.journey.intake.draining = True
    world.run(1.0)
    assert client.status_of(number) == v.ESME_ROK
    assert router.room_taken() == 1


def test_what_is_in_flight_is_finished_and_nothing_new_is_sent(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    telia.latency_s = 0.3
    client = router.client()
    for _ in range(30):
        client.submit(registered_delivery=0)
    world.run(0.2)
    sent = len(telia.submits)
    assert 0 < sent < 20
    router.journey.intake.draining = True
    world.run(5.0)
    assert len(telia.submits) == sent
    assert router.outcomes == [Outcome.SENT] * sent
    assert router.room_taken() == 30 - sent
    assert len(router.journal.messages) == 30 - sent
    assert telia.bind.in_use == 0


@pytest.mark.parametrize("status", [0x58, 0x14, 0x45, 0x04])
def test_what_is_refused_while_draining_waits_for_the_next_start(
    world: World, router: Router, status: int
) -> None:
    telia, elisa, client = connected_to_both(router, status=status)
    client.submit(registered_delivery=0)
    world.run(0.01)
    router.journey.intake.draining = True
    world.run(60.0)
    assert len(telia.submits) == 1
    assert elisa.submits == []
    assert router.outcomes == []
    assert len(router.journal.messages) == 1


def test_receipts_are_still_taken_and_handed_back(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    router.journey.intake.draining = True
    report = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_an_operator_hears_that_its_deliver_sm_is_safe_before_our_unbind(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    router.disk.delay_s = 0.5
    number = telia.deliver(b"hello", destination=(1, 1, b"12302"))
    world.run(0.1)
    assert isinstance(telia.far.link, OperatorLink)
    telia.far.link.rebind()
    world.run(1.0)
    assert telia.answer_to(number) == v.ESME_ROK
    assert telia.far.pdus(v.UNBIND)
    assert telia.far.closed


def test_what_was_left_behind_goes_out_after_the_next_start(world: World, router: Router) -> None:
    client = router.client()
    for n in range(10):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(0.5)
    router.journey.intake.draining = True
    world.run(1.0)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"%d" % n for n in range(10)]
    assert again.outcomes == [Outcome.SENT] * 10
    assert not again.journal.messages
