"""router/settings/values.py, reading.py: what comes from elsewhere, kept secret."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.passwords import hash_password
from router.settings.load import SettingsError
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes, the_mistake

SECRET = "Zq7#wV9k"


def with_password(password: str) -> str:
    return changed(SMALL, ("secret01", password))


def password_of(
    text: str, environment: dict[str, str] | None = None, folder: Path | None = None
) -> tuple[str, ...]:
    (account,) = loaded(text, environment, folder).accounts.values()
    return account.passwords


@pytest.mark.parametrize(
    ("written", "environment", "password"),
    [
        ("${PW}", {"PW": "one"}, "one"),
        ("${PW:-two}", {}, "two"),
        ("${PW:-two}", {"PW": "one"}, "one"),
        ("${PW:-two}", {"PW": ""}, "two"),
        ("'a${PW}b${PW}c'", {"PW": "-"}, "a-b-c"),
        ("${A:-x}${B:-y}", {"B": "z"}, "xz"),
        ("${A:-:-}", {}, ":-"),
        ("'$${PW}'", {"PW": "one"}, "${PW}"),
        ("$PW", {"PW": "one"}, "$PW"),
        ("a$b", {}, "a$b"),
        ("${PW}", {"PW": "${PW}"}, "${PW}"),
    ],
)
def test_variables_are_replaced_anywhere_in_a_value(
    written: str, environment: dict[str, str], password: str
) -> None:
    quoted = written if written.startswith("'") else f"'{written}'"
    assert password_of(with_password(quoted), environment) == (password,)


def test_other_values_take_variables_too() -> None:
    text = changed(SMALL, ('"127.0.0.1:1"', '"${HOST}:${PORT:-27}"'), ("50/s", "'${RATE}/s'"))
    (telia,) = loaded(text, {"HOST": "smsc", "RATE": "5000"}).operators.values()
    assert str(telia.binds[0].addresses[0]) == "smsc:27"
    assert str(telia.binds[0].rate) == "5000/s"


def test_a_variable_that_is_not_set_is_a_mistake_at_its_place() -> None:
    mistake = the_mistake(with_password("'${BANK_PASSWORD}'"))
    assert (mistake.line, mistake.column, mistake.path) == (5, 20, "accounts.bank.password")
    assert "BANK_PASSWORD is not set" in mistake.message


def test_every_variable_that_is_not_set_is_named() -> None:
    found = mistakes(with_password("'${ONE}${TWO}'"))
    assert [("ONE" in m.message, "TWO" in m.message) for m in found] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("written", ["${", "a${b", "${}", "${A B}", "${1A}", "${A-b}", "${A:?b}"])
def test_what_only_looks_like_a_variable_is_a_mistake(written: str) -> None:
    mistake = the_mistake(with_password(f"'{written}'"), {"A": "x", "b": "x"})
    assert "write ${NAME} or ${NAME:-default}" in mistake.message


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"from-file", "from-file"), (b"from-file\n", "from-file"), (b" a b \r\n", " a b ")],
)
def test_a_password_in_a_file_is_read_without_its_line_end(
    tmp_path: Path, content: bytes, password: str
) -> None:
    (tmp_path / "pw").write_bytes(content)
    text = changed(with_password("{file: pw}"), ("password: b", "password: {file: '${NAME}'}"))
    settings = loaded(text, {"NAME": "pw"}, tmp_path)
    (account,), (operator,) = settings.accounts.values(), settings.operators.values()
    assert account.passwords == (operator.binds[0].password,) == (password,)


def test_a_list_of_passwords_may_mix_all_kinds(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("file\n", encoding="utf-8")
    text = with_password("[clear, '${PW}', {file: pw}]")
    assert password_of(text, {"PW": "variable"}, tmp_path) == ("clear", "variable", "file")


def test_a_hash_is_a_password_and_a_broken_hash_a_mistake() -> None:
    good = hash_password(b"secret", bytes(16))
    assert password_of(with_password(f"'{good}'")) == (good,)
    assert "the hash" in the_mistake(with_password("'scrypt$1$2'")).message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "more than one line"),
        (b"\xff", "something else than ASCII"),
        (b"x" * 5_000, "too long"),
    ],
)
def test_a_file_without_a_password_is_a_mistake_at_its_place(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "pw").write_bytes(content)
    mistake = the_mistake(with_password("{file: pw}"), {}, tmp_path)
    assert mistake.path in {"accounts.bank.password.file", "accounts.bank.password"}
    assert says in mistake.message
    assert mistake.line == 5


@pytest.mark.parametrize("name", [".", "/dev/zero", "x" * 300, '"a\\0b"', "pipe"])
def test_a_file_that_is_none_is_a_mistake_and_never_a_wait(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert the_mistake(with_password(f"{{file: {name}}}"), {}, tmp_path).line == 5


def test_a_certificate_must_be_there(tmp_path: Path) -> None:
    tls = ', tls: {certificate: server.crt, key: "${KEY}"}}]'
    text = changed(SMALL, ('"127.0.0.1:0"}]', f'"127.0.0.1:0"{tls}'))
    (tmp_path / "server.crt").write_text("x", encoding="utf-8")
    mistake = the_mistake(text, {"KEY": "server.key"}, tmp_path)
    assert mistake.path == "listen[0].tls.key"
    (tmp_path / "server.key").write_text("x", encoding="utf-8")
    (listener,) = loaded(text, {"KEY": "server.key"}, tmp_path).listen
    assert listener.tls is not None
    assert (listener.tls.certificate, listener.tls.key) == (
        tmp_path / "server.crt",
        tmp_path / "server.key",
    )


@pytest.mark.parametrize(
    "written",
    [
        "''",
        "[]",
        "[a, '']",
        "[[a]]",
        "~",
        "{}",
        "{fill: a}",
        "{file: a, more: b}",
        "{file: [a]}",
        "'p\u00e4ssword'",
        "'${EMPTY}'",
        "'${EMPTY:-}'",
    ],
)
def test_what_is_no_password_is_a_mistake(written: str) -> None:
    assert the_mistake(with_password(written), {"EMPTY": ""}).path.startswith(
        "accounts.bank.password"
    )


def test_an_operator_may_want_no_password() -> None:
    (operator,) = loaded(changed(SMALL, ("password: b", "password: ''"))).operators.values()
    assert operator.binds[0].password == ""


def test_a_variable_between_braces_without_quotes_is_explained() -> None:
    assert "needs quotes" in the_mistake(with_password("${PW}"), {"PW": "x"}).message


PASSWORD_FORMS = [
    *("PW", "'PW'", "[PW]", "{PW}", "{PW: x}", "{file: PW}", "{file: {PW: PW}}", "{file: [PW]}"),
    *("*PW", "!PW", "&PW", "!a!PW", "!<PW>", "%PW", "@PW", "'aPW", '"\\PW"', "PW: PW", "<<: PW"),
    *("'a${PW'", "'${A:-PW'", "'${1PW}'", "|\n      PW\n      x", "'PW\u00e4'"),
    *("[[PW]]", "{PW, PW}", "[{PW: PW}]", "[{PW, PW}]", "{file: x, PW: y}", "{file: x, PW}"),
    *(
        "scrypt$PW",
        "[[{PW, PW}]]",
        "'PW' PW",
        "{PW",
        "[PW",
        "? PW",
        "- PW",
        "{<<: PW}",
        "{*PW : x}",
    ),
]


@pytest.mark.parametrize("written", PASSWORD_FORMS)
def test_a_password_that_is_written_wrong_is_never_shown(tmp_path: Path, written: str) -> None:
    secret = "Zq7wV9kPlm"
    both = "{password: secret01, lane: urgent}"
    text = changed(SMALL, (both, f"\n    lane: urgent\n    password: {written}"))
    try:
        settings = loaded(text.replace("PW", secret), {}, tmp_path)
    except SettingsError as error:
        shown = str(error) + repr(error) + repr(error.mistakes)
    else:
        shown = repr(settings)
    assert secret not in shown


VALUES = [
    "50/s",
    "lane: urgent",
    '"127.0.0.1:1"',
    '"127.0.0.1:0"',
    '"memory:"',
    "t1",
    "[telia]",
    '""',
]


@given(st.sampled_from(VALUES), st.sampled_from(["{}", "{}/s", "x{}", "+{}", "1.{}"]))
def test_what_the_environment_holds_is_never_shown(value: str, form: str) -> None:
    key = value.rpartition(" ")[0]
    text = changed(SMALL, (value, f"{key} '${{VALUE}}'"))
    secret = form.replace("{}", "9182736455")
    shown = ""
    try:
        loaded(text, {"VALUE": secret})
    except SettingsError as error:
        shown = str(error) + repr(error.mistakes)
    assert "9182736455" not in shown


def test_settings_do_not_show_passwords() -> None:
    text = changed(SMALL, ("secret01", f"'{SECRET}'"), ("password: b", f"password: '{SECRET}'"))
    assert SECRET not in repr(loaded(text))
