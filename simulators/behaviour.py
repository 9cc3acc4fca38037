"""How a simulated operator behaves, well or badly: one field per key of a scenario.

The same reader serves the command line (`--receipts delivered:98,failed:2`) and a scenario file
(`receipts: {delivered: 98, failed: 2}`). The text below a field is its line in the manual.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple, TypeVar, get_args

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from router.terms.limits import Rate
from simulators import units
from simulators.ids import IdForms, id_forms
from simulators.messages import encoded, number_pattern, sender_address
from simulators.units import Span, UnitError

ReceiptBind = Literal["any", "same", "other"]
ReceiptForm = Literal["both", "text", "tlvs"]
ReceiptText = Literal[
    "usual", "full", "lower", "commas", "bars", "quotes", "0x", "reversed", "ucs2", "packed"
]
"""A way to write the text of a receipt; simulators/README.md says what each is."""

STATE_BY_NAME: Final[dict[str, State | None]] = {
    **{state.name.lower(): state for state in State},
    "failed": State.UNDELIVERABLE,
    "none": None,
}
"""`none` is a message whose receipt never comes."""

AT_ONCE: Final = Span(0.0, 0.0)
_TENTH: Final = Span(0.1, 0.1)
_SECOND: Final = Span(1.0, 1.0)
_DECIMAL: Final = IdForms("decimal", "decimal")


class Inbound(NamedTuple):
    """Messages from subscribers (deliver_sm that is no receipt)."""

    rate: Rate
    source: str
    """A prefix and how many random digits follow it: `3725{7}`."""
    destination: str
    text: bytes
    data_coding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What an operator does with what it gets."""

    binds_rate: Rate | None = None
    """submit_sm that one bind may have accepted in any sliding second; more is throttled."""
    operator_rate: Rate | None = None
    """submit_sm that all binds together may have accepted in any sliding second."""
    latency: Span = AT_ONCE
    """Wait before a submit_sm is answered."""
    answers_every: float | None = None
    """Answers to submit_sm wait and go out together, once in this time (seconds); None: at once."""
    ids: IdForms = _DECIMAL
    """Form of message ids: `decimal`, `hex` (decimal in receipts), `text`, or `hex/hex`."""
    receipts: tuple[tuple[State | None, float], ...] = ((State.DELIVERED, 1.0),)
    """States of receipts by weight; `none` is one that never comes."""
    receipts_by_destination: tuple[tuple[bytes, State | None], ...] = ()
    """State of receipts for destinations with a prefix; the longest prefix counts."""
    receipt_delay: Span = _TENTH
    """Wait between a submit_sm and its receipt."""
    receipt_form: ReceiptForm = "both"
    """Whether receipts say it in `text`, in `tlvs` or in `both`; a 3.3 client gets text."""
    receipt_texts: tuple[tuple[ReceiptText, float], ...] = (("usual", 1.0),)
    """How the texts of receipts are written, by weight."""
    ids_reused: float = 0.0
    """Share of messages with the id of the message before them, which went to another number."""
    ids_crossed: float = 0.0
    """Share of receipts with the id of the message before in receipted_message_id, beside their own
    in the text. It went to another number."""
    receipt_bind: ReceiptBind = "any"
    """Which bind gets a receipt: `any` in turn, the `same` that submitted, or an `other`."""
    receipt_first: float = 0.0
    """Share of messages whose receipt goes out before the answer to the submit_sm."""
    receipts_twice: float = 0.0
    """Share of receipts that are sent twice."""
    receipt_retry: Span = _SECOND
    """Wait before a receipt that was refused for now is sent again."""
    deliver_window: int = 1000
    """deliver_sm unanswered on one bind."""
    status: tuple[tuple[int, float], ...] = ()
    """Share of submit_sm that are refused with a command_status."""
    status_by_destination: tuple[tuple[bytes, int], ...] = ()
    """command_status for destinations with a prefix; the longest prefix counts."""
    silent: float = 0.0
    """Share of submit_sm that are neither answered nor taken."""
    answer_lost: float = 0.0
    """Share of submit_sm that are taken, receipts and all, and never answered."""
    nack: float = 0.0
    """Share of submit_sm that are answered with a generic_nack."""
    nack_status: int = v.ESME_RSYSERR
    """command_status of those."""
    silent_at: bytes = b""
    """Messages with this in their text are neither answered nor taken; empty: none."""
    hang_up_at: bytes = b""
    """The connection is cut as soon as a message with this in its text is read; empty: at none."""
    disconnect_every: int | None = None
    """The connection is cut after so many submit_sm on a bind."""
    read_pause: Span | None = None
    """Wait after each read before more is read: a slow reader."""
    bind_latency: Span = AT_ONCE
    """Wait before a bind request is answered."""
    bind_status: tuple[tuple[int, float], ...] = ()
    """Share of bind requests that are refused with a command_status."""
    cancel_sm: float = 0.0
    """Share of cancel_sm that are granted while the receipt is not due: then one comes at once that
    says DELETED."""
    orphans: Rate | None = None
    """Receipts of messages that nobody has submitted here."""
    inbound: Inbound | None = None
    """Messages from subscribers: a rate, and where they matter source, destination and text."""

    def __post_init__(self) -> None:
        parts = (self.silent, self.answer_lost, self.nack, *(s for _, s in self.status))
        if sum(parts) > 1.000001:
            raise UnitError("silent, answer_lost, nack and status are more than 100% together")
        if sum(part for _, part in self.bind_status) > 1.000001:
            raise UnitError("bind_status is more than 100% together")


DEFAULT: Final = Behaviour()

_Kind = TypeVar("_Kind", bound=str)


def _one_of(kinds: tuple[_Kind, ...]) -> Callable[[object], _Kind]:
    def read(value: object) -> _Kind:
        if value not in kinds:
            raise UnitError(f"{value!r} is none of {', '.join(kinds)}")
        return value

    return read


def _off_or(read: Callable[[object], object]) -> Callable[[object], object]:
    """Some things that an earlier phase began can be ended with `off`, which YAML reads as no."""

    def read_or_off(value: object) -> object:
        return None if value is False or value == "off" else read(value)

    return read_or_off


def receipts(value: object) -> tuple[tuple[State | None, float], ...]:
    """`delivered:98,failed:2` or the same as a mapping; the numbers are weights."""
    if value == "none":
        return ((None, 1.0),)
    result = [(_state(name), _weight(weight)) for name, weight in units.pairs(value)]
    if not any(weight for _, weight in result):
        raise UnitError("no state has a weight; for no receipts at all write none")
    return tuple(result)


def receipts_by_destination(value: object) -> tuple[tuple[bytes, State | None], ...]:
    """`372599:failed` or the same as a mapping; the longest prefix comes first."""
    found = [(prefix.encode(), _state(name)) for prefix, name in units.pairs(value)]
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))


def receipt_texts(value: object) -> tuple[tuple[ReceiptText, float], ...]:
    """`usual:90,ucs2:10` or the same as a mapping; the numbers are weights."""
    read = _one_of(get_args(ReceiptText))
    result: list[tuple[ReceiptText, float]] = [
        (read(name), _weight(weight)) for name, weight in units.pairs(value)
    ]
    if not any(weight for _, weight in result):
        raise UnitError("no text has a weight")
    return tuple(result)


def _state(name: object) -> State | None:
    if not isinstance(name, str) or name not in STATE_BY_NAME:
        raise UnitError(f"{name!r} is no state of a receipt; known: {', '.join(STATE_BY_NAME)}")
    return STATE_BY_NAME[name]


def _weight(value: object) -> float:
    try:
        weight = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight < 1e12 or isinstance(value, bool):
        raise UnitError(f"{value!r} is no weight; write a number such as 98")
    return weight


def statuses(value: object) -> tuple[tuple[int, float], ...]:
    """`ESME_RSYSERR:1%` or the same as a mapping."""
    return tuple((units.status(name), units.share(part)) for name, part in units.pairs(value))


def statuses_by_destination(value: object) -> tuple[tuple[bytes, int], ...]:
    """`372599:ESME_RINVDSTADR` or the same as a mapping; the longest prefix comes first."""
    found = [(prefix.encode(), units.status(name)) for prefix, name in units.pairs(value)]
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))


def inbound(value: object) -> Inbound:
    """Return a mapping with a rate and, where they matter, source, destination and text."""
    known = {"rate", "source", "destination", "text"}
    found = dict(units.pairs(value))
    if unknown := sorted(set(found) - known):
        raise UnitError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    if "rate" not in found:
        raise UnitError("inbound needs a rate, for example 5/s")
    source, destination = (
        str(found.get("source", "3725{7}")),
        str(found.get("destination", "12302")),
    )
    number_pattern(source)
    sender_address(destination)
    text, data_coding = encoded(str(found.get("text", "HELLO")))
    return Inbound(units.rate(found["rate"]), source, destination, text, data_coding)


def pattern(value: object) -> bytes:
    """A text as it stands in messages; `off` is none."""
    if value is False or value == "off":
        return b""
    if not isinstance(value, str) or not value:
        raise UnitError(f"{value!r} is no text to look for")
    return encoded(value)[0]


READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "binds_rate": _off_or(units.rate),
    "operator_rate": _off_or(units.rate),
    "latency": units.span,
    "answers_every": _off_or(units.duration_s),
    "ids": id_forms,
    "receipts": receipts,
    "receipts_by_destination": receipts_by_destination,
    "receipt_delay": units.span,
    "receipt_form": _one_of(get_args(ReceiptForm)),
    "receipt_texts": receipt_texts,
    "ids_reused": units.share,
    "ids_crossed": units.share,
    "receipt_bind": _one_of(get_args(ReceiptBind)),
    "receipt_first": units.share,
    "receipts_twice": units.share,
    "receipt_retry": units.span,
    "deliver_window": units.count,
    "status": statuses,
    "status_by_destination": statuses_by_destination,
    "silent": units.share,
    "answer_lost": units.share,
    "nack": units.share,
    "nack_status": units.status,
    "silent_at": pattern,
    "hang_up_at": pattern,
    "disconnect_every": _off_or(units.count),
    "read_pause": _off_or(units.span),
    "bind_latency": units.span,
    "bind_status": statuses,
    "cancel_sm": units.share,
    "orphans": _off_or(units.rate),
    "inbound": _off_or(inbound),
}
"""How the value of each key is read."""


def changed(base: Behaviour, changes: Mapping[str, object]) -> Behaviour:
    """`base` with values that READERS have read."""
    values = {field.name: getattr(base, field.name) for field in fields(Behaviour)}
    return Behaviour(**(values | dict(changes)))
