"""router/check/heard.py: what is remembered of the parts of long messages, and how long."""

from router.check.heard import KEPT, LIVES_S, Heard, HeardParts, Key
from router.smpp.segments import Part
from router.terms.names import AccountName

NOW_UTC = 1_700_000_000.0
FIRST: Key = (AccountName("shop"), b"Shop", b"1", 7, 3)


def key(number: int = 1, total: int = 3) -> Key:
    return AccountName("shop"), b"Shop", b"%d" % number, 7, total


def come(
    parts: HeardParts, number: int, text: str, now_utc: float = NOW_UTC, key: Key = FIRST
) -> Heard:
    part = Part(7, key[-1], number)
    heard = parts.of(key, part, text, now_utc)
    parts.keep(key, part, text, heard, now_utc)
    return heard


def test_neighbours_are_known_in_whatever_order_they_come() -> None:
    parts = HeardParts()
    come(parts, 3, "three")
    heard = come(parts, 1, "one ")
    assert heard.before(2) == ("one ", False)
    assert heard.behind(2, 3) == ("three", False)
    assert heard.before(3) == ("", True)
    assert heard.behind(1, 3) == ("", True)


def test_short_parts_are_joined_as_far_as_they_go() -> None:
    parts = HeardParts()
    heard = come(parts, 1, "a")
    come(parts, 2, "b")
    assert heard.before(3) == ("ab", False)
    assert heard.behind(1, 3) == ("b", True)


def test_of_a_long_part_both_ends_are_kept() -> None:
    parts = HeardParts()
    heard = come(parts, 2, "a" * KEPT + "-" * 1_000 + "b" * KEPT)
    assert heard.before(3) == ("b" * KEPT, True)
    assert heard.behind(1, 3) == ("a" * KEPT, True)


def test_message_is_forgotten_when_all_parts_have_come() -> None:
    parts = HeardParts()
    for number in (2, 1, 3):
        come(parts, number, "text")
    assert len(parts) == 0


def test_message_is_forgotten_after_a_while_whatever_the_clock_does() -> None:
    for away_s in (LIVES_S + 1, -LIVES_S - 1):
        parts = HeardParts()
        first = come(parts, 1, "one")
        assert parts.of(key(), Part(7, 3, 2), "two", NOW_UTC + LIVES_S) is first
        assert parts.of(key(), Part(7, 3, 2), "two", NOW_UTC + away_s) is not first
        come(parts, 1, "other", NOW_UTC + away_s, key(2))
        assert len(parts) == 1


def test_part_that_has_come_begins_a_new_message_unless_it_is_the_same() -> None:
    parts = HeardParts()
    first = come(parts, 1, "one")
    assert come(parts, 1, "one") is first
    assert come(parts, 1, "uno") is not first
    assert len(parts) == 1


def test_memory_is_bounded_by_parts() -> None:
    parts = HeardParts(most_parts=10)
    for number in range(1_000):
        come(parts, 1, "text", key=key(number, 255))
        come(parts, 2, "text", key=key(number, 255))
    assert len(parts) == 10
    for number in range(1, 255):
        come(parts, number, "text", key=key(1, 255))
    assert len(parts) <= 255


def test_message_with_a_refused_part_is_remembered_though_all_have_come() -> None:
    parts = HeardParts()
    heard = come(parts, 1, "one", key=key(1, 2))
    heard.caught_by = "scam"
    come(parts, 2, "two", key=key(1, 2))
    assert parts.of(key(1, 2), Part(7, 2, 1), "one", NOW_UTC) is heard
