"""router/settings/places.py: any file gives a mapping with places, or a mistake."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.settings.load import Mistake, SettingsError, load
from router.settings.places import (
    DEEPEST,
    Alike,
    Node,
    Scalar,
    Sequence,
    Table,
    Twin,
    read_table,
)
from router.terms.settings import Place
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded, the_mistake

LOADERS: list[type] = [yaml.SafeLoader]
if yaml.__with_libyaml__:
    LOADERS.append(yaml.CSafeLoader)


def read(octets: bytes, loader: type) -> tuple[Table | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "f.yaml"
        path.write_bytes(octets)
        return read_table(path, mistakes, loader), mistakes


def places(node: Node) -> Iterator[tuple[str, Place]]:
    """Every scalar that stands in one line without quotes, and where it begins."""
    match node:
        case Scalar(place, text, plain) if plain and text and "\n" not in text:
            yield text, place
        case Sequence(_, items):
            for item in items:
                yield from places(item)
        case Table(_, entries):
            for entry in entries.values():
                yield from places(entry.key)
                yield from places(entry.value)
        case _:
            pass


@pytest.mark.parametrize("loader", LOADERS)
def test_every_value_of_the_contract_file_stands_where_its_place_says(loader: type) -> None:
    root, mistakes = read(CONTRACT.encode(), loader)
    assert root is not None
    assert mistakes == []
    lines = CONTRACT.splitlines()
    found = list(places(root))
    assert len(found) > 200
    for text, place in found:
        assert lines[place.line - 1][place.column - 1 :].startswith(text)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("just words", (1, 1), "a configuration is a mapping"),
        ("- a\n- b\n", (1, 1), "a configuration is a mapping"),
        ("'quoted'", (1, 1), "a configuration is a mapping"),
        ("a: 1\na: 2\n", (2, 1), "is written twice; the first is at"),
        ("a: {b: 1, 'b': 2}\n", (1, 11), "is written twice"),
        ("unknown: {deep: {a: 1, a: 2}}\n", (1, 24), "is written twice"),
        ("a: [1, 2\n", None, "is not YAML"),
        ("a: {b\n", None, "is not YAML"),
        ("a: b: c\n", (1, 5), "is not YAML"),
        ("a: 'open\n", None, "is not YAML"),
        ("\ta: 1\n", (1, 1), "a tab stands where only spaces may"),
        ("a:\n\tb: 1\n", (2, 1), "a tab stands where only spaces may"),
        ("a: 1\n  b: 2\n", None, "is not YAML"),
        ("a: *nobody\n", (1, 4), "no anchor"),
        ("a: &x [*x]\n", (1, 8), "inside of what it names"),
        ("a: &x {b: *x}\n", (1, 11), "inside of what it names"),
        ("&x a: &x {<<: *x}\n", None, "inside of what it names"),
        ("a: {<<: 5}\n", (1, 5), "<< takes an alias"),
        ("a: {<<: [5, {b: 1}]}\n", (1, 5), "<< takes an alias"),
        ("a: !!python/object:os.system x\n", (1, 4), "a tag (!) is not understood"),
        ("a: !!binary aGk=\n", (1, 4), "a tag (!) is not understood"),
        ("a: !include {b: 1}\n", (1, 4), "a tag (!) is not understood"),
        ("a: !x!y z\n", None, "a tag (!) is not understood"),
        ("? [a, b]\n: c\n", (1, 3), "a key is a word"),
        ("{a: 1}: 2\n", (1, 1), "a key is a word"),
        ("? &x\n: 1\n", None, "a key is a word"),
        ("*x : 1\n", (1, 1), "no anchor"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document"),
        ("a: @b\n", (1, 4), "is not YAML"),
        ("a: %b\n", (1, 4), "is not YAML"),
        ('a: "\\q"\n', None, "is not YAML"),
        ('a: "\\uD800"\n', None, ""),
        ('a: "\\U00110000"\n', None, "is not YAML"),
        ('a: "\\UFFFFFFFF"\n', None, "is not YAML"),
        ("%YAML 9.9\n---\na: 1\n", None, ""),
        ("a: \x07\n", (1, 4), "U+0007 is no text"),
        ("a: 1\nb: \x00\n", (2, 4), "U+0000 is no text"),
        ("a: \ufeff\n", (1, 4), "U+FEFF is no text"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_at_its_place(
    loader: type, text: str, place: tuple[int, int] | None, says: str
) -> None:
    _, mistakes = read(text.encode(), loader)
    assert says in mistakes[0].message
    if place:
        assert (mistakes[0].line, mistakes[0].column) == place


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "{? "])
def test_enormous_nesting_is_a_mistake_and_no_end_of_the_process(
    loader: type, opening: str
) -> None:
    _, mistakes = read(b"a:\n  " + opening.encode() * 100_000, loader)
    assert [f"more than {DEEPEST} deep" in m.message for m in mistakes] == [True]


@pytest.mark.parametrize(
    ("octets", "place"),
    [
        (b"a: b\nc: \xff\n", (2, 4)),
        (b"\xc3\xa4: \xc3\n", (1, 4)),
        ("a: b\n".encode("utf-16"), (1, 1)),
    ],
)
def test_what_is_not_utf_8_is_a_mistake_at_its_place(octets: bytes, place: tuple[int, int]) -> None:
    _, (mistake,) = read(octets, yaml.SafeLoader)
    assert mistake.message == "is not UTF-8; save the file as UTF-8"
    assert (mistake.line, mistake.column) == place


def test_a_byte_order_mark_and_foreign_line_ends_are_no_mistake() -> None:
    assert loaded("\ufeff" + SMALL.replace("\n", "\r\n")) == loaded(SMALL)


@pytest.mark.parametrize("loader", LOADERS)
def test_aliases_of_aliases_do_not_grow(loader: type) -> None:
    # A billion laughs: ten times ten times ten ... items, if each alias were a copy.
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
        lines.append(f"m{level}: {{<<: [*m, *m]}}" if level > 1 else "m1: &m {b: 1}")
    root, mistakes = read("\n".join(lines).encode(), loader)
    assert mistakes == []
    assert root is not None
    assert len(root.entries) == 39


def test_a_merge_takes_over_what_is_not_written() -> None:
    bind = '{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}'
    text = changed(SMALL, (f"[{bind}]", f"[&t {bind}, {{name: t2, <<: *t, rate: 10/s}}]"))
    (telia,) = loaded(text).operators.values()
    first, second = telia.binds
    assert (second.name, second.rate and second.rate.count) == ("t2", 10)
    assert (second.addresses, second.password) == (first.addresses, first.password)


def test_of_several_merged_mappings_the_first_wins() -> None:
    root, _ = read(b"a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n", yaml.SafeLoader)
    assert root is not None
    merged = root.entries["c"].value
    assert isinstance(merged, Table)
    assert {key: entry.value for key, entry in merged.entries.items()} == {
        "x": Scalar(Place(merged.place.file, 1, 11), "1"),
        "y": Scalar(Place(merged.place.file, 2, 17), "2"),
    }


def test_text_is_what_is_written_and_not_what_yaml_would_make_of_it() -> None:
    for written in ("372", "0372", "1_0", "1:30"):
        text = changed(SMALL, ("secret01", f"{written}"))
        (account,) = loaded(text).accounts.values()
        assert account.passwords == (written,)
    for word in ("no", "on", "1e3"):
        (account,) = loaded(changed(SMALL, ("secret01", word))).accounts.values()
        assert account.passwords == (word,)


def test_a_mistake_of_yaml_has_its_path_where_there_is_one() -> None:
    text = changed(SMALL, ("lane: urgent", "lane: *urgent"))
    assert the_mistake(text).path == "accounts.bank.lane"
    text = changed(SMALL, ("{name: slow}", "!slow {name: slow}"))
    assert the_mistake(text).path == "lanes[1]"


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("items", "twins"),
    [
        ("[{d: 1, to: [a, b]}, {d: 23, to: [a, b]}]", [("23", 1)]),
        ("\n- d: '1'\n  to: {a: 1}\n- d: '23'\n  # A comment.\n  to: {a: 1}\n", [("23", 4)]),
        ("[{s: d, d: 1}, {s: d, d: 2}, {d: 3, s: d}, {d: 4, s: d}]", [("2", 1), ("4", 1)]),
        ("[{d: 1, to: [a]}, {d: 2, to: [b]}, {d: 3, to: {a}}, {d: 4, to: a}]", []),
        ("[{d: 1}, {d: '2'}, {'d': 3}, {d: }, {d: x}, {d: y}, {d: -5}, {d: [6]}, {d: [7]}]", []),
        ("[{e: {d: 1}}, {e: {d: 2}}, {e: 1, d: {d: 3}}, {e: 1, d: {d: 4}}]", []),
        ("[[{d: 1}, {d: 2}], 3, 4]", []),
        (
            "[{d: &a 1}, {d: &b 2}, {d: 3}, &c {d: 4}, {d: !t 5}, !t {d: 6}, {d: 7}, {d: 8}]",
            [("8", 1)],
        ),
        ("[{x: &a [p]}, {d: 1, to: *a}, {d: 2, to: *a}, {d: 3, to: *b}]", [("2", 1)]),
        ("[{x: &a p}, {d: 1, to: *a}, {x: &a q}, {d: 2, to: *a}]", []),
        ("[{x: &a p}, {s: d, *a : 1}, {s: d, *a : 2}]", []),
        (f"[{{d: 1, to: [{'a, ' * 100}]}}, {{d: 2, to: [{'a, ' * 100}]}}]", []),
    ],
)
def test_an_item_that_differs_in_digits_only_is_a_twin(
    loader: type, items: str, twins: list[tuple[str, int]]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "f.yaml"
        path.write_text(f"list: {items}")
        root = read_table(path, [], loader, Alike("list", "d"))
    assert root is not None
    listed = root.entries["list"].value
    assert isinstance(listed, Sequence)
    found = [node for node in listed.items if isinstance(node, Twin)]
    assert [(twin.text, twin.line) for twin in found] == twins
    assert all(twin.of in listed.items for twin in found)


def test_nothing_is_a_twin_in_another_list_or_where_nobody_asks() -> None:
    text = b"list: [{d: 1}, {d: 2}]\n"
    plain, _ = read(text, yaml.SafeLoader)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "f.yaml"
        path.write_bytes(b"other: [{d: 1}, {d: 2}]\nin: {list: [{d: 1}, {d: 2}]}\n" + text)
        root = read_table(path, [], alike=Alike("list", "d"))
    assert root is not None
    assert plain is not None
    assert "Twin" not in str(plain)
    assert "Twin" not in str(root.entries["other"]) + str(root.entries["in"])
    assert "Twin" in str(root.entries["list"])


PIECES = [
    *("{", "}", "[", "]", ":", ": ", "- ", ",", "#", "&a ", "*a", "<<: ", "!t ", "|", ">", "?"),
    *("'", '"', "\\", "%", "@", "`", "---\n", "...\n", "\t", "\n", "  ", "~", "null", "\x00"),
    *("\x85", "\u2028", "\ufeff", "\ud7ff", "\U0001f600", "${", "${A}", "1", "-1", "yes", "0x"),
    *("&a [*a]", "&a {a: *a}", "{<<: *a}", "\\ud800", '"\\udc00"', "a" * 200, "9" * 50),
    *(line + "\n" for line in CONTRACT.splitlines()[::7]),
    *re.findall(r"[a-z_]{3,}", CONTRACT)[::20],
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file with a few pieces put in, taken out or doubled."""
    text = draw(st.sampled_from([CONTRACT, SMALL]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.integers(0, 30)))
        piece = draw(st.sampled_from([*PIECES, text[at:until] * 2]) | st.text(max_size=3))
        text = text[:at] + piece + text[until:]
    octets = text.encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(octets)))
        octets = octets[:at] + draw(st.binary(max_size=2)) + octets[at:]
    return octets


@given(mutated())
def test_any_file_is_a_configuration_or_a_settings_error(octets: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "router.yaml"
        path.write_bytes(octets)
        try:
            load(path, {"A": "\udc80"})
        except SettingsError as error:
            found = error.mistakes
        else:
            return
    assert found
    assert all(mistake.file == str(path) and mistake.line >= 0 for mistake in found)
    assert str(SettingsError(found)).encode()


@pytest.mark.parametrize("loader", LOADERS)
@given(octets=mutated() | st.binary(max_size=50))
def test_any_file_is_a_mapping_or_a_mistake(loader: type, octets: bytes) -> None:
    root, mistakes = read(octets, loader)
    assert root is not None or mistakes
