"""steps/clocks.py: a wall clock that jumps, before or after a start, expires nothing."""

import pytest

from router.terms.clock import CONFIRM_S
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Router, World, with_lane

YEAR_S = 365 * 86_400.0
JUMPS = pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])


@pytest.fixture
def router(world: World, contract: Settings) -> Router:
    return Router(world, with_lane(contract, "otp", validity_s=3 * CONFIRM_S))


@JUMPS
def test_a_jump_expires_nothing_and_is_told(world: World, router: Router, jump_s: float) -> None:
    router.client().submit(text=b"kept")
    world.run(2.0)
    world.utc_offset += jump_s
    world.run(2 * CONFIRM_S)
    assert router.outcomes == []
    assert router.clock_changes == [pytest.approx(jump_s)]
    world.utc_offset -= jump_s
    world.run(2.0)
    assert router.clock_changes[1:] == [0.0]
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept"]


@JUMPS
def test_a_wrong_clock_at_the_start_expires_nothing_and_repeats_no_id(
    world: World, router: Router, jump_s: float
) -> None:
    client = router.client()
    before = client.submit(text=b"kept")
    world.run(2.0)
    world.utc_offset += jump_s
    again = router.restarted()
    back = again.client()
    after = back.submit(text=b"new")
    world.run(2 * CONFIRM_S)
    assert again.outcomes == []
    assert again.clock_changes == [pytest.approx(jump_s, abs=60.0)]
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept", b"new"]
    assert int(back.id_of(after)) > int(client.id_of(before))


def test_validity_ends_in_time_although_the_clock_is_wrong(world: World, router: Router) -> None:
    router.client().submit()
    world.run(2.0)
    world.utc_offset += YEAR_S
    again = router.restarted()
    world.run(3 * CONFIRM_S)
    assert again.outcomes == [Outcome.EXPIRED]


def test_a_journal_that_holds_nothing_leaves_the_clock_its_say(
    world: World, router: Router
) -> None:
    world.run(2.0)
    world.utc_offset += YEAR_S
    again = router.restarted()
    assert again.journey.clocks.utc() == world.clock_utc()
    assert again.clock_changes == []
