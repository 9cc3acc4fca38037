"""A listener that asks clients for certificates, and accounts that need one of a certain name."""

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, authority, self_signed, signed
from benchmarks.processes import until
from router.smpp import vocabulary as v
from tests.e2e.scene import (
    Peer,
    changed,
    configuration,
    smpp_router,
    until_logged,
    written,
)

PLAIN: Final = 'listen: [{address: "127.0.0.1:0"}]'
TLS: Final = "tls: {certificate: server.crt, key: server.key, client_ca: clients.ca.crt"
ASKING: Final = f"""\
listen:
  - {{address: "127.0.0.1:0", {TLS}}}}}
  - {{address: "127.0.0.1:0", {TLS}, client_certificate: optional}}}}"""
REQUIRED, OPTIONAL = 0, 1

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make certificates")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of the router, of its clients, and of a stranger's authority."""
    here = tmp_path_factory.mktemp("certificates")
    self_signed(here)
    ours = authority(here)
    signed(ours, "bank", "bank.example")
    signed(ours, "uri", "whoever", "DNS:other.example,URI:urn:smpp:bank")
    signed(ours, "shop", "shop.example", "DNS:bank.example.org")
    signed(authority(here, "strangers"), "stranger", "bank.example")
    return here


def text() -> str:
    """A configuration in which the bank needs a certificate and the shop needs none."""
    return configuration(
        1,
        (PLAIN, ASKING),
        ("bank: {password", "bank: {certificate: [bank.example, 'urn:smpp:bank'], password"),
    )


@pytest.fixture(scope="module")
def router(shared: ExitStack, folder: Path) -> stand.Router:
    return stand.router(shared, text(), folder)


def shows(folder: Path, name: str = "") -> ssl.SSLContext:
    """The context of a client with this certificate, or with none."""
    context = ssl.create_default_context(cafile=folder / "server.crt")
    if name:
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    return context


def bind(router: stand.Router, folder: Path, listener: int, name: str, account: str) -> int:
    """The status that a bind with the right password is answered."""
    with Peer(router.ports[listener], shows(folder, name)) as client:
        return client.bind(account).command_status


@pytest.mark.parametrize("name", ["bank", "uri"])
@pytest.mark.parametrize("listener", [REQUIRED, OPTIONAL])
def test_account_binds_with_a_certificate_of_one_of_its_names(
    router: stand.Router, folder: Path, listener: int, name: str
) -> None:
    assert bind(router, folder, listener, name, "bank") == v.ESME_ROK


@pytest.mark.parametrize(
    ("listener", "name", "why"),
    [
        (REQUIRED, "shop", "the certificate has none of the names of the account"),
        (OPTIONAL, "shop", "the certificate has none of the names of the account"),
        (OPTIONAL, "", "no certificate was shown"),
    ],
)
def test_right_password_without_the_certificate_is_refused_as_a_wrong_one(
    router: stand.Router, folder: Path, listener: int, name: str, why: str
) -> None:
    before = router.samples().sum("failed_binds_total", reason="wrong_certificate")
    assert bind(router, folder, listener, name, "bank") == v.ESME_RINVPASWD
    assert router.samples().sum("failed_binds_total", reason="wrong_certificate") == before + 1
    until_logged(router.child, "client.bind_refused", reason="wrong_certificate", why=why)


@pytest.mark.parametrize(
    ("listener", "name"), [(REQUIRED, "bank"), (OPTIONAL, "shop"), (OPTIONAL, "")]
)
def test_account_without_a_name_binds_with_any_certificate_or_where_none_is_needed(
    router: stand.Router, folder: Path, listener: int, name: str
) -> None:
    assert bind(router, folder, listener, name, "shop") == v.ESME_ROK


@pytest.mark.parametrize(
    ("listener", "name", "error"),
    [
        (REQUIRED, "", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (REQUIRED, "stranger", "CERTIFICATE_VERIFY_FAILED"),
        (OPTIONAL, "stranger", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_client_without_a_good_certificate_does_not_get_through_the_handshake(
    router: stand.Router, folder: Path, listener: int, name: str, error: str
) -> None:
    before = router.samples().sum("failed_binds_total", reason="tls")
    # With TLS 1.3 a client hears of it only when it reads.
    with (
        pytest.raises((ssl.SSLError, ConnectionError, AssertionError)),
        Peer(router.ports[listener], shows(folder, name)) as client,
    ):
        client.bind("shop")
    until(
        "it is counted",
        lambda: router.samples().sum("failed_binds_total", reason="tls") == before + 1,
    )
    until_logged(router.child, "client.not_secured", error=error, client="127.0.0.1:")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("offered", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_nothing_older_than_tls_1_2_is_spoken(
    router: stand.Router, folder: Path, offered: ssl.TLSVersion
) -> None:
    context = shows(folder, "bank")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = offered
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # Else the client itself would not offer 1.1.
    if offered is ssl.TLSVersion.TLSv1_2:
        with Peer(router.ports[REQUIRED], context) as client:
            assert client.bind("bank").command_status == v.ESME_ROK
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Peer(router.ports[REQUIRED], context)
        until_logged(router.child, "client.not_secured", error="UNSUPPORTED_PROTOCOL")


def test_another_authority_and_another_rule_are_followed_and_sessions_go_on(
    stack: ExitStack, folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    router = stand.router(stack, text(), tmp_path)
    context = shows(tmp_path, "bank")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Whose sessions are resumed by an id.
    with Peer(router.ports[REQUIRED], context) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
        assert isinstance(client.socket, ssl.SSLSocket)
        earlier = client.socket.session
        (tmp_path / "clients.ca.crt").write_bytes((tmp_path / "strangers.ca.crt").read_bytes())
        done = smpp_router("reload", "--url", f"http://{router.control}")
        assert f"file {tmp_path}/clients.ca.crt: changed" in done.stdout
        assert bind(router, tmp_path, REQUIRED, "stranger", "bank") == v.ESME_ROK
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Peer(router.ports[REQUIRED], context)
        # What the earlier authority has vouched for is not resumed either.
        again = context.wrap_socket(
            socket.create_connection(("127.0.0.1", router.ports[REQUIRED])),
            server_hostname="localhost",
            do_handshake_on_connect=False,
            session=earlier,
        )
        with again, pytest.raises((ssl.SSLError, ConnectionError)):
            again.do_handshake()
        assert client.submit("37255500001").command_status == v.ESME_ROK

    (tmp_path / "strangers.ca.crt").unlink()
    (tmp_path / "clients.ca.crt").write_text("no certificate")
    done = smpp_router("reload", "--url", f"http://{router.control}")
    assert done.returncode == 1
    assert "has no certificate of an authority" in done.stdout
    assert bind(router, tmp_path, REQUIRED, "stranger", "bank") == v.ESME_ROK

    (tmp_path / "clients.ca.crt").write_bytes((folder / "clients.ca.crt").read_bytes())
    optional = ("clients.ca.crt}", "clients.ca.crt, client_certificate: optional}")
    written(tmp_path, changed(text(), optional))
    done = smpp_router("reload", "--url", f"http://{router.control}")
    assert done.returncode == 0, done.stderr
    assert bind(router, tmp_path, REQUIRED, "", "shop") == v.ESME_ROK


def test_account_that_no_listener_asks_for_a_certificate_is_warned_of(tmp_path: Path) -> None:
    path = written(tmp_path, changed(text(), (ASKING, PLAIN)))
    done = smpp_router("check", str(path))
    assert "accounts.bank.certificate: no listener has a client_ca" in done.stdout + done.stderr


def test_rule_for_certificates_without_an_authority_is_a_mistake(
    tmp_path: Path, folder: Path
) -> None:
    tls = "tls: {certificate: FILE, key: FILE, client_certificate: optional}"
    plain = f'listen: [{{address: "127.0.0.1:0", {tls}}}]'
    path = written(
        tmp_path, configuration(1, (PLAIN, plain.replace("FILE", str(folder / "server.crt"))))
    )
    done = smpp_router("check", str(path))
    assert done.returncode == 1
    assert "listen[0].tls.client_certificate: says nothing without client_ca" in done.stdout
