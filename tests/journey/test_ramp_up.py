"""router/enqueue/lanes.py, ramp_up.py: an operator that is too slow, and one that is back."""

from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router, World, with_lane
from tests.journey.scenes import connected_to_both

# An operator that is up, and too slow.


def test_what_has_waited_too_long_for_its_operator_goes_to_the_next_too(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=5.0))
    telia, elisa, client = connected_to_both(router)
    for n in range(500):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(4.9)
    assert elisa.submits == []
    world.run(4.0)
    assert len(telia.submits) + len(elisa.submits) == 500  # Ten seconds' worth, in less than eight.
    assert set(telia.texts()) | set(elisa.texts()) == {b"%d" % n for n in range(500)}
    router.assert_all_is_over()


def test_what_has_not_waited_so_long_stays(world: World, contract: Settings) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=5.0))
    telia, elisa, client = connected_to_both(router)
    for _ in range(10):
        for _ in range(40):
            client.submit(registered_delivery=0)
        world.run(1.0)
    assert elisa.submits == []
    assert len(telia.submits) == 400


def test_what_waits_behind_a_throttling_operator_goes_to_the_next(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=5.0))
    _, elisa, client = connected_to_both(router, status=v.ESME_RTHROTTLED)
    for _ in range(3):
        client.submit(registered_delivery=0)
    world.run(8.0)
    assert len(elisa.submits) == 3
    assert router.outcomes == [Outcome.SENT] * 3
    router.assert_all_is_over()


def test_a_part_stays_with_the_operator_of_the_others_though_it_is_slow(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=2.0))
    telia, elisa, client = connected_to_both(router)
    parts = [(reference, part) for reference in range(100) for part in (1, 2, 3)]
    for reference, part in parts:
        header = bytes((5, 0, 3, reference, 3, part))
        client.submit(text=header + b"x", esm_class=0x40, registered_delivery=0)
    world.run(10.0)
    telias = [text[3] for text in telia.texts()]
    elisas = [text[3] for text in elisa.texts()]
    assert len(telias) + len(elisas) == 300
    assert len(elisas) > 30
    assert not set(telias) & set(elisas)
    router.assert_all_is_over()


# An operator that is back.


def away(world: World, router: Router, seconds: float) -> tuple[Operator, Operator]:
    """Telia was away for so long, and is back; elisa has stood in for her."""
    telia, elisa = router.operator("telia"), router.operator("elisa")
    world.run(1.0)
    telia.far.drop()
    world.run(seconds)
    return router.operator("telia"), elisa


def shop_submits(world: World, client: Client, seconds: int, each: int = 20) -> None:
    """Bulk, evenly over the time."""
    for _ in range(seconds * each):
        client.submit(b"37211111111", registered_delivery=0)
        world.run(1.0 / each)


def test_an_operator_that_is_back_gets_its_traffic_back_bit_by_bit(
    world: World, router: Router
) -> None:
    telia, elisa = away(world, router, 60.0)
    client = router.client(b"shop", b"secret02")
    shares = []
    for _ in range(6):
        before = len(telia.submits)
        shop_submits(world, client, 5)
        shares.append((len(telia.submits) - before) / 100)
    assert shares[0] < 0.25
    assert shares == sorted(shares)
    assert 0.45 < shares[3] < 0.75
    assert shares[5] > 0.85
    before = len(elisa.submits)
    shop_submits(world, client, 3)
    assert len(elisa.submits) == before


def test_an_operator_that_is_back_after_a_blip_gets_all_of_it(world: World, router: Router) -> None:
    telia, elisa = away(world, router, 2.0)
    shop_submits(world, router.client(b"shop", b"secret02"), 3)
    assert elisa.submits == []
    assert len(telia.submits) == 60


def test_an_operator_that_is_back_alone_gets_all_of_it(world: World, router: Router) -> None:
    telia, elisa = away(world, router, 60.0)
    elisa.far.drop()
    shop_submits(world, router.client(b"shop", b"secret02"), 3)
    assert len(telia.submits) == 60


def test_what_is_urgent_stays_with_who_stood_in_and_waits_for_no_ramp(
    world: World, router: Router
) -> None:
    telia, elisa = away(world, router, 60.0)
    client = router.client()
    for _ in range(20):
        client.submit(registered_delivery=0)
        world.run(0.05)
    assert (len(telia.submits), len(elisa.submits)) == (0, 20)
    for _ in range(95):  # Twice what elisa has slots for.
        client.submit(registered_delivery=0)
    world.run(1.1)
    assert len(telia.submits) + len(elisa.submits) == 115
    assert len(telia.submits) > 40
    router.assert_all_is_over()


def test_a_backlog_is_worked_off_by_both_in_turn(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    world.run(1.0)
    telia.far.drop()
    world.run(60.0)
    client = router.client(b"shop", b"secret02")
    for _ in range(40):
        for _ in range(50):
            client.submit(b"37211111111", registered_delivery=0)
        world.run(0.05)
    telia = router.operator("telia")
    before = len(elisa.submits)
    world.run(16.0)
    elisas = len(elisa.submits) - before
    assert 16 * 50 <= len(telia.submits) + elisas <= 16 * 70  # Never less than one can carry.
    assert 16 * 50 * 0.25 <= len(telia.submits) <= 16 * 50 * 0.5


def test_what_is_throttled_for_twenty_minutes_goes_to_the_next_operator(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=None, failover_after_s=None))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda _: v.ESME_RTHROTTLED
    router.client().submit(registered_delivery=0)
    world.run(1190.0)
    assert elisa.submits == []
    world.run(30.0)
    assert len(elisa.submits) == 1
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()
