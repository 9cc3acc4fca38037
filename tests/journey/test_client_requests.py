"""router/steps/client_requests.py: what clients ask about their messages, and have changed."""

from collections.abc import Sequence

import pytest

from router.enqueue.ids import FORMS, in_receipt
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.receipt import State
from router.steps.client_requests import MOST_WAITING
from router.steps.querying import RecordsFound
from router.terms.capacity import Capacity
from router.terms.names import AccountName, ClientId, RouterId
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey
from router.terms.record import Recorded
from router.terms.settings import ClientIdForm, MessageIdForms, Settings
from tests.doubles import (
    Client,
    Operator,
    Router,
    World,
    with_account,
    with_operator,
    without_operator,
)
from tests.journal import FULL_DISK
from tests.journey.scenes import (
    OVERDUE_S,
    connected,
    nothing_is_left,
    restarted_with,
    taken,
    unanswered,
)
from tests.peers import submit_multi

SOURCE = p.address(5, 0, b"BANK")
NUMBER = p.address(1, 1, b"37255512345")
NONE = p.address(0, 0, b"")


def query(client: Client, message_id: bytes, source: bytes = SOURCE) -> int:
    number = client.far.next_sequence()
    client.far.send(p.build(v.QUERY_SM, 0, number, message_id + b"\0" + source))
    return number


def cancel(
    client: Client,
    message_id: bytes = b"",
    source: bytes = SOURCE,
    destination: bytes = NUMBER,
    service_type: bytes = b"",
) -> int:
    number = client.far.next_sequence()
    body = service_type + b"\0" + message_id + b"\0" + source + destination
    client.far.send(p.build(v.CANCEL_SM, 0, number, body))
    return number


def replace_by(
    client: Client,
    message_id: bytes,
    text: bytes = b"other",
    source: bytes = SOURCE,
    schedule: bytes = b"",
    validity: bytes = b"",
    registered_delivery: int = 1,
    default_message: int = 0,
) -> int:
    number = client.far.next_sequence()
    body = message_id + b"\0" + source + schedule + b"\0" + validity + b"\0"
    body += bytes((registered_delivery, default_message, len(text))) + text
    client.far.send(p.build(v.REPLACE_SM, 0, number, body))
    return number


def state_of(client: Client, number: int) -> State:
    """The message_state in the answer to a query_sm."""
    body = client.answers[number].octets[16:]
    _, rest = body.split(b"\0", 1)
    _, rest = rest.split(b"\0", 1)
    return State(rest[0])


def waiting(router: Router, count: int = 1, **fields: object) -> tuple[Client, list[int]]:
    """Messages of the bank for which no operator is bound."""
    client = router.client()
    numbers = [client.submit(text=b"m%d" % one, **fields) for one in range(count)]  # type: ignore[arg-type]
    router.world.run(0.1)
    return client, numbers


@pytest.fixture
def small() -> Capacity:
    """Room for two messages of a queue in memory."""
    return Capacity(queue_messages=2, queue_refill_below=1, queue_fetch=2)


# cancel_sm.


def test_message_that_waits_is_cancelled_and_ends_as_the_client_hears(
    world: World, router: Router
) -> None:
    client, (number,) = waiting(router)
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    assert client.answers[asked].octets[16:] == b""
    assert router.outcomes == [Outcome.REJECTED]
    assert router.settled[0].reason == "cancelled"
    world.run(2.0)
    (receipt,) = client.receipts
    assert b" stat:DELETED err:000 " in p.Sm(receipt).short_message
    assert p.Sm(receipt).tlv(v.MESSAGE_STATE) == bytes((State.DELETED,))
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.submits == []
    nothing_is_left(router)


def test_cancelled_message_is_over_for_the_next_process_when_the_client_is_answered(
    world: World, router: Router
) -> None:
    client, (number, other) = waiting(router, 2)
    asked = cancel(client, client.id_of(number))
    while client.status_of(asked) is None:
        world.run(0.001)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"m1"]
    assert client.id_of(other)


def test_cancelled_message_that_only_the_journal_has(
    world: World, contract: Settings, small: Capacity
) -> None:
    router = Router(world, contract, capacity=small)
    client, numbers = waiting(router, 6)
    for place in (3, 5, 2):
        asked = cancel(client, client.id_of(numbers[place]))
        world.run(0.2)
        assert client.status_of(asked) == v.ESME_ROK
    assert cancelled_again(client, client.id_of(numbers[3])) == v.ESME_RINVMSGID
    telia = router.operator("telia")
    world.run(2.0)
    assert telia.texts() == [b"m0", b"m1", b"m4"]
    telia.report_all()
    world.run(2.0)
    nothing_is_left(router)
    assert all(len(queue) == 0 for queue in router.journey.lanes.queues())


def cancelled_again(client: Client, message_id: bytes) -> int | None:
    asked = cancel(client, message_id)
    client.world.run(0.2)
    return client.status_of(asked)


def test_all_are_cancelled_while_the_journal_is_being_read(
    world: World, contract: Settings, small: Capacity
) -> None:
    """Whatever a reading brings that began before: no message comes twice, and none stays."""
    router = Router(world, contract, capacity=small)
    client, numbers = waiting(router, 12)
    telia = router.operator("telia")
    asked = [cancel(client, client.id_of(number)) for number in numbers[::2]]
    world.run(3.0)
    statuses = [client.status_of(one) for one in asked]
    texts = telia.texts()
    for place, status in zip(range(0, 12, 2), statuses, strict=True):
        assert (b"m%d" % place in texts) == (status != v.ESME_ROK)
    assert v.ESME_ROK in statuses
    assert {b"m%d" % place for place in range(1, 12, 2)} <= set(texts)
    assert len(set(texts)) == len(texts)
    telia.report_all()
    world.run(2.0)
    nothing_is_left(router)


def test_messages_to_a_number_are_cancelled_together(world: World, router: Router) -> None:
    client, _ = waiting(router, 2)
    other = client.submit(b"37255512346", text=b"other number")
    service = client.submit(text=b"other service", service_type=b"CMT")
    world.run(0.1)
    asked = cancel(client, service_type=b"CMT")
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == [Outcome.REJECTED]
    assert client.id_of(service) == b"%d" % router.settled[0].message.router_id
    asked = cancel(client)
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == [Outcome.REJECTED] * 3
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"other number"]
    assert client.status_of(other) == v.ESME_ROK
    assert client.status_of(cancel_and_wait(client)) == v.ESME_RINVMSGID


def cancel_and_wait(client: Client) -> int:
    asked = cancel(client)
    client.world.run(0.2)
    return asked


def test_message_that_its_client_has_not_heard_of_is_not_cancelled(
    world: World, router: Router
) -> None:
    """The journal has it already, and the lane, which comes first, does not."""
    client = router.client()
    client.submit(b"37255512346", text=b"first")
    world.run(0.1)
    router.journal.accepts_told_after_s = 0.1
    number = client.submit(text=b"late")
    world.run(0.05)
    asked = cancel(client)
    world.run(0.02)
    assert client.status_of(asked) == v.ESME_RINVMSGID
    assert client.status_of(number) is None
    world.run(0.2)
    assert client.status_of(number) == v.ESME_ROK
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"first", b"late"]
    telia.report_all()
    world.run(2.0)
    nothing_is_left(router)


def test_however_many_messages_go_to_a_number_all_are_cancelled_in_pieces(
    world: World, router: Router
) -> None:
    client, _ = waiting(router, 230)
    other = client.submit(b"37255512346", text=b"other number")
    world.run(0.2)
    asked = cancel(client)
    router.journal.writes_are_stuck = True
    world.run(1.0)
    assert client.status_of(asked) is None
    router.journal.go_on()
    world.run(1.0)
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == [Outcome.REJECTED] * 230
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"other number"]
    assert client.status_of(other) == v.ESME_ROK


def test_while_the_journal_cannot_be_written_not_all_is_said_to_be_cancelled(
    world: World, router: Router
) -> None:
    client, _ = waiting(router, 120)
    router.journal.writes_are_stuck = True
    asked = cancel(client)
    world.run(0.5)
    router.journal.failing = FULL_DISK
    router.journal.go_on()
    world.run(0.5)
    assert client.status_of(asked) == v.ESME_RSYSERR


def test_message_that_is_submitted_after_the_cancel_is_not_cancelled(
    world: World, router: Router
) -> None:
    client, _ = waiting(router, 2)
    asked = cancel(client)
    client.submit(text=b"after it")
    world.run(0.5)
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == [Outcome.REJECTED] * 2
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"after it"]


def test_scheduled_message_is_cancelled(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", schedule_delivery_time="honour"))
    client, (number,) = waiting(router, schedule_delivery_time=b"000000000100000R")
    telia = router.operator("telia")
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    world.run(61.0)
    assert telia.submits == []
    nothing_is_left_but_receipts(router)


def nothing_is_left_but_receipts(router: Router) -> None:
    for name in router.settings.accounts:
        assert router.journey.rooms.taken(name) == 0
    assert not router.journal.messages


def test_message_that_waits_to_be_tried_again_is_cancelled(world: World, router: Router) -> None:
    telia, client = connected(router, status=v.ESME_RMSGQFUL)
    number = client.submit()
    world.run(1.0)
    assert len(telia.submits) == 1
    asked = cancel(client, client.id_of(number))
    world.run(1.0)
    assert client.status_of(asked) == v.ESME_ROK
    world.run(61.0)
    assert len(telia.submits) == 1
    assert router.outcomes == [Outcome.REJECTED]


def test_message_that_an_operator_has_or_may_have_is_not_cancelled(
    world: World, router: Router
) -> None:
    telia, client, number, pdu = unanswered(router)
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RCANCELFAIL
    telia.far.drop()  # In doubt now, and waits to be sent again.
    world.run(0.2)
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RCANCELFAIL
    telia = router.operator("telia")
    world.run(0.5)
    assert [p.Sm(one).short_message for _, one in telia.submits] == [p.Sm(pdu).short_message]
    asked = cancel(client, client.id_of(number))  # Taken, and its receipt awaited.
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RCANCELFAIL
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


def test_message_in_doubt_of_an_earlier_process_is_not_cancelled(
    world: World, router: Router
) -> None:
    telia, client, number, _ = unanswered(router)
    again, telia = restarted_with(router, telia)
    second = again.client()
    telia.far.drop()
    world.run(0.2)
    asked = cancel(second, client.id_of(number))
    world.run(0.2)
    assert second.status_of(asked) == v.ESME_RCANCELFAIL


@pytest.mark.parametrize("of_another", [True, False])
def test_nobody_hears_of_or_cancels_messages_of_others(
    world: World, router: Router, of_another: bool
) -> None:
    client, (number,) = waiting(router)
    shop = router.client(b"shop", b"secret02")
    world.run(0.1)
    client_id = client.id_of(number)
    whose, source = (shop, SOURCE) if of_another else (client, p.address(5, 0, b"SHOP"))
    asked = [query(whose, client_id, source), cancel(whose, client_id, source)]
    asked += [replace_by(whose, client_id, source=source), cancel(whose, source=source)]
    world.run(0.5)
    assert {whose.status_of(one) for one in asked} == {v.ESME_RINVMSGID}
    asked_again = query(client, client_id)
    world.run(0.1)
    assert state_of(client, asked_again) == State.ENROUTE
    assert router.outcomes == []


def test_source_may_be_left_out_or_have_another_type(world: World, router: Router) -> None:
    client, (number, other) = waiting(router, 2)
    asked = cancel(client, client.id_of(number), NONE, NONE)
    again = cancel(
        client, client.id_of(other), p.address(0, 0, b"BANK"), p.address(0, 9, NUMBER[2:-1])
    )
    world.run(0.2)
    assert client.status_of(asked) == client.status_of(again) == v.ESME_ROK


def test_message_to_another_number_is_not_the_one_that_is_meant(
    world: World, router: Router
) -> None:
    client, (number,) = waiting(router)
    asked = cancel(client, client.id_of(number), destination=p.address(1, 1, b"37255512346"))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RINVMSGID
    assert router.outcomes == []


def test_number_may_have_another_type(world: World, router: Router) -> None:
    client, _ = waiting(router, 2)
    asked = cancel(client, destination=p.address(0, 0, NUMBER[2:-1]))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == [Outcome.REJECTED] * 2


# cancel_sm to operators.


Asked = tuple[Router, Operator, Client, int]


@pytest.fixture
def asked_operator(world: World, contract: Settings) -> Asked:
    """Telia takes cancel_sm, and has a message of the bank."""
    router = Router(world, with_operator(contract, "telia", cancel_sm=True))
    telia, client, (number,) = taken(router)
    return router, telia, client, number


def test_cancel_is_passed_on_to_an_operator_that_takes_it(
    world: World, asked_operator: Asked
) -> None:
    router, telia, client, number = asked_operator
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    (pdu,) = telia.far.pdus(v.CANCEL_SM)
    assert pdu.octets[16:] == b"\x001\0" + SOURCE + NUMBER
    assert client.status_of(asked) == v.ESME_ROK
    assert router.outcomes == []
    telia.report(b"1", b"DELETED")
    world.run(1.0)
    assert router.outcomes == [Outcome.FAILED]
    assert b" stat:DELETED " in client.receipt_texts()[0]


@pytest.mark.parametrize("fate", ["refused", "nacked", "silent", "lost"])
def test_cancel_that_the_operator_does_not_grant_is_refused(
    world: World, asked_operator: Asked, fate: str
) -> None:
    router, telia, client, number = asked_operator
    usual = telia.far.on_pdu

    def on_pdu(pdu: p.Pdu) -> None:
        if pdu.command_id != v.CANCEL_SM:
            usual(pdu)
        elif fate == "refused":
            telia.far.send(p.response(pdu.command_id, pdu.sequence_number, v.ESME_RCANCELFAIL))
        elif fate == "nacked":
            telia.far.send(p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, pdu.sequence_number))
        elif fate == "lost":
            telia.far.drop()

    telia.far.on_pdu = on_pdu
    asked = cancel(client, client.id_of(number))
    world.run(OVERDUE_S)
    assert client.status_of(asked) == v.ESME_RCANCELFAIL
    assert router.outcomes == []


# replace_sm.


def test_message_that_waits_is_replaced(world: World, router: Router) -> None:
    client, (number,) = waiting(router, priority_flag=2, data_coding=3, tlvs=p.tlv(0x1400, b"x"))
    asked = replace_by(client, client.id_of(number), b"a longer text", registered_delivery=2)
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    telia = router.operator("telia")
    world.run(1.0)
    ((_, pdu),) = telia.submits
    sm = p.Sm(pdu)
    assert (sm.short_message, sm.registered_delivery) == (b"a longer text", 2)
    assert (sm.priority_flag, sm.data_coding, sm.tlv(0x1400)) == (2, 3, b"x")
    telia.report(b"1")
    world.run(1.0)
    assert client.receipts == []  # It asked for failures only, in the end.
    nothing_is_left(router)


def test_replaced_message_is_the_other_one_for_the_next_process(
    world: World, router: Router
) -> None:
    client, (number,) = waiting(router)
    asked = replace_by(client, client.id_of(number))
    while client.status_of(asked) is None:
        world.run(0.001)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"other"]


def test_message_that_only_the_journal_has_is_replaced(
    world: World, contract: Settings, small: Capacity
) -> None:
    router = Router(world, contract, capacity=small)
    client, numbers = waiting(router, 6)
    asked = [
        replace_by(client, client.id_of(numbers[4]), b"first"),
        replace_by(client, client.id_of(numbers[4]), b"second, longer"),
        replace_by(client, client.id_of(numbers[2])),
        cancel(client, client.id_of(numbers[2])),
    ]
    telia = router.operator("telia")
    world.run(2.0)
    assert [client.status_of(one) for one in asked] == [v.ESME_ROK] * 4
    assert telia.texts() == [b"m0", b"m1", b"m3", b"second, longer", b"m5"]
    telia.report_all()
    world.run(2.0)
    nothing_is_left(router)


def test_replaced_schedule_is_kept(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", schedule_delivery_time="honour"))
    client, (later, sooner, now) = waiting(router, 3, schedule_delivery_time=b"000000000200000R")
    telia = router.operator("telia")
    replace_by(client, client.id_of(later), b"later", schedule=b"000000000400000R")
    replace_by(client, client.id_of(sooner), b"sooner", schedule=b"000000000030000R")
    replace_by(client, client.id_of(now), b"now", schedule=b"000000000001000R")
    world.run(3.0)
    assert telia.texts() == [b"now"]
    world.run(30.0)
    assert telia.texts() == [b"now", b"sooner"]
    world.run(100.0)
    assert telia.texts() == [b"now", b"sooner"]
    world.run(110.0)
    assert telia.texts() == [b"now", b"sooner", b"later"]
    assert all(p.Sm(pdu).schedule_delivery_time == b"" for _, pdu in telia.submits)


def test_replaced_validity_ends_the_message(world: World, router: Router) -> None:
    client, (number, other) = waiting(router, 2)
    replace_by(client, client.id_of(number), validity=b"000000000010000R")
    world.run(12.0)
    assert router.outcomes == [Outcome.EXPIRED]
    asked = replace_by(client, client.id_of(other), validity=b"nonsense")
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RINVEXPIRY
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"m1"]


def test_message_that_an_operator_has_or_that_has_no_short_message_is_not_replaced(
    world: World, router: Router
) -> None:
    client, (payload, udh) = waiting(router, 2)
    payload = client.submit(text=b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"text"))
    udh = client.submit(text=b"\x05\0\3\1\2\1part", esm_class=0x40)
    world.run(0.1)
    asked = [replace_by(client, client.id_of(one)) for one in (payload, udh)]
    world.run(0.2)
    assert [client.status_of(one) for one in asked] == [v.ESME_RREPLACEFAIL] * 2
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts()[2:] == [b"", b"\x05\0\3\1\2\1part"]
    asked = [replace_by(client, client.id_of(payload))]
    world.run(0.2)
    assert client.status_of(asked[0]) == v.ESME_RREPLACEFAIL


# query_sm.


def test_state_is_told_from_the_queue_to_the_operator(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", schedule_delivery_time="honour"))
    client, (number,) = waiting(router)
    scheduled = client.submit(schedule_delivery_time=b"000000000200000R")
    world.run(0.1)
    asked, later = query(client, client.id_of(number)), query(client, client.id_of(scheduled))
    world.run(0.1)
    body = client.id_of(number) + b"\0\0" + bytes((State.ENROUTE, 0))
    assert client.answers[asked].octets[16:] == body
    assert state_of(client, later) == State.ENROUTE  # 3.4 has no SCHEDULED.
    modern = router.client(version=v.VERSION_5_0)
    later = query(modern, client.id_of(scheduled))
    world.run(0.1)
    assert state_of(modern, later) == State.SCHEDULED
    router.operator("telia")
    world.run(1.0)
    asked = query(client, client.id_of(number))
    world.run(0.1)
    assert state_of(client, asked) == State.ENROUTE


@pytest.mark.parametrize(
    ("recorded", "state", "error_code"),
    [
        (("delivered", "", "DELIVRD", "000"), State.DELIVERED, 0),
        (("failed", "", "UNDELIV", "034"), State.UNDELIVERABLE, 34),
        (("failed", "", "DELETED", "999"), State.DELETED, 0),
        (("failed", "refused by every operator", "", ""), State.UNDELIVERABLE, 0),
        (("expired", "validity has passed", "", ""), State.EXPIRED, 0),
        (("rejected", "cancelled", "", ""), State.DELETED, 0),
        (("sent", "", "", ""), State.ACCEPTED, 0),
        (("unknown", "", "", ""), State.UNKNOWN, 0),
    ],
)
def test_state_of_a_message_that_is_over_is_that_of_its_record(
    world: World,
    contract: Settings,
    recorded: tuple[str, str, str, str],
    state: State,
    error_code: int,
) -> None:
    def look_up(router_ids: Sequence[RouterId], done: RecordsFound) -> None:
        (one, *_) = router_ids
        over = Recorded(
            one,
            ClientId(client.id_of(number)),
            AccountName("bank"),
            "BANK",
            *recorded,
            1_800_000_000.0,
        )
        world.soon(lambda: done([over]))

    router = Router(world, contract, look_up_records=look_up)
    client, (number,) = waiting(router)
    cancel(client, client.id_of(number))
    world.run(0.2)
    asked = query(client, client.id_of(number))
    world.run(0.1)
    assert client.status_of(asked) == v.ESME_ROK
    assert client.answers[asked].octets[16:] == (
        client.id_of(number) + b"\x00270115080000000+\0" + bytes((state, error_code))
    )
    # It is known, and too late for a change.
    again = cancel(client, client.id_of(number)), replace_by(client, client.id_of(number))
    other = cancel(client, client.id_of(number), source=p.address(5, 0, b"SHOP"))
    world.run(0.2)
    assert [client.status_of(one) for one in (*again, other)] == [
        *(v.ESME_RCANCELFAIL, v.ESME_RREPLACEFAIL, v.ESME_RINVMSGID)
    ]


def test_records_that_cannot_be_read_are_no_answer(world: World, contract: Settings) -> None:
    def look_up(router_ids: Sequence[RouterId], done: RecordsFound) -> None:
        world.soon(lambda: done(None))

    router = Router(world, contract, look_up_records=look_up)
    client = router.client()
    asked = query(client, b"4711")
    world.run(0.1)
    assert client.status_of(asked) == v.ESME_RQUERYFAIL


@pytest.mark.parametrize("form", FORMS)
def test_message_is_found_by_the_id_that_its_client_knows(
    world: World, contract: Settings, form: ClientIdForm
) -> None:
    forms = MessageIdForms(response=form, receipt=form)
    router = Router(world, with_account(contract, "bank", message_id=forms))
    client, (number,) = waiting(router)
    client_id = client.id_of(number)
    asked = [query(client, one) for one in (client_id, client_id.lower(), client_id.upper())]
    world.run(0.2)
    assert {client.status_of(one) for one in asked} == {v.ESME_ROK}
    assert {state_of(client, one) for one in asked} == {State.ENROUTE}
    asked = [cancel(client, client_id)]
    world.run(0.2)
    assert client.status_of(asked[0]) == v.ESME_ROK


def test_message_is_found_by_the_id_of_its_receipts_and_in_the_form_of_before(
    world: World, contract: Settings
) -> None:
    forms = MessageIdForms(response="hex", receipt="decimal")
    router = Router(world, with_account(contract, "bank", message_id=forms))
    client, (number,) = waiting(router)
    in_hex = client.id_of(number)
    asked = [query(client, one) for one in (in_hex, b"%d" % int(in_hex, 16))]
    world.run(0.2)
    assert {state_of(client, one) for one in asked} == {State.ENROUTE}
    router.restarted()
    again = Router(world, contract, router.journal)  # Its ids are decimal from now on.
    second = again.client()
    asked = [query(second, in_hex)]
    world.run(0.2)
    assert state_of(second, asked[0]) == State.ENROUTE


@pytest.mark.parametrize("receipt", FORMS)
def test_message_with_eight_digits_is_found_by_the_id_of_its_receipts(
    world: World, contract: Settings, receipt: ClientIdForm
) -> None:
    forms = MessageIdForms(response="hex8", receipt=receipt)
    router = Router(world, with_account(contract, "bank", message_id=forms))
    client, _ = waiting(router)
    (message,) = router.journal.messages.values()
    told = in_receipt(message.client_id, message.router_id, forms)
    asked = query(client, told), cancel(client, told)
    world.run(0.2)
    assert state_of(client, asked[0]) == State.ENROUTE
    assert client.status_of(asked[1]) == v.ESME_ROK


# What is wrong.


@pytest.mark.parametrize(
    ("command_id", "body", "status"),
    [
        (v.QUERY_SM, b"", v.ESME_RINVCMDLEN),
        (v.QUERY_SM, b"\0\0\0\0", v.ESME_RINVMSGID),
        (v.QUERY_SM, b"1" * 65 + b"\0\0\0\0", v.ESME_RINVMSGID),
        (v.QUERY_SM, b"1\0\0\0" + b"a" * 21 + b"\0", v.ESME_RINVSRCADR),
        (v.QUERY_SM, b"1\0\0\0", v.ESME_RINVCMDLEN),
        (v.CANCEL_SM, b"\0\0\0\0\0\0\0\0", v.ESME_RINVMSGID),
        (v.CANCEL_SM, b"123456\0\0\0\0\0\0\0\0", v.ESME_RINVSERTYP),
        (v.CANCEL_SM, b"\0" + b"1\0\0\0\0\0\0" + b"1" * 21 + b"\0", v.ESME_RINVDSTADR),
        (v.REPLACE_SM, b"1\0\0\0\0\0\0\0\0\5abc", v.ESME_RINVMSGLEN),
        (v.REPLACE_SM, b"1\0\0\0\0" + b"1" * 17 + b"\0\0\0\0\0", v.ESME_RINVSCHED),
        (v.REPLACE_SM, b"1\0\0\0\0\0" + b"1" * 17 + b"\0\0\0\0", v.ESME_RINVEXPIRY),
        (v.REPLACE_SM, b"1\0\0\0\0\0\0\0\0", v.ESME_RINVCMDLEN),
        (v.QUERY_SM, b"\xff\xfe%s\0\0\0\0", v.ESME_RINVMSGID),
    ],
)
def test_request_that_cannot_be_read_is_answered_with_what_is_wrong(
    world: World, router: Router, command_id: int, body: bytes, status: int
) -> None:
    client = router.client()
    client.far.send(p.build(command_id, 0, 77, body))
    world.run(0.2)
    assert client.answers[77].command_id == command_id | v.RESPONSE
    assert client.status_of(77) == status
    assert router.journey.counters.client_requests[AccountName("bank"), command_id, status] == 1
    again = query(client, b"4711")  # And the session goes on.
    world.run(0.2)
    assert client.status_of(again) == v.ESME_RINVMSGID


def test_questions_of_one_account_do_not_hold_up_those_of_another(
    world: World, router: Router
) -> None:
    client, (number,) = waiting(router)
    shop = router.client(b"shop", b"secret02")
    world.run(0.1)
    asked = [query(client, client.id_of(number)) for _ in range(3 * MOST_WAITING)]
    other = query(shop, b"4711")
    world.run(0.5)
    statuses = [client.status_of(one) for one in asked]
    assert statuses.count(v.ESME_ROK) >= MOST_WAITING
    assert statuses.count(v.ESME_RTHROTTLED) == len(statuses) - statuses.count(v.ESME_ROK)
    assert shop.status_of(other) == v.ESME_RINVMSGID
    again = query(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(again) == v.ESME_ROK


def test_while_the_journal_is_down_nothing_is_cancelled_or_replaced(
    world: World, router: Router
) -> None:
    client, (number,) = waiting(router)
    router.journal.failing = FULL_DISK
    client.submit()
    world.run(0.5)
    asked = [cancel(client, client.id_of(number)), replace_by(client, client.id_of(number))]
    asked += [query(client, client.id_of(number))]
    world.run(0.5)
    assert [client.status_of(one) for one in asked] == [
        *(v.ESME_RSYSERR, v.ESME_RSYSERR, v.ESME_RQUERYFAIL),
    ]
    router.journal.failing = None
    world.run(2.0)
    asked = [query(client, client.id_of(number))]
    world.run(0.5)
    assert state_of(client, asked[0]) == State.ENROUTE


def test_answer_for_a_client_that_has_gone_is_nobodys(world: World, router: Router) -> None:
    client, (number,) = waiting(router)
    cancel(client, client.id_of(number))
    world.run(0.0)
    client.far.drop()
    world.run(1.0)
    assert router.outcomes in ([], [Outcome.REJECTED])
    second = router.client()
    asked = query(second, client.id_of(number))
    world.run(0.2)
    assert second.status_of(asked) is not None


def test_message_of_an_operator_that_is_gone_is_cancelled(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    client, numbers = waiting(router, 3)
    router.restarted()  # Ends this process.
    again = Router(world, without_operator(contract, "telia"), router.journal)
    second = again.client()
    world.run(0.5)
    asked = cancel(second, client.id_of(numbers[1]))
    world.run(0.5)
    assert second.status_of(asked) in (v.ESME_ROK, v.ESME_RCANCELFAIL)


# Several messages with one id.

OTHERS = [b"3725551234%d" % one for one in range(3)]


def multi(client: Client, numbers: Sequence[bytes] = OTHERS) -> tuple[bytes, int]:
    """A submit_multi that is accepted: its id, and a sequence_number."""
    number = client.far.next_sequence()
    client.far.send(submit_multi(number, numbers, short_message=b"Tere", registered_delivery=1))
    client.world.run(0.2)
    assert client.status_of(number) == v.ESME_ROK
    return client.id_of(number), number


def test_one_number_of_a_submit_multi_is_cancelled_by_id_and_number(
    world: World, router: Router
) -> None:
    client = router.client()
    message_id, _ = multi(client)
    asked = cancel(client, message_id, destination=p.address(0, 0, OTHERS[2]))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    telia = router.operator("telia")
    world.run(1.0)
    assert [p.Sm(pdu).destination[2] for _, pdu in telia.submits] == OTHERS[:2]


@pytest.mark.parametrize("form", FORMS)
def test_all_of_a_submit_multi_are_cancelled_by_its_id(
    world: World, contract: Settings, small: Capacity, form: ClientIdForm
) -> None:
    forms = MessageIdForms(response=form, receipt=form)
    router = Router(world, with_account(contract, "bank", message_id=forms), capacity=small)
    client = router.client()
    message_id, _ = multi(client)
    single = client.submit(OTHERS[0], text=b"single")
    world.run(0.2)
    first = cancel(client, message_id, destination=p.address(1, 1, OTHERS[0]))
    world.run(0.2)
    rest = cancel(client, message_id, destination=NONE)
    world.run(0.2)
    over = cancel(client, message_id, destination=NONE)
    world.run(0.2)
    assert [client.status_of(one) for one in (first, rest, over)] == [
        *(v.ESME_ROK, v.ESME_ROK, v.ESME_RINVMSGID)
    ]
    assert router.outcomes == [Outcome.REJECTED] * 3
    assert client.status_of(single) == v.ESME_ROK
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"single"]


def test_what_operators_have_of_a_submit_multi_is_asked_of_them_too(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", cancel_sm=True))
    telia, client = router.operator("telia"), router.client()
    message_id, _ = multi(client)
    world.run(1.0)
    assert len(telia.submits) == 3
    asked = cancel(client, message_id, destination=p.address(1, 1, OTHERS[1]))
    world.run(0.2)
    (pdu,) = telia.far.pdus(v.CANCEL_SM)
    assert pdu.octets.endswith(p.address(1, 1, OTHERS[1]))
    again = cancel(client, message_id, destination=NONE)
    world.run(0.2)
    assert len(telia.far.pdus(v.CANCEL_SM)) == 4
    assert client.status_of(asked) == client.status_of(again) == v.ESME_ROK


def test_all_that_waits_of_a_submit_multi_is_replaced(world: World, router: Router) -> None:
    client = router.client()
    message_id, _ = multi(client)
    asked = replace_by(client, message_id)
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_ROK
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"other"] * 3


def test_all_or_nothing_is_not_said_where_the_journal_fails(world: World, router: Router) -> None:
    client = router.client()
    message_id, _ = multi(client)
    router.journal.failing = FULL_DISK
    asked = cancel(client, message_id, destination=NONE)
    world.run(0.5)
    assert client.status_of(asked) == v.ESME_RSYSERR


def test_message_beside_those_that_an_earlier_process_left_is_not_taken_for_one_of_them(
    world: World, contract: Settings
) -> None:
    """The operator is back, and has a message of this process, unlike those that were left."""
    router = Router(world, contract)
    client, _ = waiting(router, 3)
    router.restarted()  # Ends this process.
    again = Router(world, without_operator(contract, "telia"), router.journal)
    (left,) = again.journey.backlog._to_decide
    queue = left.wanted.queue  # Of a journal on disk it has a plan of this process.
    plan = again.journey.plans.of(queue.plan.candidates)
    left.wanted.queue = QueueKey(plan, queue.lane, queue.account)
    again.adopt(contract)
    telia = again.operator("telia", status=None)
    client = again.client()
    number = client.submit(text=b"new")
    while b"new" not in telia.texts():
        world.run(0.01)
    asked = cancel(client, client.id_of(number))
    world.run(0.2)
    assert client.status_of(asked) == v.ESME_RCANCELFAIL
