"""router/settings/load.py: one file, or a folder whose files are read as one."""

from pathlib import Path

import pytest

from router.settings.load import Mistake, SettingsError, load, warnings
from router.terms.names import OperatorName
from tests.unit.settings.configurations import SMALL, changed, loaded, with_its_comments

EXAMPLE = Path(__file__).parents[3] / "config"

ROUTER = """\
listen: [{address: "127.0.0.1:0"}]
journal: {url: "memory:"}
lanes: [{name: urgent}, {name: slow}]
routes: [{destination: "", to: [telia]}]
"""
BANK = "accounts:\n  bank: {password: secret01, lane: urgent}\n"
SHOP = "accounts:\n  shop: {password: secret02, lane: slow}\n"
TELIA = """\
operators:
  telia:
    binds: [{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}]
"""
GOOD = {"router": ROUTER, "bank": BANK, "operators": TELIA}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def mistakes(folder: Path, files: dict[str, str]) -> list[Mistake]:
    with pytest.raises(SettingsError) as raised:
        load(write(folder, files), {})
    return raised.value.mistakes


def shown(folder: Path, found: list[Mistake]) -> list[str]:
    return [str(mistake).replace(f"{folder}/", "") for mistake in found]


def test_a_folder_means_what_one_file_with_all_of_it_means(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD), {}) == loaded(SMALL)


def test_accounts_of_several_files_are_joined(tmp_path: Path) -> None:
    settings = load(write(tmp_path, {**GOOD, "shop": SHOP}), {})
    assert list(settings.accounts) == ["bank", "shop"]


def test_routes_of_several_files_stand_in_the_order_of_the_file_names(tmp_path: Path) -> None:
    more = {name: f"routes: [{{destination: '{name[0]}', to: [telia]}}]\n" for name in ("2b", "1a")}
    settings = load(write(tmp_path, {**GOOD, **more}), {})
    assert [route.destination for route in settings.routes] == [("1",), ("2",), ("",)]
    assert [Path(route.file).name for route in settings.routes] == [
        *("1a.yaml", "2b.yaml", "router.yaml")
    ]


def test_a_name_in_two_files_is_a_mistake_that_names_both(tmp_path: Path) -> None:
    other = "# The bank again.\n" + BANK
    found = mistakes(tmp_path, {**GOOD, "shop": other})
    assert shown(tmp_path, found) == [
        "shop.yaml:3:3: accounts.bank: is written twice; the first is at bank.yaml:2:3"
    ]


@pytest.mark.parametrize(
    "again", ["lanes: [{name: third}]", "journal: {url: 'memory:'}", "journal: {commit_every: 1ms}"]
)
def test_a_key_in_two_files_is_a_mistake_that_names_both(tmp_path: Path, again: str) -> None:
    key = again.partition(":")[0]
    line = 2 if key == "journal" else 3
    found = mistakes(tmp_path, {**GOOD, "a": f"{again}\n"})
    assert shown(tmp_path, found) == [
        f"router.yaml:{line}:1: {key}: is written twice; the first is at a.yaml:1:1"
    ]


def test_a_key_twice_in_one_file_is_a_mistake_that_names_both_places(tmp_path: Path) -> None:
    text = changed(BANK, ("lane: urgent", "lane: urgent, lane: slow"))
    found = mistakes(tmp_path, {**GOOD, "bank": text})
    assert shown(tmp_path, found) == [
        "bank.yaml:2:44: accounts.bank.lane: is written twice; the first is at bank.yaml:2:30"
    ]


def test_all_files_show_their_mistakes_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        {
            "bank": changed(BANK, ("urgent", "argent")),
            "operators": changed(TELIA, ("50/s", "50")),
            "router": changed(ROUTER, ("[telia]", "[tella]")),
        },
    )
    assert [(Path(m.file).name, m.suggestion) for m in found] == [
        ("bank.yaml", "urgent"),
        ("operators.yaml", "50/s"),
        ("router.yaml", "telia"),
    ]


def test_a_file_that_cannot_be_parsed_does_not_make_the_others_wrong(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        {**GOOD, "operators": "operators: [", "bank": changed(BANK, ("lane: urgent", "lan: x"))},
    )
    assert [(Path(m.file).name, m.path) for m in found] == [
        ("bank.yaml", "accounts.bank.lan"),
        ("operators.yaml", ""),
    ]


def test_what_is_missing_in_a_folder_has_no_line(tmp_path: Path) -> None:
    found = mistakes(tmp_path, {"router": ROUTER, "bank": BANK})
    assert [str(mistake) for mistake in found] == [
        f"{tmp_path}: operators: is missing and must be written"
    ]


@pytest.mark.parametrize(
    ("key", "one", "other", "says"),
    [
        ("accounts", "{bank: {}}", "[]", "a mapping (key: value) is wanted here"),
        ("routes", "[]", "{}", "a list is wanted here"),
        ("routes", "5", "[]", "a list is wanted here"),
    ],
)
def test_files_that_disagree_about_the_kind_of_a_key_are_told_so(
    tmp_path: Path, key: str, one: str, other: str, says: str
) -> None:
    files = {"a": f"{key}: {one}\n", "b": f"{key}: {other}\n"}
    assert [m.message for m in mistakes(tmp_path, files) if m.path == key] == [says]


def test_two_files_with_broken_values_under_one_key_show_only_what_is_broken(
    tmp_path: Path,
) -> None:
    routes = {"b": "routes: *nobody\n", "c": "routes: []\n", "d": "routes: *nobody\n"}
    files = {"a": "routes: []\n", **routes}
    found = [m for m in mistakes(tmp_path, files) if m.path == "routes"]
    assert [Path(m.file).name for m in found] == ["b.yaml", "d.yaml"]


def test_hidden_files_folders_and_other_kinds_of_file_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / ".router.yaml").write_text("half-written", encoding="utf-8")
    (tmp_path / "README.md").write_text("words", encoding="utf-8")
    (tmp_path / "old.yaml").mkdir()
    assert load(tmp_path, {}) == loaded(SMALL)


def test_a_file_that_looks_forgotten_is_named(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "shop.yml").write_text(SHOP, encoding="utf-8")
    (mistake,) = mistakes(tmp_path, {})
    assert (Path(mistake.file).name, mistake.suggestion) == ("shop.yml", "shop.yaml")


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    assert [str(m) for m in mistakes(tmp_path, {})] == [f"{tmp_path}: holds no *.yaml file"]


@pytest.mark.parametrize("name", ["nothing.yaml", "a/b.yaml", "x" * 300, "a\0b"])
def test_a_path_that_leads_nowhere_is_a_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path / name, {})
    (mistake,) = raised.value.mistakes
    assert mistake.file == str(tmp_path / name)
    assert mistake.message.startswith("cannot be read: ")


def test_relative_paths_start_at_the_folder_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {**GOOD, "router": changed(ROUTER, ("memory:", "sqlite:///r.db"))})
    expected = f"sqlite:///{tmp_path}/r.db"
    assert load(tmp_path, {}).journal.url == expected
    monkeypatch.chdir(tmp_path)
    assert load(Path(), {}).journal.url == expected


def test_an_absolute_journal_stays_where_it_is() -> None:
    settings = loaded(changed(SMALL, ("memory:", "sqlite:////var/lib/router.db")))
    assert settings.journal.url == "sqlite:////var/lib/router.db"


def test_the_example_configuration_can_be_used_as_it_is() -> None:
    settings = load(EXAMPLE, {})
    assert warnings(settings) == []
    assert (list(settings.accounts), list(settings.operators)) == (
        ["bank", "shop"],
        ["telia", "elisa"],
    )


def test_what_the_example_shows_in_comments_can_be_used_too(tmp_path: Path) -> None:
    for file in EXAMPLE.glob("*.yaml"):
        (tmp_path / file.name).write_text(with_its_comments(file), encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "orange").write_text("x", encoding="utf-8")
    called, calls = load(tmp_path, {}).operators[OperatorName("orange")].binds
    assert (len(called.addresses), called.window, called.max_messages) == (2, None, 100_000)
    assert calls.outbind is not None
