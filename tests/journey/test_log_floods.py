"""router/accept/server.py: who comes again and again does not fill the log."""

from structlog.testing import capture_logs

from router.accept.accounts import LINES_OF_ACCOUNT, LINES_OF_ADDRESS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.doubles import Client, Router, World

STRANGER = "127.0.0.66"
MANY = 150


def comes_and_goes(world: World, router: Router, host: str, password: bytes) -> None:
    client = Client(world, router, host)
    client.bind(b"bank", password)
    world.run(1.1)
    client.far.drop()
    world.settle()


def test_stranger_that_binds_again_and_again_is_logged_now_and_again(
    world: World, router: Router
) -> None:
    with capture_logs() as logs:
        for _ in range(MANY):
            comes_and_goes(world, router, STRANGER, b"wrong")
        healthy = router.client()
        world.run(600.0)
        comes_and_goes(world, router, STRANGER, b"wrong")
    refused = [log for log in logs if log["event"] == "client.bind_refused"]
    per_s = LINES_OF_ADDRESS.per_second
    assert LINES_OF_ADDRESS.count < len(refused) <= LINES_OF_ADDRESS.count + 1.1 * MANY * per_s + 2
    left_out = sum(log.get("suppressed", 0) for log in refused)
    assert len(refused) + left_out == MANY + 1
    assert refused[-1]["suppressed"] > 0
    failed = router.journey.counters.failed_binds
    assert failed["wrong_credentials"] + failed["blocked"] == MANY + 1
    assert [log["event"] for log in logs if log.get("account") == "bank"] == ["client.bound"]
    assert healthy.link.bind_type


def test_strangers_notes_are_limited_over_all_their_connections(
    world: World, router: Router
) -> None:
    with capture_logs() as logs:
        for _ in range(MANY):
            client = Client(world, router, STRANGER)
            client.far.send(p.build(0x77, 0, 1))
            world.settle()
            client.far.drop()
            world.settle()
    unknown = [log for log in logs if log["event"] == "pdu.unknown"]
    assert len(unknown) == LINES_OF_ADDRESS.count
    assert router.journey.counters.refused_pdus["pdu.unknown"] == MANY


def test_client_that_binds_again_and_again_is_logged_now_and_again_and_others_always(
    world: World, router: Router
) -> None:
    with capture_logs() as logs:
        for _ in range(MANY):
            client = router.client()
            client.far.send(p.build(v.UNBIND, 0, 9))
            world.settle()
            client.far.drop()
            world.settle()
        router.client(b"shop", b"secret02")
    bound = [log for log in logs if log["event"] == "client.bound"]
    assert len(bound) == LINES_OF_ACCOUNT.count + 1
    assert bound[-1]["account"] == "shop"
    unbound = [log for log in logs if log["event"] == "client.unbound"]
    assert len(unbound) == LINES_OF_ACCOUNT.count
