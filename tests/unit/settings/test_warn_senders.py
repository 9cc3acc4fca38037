"""router/settings/warn_senders.py and warn_limits.py: what `check` says of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.settings.load import warnings
from router.settings.warn_limits import limit_warnings
from router.settings.warn_senders import ending_senders, sender_warnings
from tests.unit.settings.configurations import SMALL, changed, loaded


def account(keys: str, *changes: tuple[str, str]) -> str:
    return changed(SMALL, ("lane: urgent}", f"lane: urgent, {keys}}}"), *changes)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ((2026, 12, 31), []),
        (
            (2027, 1, 2),
            ["1 sender holds until 2027-01-31 or soon after, and then no more (UTC)"],
        ),
        ((2027, 1, 15), ["2 senders hold until 2027-01-31 or soon after, and then no more (UTC)"]),
        (
            (2027, 2, 1),
            [
                "1 sender held until 2027-01-31 or before, and can be used no more",
                "1 sender holds until 2027-02-10 or soon after, and then no more (UTC)",
            ],
        ),
        ((2027, 3, 10), ["1 sender held until 2027-02-10 or before, and can be used no more"]),
        ((2027, 4, 1), []),
    ],
)
def test_senders_that_end_are_told_a_month_before_and_after(
    day: tuple[int, int, int], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("B1 until 2027-02-10\nC1\n")
    text = account("senders: {only: [A1 until 2027-01-31, {file: a.txt}]}")
    found = list(
        ending_senders(loaded(text, folder=tmp_path), datetime(*day, tzinfo=UTC).timestamp())
    )
    assert [one.message for one in found] == words
    assert all(one.path == "accounts.bank.senders.only" and one.line for one in found)


def test_senders_that_no_network_carries_are_counted() -> None:
    text = account('senders: {only: [Shop, TwelveLetter, "12"]}')
    (one,) = sender_warnings(loaded(text))
    assert one.message.startswith("2 senders of no kind")
    assert one.message in [each.message for each in warnings(loaded(text))]
    assert list(sender_warnings(loaded(account("senders: {only: [Shop]}")))) == []


PLAIN = "{per: number, most: 5, in: 1h}"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (PLAIN, []),
        ("{per: number, most: 5, in: 1h, lanes: [slow]}", ["no message of the account is in lane"]),
        ("{per: number, most: 5, in: 8d}", ["a restart forgets"]),
        (f"{PLAIN}, {PLAIN}", ["it is never reached: limits[0] is reached first"]),
        (f"{PLAIN}, {{per: text, most: 9, in: 1h}}", ["it is never reached: limits[0]"]),
        (f"{{per: text, most: 9, in: 1h}}, {PLAIN}", ["it is never reached: limits[1]"]),
        (f"{{per: text, most: 5, in: 1h}}, {PLAIN}", []),
        (f"{{per: text, most: 5, in: 2h}}, {PLAIN}", []),
        (f"{PLAIN}, {{per: account, most: 9, in: 1h}}", []),
        (f"{{per: number, most: 5, in: 1h, do: count}}, {PLAIN}", []),
        (f"{{per: number, most: 5, in: 1h, lanes: [urgent]}}, {PLAIN}", []),
        (f"{PLAIN}, {{per: number, most: 5, in: 1h, lanes: [urgent]}}", ["limits[0]"]),
        (f"{{per: number, most: 5, in: 1h, countries: [EE]}}, {PLAIN}", []),
    ],
)
def test_limits_that_say_nothing_are_told(limits: str, words: list[str]) -> None:
    found = list(limit_warnings(loaded(account(f"limits: [{limits}]"))))
    assert len(found) == len(words)
    for one, word in zip(found, words, strict=True):
        assert word in one.message
        assert one.line


def test_limits_are_compared_with_the_rate_of_the_account() -> None:
    limits = "{per: number, most: 200, in: 1m}, {per: block, most: 300, in: 1d}"
    found = list(limit_warnings(loaded(account(f"rate: 10/s, limits: [{limits}]"))))
    assert [one.message for one in found] == [
        "at most 300 per block in 1d: with its rate of 10/s there may be more of them than the "
        "1,000,000 that are counted, and the oldest are forgotten; a shorter `in` needs less"
    ]
    slow = list(limit_warnings(loaded(account(f"rate: 3/s, limits: [{limits}]"))))
    assert [one.message for one in slow] == [
        "at most 200 per number in 1m: it is never reached: with its rate of 3/s at most 183 come "
        "in 1m"
    ]


def test_lane_of_a_route_is_no_lane_of_a_limit() -> None:
    text = account(
        "limits: [{per: number, most: 5, in: 1h, lanes: [slow]}]",
        ("to: [telia]}", "to: [telia], lane: slow}"),
    )
    (one,) = limit_warnings(loaded(text))
    assert one.message.endswith("lane slow; that of a route does not count here")
