"""The messages of the simulated client: numbers, texts, and a token by which each is known again.

A token is `#`, four characters for the run, `-` and eight digits for the message. Its characters
are the same octets in ASCII and in the GSM alphabet. Client and operator both know it, so that
either can tell a new message from one that comes again.

A submit_sm is put together from prepared octets; only its number, token and header are new.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from aiosmpplib import GSM7BitCodec

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.smpp.text import UDHI
from simulators.units import UnitError

_PATTERN: Final = re.compile(r"(\+?\d*)(?:\{(\d{1,2})\})?")
_TOKEN: Final = re.compile(rb"#[0-9a-z]{4}-[0-9]{8}")
_GSM: Final = GSM7BitCodec()
_LENGTH: Final = struct.Struct(">I")

LONGEST_MESSAGE_OCTETS: Final = 254
"""short_message (3.4, 5.2.22)."""
RUN_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def token(run: str, index: int) -> bytes:
    """Return the token of the message number `index` of a run."""
    return b"#%b-%08d" % (run.encode(), index)


def new_run(rng: Random) -> str:
    """Four characters that tell one run from another."""
    return "".join(rng.choices(RUN_LETTERS, k=4))


def find_token(sm: Sm) -> bytes | None:
    """Return the token in a message's text, in short_message or message_payload."""
    if sm.data_coding == 8:
        found = _TOKEN.search(sm.message.decode("utf-16-be", "replace").encode("ascii", "replace"))
    else:
        found = _TOKEN.search(sm.octets, sm.short_message_at)
    return None if found is None else found[0]


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """`3725{7}`: a prefix and how many random digits follow it."""

    prefix: str
    digits: int

    def number(self, rng: Random) -> str:
        """Return a number of this pattern."""
        if not self.digits:
            return self.prefix
        return f"{self.prefix}{int(rng.random() * 10**self.digits):0{self.digits}d}"


def number_pattern(value: str) -> NumberPattern:
    """Read `3725{7}`, or a number without random digits."""
    found = _PATTERN.fullmatch(value.strip())
    if found is None or not value.strip():
        raise UnitError(f"{value!r} is no number; write for example 37255500001 or 3725{{7}}")
    pattern = NumberPattern(found[1], int(found[2] or 0))
    if len(pattern.prefix) + pattern.digits > 20:
        raise UnitError(f"{value!r} is longer than the 20 digits of an address")
    return pattern


def sender_address(sender: str) -> tuple[int, int, bytes]:
    """TON, NPI and octets of a sender: a number, or a name of at most 11 characters."""
    digits = sender.removeprefix("+")
    if digits.isascii() and digits.isdigit() and len(digits) <= 15:
        return 1, 1, digits.encode()
    if not sender.isascii() or len(sender) > 11:
        raise UnitError(f"{sender!r} is no sender; a name has at most 11 ASCII characters")
    return 5, 0, sender.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """What the messages of a run have in common."""

    destinations: Sequence[NumberPattern]
    """Taken in turn."""
    sender: str = "BANK"
    text: str = "Your order is on its way."
    """The text; the token goes where it has `{token}`, otherwise to its end."""
    registered_delivery: int = 1
    priority_flag: int = 0
    service_type: str = ""
    validity_period: str = ""
    segments: int = 1
    """With more than one, so many submit_sm in a row are the parts of one long message."""


class Messages:
    """Makes the submit_sm of a run, each once and in order."""

    __slots__ = (
        "_first",
        "_head",
        "_number",
        "_numbers",
        "_rest",
        "_rng",
        "_run",
        "_tail",
        "_wide",
        "sender_octets",
        "settings",
    )

    def __init__(self, settings: MessageSettings, run: str, rng: Random) -> None:
        self.settings = settings
        self._run = run.encode()
        self._rng = rng
        self._numbers = settings.destinations
        before, _, after = text_with_token(settings.text).partition("{token}")
        self._wide = not GSM7BitCodec.is_gsm_text(before + after)
        first, middle, last = _encode(before, after, token(run, 0), wide=self._wide)
        self._number = b""
        header = self._user_data_header(0)
        room = LONGEST_MESSAGE_OCTETS - len(header)
        if len(first + middle + last) > room:
            raise UnitError(
                f"the text has {len(first + middle + last)} octets with its token; "
                f"a message has room for {room}"
            )
        self.sender_octets = p.address(*sender_address(settings.sender))
        # What p.sm builds, cut where the number and the token go.
        whole = p.sm(
            v.SUBMIT_SM,
            0,
            source=sender_address(settings.sender),
            destination=(1, 1, b""),
            esm_class=UDHI if header else 0,
            short_message=header + first + middle + last,
            data_coding=8 if self._wide else 0,
            service_type=settings.service_type.encode(),
            priority_flag=settings.priority_flag,
            validity_period=settings.validity_period.encode(),
            registered_delivery=settings.registered_delivery,
        )
        number_at = 16 + len(settings.service_type.encode()) + 1 + len(self.sender_octets) + 2
        text_at = len(whole) - len(header + first + middle + last)
        self._head = whole[4:number_at]
        self._rest = whole[number_at:text_at]
        self._first = first
        self._tail = last

    def build(self, index: int) -> tuple[bytes, bytes]:
        """The submit_sm number `index`, sequence_number 0, and the number that it goes to."""
        segments = self.settings.segments
        if segments == 1 or index % segments == 0:
            self._number = self.number(index // segments)
        number, text = self._number, self._first
        if segments > 1:
            text = self._user_data_header(index) + text
        mark = b"#%b-%08d" % (self._run, index)
        if self._wide:
            mark = mark.decode().encode("utf-16-be")
        rest = b"%b%b%b%b%b%b" % (self._head, number, self._rest, text, mark, self._tail)
        return _LENGTH.pack(len(rest) + 4) + rest, number

    def _user_data_header(self, index: int) -> bytes:
        """Concatenation with a reference of 8 bits (3GPP TS 23.040, 9.2.3.24.1); empty for one."""
        segments = self.settings.segments
        if segments == 1:
            return b""
        reference, place = divmod(index, segments)
        return b"\5\0\3%c%c%c" % (reference % 256, segments, place + 1)

    def number(self, index: int) -> bytes:
        """Return a number for the message number `index`; another one each time it is asked."""
        numbers = self._numbers
        return numbers[index % len(numbers)].number(self._rng).encode()

    def text(self, index: int) -> str:
        """Return the text of the message number `index`, with its token."""
        mark = token(self._run.decode(), index).decode()
        return text_with_token(self.settings.text).replace("{token}", mark, 1)


def encoded(text: str) -> tuple[bytes, int]:
    """A text as the octets of a short_message and its data_coding. Raises UnitError if too long."""
    wide = not GSM7BitCodec.is_gsm_text(text)
    octets = text.encode("utf-16-be") if wide else _GSM.encode(text)[0]
    if len(octets) > LONGEST_MESSAGE_OCTETS:
        raise UnitError(
            f"the text has {len(octets)} octets; a message has room for {LONGEST_MESSAGE_OCTETS}"
        )
    return octets, 8 if wide else 0


def _encode(before: str, after: str, mark: bytes, *, wide: bool) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a text as octets: GSM where it holds all characters, otherwise UCS-2."""
    if wide:
        first, middle, last = (t.encode("utf-16-be") for t in (before, mark.decode(), after))
        return first, middle, last
    return _GSM.encode(before)[0], mark, _GSM.encode(after)[0]


def text_with_token(text: str) -> str:
    """Return the text with a place for the token."""
    return text if "{token}" in text else f"{text} {{token}}"
