"""router/accept/server.py: who binds where passwords are kept as hashes.

Nothing is computed until the test says so: the work stands in a list.
"""

import base64
import hashlib
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest

from router.accept.checks import AT_ONCE, MOST_OF_ADDRESS
from router.smpp import vocabulary as v
from router.terms.settings import Settings
from tests.doubles import Client, Router, Threads, World, contract_settings, with_account

GUESSER: Final = "127.0.0.66"
OURS: Final = "127.0.0.1"
FOREIGN: Final = "192.0.2.7"


def hashed(password: bytes) -> str:
    """A hash that costs next to nothing."""
    salt = b"salt of the test"
    key = hashlib.scrypt(password, salt=salt, n=16, r=1, p=1, dklen=32)
    return "$".join(["scrypt$16$1$1", *(base64.b64encode(one).decode() for one in (salt, key))])


def with_hashes(settings: Settings) -> Settings:
    """One hash each, one bind for the bank, and a shop that binds from its own network only."""
    bank, shop = (hashed(b"secret01"),), (hashed(b"secret02"),)
    settings = with_account(settings, "bank", passwords=bank, max_binds=1)
    narrow = (ip_network("10.0.0.0/8"),)
    return with_account(settings, "shop", passwords=shop, allow_from=narrow)


@pytest.fixture
def threads(world: World) -> Threads:
    return Threads(world)


@pytest.fixture
def hashing(world: World, tmp_path: Path, threads: Threads) -> Router:
    router = Router(world, with_hashes(contract_settings(tmp_path)))
    threads.compute_for(router)
    return router


def asks(router: Router, host: str, name: bytes = b"bank", password: bytes = b"wrong") -> Client:
    """A client whose bind request, with sequence_number 1, has come."""
    client = Client(router.world, router, host)
    client.bind(name, password)
    router.world.settle()
    return client


def heard(client: Client) -> int | None:
    """The status of the answer to the bind."""
    return client.status_of(1) if 1 in client.answers else None


def test_guesses_take_no_place_from_the_client(
    world: World, hashing: Router, threads: Threads
) -> None:
    guessers = [asks(hashing, GUESSER) for _ in range(20)]
    own = asks(hashing, OURS, password=b"secret01")
    threads.finish_one()
    assert len(threads.work) == 1  # One of a name at once, and it is the client's turn.
    threads.finish_one()
    world.settle()
    assert heard(own) == v.ESME_ROK
    threads.finish_all()
    world.run(1.5)
    assert {heard(one) for one in guessers} == {v.ESME_RINVPASWD}
    failed = hashing.journey.counters.failed_binds
    assert failed == {"wrong_credentials": 10, "blocked": 10}  # All with a hash, and 0x0E.
    assert threads.computed == 21


def test_guesses_at_one_account_leave_a_thread_to_others(
    world: World, hashing: Router, threads: Threads
) -> None:
    hashing.accounts.adopt(with_account(hashing.settings, "shop", allow_from=(
        ip_network("127.0.0.0/8"),)).accounts, world.now)  # fmt: skip
    for number in range(20):
        asks(hashing, f"127.0.1.{number}")
    other = asks(hashing, OURS, b"shop", b"secret02")
    assert len(threads.work) == AT_ONCE
    threads.finish_one(-1)
    assert heard(other) == v.ESME_ROK


def test_binds_of_one_client_cost_one_hash(world: World, hashing: Router, threads: Threads) -> None:
    hashing.accounts.adopt(with_account(hashing.settings, "bank", max_binds=10).accounts, world.now)
    clients = [asks(hashing, OURS, password=b"secret01") for _ in range(10)]
    assert len(threads.work) == 1
    threads.finish_all()
    world.settle()
    assert [heard(one) for one in clients] == [v.ESME_ROK] * 10
    assert threads.computed == 1


@pytest.mark.parametrize(
    ("host", "name", "password", "hashes"),
    [
        (OURS, b"bank", b"wrong", 1),
        (OURS, b"nobody", b"secret01", 1),
        (OURS, b"shop", b"secret02", 1),
        ("10.0.0.1", b"bank", b"secret01", 1),
        (FOREIGN, b"bank", b"secret01", 0),
        (FOREIGN, b"nobody", b"wrong", 0),
    ],
)
def test_all_that_is_wrong_before_the_password_is_answered_alike(
    world: World,
    hashing: Router,
    threads: Threads,
    host: str,
    name: bytes,
    password: bytes,
    hashes: int,
) -> None:
    client = asks(hashing, host, name, password)
    asked_at = world.now
    assert len(threads.work) == hashes
    world.run(0.1)
    threads.finish_all()
    world.run(1.0)
    assert heard(client) == v.ESME_RINVPASWD
    assert client.answered_at[1] - asked_at == pytest.approx(0.25)
    assert client.answers[1].octets[16:] == b"smpp-router\0"


@pytest.mark.parametrize("password", [b"wrong", b"secret01"])
def test_only_who_knows_the_password_hears_that_there_are_too_many_binds(
    world: World, hashing: Router, threads: Threads, password: bytes
) -> None:
    own = asks(hashing, OURS, password=b"secret01")
    threads.finish_all()
    assert heard(own) == v.ESME_ROK
    another = asks(hashing, "127.0.0.2", password=password)
    threads.finish_all()
    world.run(1.5)
    right = password == b"secret01"
    assert heard(another) == (v.ESME_RBINDFAIL if right else v.ESME_RINVPASWD)


def test_address_that_failed_waits_before_the_work_and_not_once_more_after_it(
    world: World, hashing: Router, threads: Threads
) -> None:
    for failures, before_s, until_s in ((0, 0.0, 0.25), (1, 0.25, 0.5), (2, 0.5, 1.0)):
        client = asks(hashing, GUESSER)
        asked_at = world.now
        assert len(threads.work) == (failures == 0)
        world.run(before_s + 0.01)
        assert len(threads.work) == 1
        threads.finish_one()
        world.run(2.0)
        assert client.answered_at[1] - asked_at == pytest.approx(until_s)
    own = asks(hashing, OURS, password=b"secret01")
    threads.finish_all()
    assert heard(own) == v.ESME_ROK


def test_line_that_is_full_refuses_as_a_limit_does_whatever_the_name(
    world: World, hashing: Router, threads: Threads
) -> None:
    for _ in range(MOST_OF_ADDRESS + 1):
        asks(hashing, GUESSER)
    late = [asks(hashing, GUESSER, name, b"secret01") for name in (b"bank", b"nobody")]
    world.run(1.0)
    assert [heard(one) for one in late] == [v.ESME_RBINDFAIL] * 2
    assert hashing.journey.counters.failed_binds == {"too_many_checks": 2}


def test_who_hangs_up_leaves_the_line(world: World, hashing: Router, threads: Threads) -> None:
    for client in [asks(hashing, GUESSER) for _ in range(10)]:
        client.far.drop()
    world.settle()
    assert len(hashing.accounts.checks) == 0
    threads.finish_all()
    assert threads.computed == 1
    assert hashing.accounts.unbound == 0


def test_password_that_was_changed_while_it_was_checked_is_checked_anew(
    world: World, hashing: Router, threads: Threads
) -> None:
    client = asks(hashing, OURS, password=b"secret01")
    passwords = (hashed(b"another"),)
    bank = with_account(hashing.settings, "bank", passwords=passwords)
    hashing.accounts.adopt(replace(bank).accounts, world.now)
    threads.finish_one()
    world.settle()
    assert heard(client) is None
    threads.finish_one()
    world.run(1.0)
    assert heard(client) == v.ESME_RINVPASWD


def test_right_password_of_an_account_without_a_hash_waits_for_none(
    world: World, hashing: Router, threads: Threads
) -> None:
    clear = with_account(hashing.settings, "bank", passwords=("secret01",))
    hashing.accounts.adopt(clear.accounts, world.now)
    for _ in range(5):
        asks(hashing, GUESSER)
    assert len(threads.work) == 1  # The shop has one: a wrong password takes as long everywhere.
    own = asks(hashing, OURS, password=b"secret01")
    assert heard(own) == v.ESME_ROK
