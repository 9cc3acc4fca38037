"""Whatever strangers say, or do not say, harms nobody else: a campaign runs meanwhile.

Each test is one kind of stranger; the campaign begins before the first of them and must be whole
after the last.
"""

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks import stand
from benchmarks.processes import Child, until
from benchmarks.stand import Router
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.session import MOST_BEFORE_BIND
from tests.e2e.scene import Peer, configuration

BINDS = 3
MESSAGES = 1200
CONNECTIONS = 3000
CROWD = 400
"""Well under the open files that a process may have by default, 1,024."""
LARGEST_GROWTH_BYTES = 60_000_000
"""For three thousand connections that came and went, and the campaign itself."""


@pytest.fixture(scope="module")
def router(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Router:
    operator = stand.operator(shared, "--latency", "5ms", "--receipt-delay", "10ms..500ms")
    folder = tmp_path_factory.mktemp("router")
    router = stand.router(shared, configuration(operator.port), folder)
    router.until_bound(BINDS)
    return router


@pytest.fixture(scope="module", autouse=True)
def campaign(shared: ExitStack, router: Router) -> Child:
    client = stand.client(
        shared,
        router.port,
        *("--binds", "2", "--rate", "200/s", "--count", str(MESSAGES)),
        system_id="bank",
    )
    until("the campaign runs", lambda: router.samples().sum("submits_total") > 0)
    return client


@pytest.fixture
def stranger(router: Router) -> Iterator[Peer]:
    with Peer(router.port) as peer:
        yield peer


@pytest.fixture(scope="module")
def resident_bytes(router: Router) -> int:
    return router.child.resident_bytes()


def refused(router: Router, reason: str) -> float:
    """What peers sent that could not be taken, by reason."""
    return router.samples().sum("refused_pdus_total", reason=reason)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: router\r\n\r\n", id="another protocol"),
        pytest.param(struct.pack(">IIII", 15, v.SUBMIT_SM, 0, 1), id="a length of 15"),
        pytest.param(struct.pack(">IIII", 2**31, v.SUBMIT_SM, 0, 1), id="a length of 2 GiB"),
        pytest.param(struct.pack(">I", 2**32 - 1), id="a length of 4 GiB and no more"),
        pytest.param(random.Random(7).randbytes(100_000), id="noise"),
    ],
)
def test_what_is_no_smpp_ends_its_own_connection(
    octets: bytes, router: Router, stranger: Peer
) -> None:
    before = refused(router, "framing.lost")

    stranger.send(octets)

    said = stranger.is_closed()
    assert [pdu.command_id for pdu in said] in ([], [v.GENERIC_NACK])
    assert refused(router, "framing.lost") == before + 1


def test_slow_octets_are_put_together(stranger: Peer) -> None:
    octets = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"shop", password=b"secret01")
    octets += p.build(v.ENQUIRE_LINK, 0, 2)
    for octet in octets:
        stranger.send(bytes((octet,)))

    assert stranger.hears(v.BIND_TRANSCEIVER | v.RESPONSE).command_status == v.ESME_ROK
    assert stranger.hears(v.ENQUIRE_LINK | v.RESPONSE).sequence_number == 2


def test_silence_and_half_a_bind_are_ended_by_the_bind_timeout(router: Router) -> None:
    before = router.samples().sum("failed_binds_total", reason="timed_out")
    with Peer(router.port) as silent, Peer(router.port) as half:
        half.send(p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"shop", password=b"secret01")[:-1])

        assert silent.is_closed() == []
        assert half.is_closed() == []

    assert router.samples().sum("failed_binds_total", reason="timed_out") == before + 2


def test_bound_client_that_talks_nonsense_is_answered_and_stays(stranger: Peer) -> None:
    assert stranger.bind("shop").command_status == v.ESME_ROK

    stranger.request(0x0000_4242)
    assert stranger.hears(v.GENERIC_NACK).command_status == v.ESME_RINVCMDID
    stranger.request(v.SUBMIT_SM, b"\0\0")
    assert stranger.hears(v.SUBMIT_SM_RESP).command_status == v.ESME_RINVCMDLEN
    stranger.request(v.SUBMIT_SM, b"x" * 60_000)
    assert stranger.hears(v.SUBMIT_SM_RESP).command_status == v.ESME_RINVSERTYP
    stranger.send(p.response(v.DELIVER_SM, 99, 0, b"\0"))  # To nothing.
    stranger.request(v.DELIVER_SM, b"\0" * 20)  # Not for a client to say.

    assert stranger.submit("37255500001").command_status == v.ESME_ROK


def test_submits_that_are_not_bound_are_refused_and_after_a_few_the_connection_ends(
    router: Router, stranger: Peer
) -> None:
    stranger.send(b"".join(p.build(v.SUBMIT_SM, 0, n, b"\0" * 20) for n in range(1, 501)))

    for _ in range(MOST_BEFORE_BIND):
        assert stranger.hears(v.SUBMIT_SM_RESP).command_status == v.ESME_RINVBNDSTS
    until("cut off", lambda: router.samples().sum("failed_binds_total", reason="flooded") == 1)


def test_guessed_passwords_are_refused_and_counted(router: Router) -> None:
    before = router.samples().sum("failed_binds_total", reason="wrong_credentials")
    with ExitStack() as stack:
        guessers = [stack.enter_context(Peer(router.port)) for _ in range(3)]
        for guesser in guessers:
            guesser.send(p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"nobody", password=b"x"))
        for guesser in guessers:
            answer = guesser.hears(v.BIND_TRANSCEIVER | v.RESPONSE)
            assert answer.command_status == v.ESME_RINVPASWD

    now = router.samples().sum("failed_binds_total", reason="wrong_credentials")
    assert now == before + 3


def test_thousands_of_connections_that_come_and_go_leave_nothing(
    router: Router, resident_bytes: int
) -> None:
    for number in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", router.port)) as one:
            if number % 3 == 0:
                one.send(b"\0\0\0")
            if number % 2:
                # Without a word, as one whose process was killed.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Peer(router.port) as peer:
        assert peer.bind("shop").command_status == v.ESME_ROK
    assert router.child.resident_bytes() - resident_bytes < LARGEST_GROWTH_BYTES
    assert not [line for line in router.child.lines if "Traceback" in line]


def test_crowd_that_only_connects_does_not_keep_clients_out(router: Router) -> None:
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(socket.create_connection(("127.0.0.1", router.port)))

        with Peer(router.port) as peer:
            assert peer.bind("shop").command_status == v.ESME_ROK


def test_campaign_is_unharmed(router: Router, campaign: Child) -> None:
    totals = stand.totals_of(campaign)

    stand.well(campaign, totals)
    assert totals["accepted"] == totals["receipted"] == MESSAGES
    assert totals["duplicates"] == 0
    until("nobody is left", lambda: router.samples().sum("client_binds") == 0)


def test_router_remembers_none_of_them(router: Router) -> None:
    assert router.child.stop() == 0

    assert router.child.event("router.draining")["clients"] == 0
    assert not router.child.events("router.left_behind")
