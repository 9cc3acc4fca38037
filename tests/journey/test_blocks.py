"""router/accept/: who is blocked for failed binds and who never is, and whose places are whose.

The account is a bank; its clients come from OURS. A guesser is elsewhere, or behind the same
address, that of an office or of a proxy.
"""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from router.accept.accounts import Accounts
from router.accept.guesses import PROVEN_S
from router.smpp import vocabulary as v
from router.terms.settings import FailedBindsSettings, Settings
from tests.doubles import Client, Router, Threads, World, contract_settings, with_account
from tests.journey.test_password_checks import hashed

OURS: Final = "10.1.0.7"
ELSEWHERE: Final = "10.1.0.66"
FAILED: Final = FailedBindsSettings()
MOST: Final = FAILED.system_id
WRONG, RIGHT = b"wrong", b"secret01"


def open_to_all(settings: Settings, **session: object) -> Settings:
    """Accounts that bind from everywhere, so that no address is named in the configuration."""
    for name in ("bank", "shop"):
        settings = with_account(
            settings, name, passwords=("secret01",), allow_from=(ip_network("0.0.0.0/0"),)
        )
    return replace(settings, session=replace(settings.session, **session))  # type: ignore[arg-type]


@pytest.fixture
def open_router(world: World, tmp_path: Path) -> Router:
    return Router(world, open_to_all(contract_settings(tmp_path)))


def tries(
    router: Router,
    host: str,
    name: bytes = b"bank",
    password: bytes = WRONG,
    shown: Sequence[str] = (),
) -> int | None:
    """The status of one bind; None where the connection is closed without an answer."""
    client = Client(router.world, router, host, shown)
    router.world.settle()
    if client.far.closed:
        return None
    number = client.bind(name, password)
    router.world.run(1.1)
    status = client.status_of(number)
    client.far.drop()
    router.world.settle()
    return status


def guesses(router: Router, host: str, times: int, name: bytes = b"bank") -> None:
    """So many binds with wrong passwords."""
    for _ in range(times):
        assert tries(router, host, name) == v.ESME_RINVPASWD


def blocks(logs: Sequence[object], event: str = "client.blocked") -> list[tuple[str, object]]:
    """Who was blocked, by the log."""
    lines = [line for line in logs if isinstance(line, dict) and line["event"] == event]
    return [(line["address"], line.get("system_id")) for line in lines]


def test_guesser_hears_the_same_when_it_is_blocked_and_its_right_guess_is_none(
    world: World, open_router: Router
) -> None:
    with capture_logs() as logs:
        guesses(open_router, ELSEWHERE, MOST)
        assert tries(open_router, ELSEWHERE, password=RIGHT) == v.ESME_RINVPASWD
    assert blocks(logs) == [(ELSEWHERE, "bank")]
    assert open_router.journey.counters.failed_binds == {"wrong_credentials": MOST, "blocked": 1}
    assert open_router.accounts.guesses.blocks == {"address": 0, "system_id": 1}
    # From its own address, and with another name from there, nobody notices.
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    assert tries(open_router, ELSEWHERE, b"shop", RIGHT) == v.ESME_ROK
    world.run(FAILED.for_s)
    assert tries(open_router, ELSEWHERE, password=RIGHT) == v.ESME_ROK


def test_binds_while_it_is_blocked_do_not_prolong_it(world: World, open_router: Router) -> None:
    guesses(open_router, ELSEWHERE, MOST)
    began_at = world.now
    while world.now < began_at + FAILED.for_s - 10.0:
        assert tries(open_router, ELSEWHERE, password=RIGHT) == v.ESME_RINVPASWD
        world.run(5.0)
    world.run(10.0)
    assert tries(open_router, ELSEWHERE, password=RIGHT) == v.ESME_ROK


@pytest.mark.parametrize("away_s", [0.0, 3600.0, PROVEN_S - 600.0])
def test_client_that_has_bound_gets_in_whatever_others_try_at_its_address(
    world: World, open_router: Router, away_s: float
) -> None:
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    world.run(away_s)
    with capture_logs() as logs:
        guesses(open_router, OURS, 2 * FAILED.address)
    assert blocks(logs) == []
    assert blocks(logs, "client.spared")[0] == (OURS, "bank")
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    assert open_router.journey.counters.failed_binds == {"wrong_credentials": 2 * FAILED.address}


def test_guesses_at_one_account_behind_an_address_block_no_other_account_there(
    open_router: Router,
) -> None:
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    for number in range(FAILED.address // MOST):
        guesses(open_router, OURS, MOST, b"shop" if number == 0 else b"name%d" % number)
    assert tries(open_router, OURS, b"shop", RIGHT) == v.ESME_RINVPASWD  # It was never here.
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK


def test_address_that_tries_one_name_after_the_other_is_closed_at_once(
    world: World, open_router: Router
) -> None:
    with capture_logs() as logs:
        for number in range(FAILED.address):
            guesses(open_router, ELSEWHERE, 1, b"name%d" % number)
        assert tries(open_router, ELSEWHERE) is None
    assert blocks(logs) == [(ELSEWHERE, None)]
    assert open_router.journey.counters.failed_binds["blocked"] == 1
    assert open_router.accounts.unbound == 0
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    world.run(FAILED.for_s)
    assert tries(open_router, ELSEWHERE, b"shop", RIGHT) == v.ESME_ROK


def test_address_that_the_configuration_names_is_not_closed_to_its_other_accounts(
    world: World, tmp_path: Path
) -> None:
    settings = open_to_all(contract_settings(tmp_path))
    router = Router(world, with_account(settings, "shop", allow_from=(ip_network(f"{OURS}/32"),)))
    for number in range(FAILED.address + 1):
        guesses(router, OURS, 1, b"name%d" % number)
    assert tries(router, OURS, b"shop", RIGHT) == v.ESME_ROK


def test_password_that_the_router_did_not_know_yet_can_be_used_as_soon_as_it_does(
    open_router: Router,
) -> None:
    for _ in range(MOST):
        assert tries(open_router, OURS, password=b"new-one1") == v.ESME_RINVPASWD
    assert tries(open_router, OURS, password=b"new-one1") == v.ESME_RINVPASWD
    open_router.adopt(with_account(open_router.settings, "bank", passwords=("new-one1",)))
    assert tries(open_router, OURS, password=b"new-one1") == v.ESME_ROK


def test_client_with_its_certificate_is_not_blocked_by_who_has_none(
    world: World, tmp_path: Path
) -> None:
    settings = open_to_all(contract_settings(tmp_path))
    router = Router(world, with_account(settings, "bank", certificates=("bank.example",)))
    with capture_logs() as logs:
        for _ in range(MOST + 1):
            assert tries(router, OURS, password=RIGHT) == v.ESME_RINVPASWD
    assert blocks(logs) == [(OURS, "bank")]
    failed = router.journey.counters.failed_binds
    assert failed == {"wrong_certificate": MOST, "blocked": 1}
    assert tries(router, OURS, password=RIGHT, shown=("bank.example",)) == v.ESME_ROK
    assert tries(router, OURS, password=RIGHT, shown=("shop.example",)) == v.ESME_RINVPASWD


def test_nothing_is_blocked_where_the_settings_say_so(world: World, tmp_path: Path) -> None:
    router = Router(world, open_to_all(contract_settings(tmp_path), failed_binds=None))
    guesses(router, ELSEWHERE, 2 * FAILED.address)
    assert tries(router, ELSEWHERE, password=RIGHT) == v.ESME_ROK


def test_only_what_was_compared_counts(world: World, open_router: Router) -> None:
    open_router.journey.intake.draining = True
    for _ in range(FAILED.address):
        assert tries(open_router, OURS, password=RIGHT) == v.ESME_RBINDFAIL
    open_router.journey.intake.draining = False
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK


# Time.


@pytest.mark.parametrize(
    ("name", "password", "shown", "guessed"),
    [
        (b"bank", WRONG, ("bank.example",), 0),
        (b"bank", RIGHT, ("shop.example",), 0),
        (b"bank", RIGHT, (), 0),
        (b"nobody", RIGHT, (), 0),
        (b"shop", RIGHT, (), 0),
        (b"bank", RIGHT, (), MOST),
        (b"nobody", RIGHT, (), MOST),
    ],
    ids=["password", "certificate", "no certificate", "name", "address", "blocked", "nobody"],
)
def test_each_refusal_costs_one_hash_and_is_answered_alike(
    world: World,
    tmp_path: Path,
    name: bytes,
    password: bytes,
    shown: Sequence[str],
    guessed: int,
) -> None:
    settings = open_to_all(contract_settings(tmp_path))
    bank = {"passwords": (hashed(b"secret01"),), "certificates": ("bank.example",)}
    settings = with_account(settings, "bank", **bank)
    router = Router(world, with_account(settings, "shop", allow_from=(ip_network("10.2.0.0/16"),)))
    threads = Threads(world)
    threads.compute_for(router)
    for _ in range(guessed):
        router.accounts.guessed(OURS, name, world.now)
    client = Client(world, router, OURS, shown)
    client.bind(name, password)
    world.settle()
    asked_at = world.now
    assert len(threads.work) == 1
    world.run(0.1)
    threads.finish_all()
    world.run(1.0)
    assert client.status_of(1) == v.ESME_RINVPASWD
    assert client.answered_at[1] - asked_at == pytest.approx(0.25)


# Places.


def test_client_behind_an_address_whose_places_are_taken_gets_in(
    world: World, open_router: Router
) -> None:
    crowd = [Client(world, open_router, OURS) for _ in range(1_200)]
    world.settle()
    assert open_router.accounts.unbound == 1_000
    assert [one.far.closed for one in crowd] == [True] * 200 + [False] * 1_000
    assert open_router.journey.counters.failed_binds == {"too_many_connections": 200}
    assert tries(open_router, OURS, password=RIGHT) == v.ESME_ROK
    assert tries(open_router, ELSEWHERE, password=RIGHT) == v.ESME_ROK
    world.run(10.0)
    assert open_router.accounts.unbound == 0


def test_one_whose_password_is_being_checked_gives_way_in_good_order(
    world: World, tmp_path: Path
) -> None:
    settings = open_to_all(contract_settings(tmp_path), unbound_per_address=1)
    router = Router(world, with_account(settings, "bank", passwords=(hashed(b"secret01"),)))
    threads = Threads(world)
    router.accounts = Accounts(
        router.settings.accounts, b"", world.now, threads._begin, router.settings.session
    )
    first = Client(world, router, OURS)
    first.bind(b"bank", RIGHT)
    world.settle()
    second = Client(world, router, OURS)
    world.settle()
    assert first.far.closed
    second.bind(b"bank", RIGHT)
    world.settle()
    threads.finish_all()
    assert second.status_of(1) == v.ESME_ROK
    assert router.accounts.unbound == 0


def test_connections_of_one_address_are_limited_bound_or_not(world: World, tmp_path: Path) -> None:
    settings = open_to_all(contract_settings(tmp_path), connections_per_address=2)
    router = Router(world, settings)
    own = [Client(world, router, OURS) for _ in range(2)]
    for one in own:
        one.bind(b"bank", RIGHT)
    world.settle()
    assert [one.status_of(1) for one in own] == [v.ESME_ROK] * 2
    assert tries(router, OURS, password=RIGHT) is None
    assert tries(router, ELSEWHERE, password=RIGHT) == v.ESME_ROK
    own[0].far.drop()
    world.settle()
    assert tries(router, OURS, password=RIGHT) == v.ESME_ROK
    # Another limit is followed, and who is there stays.
    session = replace(settings.session, connections_per_address=1)
    router.adopt(replace(settings, session=session))
    assert tries(router, OURS, password=RIGHT) is None
    assert own[1].link.bind_type
