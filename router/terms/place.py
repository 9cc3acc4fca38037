"""What a number says of where it is: country, network, kind of line, time zone."""

from typing import Final, Literal, NamedTuple

LineKind = Literal["mobile", "fixed", "fixed_or_mobile", "premium", "other", "unknown"]
"""`other`: toll-free, voice over IP, pagers and the like. `unknown`: the number is not valid, or
its plan does not tell."""


class Place(NamedTuple):
    """The place of a number; equal for all numbers with the same first digits and length."""

    country: str
    """ISO 3166, or `NO_COUNTRY`."""
    network: str
    """MCCMNC by the customer's files; empty where they do not say it."""
    kind: LineKind
    is_valid: bool
    """Whether the numbering plan has such a number."""
    zone: str
    """The IANA's name of the time zone; empty where there is none, or the plan does not tell."""


NOWHERE: Final = Place("other", "", "unknown", is_valid=False, zone="")
"""Of what is no international number, such as a short code."""
