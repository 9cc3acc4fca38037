"""router/settings/difference.py: what differs between two configurations; what needs a restart.

The table is read both ways: what is added on the way there is removed on the way back.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import pytest

from router.settings.difference import NEEDS_RESTART, Change, Difference, difference
from router.terms.names import AccountName, GroupName, OperatorName
from router.terms.settings import PrefixGroup, Settings, TlsSettings
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded

TELIA_3: Final = 'telia-3, address: "127.0.0.1:27751", system_id: agg1, password: pw1,'
TABLE: Final = {
    "nothing": ((), [], []),
    "the rate of a bind": (
        ((f"{TELIA_3} type: transceiver, rate: 50/s", f"{TELIA_3} type: transceiver, rate: 80/s"),),
        ["operators.telia.binds.telia-3.rate: 50/s -> 80/s"],
        [],
    ),
    "a password, which is not told": (
        ((TELIA_3, TELIA_3.replace("pw1", "s3cret")),),
        ["operators.telia.binds.telia-3.password: changed"],
        [],
    ),
    "a bind that is gone": (
        (
            (
                f"      - {{name: {TELIA_3} type: transceiver, rate: 50/s, window: 20}}\n",
                "",
            ),
        ),
        ["operators.telia.binds.telia-3: removed"],
        [],
    ),
    "a bind with another name": (
        (("name: telia-3", "name: telia-4"),),
        ["operators.telia.binds.telia-3: removed", "operators.telia.binds.telia-4: added"],
        [],
    ),
    "a duration in a part of its own": (
        (("reconnect: {first: 1s, longest: 30s}", "reconnect: {first: 1s, longest: 2m}"),),
        ["operators.telia.reconnect.longest: 30s -> 2m"],
        [],
    ),
    "what a status means": (
        (("0x00000400: {do: next}", "0x00000400: {do: fail}"),),
        ["operators.elisa.on_status.1024.do: next -> fail"],
        [],
    ),
    "an account's limits": (
        (("max_binds: 4", "max_binds: 2"), ("queue: 100000", "queue: 5000")),
        ["accounts.bank.max_binds: 4 -> 2", "accounts.bank.queue: 100000 -> 5000"],
        [],
    ),
    "an account's lane and its passwords": (
        (
            ("lane: otp\n", "lane: alert\n"),
            ("${BANK_PASSWORD:-secret01}", "${BANK_PASSWORD:-another1}"),
        ),
        ["accounts.bank.passwords: changed", "accounts.bank.lane: otp -> alert"],
        [],
    ),
    "a lane's values": (
        (("min_share: 20%", "min_share: 25%"), ("validity: 48h", "validity: 24h")),
        ["lanes.alert.min_share: 20% -> 25%", "lanes.bulk.validity: 48h -> 24h"],
        [],
    ),
    "how long a lane waits for its operator": (
        (
            ("{name: otp, validity: 5m}", "{name: otp, validity: 5m, failover_after: false}"),
            ("{name: bulk, min_share", "{name: bulk, failover_after: 20s, min_share"),
        ),
        ["lanes.otp.failover_after: 2s -> false", "lanes.bulk.failover_after: false -> 20s"],
        [],
    ),
    "what the first lane does by default, written": (
        (("{name: otp, validity: 5m}", "{name: otp, validity: 5m, failover_after: 2s}"),),
        [],
        [],
    ),
    "a route": (
        (("refuse: ESME_RINVDSTADR", "refuse: ESME_RSUBMITFAIL"),),
        [
            "routes[destination 3581999]: refuse ESME_RINVDSTADR -> refuse ESME_RSUBMITFAIL"
            " (router.yaml:84)"
        ],
        [],
    ),
    "a route more": (
        (('  - {destination: "358", to: [elisa]}', '  - {destination: "358", to: [elisa]}\n'
          '  - {destination: "46", to: [elisa]}'),),
        ["routes[destination 46]: added: to elisa (router.yaml:84)"],
        [],
    ),
    "a rule for subscribers' messages": (
        (('destination: "12302", to: bank', 'destination: "12302", to: shop'),),
        ["inbound[destination 12302]: to bank -> to shop (router.yaml:89)"],
        [],
    ),
    "the session's timers": (
        (("enquire_link: 30s ", "enquire_link: 20s "), ("max_pdu: 70000B", "max_pdu: 80000B")),
        ["session.enquire_link: 30s -> 20s", "session.max_pdu: 70000B -> 80000B"],
        [],
    ),
    "the log": (
        (("level: info", "level: debug"),),
        ["telemetry.log.level: info -> debug"],
        [],
    ),
    "where clients connect": (
        (('  - {address: "127.0.0.1:2775"}', '  - {address: "127.0.0.1:2776"}'),),
        ["listen[0]: 127.0.0.1:2775 -> 127.0.0.1:2776"],
        ["listen[0]"],
    ),
    "where else clients connect": (
        (('  - {address: "127.0.0.1:2775"}', '  - {address: "127.0.0.1:2775"}\n'
          '  - {address: "127.0.0.1:2777"}'),),
        ["listen[1]: added"],
        ["listen[1]"],
    ),
    "the journal": (
        (("commit_every: 2ms", "commit_every: 5ms"),),
        ["journal.commit_every: 2ms -> 5ms"],
        ["journal.commit_every"],
    ),
    "where telemetry is": (
        (('listen: "127.0.0.1:9464"', 'listen: "127.0.0.1:9465"'),),
        ["telemetry.listen: 127.0.0.1:9464 -> 127.0.0.1:9465"],
        ["telemetry.listen"],
    ),
    "where control is": (
        (("telemetry:\n", 'control: {listen: "127.0.0.1:9999"}\ntelemetry:\n'),),
        ["control.listen: none -> 127.0.0.1:9999"],
        ["control.listen"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_difference_is_told_in_words(name: str, tmp_path: Path) -> None:
    changes, words, restart = TABLE[name]
    old, new = (
        loaded(CONTRACT, folder=tmp_path),
        loaded(changed(CONTRACT, *changes), folder=tmp_path),
    )
    found = difference(old, new)
    assert [str(change).replace(f"{tmp_path}/", "") for change in found.changes] == words
    assert list(found.needs_restart) == restart
    assert bool(found) == bool(words)


@pytest.mark.parametrize("name", TABLE)
def test_the_way_back_is_the_other_way_round(name: str, tmp_path: Path) -> None:
    changes, _, _ = TABLE[name]
    old, new = (
        loaded(CONTRACT, folder=tmp_path),
        loaded(changed(CONTRACT, *changes), folder=tmp_path),
    )
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    back = {(one.path, one.kind, one.before, one.after) for one in difference(new, old).changes}
    assert back == {
        (one.path, turned[one.kind], one.after, one.before) for one in difference(old, new).changes
    }


def test_a_renamed_operator_is_told_by_both_names_with_what_else_has_changed(
    tmp_path: Path,
) -> None:
    text = CONTRACT.replace("telia:", "telia2:").replace("[telia,", "[telia2,")
    text = text.replace("  telia2:\n", "  telia2:\n    formerly: telia\n", 1)
    text = text.replace("operator: telia", "operator: telia2").replace("first: 1s", "first: 2s")
    old = loaded(CONTRACT, folder=tmp_path)
    new = loaded(text, folder=tmp_path)
    assert "telia2" in new.operators
    found = difference(old, new)
    assert found.needs_restart == ()
    words = [str(one) for one in found.changes]
    assert words == [
        "operators.telia2: formerly telia",
        "operators.telia2.reconnect.first: 1s -> 2s",
    ]


def test_a_renamed_account_is_told_by_both_names_and_handed_over(tmp_path: Path) -> None:
    text = CONTRACT.replace("  bank: ", "  bank2:\n    formerly: bank ")
    text = text.replace("to: bank}", "to: bank2}")
    found = difference(loaded(CONTRACT, folder=tmp_path), loaded(text, folder=tmp_path))
    words = [str(one) for one in found.changes]
    assert words == [
        "accounts.bank2: formerly bank; its queue and outbox are handed over, its clients bind anew"
    ]
    assert not [word for word in words if "removed" in word or "added" in word]
    assert found.needs_restart == ()


def test_a_former_name_that_nobody_had_is_told_as_any_key(tmp_path: Path) -> None:
    text = CONTRACT.replace("  bank: ", "  bank:\n    formerly: bank0 ")
    found = difference(loaded(CONTRACT, folder=tmp_path), loaded(text, folder=tmp_path))
    assert [str(one) for one in found.changes] == ["accounts.bank.formerly: none -> bank0"]
    assert found.needs_restart == ("accounts.bank.formerly",)
    back = difference(loaded(text, folder=tmp_path), loaded(CONTRACT, folder=tmp_path))
    assert back == Difference((Change("accounts.bank.formerly", "changed", "bank0", "none"),), ())


def test_new_name_of_what_was_removed_before_says_what_is_handed_over() -> None:
    new = loaded(CONTRACT)
    (bank, telia) = new.accounts[AccountName("bank")], new.operators[OperatorName("telia")]
    accounts = {**new.accounts, AccountName("bank2"): replace(bank, formerly=AccountName("bank1"))}
    operators = {
        **new.operators,
        OperatorName("telia2"): replace(telia, formerly=OperatorName("telia1")),
    }
    named = replace(new, accounts=accounts, operators=operators)
    assert [str(one) for one in difference(new, named).changes] == [
        "accounts.bank2: added: formerly bank1; what is left under that name is handed over",
        "operators.telia2: added: formerly telia1; what is left under that name is handed over",
    ]
    assert difference(new, named).needs_restart == ()


TLS: Final = (
    'listen:\n  - {address: "127.0.0.1:2775"}',
    'listen:\n  - {address: "127.0.0.1:2775", tls: {certificate: c.pem, key: k.pem}}',
)


def test_file_that_is_named_counts_as_changed_when_its_content_is_another(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("one", encoding="utf-8")
    old = loaded(changed(CONTRACT, TLS), folder=tmp_path)
    (tmp_path / "k.pem").write_text("one", encoding="utf-8")
    assert not difference(old, loaded(changed(CONTRACT, TLS), folder=tmp_path))
    (tmp_path / "c.pem").write_text("two", encoding="utf-8")
    found = difference(old, loaded(changed(CONTRACT, TLS), folder=tmp_path))
    assert [str(one) for one in found.changes] == [f"file {tmp_path / 'c.pem'}: changed"]
    assert found.needs_restart == ()


def test_lanes_are_told_apart_by_name_and_their_names_and_order_need_a_restart() -> None:
    old = loaded(CONTRACT)
    moved = replace(old, lanes=(old.lanes[1], old.lanes[0], old.lanes[2]))
    found = difference(old, moved)
    assert [str(one) for one in found.changes] == ["lanes: otp, alert, bulk -> alert, otp, bulk"]
    assert found.needs_restart == ("lanes",)
    fewer = difference(old, replace(old, lanes=old.lanes[:2]))
    assert fewer == Difference((Change("lanes.bulk", "removed"),), ("lanes",))


def test_certificate_of_a_listener_is_followed_and_tls_itself_needs_a_restart() -> None:
    clear = loaded(CONTRACT)
    first, second = (
        TlsSettings(certificate=Path(f"{name}.pem"), key=Path(f"{name}.key")) for name in "ab"
    )

    def listening(tls: TlsSettings | None) -> Settings:
        (one,) = clear.listen
        return replace(clear, listen=(replace(one, tls=tls),))

    found = difference(listening(first), listening(second))
    assert [str(one) for one in found.changes] == [
        "listen[0].tls.certificate: a.pem -> b.pem",
        "listen[0].tls.key: a.key -> b.key",
    ]
    assert found.needs_restart == ()
    assert difference(clear, listening(first)).needs_restart == ("listen[0].tls",)


def test_proxies_of_a_listener_are_followed_and_proxy_itself_needs_a_restart() -> None:
    def behind(proxy: str) -> Settings:
        return loaded(changed(CONTRACT, ('"127.0.0.1:2775"', f'"127.0.0.1:2775"{proxy}')))

    one, two = behind(", proxy: {from: [10.0.0.5]}"), behind(", proxy: {from: [10.0.0.0/24]}")
    found = difference(one, two)
    assert [str(change) for change in found.changes] == [
        "listen[0].proxy.from: 10.0.0.5/32 -> 10.0.0.0/24"
    ]
    assert found.needs_restart == ()
    assert difference(behind(""), one).needs_restart == ("listen[0].proxy",)
    assert difference(one, behind("")).needs_restart == ("listen[0].proxy",)


def test_binds_in_another_order_are_the_same_binds() -> None:
    old = loaded(CONTRACT)
    telia = old.operators[next(iter(old.operators))]
    turned = replace(telia, binds=telia.binds[::-1])
    new = replace(old, operators={**old.operators, telia.name: turned})
    assert [one.path for one in difference(old, new).changes] == ["operators.telia.binds"]


def test_no_secret_is_in_any_word(tmp_path: Path) -> None:
    old = loaded(CONTRACT, folder=tmp_path)
    text = CONTRACT.replace("secret0", "SECRET-").replace("password: pw", "password: SECRET")
    new = loaded(text, folder=tmp_path)
    words = " ".join(map(str, difference(old, new).changes))
    assert words.count("changed") == 8
    assert "secret0" not in words
    assert "SECRET" not in words


def test_keys_that_need_a_restart_are_keys() -> None:
    names = {one.name for one in fields(Settings)}
    assert {key.partition(".")[0] for key in NEEDS_RESTART} <= names


def test_group_of_prefixes_tells_how_many_came_and_went() -> None:
    def with_group(*prefixes: str) -> Settings:
        group = PrefixGroup(file="", prefixes=prefixes)
        return replace(loaded(SMALL), prefixes={GroupName("near"): group})

    (change,) = difference(with_group("1", "2", "3"), with_group("2", "3", "4", "5")).changes
    assert str(change) == "prefixes.near.prefixes: 3 of them -> 4 (+2 -1)"
    assert not difference(with_group("1", "2"), with_group("2", "1"))
