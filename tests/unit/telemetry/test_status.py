"""router/telemetry/status.py and status_view.py: the snapshot of a router, and how it is drawn."""

import io
import json
import re
from dataclasses import replace

import pytest

from router.report.learnt_ids import RULES, LearntIds
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.telemetry.document import BindStatus, ProblemStatus, Snapshot
from router.telemetry.status import not_ready, snapshot
from router.telemetry.verdict import age
from router.terms.names import AccountName, BindName, LaneName, OperatorId
from router.terms.outcome import NO_ROUTE, Outcome
from router.wiring.drains import set_drained
from router.wiring.remote import NoAnswerError
from router.wiring.status_one import account_page, account_view, ids_words
from router.wiring.status_page import Look
from router.wiring.status_view import console, drawn, parsed, write
from tests.unit.messages import pulled
from tests.unit.telemetry.running import (
    BANK,
    BULK,
    ELISA,
    OTP,
    SHOP,
    TELIA,
    FakeRenewal,
    FakeRouter,
    Stale,
)

NAME, TELIA_1 = LaneName("otp"), BindName("telia-1")


def busy() -> FakeRouter:
    """A router with something everywhere."""
    router = FakeRouter()
    router.bring_up(TELIA)
    router.journey.lanes.put(router.message(BANK, OTP, age_s=3.0))
    router.journey.lanes.put(router.message(SHOP, BULK, age_s=90.0))
    router.journey.rooms.take(SHOP, 100)
    bind = router.journey.operators[TELIA].binds[0]
    assert bind.pace is not None
    bind.pace.busiest.written(router.now)
    bind.round_trip.add_sample(0.02, router.now)
    bind.pace.rest(router.now + 1.5)
    router.journey.operators[TELIA].in_flight = 4
    router.journey.pending.correlators[TELIA].expect(OperatorId(b"1"), router.message(), 1.8e9)
    counters = router.journey.counters
    counters.submits[BANK, NAME, v.ESME_ROK] = 5
    counters.submits[SHOP, NAME, v.ESME_ROK] = 2
    counters.submits[SHOP, NAME, v.ESME_RTHROTTLED] = 1
    counters.sends[TELIA, TELIA_1, "lost"] = 3
    counters.outcomes[BANK, Outcome.EXPIRED] = 1
    counters.repeated[TELIA] = 2
    router.now += 0.5
    return router


def bind_of(status: Snapshot, name: str) -> BindStatus:
    (found,) = (b for one in status["operators"] for b in one["binds"] if b["name"] == name)
    return found


def text_of(status: Snapshot, width: int = 200) -> str:
    stream = io.StringIO()
    write(console(stream, width), drawn(status, Look(width=width)))
    return stream.getvalue()


def test_bind_that_is_up_says_all_that_on_call_wants_to_know() -> None:
    assert bind_of(snapshot(busy()), "telia-1") == {
        "name": "telia-1",
        "type": "transceiver",
        "address": "127.0.0.1:27751",
        "up": True,
        "state": "bound_trx",
        "since_s": 0.5,
        "failures": 0,
        "trouble": "",
        "drained": False,
        "breaker": "closed",
        "resting_s": 1.0,
        "window": 20,
        "window_in_use": 0,
        "window_needed": 1,
        "rate": "50/s",
        "rate_now": 50.0,
        "busiest_second": 1,
        "round_trip_s": 0.02,
        "why": "",
        "next_attempt_s": None,
        "now": {"out_per_s": 0.0, "refused_per_s": 0.0, "refused_as": ""},
        "answers": {"lost": 3},
    }


def test_bind_that_was_never_up_is_down_and_knows_no_round_trip() -> None:
    bind = bind_of(snapshot(busy()), "elisa-rx")
    assert (bind["up"], bind["state"], bind["round_trip_s"]) == (False, "down", None)
    assert (bind["rate"], bind["busiest_second"]) == (None, None)


def test_operator_whose_binds_wait_for_one_with_new_settings_says_which_and_why() -> None:
    router = busy()
    assert snapshot(router)["operators"][0]["waiting_to_rebind"] == []
    why = "telia-1 ESME_RINVPASWD"
    names = [BindName("telia-2"), BindName("telia-3")]
    router.connectors.renewals[TELIA] = FakeRenewal(names, why)
    status = snapshot(router)
    telia, elisa = status["operators"]
    assert (telia["waiting_to_rebind"], telia["waiting_because"]) == (names, why)
    assert (elisa["waiting_to_rebind"], elisa["waiting_because"]) == ([], "")
    text = text_of(status)
    assert re.search(r"telia-3 +old session: telia-1 ESME_RINVPASWD", text)
    assert re.search(r"telia +1/3 up, 2 with old session", text)
    router.connectors.renewals[TELIA].waiting = []
    assert snapshot(router)["operators"][0]["waiting_because"] == ""


def test_operator_that_is_removed_says_so_while_its_binds_stay() -> None:
    router = busy()
    router.journey.operators[TELIA].leave()
    status = snapshot(router)
    assert [one["leaving"] for one in status["operators"]] == [True, False]
    assert re.search(r"telia +removed: stays for receipts", text_of(status))


def test_window_that_is_too_small_for_the_rate_says_what_is_needed() -> None:
    router = busy()
    for _ in range(500):
        router.journey.operators[TELIA].binds[0].round_trip.add_sample(0.5, router.now)
    status = snapshot(router)
    assert bind_of(status, "telia-1")["window_needed"] == 25
    assert "0/20, rate needs 25" in text_of(status)


def test_bind_whose_operator_does_not_keep_up_says_at_what_rate() -> None:
    router = busy()
    bind = router.journey.operators[TELIA].binds[0]
    bind.operator.refused(bind, router.now, router.now)
    status = snapshot(router)
    assert bind_of(status, "telia-1")["rate_now"] == 30.0
    assert "30 of 50/s" in text_of(status)


def test_bind_and_operator_that_fail_say_so() -> None:
    router = busy()
    bind = router.journey.operators[TELIA].binds[0]
    assert bind.pace is not None
    bind.pace.resting_until = 0.0
    for _ in range(5):
        bind.operator.failed(bind, router.now)
    status = snapshot(router)
    assert bind_of(status, "telia-1")["breaker"] == status["operators"][0]["breaker"] == "open"
    assert text_of(status).count("fails: open") == 2


def test_bind_that_is_drained_says_so() -> None:
    router = busy()
    set_drained(router, "telia/telia-1", drained=True)
    status = snapshot(router)
    assert (bind_of(status, "telia-1")["drained"], bind_of(status, "telia-1")["up"]) == (True, True)
    assert status["operators"][0]["available"] is False
    assert re.search(r"telia-1 +drained", text_of(status))


def test_operator_says_what_waits_for_it_and_what_it_owes() -> None:
    telia, elisa = snapshot(busy())["operators"]
    assert (telia["available"], telia["in_flight"], telia["receipts_outstanding"]) == (True, 4, 1)
    assert (elisa["available"], elisa["rate"]) == (False, "80/s")
    assert telia["lanes"] == [
        {"lane": "otp", "messages": 1, "oldest_s": 3.5},
        {"lane": "alert", "messages": 0, "oldest_s": 0.0},
        {"lane": "bulk", "messages": 1, "oldest_s": 90.5},
    ]


def test_operator_says_which_forms_its_ids_have_and_how_that_is_known() -> None:
    router = FakeRouter()
    telia, elisa = snapshot(router)["operators"]
    assert telia["ids"] == {"known": "set", "response": "text", "receipt": "text"}
    assert elisa["ids"] == {"known": "set", "response": "hex", "receipt": "decimal"}
    assert ids_words(elisa["ids"]) == "hex in answers, decimal in receipts (set)"
    learnt = LearntIds()
    router.journey.pending.correlators[TELIA].learnt = learnt
    telia, _ = snapshot(router)["operators"]
    assert ids_words(telia["ids"]) == "not learnt yet"
    learnt.rule = RULES[2]
    telia, _ = snapshot(router)["operators"]
    assert ids_words(telia["ids"]) == "decimal in answers, hex in receipts (learnt)"


def test_messages_that_no_operator_may_take_stand_by_themselves() -> None:
    router = FakeRouter()
    router.journey.lanes.put(router.message(BANK, OTP))
    status = snapshot(router)
    assert [lane["messages"] for lane in status["without_operator"]] == [1, 0, 0]
    assert "no operator up" in text_of(status)


def test_account_says_its_binds_and_what_it_has_waiting() -> None:
    bank, shop = snapshot(busy())["accounts"]
    assert bank["binds"] == {"transmitter": 0, "receiver": 0, "transceiver": 0}
    assert (shop["name"], shop["waiting"], shop["queue"], shop["outbox"]) == ("shop", 1, 100000, 0)


def test_limits_are_shown_with_what_is_taken_of_them() -> None:
    router = busy()
    router.journey.rooms.restore(SHOP, 0, 2**29 - 100)
    router.journey.deliveries.outboxes[SHOP].restore(4_500_000, 1, 3 * 2**20)
    status = snapshot(router)
    _, shop = status["accounts"]
    assert (shop["waiting_octets"], shop["queue_size"]) == (2**29, 2**30)
    assert (shop["outbox"], shop["outbox_messages"]) == (4_500_000, 5_000_000)
    assert (shop["outbox_octets"], shop["outbox_size"]) == (3 * 2**20, 2**30)
    drawing = text_of(status)
    assert re.search(r"shop .* 4500000 +90%", drawing)
    assert "free" not in drawing
    view = "\n".join(str(line) for line in account_page(account_view(status, "shop"), 80))
    for what, taken, most in (
        ("queue", "1", "100000"),
        ("queue_size", "512MiB", "1GiB"),
        ("outbox_messages", "4500000", "5000000"),
        ("outbox_size", "3MiB", "1GiB"),
    ):
        assert re.search(f"{what} +{taken} +{most}\n", view)


def test_space_that_ends_is_said() -> None:
    router = busy()
    router.journey.commits.found_space(2**30, 2**29)
    assert "1GiB free, clock believed\n" in text_of(snapshot(router))
    router.journey.commits.found_space(2**28, 2**29)
    status = snapshot(router)
    assert status["journal"]["is_short_of_space"]
    assert status["not_ready"] == not_ready(router) == "the disk is nearly full (journal.keep_free)"
    assert not status["ready"]
    assert "256MiB free, of 512MiB to keep: only receipts are taken" in text_of(status)
    router.journey.commits.found_space(2**30, 2**29)
    assert not_ready(router) is None


def test_totals_are_over_all_accounts_and_operators() -> None:
    totals = snapshot(busy())["totals"]
    assert totals["submits"] == {"ESME_ROK": 7, "ESME_RTHROTTLED": 1}
    assert (totals["sends"], totals["outcomes"]) == ({"lost": 3}, {"expired": 1})
    assert totals["repeated"] == 2


def test_snapshot_is_json_and_holds_no_password() -> None:
    text = json.dumps(snapshot(busy()), allow_nan=False)
    assert not any(word in text for word in ("secret01", "pw1", "372555"))


@pytest.mark.parametrize(
    ("ready", "draining", "journal_up", "reason"),
    [
        (True, False, True, None),
        (False, False, True, "starting"),
        (False, True, True, "draining"),
        (True, False, False, "journal is down"),
        (False, True, False, "draining"),
    ],
)
def test_router_is_ready_or_says_why_not(
    ready: bool, draining: bool, journal_up: bool, reason: str | None
) -> None:
    router = FakeRouter()
    router.ready = ready
    router.journey.intake.draining, router.journey.commits.up = draining, journal_up
    assert not_ready(router) == reason
    assert (snapshot(router)["ready"], snapshot(router)["not_ready"]) == (reason is None, reason)


# Drawn.


def test_drawing_shows_binds_lanes_accounts_and_totals() -> None:
    text = text_of(snapshot(busy()))
    for part in ("rests 1.0s", "20.0 ms", "1, 3.5s", "1, 1m 30s", "lost 3"):
        assert part in text
    assert "ready, up 0.5s, listening on 127.0.0.1:2775" in text
    assert "journal up (0 pending)" in text
    assert re.search(r"shop +0/2 +0 +0 +0 +1 +1m 30s", text)
    assert "no operator up" not in text


def test_drawing_shows_the_rate_that_binds_have_together() -> None:
    text = text_of(snapshot(busy()))
    assert re.search(r"elisa .* 80/s", text)


def test_drawing_says_what_is_not_well() -> None:
    router = busy()
    router.journey.commits.up = False
    router.journey.operators[ELISA].binds[0].failures = 7
    router.journey.operators[ELISA].binds[0].trouble = "ESME_RINVPASWD"
    router.journey.lanes.delays.delay(pulled(router.message()), router.now + 30.0)
    text = text_of(snapshot(router))
    for part in (
        "not ready: journal is down",
        "journal down",
        "down, ESME_RINVPASWD, 7 failed",
        "1 more wait",
    ):
        assert part in text


@pytest.mark.parametrize("width", [200, 80, 40, 20])
def test_no_name_is_cut_and_no_line_too_long_however_narrow(width: int) -> None:
    text = text_of(snapshot(busy()), width=width)
    assert "…" not in text
    assert {"telia", "elisa-tx2", "bank"} <= set(text.split())
    if width >= 40:
        assert max(map(len, text.splitlines())) <= width


def test_text_of_a_peer_is_drawn_as_it_is() -> None:
    status = snapshot(busy())
    status["totals"]["failed_binds"] = {"[red]x[/red]": 1}
    assert "[red]x[/red] 1" in text_of(status)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0s"), (9.94, "9.9s"), (59.9, "59s"), (60.0, "1m 0s"), (90061.0, "1d 1h")],
)
def test_age_is_shown_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize("octets", [b"", b"<html>", b"[]", b"{}", b'{"version": "1"}', b"\xff"])
def test_answer_that_is_no_status_is_said_to_be_none(octets: bytes) -> None:
    with pytest.raises(NoAnswerError):
        parsed(octets)


def test_answer_of_a_router_is_its_status() -> None:
    status = snapshot(busy())
    assert parsed(json.dumps(status).encode()) == status


def test_status_of_another_version_is_not_drawn_wrong() -> None:
    status = snapshot(busy())
    status["operators"][0]["binds"] = [{"name": "x"}]  # type: ignore[typeddict-item]
    status["version"] = "9.9"
    with pytest.raises(NoAnswerError, match=r"a router of version 9\.9 is not understood"):
        drawn(status)


def test_configuration_that_runs_is_named_and_so_is_what_its_files_differ_in() -> None:
    router = FakeRouter()
    status = snapshot(router)
    digest = router.settings.digest
    assert status["config"] == {"hash": digest, "since_utc": 1.8e9, "stale": False, "why": ""}
    text = text_of(status)
    assert f"configuration {digest} since 2027-01-15 08:00:00 UTC\n" in text
    assert "--against-running" not in text
    router.config = Stale()
    text = text_of(snapshot(router))
    assert "Note: configuration: the files differ\n" in text
    assert "-> `smpp-router check CONFIG --against-running`" in text


def test_congestion_is_shown_while_it_lasts() -> None:
    router = FakeRouter()
    assert snapshot(router)["congestion"] is None
    congestion = router.journey.intake.congestion
    congestion.refused(router.clock() - 2.0)
    congestion.refused(router.clock())
    assert snapshot(router)["congestion"] == {"since_s": 2.0, "refused": 2}
    congestion.is_on = False
    assert snapshot(router)["congestion"] is None


@pytest.mark.parametrize(
    ("ahead_s", "shown", "cause", "by_itself"),
    [
        (7200.0, "2h 0m ahead", "stood still", True),
        (-300_000.0, "3d 11h behind", "was wrong before", False),
    ],
)
def test_doubt_about_the_clock_is_shown_with_its_cure(
    ahead_s: float, shown: str, cause: str, by_itself: bool
) -> None:
    router = FakeRouter()
    believed = snapshot(router)
    assert believed["clock"] == {"ahead_s": 0.0, "waiting": 0, "cure": ""}
    assert "clock believed" in text_of(believed)
    clocks = router.journey.clocks
    clocks.go_on_from(clocks.utc() - ahead_s)
    message = router.message()
    router.journey.lanes.put(message)
    router.journey.lanes.delays.doubt(message)
    status = snapshot(router)
    assert (status["clock"]["ahead_s"], status["clock"]["waiting"]) == (ahead_s, 1)
    text = " ".join(text_of(status).split())
    assert f"the clock is {shown}, and doubted; 1 messages wait for it" in text
    assert "-> put the machine's clock right" in text
    assert cause in text
    assert "`smpp-router clock believe`" in text
    assert ("15 minutes" in text) == by_itself


def problem(what: str) -> ProblemStatus:
    return {
        "what": what,
        "about": "",
        "kind": "router",
        "do": "ask",
        "see": "docs/operators.md, Throttled",
    }


def test_what_is_not_well_is_told_before_all_else() -> None:
    status = snapshot(busy())
    status["problems"], status["notes"] = [problem("elisa is down")], [problem("files differ")]
    first, second, third, fourth, *_ = text_of(status).splitlines()
    assert first == "1 problem:"
    assert second == "  elisa is down"
    assert third == "    -> ask (docs/operators.md, Throttled)"
    assert fourth == "Note: files differ"
    status["problems"] = []
    assert text_of(status).startswith("No problem is known.")
    status["problems"] = [problem(f"problem {n}") for n in range(14)]
    text = text_of(status)
    assert "and 4 more: --all" in text
    assert text.count("-> ask") == 1 + 1  # Once for all problems that have it in common.


def test_refusals_and_the_latest_warnings_are_shown_and_nothing_of_a_peer_is_obeyed() -> None:
    router = busy()
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"4670123456"), short_message=b"Tere")
    for _ in range(81):
        router.journey.intake.refusals.add(
            AccountName("bank"), "192.0.2.1:5", Pdu(v.SUBMIT_SM, 0, 1, octets), NO_ROUTE, 1.8e9
        )
    status = snapshot(router)
    (bank,) = (one for one in status["accounts"] if one["name"] == "bank")
    assert bank["refused"] == [
        {
            "reason": "no_route",
            "status": "ESME_RINVDSTADR",
            "count": 81,
            "last_utc": 1.8e9,
            "client": "192.0.2.1:5",
            "prefix": "46701",
        }
    ]
    said = {"timestamp": "2027-01-15T08:00:01Z", "level": "warning", "event": "client.bind_refused"}
    status["events"] = [{**said, "system_id": "x\x1b[2J"}, {**said, "level": "info", "event": "it"}]
    text = text_of(status)
    assert re.search(r"bank +no_route +ESME_RINVDSTADR +15 Jan 08:00:00 +46701... +81", text)
    assert re.search(r"08:00:01 +client.bind_refused +system_id=x\\x1b\[2J", text)
    assert "\x1b[2J" not in text
    narrow = text_of(status, width=80).splitlines()
    assert any(line.startswith("08:00:01  client.bind_refused system_id=") for line in narrow)


def test_addresses_that_are_blocked_are_shown_the_latest_first_as_long_as_they_are() -> None:
    router = FakeRouter()
    for name in (b"bank", b"", b"\x1b[2Jx"):
        for _ in range(10):
            router.accounts.guessed("192.0.2.1", name, router.now)
    for number in range(20):
        router.accounts.guessed("192.0.2.1", b"%d" % number, router.now)
    status = snapshot(router)
    blocked = [(one["address"], one["system_id"], one["failures"]) for one in status["blocked"]]
    assert blocked == [
        ("192.0.2.1", None, 50),
        ("192.0.2.1", "\x1b[2Jx", 10),
        ("192.0.2.1", "", 10),
        ("192.0.2.1", "bank", 10),
    ]
    assert status["blocked"][0]["left_s"] == 300.0
    text = text_of(status)
    assert re.search(r"192.0.2.1 +\(all\) +50 +5m", text)
    assert "\x1b[2J" not in text
    router.now += 300.0
    assert snapshot(router)["blocked"] == []


def test_no_more_blocks_are_shown_than_a_page_takes() -> None:
    router = FakeRouter()
    for number in range(150):
        for _ in range(10):
            router.accounts.guessed(f"192.0.2.{number}", b"bank", router.now)
    shown = [one["address"] for one in snapshot(router)["blocked"]]
    assert (len(shown), shown[0]) == (100, "192.0.2.149")


def test_account_that_was_removed_is_told_while_it_has_something() -> None:
    router = FakeRouter()
    fewer = {name: one for name, one in router.settings.accounts.items() if name != BANK}
    router.journey.rooms.take(BANK, 100)
    router.accounts.adopt(fewer, 0.0)
    router.journey.rulebook.rules = replace(router.journey.rulebook.rules, accounts=fewer)
    status = snapshot(router)
    (bank,) = [one for one in status["accounts"] if one["name"] == BANK]
    assert (bank["leaving"], bank["waiting"]) == (True, 1)
    assert any("bank is removed, and has 0 binds, 1 waiting" in n["what"] for n in status["notes"])
    router.journey.rooms.give(BANK, 100)
    assert BANK not in [one["name"] for one in snapshot(router)["accounts"]]
