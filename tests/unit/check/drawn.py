"""Numbers near those of the numbering plans: what a plan's patterns name, and a slip beside it."""

import random
from typing import Final

from router.check.numbering import PLAN, Code
from router.check.pattern import BIT

DIGITS: Final = "0123456789"
TRUNKS: Final = ("0", "1", "8", "06", "00", "01115", "90")
"""What is dialled before national numbers in some country."""


def code_of(digits: str) -> Code:
    code = PLAN.code_of(digits)
    assert code is not None
    return code


def digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(DIGITS, k=max(0, count)))


def behind(code: Code, draw: random.Random) -> str:
    """What stands behind a country code: often a number of it, and often almost one."""
    if not code.rows or draw.random() < 0.15:
        return digits(draw, draw.randrange(16))
    row = draw.choice(code.rows)
    number = "".join(draw.choice([one for one in DIGITS if BIT[one] & want]) for want in row.wants)
    number += digits(draw, (row.digits or draw.randrange(4, 12)) - len(number))
    slip = draw.random()
    if slip < 0.15:
        return number[:-1]
    if slip < 0.3:
        return number + draw.choice(DIGITS)
    if slip < 0.4:
        return draw.choice(TRUNKS) + number
    if slip < 0.6 and number:
        at = draw.randrange(len(number))
        return number[:at] + draw.choice(DIGITS) + number[at + 1 :]
    return number


def with_another_end(number: str, draw: random.Random) -> str:
    """A number of the same length that begins alike."""
    kept = max(4, len(number) - draw.randrange(1, 8))
    return number[:kept] + digits(draw, len(number) - kept)
