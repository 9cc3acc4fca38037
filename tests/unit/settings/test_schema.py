"""router/settings/schema.py: what an editor is told of a configuration."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from router.settings.keys import SETTINGS
from router.settings.mistakes import Mistake
from router.settings.parts import key_of
from router.settings.places import Node, Scalar, Sequence, Table, read_table
from router.settings.schema import page
from tests.unit.settings.configurations import (
    CONTRACT,
    SMALL,
    changed,
    every_part,
    loaded,
    with_its_comments,
)

ROOT = Path(__file__).parents[3]
CONFIG = sorted((ROOT / "config").glob("*.yaml"))
COPY = ROOT / "docs" / "router.schema.json"
SCHEMA = json.loads(page())
VALIDATOR = Draft202012Validator(SCHEMA)
BIND: Final = "password: b, rate: 50/s"

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

CORE: Final[tuple[tuple[str, Callable[[str], Value]], ...]] = (
    ("true|True|TRUE", lambda _: True),
    ("false|False|FALSE", lambda _: False),
    ("[-+]?[0-9]+", int),
    ("0x[0-9a-fA-F]+", lambda text: int(text, 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
)
"""What a plain scalar is to an editor (YAML 1.2, 10.3.2)."""


def as_an_editor_reads(node: Node) -> Value:
    match node:
        case Scalar() if node.is_nothing:
            return None
        case Scalar(_, text, plain):
            makes = (make for form, make in CORE if plain and re.fullmatch(form, text))
            return next(makes, str)(text)
        case Sequence(_, items):
            return [as_an_editor_reads(item) for item in items]
        case Table(_, entries):
            return {key: as_an_editor_reads(entry.value) for key, entry in entries.items()}
        case _:
            raise AssertionError(node)


def refused(text: str, folder: Path) -> list[str]:
    """The path of everything that the schema refuses in one file."""
    file = folder / "edited.yaml"
    file.write_text(text, encoding="utf-8")
    mistakes: list[Mistake] = []
    root = read_table(file, mistakes)
    assert root is not None
    assert mistakes == []
    return [error.json_path for error in VALIDATOR.iter_errors(as_an_editor_reads(root))]


def test_it_is_a_schema_of_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_written_copy_is_not_stale() -> None:
    assert COPY.read_text(encoding="utf-8") == page(), "smpp-router schema >docs/router.schema.json"


@pytest.mark.parametrize("file", CONFIG, ids=lambda file: file.name)
def test_every_file_of_the_example_leads_an_editor_to_the_copy(file: Path) -> None:
    first, _, _ = file.read_text(encoding="utf-8").partition("\n")
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    assert (file.parent / found[1]).resolve() == COPY


@pytest.mark.parametrize("file", CONFIG, ids=lambda file: file.name)
def test_every_file_of_a_folder_is_accepted_by_itself(file: Path, tmp_path: Path) -> None:
    assert refused(file.read_text(encoding="utf-8"), tmp_path) == []
    assert refused(with_its_comments(file), tmp_path) == []


@pytest.mark.parametrize(
    "text", [CONTRACT, SMALL, "", "routes: []\nlisten: []\naccounts: {}\n", "node: 7"]
)
def test_a_whole_configuration_and_any_part_of_one_is_accepted(text: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # What is text to the router is a number or a truth to an editor.
        *[("secret01", word) for word in ("0372", "no", "1:30", "1e3", "true", "0x10", "1_0")],
        ("secret01", "[old, '${NEW:-x}']"),
        ("bank:", "372:"),
        ('destination: ""', "destination: 372"),
        ('destination: ""', "destination: '', sender: 12302, priority: 0, service_type: ''"),
        ('destination: ""', "destination: '${PREFIX:-37}'"),
        ("[telia]", "{telia: 1_0}"),
        ("to: [telia]", "refuse: 0x0B"),
        ("to: [telia]", "refuse: 1024"),
        ("to: [telia]", "refuse: ESME_RINVDSTADR"),
        ("lane: urgent", "lane: urgent, lane_by_priority: {3: slow}, max_binds: 10_000"),
        ("lane: urgent", "lane: '${LANE:-slow}', lane_by_service_type: {OTP: slow, '': slow}"),
        ("lane: urgent", "lane: urgent, rate: 10 / min, burst: 5, outbox: 1.5h, queue: '${Q:-1}'"),
        ("lane: urgent", "lane: urgent, allow_from: [10.0.0.0/8, '2001:db8::/32', 10.1.2.3]"),
        ("lane: urgent", "lane: urgent, allow_from: [10.0.0.0/255.0.0.0, 'fe80::1%eth0']"),
        ("name: slow}", "name: slow, min_share: 12.5%, in_doubt: '${HOW:-fail}', validity: 2 d}"),
        *[(BIND, f"{BIND}, interface_version: {word}") for word in ("3.3", "'3.4'", "5.0", "0x34")],
        *[(BIND, f"{BIND}, tls: {word}") for word in ("true", "False", "{}", "{verify: FALSE}")],
        *[(BIND, f"{BIND}, window: {word}") for word in ("7", "auto", "'${W:-9}'")],
        (BIND, f"{BIND}, addr_ton: 5, addr_npi: 1, address_range: ''"),
        (BIND, f"{BIND}, address_range: 12302"),
        (BIND, f"{BIND}, source_address: '::1', enquire_link: 20s, max_age: 1d"),
        (BIND, "password: '', type: receiver, system_type: ''}, {name: r, address: [a:1, 'b:2'],"
         " system_id: 7, password: 7, rate: 300/h"),
        ('address: "127.0.0.1:1"', "outbind: {listen: '[::1]:2776', system_id: a, password: ''}"),
        ("  telia:\n", "  telia:\n    breaker: false\n    destination_rate: 1/10s\n"),
        ("  telia:\n", "  telia:\n    breaker: {statuses: [], rest: 1s}\n    ramp: 0s\n"),
        ("  telia:\n", "  telia:\n    on_status: {0x58: {do: next}, 8: {do: fail}}\n"),
        ("  telia:\n", "  telia:\n    receipts: {by_text: true, words: {7: DELETED},"
         " time_zone: Etc/GMT+5}\n"),
        ("  telia:\n", "  telia:\n    data_coding_0: latin-1\n"),
        ("lane: urgent", "lane: urgent, data_coding_0: '${ALPHABET:-gsm}'"),
        ("  telia:\n", "  telia:\n    numbers: {normalise: 00, ton_npi: {short: 3/0}}\n"),
        ("  telia:\n", "  telia:\n    numbers: {normalise: '00', country_code: 372}\n"),
        ("  telia:\n", "  telia:\n    numbers: {normalise: national, country_code: '1',"
         " national_prefix: 0}\n"),
        ("memory:", "sqlite:///r.db"),
        ("routes:", "session: {max_pdu: 64KiB}\nroutes:"),
        ("routes:", "telemetry: {listen: 'localhost:0', log: {messages: 0%}}\nroutes:"),
        ("routes:", "telemetry: {listen: '0.0.0.0:9464'}\nroutes:"),
        ("routes:", "control: {listen: '[::1]:0'}\nroutes:"),
        ("routes:", "inbound: [{to: bank, keyword: STOP, destination: 12302}]\nroutes:"),
        *[
            ("routes:", f"refuse: [{{sender: Äasino, status: {status}}}]\nroutes:")
            for status in ("ESME_RSUBMITFAIL", "0x0A", "'0x580'", "1024", "'888'", "'${S:-69}'")
        ],
        *[
            ("routes:", f"refuse: [{{sender: A, days: {days}}}]\nroutes:")
            for days in ("MON", "Mon-fri", "[sat, sun]", "'${DAY:-sat}'")
        ],
    ],
)  # fmt: skip
def test_what_the_router_takes_is_never_refused(old: str, new: str, tmp_path: Path) -> None:
    text = changed(SMALL, (old, new))
    loaded(text)
    assert refused(text, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("journal:", "jurnal:", "$"),
        ("system_id: smpp-router", "sistem_id: smpp-router", "$.session"),
        ("bind_timeout: 5s", "bind_timeout: 5", "$.session.bind_timeout"),
        ("bind_timeout: 5s", "bind_timeout: '5'", "$.session.bind_timeout"),
        ("bind_timeout: 5s", "bind_timeout: 5sec", "$.session.bind_timeout"),
        ("bind_timeout: 5s", "bind_timeout:", "$.session.bind_timeout"),
        ("max_pdu: 70000B", "max_pdu: 70000", "$.session.max_pdu"),
        ("rate: 80/s", "rate: 80", "$.operators.elisa.rate"),
        ("min_share: 20%", "min_share: 0.2", "$.lanes[1].min_share"),
        ("in_doubt: elsewhere", "in_doubt: retry", "$.lanes[1].in_doubt"),
        ("max_binds: 4", "max_binds: 0", "$.accounts.bank.max_binds"),
        ("max_binds: 4", "max_binds: four", "$.accounts.bank.max_binds"),
        ("[127.0.0.0/8]\n    max_binds: 4", "[]\n    max_binds: 4", "$.accounts.bank.allow_from"),
        ("lane: otp", "line: otp", "$.accounts.bank"),
        ("name: telia-1, ", "", "$.operators.telia.binds[0]"),
        ("do: pause, for: 1s", "do: pause, fro: 1s", "$.operators.elisa.on_status.ESME_RTHROTTLED"),
        ("ESME_RTHROTTLED", "ESME_RTHROTTLE", "$.operators.elisa.on_status"),
        ("refuse: ESME_RINVDSTADR", "refuse: ESME_ROK", "$.routes[3].refuse"),
        ("refuse: ESME_RINVDSTADR", "refuse: 0", "$.routes[3].refuse"),
        ('"358", to: [elisa]', '"358", to: elisa', "$.routes[2].to"),
        ('"358", to: [elisa]', '"+358", to: [elisa]', "$.routes[2].destination"),
        ("{telia: 70, elisa: 30}", "{telia: 70, elisa: 0}", "$.routes[1].to"),
        ("sqlite:///router.db", "postgres://x", "$.journal.url"),
        ('"127.0.0.1:9464"', "9464", "$.telemetry.listen"),
        (
            "[127.0.0.0/8]\n    max_binds: 4",
            "[all]\n    max_binds: 4",
            "$.accounts.bank.allow_from[0]",
        ),
        ("keyword: MESSENTE", "keyword: two words", "$.inbound[0].keyword"),
        ("\n  telia:\n", "\n  none:\n", "$.operators"),
        *[
            ("routes:", f"refuse: [{{sender: A, status: {status}}}]\nroutes:", "$.refuse[0].status")
            for status in (
                *("ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RSYSERR", "ESME_RX_T_APPN", "ESME_ROK"),
                *("0x58", "20", "8", "'0x58'", "'0X0064'", "'088'"),
            )
        ],
        *[
            ("routes:", f"refuse: [{{sender: A, days: {days}}}]\nroutes:", "$.refuse[0].days")
            for days in ("foo", "mon-fry", "[foo]")
        ],
        *[
            ("routes:", f"prefixes: {{a: {{file: f, column: {column}}}}}\nroutes:", "$.prefixes.a")
            for column in ("0", "-1", "1.5", "'0'", "'1.5'")
        ],
    ],
)  # fmt: skip
def test_what_a_schema_can_tell_is_refused_at_its_place(
    old: str, new: str, path: str, tmp_path: Path
) -> None:
    assert set(refused(changed(CONTRACT, (old, new)), tmp_path)) == {path}


def test_group_in_a_file_is_accepted_with_any_column(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("E.164,true,a 1\n3725,3726,3727\n")
    for column in ("1", "3", "'2'", "E.164", "true", "a 1", "'${COLUMN:-1}'"):
        rules = f"prefixes: {{a: {{file: f.csv, column: {column}}}}}\nroutes:"
        text = changed(SMALL, ("routes:", rules))
        loaded(text, folder=tmp_path)
        assert refused(text, tmp_path) == [], column


def test_nothing_is_required_at_the_top_alone() -> None:
    assert "required" not in SCHEMA
    parts = SCHEMA["$defs"]
    assert parts["BindSettings"]["required"] == ["name", "system_id", "password"]
    assert parts["RouteSettings"]["required"] == ["destination"]


def test_every_part_knows_its_keys_and_no_others() -> None:
    definitions = SCHEMA["$defs"]
    for part in every_part(SETTINGS):
        name = part.settings.__name__
        told = SCHEMA if part is SETTINGS else definitions[name]
        assert list(told["properties"]) == [key_of(field) for field in part.readers], name
        assert told["additionalProperties"] is False, name
        assert told["description"], name


def test_a_key_is_told_with_its_meaning_its_writing_and_its_default() -> None:
    told = SCHEMA["$defs"]["SessionSettings"]["properties"]["bind_timeout"]["description"]
    assert told == (
        "A connection that has not bound after this time is closed.\n\n"
        "Written as duration: 10ms to 10m. Default: `5s`."
    )
    keys = [key for part in SCHEMA["$defs"].values() for key in part.get("properties", {}).values()]
    assert len(keys) > 80
    assert all(key["description"] for key in keys)


def test_words_are_listed_for_completion() -> None:
    parts = SCHEMA["$defs"]
    in_doubt = parts["LaneSettings"]["properties"]["in_doubt"]["anyOf"][0]
    assert in_doubt == {"enum": ["resend", "elsewhere", "fail"]}
    names = parts["status"]["anyOf"][0]["enum"]
    assert "ESME_RTHROTTLED" in names
    assert "ESME_ROK" not in names
    names = parts["final_status"]["anyOf"][0]["enum"]
    assert "ESME_RSUBMITFAIL" in names
    assert "ESME_RTHROTTLED" not in names
