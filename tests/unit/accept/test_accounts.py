"""router/accept/accounts.py: who may bind, and what becomes of those who may not."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final

import pytest

from router.accept.accounts import Account, Accounts, neighbourhood
from router.accept.guesses import FORGET_S, SLOWEST_S
from router.accept.places import MOST_STRANGERS, MOST_UNBOUND
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName
from router.terms.outcome import (
    BLOCKED,
    FOREIGN_ADDRESS,
    NO_CERTIFICATE,
    TOO_MANY_BINDS,
    UNKNOWN_NAME,
    WRONG_CERTIFICATE,
    WRONG_CREDENTIALS,
    Refusal,
)
from router.terms.settings import AccountSettings, FailedBindsSettings, SessionSettings

HOST: Final = "10.1.2.3"
NETWORKS: Final = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("fe80::/10"))


@dataclass
class Bind:
    """Stands for a client's connection."""

    bind_type: str = "transceiver"
    address: str = "192.0.2.1:5"
    bound_at: float = 0.0

    def doubt(self, now: float) -> bool:
        """It has asked to end."""
        return False

    def unbind(self, now: float) -> None:
        """Nobody listens."""


def hashed(password: bytes) -> str:
    """A hash that costs next to nothing."""
    salt = b"salt of the test"
    key = hashlib.scrypt(password, salt=salt, n=16, r=1, p=1, dklen=32)
    return "$".join(["scrypt$16$1$1", *(base64.b64encode(one).decode() for one in (salt, key))])


def settings(
    *passwords: str, name: str = "bank", max_binds: int = 2, rate: Rate | None = None,
    burst: int | None = None,
) -> AccountSettings:  # fmt: skip
    return AccountSettings(
        name=AccountName(name),
        passwords=passwords or ("secret01",),
        lane=LaneName("urgent"),
        allow_from=NETWORKS,
        max_binds=max_binds,
        rate=rate,
        burst=burst,
    )


def accounts_of(*accounts: AccountSettings) -> Accounts:
    return Accounts({one.name: one for one in accounts or (settings(),)}, b"of this process", 0.0)


def proves(accounts: Accounts, account: Account | None, password: bytes) -> bool:
    found: list[bool] = []
    accounts.prove(account, password, found.append)
    return found == [True]


def with_passwords(*passwords: str) -> tuple[Accounts, Account]:
    accounts = accounts_of(settings(*passwords))
    return accounts, accounts.by_name[AccountName("bank")]


@pytest.mark.parametrize(
    ("host", "late", "most", "told"),
    [
        (HOST, "10.9.9.9", MOST_UNBOUND, None),  # It takes a place of who has the most.
        (HOST, "192.0.2.8", MOST_UNBOUND, "too_many_connections"),
        ("192.0.2.7", "192.0.2.8", MOST_STRANGERS, "too_many_connections"),
        ("", "192.0.2.8", MOST_STRANGERS, "too_many_connections"),
    ],
)
def test_strangers_that_only_connect_leave_room_for_clients(
    host: str, late: str, most: int, told: str | None
) -> None:
    accounts = accounts_of()
    accounts.places.unbound = most - 1
    assert accounts.takes(host, Waits(), 0.0) is None
    assert accounts.places.unbound == most
    assert accounts.takes(late, Waits(), 0.0) == told
    assert accounts.places.unbound == most


class Waits:
    """A connection that has not bound."""

    gave_way = False

    def give_way(self) -> None:
        """Note it."""
        self.gave_way = True


def verdict(
    accounts: Accounts, host: str = HOST, system_id: bytes = b"bank", shown: Sequence[str] = ()
) -> Account | Refusal:
    return accounts.judge(system_id, host, 0.0, shown)


# Name and address.


def test_known_system_id_from_its_network_is_its_account() -> None:
    accounts = accounts_of()
    assert verdict(accounts) is accounts.by_name[AccountName("bank")]


@pytest.mark.parametrize("system_id", [b"", b"Bank", b"bank ", b"ban", b"banks", b"b\xe4nk", b"*"])
def test_unknown_system_id_hears_what_a_wrong_password_hears(system_id: bytes) -> None:
    assert verdict(accounts_of(), system_id=system_id) is UNKNOWN_NAME
    assert (UNKNOWN_NAME.reason, UNKNOWN_NAME.status) == ("wrong_credentials", 0x0E)
    # ESME_RBINDFAIL would be 0x0D, ESME_RINVSYSID 0x0F: both would tell which names exist.
    assert WRONG_CREDENTIALS.status == 0x0E


def test_unknown_system_id_does_not_hear_that_its_address_is_foreign() -> None:
    assert verdict(accounts_of(), "192.0.2.1", b"nobody") is UNKNOWN_NAME


@pytest.mark.parametrize("host", ["10.255.0.1", "2001:db8::1", "fe80::1%eth0"])
def test_address_in_any_of_the_networks_may_bind(host: str) -> None:
    assert isinstance(verdict(accounts_of(), host), Account)


@pytest.mark.parametrize("host", ["11.0.0.1", "9.255.255.255", "2001:db9::1", "::1", "127.0.0.1"])
def test_foreign_address_hears_what_a_wrong_password_hears(host: str) -> None:
    assert verdict(accounts_of(), host) is FOREIGN_ADDRESS
    assert FOREIGN_ADDRESS.status == WRONG_CREDENTIALS.status


def test_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() -> None:
    accounts = accounts_of()
    assert isinstance(verdict(accounts, "::ffff:10.1.2.3"), Account)
    assert verdict(accounts, "::ffff:11.1.2.3") is FOREIGN_ADDRESS


def test_client_without_an_address_may_not_bind() -> None:
    assert verdict(accounts_of(), "") is UNKNOWN_NAME


def test_account_without_networks_takes_nobody() -> None:
    nowhere = AccountSettings(
        name=AccountName("bank"), passwords=("secret01",), lane=LaneName("urgent"), allow_from=()
    )
    assert verdict(accounts_of(nowhere), "127.0.0.1") is FOREIGN_ADDRESS


def test_account_that_says_nothing_of_networks_takes_only_this_machine() -> None:
    local = AccountSettings(
        name=AccountName("bank"), passwords=("secret01",), lane=LaneName("urgent")
    )
    accounts = accounts_of(local)
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert isinstance(verdict(accounts, host), Account)
    for host in ("10.0.0.1", "::2", "0.0.0.0", "::"):
        assert verdict(accounts, host) is FOREIGN_ADDRESS


# Number of binds.


def test_account_is_full_with_as_many_binds_as_its_limit() -> None:
    _, account = with_passwords()
    account.binds.append(Bind())
    assert not account.is_full
    account.binds.append(Bind())
    assert account.is_full
    assert TOO_MANY_BINDS.status == 0x0D


def test_place_of_a_bind_that_is_gone_is_free() -> None:
    _, account = with_passwords()
    binds = [Bind(), Bind()]
    account.binds += binds
    account.binds.remove(binds[0])
    assert not account.is_full


def test_binds_of_one_account_do_not_count_for_another() -> None:
    accounts = accounts_of(settings(max_binds=1), settings(name="shop", max_binds=1))
    accounts.by_name[AccountName("shop")].binds.append(Bind())
    assert [one.is_full for one in accounts.by_name.values()] == [False, True]


def test_foreign_address_does_not_learn_how_many_are_bound() -> None:
    accounts, account = with_passwords()
    account.binds += [Bind(), Bind()]
    assert verdict(accounts, "192.0.2.1") is FOREIGN_ADDRESS


# Passwords.


def test_clear_password_is_judged_at_once() -> None:
    accounts, account = with_passwords("secret01")
    assert accounts.knows(account, b"secret01") is True
    assert accounts.knows(account, b"secret02") is False
    assert accounts.knows(account, b"") is False


def test_hash_is_left_to_who_runs_it() -> None:
    accounts, account = with_passwords(hashed(b"secret01"))
    assert accounts.knows(account, b"secret01") is None
    assert accounts.knows(account, b"secret02") is None
    assert proves(accounts, account, b"secret01")
    assert not proves(accounts, account, b"secret02")


def test_each_password_of_a_list_is_good() -> None:
    accounts, account = with_passwords("old-word", "new-word")
    assert [accounts.knows(account, one) for one in (b"old-word", b"new-word")] == [True, True]
    assert accounts.knows(account, b"old-wordnew-word") is False


def test_each_hash_of_a_list_is_good() -> None:
    accounts, account = with_passwords(hashed(b"old-word"), hashed(b"new-word"))
    assert proves(accounts, account, b"old-word")
    assert proves(accounts, account, b"new-word")
    assert not proves(accounts, account, b"no-word")


def test_list_may_have_clear_text_and_hashes() -> None:
    accounts, account = with_passwords("old-word", hashed(b"new-word"))
    assert accounts.knows(account, b"old-word") is True
    assert accounts.knows(account, b"new-word") is None
    assert proves(accounts, account, b"new-word")
    # A hash that somebody has read is no password, and the clear text is not the thread's business.
    assert not proves(accounts, account, account.settings.passwords[1].encode())
    assert not proves(accounts, account, b"old-word")


def test_proven_peer_is_not_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts, account = with_passwords(hashed(b"secret01"))
    assert proves(accounts, account, b"secret01")
    accounts.proved(account, b"secret01")

    def scrypt(*_: object, **__: object) -> bytes:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    assert accounts.knows(account, b"secret01") is True


def test_another_password_of_a_proven_peer_is_hashed() -> None:
    accounts, account = with_passwords(hashed(b"secret01"))
    accounts.proved(account, b"secret01")
    assert accounts.knows(account, b"secret02") is None
    assert accounts.knows(account, b"") is None


def test_proof_for_one_account_is_none_for_another() -> None:
    accounts = accounts_of(settings(hashed(b"secret01")), settings("other-01", name="shop"))
    bank, shop = accounts.by_name.values()
    accounts.proved(bank, b"secret01")
    assert accounts.knows(shop, b"secret01") is False


def test_proof_is_kept_neither_in_clear_nor_in_the_same_form_by_two_processes() -> None:
    kept = []
    for secret in (b"one", b"other"):
        accounts = Accounts({AccountName("bank"): settings()}, secret, 0.0)
        accounts.proved(accounts.by_name[AccountName("bank")], b"secret01")
        kept.append(accounts._proven[AccountName("bank")])
    assert b"secret01" not in kept[0]
    assert kept[0] != kept[1]


# Failures.


def test_failures_are_answered_later_and_later_up_to_a_limit() -> None:
    accounts = accounts_of()
    waits = [accounts.failed(HOST, b"bank", at) for at in range(8)]
    assert waits == [0.25, 0.5, *[1.0] * 6]
    assert max(waits) == SLOWEST_S


def test_a_million_failures_wait_no_longer_than_the_limit() -> None:
    accounts = accounts_of()
    accounts.guesses._failures.put(f"host {HOST}", (1_000_000, 0.0))
    assert accounts.failed(HOST, b"bank", 1.0) == SLOWEST_S


def test_failures_of_one_host_count_whatever_name_it_tries() -> None:
    accounts = accounts_of()
    waits = [accounts.failed(HOST, b"name%d" % number, 0.0) for number in range(3)]
    assert waits == [0.25, 0.5, 1.0]


def test_failures_of_one_name_count_whatever_host_tries_it() -> None:
    accounts = accounts_of()
    waits = [accounts.failed(f"10.0.0.{number}", b"bank", 0.0) for number in range(3)]
    assert waits == [0.25, 0.5, 1.0]


def test_unknown_name_waits_as_long_as_a_known_one() -> None:
    accounts = accounts_of()
    known = [accounts.failed("10.0.0.1", b"bank", 0.0) for _ in range(4)]
    unknown = [accounts.failed("10.0.0.2", b"nobody", 0.0) for _ in range(4)]
    assert known == unknown


def test_failures_of_others_cost_nobody_else_time() -> None:
    accounts = accounts_of()
    for _ in range(10):
        accounts.failed("10.0.0.1", b"bank", 0.0)
    assert accounts.failed("10.0.0.2", b"shop", 0.0) == 0.25


def test_host_and_name_of_the_same_text_are_two_things() -> None:
    accounts = accounts_of()
    accounts.failed("10.0.0.1", b"bank", 0.0)
    assert accounts.failed("10.0.0.2", b"10.0.0.1", 0.0) == 0.25


def test_address_that_has_failed_waits_before_a_hash_is_computed() -> None:
    accounts = accounts_of()
    owed = []
    for at in range(5):
        owed.append(accounts.owes(HOST, at))
        accounts.failed(HOST, b"bank", at)
    assert owed == [0.0, 0.25, 0.5, 1.0, 1.0]
    assert accounts.owes(HOST, 4.0 + FORGET_S) == SLOWEST_S
    assert accounts.owes(HOST, 4.1 + FORGET_S) == 0.0


def test_client_of_a_name_that_others_guess_at_waits_for_nothing() -> None:
    accounts = accounts_of()
    for _ in range(10):
        accounts.failed("10.0.0.1", b"bank", 0.0)
    assert accounts.owes(HOST, 0.0) == 0.0


def test_hash_is_computed_for_a_name_that_nobody_has_and_does_not_fit() -> None:
    work: list[Callable[[], bool]] = []
    right = settings(hashed(b"secret01"))
    accounts = Accounts({right.name: right}, b"", 0.0, lambda one, _: work.append(one))
    accounts.prove(None, b"secret01", lambda _: None)
    accounts.prove(accounts.by_name[BANK], b"secret01", lambda _: None)
    assert [one() for one in work] == [False, True]


def test_no_hash_is_computed_where_no_account_has_one() -> None:
    accounts = accounts_of(settings(hashed(b"secret01")), settings(name="shop"))
    assert accounts.hides_refusals(HOST)
    adopted(accounts, settings(), settings(name="shop"))
    assert not accounts.hides_refusals(HOST)


@pytest.mark.parametrize(
    ("host", "hides"),
    [
        (HOST, True),
        ("10.255.255.255", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8:ffff::1", True),
        ("fe80::1%eth0", True),
        ("11.0.0.0", False),
        ("9.255.255.255", False),
        ("::ffff:11.1.2.3", False),
        ("2001:db9::", False),
        ("::10.1.2.3", False),
        ("", False),
    ],
)
def test_hash_is_computed_only_where_an_account_may_bind_from(host: str, hides: bool) -> None:
    accounts = accounts_of(settings(hashed(b"secret01")))
    assert accounts.hides_refusals(host) is hides


def test_network_of_every_address_allows_every_address() -> None:
    anywhere = (ip_network("0.0.0.0/0"), ip_network("2001:db8::1/128"))
    bank = replace(settings(hashed(b"secret01")), allow_from=anywhere)
    accounts = accounts_of(bank)
    hosts = ("0.0.0.0", "255.255.255.255", "2001:db8::1", "2001:db8::2")
    assert [accounts.hides_refusals(host) for host in hosts] == [True, True, True, False]


def test_failure_is_forgotten_after_a_while() -> None:
    accounts = accounts_of()
    for _ in range(5):
        accounts.failed(HOST, b"bank", 0.0)
    assert accounts.failed(HOST, b"bank", FORGET_S) == SLOWEST_S
    assert accounts.failed(HOST, b"bank", 2 * FORGET_S + 0.1) == 0.25


def test_more_failures_than_can_be_remembered_push_out_the_oldest() -> None:
    accounts = accounts_of()
    accounts.failed("10.0.0.1", b"first", 0.0)
    accounts.failed("10.0.0.2", b"second", 0.0)
    accounts.failed("10.0.0.1", b"first", 0.0)
    for number in range(4_999):
        accounts.failed(f"host{number}", b"%d" % number, 0.0)
    assert len(accounts.guesses._failures) == 10_000
    assert accounts.failed("10.0.0.1", b"first", 0.0) == 1.0
    assert accounts.failed("10.0.0.2", b"second", 0.0) == 0.25
    assert len(accounts.guesses._failures) == 10_000


# The certificate of the client.


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ((), NO_CERTIFICATE),
        (("shop.example",), WRONG_CERTIFICATE),
        (("bank.example.com",), WRONG_CERTIFICATE),
        (("BANK.example",), WRONG_CERTIFICATE),
        (("*.example",), WRONG_CERTIFICATE),
        (("shop.example", "bank.example"), None),
        (("urn:bank",), None),
    ],
)
def test_account_that_wants_a_certificate_is_judged_by_its_names(
    shown: Sequence[str], found: Refusal | None
) -> None:
    one = replace(settings(), certificates=("bank.example", "urn:bank"))
    accounts = accounts_of(one)
    account = accounts.by_name[BANK]
    assert verdict(accounts, shown=shown) is (account if found is None else found)
    assert NO_CERTIFICATE.status == WRONG_CERTIFICATE.status == WRONG_CREDENTIALS.status


def test_account_that_wants_none_binds_with_any_certificate() -> None:
    assert isinstance(verdict(accounts_of(), shown=("whoever",)), Account)


def test_foreign_address_stays_foreign_whatever_it_shows() -> None:
    accounts = accounts_of(replace(settings(), certificates=("bank",)))
    assert verdict(accounts, "192.0.2.1", shown=("bank",)) is FOREIGN_ADDRESS


# Blocks.


def guessed(accounts: Accounts, host: str, name: bytes = b"bank", times: int = 10) -> None:
    for _ in range(times):
        accounts.guessed(host, name, 0.0)


@pytest.mark.parametrize("name", [b"bank", b"nobody"])
def test_name_that_was_guessed_at_is_refused_from_there_whether_it_exists_or_not(
    name: bytes,
) -> None:
    accounts = accounts_of()
    guessed(accounts, HOST, name)
    assert verdict(accounts, system_id=name) is BLOCKED
    assert verdict(accounts, "10.9.9.9", name) is not BLOCKED
    assert BLOCKED.status == WRONG_CREDENTIALS.status


@pytest.mark.parametrize(
    ("network", "host", "is_blocked"),
    [
        ("192.0.2.0/24", "192.0.2.7", False),
        ("192.0.2.7/32", "192.0.2.7", False),
        ("192.0.2.0/23", "192.0.2.7", True),
        ("2001:db8::/48", "2001:db8::7", False),
        ("2001:db8::/47", "2001:db8::7", True),
    ],
)
def test_account_is_not_blocked_where_its_networks_say_that_it_belongs_even_after_a_start(
    network: str, host: str, is_blocked: bool
) -> None:
    accounts = accounts_of(replace(settings(), allow_from=(ip_network(network),)))
    guessed(accounts, host, times=49)
    assert (verdict(accounts, host) is BLOCKED) is is_blocked


def test_address_of_one_account_is_not_that_of_another() -> None:
    other = replace(settings(name="shop"), allow_from=(ip_network("192.0.2.0/24"),))
    wide = replace(settings(), allow_from=(ip_network("0.0.0.0/0"),))
    accounts = accounts_of(wide, other)
    for name in (b"bank", b"shop"):
        guessed(accounts, "192.0.2.7", name)
    assert verdict(accounts, "192.0.2.7", b"bank") is BLOCKED
    assert isinstance(verdict(accounts, "192.0.2.7", b"shop"), Account)


def test_who_shows_the_certificate_that_is_wanted_is_not_blocked() -> None:
    accounts = accounts_of(replace(settings(), certificates=("bank",)))
    guessed(accounts, HOST)
    assert verdict(accounts, shown=("shop",)) is BLOCKED
    assert isinstance(verdict(accounts, shown=("bank",)), Account)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("192.0.2.7", "blocked"),  # A stranger.
        (HOST, "blocked"),  # In a network of millions.
        ("2001:db8::9", "blocked"),
        ("127.0.0.1", None),
        ("203.0.113.9", None),  # In a network of 256: named.
        ("203.0.114.9", "blocked"),
        ("2001:db9:0:1::9", None),
    ],
)
def test_address_that_tries_many_names_is_closed_unless_it_is_known(
    host: str, why: str | None
) -> None:
    narrow = (ip_network("203.0.113.0/24"), ip_network("2001:db9::/48"))
    accounts = accounts_of(replace(settings(), allow_from=(*NETWORKS, *narrow)))
    for number in range(50):
        guessed(accounts, host, b"name%d" % number, times=1)
    assert accounts.takes(host, Waits(), 1.0) == why
    assert accounts.takes("10.0.0.9", Waits(), 1.0) is None


def test_address_that_the_configuration_names_from_now_on_is_open_again() -> None:
    accounts = accounts_of()
    for number in range(50):
        guessed(accounts, "192.0.2.7", b"name%d" % number, times=1)
    assert accounts.takes("192.0.2.7", Waits(), 1.0) == "blocked"
    adopted(accounts, replace(settings(), allow_from=(ip_network("192.0.2.7/32"),)))
    assert accounts.takes("192.0.2.7", Waits(), 1.0) is None
    assert not accounts.guesses.blocked


@pytest.mark.parametrize(
    ("after", "lifted"),
    [
        (settings("another1"), True),
        (replace(settings(), certificates=("bank",)), True),
        (replace(settings(), allow_from=NETWORKS[:1]), True),
        (replace(settings(), max_binds=7), False),
    ],
)
def test_block_ends_when_what_a_bind_needs_is_changed(after: AccountSettings, lifted: bool) -> None:
    accounts = accounts_of()
    guessed(accounts, HOST)
    guessed(accounts, HOST, b"other")
    adopted(accounts, after)
    assert (verdict(accounts) is BLOCKED) is not lifted
    assert verdict(accounts, system_id=b"other") is BLOCKED


def test_block_of_a_name_that_nobody_had_ends_when_somebody_gets_it() -> None:
    accounts = accounts_of()
    guessed(accounts, HOST, b"shop")
    adopted(accounts, settings(), settings(name="shop"))
    assert isinstance(verdict(accounts, system_id=b"shop"), Account)


def test_session_settings_are_followed() -> None:
    accounts = accounts_of()
    accounts.follow(SessionSettings(failed_binds=FailedBindsSettings(system_id=2)))
    guessed(accounts, HOST, times=2)
    assert verdict(accounts) is BLOCKED
    accounts.follow(SessionSettings(failed_binds=None, unbound_per_address=1))
    assert isinstance(verdict(accounts), Account)
    guessed(accounts, HOST, times=100)
    assert isinstance(verdict(accounts), Account)
    first, second = Waits(), Waits()
    assert [accounts.takes(HOST, one, 0.0) for one in (first, second)] == [None, None]
    assert first.gave_way


def test_addresses_of_one_line_fail_together() -> None:
    accounts = accounts_of()
    for number in range(10):
        guessed(accounts, f"2001:db8::{number + 1}", times=1)
    assert verdict(accounts, "2001:db8::ffff") is BLOCKED
    assert verdict(accounts, "2001:db8:0:1::1") is not BLOCKED


# Who counts as one stranger in the log.


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_addresses_of_one_line_are_one_stranger(host: str, key: str) -> None:
    assert neighbourhood(host) == key


# What an account may send.


def test_account_without_rate_has_no_bucket() -> None:
    assert with_passwords()[1].bucket is None


@pytest.mark.parametrize(("burst", "at_once"), [(None, 5), (2, 2), (9, 9), (0, 1)])
def test_bucket_holds_the_burst_or_else_one_unit_of_the_rate(
    burst: int | None, at_once: int
) -> None:
    bucket = Account(settings(rate=Rate(5, 1.0), burst=burst), 100.0).bucket
    assert bucket is not None
    assert sum(bucket.take(100.0) for _ in range(20)) == at_once


# A new configuration.

BANK: Final = AccountName("bank")


def adopted(accounts: Accounts, *now: AccountSettings, at: float = 10.0) -> None:
    accounts.adopt({one.name: one for one in now}, at)


def test_account_that_stays_is_the_same_and_keeps_its_binds() -> None:
    accounts, account = with_passwords()
    binds = [Bind(), Bind()]
    account.binds += binds
    changed = settings("new-word", max_binds=1, rate=Rate(5, 1.0))
    adopted(accounts, changed)
    assert accounts.by_name == {BANK: account}
    assert account.settings is changed
    assert account.binds == binds
    assert account.is_full
    account.binds.pop()
    assert account.is_full
    account.binds.pop()
    assert not account.is_full


def test_more_binds_are_allowed_at_once() -> None:
    accounts, account = with_passwords()
    account.binds += [Bind(), Bind()]
    adopted(accounts, settings(max_binds=3))
    assert not account.is_full


def test_account_that_is_gone_is_answered_like_one_that_never_was() -> None:
    accounts = accounts_of(settings(), settings(name="shop"))
    bank = accounts.by_name[BANK]
    bank.binds.append(Bind())
    adopted(accounts, settings(name="shop"))
    assert verdict(accounts) is UNKNOWN_NAME
    assert verdict(accounts, "192.0.2.1") is UNKNOWN_NAME
    assert len(bank.binds) == 1
    assert set(accounts.by_name) == {"shop"}


def test_new_account_may_bind() -> None:
    accounts = accounts_of()
    adopted(accounts, settings(), settings(name="shop"))
    assert isinstance(verdict(accounts, system_id=b"shop"), Account)


def test_binds_of_an_account_that_comes_back_count_again() -> None:
    accounts, account = with_passwords()
    account.binds += [Bind(), Bind()]
    adopted(accounts)
    adopted(accounts)
    adopted(accounts, settings(max_binds=3))
    assert not account.is_full
    account.binds.append(Bind())
    assert account.is_full


def test_account_that_comes_back_without_binds_is_forgotten_in_between() -> None:
    accounts, account = with_passwords()
    account.binds.append(Bind())
    adopted(accounts)
    account.binds.clear()
    adopted(accounts)
    adopted(accounts, settings())
    assert accounts.by_name[BANK] is not account


@pytest.mark.parametrize(
    ("passwords", "known"),
    [
        (("old-hash",), True),
        (("old-hash", "new-hash"), None),
        (("new-hash",), None),
        (("new-word",), False),
    ],
)
def test_proof_of_a_password_holds_while_the_passwords_stay(
    passwords: tuple[str, ...], known: bool | None
) -> None:
    words = {"old-hash": hashed(b"old-word"), "new-hash": hashed(b"new-word")}
    accounts, account = with_passwords(words["old-hash"])
    accounts.proved(account, b"old-word")
    adopted(accounts, settings(*(words.get(one, one) for one in passwords)))
    assert accounts.knows(account, b"old-word") is known


def test_proof_does_not_outlive_the_account() -> None:
    accounts, account = with_passwords(hashed(b"old-word"))
    accounts.proved(account, b"old-word")
    account.binds.append(Bind())
    adopted(accounts)
    adopted(accounts, settings(hashed(b"old-word")))
    assert accounts.knows(account, b"old-word") is None


def test_networks_follow() -> None:
    accounts, _ = with_passwords()
    accounts.places.unbound = MOST_STRANGERS
    elsewhere = AccountSettings(
        name=BANK,
        passwords=("secret01",),
        lane=LaneName("urgent"),
        allow_from=(ip_network("192.0.2.0/24"),),
    )
    adopted(accounts, elsewhere)
    taken = [accounts.takes(host, Waits(), 0.0) for host in (HOST, "192.0.2.7")]
    assert taken == ["too_many_connections", None]
    assert verdict(accounts, HOST) is FOREIGN_ADDRESS
    assert isinstance(verdict(accounts, "192.0.2.7"), Account)


@pytest.mark.parametrize(
    ("before", "after", "at_once"),
    [
        ((Rate(5, 1.0), None), (Rate(5, 1.0), None), 2),
        ((Rate(5, 1.0), None), (Rate(9, 1.0), None), 2),
        ((Rate(5, 1.0), 5), (Rate(5, 1.0), 1), 1),
        ((Rate(5, 1.0), None), (None, None), None),
        ((None, None), (Rate(5, 1.0), None), 5),
        ((None, None), (None, None), None),
    ],
)
def test_what_the_rate_has_used_stays_used(
    before: tuple[Rate | None, int | None],
    after: tuple[Rate | None, int | None],
    at_once: int | None,
) -> None:
    account = Account(settings(rate=before[0], burst=before[1]), 100.0)
    if account.bucket is not None:
        assert all(account.bucket.take(100.0) for _ in range(3))
    account.adopt(settings(rate=after[0], burst=after[1]), 100.0)
    if at_once is None:
        assert account.bucket is None
    else:
        assert account.bucket is not None
        assert sum(account.bucket.take(100.0) for _ in range(20)) == at_once


def test_settings_are_current_until_they_change_or_the_account_is_gone() -> None:
    accounts, account = with_passwords()
    judged_by = account.settings
    assert accounts.is_current(account, judged_by)
    adopted(accounts, settings())
    assert accounts.is_current(account, judged_by)
    adopted(accounts, settings(max_binds=1))
    assert not accounts.is_current(account, judged_by)
    adopted(accounts)
    assert not accounts.is_current(account, account.settings)
