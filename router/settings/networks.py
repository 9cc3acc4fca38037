"""Files that say which numbers are of which network: prefix, MCCMNC, and the network's name."""

from router.settings.lists import WrongLines, is_heading, parsed_prefix, rows_in
from router.settings.parts import Reader, matching, read_all
from router.settings.reading import Spot
from router.settings.units import NotUnderstoodError
from router.settings.values import parsed_network
from router.terms.settings import NetworkFile

COLUMNS = ("prefix", "network", "name")
"""In this order, if the first line does not name the first two."""


def _read_file(spot: Spot) -> NetworkFile:
    file = spot.text()
    networks: dict[str, str] = {}
    names: dict[str, str] = {}
    lines: dict[str, int] = {}
    same: dict[str, str] = {}
    """Each network once: a million prefixes are of a few."""
    wrong = WrongLines(spot)
    columns, is_first = [0, 1, 2], True
    for line, cells in rows_in(spot):
        heading = is_first and is_heading(cells[0])
        is_first = False
        if heading:
            columns = _named(cells)
            continue
        prefix_cell, network_cell, name = (cells[at] if at < len(cells) else "" for at in columns)
        try:
            prefix = parsed_prefix(line, prefix_cell)
            network = parsed_network(network_cell)
            network = same.setdefault(network, network)
        except NotUnderstoodError as error:
            wrong.add(line, error.message)
            continue
        if networks.setdefault(prefix, network) != network:
            wrong.add(line, f"this prefix has another network in line {lines[prefix]}")
        lines.setdefault(prefix, line)
        if name:
            names.setdefault(network, name)
    wrong.end()
    if not networks:
        spot.refuse("the file holds no prefix")
    return NetworkFile(file=file, networks=networks, names=names)


def _named(heading: list[str]) -> list[int]:
    """Return where the columns are, by their names; or in their order if those are other ones."""
    folded = [cell.casefold() for cell in heading]
    if not all(name in folded for name in COLUMNS[:2]):
        return [0, 1, 2]
    return [folded.index(name) if name in folded else len(folded) for name in COLUMNS]


def _read_files(spot: Spot) -> tuple[NetworkFile, ...]:
    spots = spot.items()
    first: dict[str, int] = {}
    for number, one in enumerate(spots):
        if first.setdefault(one.text(), number) != number:
            one.refuse("this file stands in the list already")
    return tuple(read_all(spots, _read_file))


files = Reader(
    "list of paths",
    _read_files,
    "relative to the configuration",
    schema={"type": "array", "items": matching(".+")},
)
