"""`smpp-router status --watch`: the page again and again, with keys to sort, filter and scroll.

In a terminal rich's Live draws it and keys are read; anywhere else, such as in a pipe or a terminal
that cannot move its cursor, each status is a block of lines below the one before.
"""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from router.telemetry.log import printable
from router.wiring.columns import BAD, paragraph
from router.wiring.remote import NoAnswerError
from router.wiring.status_page import SORTS, Look
from router.wiring.status_view import Asked, Shown, console, shown, write

EVERY_S: Final = 1.0
"""How often the router is asked."""
LONGEST_FILTER: Final = 64
HELP: Final = "q quit, s sort, / filter, a all, p pause, arrows scroll"
_ESCAPE: Final = "\x1b"
_NAMES: Final = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1b[F": "end", "\x1bOA": "up", "\x1bOB": "down", "\x1b[1~": "home",
    "\x1b[4~": "end", "k": "up", "j": "down", "b": "page up", " ": "page down", "g": "home",
    "G": "end",
}  # fmt: skip
_STEPS: Final = {"up": -1, "down": 1}
_PAGES: Final = {"page up": -1, "page down": 1}


@dataclass(frozen=True, slots=True)
class View:
    """What the keys have chosen."""

    sort: str = SORTS[0]
    words: str = ""
    typing: bool = False
    """Whether keys are letters of the filter."""
    whole: bool = False
    """Whether every row is shown, below the end of the screen too."""
    paused: bool = False
    top: int = 0
    """The first line that is shown."""
    over: bool = False

    def pressed(self, key: str, height: int, lines: int) -> "View":
        """Return the view after a key; so many lines are shown of so many."""
        if self.typing:
            return self._typed(key)
        name = _NAMES.get(key, key)
        if name in _STEPS or name in _PAGES or name in ("home", "end"):
            return self._moved(name, height, lines)
        match name:
            case "q" | "\x03":
                return replace(self, over=True)
            case "s":
                after = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
                return replace(self, sort=after, top=0)
            case "/":
                return replace(self, typing=True, words="", top=0)
            case "a":
                return replace(self, whole=not self.whole, top=0)
            case "p":
                return replace(self, paused=not self.paused)
            case "\x1b":
                return replace(self, words="", top=0)
            case _:
                return self

    def _moved(self, name: str, height: int, lines: int) -> "View":
        """Scroll. The page that fits has nothing below it: then the whole one is shown."""
        last = max(0, lines - height)
        if not self.whole:
            if name in ("up", "page up", "home"):
                return self
            last = 10**6  # How long it is shows when it is drawn, and then it ends there.
        by = _STEPS.get(name, 0) + _PAGES.get(name, 0) * max(1, height - 1)
        top = {"home": 0, "end": last}.get(name, self.top + by)
        return replace(self, whole=True, top=min(last, max(0, top)))

    def _typed(self, key: str) -> "View":
        match key:
            case "\r" | "\n":
                return replace(self, typing=False)
            case "\x1b" | "\x03":
                return replace(self, typing=False, words="")
            case "\x7f" | "\b":
                return replace(self, words=self.words[:-1])
            case _:
                is_letter = key.isprintable() and len(key) == 1
                fits = is_letter and len(self.words) < LONGEST_FILTER
                return replace(self, words=self.words + key) if fits else self

    def look(self, width: int, height: int) -> Look:
        """Return how the page is to be drawn."""
        whole = self.whole or bool(self.words) or self.typing
        return Look(width=width, height=height, whole=whole, sort=self.sort, words=self.words)

    def footer(self, lines: int, height: int) -> str:
        """Return the last line of the screen."""
        if self.typing:
            return f"filter: {self.words}_  (Enter keeps it, Esc ends it)"
        said = [f"by {self.sort}"] if self.sort != SORTS[0] else []
        said += [f"with {self.words}"] if self.words else []
        said += ["paused"] if self.paused else []
        if lines > height:
            said.append(f"{self.top + 1}-{min(lines, self.top + height)} of {lines}")
        return " | ".join([*said, HELP])


def watch(asked: Asked, *, whole: bool) -> None:
    """Show the status again and again until the user ends it, also after a restart of the router.

    Raises NoSuchNameError if the first answer lacks the name.
    """
    screen = console()
    if screen.is_terminal and not screen.is_dumb_terminal:
        with suppress(KeyboardInterrupt):
            _watch_screen(asked, screen, View(whole=whole))
    else:
        with suppress(KeyboardInterrupt):
            _watch_pipe(asked, screen)


def _watch_pipe(asked: Asked, screen: Console) -> None:
    while True:
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        screen.print(f"--- {at} UTC", soft_wrap=True)
        write(screen, _lines(_asked(asked), Look(width=screen.width)))
        screen.print()
        screen.file.flush()
        time.sleep(EVERY_S)


def _watch_screen(asked: Asked, screen: Console, view: View) -> None:
    found = _asked(asked)
    due = time.monotonic() + EVERY_S
    with _keys() as key_within, Live(console=screen, screen=True, auto_refresh=False) as live:
        while not view.over:
            width, height = screen.width, screen.height - 1
            lines = _lines(found, view.look(width, height))
            view = replace(view, top=min(view.top, max(0, len(lines) - height)))
            live.update(_screen(lines, view, width, height), refresh=True)
            key = key_within(max(0.0, due - time.monotonic()))
            if key:
                view = view.pressed(key, height, len(lines))
            if time.monotonic() >= due:
                due = time.monotonic() + EVERY_S
                if not view.paused:
                    found = _asked(asked)


def _screen(lines: list[Text], view: View, width: int, height: int) -> Text:
    """Return what fits of the lines, and the footer at the bottom."""
    some = lines[view.top : view.top + height]
    some += [Text()] * (height - len(some))
    footer = printable(view.footer(len(lines), height))[:width]
    page = Text("\n", no_wrap=True, overflow="crop")
    return page.join([*some, Text(footer, style="reverse")])


def _asked(asked: Asked) -> Shown | NoAnswerError:
    try:
        return shown(asked)
    except NoAnswerError as error:
        return error


def _lines(found: Shown | NoAnswerError, look: Look) -> list[Text]:
    try:
        if isinstance(found, NoAnswerError):
            raise found
        return found.lines(look)
    except NoAnswerError as error:
        return paragraph(str(error), look.width, BAD)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Read keys as they are pressed; the call waits so many seconds for one, at most.

    Without a terminal to read from it only waits.
    """
    if not sys.stdin.isatty():

        def wait(seconds: float) -> str:
            time.sleep(seconds)
            return ""

        yield wait
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    waiting: list[str] = []

    def read(seconds: float) -> str:
        if not waiting and select.select([number], [], [], seconds)[0]:
            waiting.extend(split(os.read(number, 1024).decode("utf-8", "replace")))
        return waiting.pop(0) if waiting else ""

    try:
        tty.setcbreak(number)
        yield read
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def split(text: str) -> list[str]:
    """Return the keys in what a terminal sent at once: one may be several characters."""
    keys: list[str] = []
    while text:
        key = next((one for one in _NAMES if len(one) > 1 and text.startswith(one)), text[0])
        if key == _ESCAPE and len(text) > 1:  # A key that means nothing here.
            end = next((at for at, one in enumerate(text[2:], 3) if one.isalpha() or one == "~"), 0)
            key, text = "", text[end or len(text) :]
        keys += [key] if key else []
        text = text[len(key) :]
    return keys
