"""`tests/contract/router.yaml`, with only its ports changed, does what its comments say.

Two simulated operators that let in only whom the file names. What a status means (`on_status`) is
here as far as it needs no half minute; the rest is in tests/journey, where time costs nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.stand import Operator, Router
from router.smpp import vocabulary as v
from tests.e2e.scene import CONTRACT, Peer, changed

BINDS = 6
SUBSCRIBERS = """\
clock: bind
inbound: {rate: 5/s, source: "3725{7}", destination: "12302", text: messente to telia}
phases:
  - {at: 1s, inbound: {rate: 5/s, source: "3725{7}", destination: "12302", text: balance to telia}}
"""
ELISA_SUBSCRIBERS = "rate:5/s,destination:12302,text:MESSENTE to elisa"


@dataclass(frozen=True)
class Stand:
    """The router between its two operators."""

    router: Router
    telia: Operator
    elisa: Operator


@pytest.fixture(scope="module")
def at(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    folder = tmp_path_factory.mktemp("contract")
    scenario = folder / "subscribers.yaml"
    scenario.write_text(SUBSCRIBERS, encoding="utf-8")
    telia = stand.operator(
        shared,
        *("--system-id", "agg1", "--password", "pw1", "--binds-rate", "50/s", "--ids", "text"),
        *("--scenario", str(scenario)),
    )
    elisa = stand.operator(
        shared,
        *("--system-id", "agg2", "--password", "pw2", "--binds-rate", "50/s"),
        *("--operator-rate", "80/s", "--ids", "hex", "--inbound", ELISA_SUBSCRIBERS),
        *("--status-by-destination", "3725111:0x400"),
    )
    text = changed(
        CONTRACT.read_text(encoding="utf-8"),
        ('"127.0.0.1:2775"', '"127.0.0.1:0"'),
        ('"127.0.0.1:9464"', '"127.0.0.1:0"'),
        ('"127.0.0.1:27751"', f'"127.0.0.1:{telia.port}"'),
        ('"127.0.0.1:27752"', f'"127.0.0.1:{elisa.port}"'),
    )
    router = stand.router(shared, text, folder)
    router.until_bound(BINDS)
    return Stand(router, telia, elisa)


@dataclass(frozen=True)
class Told:
    """What a campaign changed."""

    sent: dict[str, float]
    """Messages that each operator took."""
    not_taken: dict[str, float]
    """Answers other than ESME_ROK."""


def campaign(at: Stand, account: str, destination: str, count: int) -> Told:
    before = at.router.samples()
    password = {"bank": "secret01", "shop": "secret02"}[account]
    with ExitStack() as stack:
        client = stand.client(
            stack,
            at.router.port,
            *("--password", password, "--destination", destination, "--count", str(count)),
            system_id=account,
        )
        totals = stand.totals_of(client)
        stand.well(client, totals)
    assert totals["receipted"] == count
    after = at.router.samples()

    def sends(*, ok: bool) -> dict[str, float]:
        changes: dict[str, float] = {}
        for operator in ("telia", "elisa"):
            for status, now in after.by("status", "sends_total", operator=operator).items():
                then = before.sum("sends_total", operator=operator, status=status)
                if now > then and ok == (status == "ESME_ROK"):
                    changes[operator] = changes.get(operator, 0) + now - then
        return changes

    return Told(sends(ok=True), sends(ok=False))


@pytest.fixture
def bank(at: Stand) -> Iterator[Peer]:
    with Peer(at.router.port) as peer:
        answer = peer.bind("bank", "secret01")
        assert answer.command_status == v.ESME_ROK
        assert answer.octets[16:].startswith(b"smpp-router\0")
        yield peer


@pytest.fixture
def shop(at: Stand) -> Iterator[Peer]:
    with Peer(at.router.port) as peer:
        assert peer.bind("shop", "secret02").command_status == v.ESME_ROK
        yield peer


# First, before a simulated client takes what subscribers have sent.


def test_keyword_goes_to_shop_and_the_rest_to_bank(bank: Peer, shop: Peer) -> None:
    for_shop = {sm.message for sm in shop.hears_all(1)}
    until_heard(bank, {b"balance to telia", b"MESSENTE to elisa"})

    assert for_shop == {b"messente to telia"}
    assert {sm.message for sm in bank.delivered} == {b"balance to telia", b"MESSENTE to elisa"}
    assert {sm.destination_addr for sm in bank.delivered} == {b"12302"}


def until_heard(peer: Peer, texts: set[bytes]) -> None:
    while not texts <= {sm.message for sm in peer.delivered}:
        peer.hears(v.DELIVER_SM)


def test_first_operator_of_a_list_takes_all_while_it_is_up(at: Stand) -> None:
    assert campaign(at, "bank", "3726{7}", 30).sent == {"telia": 30}
    submits = at.router.samples().by("lane", "submits_total", account="bank")
    assert submits == {"otp": 30}


def test_rule_for_another_account_is_not_for_bank(at: Stand, bank: Peer) -> None:
    before = at.router.samples()

    for _ in range(10):
        assert bank.submit("37250000001").command_status == v.ESME_ROK

    def sent(operator: str) -> float:
        then = before.sum("sends_total", operator=operator)
        return at.router.samples().sum("sends_total", operator=operator) - then

    until("all are sent", lambda: sent("telia") == 10)
    assert sent("elisa") == 0


def test_shop_is_shared_by_weight(at: Stand) -> None:
    told = campaign(at, "shop", "37250{6}", 100)

    assert abs(told.sent["telia"] - 70) <= 1
    assert told.sent["telia"] + told.sent["elisa"] == 100


def test_priority_flag_3_goes_to_the_lane_alert(at: Stand, shop: Peer) -> None:
    before = at.router.samples()

    for priority_flag in (0, 1, 2, 3, 3, 3, 3, 3):
        answer = shop.submit("37260000001", priority_flag=priority_flag)
        assert answer.command_status == v.ESME_ROK

    now = at.router.samples()
    for lane, count in (("alert", 5), ("bulk", 3), ("otp", 0)):
        labels = {"account": "shop", "lane": lane}
        assert now.sum("submits_total", **labels) == before.sum("submits_total", **labels) + count


def test_ids_that_are_hex_in_answers_and_decimal_in_receipts_meet(at: Stand) -> None:
    assert campaign(at, "bank", "3582{7}", 60).sent == {"elisa": 60}


def test_longer_prefix_refuses_what_the_shorter_one_would_send(bank: Peer, shop: Peer) -> None:
    for peer in (bank, shop):
        assert peer.submit("35819990001").command_status == v.ESME_RINVDSTADR
        assert peer.submit("35819980001").command_status == v.ESME_ROK


def test_number_without_a_route_is_refused(bank: Peer) -> None:
    assert bank.submit("37120000001").command_status == v.ESME_RINVDSTADR


def test_status_0x400_sends_on_to_the_next_operator(at: Stand) -> None:
    told = campaign(at, "shop", "3725111{4}", 20)

    assert told.sent == {"telia": 20}
    assert told.not_taken == {"elisa": 6}


def test_third_bind_of_shop_is_refused_for_now(at: Stand) -> None:
    with Peer(at.router.port) as one, Peer(at.router.port) as two, Peer(at.router.port) as three:
        assert one.bind("shop", "secret02").command_status == v.ESME_ROK
        assert two.bind("shop", "secret02").command_status == v.ESME_ROK
        assert three.bind("shop", "secret02").command_status == v.ESME_RBINDFAIL


def test_wrong_password_is_refused_for_good(at: Stand) -> None:
    with Peer(at.router.port) as peer:
        assert peer.bind("shop", "secret01").command_status == v.ESME_RINVPASWD


# These end the operators: they stand last.


def test_second_operator_takes_over_when_the_first_is_killed(at: Stand) -> None:
    at.telia.child.kill()
    until("telia is down", lambda: at.router.samples().sum("bind_up", operator="telia") == 0)

    assert campaign(at, "bank", "3726{7}", 20).sent == {"elisa": 20}
    assert campaign(at, "shop", "37250{6}", 20).sent == {"elisa": 20}


def test_no_contracted_rate_was_exceeded(at: Stand) -> None:
    totals = at.elisa.totals()

    assert totals["throttled"] == 0
    assert number(totals, "busiest_second") <= 80
    binds = totals["binds"]
    assert isinstance(binds, list)
    assert max(number(bind, "busiest_second") for bind in binds) <= 50
