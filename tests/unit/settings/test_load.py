"""router/settings/load.py and keys.py: what a configuration says, and what is wrong."""

import ast
import dataclasses
import gc
import inspect
import os
import re
from ipaddress import ip_network
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from router.settings.keys import ROUTES_ALIKE, SETTINGS
from router.settings.load import SettingsError, load, warnings
from router.settings.parts import key_of
from router.terms import settings as terms
from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.settings import (
    AccountSettings,
    Address,
    BindSettings,
    InboundSettings,
    JournalSettings,
    LaneSettings,
    ListenSettings,
    LogSettings,
    MessageIdSettings,
    OperatorSettings,
    ReconnectSettings,
    RouteSettings,
    SessionSettings,
    Settings,
    StatusAction,
    TelemetrySettings,
)
from tests.unit.settings.configurations import (
    CONTRACT,
    CONTRACT_FILE,
    SMALL,
    changed,
    every_part,
    line_and_column,
    loaded,
    mistakes,
    the_mistake,
)

OTP, ALERT, BULK = LaneName("otp"), LaneName("alert"), LaneName("bulk")
BANK, SHOP = AccountName("bank"), AccountName("shop")
TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
HERE = ip_network("127.0.0.0/8")


def telia_bind(number: int) -> BindSettings:
    return BindSettings(
        name=BindName(f"telia-{number}"),
        addresses=(Address(host="127.0.0.1", port=27751),),
        system_id="agg1",
        password="pw1",
        type="transceiver",
        rate=Rate(50, 1.0),
        window=20,
    )


def elisa_bind(name: str) -> BindSettings:
    sends = name != "elisa-rx"
    return BindSettings(
        name=BindName(name),
        addresses=(Address(host="127.0.0.1", port=27752),),
        system_id="agg2",
        password="pw2",
        type="transmitter" if sends else "receiver",
        rate=Rate(50, 1.0) if sends else None,
        window=10,
    )


EXPECTED = Settings(
    listen=(ListenSettings(address=Address(host="127.0.0.1", port=2775)),),
    session=SessionSettings(
        system_id="smpp-router",
        bind_timeout_s=5.0,
        enquire_link_s=30.0,
        response_timeout_s=30.0,
        max_pdu_bytes=70_000,
    ),
    journal=JournalSettings(
        url=f"sqlite:///{CONTRACT_FILE.with_name('router.db')}",
        commit_every_s=0.002,
        settle_every_s=0.05,
    ),
    telemetry=TelemetrySettings(
        listen=Address(host="127.0.0.1", port=9464), log=LogSettings(format="json", level="info")
    ),
    lanes=(
        LaneSettings(name=OTP, validity_s=300.0, failover_after_s=2.0),
        LaneSettings(name=ALERT, min_share=0.2, in_doubt="elsewhere"),
        LaneSettings(name=BULK, min_share=0.05, validity_s=172_800.0),
    ),
    accounts={
        BANK: AccountSettings(
            name=BANK,
            passwords=("secret01",),
            allow_from=(HERE,),
            max_binds=4,
            window=100,
            rate=Rate(2_000, 1.0),
            burst=2_000,
            queue=100_000,
            lane=OTP,
            deliver_window=20,
            outbox_s=259_200.0,
        ),
        SHOP: AccountSettings(
            name=SHOP,
            passwords=("secret02",),
            allow_from=(HERE,),
            max_binds=2,
            window=50,
            rate=Rate(10_000, 1.0),
            burst=10_000,
            lane=BULK,
            lane_by_priority={3: ALERT},
        ),
    },
    operators={
        TELIA: OperatorSettings(
            name=TELIA,
            binds=(telia_bind(1), telia_bind(2), telia_bind(3)),
            message_id=MessageIdSettings(response="text", receipt="text"),
            reconnect=ReconnectSettings(first_s=1.0, longest_s=30.0),
            receipt_wait_s=259_200.0,
        ),
        ELISA: OperatorSettings(
            name=ELISA,
            rate=Rate(80, 1.0),
            binds=(elisa_bind("elisa-tx"), elisa_bind("elisa-tx2"), elisa_bind("elisa-rx")),
            message_id=MessageIdSettings(response="hex", receipt="decimal"),
            on_status={
                0x14: StatusAction(do="retry", after_s=30.0, times=5, then="next"),
                0x58: StatusAction(do="pause", for_s=1.0),
                0x400: StatusAction(do="next"),
            },
        ),
    },
    routes=(
        RouteSettings(destination=("372",), to=(TELIA, ELISA)),
        RouteSettings(destination=("3725",), account=(SHOP,), to=(TELIA, ELISA), weights=(70, 30)),
        RouteSettings(destination=("358",), to=(ELISA,)),
        RouteSettings(destination=("3581999",), refuse=0x0B),
    ),
    inbound=(
        InboundSettings(operator=TELIA, destination="12302", keyword="MESSENTE", to=SHOP),
        InboundSettings(destination="12302", to=BANK),
    ),
)


def test_contract_file_means_what_its_comments_say() -> None:
    assert load(CONTRACT_FILE, {}) == EXPECTED


def test_contract_file_gives_warnings_of_rates_that_its_operators_cannot_take() -> None:
    def what(rate: str, full_after: str) -> str:
        return (
            f"{rate} is more than the operators of its routes carry together (230/s: telia 150/s, "
            "elisa 80/s); what is more waits in its queue of 100000, which at this rate is full "
            f"after {full_after}; then the client hears ESME_RMSGQFUL"
        )

    assert [str(warning) for warning in warnings(load(CONTRACT_FILE, {}))] == [
        f"{CONTRACT_FILE}:39:11: accounts.bank.rate: {what('2000/s', '56s')}",
        f"{CONTRACT_FILE}:50:11: accounts.shop.rate: {what('10000/s', '10s')}",
    ]


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null", "folder/a.yaml"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "folder" / "a.yaml")
    path = tmp_path / name

    with pytest.raises(SettingsError) as raised:
        load(path.parent if path.parent.name == "folder" else path, {})

    assert f"{path}: cannot be read: this is no regular file" in str(raised.value)


def test_routes_know_their_file_and_line() -> None:
    lines = CONTRACT.splitlines()
    for route in load(CONTRACT_FILE, {}).routes:
        assert route.file == str(CONTRACT_FILE)
        assert f'"{route.destination[0]}"' in lines[route.line - 1]


def test_settings_stay_equal_when_lines_move() -> None:
    # A reload that changes nothing but a comment must find that nothing changed.
    assert loaded(SMALL) == loaded("# One more line.\n" + SMALL)


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_collected_afterwards_as_it_was_before(collects: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        loaded(SMALL)
        assert gc.isenabled() == collects
        mistakes("")
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


def test_every_field_of_the_settings_has_its_key() -> None:
    no_keys = {
        "AccountSenders": {"only_files"},
        "AccountSettings": {"name"},
        "CountrySenders": {"only_files"},
        "OperatorSenders": {"only_files"},
        "OperatorSettings": {"name"},
        "PrefixGroup": {"prefixes"},
        "RefuseSettings": {"file", "groups", "line", "sender_files"},
        "RouteSettings": {"file", "groups", "line", "sender_files", "weights"},
        "ScreenSettings": {"name", "phrase_files"},
        "Settings": {"places", "files", "folder", "digest"},
    }
    parts = {part.settings.__name__: part for part in every_part(SETTINGS)}
    tree = ast.parse(inspect.getsource(terms))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert parts.keys() == classes - {
        "Address",
        "DaySpan",
        "ListFile",
        "NetworkFile",
        "Place",
        "SeenFile",
        "TonNpi",
    }
    for name, part in parts.items():
        fields = {field.name for field in dataclasses.fields(getattr(terms, name))}
        assert fields - no_keys.get(name, set()) == set(part.readers), name


def test_ten_different_mistakes_are_all_shown_with_line_column_and_path() -> None:
    text = changed(
        CONTRACT,
        ("bind_timeout: 5s ", "bind_timeout: 5 "),
        ("max_pdu: 70000B", "max_pdo: 70000B"),
        ("min_share: 20%", "min_share: 0.2"),
        ("max_binds: 4", "max_binds: 0"),
        ("lane: bulk\n", "lane: bluk\n"),
        ("telia-2", "telia-1"),
        ("rate: 80/s", "rate: 80"),
        ("ESME_RTHROTTLED", "ESME_RTHROTTLE"),
        ('"358"', '"+358"'),
        ("to: bank", "to: bonk"),
    )
    found = mistakes(text)
    assert [(m.line, m.column, m.path, m.suggestion) for m in found] == [
        (11, 17, "session.bind_timeout", "5s"),
        (14, 3, "session.max_pdo", "max_pdu"),
        (30, 30, "lanes[1].min_share", "20%"),
        (37, 16, "accounts.bank.max_binds", None),
        (52, 11, "accounts.shop.lane", "bulk"),
        (59, 16, "operators.telia.binds[1].name", None),
        (65, 11, "operators.elisa.rate", "80/s"),
        (75, 7, "operators.elisa.on_status.ESME_RTHROTTLE", "ESME_RTHROTTLED"),
        (83, 19, "routes[2].destination", "358"),
        (89, 32, "inbound[1].to", "bank"),
    ]
    assert {Path(m.file).name for m in found} == {"router.yaml"}


def test_a_mistake_reads_as_one_line_with_place_path_and_suggestion() -> None:
    mistake = the_mistake(changed(CONTRACT, ("name: telia-1,", "name: telia-1, windows: 5,")))
    assert re.fullmatch(
        r".*router\.yaml:58:25: operators\.telia\.binds\[0\]\.windows: unknown key; "
        r"did you mean 'window'\? known keys are name, address, .*",
        str(mistake),
    )


# Routes as a program writes them, and as nobody should.
DESTINATIONS = ["1", "23", "372", "37256", "00372", "+372", "${P}", "~", "", "9" * 21]
ROUTES = [
    '- {{destination: "{}", to: [telia]}}',
    "- {{destination: {}, to: [telia]}}",
    "- destination: '{}'\n  to:\n  - telia",
    '- {{account: bank, destination: "{}", to: {{telia: 1}}, priority: 3}}',
    '- {{destination: "{}", refuse: ESME_RINVDSTADR, lane: slow}}',
    '- {{destination: "{}", to: *both, sender: "${{S}}"}}',
    '- {{<<: *common, destination: "{}"}}',
    '- {{destination: "{}", sender: &anchor destination, to: [telia]}}',
    '- {{destination: "{}", to: [telai]}}',
    '- {{destination: "{}", to: [telia], destination: "5"}}',
    '- {{destination: "{}", to: [telia], lain: slow}}',
    '- {{destination: "{}"}}',
    '- &item {{destination: "{}", to: [telia]}}',
    '- !tag {{destination: "{}", to: [telia]}}',
    "- *common",
    '- {{*key : "{}", to: [telia]}}',
]
FIRST_ROUTE = '{destination: "", to: [telia]}'
ANCHORED_ROUTE = '&common {&key destination: "", to: &both [telia]}'
written_routes = st.lists(
    st.tuples(st.sampled_from([*ROUTES[:7] * 3, *ROUTES]), st.sampled_from(DESTINATIONS[:4])),
    max_size=12,
)
strange_routes = st.lists(
    st.tuples(st.sampled_from(ROUTES), st.sampled_from(DESTINATIONS)), max_size=12
)


@given(written_routes | strange_routes)
def test_routes_that_are_alike_are_read_as_if_each_stood_alone(
    written: list[tuple[str, str]],
) -> None:
    more = "".join(route.format(digits) + "\n" for route, digits in written)
    text = changed(SMALL, (f"[{FIRST_ROUTE}]\n", f"\n- {ANCHORED_ROUTE}\n{more}"))
    results = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "router.yaml"
        path.write_text(text, encoding="utf-8")
        for alike in (ROUTES_ALIKE, None):
            try:
                routes = load(path, {"P": "37", "S": "sender"}, alike=alike).routes
            except SettingsError as error:
                results.append(str(error))
            else:
                results.append(f"{routes}")
                event("read")
    assert results[0] == results[1]


@pytest.mark.parametrize("wrong", ["00372", "9" * 21])
def test_a_wrong_prefix_among_many_alike_is_a_mistake_at_its_place(wrong: str) -> None:
    alike = [f'{{destination: "{digits}", to: [telia]}}' for digits in ("37", "38", wrong, "39")]
    text = changed(SMALL, (FIRST_ROUTE, ",\n  ".join(alike)))
    mistake = the_mistake(text)
    assert mistake.path == "routes[2].destination"
    assert (mistake.line, mistake.column) == line_and_column(text, f'"{wrong}"')


def test_routes_of_several_files_are_alike_in_each(tmp_path: Path) -> None:
    head = SMALL.partition("routes:")[0]
    for file, digit, above in (("a.yaml", 1, head), ("b.yaml", 2, "")):
        lines = [f'  - {{destination: "{digit}{number}", to: [telia]}}' for number in range(3)]
        text = "\n".join([f"{above}routes:", *lines, ""])
        (tmp_path / file).write_text(text, encoding="utf-8")
    routes = load(tmp_path, {}).routes
    assert [route.destination[0] for route in routes] == ["10", "11", "12", "20", "21", "22"]
    assert str(routes) == str(load(tmp_path, {}, alike=None).routes)
    # What they have in common is one object: they were not read one by one.
    assert len({id(route.to) for route in routes}) == 2


KEYS = frozenset(key_of(name) for part in every_part(SETTINGS) for name in part.readers)
WRITTEN_KEYS = [
    (found.start(1), found[1])
    for found in re.finditer(
        r"(?<![\w-])([a-z_]+):(?=\s)",
        re.sub(r"#.*", lambda comment: " " * len(comment[0]), CONTRACT),
    )
    if found[1] in KEYS
]


def test_the_contract_file_has_keys_to_rename() -> None:
    assert len(WRITTEN_KEYS) > 100
    assert len({key for _, key in WRITTEN_KEYS}) > 40


@given(st.sampled_from(WRITTEN_KEYS), st.integers(0, 20), st.sampled_from(ascii_lowercase + "_"))
def test_a_key_with_one_letter_changed_is_one_mistake_that_suggests_the_key(
    written: tuple[int, str], position: int, letter: str
) -> None:
    at, key = written
    position %= len(key)
    other = key[:position] + letter + key[position + 1 :]
    assume(other not in KEYS)
    text = CONTRACT[:at] + other + CONTRACT[at + len(key) :]
    mistake = the_mistake(text)
    assert (mistake.message, mistake.suggestion) == ("unknown key", key)
    assert mistake.path.rpartition(".")[2] == other
    assert (mistake.line, mistake.column) == line_and_column(text, at)


@pytest.mark.parametrize(
    ("telemetry", "control"),
    [
        ("127.0.0.1:9464", "127.0.0.1:9465"),
        ("0.0.0.0:9464", "127.0.0.1:9465"),
        ("[::1]:80", "127.0.0.1:81"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:65535", "127.0.0.1:65534"),
    ],
)
def test_commands_are_taken_beside_telemetry_where_nothing_else_is_written(
    telemetry: str, control: str
) -> None:
    settings = loaded(changed(CONTRACT, ('"127.0.0.1:9464"', f'"{telemetry}"')))
    assert str(settings.telemetry.listen) == telemetry
    assert str(settings.control_listen) == control
