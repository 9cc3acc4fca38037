"""The page that `smpp-router status` shows: what is not well first, then the totals, then tables.

Each table has trouble on top, then the busiest. A page that is to fit a terminal shows so many rows
of each as there is room for, and says how many more there are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from rich.text import Text

from router.telemetry.document import ProblemStatus, Snapshot
from router.telemetry.verdict import age
from router.wiring.columns import BAD, DIM, GOOD, Table, paragraph
from router.wiring.status_tables import (
    Row,
    Section,
    accounts_section,
    amount,
    binds_section,
    blocked_section,
    delivered_words,
    events_section,
    operators_section,
    quality_section,
    rate,
    refused_section,
    totals_section,
    waiting_section,
)

SORTS: Final = ("trouble first", "name", "rate", "refused", "waiting", "oldest")
"""What tables can be sorted by."""
MOST_PROBLEMS: Final = 10
MOST_ALIKE: Final = 3
"""Problems that the same helps; of further ones, the names: they must not hide another problem."""
MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is to be shown."""

    width: int = 80
    height: int | None = None
    """Lines that there are; None where there is no end to them."""
    whole: bool = False
    """Whether every row is shown."""
    sort: str = SORTS[0]
    words: str = ""
    """Only rows and events with these words in them."""


def page(status: Snapshot, look: Look) -> list[Text]:
    """Return the lines of the page."""
    head = [*_verdict(status, look), *([] if look.words else _head(status, look.width))]
    sections = [_chosen(one, look) for one in _sections(status)]
    room = None if look.height is None or look.whole else max(0, look.height - len(head))
    return [*head, *_tables([one for one in sections if one.rows], look, room)]


# What is said in sentences.


def _verdict(status: Snapshot, look: Look) -> list[Text]:
    """Return what is not well; where room is short, in no more than half of it."""
    found, notes = status["problems"], status["notes"]
    if look.words:
        words, notes = look.words.casefold(), []
        found = [one for one in found if words in f"{one['about']} {one['what']}".casefold()]
    if not status["problems"]:
        lines = [Text("No problem is known.", style=GOOD)]
    else:
        number = len(status["problems"])
        count = "1 problem" if number == 1 else f"{number} problems"
        lines = [Text(f"{count}:", style=BAD)]
        left = len(found)
        alike = [(one, 1) for one in found] if look.whole else list(_together(found))
        found = [one for one, _ in alike]
        most = len(found) if look.whole else min(len(found), MOST_PROBLEMS)
        room = _room(look)
        for place, one in enumerate(found[:most]):
            what, do = paragraph(one["what"], look.width, BAD, "    ", "  "), _do(one, look.width)
            if place and len(lines) + len(what) + len(do) > room:
                lines += _do(found[place - 1], look.width)
                break
            lines += what
            after = found[place + 1] if place + 1 < most else None
            if after is None or (one["do"], one["see"]) != (after["do"], after["see"]):
                lines += do  # Once, below all that have it in common.
            left -= alike[place][1]
        if left:
            lines.append(Text(f"  and {left} more: --all", style=BAD))
    return lines + _notes(notes, look, len(lines))


def _together(found: Iterable[ProblemStatus]) -> Iterator[tuple[ProblemStatus, int]]:
    """Yield problems, each with how many it stands for.

    Of those in a row that the same helps, the first ones are told, and one has the other names.
    """
    for _, group in groupby(found, key=lambda one: (one["kind"], one["do"], one["see"])):
        alike = list(group)
        is_long = alike[0]["about"] and len(alike) > MOST_ALIKE + 1
        shown = MOST_ALIKE if is_long else len(alike)
        yield from ((one, 1) for one in alike[:shown])
        if not is_long:
            continue
        names = [one["about"] for one in alike[shown:]]
        more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        what = f"and {len(names)} like these: {', '.join(names[:MOST_NAMES])}{more}"
        yield {**alike[0], "what": what, "about": ""}, len(names)


def _notes(notes: Sequence[ProblemStatus], look: Look, taken: int) -> list[Text]:
    """Return what should be looked at; where room is short, as much as problems have left of it."""
    lines: list[Text] = []
    for place, one in enumerate(notes):
        more = paragraph(f"Note: {one['what']}", look.width, DIM, "  ")
        more += _do(one, look.width, DIM)
        if taken + len(lines) + len(more) > _room(look):
            count = len(notes) - place
            words = f"{count} note{'s' if count > 1 else ''}"
            return [*lines, Text(f"  and {words}: --all", style=DIM)]
        lines += more
    return lines


def _room(look: Look) -> int:
    """Return the lines that there are for what is not well: half of them."""
    return 10**6 if look.height is None or look.whole else max(4, look.height // 2)


def problem_lines(one: ProblemStatus, width: int) -> list[Text]:
    """Return one problem and what helps."""
    return [*paragraph(one["what"], width, BAD, "    ", "  "), *_do(one, width)]


def _do(one: ProblemStatus, width: int, style: str = "") -> list[Text]:
    do = f"{one['do']} ({one['see']})" if one["do"] else f"see {one['see']}"
    return paragraph(do, width, style, "       ", "    -> ")


def _head(status: Snapshot, width: int) -> Iterator[Text]:
    """Yield what is of the whole router."""
    for part in (_router(status), _journal(status), _flow(status)):
        yield from paragraph(", ".join(filter(None, part)), width, "", "  ")
    config, clock = status["config"], status["clock"]
    since = datetime.fromtimestamp(config["since_utc"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield from paragraph(f"configuration {config['hash']} since {since} UTC", width)
    if clock["cure"]:
        off = f"{age(abs(clock['ahead_s']))} {'ahead' if clock['ahead_s'] > 0 else 'behind'}"
        waits = f"; {clock['waiting']} messages wait for it" if clock["waiting"] else ""
        yield from paragraph(f"the clock is {off}, and doubted{waits}", width, BAD)


def _router(status: Snapshot) -> Iterator[str]:
    reason = status["not_ready"]
    yield f"smpp-router {status['version']}"
    yield "ready" if reason is None else f"not ready: {reason}"
    yield f"up {age(status['uptime_s'])}"
    yield f"listening on {', '.join(status['listeners']) or 'nothing'}"


def _journal(status: Snapshot) -> Iterator[str]:
    journal = status["journal"]
    free, took_s = journal["free_octets"], journal["commits"]["mean_s"]
    yield f"journal {'up' if journal['up'] else 'down'} ({journal['pending']} pending)"
    if took_s is not None:
        yield f"a commit takes {took_s * 1000:.1f} ms"
    if free is not None:
        yield f"{amount(free)} free"
    if journal["is_short_of_space"]:
        yield f"of {amount(journal['keep_free'])} to keep: only receipts are taken"
    if journal["set_aside"]:
        yield f"{journal['set_aside']} damaged rows set aside"
    if journal["read_failures"]:
        yield f"{journal['read_failures']} reads failed"
    if status["left_waiting"]:
        yield f"{status['left_waiting']} left waiting for names that are gone"
    if not status["clock"]["cure"]:
        yield "clock believed"


def _flow(status: Snapshot) -> Iterator[str]:
    now = status["now"]
    yield f"in {rate(now['in_per_s'])}/s"
    yield f"out {rate(now['out_per_s'])}/s"
    yield f"receipts {rate(now['receipts_per_s'])}/s"
    yield f"refused {rate(now['refused_per_s'])}/s"
    yield f"by operators {rate(now['refused_by_operators_per_s'])}/s"
    yield delivered_words(status["delivered"])
    for count, what in (
        (status["delayed"], "to be tried again"),
        (status["scheduled"], "for their schedule"),
    ):
        if count:
            yield f"{count} more wait {what}"
    again = status["totals"]["repeated"]
    if again:
        yield f"{again} sent again since the start"


def _sections(status: Snapshot) -> Iterator[Section]:
    operators, accounts = status["operators"], status["accounts"]
    yield operators_section(operators)
    yield binds_section(operators)
    yield waiting_section(status)
    yield accounts_section(accounts)
    yield refused_section(accounts)
    yield blocked_section(status["blocked"])
    yield quality_section(status["quality"])
    yield events_section(status["events"], loud=True)
    yield totals_section(status)


# Choosing rows, and making lines of them.

_KEYS: Final[dict[str, Callable[[Row], object]]] = {
    "trouble first": lambda row: (not row.is_bad, -row.rate, -row.waiting),
    "name": lambda row: row.name,
    "rate": lambda row: -row.rate,
    "refused": lambda row: -row.refused,
    "waiting": lambda row: -row.waiting,
    "oldest": lambda row: -row.oldest_s,
}


def _chosen(section: Section, look: Look) -> Section:
    """Return a table with the rows that are asked for, in the order that is asked for."""
    words, rows = look.words.casefold(), section.rows
    if words:
        rows = [row for row in rows if words in _text_of(row)]
    if section.sorts:
        rows = sorted(rows, key=_KEYS[look.sort])  # type: ignore[arg-type]
    return section._replace(rows=rows)


def _text_of(row: Row) -> str:
    return " ".join([row.name, *(one.text for one in row.cells)]).casefold()


def _tables(sections: list[Section], look: Look, room: int | None) -> list[Text]:
    """Return the lines of tables: of all rows, or of as many as there is room for."""
    if room is not None:
        return drawn(sections, _shared(sections, look, room), look.width, apart=False)
    counts = [len(one.rows) if look.whole else min(one.usual, len(one.rows)) for one in sections]
    return drawn(sections, counts, look.width)


def drawn(
    sections: Sequence[Section], counts: Sequence[int], width: int, *, apart: bool = True
) -> list[Text]:
    """Return the lines of tables, each with so many of its rows, and how many more there are.

    A table of no row is left out. `apart` puts an empty line before each.
    """
    lines: list[Text] = []
    for section, count in zip(sections, counts, strict=True):
        if not count:
            continue
        rows = section.rows[:count]
        table = Table(section.columns, [row.cells for row in rows], width)
        lines += [Text()] * apart
        lines += table.header()
        lines += [line for row in rows for line in table.lines(row.cells)]
        if count < len(section.rows):
            lines.append(Text(f"  and {len(section.rows) - count} more: --all", style=DIM))
    return lines


def _shared(sections: list[Section], look: Look, room: int) -> list[int]:
    """Return how many rows of each table fit: first those in trouble, then one of each in turn."""
    counts = [0] * len(sections)
    for wants_bad in (True, False):
        growing = set(range(len(sections)))
        while growing:
            for number in sorted(growing):
                rows, count = sections[number].rows, counts[number]
                if count == len(rows) or (wants_bad and not rows[count].is_bad):
                    growing.discard(number)
                    continue
                counts[number] += 1
                if len(drawn(sections, counts, look.width, apart=False)) > room:
                    counts[number] -= 1
                    growing.discard(number)
    return counts
