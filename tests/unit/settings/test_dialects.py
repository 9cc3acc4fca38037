"""router/settings/keys.py: the dialect of an account, and its message ids."""

from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from router.decide.table import Up
from router.enqueue.ids import client_id_of
from router.settings import dialects_page
from router.settings.dialects_page import BEGINS, ENDS, page_with_table
from router.steps.rules import Rules
from router.terms.dialects import READY
from router.terms.names import RouterId
from router.terms.plan import Plans
from router.terms.settings import (
    USUAL_TEXT,
    AccountSettings,
    ClientIdForm,
    Dialect,
    MessageIdForms,
)
from tests.unit.settings.configurations import (
    SMALL,
    loaded,
    the_mistake,
)

PAGE = Path(__file__).parents[3] / "docs" / "dialects.md"
PASSWORD = "password: secret01"


def written(keys: str) -> str:
    """A configuration whose accounts have these keys, too."""
    assert PASSWORD in SMALL
    return SMALL.replace(PASSWORD, f"{PASSWORD}, {keys}", 1)


def account(keys: str) -> AccountSettings:
    (found, *_) = loaded(written(keys)).accounts.values()
    return found


@pytest.mark.parametrize("name", READY)
def test_a_word_is_a_ready_made_dialect(name: str) -> None:
    assert account(f"dialect: {name}").dialect == READY[name]  # type: ignore[index]


def test_keys_change_single_points_of_a_ready_made_dialect() -> None:
    keys = """dialect: {like: jsmpp, text: "id:{id} stat:{stat}", date_digits: 12, hold: 20ms,
               time_zone: Europe/Tallinn, tlvs: false, states: 5.0, intermediate: 0x20}"""
    assert account(keys).dialect == Dialect(
        like="jsmpp",
        message_id=MessageIdForms(response="hex", receipt="decimal"),
        text="id:{id} stat:{stat}",
        date_digits=12,
        hold_s=0.02,
        time_zone=ZoneInfo("Europe/Tallinn"),
        tlvs=False,
    )


def test_without_like_the_other_points_are_those_of_standard() -> None:
    dialect = account("dialect: {receipts_as: data_sm}").dialect
    assert dialect == Dialect(receipts_as="data_sm")
    assert dialect.text == USUAL_TEXT


@pytest.mark.parametrize(
    ("keys", "response", "receipt"),
    [
        ("weight: 1", "decimal", "decimal"),
        ("message_id: hex8", "hex8", "hex8"),
        ("message_id: uuid", "uuid", "uuid"),
        ("message_id: {response: hex8, receipt: decimal}", "hex8", "decimal"),
        ("dialect: {message_id: hex}", "hex", "hex"),
        ("dialect: {message_id: {response: decimal, receipt: hex}}", "decimal", "hex"),
        ("dialect: jsmpp", "hex", "decimal"),
        ("dialect: {like: jsmpp, tlvs: false}", "hex", "decimal"),
        ("dialect: {like: jsmpp, message_id: decimal}", "decimal", "decimal"),
        ("dialect: jsmpp, message_id: uuid", "uuid", "uuid"),
        ("dialect: {like: jsmpp, tlvs: false}, message_id: uuid", "uuid", "uuid"),
    ],
)
def test_message_ids_are_those_of_the_account_or_else_of_its_dialect(
    keys: str, response: str, receipt: str
) -> None:
    forms = account(keys).message_ids
    assert (forms.response, forms.receipt) == (response, receipt)


@pytest.mark.parametrize(
    ("keys", "path", "says", "suggestion"),
    [
        ("dialect: kanel", "dialect", "one of standard, kannel", "kannel"),
        ("dialect: {like: cloudhoper}", "dialect.like", "one of", "cloudhopper"),
        ("dialect: {as: kannel}", "dialect.as", "unknown key", None),
        ("dialect: [kannel]", "dialect", "", None),
        ("dialect: {message_id: hexa}", "dialect.message_id", "one of decimal", "hex"),
        ("dialect: {message_id: {response: hex}}", "dialect.message_id.receipt", "missing", None),
        (
            "dialect: {message_id: {response: hex, receipt: uuid}}",
            "dialect.message_id.receipt",
            "no client can tell",
            None,
        ),
        (
            "message_id: {response: uuid, receipt: decimal}",
            "message_id.receipt",
            "no client can tell",
            None,
        ),
        (
            "message_id: {response: decimal, receipt: hex8}",
            "message_id.receipt",
            "eight digits do not hold",
            None,
        ),
        (
            "dialect: {message_id: hex}, message_id: hex",
            "message_id",
            "the dialect has a message_id too",
            None,
        ),
        ("dialect: {date_digits: 14}", "dialect.date_digits", "one of 10, 12", "10"),
        ("dialect: {time_zone: Europe/Talinn}", "dialect.time_zone", "", "Europe/Tallinn"),
        ("dialect: {states: 3.3}", "dialect.states", "one of 3.4, 5.0", "3.4"),
        ("dialect: {intermediate: 0x08}", "dialect.intermediate", "one of 0x20, 0x04", "0x04"),
        (
            "dialect: {receipts_as: deliver}",
            "dialect.receipts_as",
            "one of deliver_sm",
            "deliver_sm",
        ),
        ("dialect: {hold: 500}", "dialect.hold", "", "500s"),
        ("dialect: {hold: 2h}", "dialect.hold", "0ms to 1h", None),
        (
            "dialect: {receipts_as: data_sm, tlvs: false}",
            "dialect.receipts_as",
            "needs tlvs: true",
            None,
        ),
        ("dialect: {text: 'stat:{stat}'}", "dialect.text", "{id} is missing", None),
        ("dialect: {text: 'id:{id}'}", "dialect.text", "{stat} is missing", None),
        (
            "dialect: {text: 'id:{id} stat:{stats}'}",
            "dialect.text",
            "{stats} is no field",
            "id:{id} stat:{stat}",
        ),
        ("dialect: {text: '{id} {stat} {'}", "dialect.text", "a brace has no partner", None),
        ("dialect: {text: '{id} {stat} }'}", "dialect.text", "a brace has no partner", None),
        ("dialect: {text: '{id} {stat} õ'}", "dialect.text", "only ASCII", None),
        (
            f"dialect: {{text: '{{id}} {{stat}} {'x' * 99}'}}",
            "dialect.text",
            "more than 100",
            None,
        ),
        (
            "dialect: {text: '{id} {stat} {id}'}",
            "dialect.text",
            "{id} stands in the text twice",
            None,
        ),
    ],
)
def test_what_a_dialect_may_not_say(
    keys: str, path: str, says: str, suggestion: str | None
) -> None:
    mistake = the_mistake(written(keys))
    (name, *_) = loaded(SMALL).accounts
    assert mistake.path == f"accounts.{name}.{path}"
    assert says in mistake.message
    assert mistake.suggestion == suggestion


def test_only_what_is_unusual_about_receipts_is_looked_up_for_each() -> None:
    def dialects(keys: str) -> list[Dialect]:
        rules = Rules.of(loaded(written(keys)), Plans(), Up())
        return list(rules.dialects.values())

    assert dialects("weight: 1") == dialects("dialect: kannel") == []
    assert dialects("message_id: uuid") == dialects("dialect: {message_id: hex}") == []
    assert dialects("dialect: php-smpp") == [READY["php-smpp"]]
    forms = MessageIdForms(response="hex", receipt="decimal")
    for where in ("message_id: %s", "dialect: {message_id: %s}"):
        (found,) = dialects(where % "{response: hex, receipt: decimal}")
        assert found == Dialect(message_id=forms)


def test_the_page_is_not_stale() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_table(page) == page, "python -m router.settings.dialects_page docs/dialects.md"


def test_the_ids_on_the_page_are_those_of_one_message() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for form in get_args(ClientIdForm):
        told = client_id_of(RouterId(91_907_151_950_907), form).decode()
        assert f"| `{form}` | `{told}` |" in page


def test_the_command_writes_the_page_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGINS}\nstale\n{ENDS}\nafter\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["dialects_page", str(page)])
    dialects_page.main()
    said = page.read_text(encoding="utf-8")
    assert said.startswith("before\n")
    assert said.endswith("after\n")
    assert "stale" not in said
    assert "| `jsmpp` | `intermediate` | `0x04` |" in said
    page.write_text("no place\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="needs the lines"):
        dialects_page.main()
    monkeypatch.setattr("sys.argv", ["dialects_page"])
    with pytest.raises(SystemExit, match="usage"):
        dialects_page.main()
