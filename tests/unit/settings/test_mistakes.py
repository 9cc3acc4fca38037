"""router/settings/keys.py, values.py: all that a configuration may not say."""

import pytest

from router.settings.mistakes import Mistake
from router.terms.names import AccountName
from router.terms.settings import RetrySettings
from tests.unit.settings.configurations import (
    CONTRACT,
    SMALL,
    changed,
    line_and_column,
    loaded,
    mistakes,
    the_mistake,
)

ROUTES = 'routes: [{destination: "", to: [telia]}]\n'
BIND = '{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}'
BANK = "bank: {password: secret01, lane: urgent}"


@pytest.mark.parametrize(
    ("old", "new", "path", "says", "suggestion"),
    [
        ('"127.0.0.1:2775"', '"127.0.0.1:99999"', "listen[0].address", "65535", None),
        ('"127.0.0.1:2775"', '"2775"', "listen[0].address", "host:port", "127.0.0.1:2775"),
        ("[telia, elisa]}  ", "[telia, elsa]}  ", "routes[0].to[1]", "unknown operator", "elisa"),
        ("bind_timeout: 5s", "bind_timeout: 0s", "session.bind_timeout", "10ms", None),
        ("bind_timeout: 5s", "bind_timeout: 1d", "session.bind_timeout", "10m", None),
        ("system_id: smpp-router", "system_id: ''", "session.system_id", "empty", None),
        ("system_id: smpp-router", f"system_id: {'x' * 16}", "session.system_id", "15", None),
        ("system_id: smpp-router", "system_id: tõru", "session.system_id", "ASCII", None),
        ("max_pdu: 70000B", "max_pdu: 100B", "session.max_pdu", "1KiB to 16MiB", None),
        ("sqlite:///router.db", "postgres://x", "journal.url", "sqlite:///file", None),
        ("sqlite:///router.db", "sqlite://x.db", "journal.url", "memory:", "sqlite:///x.db"),
        ("sqlite:///router.db", "sqlite:///", "journal.url", "sqlite:///file", None),
        ("sqlite:///router.db", "memory", "journal.url", "memory:", "memory:"),
        (
            "journal:",
            "control: {listen: '0.0.0.0:1'}\njournal:",
            "control.listen",
            "loopback",
            "127.0.0.1:1",
        ),
        (
            "journal:",
            "control: {listen: 'example.com:1'}\njournal:",
            "control.listen",
            "loopback",
            "127.0.0.1:1",
        ),
        (
            "journal:",
            "control: {listen: '127.0.0.1:9464'}\njournal:",
            "control",
            "telemetry.listen has",
            None,
        ),
        (
            "journal:",
            "control: {listen: 'localhost:2775'}\njournal:",
            "control",
            "listen[0].address has",
            None,
        ),
        ('"127.0.0.1:2775"', '"0.0.0.0:9465"', "control", "listen[0].address has", None),
        ("level: info", "level: warn", "telemetry.log.level", "one of debug", "warning"),
        ("format: json, level: info", "messages: 2", "telemetry.log.messages", "0%", "2%"),
        ("min_share: 20%", "min_share: 46%", "lanes", "add up to 51%", None),
        ("in_doubt: elsewhere", "in_doubt: retry", "lanes[1].in_doubt", "one of resend", None),
        ("max_binds: 4", "max_binds: four", "accounts.bank.max_binds", "whole number", None),
        ("max_binds: 4", "max_binds: -1", "accounts.bank.max_binds", "from 1", None),
        ("window: 100  ", "window: 0  ", "accounts.bank.window", "from 1", None),
        ("rate: 2000/s", "rate: 0/s", "accounts.bank.rate", "at least 1", None),
        ("3: alert", "300: alert", "accounts.shop.lane_by_priority.300", "0 to 255", None),
        ("3: alert", "3: alarm", "accounts.shop.lane_by_priority.3", "unknown lane", "alert"),
        ("3: alert", "3: alert, 03: otp", "accounts.shop.lane_by_priority.03", "twice", None),
        ("longest: 30s", "longest: 500ms", "operators.telia.reconnect", "longer", None),
        (
            "receipt: decimal}",
            "receipt: decimal}\n    data_coding_0: latin1",
            "operators.elisa.data_coding_0",
            "one of gsm, latin-1",
            "latin-1",
        ),
        ("max_binds: 4", "max_binds: 4\n    data_coding_0: 0", "", "one of gsm, latin-1", None),
        (
            "receipt: decimal",
            "receipt: octal",
            "operators.elisa.message_id.receipt",
            "hex",
            "decimal",
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {words: {OK: DELIVERED}}\n    message_id: {response: hex",
            "operators.elisa.receipts.words.OK",
            "one of SCHEDLD",
            "DELIVRD",
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {words: {two words: DELIVRD}}\n    message_id: {response: hex",
            "operators.elisa.receipts.words['two words']",
            "a word is made of",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {words: {ok: DELIVRD, OK: EXPIRED}}\n    message_id: {response: hex",
            "operators.elisa.receipts.words.OK",
            "twice",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {time_zone: europe/Talinn}\n    message_id: {response: hex",
            "operators.elisa.receipts.time_zone",
            "area and city",
            "Europe/Tallinn",
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {time_zone: Helsinki}\n    message_id: {response: hex",
            "operators.elisa.receipts.time_zone",
            "area and city",
            "Europe/Helsinki",
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {time_zone: Etc}\n    message_id: {response: hex",
            "operators.elisa.receipts.time_zone",
            "area and city",  # A folder of the system's, and no zone.
            "UTC",
        ),
        (
            "    message_id: {response: hex",
            "    receipts: {time_zone: '+02:00'}\n    message_id: {response: hex",
            "operators.elisa.receipts.time_zone",
            "area and city",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {normalise: E164}\n    message_id: {response: hex",
            "operators.elisa.numbers.normalise",
            "one of as_it_came",
            "e164",
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {normalise: 0}\n    message_id: {response: hex",
            "operators.elisa.numbers.normalise",
            "one of as_it_came",
            "00",
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {normalise: national}\n    message_id: {response: hex",
            "operators.elisa.numbers.country_code",
            "must be written",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {country_code: '+372'}\n    message_id: {response: hex",
            "operators.elisa.numbers.country_code",
            "one to three digits",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {normalise: plus, national_prefix: 0}\n    message_id: {response: hex",
            "operators.elisa.numbers.national_prefix",
            "without country_code",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {country_code: 1, national_prefix: 12345}\n"
            "    message_id: {response: hex",
            "operators.elisa.numbers.national_prefix",
            "at most four digits",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {ton_npi: {international: 1}}\n    message_id: {response: hex",
            "operators.elisa.numbers.ton_npi.international",
            "two numbers from 0 to 255",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {ton_npi: {international: 1/256}}\n    message_id: {response: hex",
            "operators.elisa.numbers.ton_npi.international",
            "two numbers from 0 to 255",
            None,
        ),
        (
            "    message_id: {response: hex",
            "    numbers: {ton_npi: {shrot: 3/0}}\n    message_id: {response: hex",
            "operators.elisa.numbers.ton_npi.shrot",
            "one of international",
            "short",
        ),
        ("do: pause, for", "do: pause, times: 2, for", "", "says nothing beside do: pause", None),
        ("0x00000400", "0x00000058", "operators.elisa.on_status.0x00000058", "twice", None),
        ("0x00000400", "ESME_ROK", "operators.elisa.on_status.ESME_ROK", "success", None),
        ("ESME_RINVDSTADR", "ESME_ROK", "routes[3].refuse", "success", None),
        ("ESME_RINVDSTADR", "ESME_RINVDSTADDR", "routes[3].refuse", "status", "ESME_RINVDSTADR"),
        ("telia: 70", "telia: 0", "routes[1].to.telia", "from 1", None),
        ("telia: 70", "telia: -3", "routes[1].to.telia", "from 1", None),
        ("to: {telia: 70, elisa: 30}", "to: {}", "routes[1].to", "operators are wanted", None),
        ('"358", to: [elisa]', '"358", to: elisa', "routes[2].to", "a list", "[elisa]"),
        ('"358", to: [elisa]', '"358", to: []', "routes[2].to", "a list", None),
        ('"358", to: [elisa]', '"358", to: [elisa, elisa]', "routes[2].to[1]", "already", None),
        ('"358", to: [elisa]', '"358"', "routes[2]", "needs `to`", None),
        ('"358", to: [elisa]', '"358", to: [elisa], refuse: 8', "routes[2].refuse", "not", None),
        ('"358", to: [elisa]', '"00358", to: [elisa]', "routes[2].destination", "00", "358"),
        ("account: shop", "account: shpo", "routes[1].account", "unknown account", "shop"),
        ("account: shop", "priority: 256", "routes[1].priority", "0 to 255", None),
        ("keyword: MESSENTE", "keyword: two words", "inbound[0].keyword", "one word", None),
        ("operator: telia,", "operator: tela,", "inbound[0].operator", "unknown", "telia"),
        ('{destination: "12302"', '{destination: ""', "inbound[1].destination", "empty", None),
        ("[127.0.0.0/8]\n    max_binds: 4", "[]\n    max_binds: 4", "", "list is empty", None),
    ],
)
def test_each_mistake_is_shown_at_its_place(
    old: str, new: str, path: str, says: str, suggestion: str | None
) -> None:
    mistake = the_mistake(changed(CONTRACT, (old, new)))
    assert says in str(mistake)
    assert mistake.suggestion == suggestion
    if path:
        assert mistake.path == path


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("listen: ", "# ", "listen", "is missing"),
        ("password: secret01, ", "", "accounts.bank.password", "is missing"),
        (", rate: 50/s", "", "operators.telia.binds[0].rate", "contracted"),
        (", rate: 50/s", ", type: transmitter", "operators.telia.binds[0].rate", "contracted"),
        ("127.0.0.1:1", "127.0.0.1:0", "operators.telia.binds[0].address", "port 0"),
        (f"[{BIND}]", "[]", "operators.telia.binds", "at least one"),
        (BANK, "bank: secret01", "accounts.bank", "a mapping"),
        (BANK, BANK.replace("bank", "'bänk'"), "accounts.bänk", "ASCII"),
        (BANK, BANK.replace("bank", "${BANK}"), "accounts['${BANK}']", "environment"),
        ("  telia:\n", "  tel/ia:\n", "operators['tel/ia']", "a name is made of"),
        ("  telia:\n", "  none:\n", "operators.none", "when no operator is up"),
        ("lane: urgent", "lane: urgent, burst: 5", "accounts.bank.burst", "needs a rate"),
        ("lane: urgent", "lane", "accounts.bank.lane", "has no value"),
        ("{name: slow}", "{name: sl ow}", "lanes[1].name", "a name is made of"),
        ("lane: urgent", "lane: ~", "accounts.bank.lane", "has no value"),
        ("lane: urgent", "lane: null", "accounts.bank.lane", "has no value"),
        ("lane: urgent", "lane: [urgent]", "accounts.bank.lane", "not a list"),
        ("lane: urgent", "lane: {a: b}", "accounts.bank.lane", "not a mapping"),
        ("lane: urgent", 'lane: "urgent\\n"', "accounts.bank.lane", "end of line"),
        ("{name: slow}", "{name: urgent}", "lanes[1].name", "another lane has this already"),
        ("{name: slow}", "slow", "lanes[1]", "a mapping"),
        (f"\n  {BANK}", " {}", "accounts", "at least one key"),
        ("[{name: urgent}, {name: slow}]", "[]", "lanes", "at least one"),
        ("[{name: urgent}, {name: slow}]", "{urgent: {}}", "lanes", "a list is wanted"),
        (ROUTES, "routes: {}\n", "routes", "a list is wanted here, not a mapping"),
        ("journal:", "node: 100\njournal:", "node", "0 to 99"),
    ],
)
def test_each_mistake_in_a_small_file_is_shown(old: str, new: str, path: str, says: str) -> None:
    text = changed(SMALL, (old, new))
    found = [m for m in mistakes(text) if m.path == path and says in m.message]
    assert len(found) == 1, [str(mistake) for mistake in mistakes(text)]


def test_a_place_is_that_of_the_key_or_of_the_value_that_is_wrong() -> None:
    text = changed(SMALL, ("lane: urgent", "lane: argent, xyz: red"))
    lane, other = mistakes(text)
    assert (lane.line, lane.column) == line_and_column(text, "argent")
    assert (other.line, other.column) == line_and_column(text, "xyz")
    assert other.suggestion is None
    assert "known keys are password, lane" in other.known


def test_a_receiver_needs_no_rate_and_a_route_needs_a_sender() -> None:
    receiver = changed(SMALL, ("rate: 50/s", "type: receiver"), (ROUTES, "routes: []\n"))
    assert loaded(receiver).operators
    mistake = the_mistake(changed(SMALL, ("rate: 50/s", "type: receiver")))
    assert (mistake.path, mistake.message.partition(":")[0]) == (
        "routes[0].to[0]",
        "all binds of this operator are receivers",
    )


def test_retries_are_recognised_at_least_as_long_as_a_client_waits() -> None:
    mistake = the_mistake(
        changed(SMALL, ("password: secret01", "retries: {within: 5s}, password: secret01"))
    )
    assert mistake.path == "accounts.bank.retries"
    assert "`within` less than a client waits" in mistake.message
    for written, wanted in (
        ("true", RetrySettings()),
        ("false", None),
        ("{answer_after: 30s}", RetrySettings(answer_after_s=30.0)),
    ):
        text = changed(SMALL, ("password: secret01", f"retries: {written}, password: secret01"))
        assert loaded(text).accounts[AccountName("bank")].retries == wanted


def test_a_bind_has_its_name_alone_among_all_operators() -> None:
    other = f"  elisa:\n    binds: [{BIND}]\n"
    text = changed(SMALL, ("routes:", other + "routes:"))
    mistake = the_mistake(text)
    assert mistake.path == "operators.elisa.binds[0].name"
    assert "operators.telia.binds[0].name at " in mistake.message


def test_a_bind_taken_over_by_an_alias_needs_a_name_of_its_own() -> None:
    text = changed(SMALL, (f"[{BIND}]", f"[&t {BIND}, *t]"))
    assert the_mistake(text).path == "operators.telia.binds[1].name"


@pytest.mark.parametrize(
    ("anchor", "alias", "path", "says"),
    [
        ("&t {{name: t0, {}, window: 10x}}", "{{<<: *t, name: t{}}}", "binds[0].window", "whole"),
        ("&t {{name: t0, {}, windw: 10}}", "{{<<: *t, name: t{}}}", "binds[0].windw", "unknown"),
        ("&t {{name: t0, {}, tls: &x {{cert: a}}}}", "{{<<: *t, name: t{}}}", "tls.cert", "unkno"),
        ("&t {{name: t0, {}, window: '${{W}}'}}", "{{<<: *t, name: t{}}}", "[0].window", "not set"),
        ("&t {{name: t0, {}, window: '${{W'}}", "{{<<: *t, name: t{}}}", "[0].window", "variable"),
        (
            "&t {{name: t0, {}}}",
            "*t",
            "binds[1].name",
            "has this already: operators.telia.binds[0]",
        ),
    ],
)
def test_mistake_on_an_anchor_is_shown_once_with_its_first_path(
    anchor: str, alias: str, path: str, says: str
) -> None:
    keys = 'address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s'
    binds = ", ".join([anchor.format(keys), *(alias.format(number) for number in range(1, 30))])
    mistake = the_mistake(changed(SMALL, (BIND, binds)))
    assert path in mistake.path
    assert says in mistake.message


def test_one_value_that_is_wrong_in_two_ways_is_two_mistakes() -> None:
    # Named by an alias, the same text is no number here and no rate there.
    bind = BIND.replace("rate: 50/s", "rate: &x many, window: *x")
    found = mistakes(changed(SMALL, (BIND, f"{bind}, {{<<: *t, name: t2}}".replace("{n", "&t {n"))))
    assert [one.path for one in found] == [
        "operators.telia.binds[0].rate",
        "operators.telia.binds[0].window",
    ]
    assert len({one.place for one in found}) == 1


def test_keys_that_one_anchor_lacks_are_one_mistake_each() -> None:
    bind = '&t {address: "127.0.0.1:1", rate: 50/s}'
    found = mistakes(changed(SMALL, (BIND, f"{bind}, *t, *t")))
    keys = "name", "password", "system_id"
    assert [one.path for one in found] == [f"operators.telia.binds[0].{key}" for key in keys]


def test_two_listeners_on_one_address_are_a_mistake_but_not_where_the_kernel_chooses() -> None:
    one = '{address: "127.0.0.1:0"}'
    assert len(loaded(changed(SMALL, (one, f"{one}, {one}"))).listen) == 2
    two = one.replace(":0", ":2775")
    assert the_mistake(changed(SMALL, (one, f"{two}, {two}"))).path == "listen[1].address"


def test_what_hangs_on_a_broken_part_is_not_called_wrong_too() -> None:
    # The operator has a mistake, but it is there: the route to it is right.
    assert the_mistake(changed(SMALL, ("rate: 50/s", "rate: 50"))).suggestion == "50/s"
    # Nobody can tell the lanes while one has no name, so no account's lane is wrong.
    assert the_mistake(changed(SMALL, ("{name: urgent}", "{nmae: urgent}"))).suggestion == "name"
    # The accounts are there, under a misspelt key.
    text = changed(CONTRACT, ("\naccounts:", "\nacounts:"))
    assert the_mistake(text).suggestion == "accounts"


def test_a_misspelt_type_is_not_also_a_missing_rate() -> None:
    assert the_mistake(changed(SMALL, ("rate: 50/s", "type: reciever"))).suggestion == "receiver"


def test_an_empty_file_lacks_every_required_key() -> None:
    for text in ("", "# Nothing yet.\n", "---\n", "{}"):
        found = mistakes(text)
        assert [m.path for m in found] == sorted(
            ["accounts", "journal", "lanes", "listen", "operators", "routes"]
        )
        assert {(m.line, m.column) for m in found} == {(1, 1)}


def test_a_mistake_in_a_name_does_not_hide_those_below_it() -> None:
    found: list[Mistake] = mistakes(changed(SMALL, ("  telia:", "  tel/ia:"), ("50/s", "50")))
    paths = [mistake.path for mistake in found]
    assert "operators['tel/ia']" in paths
    assert "operators['tel/ia'].binds[0].rate" in paths


def test_machine_without_time_zones_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.settings.values.available_timezones", set)
    zone = "    receipts: {time_zone: Europe/Nowhere}\n    message_id: {response: hex"
    mistake = the_mistake(changed(CONTRACT, ("    message_id: {response: hex", zone)))
    assert "install tzdata" in str(mistake)
    assert mistake.suggestion is None


def test_a_former_name_is_of_one_that_is_no_more() -> None:
    for path in ("accounts.bank", "operators.telia"):
        name = path.partition(".")[2]
        for was in (name, "shop" if name == "bank" else "elisa"):
            text = CONTRACT.replace(f"  {name}:", f"  {name}:\n    formerly: {was}")
            mistake = the_mistake(text)
            assert mistake.path == f"{path}.formerly"
            assert f"still has the {path.partition('s.')[0]} {was}" in mistake.message


def test_two_cannot_have_been_one() -> None:
    text = CONTRACT.replace("  telia:\n", "  telia:\n    formerly: emt\n")
    text = text.replace("  elisa:\n", "  elisa:\n    formerly: emt\n")
    mistake = the_mistake(text)
    assert mistake.path == "operators.elisa.formerly"
    assert "operators.telia.formerly" in mistake.message


def test_an_account_and_an_operator_may_have_had_one_name() -> None:
    text = CONTRACT.replace("  telia:\n", "  telia:\n    formerly: emt\n")
    text = text.replace("  bank:", "  bank:\n    formerly: emt")
    settings = loaded(text)
    assert [one.formerly for one in settings.operators.values()] == ["emt", None]
    assert [one.formerly for one in settings.accounts.values()] == ["emt", None]


@pytest.mark.parametrize("key", ["root:$6$salt$hash", "a word and another", "x" * 41, "rate=5"])
@pytest.mark.parametrize("times", [1, 2])
def test_key_that_is_no_word_is_not_shown_for_it_may_be_of_another_file(
    key: str, times: int
) -> None:
    found = mistakes(SMALL + f'"{key}": 1\n' * times)
    assert len(found) == times
    for mistake in found:
        assert mistake.line > 0
        assert key not in str(mistake)
    unknown = [one.message for one in found if "unknown key" in one.message]
    assert unknown == ["unknown key, which is not shown: it is no word"]


@pytest.mark.parametrize("key", ["rate", "max-binds", "session.timeout", "x" * 40])
def test_key_that_is_a_word_is_shown(key: str) -> None:
    assert key in str(the_mistake(SMALL + f"{key}: 1\n"))
