"""router/wiring/status_watch.py: what the keys do, and what is shown where there are none."""

import pytest
from rich.console import Console

from router.wiring.status_page import SORTS
from router.wiring.status_view import Asked
from router.wiring.status_watch import LONGEST_FILTER, View, split, watch


def after(keys: list[str], view: View | None = None, height: int = 20, lines: int = 100) -> View:
    view = View() if view is None else view
    for key in keys:
        view = view.pressed(key, height, lines)
    return view


def test_keys_end_pause_and_show_all() -> None:
    assert after(["q"]).over
    assert after(["\x03"]).over
    assert after(["p"]).paused
    assert not after(["p", "p"]).paused
    assert after(["a"]).whole


def test_sorting_goes_through_all_columns_and_begins_again() -> None:
    assert [after(["s"] * times).sort for times in range(len(SORTS) + 1)] == [*SORTS, SORTS[0]]


def test_letters_are_a_filter_while_it_is_typed() -> None:
    view = after(["/", "q", "s", "x", "\x7f"])
    assert (view.typing, view.words, view.over) == (True, "qs", False)
    assert after(["\r"], view) == View(words="qs")
    assert after(["\x1b"], view) == View()
    assert after(["\r", "\x1b"], view) == View()
    assert len(after(["/", *["x"] * 200]).words) == LONGEST_FILTER
    assert after(["/", "\x1b[A", "\t"]).words == ""


def test_filter_looks_among_all_rows() -> None:
    assert after(["/", "x", "\r"]).look(80, 20).whole
    assert not View().look(80, 20).whole


def test_scrolling_ends_at_both_ends() -> None:
    whole = View(whole=True)
    assert after(["\x1b[A"], whole).top == 0
    assert after(["j"], whole).top == 1
    assert after([" "], whole).top == 19
    assert after(["G"], whole).top == after([" "] * 9, whole).top == 80
    assert after(["G", "\x1b[5~"], whole).top == 61
    assert after(["G", "g"], whole).top == 0
    assert after(["j", "G"], whole, lines=5).top == 0


def test_page_that_fits_is_made_whole_by_scrolling_down() -> None:
    assert after(["k"]) == View()
    assert (after(["j"]).whole, after(["j"]).top) == (True, 1)
    assert after([" "]).top == 19
    assert after(["G"]).top >= 80


def test_key_that_means_nothing_changes_nothing() -> None:
    assert after(["x", "é", "\x00"]) == View()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("js", ["j", "s"]),
        ("\x1b[Aq", ["\x1b[A", "q"]),
        ("\x1b[5~\x1b[B", ["\x1b[5~", "\x1b[B"]),
        ("\x1b", ["\x1b"]),
        ("\x1b[15~q", ["q"]),
        ("\x1bOPq", ["q"]),
        ("\x1b[1;5", []),
    ],
)
def test_what_a_terminal_sends_at_once_is_taken_apart(text: str, keys: list[str]) -> None:
    assert split(text) == keys


@pytest.mark.parametrize(
    ("term", "is_screen"), [("xterm", True), ("dumb", False), ("unknown", False)]
)
def test_terminal_that_cannot_move_its_cursor_gets_blocks(
    monkeypatch: pytest.MonkeyPatch, term: str, is_screen: bool
) -> None:
    screen = Console(force_terminal=True, _environ={"TERM": term})
    drawn: list[str] = []
    monkeypatch.setattr("router.wiring.status_watch.console", lambda: screen)
    for way in ("_watch_screen", "_watch_pipe"):
        monkeypatch.setattr(
            f"router.wiring.status_watch.{way}", lambda *_, of=way: drawn.append(of)
        )
    watch(Asked("http://127.0.0.1:1"), whole=False)
    assert drawn == ["_watch_screen" if is_screen else "_watch_pipe"]


def test_last_line_names_the_keys_that_scroll() -> None:
    said = View().footer(lines=20, height=20)
    assert "arrows scroll" in said
    assert len(said) <= 80


def test_last_line_says_what_was_chosen_before_what_the_keys_do() -> None:
    view = View(sort="name", words="tel", paused=True, top=3, whole=True)
    said = view.footer(lines=100, height=20)
    assert said.startswith("by name | with tel | paused | 4-23 of 100 | q quit")
    assert View(typing=True, words="te").footer(9, 20).startswith("filter: te_")
