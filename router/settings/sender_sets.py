"""The senders of rules as sets that can be compared: whether one has all of another, or any.

A set is made once for all rules with the same senders, and a value is looked up in it, so that a
list of 100,000 is as quickly compared as one of ten.
"""

from collections.abc import Sequence
from typing import Final

from router.decide.conditions import (
    HEAD_OCTETS,
    SendersKey,
    senders_key,
    senders_of,
    split_patterns,
)
from router.terms.prefix_lengths import lengths_by_head
from router.terms.settings import RefuseSettings, RouteSettings

MOST_VALUES: Final = 1_000
"""Senders of a set that are looked up one by one in another. A larger one is taken to be had by a
set of any sender, and by itself."""


class SenderSet:
    """The senders that a rule is for."""

    __slots__ = ("_begins", "_heads", "_short", "_whole", "is_any", "is_single")

    def __init__(self, whole: Sequence[bytes], begins: Sequence[bytes], *, is_any: bool) -> None:
        self.is_any: Final = is_any
        """Whether the rule is for every sender."""
        self._whole: Final = frozenset(whole)
        self._begins: Final = frozenset(begins)
        self._heads, self._short = lengths_by_head(self._begins, HEAD_OCTETS)
        self.is_single: Final = is_any or (len(self._whole) == 1 and not self._begins)

    def __len__(self) -> int:
        return len(self._whole) + len(self._begins)

    @property
    def is_nobody(self) -> bool:
        """Whether the rule is for no sender: its files are empty."""
        return not self.is_any and not len(self)

    def _begins_some(self, octets: bytes) -> bool:
        lengths = self._heads.get(octets[:HEAD_OCTETS], self._short)
        return any(octets[:length] in self._begins for length in lengths)

    def has_all_of(self, other: "SenderSet") -> bool:
        """Whether every sender of the other is one of these; False also where it is not known."""
        if self.is_any or other is self:
            return True
        if other.is_any or len(other) > MOST_VALUES:
            return False
        return all(one in self._whole or self._begins_some(one) for one in other._whole) and all(
            self._begins_some(one) for one in other._begins
        )

    def may_meet(self, other: "SenderSet") -> bool:
        """Whether a sender may be in both; True also where it is not known."""
        if self.is_any or other.is_any or max(len(self), len(other)) > MOST_VALUES:
            return True
        if not self._whole.isdisjoint(other._whole):
            return True
        pairs = ((self, other), (other, self))
        return any(
            one._begins_some(octets)
            for one, another in pairs
            for octets in (*another._whole, *another._begins)
        )


class SenderSets:
    """The sets of all rules of one kind."""

    def __init__(self) -> None:
        self._of: Final[dict[SendersKey, SenderSet]] = {}
        self._same: Final[dict[tuple[frozenset[bytes], frozenset[bytes]], SenderSet]] = {}
        """Small sets by what is in them: equal ones are one object."""

    def of(self, rule: RouteSettings | RefuseSettings) -> SenderSet:
        """Return the senders that a rule is for, as rules of its kind compare them."""
        key = senders_key(rule)
        if key not in self._of:
            in_any_form = isinstance(rule, RefuseSettings)
            whole, begins = split_patterns(senders_of(rule), in_any_form=in_any_form)
            made = SenderSet(whole, begins, is_any=not (rule.sender or rule.sender_files))
            if len(made) <= MOST_VALUES and not made.is_any:
                made = self._same.setdefault((frozenset(whole), frozenset(begins)), made)
            self._of[key] = made
        return self._of[key]
