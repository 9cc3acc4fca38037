"""steps/intake.py: one submit_multi is a submit_sm to each of its numbers, and has one answer."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.reading import ALONE_PDUS, LIST_OCTETS, STEP_PDUS, URGENT
from router.terms.limits import Rate
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Client, Router, Threads, World, with_account
from tests.journey.scenes import connected
from tests.journey.test_password_checks import hashed
from tests.peers import data_sm, submit_multi, unsuccess_of

NUMBERS = [b"372555123%02d" % number for number in range(40, 60)]
HASH = hashed(b"secret01")
UNKNOWN = b"4670123456"
"""No route is for it."""
MANY = [b"37255%06d" % number for number in range(254)]


def accepted_of(client: Client, number: int) -> tuple[int | None, bytes, list[tuple[bytes, int]]]:
    """Status and id of a submit_multi_resp, and what was refused."""
    answers = client.far.pdus(v.SUBMIT_MULTI | v.RESPONSE)
    (pdu,) = [one for one in answers if one.sequence_number == number]
    assert client.link.session.owed == 0
    refused = [(address, status) for _, _, address, status in unsuccess_of(pdu)]
    return pdu.command_status, p.message_id_of(pdu), refused


def test_each_number_gets_the_message_octet_for_octet(world: World, router: Router) -> None:
    telia, client = connected(router)
    fields = {
        "service_type": b"OTP",
        "esm_class": 0x40,
        "protocol_id": 0x7F,
        "data_coding": 0xF5,
        "tlvs": p.tlv(0x1400, b"\xff\x00") + p.tlv(0x1400, b""),
    }
    text = b"\x03\xaa\x01\x02\xff\x00"
    number = client.submit_to_all(NUMBERS, text, **fields)  # type: ignore[arg-type]
    world.run(1.0)
    assert accepted_of(client, number)[0] == v.ESME_ROK
    expected = [
        p.relay(
            p.sm(
                v.SUBMIT_SM,
                0,
                source=(5, 0, b"BANK"),
                destination=(1, 1, one),
                short_message=text,
                registered_delivery=1,
                **fields,  # type: ignore[arg-type]
            ),
            0,
        )
        for one in NUMBERS
    ]
    assert [p.relay(pdu.octets, 0) for _, pdu in telia.submits] == expected


def test_all_have_one_id_and_each_number_its_receipt(world: World, router: Router) -> None:
    telia, client = connected(router)
    number = client.submit_to_all(NUMBERS)
    world.run(0.05)
    status, message_id, refused = accepted_of(client, number)
    assert (status, refused) == (v.ESME_ROK, [])
    telia.report_all()
    reported = len(telia.ids)
    world.run(0.01)
    assert len(client.receipts) == reported > 1  # None waits: the client has the id.
    world.run(0.5)
    telia.ids = dict(list(telia.ids.items())[reported:])
    telia.report_all()
    world.run(0.5)
    receipts = [p.Sm(pdu) for pdu in client.receipts]
    assert [sm.source[2] for sm in receipts] == NUMBERS
    assert {sm.tlv(v.RECEIPTED_MESSAGE_ID) for sm in receipts} == {message_id + b"\0"}
    assert router.outcomes == [Outcome.DELIVERED] * len(NUMBERS)
    router.assert_all_is_over()


def test_the_numbers_that_are_refused_are_named_and_the_others_go(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    numbers = [UNKNOWN, NUMBERS[0], b"nonsense", b"friends", NUMBERS[1]]
    number = client.submit_to_all(numbers, flags=b"\1\1\1\2\1", registered_delivery=0)
    world.run(1.0)
    answer = client.answers[number]
    assert answer.command_status == v.ESME_ROK
    assert p.message_id_of(answer)
    assert unsuccess_of(answer) == [
        (1, 1, UNKNOWN, v.ESME_RINVDSTADR),
        (1, 1, b"nonsense", v.ESME_RINVDSTADR),
        (0, 0, b"friends", v.ESME_RINVDLNAME),
    ]
    assert [p.Sm(pdu).destination_addr for _, pdu in telia.submits] == NUMBERS[:2]
    counts = {reason: n for (_, reason), n in router.journey.intake.refusals.counts().items()}
    assert counts == {"no_route": 1, "wrong_destination": 1, "distribution_list": 1}
    assert router.accepted == 2
    router.assert_all_is_over()


def test_where_no_number_is_accepted_the_answer_is_no_success(world: World, router: Router) -> None:
    _, client = connected(router)
    same = client.submit_to_all([UNKNOWN, b"nonsense"])
    other = client.submit_to_all([UNKNOWN, b"friends"], flags=b"\1\2")
    world.run(1.0)
    refused = [(UNKNOWN, v.ESME_RINVDSTADR), (b"nonsense", v.ESME_RINVDSTADR)]
    assert accepted_of(client, same) == (v.ESME_RINVDSTADR, b"", refused)
    refused = [(UNKNOWN, v.ESME_RINVDSTADR), (b"friends", v.ESME_RINVDLNAME)]
    assert accepted_of(client, other) == (v.ESME_RSUBMITFAIL, b"", refused)
    assert router.room_taken() == 0


def test_a_number_that_stands_in_the_list_twice_gets_two_messages(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    client.submit_to_all([NUMBERS[0], NUMBERS[0]], registered_delivery=0)
    world.run(1.0)
    assert len(telia.submits) == 2
    router.assert_all_is_over()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (submit_multi(7, [], count=0), v.ESME_RINVNUMDESTS),
        (submit_multi(7, NUMBERS, count=255), v.ESME_RINVNUMDESTS),
        (submit_multi(7, NUMBERS[:2], count=3), v.ESME_RINVDESTFLAG),
        (submit_multi(7, NUMBERS[:2], flags=b"\1\3"), v.ESME_RINVDESTFLAG),
        (submit_multi(7, [b"3" * 21]), v.ESME_RINVDSTADR),
        (submit_multi(7, [b"l" * 21], flags=b"\2"), v.ESME_RINVDLNAME),
        (submit_multi(7, NUMBERS[:2], service_type=b"TOOLONG"), v.ESME_RINVSERTYP),
        (submit_multi(7, NUMBERS[:2], validity_period=b"0" * 17), v.ESME_RINVEXPIRY),
        (submit_multi(7, NUMBERS[:2], tlvs=b"\x14\0\0\x09x"), 0xC0),
        (p.build(v.SUBMIT_MULTI, 0, 7), v.ESME_RINVCMDLEN),
        (p.build(v.SUBMIT_MULTI, 0, 7, b"\0\0\0\0"), v.ESME_RINVCMDLEN),
        (p.build(v.SUBMIT_MULTI, 0, 7, b"\0\0\0\0\2\1\1\0013\0"), v.ESME_RINVCMDLEN),
        (p.build(v.SUBMIT_MULTI, 0, 7, b"\0\0\0\0\1\1\1\0013\0"), v.ESME_RINVCMDLEN),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_wrong(
    world: World, router: Router, octets: bytes, status: int
) -> None:
    _, client = connected(router)
    client.far.send(octets)
    world.run(0.1)
    assert accepted_of(client, 7) == (status, b"", [])
    assert client.answers[7].octets[16:] == b"\0\0"
    assert router.journey.counters.refused_pdus == {"malformed": 1}
    assert router.room_taken() == 0
    later = client.submit()
    world.run(0.1)
    assert client.status_of(later) == v.ESME_ROK


def test_a_version_5_0_client_may_name_one_number_more(world: World, router: Router) -> None:
    client = router.client(version=v.VERSION_5_0)
    number = client.submit_to_all([*MANY, NUMBERS[0]])
    world.run(1.0)
    assert accepted_of(client, number)[0] == v.ESME_ROK
    assert router.room_taken() == 255


def test_a_version_3_3_client_is_served(world: World, router: Router) -> None:
    client = router.client(version=v.VERSION_3_3)
    number = client.submit_to_all(NUMBERS[:2])
    world.run(1.0)
    assert accepted_of(client, number)[0] == v.ESME_ROK
    assert len(client.answers[number].octets) == 16 + len(client.id_of(number)) + 2


# Admission.


def test_each_number_counts_against_the_rate(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", rate=Rate(10, 1.0), burst=5))
    client = router.client()
    since = world.now
    number = client.submit_to_all(MANY)
    world.run(2.0)
    status, message_id, refused = accepted_of(client, number)
    assert (status, bool(message_id)) == (v.ESME_ROK, True)
    assert router.accepted == router.room_taken() == 15  # The burst, and those of a second.
    assert refused == [(one, v.ESME_RTHROTTLED) for one in MANY[15:]]
    assert client.answered_at[number] - since == pytest.approx(1.0, abs=0.01)
    # Nothing of it is lost for ever: what was refused may be sent again.
    again = client.submit_to_all([one for one, _ in refused])
    world.run(2.0)
    assert accepted_of(client, again)[0] == v.ESME_ROK
    assert 25 <= router.accepted <= 35


def test_more_numbers_than_the_window_are_taken_in_turn(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", window=10))
    client = router.client()
    number = client.submit_to_all(MANY)
    world.run(1.0)
    assert accepted_of(client, number)[::2] == (v.ESME_ROK, [])
    assert router.accepted == 254
    assert client.link.admission._unanswered == 0


def test_numbers_for_which_there_is_no_room_are_refused(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", queue=3))
    client = router.client()
    number = client.submit_to_all(NUMBERS)
    world.run(2.0)
    status, _, refused = accepted_of(client, number)
    assert status == v.ESME_ROK
    assert refused == [(one, v.ESME_RMSGQFUL) for one in NUMBERS[3:]]
    assert router.room_taken() == 3


def test_what_comes_behind_it_is_dealt_with_behind_it(world: World, router: Router) -> None:
    client = router.client()
    numbers = [client.submit(), client.submit_to_all(MANY), client.submit_to_all(MANY)]
    client.far.send(data_sm(77, source=(5, 0, b"BANK"), destination=(1, 1, NUMBERS[0])))
    numbers += [77, client.submit()]
    world.run(2.0)
    assert list(client.answers)[1:] == numbers
    assert {client.status_of(number) for number in numbers} == {v.ESME_ROK}


class Watcher:
    """Another connection in the line: sees how much was taken between its own turns."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._before = 0
        self.taken: list[int] = []
        self.rank = URGENT  # As that of the bank.
        self.owner = "another"

    def give_up(self) -> bool:
        return True

    def read_on(self) -> bool:
        now = self._router.room_taken()
        self.taken.append(now - self._before)
        self._before = now
        return any(self.taken[-3:])  # The turn in which a list is read takes nothing in.


def test_others_do_not_wait_for_a_client_with_very_many_numbers(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", window=10_000, rate=None))
    flood, other = router.client(), router.client()
    flood.link.data_received(b"".join(submit_multi(number, MANY) for number in range(2, 12)))
    at_once = router.room_taken()
    assert at_once <= ALONE_PDUS
    watcher = Watcher(router)
    watcher.read_on()
    router.reading.wait(watcher)
    number = other.submit()
    world.settle()
    assert other.status_of(number) == v.ESME_ROK
    world.run(1.0)
    assert len(watcher.taken) > (2540 - at_once) // STEP_PDUS
    assert max(watcher.taken[1:]) <= STEP_PDUS + 1  # And the other one's.
    assert [flood.status_of(number) for number in range(2, 12)] == [v.ESME_ROK] * 10


def test_numbers_that_were_not_dealt_with_are_forgotten_with_the_session(
    world: World, router: Router
) -> None:
    client = router.client()
    client.link.data_received(b"".join(submit_multi(number, MANY) for number in range(2, 7)))
    assert client.link.has_put_off
    dealt_with = router.room_taken() + client.link.admission.held
    client.far.drop()
    assert not client.link.has_put_off
    world.run(2.0)
    assert router.room_taken() == router.accepted <= dealt_with < 5 * 254


# The journal.


def test_the_answer_waits_until_the_journal_has_all(world: World, router: Router) -> None:
    client = router.client()
    router.disk.is_stuck = True
    number = client.submit_to_all(NUMBERS)
    world.run(0.5)
    assert client.status_of(number) is None
    router.disk.go_on()
    world.run(0.5)
    assert client.status_of(number) == v.ESME_ROK


def test_what_the_journal_does_not_take_is_refused(world: World, router: Router) -> None:
    client = router.client()
    router.journal.failing = FULL_DISK
    number = client.submit_to_all(NUMBERS)
    world.run(0.5)
    refused = [(one, v.ESME_RSYSERR) for one in NUMBERS]
    assert accepted_of(client, number) == (v.ESME_RSYSERR, b"", refused)
    assert router.room_taken() == 0


def test_lists_that_cannot_be_read_cost_what_reading_them_takes(
    world: World, router: Router
) -> None:
    client = router.client()
    octets = submit_multi(7, MANY, flags=b"\1" * 253 + b"\3")
    client.link.data_received(octets * 200)
    at_once = router.journey.counters.refused_pdus["malformed"]
    assert 0 < at_once <= ALONE_PDUS // (len(octets) // LIST_OCTETS)
    world.run(10.0)
    assert router.journey.counters.refused_pdus["malformed"] == 200
    assert router.journey.counters.refused_pdus["peer.slowed"]


def test_what_the_journal_took_before_it_failed_is_accepted(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", window=5))
    router.disk.delay_s = 0.01
    client = router.client()
    number = client.submit_to_all(NUMBERS[:10])
    world.run(0.015)  # The first five are kept; the others are on their way.
    assert router.accepted == 5
    router.journal.failing = FULL_DISK
    world.run(0.1)
    status, message_id, refused = accepted_of(client, number)
    assert (status, bool(message_id)) == (v.ESME_ROK, True)
    assert refused == [(one, v.ESME_RSYSERR) for one in NUMBERS[5:10]]
    assert router.room_taken() == 5


@pytest.mark.parametrize("command_id", [v.BIND_TRANSCEIVER, v.BIND_TRANSMITTER])
def test_no_receipt_comes_before_the_answer_that_brings_its_id(
    world: World, contract: Settings, command_id: int
) -> None:
    router = Router(world, with_account(contract, "bank", rate=Rate(10, 1.0), burst=5))
    telia = router.operator("telia")
    client, other = router.client(command_id=command_id), router.client()
    number = client.submit_to_all(MANY[:12])
    world.run(0.2)
    telia.report_all()
    reported = len(telia.ids)
    world.run(0.3)
    assert router.accepted > 5
    assert client.status_of(number) is None  # The last of them has no token yet.
    assert client.receipts + other.receipts == []
    world.run(3.0)
    assert client.status_of(number) == v.ESME_ROK
    came = client.receipts_at + other.receipts_at
    assert len(came) == reported >= 5
    waits = 1.0 if command_id == v.BIND_TRANSMITTER else 0.0
    assert min(came) >= client.answered_at[number] + waits - 0.01


def test_it_is_served_behind_a_bind_whose_password_takes_a_while(
    world: World, contract: Settings
) -> None:
    settings = with_account(contract, "bank", passwords=(HASH,))
    router, threads = Router(world, settings), Threads(world)
    threads.compute_for(router)
    client = Client(world, router)
    octets = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    number, later = 2, 3
    octets += submit_multi(number, MANY)
    octets += data_sm(later, source=(5, 0, b"BANK"), destination=(1, 1, NUMBERS[0]))
    client.far.send(octets)  # All in one segment: nothing more comes that would be read on for.
    world.run(0.1)
    assert client.answers == {}
    threads.finish_one()
    world.run(1.0)
    assert client.status_of(number) == client.status_of(later) == v.ESME_ROK
    assert list(client.answers) == [1, number, later]


def test_a_client_that_unbinds_behind_it_hears_of_it_first(world: World, router: Router) -> None:
    client = router.client()
    number = client.far.next_sequence()
    client.far.send(
        submit_multi(number, MANY, registered_delivery=0) + p.build(v.UNBIND, 0, number + 1)
    )
    world.run(1.0)
    assert list(client.answers)[1:] == [number, number + 1]
    assert client.status_of(number) == v.ESME_ROK
    assert router.room_taken() == 254


def test_its_messages_survive_a_restart(world: World, router: Router) -> None:
    client = router.client()
    number = client.submit_to_all(NUMBERS)
    world.run(0.5)
    message_id = client.id_of(number)
    again = router.restarted()
    telia, client = connected(again)
    world.run(2.0)
    telia.report_all()
    world.run(2.0)
    receipts = [p.Sm(pdu) for pdu in client.receipts]
    assert sorted(sm.source[2] for sm in receipts) == NUMBERS
    assert {sm.tlv(v.RECEIPTED_MESSAGE_ID) for sm in receipts} == {message_id + b"\0"}


def test_parts_of_a_long_message_stay_together_for_each_number(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    for part in (1, 2):
        text = b"\x05\x00\x03\x07\x02" + bytes((part,)) + b"hello"
        client.submit_to_all(NUMBERS[:3], text, registered_delivery=0, esm_class=0x40)
    world.run(1.0)
    assert len(telia.submits) == 6
    groups = list(router.journey.intake._long_messages.groups())
    assert len(groups) == 3
    assert all(len(group.came) == 2 for group in groups)
