"""Warnings of binds that look like copies of each other by mistake.

Equal binds of one operator are how capacity is bought, so nothing is wrong with those. What is
compared is the address, the system_id and the type; with another system_type an operator may take
the router for another customer.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from router.settings.mistakes import Mistake, item_path, key_path, warning_at
from router.terms.settings import Address, BindSettings, OperatorSettings, Place


@dataclass(frozen=True, slots=True)
class _Found:
    """A bind, and where it stands."""

    operator: str
    path: str
    bind: BindSettings
    place: Place

    def __str__(self) -> str:
        # Not its name, which may come from the environment, like every value.
        at = Place(self.place.file, self.place.line)
        return f"{self.path} ({at})" if at.file else self.path


def bind_warnings(
    operators: Iterable[OperatorSettings], places: Mapping[str, Place]
) -> Iterator[Mistake]:
    """Yield a warning for each copy that is probably a mistake."""
    found = [
        _Found(operator.name, path, bind, places.get(f"{path}.name", Place("")))
        for operator in operators
        for index, bind in enumerate(operator.binds)
        for path in [item_path(key_path("operators", operator.name) + ".binds", index)]
    ]
    for path, what in (*_of_two_operators(found), *_passwords(found), *_tls(found)):
        yield warning_at(places, path, what)


def _of_two_operators(found: Iterable[_Found]) -> Iterator[tuple[str, str]]:
    """Find two operators that are one to whoever is at the other end; tell of each pair once."""
    firsts: dict[Hashable, _Found] = {}
    told = set()
    for one in found:
        for key in _equal_for_the_operator(one.bind):
            first = firsts.setdefault(key, one)
            pair = first.operator, one.operator
            if first.operator != one.operator and pair not in told:
                told.add(pair)
                yield f"{one.path}.name", _why_two_are_wrong(first, one.bind)


def _equal_for_the_operator(bind: BindSettings) -> Iterator[Hashable]:
    """Yield what other binds must not have at the same time, unless they are of one operator."""
    if bind.outbind is not None:
        yield bind.outbind
    for address in bind.addresses:
        # Receivers with an `address_range` may each get the messages to numbers of their own.
        numbers = bind.address_range if bind.type == "receiver" else ""
        yield _written(address), bind.system_id, bind.type, bind.system_type, numbers


def _why_two_are_wrong(first: _Found, bind: BindSettings) -> str:
    if bind.outbind is not None:
        return (
            f"{first} waits for the same outbind: which of the two operators is calling cannot be "
            "told"
        )
    whys = []
    if bind.type != "receiver":
        whys.append("each operator is paced for itself, so together they can exceed the contract")
    if bind.type != "transmitter":
        whys.append("receipts of one may come to the other, which does not know their messages")
    same = "binds to the same address with the same system_id and type"
    return f"{first} {same}: {'; '.join(whys)}"


def _passwords(found: Iterable[_Found]) -> Iterator[tuple[str, str]]:
    """Find binds of one operator with another password for the same system_id."""
    firsts: dict[Hashable, _Found] = {}
    told = set()
    for one in found:
        for address in one.bind.addresses:
            key = one.operator, _written(address), one.bind.system_id, one.bind.system_type
            first = firsts.setdefault(key, one)
            if first.bind.password != one.bind.password and first.path not in told:
                told.add(first.path)
                yield (
                    f"{one.path}.password",
                    f"differs from that of {first}, which binds to the same address with the same "
                    "system_id: one of the two will be refused",
                )


def _tls(found: Iterable[_Found]) -> Iterator[tuple[str, str]]:
    """Find addresses that are bound to both with and without TLS."""
    firsts: dict[str, _Found] = {}
    told = set()
    for one in found:
        for address in one.bind.addresses:
            first = firsts.setdefault(_written(address), one)
            if (first.bind.tls is None) != (one.bind.tls is None) and first.path not in told:
                told.add(first.path)
                which = ("with", "without") if one.bind.tls else ("without", "with")
                yield (
                    f"{one.path}.name",
                    f"it binds {which[0]} TLS to an address to which {first} binds {which[1]}: one "
                    "of the two will fail",
                )


def _written(address: Address) -> str:
    """Return an address as two that mean one host have it."""
    return str(address).casefold()
