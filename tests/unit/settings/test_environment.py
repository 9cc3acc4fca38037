"""router/settings/environment.py: a configuration that is read without the environment's values."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from router.accept.passwords import hash_password
from router.settings.environment import STAND_IN, Withheld, withheld
from router.settings.load import SettingsError, load, warnings
from router.terms.settings import Settings
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded, mistakes

SECRET: Final = "Zq7wV9kP"
HERE: Final = withheld({"SECRET": SECRET, "EMPTY": "", "HASH": hash_password(b"x", bytes(16))})
TOLD: Final = "the router takes variables of its environment for passwords only"
ANOTHER_BIND: Final = (
    "rate: 50/s}]",
    "rate: 50/s}, {name: t2, address: '127.0.0.1:1', system_id: a, password: GUESS, rate: 50/s}]",
)


def read(path: Path, text: str, environment: Withheld = HERE) -> Settings:
    path.write_text(text, encoding="utf-8")
    return load(path, environment)


def values_of(text: str) -> list[tuple[str, int, int]]:
    """The key, begin and end of every value of a YAML text that stands there as one word."""
    found: list[tuple[str, int, int]] = []

    def look(key: str, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                look(name.value, value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                look(key, item)
        else:
            found.append((key, node.start_mark.index, node.end_mark.index))

    root = yaml.compose(text, yaml.SafeLoader)
    assert root is not None
    look("", root)
    return found


def test_no_value_but_a_password_takes_anything_from_the_environment() -> None:
    keys = set()
    for key, begin, end in values_of(CONTRACT):
        text = f"{CONTRACT[:begin]}'${{SECRET}}'{CONTRACT[end:]}"
        if key != "password":
            assert TOLD in mistakes(text, HERE)[0].message
        elif "secret0" in CONTRACT[begin:end]:
            (account,) = (
                one for one in loaded(text, HERE).accounts.values() if STAND_IN in one.passwords
            )
            assert account.passwords == (STAND_IN,)
        keys.add(key)
    assert {"password", "url", "system_id", "address", "to"} < keys


def test_default_is_taken_instead() -> None:
    ours = loaded(CONTRACT)
    for key, begin, end in values_of(CONTRACT):
        value = CONTRACT[begin:end].strip('"')
        if key != "password":
            text = f'{CONTRACT[:begin]}"${{SECRET:-{value}}}"{CONTRACT[end:]}'
            assert loaded(text, HERE).digest == ours.digest


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("'${SECRET}'", STAND_IN),
        ("'${SECRET:-other}'", STAND_IN),
        ("'${EMPTY:-other}'", "other"),
        ("'${NONE:-other}'", "other"),
        ("'${HASH}'", STAND_IN),
        ("'a${SECRET}'", f"a{STAND_IN}"),
    ],
)
def test_password_has_a_stand_in_where_the_variable_is_set(written: str, password: str) -> None:
    text = changed(SMALL, ("secret01", f"[{written}]"), ("password: b", f"password: {written}"))
    settings = loaded(text, HERE)
    assert settings.accounts["bank"].passwords == (password,)  # type: ignore[index]
    assert settings.operators["telia"].binds[0].password == password  # type: ignore[index]


def test_variable_of_a_password_has_to_be_set_and_is_else_not_asked_about() -> None:
    (wrong,) = mistakes(changed(SMALL, ("secret01", "'${NONE}'")), HERE)
    assert "NONE is not set" in wrong.message
    (wrong,) = mistakes(changed(SMALL, ("secret01", "'${EMPTY}'")), HERE)
    assert "the password is empty" in wrong.message
    (wrong,) = mistakes(changed(SMALL, ("system_id: a", "system_id: '${NONE}'")), HERE)
    assert TOLD in wrong.message


@pytest.mark.parametrize(
    "old", ['address: "127.0.0.1:1", system_id: a, password: b', "password: secret01"]
)
def test_name_of_a_file_with_a_password_takes_nothing(old: str) -> None:
    new = old.rpartition(" ")[0] + " {file: 'a/${SECRET}'}"
    (wrong,) = mistakes(changed(SMALL, (old, new)), HERE)
    assert TOLD in wrong.message
    assert wrong.path.endswith("password.file")


def test_names_of_certificates_and_of_lists_take_nothing() -> None:
    tls = '0", tls: {certificate: "${SECRET}", key: "${SECRET}"}}]'
    rules = 'refuse: [{sender: {file: "${SECRET}"}}]\nprefixes: {x: {file: "${SECRET}"}}\n'
    found = mistakes(changed(SMALL, ('0"}]', tls)) + rules, HERE)
    assert [one.path for one in found if TOLD in one.message] == [one.path for one in found]
    assert len(found) == 4


def test_what_an_anchor_names_is_a_stand_in_only_where_it_is_a_password() -> None:
    text = changed(
        SMALL, ("system_id: a, password: b", "password: &it '${SECRET}', system_id: *it")
    )
    (wrong,) = mistakes(text, HERE)
    assert (TOLD in wrong.message, wrong.path) == (True, "operators.telia.binds[0].system_id")


def test_password_of_an_outbind_has_a_stand_in() -> None:
    outbind = "outbind: {listen: '127.0.0.1:0', system_id: x, password: '${SECRET}'}"
    settings = loaded(changed(SMALL, ('address: "127.0.0.1:1"', outbind)), HERE)
    (telia,) = settings.operators.values()
    assert telia.binds[0].outbind is not None
    assert telia.binds[0].outbind.password == STAND_IN


def test_key_takes_nothing_and_says_so() -> None:
    (wrong,) = mistakes(changed(SMALL, ("bank:", "'${SECRET}':")), HERE)
    assert wrong.message == "a key takes nothing from the environment"


def test_warnings_do_not_tell_whether_a_guess_is_right_nor_how_long_a_password_is(
    tmp_path: Path,
) -> None:
    text = changed(SMALL, ANOTHER_BIND, ("password: b", "password: '${SECRET}'"))
    said = [
        [str(one) for one in warnings(read(tmp_path / "r.yaml", text.replace("GUESS", guess)))]
        for guess in (SECRET, SECRET[:-1] + "x")
    ]
    assert said[0] == said[1]
    longer = changed(SMALL, ("password: b", "password: 'x${SECRET}'"))
    assert not any("longer" in one.message for one in warnings(read(tmp_path / "r.yaml", longer)))


def test_what_a_file_with_a_password_holds_has_a_stand_in(tmp_path: Path) -> None:
    text = changed(
        SMALL, ANOTHER_BIND, ("secret01", "[{file: a}, x]"), ("password: b", "password: {file: b}")
    )
    for name, holds in (("a", hash_password(b"x", bytes(16))), ("b", SECRET)):
        (tmp_path / name).write_text(f"{holds}\n", encoding="ascii")
    said = [
        [str(one) for one in warnings(read(tmp_path / "r.yaml", text.replace("GUESS", guess)))]
        for guess in (SECRET, "another1")
    ]
    assert said[0] == said[1]
    settings = read(tmp_path / "r.yaml", text)
    assert settings.accounts["bank"].passwords == (STAND_IN, "x")  # type: ignore[index]
    assert settings.operators["telia"].binds[0].password == STAND_IN  # type: ignore[index]
    assert not settings.files[tmp_path / "a"].passwords, "a hash is no password in clear text"
    (tmp_path / "b").write_text("", encoding="ascii")
    with pytest.raises(SettingsError, match="the file is empty"):
        read(tmp_path / "r.yaml", text)


@pytest.mark.parametrize(
    "rules",
    [
        "refuse: [{sender: {file: list}}]\n",
        "prefixes: {x: {file: list}}\n",
        "prefixes: {x: {file: list, column: 372}}\n",
        "prefixes: {x: {file: list, column: guess}}\n",
    ],
)
def test_list_that_not_everybody_may_read_is_not_read(tmp_path: Path, rules: str) -> None:
    (tmp_path / "list").write_text("372\n", encoding="ascii")
    (tmp_path / "list").chmod(0o640)
    (wrong,) = mistakes(SMALL + rules, HERE, tmp_path)
    assert wrong.message.startswith("not every user of this machine may read this file")
    assert wrong.path.endswith(".file")


def test_list_that_everybody_may_read_is_read(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("372\n", encoding="ascii")
    (tmp_path / "list").chmod(0o644)
    (group,) = read(tmp_path / "r.yaml", SMALL + "prefixes: {x: {file: list}}\n").prefixes.values()
    assert group.prefixes == ("372",)


def test_values_are_not_in_what_is_withheld() -> None:
    assert SECRET not in repr(HERE)
