"""router/wiring/status_one.py: all that is known of one operator, bind or account."""

from types import SimpleNamespace
from typing import cast

import pytest

from router.accept.accounts import Bound
from router.settings.summary import summary
from router.smpp import vocabulary as v
from router.telemetry.document import BindStatus, Snapshot
from router.telemetry.status import snapshot
from router.wiring.status_one import (
    NoSuchNameError,
    Told,
    account_page,
    account_view,
    operator_page,
    operator_view,
)
from tests.unit.telemetry.running import BANK, ELISA, OTP, TELIA, FakeRouter


def status() -> Snapshot:
    router = FakeRouter()
    router.bring_up(TELIA)
    router.journey.operators[ELISA].binds[0].trouble = "lost"
    router.journey.lanes.put(router.message(BANK, OTP, age_s=3.0))
    client = SimpleNamespace(address="192.0.2.7:4000", bind_type="receiver", bound_at=990.0)
    router.accounts.by_name[BANK].binds.append(cast("Bound", client))
    counters = router.journey.counters
    counters.submits[BANK, OTP, v.ESME_RTHROTTLED] = 4
    name = router.journey.operators[TELIA].binds[0].settings.name
    counters.sends[TELIA, name, v.ESME_RSYSERR] = 3
    found = snapshot(router)
    line = {"timestamp": "2027-01-15T08:00:01Z", "level": "info", "event": "bind.bound"}
    found["events"] = [
        {**line, "operator": "telia", "bind": "telia-1"},
        {**line, "operator": "elisa"},
        {**line, "event": "client.bound", "account": "bank"},
        {**line, "event": "client.lost", "client": "192.0.2.7:4000"},
    ]
    return found


def text(lines: list[object]) -> str:
    return "\n".join(map(str, lines))


def test_operator_is_shown_with_its_binds_answers_queue_settings_and_events() -> None:
    view = operator_view(status(), "telia")
    view["settings"] = Told(settings={"rate": "80/s"}, binds={"telia-1": {"window": "20"}})
    page = text([*operator_page(view, 80)])
    for part in (
        "telia-1",
        "settings: rate 80/s",
        "window 20",
        "ESME_RSYSERR 3",
        "127.0.0.1:27751",
    ):
        assert part in page
    assert "elisa" not in page
    assert [one["event"] for one in view["events"]] == ["bind.bound"]
    assert view["problems"] == []


def test_problems_of_others_are_not_its_own() -> None:
    found = status()
    assert [one["about"] for one in found["problems"]] == ["elisa"]
    assert operator_view(found, "telia")["problems"] == []
    assert len(operator_view(found, "elisa")["problems"]) == 1


@pytest.mark.parametrize("what", ["telia/telia-1", "telia-1"])
def test_bind_is_found_by_its_name_with_or_without_that_of_its_operator(what: str) -> None:
    view = operator_view(status(), what)
    assert view["operator"]["name"] == "telia"
    assert [one["name"] for one in view["operator"]["binds"]] == ["telia-1"]


def test_view_of_a_bind_has_no_row_and_no_counts_of_its_operator() -> None:
    found = status()
    (telia, *_) = found["operators"]
    second = {**telia["binds"][0], "name": "telia-9", "answers": {"ESME_RINVDSTADR": 7}}
    telia["binds"].append(cast("BindStatus", second))
    telia["now"]["out_per_s"] = 44.0
    telia["receipts"] = {"delivered": 66}
    page = text([*operator_page(operator_view(found, "telia-9"), 80)])
    assert "ESME_RINVDSTADR 7" in page
    for part in ("OPERATOR", "44", "66", "receipts due"):
        assert part not in page
    page = text([*operator_page(operator_view(found, "telia"), 80)])
    assert "OPERATOR" in page
    assert "ESME_RSYSERR 3" in page


def test_delivered_is_the_same_in_the_row_the_line_and_the_table_of_delivery() -> None:
    found = status()
    telia = found["operators"][0]
    telia["last"].update({"outcomes": 100, "deliverable": 80, "delivered": 60})
    telia["delivered"].update({"share": 0.99, "of": 60, "lately_share": 0.98})
    page = text([*operator_page(operator_view(found, "telia"), 120)])
    assert page.count("75.0%") == 2
    assert "delivered 75.0% of the last 80" in page
    assert "99.0%" not in page
    assert "98.0%" not in page


def test_account_is_shown_with_its_clients_limits_and_what_it_was_answered() -> None:
    view = account_view(status(), "bank")
    page = text([*account_page(view, 80)])
    for part in ("192.0.2.7:4000", "receiver", "10s", "ESME_RTHROTTLED 4", "outbox_size"):
        assert part in page
    assert [one["event"] for one in view["events"]] == ["client.bound", "client.lost"]
    assert view["account"]["lanes"] == [{"lane": "otp", "messages": 1, "oldest_s": 3.0}]


@pytest.mark.parametrize("what", ["telai", "telia/telia-9", "elisa/telia-1", ""])
def test_name_that_there_is_not_is_said_with_those_that_there_are(what: str) -> None:
    with pytest.raises(NoSuchNameError, match=r"there is no .*known"):
        operator_view(status(), what)
    with pytest.raises(NoSuchNameError, match="known accounts are bank"):
        account_view(status(), what)


def test_summary_of_settings_has_what_is_written_and_no_secret() -> None:
    settings = FakeRouter().settings
    telia = settings.operators[TELIA]
    told = summary(telia.binds[0])
    assert (told["rate"], told["address"]) == ("50/s", "127.0.0.1:27751")
    assert "enquire_link" not in told
    everything = str([summary(one) for one in (*telia.binds, telia, settings.accounts[BANK])])
    assert "pw1" not in everything
    assert "secret01" not in everything
    assert summary(settings.operators[ELISA])["on_status"].startswith("ESME_RMSGQFUL retry")
