"""The ready-made dialects: what each sets other than `standard`, and why.

The reasons are the right column of the table in `docs/dialects.md`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, get_args

from router.terms.settings import Dialect, DialectName, MessageIdForms


class Point(NamedTuple):
    """What a ready-made dialect sets at one key."""

    key: str
    """The key in the file."""
    why: str


READY: Final[Mapping[DialectName, Dialect]] = {
    "standard": Dialect(),
    "kannel": Dialect(like="kannel"),
    "jasmin": Dialect(like="jasmin", tlvs=False, states="3.4", hold_s=1.0),
    "jsmpp": Dialect(
        like="jsmpp",
        message_id=MessageIdForms(response="hex", receipt="decimal"),
        states="3.4",
        intermediate="0x04",
        hold_s=0.1,
    ),
    "cloudhopper": Dialect(like="cloudhopper", states="3.4", hold_s=0.1),
    "php-smpp": Dialect(like="php-smpp", intermediate="0x04"),
}
"""By the word in `dialect`."""

WHY: Final[Mapping[DialectName, tuple[Point, ...]]] = {}

NAMES: Final[tuple[DialectName, ...]] = get_args(DialectName)
