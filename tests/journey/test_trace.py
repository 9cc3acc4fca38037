"""router/telemetry/trace.py: what a trace shows of the connections that it wants, of no others."""

from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.telemetry import trace as t
from router.telemetry.pdu_words import header
from router.telemetry.trace import (
    ITEM_OCTETS,
    MOST_ASKED,
    MOST_BEFORE_BIND,
    MOST_TRACES,
    SHOWN_AT_ONCE,
    Seen,
    TooManyTracesError,
    Trace,
    Wanted,
)
from router.terms.settings import Settings
from tests.doubles import Client, Router, Threads, World, with_account
from tests.journey.scenes import connected, submitted
from tests.journey.test_password_checks import hashed

EVERYTHING: Final = Wanted()


def shown(trace: Trace) -> list[str]:
    """What the reader has not seen yet, in a word or two each."""
    return [_words(one) for one in trace.take(10_000)]


def _words(one: Seen) -> str:
    if one.what != "pdu":
        return f"{one.what} {one.why}".strip()
    return f"{one.direction} {v.command_name(header(one.octets)[0])}"


def test_nobody_pays_for_a_trace_that_nobody_asked_for(router: Router) -> None:
    operator, client = connected(router)
    assert operator.link.tap is None
    assert client.link.tap is None
    trace = router.traces.begin(EVERYTHING)
    assert operator.link.tap is not None
    assert client.link.tap is not None
    router.traces.end(trace)
    assert operator.link.tap is None
    assert client.link.tap is None


def test_account_is_shown_on_its_connections_and_nobody_else(router: Router) -> None:
    operator, client = connected(router)
    other = router.client(b"shop", b"secret02")
    trace = router.traces.begin(Wanted(account="bank"))
    submitted(router, operator, other)
    submitted(router, operator, client)
    operator.report_all()
    router.world.settle()
    assert shown(trace) == [
        "in submit_sm",
        "out submit_sm_resp",
        "out deliver_sm",
        "in deliver_sm_resp",
    ]
    assert other.link.tap is None
    client.far.drop()
    assert shown(trace) == ["ended closed by the peer"]


def test_bind_that_is_refused_is_shown_to_who_traces_the_account_that_it_claims(
    router: Router,
) -> None:
    trace = router.traces.begin(Wanted(account="ghost"))
    ghost, bank = (Client(router.world, router) for _ in range(2))
    ghost.far.send(p.build(v.ENQUIRE_LINK, 0, 1))
    router.world.settle()
    ghost.bind(b"ghost", b"x")
    bank.bind(b"bank", b"secret01")
    router.world.run(5.0)
    assert shown(trace) == [
        "in enquire_link",
        "out enquire_link_resp",
        "in bind_transceiver",
        "out bind_transceiver_resp",
        "ended closed by the router",
    ]
    assert bank.link.tap is None


def test_client_that_never_says_who_it_is_is_forgotten(router: Router) -> None:
    trace = router.traces.begin(Wanted(account="bank"))
    silent = Client(router.world, router)
    assert silent.link.tap is not None
    silent.far.send(b"GET / HTTP/1.1\r\n\r\n")
    router.world.settle()
    assert shown(trace) == []


def test_client_whose_bind_was_under_way_is_shown_once_it_is_bound(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", passwords=(hashed(b"secret01"),)))
    threads = Threads(world)
    threads.compute_for(router)
    client = Client(world, router)
    number = client.bind(b"bank", b"secret01")
    world.settle()
    trace = router.traces.begin(Wanted(account="bank"))
    threads.finish_all()
    assert client.status_of(number) == 0
    client.submit(b"37255512345")
    world.settle()
    assert shown(trace) == ["out bind_transceiver_resp", "in submit_sm", "out submit_sm_resp"]


def test_peer_is_shown_by_its_address_also_what_is_no_smpp(router: Router) -> None:
    trace = router.traces.begin(Wanted(peer="127.0.0.1"))
    stranger = Client(router.world, router)
    stranger.far.send(b"GET / HTTP/1.1\r\nHost: 37255512345\r\n\r\n")
    router.world.run(2.0)
    octets, nack, ended = trace.take(10)
    assert (octets.what, octets.why, _words(nack)) == ("octets", "HTTP", "out generic_nack")
    assert octets.told(reveals=True)["octets"] == "2a" * 37
    assert ended.what == "ended"


def test_peer_over_ipv6_with_an_address_of_ipv4_is_found(router: Router, world: World) -> None:
    trace = router.traces.begin(Wanted(peer="192.0.2.1"))
    other, found = (Client(world, router, host) for host in ("192.0.2.2", "::ffff:192.0.2.1"))
    assert other.link.tap is None
    assert found.link.tap is not None
    assert trace.seen == 0


def test_bind_to_an_operator_is_shown_from_its_first_octet(router: Router) -> None:
    of_bind = router.traces.begin(Wanted(bind="telia-1"))
    of_operator = router.traces.begin(Wanted(operator="elisa"))
    operator, client = connected(router)
    submitted(router, operator, client)
    began = ["out bind_transceiver", "in bind_transceiver_resp"]
    assert shown(of_bind) == [*began, "out submit_sm", "in submit_sm_resp"]
    assert shown(of_operator) == []


@pytest.mark.parametrize("written", [b"+372 555-12345", b"0037255512345", b"37255512345"])
def test_number_is_found_however_it_is_written_with_answers_and_receipts(
    router: Router, written: bytes
) -> None:
    operator, client = connected(router)
    trace = router.traces.begin(Wanted(number="37255512345"))
    submitted(router, operator, client, destination=b"37255588888")
    assert shown(trace) == []
    submitted(router, operator, client, destination=written)
    operator.report(b"2")
    operator.deliver(b"Hi", source=(1, 1, b"37255500000"))
    router.world.settle()
    found = shown(trace)
    assert sorted(found) == sorted(
        [
            *("in submit_sm", "out submit_sm_resp", "out submit_sm", "in submit_sm_resp"),
            *("in deliver_sm", "out deliver_sm_resp", "out deliver_sm", "in deliver_sm_resp"),
        ]
    )


def test_requests_that_are_never_answered_are_forgotten(router: Router) -> None:
    _, client = connected(router, status=None)
    trace = router.traces.begin(Wanted(number="37255512345", operator="telia"))
    (tap,) = router.traces._taps.values()
    pdu = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"37255512345"))
    for number in range(MOST_ASKED + 5):
        tap.left(pdu[:12] + number.to_bytes(4, "big") + pdu[16:])
    (asked,) = tap._asked.values()
    assert len(asked) == MOST_ASKED
    router.traces.end(trace)
    assert not tap._asked
    assert client.link.tap is None


def test_trace_that_is_not_read_is_bounded_and_says_what_it_left_out(router: Router) -> None:
    _, client = connected(router)
    slow = router.traces.begin(Wanted(account="bank"), most_octets=3 * (ITEM_OCTETS + 40))
    other = router.traces.begin(Wanted(account="bank"))
    for number in range(10):
        client.far.send(p.build(v.ENQUIRE_LINK, 0, number))
    router.world.settle()
    assert (slow.seen, slow.dropped) == (3, 17)
    assert other.seen == 20
    assert [one.dropped for one in slow.take(2)] == [0, 0]
    client.far.send(p.build(v.ENQUIRE_LINK, 0, 11))
    router.world.settle()
    assert [one.dropped for one in slow.take(9)] == [0, 17, 0]
    assert slow.dropped == 17


def test_what_a_peer_has_half_sent_when_the_trace_begins_is_whole_in_it(router: Router) -> None:
    _, client = connected(router)
    octets = p.build(v.ENQUIRE_LINK, 0, 77)
    client.far.send(octets[:9])
    router.world.settle()
    trace = router.traces.begin(Wanted(account="bank"))
    client.far.send(octets[9:] + octets[:5])
    router.world.settle()
    assert [one.octets for one in trace.take(9)] == [octets, p.response(v.ENQUIRE_LINK, 77)]
    client.far.drop()
    assert shown(trace) == ["ended closed by the peer, 5 octets into a PDU"]


def test_nothing_is_revealed_before_a_bind_was_accepted(router: Router) -> None:
    trace = router.traces.begin(Wanted(account="bank"))
    client = Client(router.world, router)
    secret = p.build(0x999, 0, 1, b"secret")
    client.far.send(secret)
    client.bind(b"bank", b"secret01")
    router.world.settle()
    client.far.send(secret)
    router.world.settle()
    told = [bytes.fromhex(str(one.told(reveals=True)["octets"])) for one in trace.take(20)]
    assert [octets[16:] for octets in told if header(octets)[0] == 0x999] == [b"******", b"secret"]
    assert not any(b"secret01" in octets for octets in told)


def test_client_that_says_much_before_its_bind_is_kept_in_part(router: Router) -> None:
    router.traces.begin(Wanted(account="bank"))
    client = Client(router.world, router)
    tap = client.link.tap
    assert isinstance(tap, t.Tap)
    for number in range(50):
        tap.left(p.build(v.ENQUIRE_LINK, 0, number))
    assert len(tap._kept) == MOST_BEFORE_BIND
    tap._kept.clear()
    tap.left(p.build(0x999, 0, 1, bytes(70_000)))
    assert tap._kept == []


def test_flood_is_shown_over_several_turns_in_its_order(router: Router, world: World) -> None:
    _, client = connected(router)
    trace = router.traces.begin(Wanted(account="bank"))
    numbers = range(1, 3 * SHOWN_AT_ONCE)
    tap = client.link.tap
    assert isinstance(tap, t.Tap)
    tap.came(b"".join(p.build(v.ENQUIRE_LINK, 0, number) for number in numbers) + b"\0\0\0\5")
    assert trace.seen == SHOWN_AT_ONCE
    world.settle()
    *pdus, lost = trace.take(1000)
    assert [header(one.octets)[2] for one in pdus] == list(numbers)
    assert (lost.what, len(lost.octets)) == ("octets", 4)
    assert {one.at_utc for one in pdus} == {world.clock_utc()}


def test_end_of_a_flood_is_shown_behind_all_of_it(router: Router) -> None:
    _, client = connected(router)
    trace = router.traces.begin(Wanted(account="bank"))
    tap = client.link.tap
    assert isinstance(tap, t.Tap)
    tap.came(p.build(v.ENQUIRE_LINK, 0, 1) * 3 * SHOWN_AT_ONCE)
    client.far.drop()
    assert shown(trace)[3 * SHOWN_AT_ONCE :] == ["ended closed by the peer"]


def test_so_many_traces_at_once_and_no_more(router: Router) -> None:
    traces = [router.traces.begin(EVERYTHING) for _ in range(MOST_TRACES)]
    with pytest.raises(TooManyTracesError):
        router.traces.begin(EVERYTHING)
    router.traces.end(traces[0])
    router.traces.end(traces[0])
    router.traces.begin(EVERYTHING)
    router.traces.close()
    assert all(one.is_over for one in traces)
    assert router.traces.running == []
    with pytest.raises(TooManyTracesError):
        router.traces.begin(EVERYTHING)


def test_many_connections_are_tapped_over_several_turns(
    router: Router, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(t, "TAPPED_AT_ONCE", 2)
    clients = [router.client() for _ in range(3)]
    gone = router.client(b"shop", b"secret02")
    trace = router.traces.begin(EVERYTHING)
    assert sum(one.link.tap is not None for one in (*clients, gone)) == 2
    gone.far.drop()
    world.settle()
    assert all(one.link.tap is not None for one in clients)
    assert gone.link.tap is None
    router.traces.end(trace)
    world.settle()
    assert not any(one.link.tap is not None for one in clients)
