"""router/accept/server.py, router/smpp/session.py: what a peer gets wrong hurts nobody else.

Each mistake gets its right answer, or a closed connection where the next PDU cannot be found; it
is counted and logged; and a client that does everything right does not notice.
"""

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from router.accept.places import MOST_STRANGERS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import NOTES_LOGGED
from router.terms.names import AccountName
from router.terms.outcome import WRONG_CREDENTIALS, Outcome
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router, World, receipt_text, with_account

SUBMIT = p.sm(
    v.SUBMIT_SM,
    7,
    source=(5, 0, b"BANK"),
    destination=(1, 1, b"37255512345"),
    short_message=b"hello",
    service_type=b"WAP",
    validity_period=b"000001000000000R",
    tlvs=p.tlv(0x1400, b"vendor") + p.tlv(0x0204, b"\x00\x01"),
)


class Bystander:
    """A client that works on while others do wrong, and must not notice."""

    def __init__(self, router: Router, telia: Operator) -> None:
        self.router = router
        self.telia = telia
        self.client = router.client()

    def assert_served(self) -> None:
        """It is bound, is answered at once, and its messages go out."""
        sent = len(self.telia.submits)
        number = self.client.submit(registered_delivery=0)
        self.router.world.run(0.1)
        assert self.client.status_of(number) == v.ESME_ROK
        assert len(self.telia.submits) == sent + 1
        assert not self.client.far.closed


@pytest.fixture
def bystander(router: Router) -> Iterator[Bystander]:
    """Somebody who must not notice; asked at the end of the test."""
    bystander = Bystander(router, router.operator("telia"))
    yield bystander
    bystander.assert_served()


def stranger(router: Router, host: str = "127.0.0.1") -> Client:
    """A connection that has not bound."""
    return Client(router.world, router, host)


def headers(client: Client) -> list[tuple[int, int, int]]:
    """Command, status and sequence_number of all that the router said."""
    return [
        (pdu.command_id, pdu.command_status, pdu.sequence_number) for _, pdu in client.far.received
    ]


# Who may bind.


@pytest.mark.parametrize(
    ("system_id", "password"),
    [
        (b"bank", b"secret02"),
        (b"bank", b""),
        (b"nobody", b"secret01"),
        (b"", b""),
        (b"b\xff", b"x"),
    ],
)
def test_wrong_credentials_are_told_apart_by_nothing(
    world: World, router: Router, bystander: Bystander, system_id: bytes, password: bytes
) -> None:
    client = stranger(router)
    with capture_logs() as logs:
        number = client.bind(system_id, password)
        world.run(1.5)
    assert client.status_of(number) == v.ESME_RINVPASWD
    assert client.answers[number].octets[16:] == b"smpp-router\0"
    assert client.far.closed
    assert router.journey.counters.failed_binds == {"wrong_credentials": 1}
    (line,) = [log for log in logs if log["log_level"] == "warning"]
    assert line["event"] == "client.bind_refused"
    known = "the password is wrong", "no account has this system_id"
    assert line["why"] == known[system_id != b"bank"]
    assert "secret" not in str(logs)


def test_refused_binds_are_counted_of_the_account_whose_name_they_use(
    world: World, router: Router
) -> None:
    for name in (b"bank", b"nobody", b"bank"):
        stranger(router).bind(name, b"wrong")
        world.run(1.5)
    bank = router.accounts.by_name[AccountName("bank")]
    assert bank.binds_refused == 2
    assert bank.last_refused is not None
    assert bank.last_refused[1:] == (WRONG_CREDENTIALS.why, "127.0.0.1")


def test_a_foreign_address_may_not_bind(world: World, router: Router, bystander: Bystander) -> None:
    client = stranger(router, "192.0.2.7")
    number = client.bind()
    world.run(1.5)
    assert client.status_of(number) == v.ESME_RINVPASWD
    assert client.far.closed
    assert router.journey.counters.failed_binds == {"foreign_address": 1}


def test_who_is_refused_may_hang_up_first_and_keeps_its_place_meanwhile(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    number = client.bind(b"bank", b"wrong")
    world.run(1.2)
    assert client.status_of(number) == v.ESME_RINVPASWD
    client.far.send(SUBMIT + p.build(v.ENQUIRE_LINK, 0, 8))
    world.run(0.02)
    assert not client.far.closed
    assert router.accounts.unbound == 1
    client.far.drop()
    world.run(10.0)
    assert len(client.far.received) == 1
    assert router.accounts.unbound == 0


def test_one_bind_too_many_is_refused_until_another_ends(
    world: World, router: Router, bystander: Bystander
) -> None:
    clients = [router.client() for _ in range(3)]  # With the bystander there are four.
    client = stranger(router)
    number = client.bind()
    world.run(1.0)
    assert client.status_of(number) == v.ESME_RBINDFAIL
    assert client.far.closed
    assert router.journey.counters.failed_binds == {"too_many_binds": 1}
    clients[0].far.drop()
    world.run(0.1)
    router.client()


def test_guessing_is_answered_later_and_later(
    world: World, router: Router, bystander: Bystander
) -> None:
    waits = []
    for _ in range(6):
        client = stranger(router)
        number = client.bind(b"bank", b"wrong")
        started_at = world.now
        world.run(5.0)
        waits.append(client.answered_at[number] - started_at)
    assert waits == pytest.approx([0.25, 0.5, 1.0, 1.0, 1.0, 1.0])


def test_who_hangs_up_before_its_refusal_leaves_nothing_behind(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    client.bind(b"bank", b"wrong")
    world.settle()
    client.far.drop()
    world.run(10.0)
    assert client.far.received == []
    assert router.accounts.unbound == 0


def test_a_connection_that_does_not_bind_is_closed(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    world.run(4.9)
    assert not client.far.closed
    world.run(0.2)
    assert client.far.closed
    assert router.journey.counters.failed_binds == {"timed_out": 1}


def test_octets_without_end_are_no_reason_to_wait_longer(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    request = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    for octet in request[:-1]:
        client.far.send(bytes((octet,)))
        world.run(0.2)
    assert client.far.closed


@pytest.mark.parametrize("end", range(16, 16 + len(b"bank\0secret01\0\0\x34\0\0\0") - 3))
def test_a_bind_request_cut_anywhere_is_refused(
    world: World, router: Router, bystander: Bystander, end: int
) -> None:
    request = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    client = stranger(router)
    client.far.send(struct.pack(">I", end) + request[4:end])
    world.run(1.0)
    answer = client.answers.get(1)
    if answer is not None and answer.command_status == 0:  # Only what nobody reads is missing.
        assert end > len(request) - 4
    else:
        assert client.status_of(1) == v.ESME_RINVCMDLEN
        assert client.far.closed
        assert router.journey.counters.failed_binds == {"malformed": 1}


def test_a_bind_request_with_endless_fields_is_refused(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    number = client.bind(b"b" * 65, b"secret01")
    world.run(1.0)
    assert client.status_of(number) == v.ESME_RINVPASWD
    assert client.far.closed


# What stands around a bind.


def test_what_stands_behind_a_bind_request_is_dealt_with_after_it(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    client.far.send(bind + SUBMIT + p.build(v.ENQUIRE_LINK, 0, 8))
    world.run(0.5)
    assert headers(client)[0] == (v.BIND_TRANSCEIVER | v.RESPONSE, 0, 1)
    assert {header[0] for header in headers(client)[1:]} == {
        v.SUBMIT_SM | v.RESPONSE,
        v.ENQUIRE_LINK | v.RESPONSE,
    }
    assert client.status_of(7) == client.status_of(8) == 0


def test_what_stands_behind_a_refused_bind_request_is_forgotten(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"wrong")
    client.far.send(bind + SUBMIT)
    world.run(1.0)
    assert headers(client) == [(v.BIND_TRANSCEIVER | v.RESPONSE, v.ESME_RINVPASWD, 1)]
    assert router.accepted == 0


@pytest.mark.parametrize("behind", [b"", SUBMIT])
def test_bind_and_unbind_in_the_same_octets_are_answered_both(
    world: World, router: Router, bystander: Bystander, behind: bytes
) -> None:
    for _ in range(5):  # More often than there are places: each is given back.
        client = stranger(router)
        bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
        client.far.send(bind + behind + p.build(v.UNBIND, 0, 2))
        world.run(1.0)
        assert client.status_of(1) == client.status_of(2) == v.ESME_ROK
        assert client.far.closed
    assert len(router.accounts.by_name[bystander.client.link.account.name].binds) == 1


@pytest.mark.parametrize("command_id", v.BINDS)
def test_a_second_bind_request_is_already_bound(
    world: World, router: Router, bystander: Bystander, command_id: int
) -> None:
    client = router.client()
    number = client.bind(command_id=command_id)
    world.run(0.5)
    assert client.status_of(number) == v.ESME_RALYBND
    assert not client.far.closed
    later = client.submit(registered_delivery=0)
    world.run(0.5)
    assert client.status_of(later) == v.ESME_ROK


def test_two_bind_requests_in_the_same_octets_are_one_bind(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    one = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    two = p.bind(v.BIND_TRANSMITTER, 2, system_id=b"bank", password=b"secret01")
    client.far.send(one + two)
    world.run(0.5)
    assert (client.status_of(1), client.status_of(2)) == (0, v.ESME_RALYBND)
    assert client.link.bind_type == "transceiver"


def test_submit_before_bind_is_out_of_place(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = stranger(router)
    number = client.submit()
    world.run(0.5)
    assert client.status_of(number) == v.ESME_RINVBNDSTS
    bind = client.bind()
    world.run(0.5)
    assert client.status_of(bind) == v.ESME_ROK
    assert router.accepted == 0


def test_submit_on_a_receiver_is_out_of_place(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = router.client(command_id=v.BIND_RECEIVER)
    with capture_logs() as logs:
        number = client.submit()
        world.run(0.5)
    assert client.status_of(number) == v.ESME_RINVBNDSTS
    assert not client.far.closed
    assert router.journey.counters.refused_pdus == {"pdu.refused": 1}
    assert [log["event"] for log in logs] == ["pdu.refused"]


def test_a_client_may_not_deliver(world: World, router: Router, bystander: Bystander) -> None:
    client = router.client()
    client.far.send(p.sm(v.DELIVER_SM, 5, destination=(1, 1, b"37255512345")))
    world.run(0.5)
    assert client.status_of(5) == v.ESME_RINVBNDSTS
    assert not client.far.closed


# Bodies.


def test_a_submit_cut_anywhere_is_refused_and_the_session_lives(
    world: World, router: Router, bystander: Bystander
) -> None:
    # Before the TLVs, and between them; so many octets as are no TLV do no harm behind that.
    whole = {len(SUBMIT) - left + more for left in (16, 6) for more in range(4)}
    refused = router.journey.counters.refused_pdus
    for end in range(16, len(SUBMIT)):
        client = router.client(command_id=v.BIND_TRANSMITTER)
        with capture_logs() as logs:
            client.far.send(struct.pack(">I", end) + SUBMIT[4:end])
            world.settle()
        status = client.status_of(7)
        if end in whole:
            assert status == v.ESME_ROK
        else:
            assert status in {v.ESME_RINVCMDLEN, v.ESME_RINVMSGLEN, v.ESME_RINVOPTPARSTREAM}
            assert refused.pop("malformed") == 1
            assert [log["event"] for log in logs] == ["pdu.refused"]
        later = client.submit(b"nonsense")
        world.settle()
        assert client.status_of(later) == v.ESME_RINVDSTADR
        assert refused.pop("wrong_destination") == 1
        client.far.drop()
        world.settle()
    world.run(1.0)
    assert router.room_taken() == 0


LONG = b"1" * 30


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (SUBMIT[:-6] + b"\x02\x04\x00\x09\x00\x01", v.ESME_RINVOPTPARSTREAM),
        (SUBMIT[:-6] + b"\x02\x04\xff\xff\x00\x01", v.ESME_RINVOPTPARSTREAM),
        (SUBMIT + b"\x01\x02\x00\x01", v.ESME_RINVOPTPARSTREAM),
        (SUBMIT.replace(b"WAP\0", b"WAPWAPWAP\0"), v.ESME_RINVSERTYP),
        (SUBMIT.replace(b"BANK\0", LONG + b"\0"), v.ESME_RINVSRCADR),
        (SUBMIT.replace(b"37255512345\0", LONG + b"\0"), v.ESME_RINVDSTADR),
        (SUBMIT.replace(b"000001000000000R\0", LONG + b"\0"), v.ESME_RINVEXPIRY),
        (SUBMIT.replace(b"\x05hello", b"\xf0hello"), v.ESME_RINVMSGLEN),
        (SUBMIT[:16], v.ESME_RINVCMDLEN),
    ],
)
def test_a_body_that_cannot_be_read_gets_the_status_that_names_the_fault(
    world: World, router: Router, bystander: Bystander, octets: bytes, status: int
) -> None:
    client = router.client()
    client.far.send(struct.pack(">I", len(octets)) + octets[4:])
    world.run(0.1)
    assert client.status_of(7) == status
    assert not client.far.closed
    assert router.journey.counters.refused_pdus == {"malformed": 1}


@pytest.mark.parametrize("surplus", [b"\0", b"\0\0", b"\0\0\0"])
@pytest.mark.parametrize("schedule", [b"", b"000000000001000R"])
def test_octets_behind_the_last_field_do_not_go_on_to_the_operator(
    world: World, contract: Settings, surplus: bytes, schedule: bytes
) -> None:
    router = Router(world, with_account(contract, "bank", schedule_delivery_time="honour"))
    telia, client = router.operator("telia"), router.client()
    written = p.sm(
        v.SUBMIT_SM,
        7,
        destination=(1, 1, b"37255512345"),
        short_message=b"hello",
        schedule_delivery_time=schedule,
    )
    client.far.send(p.build(v.SUBMIT_SM, 0, 7, written[16:] + surplus))
    world.run(5.0)
    assert client.status_of(7) == v.ESME_ROK
    ((_, pdu),) = telia.submits
    sm = p.Sm(pdu)
    assert (sm.short_message, sm.tlvs_at) == (b"hello", len(pdu.octets))


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"destination": b""}, v.ESME_RINVDSTADR, "wrong_destination"),
        ({"destination": b"TELIA"}, v.ESME_RINVDSTADR, "wrong_destination"),
        ({"destination": b"3725551234+"}, v.ESME_RINVDSTADR, "wrong_destination"),
        ({"destination": b"4670123456"}, v.ESME_RINVDSTADR, "no_route"),
        ({"destination": b"358199912"}, v.ESME_RINVDSTADR, "refused_by_route"),
        ({"validity_period": b"tomorrow"}, v.ESME_RINVEXPIRY, "wrong_validity"),
        ({"validity_period": b"991332000000000+"}, v.ESME_RINVEXPIRY, "wrong_validity"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_by_name(
    world: World,
    router: Router,
    bystander: Bystander,
    fields: dict[str, bytes],
    status: int,
    reason: str,
) -> None:
    client = router.client()
    with capture_logs() as logs:
        number = client.submit(**fields)  # type: ignore[arg-type]
        world.run(0.1)
    assert client.status_of(number) == status
    assert router.journey.counters.refused_pdus == {reason: 1}
    assert router.room_taken() == 0
    told = [log["why"] for log in logs if log["event"] == "pdu.refused"]
    period = fields.get("validity_period")
    assert told == ([] if period is None else [f"no time that can be read: {period.decode()}"])


def test_what_is_refused_takes_no_place_in_the_window(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", window=1))
    client = router.client()
    numbers = [client.submit(b"nonsense") for _ in range(50)]
    numbers += [client.submit(b"4670123456") for _ in range(50)]
    world.run(0.1)
    assert {client.status_of(number) for number in numbers} == {v.ESME_RINVDSTADR}
    assert client.link.admission.held == 0


# Commands.


@pytest.mark.parametrize(
    "command_id",
    [v.BROADCAST_SM, v.QUERY_BROADCAST_SM, v.CANCEL_BROADCAST_SM],
)
def test_a_command_that_is_not_served_is_answered_with_a_generic_nack(
    world: World, router: Router, bystander: Bystander, command_id: int
) -> None:
    client = router.client()
    client.far.send(p.build(command_id, 0, 41, b"1\0\0\0\0"))
    world.run(0.1)
    assert headers(client)[-1] == (v.GENERIC_NACK, v.ESME_RINVCMDID, 41)
    assert not client.far.closed
    assert router.journey.counters.refused_pdus == {"pdu.refused": 1}


@pytest.mark.parametrize("command_id", [0x00000010, 0x000000FF, 0x00010001, 0x7FFFFFFF])
def test_an_unknown_command_is_answered_with_a_generic_nack(
    world: World, router: Router, bystander: Bystander, command_id: int
) -> None:
    client = router.client()
    with capture_logs() as logs:
        client.far.send(p.build(command_id, 0, 0xFFFFFFFF, b"whatever"))
        world.run(0.1)
    assert headers(client)[-1] == (v.GENERIC_NACK, v.ESME_RINVCMDID, 0xFFFFFFFF)
    assert not client.far.closed
    assert router.journey.counters.refused_pdus == {"pdu.unknown": 1}
    assert [log["event"] for log in logs] == ["pdu.unknown"]


@pytest.mark.parametrize("command_id", [v.OUTBIND, v.ALERT_NOTIFICATION])
def test_a_command_without_an_answer_is_only_counted(
    world: World, router: Router, bystander: Bystander, command_id: int
) -> None:
    client = router.client()
    before = len(client.far.received)
    client.far.send(p.build(command_id, 0, 41, b"\0\0\0\0\0\0"))
    world.run(0.1)
    assert len(client.far.received) == before
    assert not client.far.closed
    assert router.journey.counters.refused_pdus == {"pdu.refused": 1}


def test_answers_to_nothing_are_only_counted(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = router.client()
    before = len(client.far.received)
    for command_id in (v.DELIVER_SM, v.SUBMIT_SM, v.DATA_SM, v.UNBIND, v.BIND_TRANSCEIVER, 0x77):
        client.far.send(p.response(command_id, 1, 0, b"\0"))
    client.far.send(p.build(v.GENERIC_NACK, 3, 0))
    world.run(0.1)
    assert len(client.far.received) == before
    assert not client.far.closed
    assert sum(router.journey.counters.refused_pdus.values()) == 7


def test_a_flood_of_nonsense_does_not_fill_the_log(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = router.client()
    with capture_logs() as logs:
        for number in range(500):
            client.far.send(p.build(0x77, 0, number))
            client.far.send(struct.pack(">I", 20) + SUBMIT[4:20])
        world.run(2.0)
    assert len(logs) == NOTES_LOGGED.count
    refused = router.journey.counters.refused_pdus
    assert (refused["pdu.unknown"], refused["malformed"]) == (500, 500)


def test_a_peer_that_is_bound_for_long_is_still_heard(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = router.client()
    with capture_logs() as logs:
        for _ in range(100):
            client.far.send(p.build(0x77, 0, 1))
        world.run(NOTES_LOGGED.per_s)
        client.far.send(p.build(0x77, 0, 1))
        world.run(1.0)
    assert len(logs) == NOTES_LOGGED.count + 1


def test_strangers_that_only_connect_are_turned_away_and_clients_are_not(
    world: World, router: Router
) -> None:
    crowd = [Client(world, router, f"192.0.2.{at}") for at in range(MOST_STRANGERS)]
    crowd += [Client(world, router, f"198.51.100.{at}") for at in range(5)]
    world.run(0.1)
    assert [stranger.far.closed for stranger in crowd] == [False] * MOST_STRANGERS + [True] * 5
    assert router.journey.counters.failed_binds == {"too_many_connections": 5}
    router.client()
    world.run(10.0)  # By then they have not bound in time, and their places are free.
    late = Client(world, router, host="192.0.2.7")
    world.run(0.1)
    assert not late.far.closed


# Framing.


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack(">IIII", 15, v.SUBMIT_SM, 0, 9),
        struct.pack(">IIII", 0, 0, 0, 0),
        struct.pack(">IIII", 70_001, v.SUBMIT_SM, 0, 9),
        struct.pack(">IIII", 0xFFFFFFFF, v.SUBMIT_SM, 0, 9),
        b"GET / HTTP/1.1\r\nHost: router\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 500,
        b"\xff" * 4,
    ],
)
@pytest.mark.parametrize("bound", [True, False])
def test_where_framing_is_lost_the_connection_ends(
    world: World, router: Router, bystander: Bystander, octets: bytes, bound: bool
) -> None:
    client = router.client() if bound else stranger(router)
    with capture_logs() as logs:
        client.far.send(octets)
        world.run(0.1)
    command_id, status, _ = headers(client)[-1]
    assert (command_id, status) == (v.GENERIC_NACK, v.ESME_RINVCMDLEN)
    assert client.far.closed
    assert router.journey.counters.refused_pdus == {"framing.lost": 1}
    assert "framing.lost" in [log["event"] for log in logs]


def test_the_longest_pdu_is_taken(world: World, router: Router, bystander: Bystander) -> None:
    client = router.client()
    number = client.submit(text=b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"x" * 65_535))
    world.run(0.5)
    assert client.status_of(number) == v.ESME_ROK


def test_what_came_before_the_lost_framing_is_still_sent_once(
    world: World, router: Router, bystander: Bystander
) -> None:
    client = router.client()
    client.far.send(SUBMIT + struct.pack(">IIII", 3, 3, 3, 3))
    world.run(1.0)
    assert client.far.closed
    assert len(bystander.telia.submits) == router.accepted


@given(octets=st.lists(st.binary(max_size=60), max_size=6), bound=st.booleans())
def test_no_octets_hurt_anybody_else(contract: Settings, octets: list[bytes], bound: bool) -> None:
    router = Router(World(), contract)
    bystander = Bystander(router, router.operator("telia"))
    client = router.client() if bound else stranger(router)
    for piece in octets:
        client.far.send(piece)
        router.world.run(0.01)
    bystander.assert_served()


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """Some PDUs, some of whose octets are others, with their lengths right."""
    pdus = []
    for _ in range(draw(st.integers(1, 4))):
        octets = bytearray(draw(st.sampled_from(VICTIMS)))
        for _ in range(draw(st.integers(0, 6))):
            octets[draw(st.integers(4, len(octets) - 1))] = draw(st.integers(0, 255))
        end = draw(st.integers(16, len(octets)))
        pdus.append(struct.pack(">I", end) + bytes(octets[4:end]))
    return b"".join(pdus)


VICTIMS = (
    SUBMIT,
    p.sm(v.DELIVER_SM, 3, source=(1, 1, b"372555"), destination=(5, 0, b"BANK"), esm_class=4),
    p.bind(v.BIND_TRANSCEIVER, 4, system_id=b"bank", password=b"secret01"),
    p.response(v.SUBMIT_SM, 2, 0, b"17\0"),
    p.response(v.DELIVER_SM, 1, 0, b"\0"),
    p.build(v.ENQUIRE_LINK, 0, 5),
    p.build(v.GENERIC_NACK, 3, 2),
)


@given(octets=mutilated(), by_operator=st.booleans())
def test_no_mutilated_pdu_hurts_anybody_else(
    contract: Settings, octets: bytes, by_operator: bool
) -> None:
    router = Router(World(), contract)
    bystander = Bystander(router, router.operator("telia"))
    if by_operator:
        silent = router.operator("telia", 1, status=None)
        bystander.client.submit()
        bystander.client.submit()
        router.world.run(0.5)
        silent.far.send(octets)
    else:
        router.client().far.send(octets)
    router.world.run(1.0)
    bystander.assert_served()


# Operators.


@pytest.mark.parametrize("end", [16, 17, 20, 30, 40])
def test_a_deliver_sm_that_cannot_be_read_is_refused_and_the_bind_lives(
    world: World, router: Router, bystander: Bystander, end: int
) -> None:
    octets = p.sm(v.DELIVER_SM, 9, source=(1, 1, b"37255512345"), destination=(5, 0, b"BANK"))
    with capture_logs() as logs:
        bystander.telia.far.send(struct.pack(">I", end) + octets[4:end])
        world.run(0.1)
    assert bystander.telia.answer_to(9) == v.ESME_RINVCMDLEN
    assert not bystander.telia.far.closed
    assert router.journey.counters.refused_pdus == {"malformed": 1}
    assert len(logs) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"service_type": b"smscsim"},
        {"source": (1, 1, b"37255512345" + b" " * 19)},
        {"validity_period": b"0" * 15 + b"R0"},
    ],
)
def test_a_field_of_an_operator_that_is_too_long_costs_nothing(
    world: World, router: Router, fields: dict[str, object]
) -> None:
    telia, client = router.operator("telia"), router.client()
    client.submit(registered_delivery=1)
    world.run(1.0)

    def delivered(number: int, text: bytes, esm_class: int, to: bytes) -> None:
        usual: dict[str, object] = {"source": (1, 1, b"37255512345"), "destination": (3, 0, to)}
        usual |= {"short_message": text, "esm_class": esm_class}
        telia.far.send(p.sm(v.DELIVER_SM, number, **(usual | fields)))  # type: ignore[arg-type]
        world.run(1.0)
        assert telia.answer_to(number) == v.ESME_ROK

    delivered(8, receipt_text(b"1", b"DELIVRD"), 4, b"BANK")
    delivered(9, b"STOP", 0, b"12302")
    assert router.outcomes == [Outcome.DELIVERED]
    inbound = p.Sm(client.receipts[1])  # Not tolerant: its fields are as long as they may be.
    assert (inbound.short_message, inbound.destination) == (b"STOP", (3, 0, b"12302"))
    assert router.journey.counters.fields_cut == {"telia": 2}
    assert router.journey.counters.refused_pdus == {}


@pytest.mark.parametrize("command_id", [v.SUBMIT_SM, v.QUERY_SM, v.BIND_TRANSCEIVER, 0x77])
def test_an_operator_that_asks_what_it_may_not_is_refused(
    world: World, router: Router, bystander: Bystander, command_id: int
) -> None:
    bystander.telia.far.send(p.build(command_id, 0, 9, b"\0" * 40))
    world.run(0.1)
    (_, answer) = bystander.telia.far.received[-1]
    assert answer.command_status in (v.ESME_RINVBNDSTS, v.ESME_RINVCMDID, v.ESME_RALYBND)
    assert answer.sequence_number == 9
    assert not bystander.telia.far.closed


def test_a_bind_to_an_operator_that_loses_its_framing_loses_no_message(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia", status=None), router.operator("telia", 1, status=None)
    client = router.client()
    for _ in range(10):
        client.submit(registered_delivery=0)
    world.run(1.0)
    other.status = lambda _: 0
    for _, pdu in other.submits:
        other.answer(pdu)
    telia.far.send(b"\0\0\0\0garbage")
    world.run(3.0)
    assert telia.far.closed
    assert router.outcomes == [Outcome.SENT] * 10
    router.assert_all_is_over()
