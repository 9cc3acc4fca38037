r"""The patterns of a numbering plan, spelt out, to know how many digits they look at.

A pattern of libphonenumber names the first digits of a number, and then takes any. For example,
`5\d{6}|4[02]\d{5}` is two rows: one wants a 5, the other a 4 and then a 0 or 2, and both have seven
digits. Whether a pattern fits is settled by as many digits as those rows name that are not out of
the question.

The patterns know digits, `\d`, sets, groups, `|`, `?`, `{n}`, `{n,m}` and `$`; of all patterns of
all countries there are some 11,000 rows.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

ANY: Final = (1 << 10) - 1
"""All ten digits, each as a bit."""
BIT: Final = {str(digit): 1 << digit for digit in range(10)}
MOST_ROWS: Final = 20_000
"""Of one pattern: with more it is taken for one that cannot be read."""

Row = tuple[int, ...]
"""The digits that may stand at each place, as bits."""


class Named(NamedTuple):
    """One row of a pattern."""

    digits: int
    """How many the row has."""
    wants: Row
    """As far as the row does not take any digit; at most as long."""


class PatternError(ValueError):
    """The pattern has something that is not known here."""


def rows_of(pattern: str) -> list[Named]:
    """Return the rows of a pattern. Raises PatternError."""
    reader = _Reader(pattern)
    try:
        found = reader.alternatives()
    except (ValueError, IndexError) as error:
        raise PatternError(pattern) from error
    if reader.at != len(pattern):
        raise PatternError(pattern)
    return sorted({Named(len(row), _trimmed(row)) for row in found})


def _trimmed(row: Row) -> Row:
    """Return a row without the end that takes any digits."""
    wanted = len(row)
    while wanted and row[wanted - 1] == ANY:
        wanted -= 1
    return row[:wanted]


def fits(wants: Row, head: str) -> bool:
    """Whether a row may be that of a number which begins so."""
    for digit, wanted in zip(head, wants, strict=False):  # noqa: SIM110 - `all` takes twice as long.
        if not BIT[digit] & wanted:
            return False
    return True


class _Reader:
    """Reads one pattern from its first character to its last."""

    def __init__(self, pattern: str) -> None:
        self._pattern: Final = pattern
        self.at = 0

    def _steps_over(self, text: str) -> bool:
        is_next = self._pattern.startswith(text, self.at)
        if is_next:
            self.at += len(text)
        return is_next

    def alternatives(self) -> set[Row]:
        """Return the rows up to the end of a group, or of the pattern."""
        found = self._sequence()
        while self._steps_over("|"):
            found |= self._sequence()
        return found

    def _sequence(self) -> set[Row]:
        found: set[Row] = {()}
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            element = self._element()
            least, most = self._times()
            repeated: set[Row] = {()}
            ends: set[Row] = set()
            for time in range(most + 1):
                if time >= least:
                    ends |= repeated
                repeated = {row + more for row in repeated for more in element}
            found = {row + end for row in found for end in ends}
            if len(found) > MOST_ROWS:
                raise PatternError
        return found

    def _element(self) -> set[Row]:
        if self._steps_over("$"):  # It says something of the length, which is known.
            return {()}
        if self._steps_over("\\d"):
            return {(ANY,)}
        if self._steps_over("(?:") or self._steps_over("("):
            found = self.alternatives()
            if not self._steps_over(")"):
                raise PatternError
            return found
        if self._steps_over("["):
            return {(sum(set(self._set())),)}
        digit = self._pattern[self.at]
        self.at += 1
        return {(_bit(digit),)}

    def _set(self) -> Iterator[int]:
        while not self._steps_over("]"):
            first = self._pattern[self.at]
            self.at += 1
            last = first
            if self._steps_over("-"):
                last = self._pattern[self.at]
                self.at += 1
            _bit(first), _bit(last)
            yield from (1 << digit for digit in range(int(first), int(last) + 1))

    def _times(self) -> tuple[int, int]:
        """Return how often an element stands there, at least and at most."""
        if self._steps_over("?"):
            return 0, 1
        if not self._steps_over("{"):
            return 1, 1
        end = self._pattern.index("}", self.at)
        least, _, most = self._pattern[self.at : end].partition(",")
        self.at = end + 1
        return int(least), int(most or least)


def _bit(digit: str) -> int:
    bit = BIT.get(digit)
    if bit is None:
        raise PatternError
    return bit
