"""router/settings/keys.py: how the binds to operators can be written."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from router.terms.settings import Address, BindSettings, OperatorTlsSettings, OutbindSettings
from tests.unit.settings.configurations import SMALL, changed, loaded, the_mistake

ADDRESS = 'address: "127.0.0.1:1"'
OUTBIND = 'outbind: {listen: "0.0.0.0:2776", system_id: smsc, password: theirs}'


def bind(instead: str, folder: Path | None = None) -> BindSettings:
    """The one bind of a configuration with this instead of its address."""
    settings = loaded(changed(SMALL, (ADDRESS, instead)), folder=folder)
    return next(iter(settings.operators.values())).binds[0]


def test_hosts_are_one_or_a_list() -> None:
    first, second = Address(host="a", port=1), Address(host="::1", port=2)
    assert bind("address: a:1").addresses == (first,)
    assert bind('address: ["a:1", "[::1]:2"]').addresses == (first, second)


def test_what_an_operator_demands_of_a_session_is_read() -> None:
    more = "source_address: 10.0.0.1, enquire_link: 20s, max_messages: 1024, max_age: 1h"
    found = bind(f"{ADDRESS}, {more}")
    assert (found.source_address, found.enquire_link_s) == ("10.0.0.1", 20.0)
    assert (found.max_messages, found.max_age_s) == (1024, 3600.0)


def test_what_an_operator_wants_in_the_bind_request_is_read() -> None:
    found = bind(f"{ADDRESS}, addr_ton: 1, addr_npi: 255, address_range: '^372(5|8)[0-9]*$'")
    assert (found.addr_ton, found.addr_npi) == (1, 255)
    assert found.address_range == "^372(5|8)[0-9]*$"
    found = bind(ADDRESS)
    assert (found.addr_ton, found.addr_npi, found.address_range) == (0, 0, "")


def test_window_is_a_number_or_is_sized() -> None:
    assert [bind(f"{ADDRESS}, window: {n}").window for n in ("1", "100_000", "auto")] == [
        *(1, 100_000, None)
    ]


@pytest.mark.parametrize(
    ("written", "tls"),
    [
        ("false", None),
        ("true", OperatorTlsSettings()),
        ("{}", OperatorTlsSettings()),
        ("{verify: false}", OperatorTlsSettings(verify=False)),
        ("{server_name: smsc.example}", OperatorTlsSettings(server_name="smsc.example")),
    ],
)
def test_tls_is_a_truth_or_more_than_that(written: str, tls: OperatorTlsSettings | None) -> None:
    assert bind(f"{ADDRESS}, tls: {written}").tls == tls


def test_tls_knows_its_files_beside_the_configuration(tmp_path: Path) -> None:
    for name in ("ca.pem", "our.crt", "our.key"):
        (tmp_path / name).write_text("")
    tls = bind(f"{ADDRESS}, tls: {{ca: ca.pem, certificate: our.crt, key: our.key}}", tmp_path).tls
    assert tls == OperatorTlsSettings(
        ca=tmp_path / "ca.pem", certificate=tmp_path / "our.crt", key=tmp_path / "our.key"
    )


def test_operator_that_calls_needs_no_address() -> None:
    found = bind(OUTBIND)
    here = ip_network("127.0.0.0/8"), ip_network("::1/128")
    listen = Address(host="0.0.0.0", port=2776)
    outbind = OutbindSettings(listen=listen, system_id="smsc", password="theirs", allow_from=here)
    assert (found.addresses, found.outbind) == ((), outbind)


@pytest.mark.parametrize(
    ("instead", "path", "says"),
    [
        ("window: 5", "address", "is missing and must be written"),
        ("address: []", "address", "the list of addresses is empty"),
        ('address: ["a:1", "b:0"]', "address[1]", "port 0"),
        (f"{ADDRESS}, {OUTBIND}", "address", "says nothing beside outbind"),
        (f"{OUTBIND}, tls: true", "tls", "says nothing beside outbind"),
        (f"{ADDRESS}, source_address: 'a:1'", "source_address", "an IP address is wanted"),
        (f"{ADDRESS}, window: 0", "window", "a number from 1"),
        (f"{ADDRESS}, addr_ton: 256", "addr_ton", "a number from 0"),
        (f"{ADDRESS}, addr_npi: -1", "addr_npi", "a number from 0"),
        (f"{ADDRESS}, address_range: '{'1' * 41}'", "address_range", "more than 40 characters"),
        (f"{ADDRESS}, window: automatic", "window", "number"),
        (f"{ADDRESS}, max_messages: 0", "max_messages", "a number from 1"),
        (f"{ADDRESS}, max_age: 10ms", "max_age", "a duration from 1s"),
        (f"{ADDRESS}, tls: yes", "tls", "true or false"),
        (f"{ADDRESS}, tls: {{certificate: router.yaml}}", "tls.certificate", "needs a key"),
        (f"{ADDRESS}, tls: {{key: router.yaml}}", "tls.key", "needs a certificate"),
        (f"{ADDRESS}, tls: {{ca: router.yaml, verify: false}}", "tls.ca", "says nothing beside"),
        (f"{ADDRESS}, tls: {{ca: nowhere.pem}}", "tls.ca", "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_told(instead: str, path: str, says: str) -> None:
    mistake = the_mistake(changed(SMALL, (ADDRESS, instead)))
    assert mistake.path == f"operators.telia.binds[0].{path}"
    assert says in mistake.message
