"""router/telemetry/verdict.py: what is not well, in words, the worst first."""

from pathlib import Path
from typing import cast

import pytest

from router.telemetry import verdict
from router.telemetry.document import BindStatus, QualityStatus, Snapshot
from router.telemetry.quality import DELIVERY
from router.telemetry.status import snapshot
from tests.unit.telemetry.running import BANK, ELISA, SHOP, TELIA, FakeRouter


def problems(status: Snapshot) -> list[str]:
    """What is not well; what helps is looked at where it matters."""
    found = verdict.problems(status)
    assert all(one["see"] in verdict.SEEN for one in found)
    return [one["what"] for one in found]


def notes(status: Snapshot) -> list[str]:
    return [one["what"] for one in verdict.notes(status)]


@pytest.fixture
def status() -> Snapshot:
    """A router of which all is well."""
    router = FakeRouter()
    for name in (TELIA, ELISA):
        for number in range(len(router.journey.operators[name].binds)):
            router.bring_up(name, number)
    found = snapshot(router)
    assert found["problems"] == []
    return found


def bind(status: Snapshot, operator: int, number: int = 0, **changed: object) -> None:
    cast("dict[str, object]", status["operators"][operator]["binds"][number]).update(changed)


def with_binds(status: Snapshot, operator: int, count: int) -> None:
    binds = status["operators"][operator]["binds"]
    first = binds[0]
    name = status["operators"][operator]["name"]
    binds[:] = [cast("BindStatus", {**first, "name": f"{name}-{n + 1}"}) for n in range(count)]


def down(status: Snapshot, operator: int, *numbers: int, trouble: str = "") -> None:
    for number in numbers:
        bind(status, operator, number, up=False, since_s=22.0, trouble=trouble)


def test_operator_that_is_down_is_one_problem_however_many_binds_it_has(status: Snapshot) -> None:
    with_binds(status, 0, 3)
    down(status, 0, 0, 1, 2, trouble="unreachable")
    assert problems(status) == ["telia is down, for 22s (unreachable)"]


def test_operator_with_receivers_alone_cannot_be_sent_anything(status: Snapshot) -> None:
    with_binds(status, 0, 2)
    bind(status, 0, 1, rate=None)
    down(status, 0, 0, trouble="lost")
    assert problems(status) == ["telia cannot be sent anything, for 22s (lost)"]


def test_binds_that_are_down_are_named_but_not_all(status: Snapshot) -> None:
    with_binds(status, 0, 8)
    down(status, 0, 1, trouble="lost")
    assert problems(status) == ["telia: 1 of 8 binds down: telia-2 for 22s (lost)"]
    down(status, 0, 2, 3, 4, 5, trouble="lost")
    (told,) = problems(status)
    assert told.startswith("telia: 5 of 8 binds down: telia-2 for 22s (lost), telia-3 for 22s")
    assert told.endswith(", and 2 more")


def test_bind_that_is_about_to_come_up_is_no_problem(status: Snapshot) -> None:
    with_binds(status, 0, 2)
    down(status, 0, 0, 1)
    assert problems(status) == []
    bind(status, 0, 0, since_s=31.0)
    bind(status, 0, 1, since_s=31.0)
    assert problems(status) == ["telia is down, for 31s"]
    bind(status, 0, 0, address="outbind at 0.0.0.0:2776")
    assert problems(status) == ["telia: 1 of 2 binds down: telia-2 for 31s"]


def test_what_was_asked_for_is_no_problem(status: Snapshot) -> None:
    with_binds(status, 0, 2)
    bind(status, 0, 0, drained=True, up=False, trouble="lost")
    assert problems(status) == []
    bind(status, 0, 1, drained=True)
    assert problems(status) == []
    down(status, 1, 0, trouble="lost")
    status["operators"][1]["leaving"] = True
    assert problems(status) == []


@pytest.mark.parametrize("state", ["open", "probing"])
def test_breakers_are_told_of_the_operator_or_of_binds(state: str, status: Snapshot) -> None:
    with_binds(status, 0, 2)
    bind(status, 0, 1, breaker=state)
    (told,) = problems(status)
    assert told == "telia: nothing, or one message at a time, on telia-2: too much fails there"
    status["operators"][0]["breaker"] = state
    (told,) = problems(status)
    assert told == "telia gets nothing, or one message at a time: too much fails there"


def test_urgent_messages_that_wait_are_told_and_a_campaign_is_not(status: Snapshot) -> None:
    otp, *_, bulk = status["operators"][0]["lanes"]
    bulk["messages"], bulk["oldest_s"] = 100_000, 3600.0
    otp["messages"], otp["oldest_s"] = 1, 29.0
    assert problems(status) == []
    otp["oldest_s"] = 45.0
    assert problems(status) == ["1 message of otp at telia, the oldest for 45s"]
    status["without_operator"][0]["messages"] = 3
    assert problems(status)[0] == "3 messages of otp can go nowhere, the oldest for 0.0s"


def test_of_a_single_lane_nothing_is_urgent(status: Snapshot) -> None:
    for operator in status["operators"]:
        del operator["lanes"][1:]
        operator["lanes"][0].update({"messages": 100, "oldest_s": 3600.0})
    assert problems(status) == []


def test_limits_that_are_near_are_told(status: Snapshot) -> None:
    account = status["accounts"][0]
    account["waiting"] = round(0.79 * account["queue"])
    assert problems(status) == []
    account["waiting"] = round(0.93 * account["queue"])
    account["outbox_octets"] = account["outbox_size"]
    assert problems(status) == [
        f"{account['name']} has taken 93% of its queue",
        f"{account['name']} has taken 100% of its outbox_size",
    ]


def test_what_is_refused_now_because_of_what_waits_is_told(status: Snapshot) -> None:
    account, now_utc = status["accounts"][0], status["at_utc"]
    for reason, ago_s in (("queue_full", 61.0), ("throttled", 1.0), ("outbox_full", 59.0)):
        account["refused"].append(
            {
                "reason": reason,
                "status": "ESME_RMSGQFUL",
                "count": 5,
                "last_utc": now_utc - ago_s,
                "client": "192.0.2.1:5",
                "prefix": "",
            }
        )
    name = account["name"]
    assert problems(status) == [f"messages of {name} are refused: outbox_full (ESME_RMSGQFUL)"]


def test_what_holds_up_all_comes_first_then_what_waits_in_vain_and_operators_that_are_down(
    status: Snapshot,
) -> None:
    with_binds(status, 0, 2)
    down(status, 0, 0, trouble="lost")
    down(status, 1, *range(len(status["operators"][1]["binds"])), trouble="lost")
    status["not_ready"] = "journal is down"
    status["journal"].update({"keep_free": 2**29, "free_octets": 2**30})
    status["clock"].update({"ahead_s": -3600.0, "cure": "say `clock believe`"})
    status["without_operator"][0]["messages"] = 3
    assert problems(status) == [
        "clients are not served: journal is down",
        "the journal's disk has 1024 MiB left; below 512 MiB only receipts are taken",
        "the wall clock is 1h 0m behind the time that the router uses",
        "3 messages of otp can go nowhere, the oldest for 0.0s",
        "elisa is down, for 22s (lost)",
        "telia: 1 of 2 binds down: telia-1 for 22s (lost)",
    ]
    assert notes(status) == []


def test_what_stays_until_a_restart_or_can_wait_is_a_note(status: Snapshot) -> None:
    status["journal"].update({"lost": True, "set_aside": 2})
    status["config"].update({"stale": True, "why": "the files differ from what runs"})
    assert problems(status) == []
    assert notes(status) == [
        "the journal lacked what had been accepted, when this process started",
        "2 rows of the journal could not be used, since this process started",
        "configuration: the files differ from what runs",
    ]


def test_bind_that_is_down_says_what_the_system_said_and_when_it_is_tried_again(
    status: Snapshot,
) -> None:
    with_binds(status, 0, 2)
    down(status, 0, 0, 1, trouble="unreachable")
    bind(status, 0, 0, why="Connection refused", next_attempt_s=12.0)
    bind(status, 0, 1, why="Connection refused", next_attempt_s=8.0)
    (told,) = verdict.problems(status)
    why = "unreachable: Connection refused, next attempt in 8.0s"
    assert told["what"] == f"telia is down, for 22s ({why})"
    assert (told["about"], told["see"]) == ("telia", verdict.STATES)
    assert "firewall" in told["do"]
    bind(status, 0, 1, trouble="ESME_RINVPASWD", why="", next_attempt_s=1.0)
    (told,) = verdict.problems(status)
    assert "ESME_RINVPASWD, next attempt in 1.0s" in told["what"]
    assert "operators.yaml" in told["do"]


def test_floods_of_refusals_are_told_and_single_ones_are_not(status: Snapshot) -> None:
    telia, account = status["operators"][0], status["accounts"][0]
    telia["now"].update({"out_per_s": 8.0, "refused_per_s": 2.0, "refused_as": "ESME_RTHROTTLED"})
    account["now"].update({"in_per_s": 0.0, "refused_per_s": 0.9, "refused_as": "ESME_RINVDSTADR"})
    assert problems(status) == []
    telia["now"]["refused_per_s"] = 30.0
    account["now"]["refused_per_s"] = 2.0
    name = account["name"]
    assert problems(status) == [
        "telia refuses 30 of 38 messages a second, most with ESME_RTHROTTLED",
        f"2 of 2 messages a second of {name} are refused, the last: ESME_RINVDSTADR",
    ]
    assert verdict.problems(status)[0]["see"] == verdict.THROTTLED
    assert {one["about"] for one in verdict.problems(status)} == {"telia", name}


def test_shares_at_which_the_alerts_come_are_problems(status: Snapshot) -> None:
    telia, account = status["operators"][0], status["accounts"][0]
    telia["now"].update({"out_per_s": 49.0, "refused_per_s": 21.0})
    (told,) = problems(status)
    assert told == "telia refuses 21 of 70 messages a second, most with "
    telia["now"]["refused_per_s"] = 0.0
    account["now"].update({"in_per_s": 94.0, "refused_per_s": 6.0, "refused_as": "ESME_RINVDSTADR"})
    (told,) = problems(status)
    assert told.startswith("6 of 100 messages a second of")
    account["now"]["throttled_per_s"] = 5.0  # Faster than its rate, as configured.
    assert problems(status) == []


def test_operator_that_delivers_little_or_never_says_is_told(status: Snapshot) -> None:
    last = status["operators"][0]["last"]
    last.update({"outcomes": 60, "deliverable": 49, "delivered": 0, "never_receipted": 49})
    last["latest_s"] = 1.0
    assert problems(status) == []
    last.update({"deliverable": 50, "delivered": 35, "never_receipted": 10})
    assert problems(status) == []
    last["delivered"] = 34
    assert problems(status) == ["telia: 68.0% of the last 50 that could be delivered were"]
    last["never_receipted"] = 11
    (told,) = verdict.problems(status)
    assert told["what"] == "telia: 22.0% of the last 50 that could be delivered never had a receipt"
    assert (told["kind"], told["about"], told["see"]) == ("operator", "telia", DELIVERY)
    last["latest_s"] = verdict.OLD_S + 1.0
    assert problems(status) == []


def test_receipts_about_no_message_that_is_known_are_told(status: Snapshot) -> None:
    operator = status["operators"][0]
    operator["lately_receipts"], operator["lately_unmatched"] = 49, 49
    assert problems(status) == []
    operator["lately_receipts"], operator["lately_unmatched"] = 1000, 50
    assert problems(status) == []
    operator["lately_unmatched"] = 51
    (told,) = verdict.problems(status)
    assert told["what"] == (
        "telia: 5.1% of the last 1000 receipts are about no message that is known"
    )
    assert (told["kind"], told["about"], told["see"]) == ("operator", "telia", verdict.RECEIPTS)
    assert "`message_id`" in told["do"]
    operator["ids"]["known"] = "learnt"
    (told,) = verdict.problems(status)
    assert "`message_id`" not in told["do"], "it is not set"
    operator["lately_receipts"] = 50  # What came before is given up now.
    assert problems(status) == [
        "telia: 100.0% of the last 50 receipts are about no message that is known"
    ]


def test_country_in_which_nothing_is_delivered_is_told_where_the_operator_is_well(
    status: Snapshot,
) -> None:
    rows = {"EE": 1000, "FI": 1000, "LV": 60}
    status["quality"] = [
        cast("QualityStatus", {
            "operator": "telia", "country": country, "lane": "otp", "outcomes": outcomes,
            "unreachable": 0, "delivered": 0 if country == "LV" else outcomes, "too_fast": 0,
            "never_receipted": 0,
        })
        for country, outcomes in rows.items()
    ]  # fmt: skip
    status["operators"][0]["last"].update({"deliverable": 2060, "delivered": 2000, "latest_s": 1.0})
    assert problems(status) == ["telia, in LV: 0.0% of the last 60 that could be delivered were"]


def test_account_that_fares_worse_than_usual_is_told(status: Snapshot) -> None:
    account = status["accounts"][0]
    worse = {"share": 0.5, "usual": 0.95, "since_s": 61.0}
    account["unusual"] = [{"what": "delivery", **worse}, {"what": "refusals", **worse}]  # type: ignore[typeddict-item]
    name = account["name"]
    assert problems(status) == [
        f"50.0% of what could be delivered of {name} is, usually 95.0%, for 1m 1s",
        f"50.0% of what {name} submits is refused, usually 95.0%, for 1m 1s",
    ]


def test_account_whose_binds_are_refused_is_told_where_none_is_bound(status: Snapshot) -> None:
    account = status["accounts"][0]
    assert account["clients"] == []
    told = {"count": 12, "last_s": 59.0, "why": "the password is wrong", "host": "192.0.2.7"}
    account["refused_binds"].update(told)  # type: ignore[typeddict-item]
    why = "binds refused: 12, the last 59s ago from 192.0.2.7: the password is wrong"
    assert problems(status) == [f"{account['name']} is not bound, and has {why}"]
    account["refused_binds"]["last_s"] = 61.0
    assert problems(status) == []
    account["refused_binds"]["last_s"] = 1.0
    account["clients"] = [{"address": "192.0.2.7:4000", "type": "receiver", "since_s": 1.0}]
    assert problems(status) == []


def test_messages_that_expire_are_told(status: Snapshot) -> None:
    account = status["accounts"][0]
    account["delivered"]["lately_of"], account["lately_expired"] = 50, 10
    assert problems(status) == []
    account["lately_expired"] = 11
    assert problems(status) == [f"11 of 50 messages of {account['name']} expired lately"]


def test_congestion_is_told_before_what_it_leads_to(status: Snapshot) -> None:
    status["congestion"] = {"since_s": 75.0, "refused": 4000}
    account = status["accounts"][0]
    account["waiting"] = account["queue"]
    assert problems(status)[0] == (
        "more comes than the router can take, for 1m 15s: 4000 messages refused"
        " (ESME_RTHROTTLED), which had waited too long"
    )


def test_queue_that_is_full_is_one_problem(status: Snapshot) -> None:
    account = status["accounts"][0]
    account["waiting"] = account["queue"]
    account["refused"].append(
        {
            "reason": "queue_full",
            "status": "ESME_RMSGQFUL",
            "count": 5,
            "last_utc": status["at_utc"],
            "client": "192.0.2.1:5",
            "prefix": "",
        }
    )
    assert problems(status) == [
        f"messages of {account['name']} are refused: queue_full (ESME_RMSGQFUL)"
    ]


def test_messages_that_can_go_nowhere_say_whose_they_are_and_who_may_take_them() -> None:
    router = FakeRouter()
    for account, count in ((BANK, 2), (SHOP, 1)):
        for _ in range(count):
            router.journey.lanes.put(router.message(account, age_s=83.0))
    status = snapshot(router)
    told = status["problems"][0]
    waits = "3 messages of otp can go nowhere, the oldest for 1m 23s"
    assert told["what"] == f"{waits}: of bank 2, shop 1; telia 3, elisa 3 may take them"
    assert (told["kind"], told["about"]) == ("lane", "otp")
    bank = next(one for one in status["accounts"] if one["name"] == "bank")
    (own,) = verdict.problems_of(status, "account", bank)
    assert own["what"] == "2 messages of otp can go nowhere, the oldest for 1m 23s: of bank"
    (own,) = verdict.problems_of(status, "operator", status["operators"][0])
    assert own["what"].endswith("; telia may take them")


def test_problem_of_an_operator_is_not_that_of_an_account_of_this_name(status: Snapshot) -> None:
    down(status, 0, *range(len(status["operators"][0]["binds"])), trouble="lost")
    status["problems"] = verdict.problems(status)
    status["accounts"][0]["name"] = "telia"
    assert verdict.problems_of(status, "account", status["accounts"][0]) == []
    assert len(verdict.problems_of(status, "operator", status["operators"][0])) == 1


def test_what_holds_up_all_is_a_problem_of_each(status: Snapshot) -> None:
    status["not_ready"] = "journal is down"
    status["problems"] = verdict.problems(status)
    for found in (
        verdict.problems_of(status, "account", status["accounts"][0]),
        verdict.problems_of(status, "operator", status["operators"][0]),
    ):
        assert [one["what"] for one in found] == ["clients are not served: journal is down"]


def test_what_the_configuration_lacks_is_named(status: Snapshot) -> None:
    status["left_waiting"], status["left_of"] = 5, {"operator old": 4, "account gone": 1}
    assert problems(status) == []
    (told,) = notes(status)
    assert told == "5 messages and receipts stay in the journal, for operator old 4, account gone 1"


@pytest.mark.parametrize("see", verdict.SEEN)
def test_what_explains_a_problem_is_a_heading_of_the_documentation(see: str) -> None:
    name, _, heading = see.partition(", ")
    text = (Path(__file__).parents[3] / name).read_text(encoding="utf-8")
    assert any(line.startswith(f"## {heading}") for line in text.splitlines())
