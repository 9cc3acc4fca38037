"""The keys that say who may in: certificates of clients, proxies, failed binds, places."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from router.settings.load import warnings
from router.terms.names import AccountName
from router.terms.settings import FailedBindsSettings, Settings
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes

LISTEN = '"127.0.0.1:0"'
TLS = f"{LISTEN}, tls: {{certificate: a.pem, key: a.pem"


def listening(more: str, folder: Path | None = None) -> Settings:
    return loaded(changed(SMALL, (LISTEN, f"{LISTEN}{more}")), folder=folder)


def session(written: str) -> Settings:
    return loaded(f"session: {{{written}}}\n{SMALL}")


def test_proxies_are_networks_or_addresses() -> None:
    proxy = listening(", proxy: {from: [10.0.0.5, '2001:db8::/64']}").listen[0].proxy
    assert proxy is not None
    assert proxy.proxies == (ip_network("10.0.0.5/32"), ip_network("2001:db8::/64"))


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", ()),
        ("certificate: bank.example,", ("bank.example",)),
        ("certificate: [a b, 'urn:x:1'],", ("a b", "urn:x:1")),
    ],
)
def test_account_has_the_names_of_its_certificate(written: str, names: tuple[str, ...]) -> None:
    settings = loaded(changed(SMALL, ("{password", f"{{{written} password")))
    assert settings.accounts[AccountName("bank")].certificates == names


def test_certificate_of_clients_is_required_where_an_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("one", encoding="utf-8")

    def rule(more: str) -> str:
        text = changed(SMALL, (LISTEN, f"{TLS}{more}}}"))
        tls = loaded(text, folder=tmp_path).listen[0].tls
        assert tls is not None
        return tls.client_certificate if tls.client_ca else "none"

    assert rule("") == "none"
    assert rule(", client_ca: a.pem") == "required"
    assert rule(", client_ca: a.pem, client_certificate: optional") == "optional"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("", FailedBindsSettings()),
        ("failed_binds: true", FailedBindsSettings()),
        ("failed_binds: false", None),
        ("failed_binds: {}", FailedBindsSettings()),
        (
            "failed_binds: {system_id: 3, address: 9, within: 1m, for: 1h}",
            FailedBindsSettings(system_id=3, address=9, within_s=60.0, for_s=3600.0),
        ),
    ],
)
def test_failed_binds_are_a_truth_or_more_than_that(
    written: str, found: FailedBindsSettings | None
) -> None:
    assert session(written).session.failed_binds == found


def test_connections_of_an_address_have_limits() -> None:
    one = session("unbound_per_address: 50, connections_per_address: 300").session
    assert (one.unbound_per_address, one.connections_per_address) == (50, 300)
    assert session("").session.connections_per_address is None


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        (LISTEN, f"{LISTEN}, proxy: {{}}", "listen[0].proxy.from", "is missing"),
        (LISTEN, f"{LISTEN}, proxy: {{from: []}}", "listen[0].proxy.from", "empty"),
        (LISTEN, f"{LISTEN}, proxy: {{from: [here]}}", "listen[0].proxy.from[0]", "network"),
        (LISTEN, f"{LISTEN}, proxy: true", "listen[0].proxy", "mapping"),
        ("{password", "{certificate: [], password", "accounts.bank.certificate", "nobody"),
        ("{password", "{certificate: '', password", "accounts.bank.certificate", "name"),
        ("{password", "{certificate: ' a', password", "accounts.bank.certificate", "name"),
    ],
)
def test_what_cannot_be_meant_is_told(old: str, new: str, path: str, says: str) -> None:
    (mistake,) = mistakes(changed(SMALL, (old, new)))
    assert mistake.path == path
    assert says in mistake.message


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("failed_binds: {system_id: 0}", "session.failed_binds.system_id"),
        ("failed_binds: {for: 0s}", "session.failed_binds.for"),
        ("failed_binds: {names: 3}", "session.failed_binds.names"),
        ("failed_binds: 5", "session.failed_binds"),
        ("unbound_per_address: 0", "session.unbound_per_address"),
        ("unbound_per_address: 2001", "session.unbound_per_address"),
        ("connections_per_address: 0", "session.connections_per_address"),
    ],
)
def test_limit_that_is_none_is_told(written: str, path: str) -> None:
    (mistake,) = mistakes(f"session: {{{written}}}\n{SMALL}")
    assert mistake.path == path


def test_account_that_no_listener_asks_for_its_certificate_and_a_proxy_of_all_are_warned_of() -> (
    None
):
    text = changed(
        SMALL,
        ("memory:", "sqlite:///r.db"),
        ("{password", "{certificate: bank.example, password"),
        (LISTEN, f"{LISTEN}, proxy: {{from: [0.0.0.0/0]}}"),
    )
    found = {warning.path: warning for warning in warnings(loaded(text))}
    assert found.keys() == {"accounts.bank.certificate", "listen[0].proxy.from"}
    assert all(warning.line > 0 for warning in found.values())
