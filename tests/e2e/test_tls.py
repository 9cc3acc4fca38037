"""A listener with a certificate speaks TLS, and only TLS; the one beside it does not."""

import ssl
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import until
from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.link import NOTES_LOGGED
from router.terms.certificate import expires_utc
from tests.e2e.scene import Peer, configuration, free_port, smpp_router, written

PLAIN = 'listen: [{address: "127.0.0.1:0"}]'
BOTH = """\
listen:
  - {address: "127.0.0.1:0", tls: {certificate: server.crt, key: server.key}}
  - {address: "127.0.0.1:0"}"""

STRANGERS = 50
MOST_READ_OCTETS = 50_000_000
"""Far beyond what systems hold on the way: as much is not taken of whom nobody reads."""

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody else has signed; its key is beside it."""
    return self_signed(tmp_path_factory.mktemp("router"))


@pytest.fixture(scope="module")
def router(shared: ExitStack, certificate: Path) -> stand.Router:
    operator = stand.operator(shared, "--receipt-delay", "10ms")
    # Paths of a configuration are relative to its file.
    text = configuration(operator.port, (PLAIN, BOTH))
    router = stand.router(shared, text, certificate.parent)
    router.until_bound(3)
    return router


def test_client_binds_submits_and_gets_its_receipt_over_tls(
    router: stand.Router, certificate: Path
) -> None:
    with Peer(router.ports[0], ssl.create_default_context(cafile=certificate)) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.version() in ("TLSv1.2", "TLSv1.3")
        assert client.bind("bank").command_status == v.ESME_ROK
        answer = client.submit("37255500001", registered_delivery=1)
        assert answer.command_status == v.ESME_ROK

        receipt = r.recognise(client.hears_all(1)[0])

    assert receipt is not None
    assert receipt.state is r.State.DELIVERED


def test_metric_says_when_the_certificate_expires(router: stand.Router, certificate: Path) -> None:
    assert router.samples().by("use", "certificate_expires_utc") == {
        "listen[0].tls": expires_utc(certificate.read_bytes())
    }


def test_client_without_tls_is_not_understood_there(router: stand.Router) -> None:
    with Peer(router.ports[0]) as client:
        client.request(v.ENQUIRE_LINK)

        assert client.is_closed() == []


def test_strangers_to_tls_are_counted_told_and_forgotten(
    stack: ExitStack, certificate: Path
) -> None:
    text = configuration(free_port(stack), (PLAIN, BOTH))
    router = stand.router(stack, text, certificate.parent)
    with Peer(router.ports[0], ssl.create_default_context(cafile=certificate)) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
    for _ in range(STRANGERS):
        with Peer(router.ports[0]) as stranger:
            stranger.send(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.is_closed() == []

    assert router.samples().sum("failed_binds_total", reason="tls") == STRANGERS
    told = router.child.events("client.not_secured")
    assert [line["error"] for line in told] == ["HTTP_REQUEST"] * NOTES_LOGGED.count

    with Peer(router.ports[0]) as silent:
        assert silent.is_closed() == []  # After bind_timeout, as without TLS.

    assert router.child.stop() == 0
    assert router.child.event("router.draining")["clients"] == 0


def test_connections_without_a_handshake_give_way_to_the_next_of_their_address(
    stack: ExitStack, certificate: Path
) -> None:
    few = ("session: {", "session: {unbound_per_address: 2, ")
    text = configuration(free_port(stack), (PLAIN, BOTH), few)
    router = stand.router(stack, text, certificate.parent)
    silent = [stack.enter_context(Peer(router.ports[0])) for _ in range(5)]
    with Peer(router.ports[0], ssl.create_default_context(cafile=certificate)) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
    for one in silent:
        assert one.is_closed() == []
    # A connection is closed a moment before that is counted.
    counted = {"too_many_connections": 4, "timed_out": 1}
    until("it is counted", lambda: router.samples().by("reason", "failed_binds_total") == counted)


def test_stranger_to_the_certificate_does_not_connect(router: stand.Router) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Peer(router.ports[0], ssl.create_default_context())


def test_listener_without_a_certificate_speaks_plainly(router: stand.Router) -> None:
    with Peer(router.ports[1]) as client:
        assert client.bind("bank").command_status == v.ESME_ROK


def test_certificate_that_is_not_there_is_a_mistake_with_its_place(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, configuration(1, (PLAIN, BOTH)))

    ended = smpp_router("run", str(path))

    assert ended.returncode == 1
    assert f"{path}:2:" in ended.stderr
    assert "listen[0].tls.certificate: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("listener", [0, 1], ids=["TLS", "plain"])
def test_client_that_floods_and_dies_is_gone_before_all_it_has_sent_is_paid(
    router: stand.Router, certificate: Path, listener: int
) -> None:
    unasked = p.response(v.SUBMIT_SM, 7, body=b"1\0") * 1000
    tls = None if listener else ssl.create_default_context(cafile=certificate)
    with Peer(router.ports[listener], tls) as client:
        assert client.bind("shop").command_status == v.ESME_ROK
        client.socket.settimeout(0.2)
        with suppress(TimeoutError):  # Until it is not read any more.
            while True:
                client.send(unasked)

    until("it is gone", lambda: router.samples().sum("client_binds", account="shop") == 0)


def test_stranger_that_floods_over_tls_is_cut_off_and_not_read_to_its_end(
    router: stand.Router, certificate: Path
) -> None:
    enquiries = p.build(v.ENQUIRE_LINK, 0, 7) * 1000
    before = router.samples().sum("failed_binds_total", reason="flooded")
    sent = 0
    stranger = Peer(router.ports[0], ssl.create_default_context(cafile=certificate))
    with stranger, suppress(OSError):  # Until it is cut off.
        while sent < MOST_READ_OCTETS:
            stranger.send(enquiries)
            sent += len(enquiries)
    assert sent < MOST_READ_OCTETS
    assert router.samples().sum("failed_binds_total", reason="flooded") == before + 1
