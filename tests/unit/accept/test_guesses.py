"""router/accept/guesses.py: who is blocked for failed binds, for how long, and who never is."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.guesses import PROVEN_S, Block, Guesses
from router.terms.names import AccountName
from router.terms.settings import FailedBindsSettings

SETTINGS: Final = FailedBindsSettings(system_id=3, address=5, within_s=60.0, for_s=100.0)
BANK, SHOP = AccountName("bank"), AccountName("shop")
HERE, THERE = "192.0.2.1", "192.0.2.2"


def guesses(settings: FailedBindsSettings | None = SETTINGS) -> Guesses:
    return Guesses(settings)


def fails(
    found: Guesses, times: int, name: str = BANK, host: str = HERE, now: float = 0.0
) -> list[Block]:
    """What begins with so many failures."""
    return [block for _ in range(times) for block in found.failed(host, name, now, exempt=False)]


def test_name_is_blocked_at_its_address_and_nowhere_else() -> None:
    found = guesses()
    assert fails(found, 2) == []
    assert not found.is_blocked(HERE, BANK, 0.0)
    assert fails(found, 1) == [Block(HERE, BANK, 3, 100.0)]
    blocked = [found.is_blocked(*key, 1.0) for key in ((HERE, BANK), (THERE, BANK), (HERE, SHOP))]
    assert blocked == [True, False, False]
    assert not found.is_blocked(HERE, None, 1.0)
    assert found.blocks == {"address": 0, "system_id": 1}


def test_block_ends_and_counting_begins_anew() -> None:
    found = guesses()
    fails(found, 3)
    assert found.is_blocked(HERE, BANK, 99.9)
    assert not found.is_blocked(HERE, BANK, 100.0)
    assert not found.blocked
    assert fails(found, 2, now=100.0) == []


def test_failures_count_within_a_time_from_the_first_of_them() -> None:
    found = guesses()
    fails(found, 2, now=0.0)
    assert fails(found, 2, now=60.1) == []
    assert [block.failures for block in fails(found, 1, now=120.0)] == [3]


def test_address_is_blocked_for_what_it_tries_with_any_name() -> None:
    found = guesses()
    begun = [fails(found, 1, f"name{number}") for number in range(5)]
    assert begun == [[]] * 4 + [[Block(HERE, None, 5, 100.0)]]
    assert found.is_blocked(HERE, None, 1.0)
    assert not found.is_blocked(THERE, None, 1.0)


def test_exempt_address_is_never_blocked_as_a_whole() -> None:
    found = guesses()
    for number in range(20):
        assert found.failed(HERE, f"name{number}", 0.0, exempt=True) == []
    assert not found.is_blocked(HERE, None, 1.0)


@pytest.mark.parametrize("still_bound", [True, False])
def test_account_that_is_known_there_is_spared_and_so_is_its_address(still_bound: bool) -> None:
    found = guesses()
    found.bound(HERE, BANK)
    if not still_bound:
        found.unbound(HERE, BANK, 0.0)
    assert fails(found, 3) == [Block(HERE, BANK, 3, 100.0, spares=True)]
    fails(found, 20)
    assert not found.is_blocked(HERE, BANK, 1.0)
    assert not found.is_blocked(HERE, None, 1.0)
    # Others that are tried from there are not known there.
    assert fails(found, 3, SHOP) == [Block(HERE, SHOP, 3, 100.0)]
    assert found.is_blocked(HERE, SHOP, 1.0)
    assert found.blocks == {"address": 0, "system_id": 1}


def test_account_is_known_for_a_day_after_its_last_bind() -> None:
    found = guesses()
    found.bound(HERE, BANK)
    found.bound(HERE, BANK)
    found.unbound(HERE, BANK, 0.0)
    assert found.knows(HERE, BANK, 10 * PROVEN_S)
    found.unbound(HERE, BANK, 5.0)
    known = [found.knows(HERE, BANK, 5.0 + after) for after in (PROVEN_S, PROVEN_S + 0.1)]
    assert known == [True, False]
    assert not found.knows(THERE, BANK, 5.0)
    assert not found.knows(HERE, SHOP, 5.0)


def test_bind_forgives_what_failed_before_it() -> None:
    found = guesses()
    fails(found, 2)
    found.bound(HERE, BANK)
    found.unbound(HERE, BANK, 0.0)
    assert fails(found, 2) == []


def test_account_is_forgiven_and_no_other() -> None:
    found = guesses(FailedBindsSettings(system_id=3, address=50))
    fails(found, 3)
    fails(found, 3, host=THERE)
    fails(found, 3, SHOP)
    fails(found, 2, "both")
    found.forgive({BANK, AccountName("both")})
    assert list(found.blocked.by_key) == [(HERE, SHOP)]
    assert fails(found, 2, "both") == []


def test_without_settings_nobody_is_blocked_and_who_was_is_not_any_more() -> None:
    found = guesses()
    fails(found, 3)
    found.adopt(None)
    assert not found.is_blocked(HERE, BANK, 1.0)
    assert fails(found, 100) == []


def test_more_than_can_be_remembered_are_not() -> None:
    found = guesses()
    for number in range(10_050):
        fails(found, 3, host=f"host{number}")
    assert len(found.blocked) == 10_000
    assert not found.is_blocked("host49", BANK, 1.0)
    assert found.is_blocked("host50", BANK, 1.0)


OTHERS: Final = st.lists(
    st.tuples(st.sampled_from([THERE, "192.0.2.3"]), st.sampled_from(["bank", "shop", "nobody"])),
    max_size=60,
)


@given(OTHERS, st.integers(0, 2))
def test_nothing_that_others_fail_at_blocks_an_address(
    others: list[tuple[str, str]], own: int
) -> None:
    found = guesses()
    fails(found, own)
    for host, name in others:
        found.failed(host, name, 0.0, exempt=False)
    assert not found.is_blocked(HERE, BANK, 0.0)
    assert not found.is_blocked(HERE, None, 0.0)


@given(st.lists(st.sampled_from(["bank", "shop", "nobody", "else"]), max_size=80))
def test_nothing_that_fails_at_its_address_keeps_an_account_out_that_is_known_there(
    names: list[str],
) -> None:
    found = guesses()
    found.bound(HERE, BANK)
    found.unbound(HERE, BANK, 0.0)
    for name in names:
        found.failed(HERE, name, 1.0, exempt=False)
    assert not found.is_blocked(HERE, BANK, 1.0)
    assert not found.is_blocked(HERE, None, 1.0)
