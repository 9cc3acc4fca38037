"""router/settings/partly.py: what can be followed without a restart is valid in itself."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from router.settings.difference import difference
from router.settings.load import SettingsError
from router.settings.partly import without_restart
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.settings import (
    Address,
    ControlSettings,
    JournalSettings,
    LaneSettings,
    ListenSettings,
    ProxySettings,
    RecordsSettings,
    Settings,
    TlsSettings,
)
from tests.doubles import with_account, with_lane, with_operator
from tests.unit.settings.configurations import CONTRACT, changed, loaded

HERE, THERE = (Address(host="127.0.0.1", port=port) for port in (1, 2))


@pytest.fixture
def old() -> Settings:
    return loaded(CONTRACT)


def test_what_needs_a_restart_stays_and_the_rest_is_as_written(old: Settings) -> None:
    log = replace(old.telemetry.log, level="debug")
    new = replace(
        with_account(old, "bank", max_binds=1),
        listen=(ListenSettings(address=THERE),),
        journal=JournalSettings(url="memory:"),
        telemetry=replace(old.telemetry, listen=HERE, log=log),
        control=ControlSettings(listen=HERE),
        node=7,
    )
    telemetry = replace(old.telemetry, log=log)
    expected = replace(with_account(old, "bank", max_binds=1), telemetry=telemetry)
    assert without_restart(old, new) == expected


def test_lanes_keep_names_and_order_and_follow_their_values(old: Settings) -> None:
    otp, alert, _ = with_lane(old, "alert", failover_after_s=9.0).lanes
    new = replace(old, lanes=(alert, otp, LaneSettings(name=LaneName("new"))))
    assert without_restart(old, new).lanes == (otp, alert, old.lanes[2])


def test_first_lane_keeps_its_default_until_another_one_is_the_first() -> None:
    otp = "  - {name: otp, validity: 5m}\n"
    old = loaded(CONTRACT)
    vip = loaded(changed(CONTRACT, (otp, "  - {name: vip}\n" + otp)))
    assert [lane.failover_after_s for lane in vip.lanes] == [2.0, None, None, None]
    assert without_restart(old, vip).lanes == old.lanes
    assert without_restart(vip, old).lanes == vip.lanes
    without = loaded(changed(CONTRACT, (otp, ""), ("lane: otp", "lane: alert")))
    assert [lane.failover_after_s for lane in without.lanes] == [2.0, None]
    assert without_restart(old, without).lanes == old.lanes


def test_what_is_written_for_a_lane_is_followed_wherever_the_lane_comes_to_stand() -> None:
    otp = "  - {name: otp, validity: 5m}\n"
    old = loaded(CONTRACT)
    written = otp.replace("}", ", failover_after: false}")
    vip = "  - {name: vip, failover_after: 9s}\n"
    new = loaded(changed(CONTRACT, (otp, vip + written)))
    assert [lane.failover_after_s for lane in without_restart(old, new).lanes] == [None] * 3
    now_first = loaded(changed(CONTRACT, (otp, written.replace("false", "2s") + vip)))
    before = loaded(changed(CONTRACT, (otp, vip + otp)))
    partly = without_restart(before, now_first)
    assert [lane.failover_after_s for lane in partly.lanes] == [9.0, 2.0, None, None]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("lane: otp\n", "lane: new\n"), "accounts.bank.lane"),
        (("{3: alert}", "{3: new}"), "accounts.shop.lane_by_priority"),
        (('destination: "358", to: [elisa]', 'destination: "358", to: [elisa], lane: new'),
         "routes[2].lane"),
    ],
)  # fmt: skip
def test_lane_that_comes_with_the_restart_cannot_be_named_before(
    old: Settings, change: tuple[str, str], path: str
) -> None:
    lane = ("  - {name: bulk, min_share", "  - {name: new}\n  - {name: bulk, min_share")
    new = loaded(changed(CONTRACT, change, lane))
    with pytest.raises(SettingsError) as error:
        without_restart(old, new)
    (mistake,) = error.value.mistakes
    assert (mistake.path, mistake.line > 0) == (path, True)
    assert "the lane 'new' is there only after a restart" in str(mistake)


def test_shares_of_old_and_new_lanes_are_added_up(old: Settings) -> None:
    otp, alert, bulk = old.lanes
    new = replace(old, lanes=(otp, replace(alert, min_share=0.48)))
    assert bulk.min_share == 0.05
    with pytest.raises(SettingsError, match="would add up to 53%"):
        without_restart(old, new)


def test_listener_follows_its_proxies_beside_what_needs_a_restart(old: Settings) -> None:
    one, two = (ProxySettings(proxies=(ip_network(at),)) for at in ("10.0.0.1", "10.0.0.2"))
    tls = TlsSettings(certificate=Path("a"), key=Path("key"))

    def listening(**has: object) -> Settings:
        return replace(old, listen=(ListenSettings(address=HERE, **has),))  # type: ignore[arg-type]

    new = without_restart(listening(proxy=one), listening(proxy=two, tls=tls))
    assert new.listen == listening(proxy=two).listen
    new = without_restart(listening(tls=tls), listening(proxy=two, tls=tls))
    assert new.listen == listening(tls=tls).listen


def test_listener_follows_its_certificate_and_nothing_else(old: Settings) -> None:
    one, two = (TlsSettings(certificate=Path(name), key=Path("key")) for name in "ab")

    def listening(*listen: ListenSettings) -> Settings:
        return replace(old, listen=listen)

    here = ListenSettings(address=HERE, tls=one)
    both = listening(here, ListenSettings(address=THERE))
    new = listening(replace(here, tls=two), ListenSettings(address=THERE, tls=two))
    assert without_restart(both, new).listen == (replace(here, tls=two), both.listen[1])
    elsewhere = listening(ListenSettings(address=THERE, tls=two))
    assert without_restart(both, elsewhere).listen == both.listen


WAS = "gone"
NEEDING: dict[str, Callable[[Settings], Settings]] = {
    "listen[0]": lambda old: replace(old, listen=(ListenSettings(address=THERE),)),
    "listen[0] removed": lambda old: replace(old, listen=()),
    "journal.url": lambda old: replace(old, journal=JournalSettings(url="memory:")),
    "records.keep": lambda old: replace(old, records=RecordsSettings(keep_s=0.0)),
    "node": lambda old: replace(old, node=7),
    "telemetry.listen": lambda old: replace(old, telemetry=replace(old.telemetry, listen=HERE)),
    "control.listen": lambda old: replace(old, control=ControlSettings(listen=HERE)),
    "lanes": lambda old: replace(old, lanes=old.lanes[::-1]),
    "accounts.bank.formerly": lambda old: with_account(old, "bank", formerly=AccountName(WAS)),
    "operators.elisa.formerly": lambda old: with_operator(old, "elisa", formerly=OperatorName(WAS)),
}


@pytest.mark.parametrize("key", NEEDING)
@pytest.mark.parametrize("is_there", [True, False])
def test_what_was_not_followed_still_needs_a_restart(
    old: Settings, key: str, is_there: bool
) -> None:
    changed = NEEDING[key](old)
    before, after = (old, changed) if is_there else (changed, old)
    new = with_account(after, "shop", max_binds=3)
    needs_restart = difference(before, new).needs_restart
    assert needs_restart or not is_there, "a former name may be left out"
    assert difference(without_restart(before, new), new).needs_restart == needs_restart


def test_records_are_kept_as_before_and_for_another_time_where_that_is_all(old: Settings) -> None:
    none, short = (replace(old, records=RecordsSettings(keep_s=keep_s)) for keep_s in (0.0, 60.0))
    assert without_restart(old, none).records == old.records
    assert without_restart(none, old).records == none.records
    assert without_restart(old, short).records == short.records


def test_account_that_can_not_be_handed_over_yet_has_no_former_name(old: Settings) -> None:
    bank, shop = AccountName("bank"), AccountName("shop")
    accounts = {name: one for name, one in old.accounts.items() if name != bank}
    without = replace(old, accounts=accounts)
    renamed = {**accounts, bank: replace(old.accounts[bank], formerly=AccountName(WAS))}
    new = replace(old, accounts=renamed)
    partly = without_restart(without, new, [bank])
    assert (partly.accounts[bank].formerly, partly.accounts[shop]) == (None, accounts[shop])
    assert difference(partly, new).needs_restart == ("accounts.bank.formerly",)
    assert without_restart(without, new).accounts == renamed
