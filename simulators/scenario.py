"""A scenario file: how an operator behaves at first, from when on otherwise, and what happens when.

Strict, as the router's configuration is: an unknown key is refused with the list of those that
there are, a key twice is an error, and all mistakes are told at once, each with its path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, get_args

import yaml

from simulators import units
from simulators.behaviour import READERS, Behaviour, changed
from simulators.counting import NEVER
from simulators.units import UnitError

Clock = Literal["start", "bind", "submit"]
Deed = Literal["disconnect", "unbind"]

_ABOUT: Final = ("story", "clock", "phases", "events")
_EVENT_KEYS: Final = ("at", "do", "binds")


@dataclass(frozen=True, slots=True)
class Phase:
    """A behaviour and when it begins."""

    at_s: float
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens once to binds."""

    at_s: float
    do: Deed
    binds: tuple[int, ...] | None
    """Their numbers, counted from 1 in order of binding; None is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story of an operator."""

    story: str = ""
    """What it shows, for people."""
    clock: Clock = "start"
    """When its time begins: with the listener, the first bind, or the first submit_sm."""
    phases: tuple[Phase, ...] = (Phase(0.0, Behaviour()),)
    """In order; the first one begins at 0."""
    events: tuple[Event, ...] = ()
    """In order."""


class Agenda:
    """What of a scenario is still to come."""

    __slots__ = ("_clock", "_entries", "_zero_at")

    def __init__(self, scenario: Scenario, now: float) -> None:
        self._clock = scenario.clock
        entries: list[Phase | Event] = [*scenario.phases[1:], *scenario.events]
        self._entries = sorted(entries, key=lambda entry: entry.at_s)
        self._zero_at = now if scenario.clock == "start" else NEVER

    def begin(self, clock: Clock, now: float) -> None:
        """The first bind or the first submit_sm is there: the scenario's time may begin now."""
        if self._zero_at == NEVER and clock == self._clock:
            self._zero_at = now

    def next_at(self) -> float:
        """Return when something is to happen next."""
        return self._zero_at + self._entries[0].at_s if self._entries else NEVER

    def due(self, now: float) -> list[Phase | Event]:
        """Remove and return what is to happen now."""
        count = sum(1 for entry in self._entries if self._zero_at + entry.at_s <= now)
        found, self._entries = self._entries[:count], self._entries[count:]
        return found


class ScenarioError(Exception):
    """A scenario that cannot be read: all its mistakes."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read(text: str, name: str, flags: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario; `name` is for messages. Flags go over its start, its phases over both.

    Raises ScenarioError.
    """
    try:
        document = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ScenarioError([f"{name}: {error}"]) from None
    return build(document, name, flags)


def build(document: object, name: str, flags: Mapping[str, object] | None = None) -> Scenario:
    """Return a scenario from the content of a YAML file."""
    reader = _Reader(name)
    top = reader.mapping({} if document is None else document, "")
    base = reader.behaviour(Behaviour(), top, "", also=_ABOUT)
    try:
        base = changed(base, flags or {})
    except UnitError as error:
        reader.mistake("", str(error))
    phases = [Phase(0.0, base)]
    for path, entry in reader.entries(top, "phases"):
        at_s = reader.at(entry, path)
        if at_s < phases[-1].at_s:
            reader.mistake(f"{path}.at", "phases must be in order of time")
        behaviour = reader.behaviour(phases[-1].behaviour, entry, path, also=("at",))
        phases.append(Phase(at_s, behaviour))
    events = [reader.event(entry, path) for path, entry in reader.entries(top, "events")]
    clock = reader.choice(top.get("clock", "start"), "clock", get_args(Clock))
    if reader.mistakes:
        raise ScenarioError(reader.mistakes)
    return Scenario(
        story=str(top.get("story", "")),
        clock="start" if clock == "start" else "bind" if clock == "bind" else "submit",
        phases=tuple(phases),
        events=tuple(sorted(events, key=lambda event: event.at_s)),
    )


class _Reader:
    """Reads on after a mistake, so that all are told at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.mistakes: list[str] = []

    def mistake(self, path: str, says: str) -> None:
        self.mistakes.append(": ".join(part for part in (self._name, path, says) if part))

    def mapping(self, value: object, path: str) -> dict[str, object]:
        if isinstance(value, dict):
            return {str(key): found for key, found in value.items()}
        self.mistake(path, f"{value!r} is no mapping of keys to values")
        return {}

    def entries(self, top: dict[str, object], key: str) -> list[tuple[str, dict[str, object]]]:
        value = top.get(key, [])
        if not isinstance(value, list):
            self.mistake(key, "must be a list; begin each entry with `- at: 10s`")
            return []
        return [
            (f"{key}[{number}]", self.mapping(entry, f"{key}[{number}]"))
            for number, entry in enumerate(value)
        ]

    def unknown(self, key: str, path: str, known: tuple[str, ...]) -> None:
        near = get_close_matches(key, known, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        self.mistake(_join(path, key), f"unknown key; {meant}known keys: {', '.join(known)}")

    def behaviour(
        self, base: Behaviour, entry: dict[str, object], path: str, *, also: tuple[str, ...]
    ) -> Behaviour:
        changes: dict[str, object] = {}
        for key, value in entry.items():
            if key in also:
                continue
            if key not in READERS:
                self.unknown(key, path, (*also, *READERS))
                continue
            try:
                changes[key] = READERS[key](value)
            except UnitError as error:
                self.mistake(_join(path, key), str(error))
        try:
            return changed(base, changes)
        except UnitError as error:
            self.mistake(path, str(error))
            return base

    def at(self, entry: dict[str, object], path: str) -> float:
        try:
            return units.duration_s(entry["at"])
        except KeyError:
            self.mistake(path, "needs `at`, for example `at: 10s`")
        except UnitError as error:
            self.mistake(f"{path}.at", str(error))
        return 0.0

    def choice(self, value: object, path: str, known: tuple[str, ...]) -> str:
        if value in known:
            return str(value)
        self.mistake(path, f"{value!r} is none of {', '.join(known)}")
        return known[0]

    def event(self, entry: dict[str, object], path: str) -> Event:
        for key in entry:
            if key not in _EVENT_KEYS:
                self.unknown(key, path, _EVENT_KEYS)
        do = self.choice(entry.get("do"), f"{path}.do", get_args(Deed))
        binds = entry.get("binds", "all")
        numbers: tuple[int, ...] | None = None
        if isinstance(binds, list) and binds and all(type(number) is int for number in binds):
            numbers = tuple(binds)
        elif binds != "all":
            self.mistake(f"{path}.binds", f"{binds!r} is neither `all` nor a list as [1, 3]")
        at_s = self.at(entry, path)
        return Event(at_s, "unbind" if do == "unbind" else "disconnect", numbers)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


class _Loader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys without a word; this one does not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # The parent says what is wrong with it.
            key = self.construct_object(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep))
