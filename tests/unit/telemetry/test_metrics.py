"""router/telemetry/metrics.py: every metric of the contract, from the plain counters."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from router.check.policy import RULES as POLICY_RULES
from router.forward.pacing import BusiestSecond
from router.report.learnt_ids import RULES, LearntIds
from router.report.quality import ENOUGH
from router.telemetry.metrics import RELOAD_RESULTS, Exporter, items, policy_results, registry
from router.terms.counters import Counters, pass_of
from router.terms.names import BindName, OperatorId
from router.terms.outcome import Evidence, Outcome
from tests.unit.messages import pulled
from tests.unit.settings.configurations import SMALL, changed
from tests.unit.telemetry.running import (
    ALERT,
    BANK,
    BULK,
    ELISA,
    OTP,
    SHOP,
    TELIA,
    FakeCertificate,
    FakeRouter,
    Stale,
    filled,
)

CONTRACT_FILE = Path(__file__).parents[2] / "contract" / "metrics.md"
TELIA_1 = BindName("telia-1")


def families(router: FakeRouter) -> dict[str, tuple[str, set[tuple[str, ...]]]]:
    """Of everything exported: its type, and the sets of labels that its samples have."""
    found = {}
    for family in Exporter(router, lambda: 0).collect():
        labels = {
            tuple(name for name in sample.labels if name != "le") for sample in family.samples
        }
        total = "_total" if family.type == "counter" else ""
        found[family.name + total] = (family.type, labels)
    return found


def samples(router: FakeRouter, lost: int = 0) -> dict[str, float]:
    """All samples by what Prometheus would read: `name{label="value"}`."""
    text = generate_latest(registry(router, lambda: lost)).decode()
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(router: FakeRouter, name: str, **labels: str) -> float | None:
    """One sample; None if there is none."""
    return samples(router).get("smpp_router_" + name + str(sorted(labels.items())))


def contract() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, type and labels of each row of the table."""
    for row in CONTRACT_FILE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if row.startswith("| `"):
            words = re.sub(r"\(.*?\)", "", cells[2])
            yield (
                cells[0].strip("`"),
                re.split(r"\W", cells[1])[0],
                tuple(filter(None, re.split(r"[,\s]+", words))),
            )


def test_contract_has_all_its_rows_read() -> None:
    assert len(list(contract())) == 32


@pytest.mark.parametrize(("name", "kind", "labels"), list(contract()))
def test_metric_of_the_contract_is_exported_with_its_type_and_labels(
    name: str, kind: str, labels: tuple[str, ...]
) -> None:
    assert families(filled())["smpp_router_" + name] == (kind, {labels})


@pytest.mark.parametrize("name", [name for name, _, _ in contract()])
def test_metric_that_has_nothing_to_say_yet_is_declared(name: str) -> None:
    text = generate_latest(registry(FakeRouter(), lambda: 0)).decode()
    assert f"# HELP smpp_router_{name} " in text
    assert f"# TYPE smpp_router_{name} " in text


def test_what_was_counted_is_what_is_exported() -> None:
    router = filled()
    assert value(router, "submits_total", account="bank", lane="otp", status="ESME_ROK") == 7
    lost = {"operator": "telia", "bind": "telia-1", "status": "lost"}
    assert value(router, "sends_total", **lost) == 2
    assert value(router, "outcomes_total", account="shop", outcome="delivered") == 5
    assert value(router, "in_doubt_total", operator="elisa", action="elsewhere") == 6
    assert value(router, "in_doubt_total", operator="telia", action="resend") == 0
    assert value(router, "repeated_total", operator="telia") == 8
    unrouted = {"operator": "elisa", "number": "12303", "reason": "no_rule_for_number"}
    assert value(router, "inbound_unrouted_total", **unrouted) == 4


def test_shares_of_few_outcomes_are_not_told() -> None:
    router = filled()
    where = {"operator": "telia", "country": "EE"}
    assert value(router, "delivered_share", **where) == 1.0
    assert value(router, "deliverable_share", **where) == 1.0
    assert value(router, "never_receipted_share", **where) == 0.0
    half_s = value(router, "delivery_quantile_seconds", **where, quantile="0.5")
    assert half_s == pytest.approx(4.0, rel=0.26)
    message = router.message()
    message.operator, message.destination_octets = ELISA, b"\1\x0137255512345\0"
    failed = (Outcome.FAILED, Evidence.UNREACHABLE)
    for _ in range(ENOUGH - 1):
        router.journey.quality.count(message, *failed, 1.8e9, router.now)
    where["operator"] = "elisa"
    assert value(router, "deliverable_share", **where) is None
    router.journey.quality.count(message, *failed, 1.8e9, router.now)
    assert value(router, "deliverable_share", **where) == 0.0
    assert value(router, "delivered_share", **where) is None


def test_contract_of_an_operator_is_that_of_all_its_binds_or_its_own() -> None:
    router = FakeRouter()
    assert value(router, "operator_contract_rate", operator="telia") == 150.0
    assert value(router, "operator_contract_rate", operator="elisa") == 80.0


def test_certificates_are_told_by_the_key_that_names_them() -> None:
    router = FakeRouter()
    unreadable = FakeCertificate()
    unreadable.expires_utc = None
    router.certificates = [None, FakeCertificate(), unreadable]
    first, second, *_ = router.journey.operators[TELIA].binds
    first.certificate_expires_utc, second.certificate_expires_utc = 1.9e9, 1.85e9
    expire = {n: at for n, at in samples(router).items() if "certificate_expires" in n}
    named = "smpp_router_certificate_expires_utc[('use', '{}')]".format
    assert expire == {named("listen[1].tls"): 1.81e9, named("operators.telia"): 1.85e9}


def test_next_end_of_each_list_of_senders_is_told() -> None:
    text = changed(
        SMALL,
        (
            "lane: urgent}",
            "lane: urgent, senders: {only: [A1 until 2020-01-01, B1 until 2099-12-31, C1]}}",
        ),
        (
            "rate: 50/s}]",
            "rate: 50/s}]\n    senders: {only: [A1 until 2020-01-01]}",
        ),
    )
    router = FakeRouter(text)
    assert value(router, "sender_expires_utc", list="accounts.bank.senders") == 4102444800.0
    assert value(router, "sender_expires_utc", list="operators.telia.senders") is None


def test_statuses_without_a_name_share_one_sample() -> None:
    router = FakeRouter()
    for status in (0x500, 0xDEADBEEF):
        router.journey.counters.sends[TELIA, TELIA_1, status] = 2
    labels = {"operator": "telia", "bind": "telia-1", "status": "other"}
    assert value(router, "sends_total", **labels) == 4


def test_histogram_counts_upwards_to_all_of_its_values() -> None:
    router = FakeRouter()
    for seconds in (0.001, 0.02, 0.02, 99.0):
        router.journey.counters.operator_response_s[TELIA].add(seconds)
    name = "operator_response_seconds"
    expected = {"0.001": 1, "0.01": 1, "0.025": 3, "30.0": 3, "+Inf": 4}
    found = {le: value(router, f"{name}_bucket", operator="telia", le=le) for le in expected}
    assert found == expected
    assert value(router, f"{name}_count", operator="telia") == 4
    assert value(router, f"{name}_sum", operator="telia") == pytest.approx(99.041)


def test_message_waits_for_the_operator_that_may_pull_it_or_for_none() -> None:
    router = FakeRouter()
    router.journey.lanes.put(router.message(BANK, OTP, age_s=3.0))
    waiting = {"operator": "none", "lane": "otp"}
    assert value(router, "queue_messages", **waiting) == 1
    router.bring_up(TELIA)
    router.now += 2.0
    assert value(router, "queue_messages", **waiting) == 0
    assert value(router, "queue_messages", operator="telia", lane="otp") == 1
    assert value(router, "queue_oldest_seconds", operator="telia", lane="otp") == 5.0
    assert value(router, "queue_oldest_seconds", operator="telia", lane="bulk") == 0.0


def test_oldest_is_that_of_all_queues_of_the_lane() -> None:
    router = FakeRouter()
    for account, age_s in ((SHOP, 8.0), (BANK, 3.0)):
        router.journey.lanes.put(router.message(account, BULK, age_s))
    assert value(router, "queue_messages", operator="none", lane="bulk") == 2
    assert value(router, "queue_oldest_seconds", operator="none", lane="bulk") == 8.0


def test_message_that_waits_to_be_tried_again_is_seen() -> None:
    router = FakeRouter()
    router.journey.lanes.delays.delay(pulled(router.message(BANK, ALERT)), router.now + 30.0)
    assert value(router, "queue_delayed_messages") == 1


def test_bind_is_up_when_it_is_bound() -> None:
    router = FakeRouter()
    router.bring_up(TELIA, 1)
    for number, up in ((1, 0), (2, 1)):
        assert value(router, "bind_up", operator="telia", bind=f"telia-{number}") == up
    assert value(router, "bind_rate_limit", operator="telia", bind="telia-2") == 50.0
    assert value(router, "bind_window_in_use", operator="telia", bind="telia-2") == 0


def test_second_of_a_rate_per_minute_is_held_against_what_the_contract_allows_in_it() -> None:
    """600/min goes out as 10/s, and 11 after a pause: no minute of it is above the contract."""
    router = FakeRouter(changed(SMALL, ("50/s", "600/min")))
    labels = {"operator": "telia", "bind": "t1"}
    assert value(router, "bind_rate_limit", **labels) == 10.0
    assert value(router, "bind_second_limit", **labels) == 600.0


def test_result_of_a_reload_that_has_not_happened_is_0_so_that_the_first_is_an_increase() -> None:
    for result in RELOAD_RESULTS:
        assert value(FakeRouter(), "config_reloads_total", result=result) == 0
    router = FakeRouter()
    router.journey.counters.config_reloads["rejected"] = 2
    assert value(router, "config_reloads_total", result="rejected") == 2


def test_configuration_that_runs_is_told_by_its_hash_and_whether_its_files_differ() -> None:
    router = FakeRouter()
    assert value(router, "config_info", hash=router.settings.digest) == 1
    assert value(router, "config_stale") == 0
    router.config = Stale()
    assert value(router, "config_info", hash="0123456789ab") == 1
    assert value(router, "config_stale") == 1


def test_receiver_has_no_rate() -> None:
    receiver = {"operator": "elisa", "bind": "elisa-rx"}
    assert value(FakeRouter(), "bind_rate_limit", **receiver) is None
    assert value(FakeRouter(), "bind_second_limit", **receiver) is None
    assert value(FakeRouter(), "bind_busiest_second", **receiver) is None
    assert value(FakeRouter(), "bind_up", **receiver) == 0


def test_busiest_second_is_that_of_the_last_minute_and_a_scrape_forgets_nothing() -> None:
    router = FakeRouter()
    pace = router.journey.operators[TELIA].binds[0].pace
    assert pace is not None
    busiest = pace.busiest
    for ahead_s in (0.0, 0.1, 0.2, 30.0):
        busiest.written(router.now + ahead_s)
    kept = list(busiest._peaks)
    found = []
    for ahead_s in (30.0, 61.0, 100.0):
        router.now += ahead_s - (router.now - router.started_at)
        found.append(value(router, "bind_busiest_second", operator="telia", bind="telia-1"))
    assert found == [3, 1, 0]
    assert list(busiest._peaks) == kept


def test_busiest_second_agrees_with_the_loop() -> None:
    router = FakeRouter()
    pace = router.journey.operators[TELIA].binds[0].pace
    assert pace is not None
    for step in range(40):
        pace.busiest.written(router.now)
        router.now += 0.05 * (1 + step % 7)
    agreeing = BusiestSecond()
    agreeing._peaks.extend(pace.busiest._peaks)
    labels = {"operator": "telia", "bind": "telia-1"}
    assert value(router, "bind_busiest_second", **labels) == agreeing.most(router.now)


def test_client_binds_are_counted_by_type_and_none_is_zero() -> None:
    router = FakeRouter()
    router.accounts.by_name[BANK].binds += [_Bound("receiver"), _Bound("receiver")]
    assert value(router, "client_binds", account="bank", type="receiver") == 2
    assert value(router, "client_binds", account="bank", type="transmitter") == 0
    assert value(router, "client_binds", account="shop", type="receiver") == 0


def test_addresses_that_are_blocked_are_counted_as_long_as_they_are() -> None:
    router = FakeRouter()
    for scope in ("address", "system_id"):
        assert value(router, "blocked_binds", scope=scope) == 0
        assert value(router, "blocks_total", scope=scope) == 0
    for number in range(50):
        router.accounts.guessed("192.0.2.1", b"%d" % (number % 5), router.now)
    assert value(router, "blocked_binds", scope="address") == 1
    assert value(router, "blocked_binds", scope="system_id") == 5
    router.now += 300.0
    assert value(router, "blocked_binds", scope="address") == 0
    assert value(router, "blocked_binds", scope="system_id") == 0
    assert value(router, "blocks_total", scope="address") == 1
    assert value(router, "blocks_total", scope="system_id") == 5


class _Bound:
    def __init__(self, bind_type: str) -> None:
        self.bind_type = bind_type
        self.address = "192.0.2.1:5"
        self.bound_at = 0.0

    def doubt(self, now: float) -> bool:
        return False

    def unbind(self, now: float) -> None:
        pass


def test_receipts_that_are_owed_and_guessed_are_seen() -> None:
    router = FakeRouter()
    correlator = router.journey.pending.correlators[ELISA]
    correlator.expect(OperatorId(b"77"), router.message(), 1.8e9)
    correlator.guessed = 3
    assert value(router, "receipts_outstanding", operator="elisa") == 1
    assert value(router, "receipts_outstanding", operator="telia") == 0
    assert value(router, "receipts_guessed_total", operator="elisa") == 3


def test_forms_of_ids_that_were_learnt_are_seen() -> None:
    router = FakeRouter()
    learnt = LearntIds()
    router.journey.pending.correlators[ELISA].learnt = learnt
    forms = {"response": "hex", "receipt": "decimal"}
    assert value(router, "message_ids_learnt", operator="elisa", **forms) is None
    learnt.rule = RULES[1]
    assert value(router, "message_ids_learnt", operator="elisa", **forms) == 1
    assert value(router, "message_ids_learnt", operator="telia", **forms) is None


def test_long_messages_with_the_receipt_of_one_part_are_seen() -> None:
    router = FakeRouter()
    router.journey.pending.correlators[ELISA].half_receipted.count = 2
    assert value(router, "long_messages_half_receipted_total", operator="elisa") == 2
    assert value(router, "long_messages_half_receipted_total", operator="telia") == 0


def test_deliveries_with_a_field_that_was_cut_are_seen() -> None:
    router = FakeRouter()
    router.journey.counters.fields_cut[ELISA] = 2
    assert value(router, "fields_cut_total", operator="elisa") == 2
    assert value(router, "fields_cut_total", operator="telia") == 0


def test_places_that_an_account_has_taken_are_seen() -> None:
    router = FakeRouter()
    router.journey.rooms.take(SHOP, 100)
    assert value(router, "account_queue_messages", account="shop") == 1
    assert value(router, "account_queue_bytes", account="shop") == 100
    assert value(router, "account_queue_full_ratio", account="shop") == 1 / 100_000
    router.journey.rooms.restore(SHOP, 0, 2**29)
    assert value(router, "account_queue_full_ratio", account="shop") == pytest.approx(0.5)


def test_outbox_is_seen_to_fill() -> None:
    router = FakeRouter()
    router.journey.deliveries.outboxes[SHOP].restore(1000, 1, 2**29)
    assert value(router, "outbox_messages", account="shop") == 1000
    assert value(router, "outbox_bytes", account="shop") == 2**29
    assert value(router, "outbox_full_ratio", account="shop") == 0.5
    assert value(router, "outbox_full_ratio", account="bank") == 0.0


def test_space_of_the_journal_is_seen_where_it_has_an_end() -> None:
    router = FakeRouter()
    assert "smpp_router_journal_free_bytes[]" not in samples(router)
    router.journey.commits.found_space(10**9, 512 * 2**20)
    assert value(router, "journal_free_bytes") == 10**9
    assert value(router, "journal_keep_free_bytes") == 512 * 2**20


def test_journal_that_fails_is_down() -> None:
    router = FakeRouter()
    assert value(router, "journal_up") == 1
    router.journey.commits.up = False
    assert value(router, "journal_up") == 0
    assert value(router, "journal_pending") == 0


def test_lost_log_lines_and_the_process_are_exported_too() -> None:
    found = samples(FakeRouter(), lost=5)
    assert found["smpp_router_log_lines_lost_total[]"] == 5
    assert found["process_resident_memory_bytes[]"] > 0
    assert any(name.startswith("smpp_router_build_info[('version', ") for name in found)


def test_queue_that_has_just_run_empty_is_no_error() -> None:
    router = FakeRouter()
    router.journey.lanes.put(router.message(BANK, OTP))
    router.journey.lanes.queues()[0].messages.clear()
    assert value(router, "queue_messages", operator="none", lane="otp") == 0


def test_copy_is_tried_again_when_the_dictionary_grew_meanwhile() -> None:
    class Growing(dict[str, int]):
        tries = 0

        def items(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
            self.tries += 1
            for item in super().items():
                if self.tries == 1:
                    self["more"] = 2
                yield item

    growing = Growing(a=1)
    assert items(growing) == [("a", 1), ("more", 2)]
    assert growing.tries == 2


def test_what_a_check_let_pass_is_what_came_to_it_and_was_not_refused() -> None:
    counters = Counters()
    first = pass_of(BANK, ("number", POLICY_RULES, "sender", "limit"))
    then = pass_of(BANK, ("sender",))  # After a reload.
    counters.judged.update({first: 100, then: 10, pass_of(SHOP, ("number", POLICY_RULES)): 5})
    counters.policy_refusals.update(
        {
            **{(first, "number"): 10, (first, POLICY_RULES): 20, (first, "sender"): 1},
            **{(then, "sender"): 2},
        }
    )
    counters.policy_notes[BANK, "number", "changed"] = 7
    found = {key: count for key, count in policy_results(counters).items() if count}
    assert found == {
        (BANK, "number", "passed"): 90,
        (BANK, "number", "refused"): 10,
        (BANK, "number", "changed"): 7,
        (BANK, "sender", "passed"): 69 + 8,
        (BANK, "sender", "refused"): 3,
        (BANK, "limit", "passed"): 69,
        (SHOP, "number", "passed"): 5,
    }


def test_policy_is_exported_by_account_check_and_result() -> None:
    router = FakeRouter()
    router.journey.counters.judged[pass_of(BANK, ("number", POLICY_RULES))] += 3
    assert value(router, "policy_total", account=BANK, check="number", result="passed") == 3.0
    assert value(router, "policy_total", account=BANK, check="refuse", result="passed") is None
