"""router/decide/words.py: rules are told as people wrote them, however many values they have."""

from zoneinfo import ZoneInfo

import pytest

from router.decide.words import (
    conditions_in_short,
    destination_in_short,
    hours_in_short,
    in_short,
)
from router.terms.names import AccountName, GroupName, LaneName
from router.terms.settings import Day, DaySpan, ListFile, RefuseSettings, RouteSettings

PREMIUM = GroupName("premium")


def test_long_list_says_how_many_more_there_are() -> None:
    assert in_short([str(n) for n in range(5)]) == "0, 1, 2, 3, 4"
    assert in_short([str(n) for n in range(7)]) == "0, 1, 2, 3, 4 and 2 more"


@pytest.mark.parametrize(
    ("destination", "groups", "says"),
    [
        (("372",), (), "372"),
        (("",), (), ""),
        (("", "372"), (), "any, 372"),
        ((), (PREMIUM,), "prefixes premium"),
        (("372", "37"), (PREMIUM, GroupName("far")), "372, 37, prefixes premium, prefixes far"),
    ],
)
def test_destination_names_its_groups(
    destination: tuple[str, ...], groups: tuple[GroupName, ...], says: str
) -> None:
    assert destination_in_short(RouteSettings(destination=destination, groups=groups)) == says


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (("mon", "tue", "wed", "thu", "fri"), "mon-fri UTC"),
        (("sun", "sat"), "sat-sun UTC"),
        (("mon", "wed", "thu", "fri", "sun"), "wed-fri, sun-mon UTC"),
        (("fri", "sat", "sun", "mon"), "fri-mon UTC"),
        (("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "mon-sun UTC"),
        (("sat",), "sat UTC"),
    ],
)
def test_days_that_follow_each_other_are_a_span(days: tuple[Day, ...], says: str) -> None:
    assert hours_in_short(RouteSettings(destination=("",), days=days)) == says


def test_conditions_are_told_in_the_words_of_the_file() -> None:
    rule = RefuseSettings(
        account=(AccountName("shop"), AccountName("bank")),
        sender=("CASINO*",),
        sender_files=(ListFile(file="bad.txt", values=("a", "b")),),
        service_type=("",),
        lane=(LaneName("bulk"),),
        hours=(DaySpan(1320, 360),),
        days=("fri",),
        zone=ZoneInfo("Europe/Tallinn"),
    )
    assert dict(conditions_in_short(rule)) == {
        "account": "shop, bank",
        "sender": "CASINO*, in bad.txt",
        "service_type": '""',
        "lane": "bulk",
        "hours": "22:00-06:00 fri Europe/Tallinn",
    }
    assert hours_in_short(RouteSettings(destination=("",))) == ""
