"""router/journey.py: a message goes out and its receipt comes back, over all stages."""

from pathlib import Path

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from tests.doubles import Router, World, contract_settings
from tests.journey.scenes import connected


def test_a_message_is_answered_sent_and_receipted(tmp_path: Path) -> None:
    world = World()
    router = Router(world, contract_settings(tmp_path))
    telia, client = connected(router)
    number = client.submit(text=b"your code is 1234")
    world.run(2.0)
    assert client.status_of(number) == 0
    assert len(telia.submits) == 1
    assert p.Sm(telia.submits[0][1]).short_message == b"your code is 1234"
    client_id = p.message_id_of(client.answers[number])
    assert client_id.isdigit()
    assert len(client_id) <= 15
    (operator_id,) = telia.ids
    report = telia.report(operator_id)
    world.run(0.1)
    (text,) = client.receipt_texts()
    assert text.startswith(b"id:" + client_id + b" sub:001 dlvrd:001")
    (answer,) = telia.far.pdus(v.DELIVER_SM_RESP)
    assert (answer.sequence_number, answer.command_status) == (report, 0)
    assert [settlement.outcome for settlement in router.settled] == [Outcome.DELIVERED]
    assert not router.journal.messages
    assert not router.journal.held
    assert not router.journal.attempts


def test_no_bind_ever_exceeds_its_rate_and_hardly_wastes_it(tmp_path: Path) -> None:
    world = World()
    router = Router(world, contract_settings(tmp_path))
    binds = [router.operator("telia", place) for place in range(3)]
    client = router.client()
    for _ in range(1000):
        client.submit()
    world.run(10.0)
    times = [[at for at, _ in bind.submits] for bind in binds]
    assert sum(map(len, times)) == 1000
    for of_bind in times:
        busiest = max(sum(1 for t in of_bind if at <= t < at + 1.0) for at in of_bind)
        assert busiest <= 50
    span = max(t for of in times for t in of) - min(t for of in times for t in of)
    assert span < 6.75
    assert len(client.answers) == 1001
