"""router/wiring/columns.py: rows in columns, of which no name is ever cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from router.wiring.columns import Cell, Column, Table, cell, paragraph

COLUMNS = (
    Column("NAME", is_right=False),
    Column("state", is_right=False, wraps=True),
    Column("waits"),
    Column("due", 1),
    Column("guessed", 2),
)


def drawn(rows: list[list[str]], width: int) -> list[str]:
    table = Table(COLUMNS, [list(map(cell, row)) for row in rows], width)
    lines = [*table.header(), *(line for row in rows for line in table.lines(list(map(cell, row))))]
    return [str(line) for line in lines]


ROW = ["telia-1", "down, unreachable: Connection refused, next in 8.0s", "1", "22", "333"]


def test_all_columns_are_shown_where_they_fit() -> None:
    head, row = drawn([ROW], 100)
    assert head.split() == ["NAME", "state", "waits", "due", "guessed"]
    assert row.startswith(
        "telia-1  down, unreachable: Connection refused, next in 8.0s      1   22"
    )


@pytest.mark.parametrize(("width", "missing"), [(58, {"guessed"}), (49, {"guessed", "due"})])
def test_columns_that_are_worth_least_are_left_out_first(width: int, missing: set[str]) -> None:
    head = drawn([ROW], width)[0].split()
    assert {"NAME", "state", "waits", "due", "guessed"} - set(head) == missing


def test_column_in_which_nothing_stands_is_left_out() -> None:
    assert "due" not in drawn([["telia-1", "up", "1", "", "3"]], 100)[0]


def test_what_does_not_fit_at_all_stands_below_the_name() -> None:
    name = "a-name-of-an-operator-that-is-longer-than-the-terminal"
    text = "".join(line.strip() for line in drawn([[name, "up", "1", "", ""]], 30))
    assert name in text


def test_one_long_name_takes_no_column_and_no_width_from_the_others() -> None:
    lines = drawn([["n" * 64, *ROW[1:]], ROW], 80)
    assert lines[1].split() == ["state", "waits", "due", "guessed"]
    assert any(ROW[1] in line for line in lines)


def test_what_a_peer_has_chosen_is_shown_and_not_obeyed() -> None:
    assert "x\\x1b[2J" in drawn([["x\x1b[2J", "up", "1", "", ""]], 80)[1]
    (line,) = paragraph("y\x9b2J", 80)
    assert str(line) == "y\\x9b2J"


NAMES = st.text(st.characters(categories=["L", "N", "P"], max_codepoint=0x24F), min_size=1)


@given(
    st.lists(st.tuples(NAMES, st.text(), st.integers(0, 10**9)), min_size=1, max_size=4),
    st.integers(1, 120),
)
def test_no_name_is_ever_cut(found: list[tuple[str, str, int]], width: int) -> None:
    rows: list[list[Cell]] = [
        [cell(name), cell(state), cell(number), cell(number), cell("")]
        for name, state, number in found
    ]
    table = Table(COLUMNS, rows, width)
    for (name, _, number), row in zip(found, rows, strict=True):
        lines: list[Text] = table.lines(row)
        text = "".join(str(line).strip() for line in lines)
        assert "".join(cell(name).text.split()) in "".join(text.split())
        assert str(number) in text
