"""The environment that a configuration is read with: its values, or only which variables are set.

A running router reads a file for whoever names it, and what it says of that file quotes values. For
a file of somebody else it therefore withholds its environment: only in passwords, which are never
shown, is a variable taken, and even there something else stands for its value, as it does for
what a file with a password holds. Whether a password is long, or equal to another one, is told by
warnings, and would be a way to guess it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

STAND_IN: Final = "*"
"""Stands for a password that is withheld: short, ASCII, and no hash, so that nothing is wrong."""


class Withheld(NamedTuple):
    """An environment without its values."""

    stand_ins: Mapping[str, str]
    """The variables that are set. The value of one that is empty is told: it is empty, too."""


Environment = Mapping[str, str] | Withheld


def withheld(environment: Mapping[str, str]) -> Withheld:
    """Return an environment without its values."""
    return Withheld({name: STAND_IN if value else "" for name, value in environment.items()})
