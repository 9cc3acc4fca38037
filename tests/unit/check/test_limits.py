"""router/check/limits.py: how much passes in any stretch of time, and what is kept for that."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.check import limits as module
from router.check.limits import Limit, LimitCheck, Window, limit_checks
from router.check.policy import Candidate, Note, Policy
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.text import UDHI
from router.terms.names import AccountName, LaneName
from router.terms.outcome import NO_ROUTE, Refusal
from router.terms.place import Place
from router.terms.settings import AccountSettings, LimitPer, LimitSettings
from tests.unit.settings.configurations import SMALL, loaded

OTP, BULK = LaneName("otp"), LaneName("bulk")
EE, LV = (Place(country, "", "mobile", is_valid=True, zone="") for country in ("EE", "LV"))
NOW: Final = 1_800_000_000.0
IN_S: Final = 600.0
ACCOUNT: Final = AccountSettings(name=AccountName("shop"), passwords=("x",), lane=BULK)
SETTINGS: Final = loaded(SMALL)


def candidate(
    number: str = "37255512345",
    text: bytes = b"Tere",
    *,
    source: bytes = b"Shop",
    lane: LaneName = BULK,
    place: Place = EE,
    esm_class: int = 0,
    is_trial: bool = False,
) -> Candidate:
    octets = p.sm(
        v.SUBMIT_SM, 1, source=(5, 0, source), destination=(1, 1, number.encode()),
        short_message=text, esm_class=esm_class,
    )  # fmt: skip
    sm = Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))
    one = Candidate(ACCOUNT, sm, number, lane, is_trial=is_trial)
    one.place = place
    return one


def part(reference: int, total: int, number: int, text: bytes = b"Tere") -> Candidate:
    header = bytes((5, 0, 3, reference, total, number))
    return candidate(text=header + text + b"%d" % number, esm_class=UDHI)


def limit(per: LimitPer = "number", most: int = 3, in_s: float = IN_S, **others: object) -> Limit:
    return Limit(replace(LimitSettings(per=per, most=most, in_s=in_s), **others))  # type: ignore[arg-type]


def passed(check: LimitCheck, ones: Iterable[Candidate], now_utc: float = NOW) -> list[bool]:
    return [check.judge(one, now_utc) is None for one in ones]


# What is counted together.


@pytest.mark.parametrize(
    ("per", "alike", "other"),
    [
        ("text", candidate(), candidate(text=b"Tere!")),
        ("text", candidate(), candidate(source=b"Bank")),
        ("text", candidate(), candidate("37255512346")),
        ("number", candidate(text=b"Other", source=b"Bank"), candidate("37255512346")),
        ("block", candidate("37255512999"), candidate("37255513345")),
        ("country", candidate("37266666666"), candidate(place=LV)),
    ],
)
def test_messages_that_are_alike_share_a_limit(
    per: LimitPer, alike: Candidate, other: Candidate
) -> None:
    check = LimitCheck([limit(per, 2)])
    assert passed(check, [candidate(), alike, alike, other]) == [True, True, False, True]


def test_limit_per_account_is_for_all_of_its_messages() -> None:
    check = LimitCheck([limit("account", 2)])
    ones = [candidate(), candidate("46701234567", b"Hej", place=LV), candidate(lane=OTP)]
    assert passed(check, ones) == [True, True, False]


def test_limit_is_for_its_lanes_and_countries_only() -> None:
    lanes = LimitCheck([limit(most=1, lanes=(OTP,))])
    assert passed(lanes, [candidate()] * 3) == [True] * 3
    assert passed(lanes, [candidate(lane=OTP)] * 2) == [True, False]
    countries = LimitCheck([limit("account", 1, countries=("LV",))])
    assert passed(countries, [candidate()] * 3) == [True] * 3
    assert passed(countries, [candidate(place=LV)] * 2) == [True, False]


def test_reason_and_words_name_the_limit() -> None:
    checks = [
        LimitCheck([limit("text", 1)]),
        LimitCheck([limit("number", 1, lanes=(OTP, BULK), countries=("EE",))]),
    ]
    found = []
    for check in checks:
        check.judge(candidate(), NOW)
        found.append(check.judge(candidate(), NOW))
    assert found == [
        Refusal("repeated", 0x45, "at most 1 per text in 10m"),
        Refusal("limited", 0x45, "at most 1 per number in 10m (lane otp or bulk, country EE)"),
    ]


# What counts.


def test_message_that_a_limit_refuses_counts_for_none() -> None:
    first, second = limit("account", 3), limit("number", 1)
    check = LimitCheck([first, second])
    assert passed(check, [candidate()] * 9) == [True, *([False] * 8)]
    assert passed(check, [candidate("1"), candidate("2"), candidate("3")]) == [True, True, False]


class Refusing:
    """A check behind the limits."""

    name = "quiet"

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        return NO_ROUTE


def test_message_that_a_later_check_refuses_does_not_count() -> None:
    check = LimitCheck([limit(most=1)])
    policy = Policy([check, Refusing()], account=ACCOUNT.name)
    for _ in range(3):
        assert policy.judge(candidate(), NOW) is not None
    assert check.keys == 0
    assert passed(check, [candidate()] * 2) == [True, False]


def test_message_that_is_refused_after_the_policy_does_not_count() -> None:
    check = LimitCheck([limit(most=2), limit("text", 9)])
    for _ in range(5):
        one = candidate()
        assert check.judge(one, NOW) is None
        one.refused()
        one.refused()
    assert check.keys == 0
    assert passed(check, [candidate()] * 3) == [True, True, False]
    refused = candidate()
    assert check.judge(refused, NOW) is not None
    refused.refused()
    assert check.judge(candidate(), NOW) is not None


def test_trial_counts_for_nothing() -> None:
    check = LimitCheck([limit(most=1)])
    assert passed(check, [candidate(is_trial=True)] * 5) == [True] * 5
    check.judge(candidate(), NOW)
    assert passed(check, [candidate(is_trial=True)]) == [False]
    for periods, used in ((0.0, "1"), (1.5, "0.5"), (2.0, "0")):
        words = [f"at most 1 per number in 10m: {used} used"]
        assert check.explain(candidate(), NOW + periods * IN_S) == words


def test_limit_that_counts_lets_pass_what_it_would_refuse_and_notes_it() -> None:
    refusing, counting = (LimitCheck([limit(most=2, do=do)]) for do in ("refuse", "count"))
    ones = [candidate() for _ in range(6)]
    assert passed(counting, ones) == [True] * 6
    note = Note("limit", "counted", "at most 2 per number in 10m")
    refused = [not one for one in passed(refusing, [candidate()] * 6)]
    assert [one.notes == [note] for one in ones] == refused


def test_message_that_exceeded_a_counting_limit_is_taken_back_from_the_others_only() -> None:
    check = LimitCheck([limit(most=1, do="count"), limit("account", 2)])
    check.judge(candidate(), NOW)
    one = candidate()
    check.judge(one, NOW)
    one.refused()
    assert [used.rsplit(" ", 2)[1] for used in check.explain(candidate(), NOW)] == ["1", "1"]


# Long messages.


def test_parts_of_a_long_message_count_as_one_and_follow_the_first() -> None:
    check = LimitCheck([limit(most=2)])
    for reference in (1, 2):
        assert passed(check, [part(reference, 3, number) for number in (2, 1, 3)]) == [True] * 3
    assert passed(check, [part(3, 3, number) for number in (1, 2, 3)]) == [False] * 3
    # The window is empty before all of its parts have come, and they are refused all the same.
    late = NOW + 2 * IN_S
    quick = LimitCheck([limit(most=1, in_s=10.0)])
    quick.judge(candidate(), NOW)
    assert quick.judge(part(4, 2, 1), NOW) is not None
    assert quick.judge(part(4, 2, 2), NOW + 40) is not None
    assert quick.judge(candidate(), NOW + 40) is None
    assert check.judge(part(3, 3, 2), late) is None


def test_part_that_comes_again_or_late_is_another_message() -> None:
    check = LimitCheck([limit(most=2)])
    assert passed(check, [part(1, 2, 1), part(1, 2, 1), part(1, 2, 1)]) == [True, True, False]
    late = LimitCheck([limit(most=1)])
    assert late.judge(part(1, 2, 1), NOW) is None
    assert late.judge(part(1, 2, 2), NOW + 61) is not None


def test_text_of_a_part_is_what_stands_behind_its_header() -> None:
    check = LimitCheck([limit("text", 2)])
    sent = [[part(reference, 2, 1), part(reference, 2, 2)] for reference in (1, 2, 3)]
    assert [passed(check, one) for one in sent] == [[True] * 2, [True] * 2, [False] * 2]


def test_only_so_many_long_messages_are_known() -> None:
    check = LimitCheck([limit("account", 10**9)])
    for number in range(3_000):
        check.judge(
            candidate(str(number), bytes((5, 0, 3, 1, 2, 1)) + b"Tere", esm_class=UDHI), NOW
        )
    assert len(check._long._now) + len(check._long._before) <= 2 * module.MOST_LONG + 1


# How much passes in any stretch of time.


def most_in(times: list[float], in_s: float) -> int:
    """The most of sorted times in any half-open stretch of this length."""
    begin = best = 0
    for end, at in enumerate(times):
        while at - times[begin] >= in_s:
            begin += 1
        best = max(best, end + 1 - begin)
    return best


MOMENTS: Final = st.lists(st.integers(0, 2_000), min_size=1, max_size=300).map(sorted)


@settings(max_examples=300)
@given(MOMENTS, st.integers(1, 8))
def test_never_twice_as_many_pass_and_none_is_refused_too_soon(
    moments: list[int], most: int
) -> None:
    in_s = 100.0
    check = LimitCheck([limit("account", most, in_s)])
    times: list[float] = []
    for moment in moments:
        if check.judge(candidate(), NOW + moment) is None:
            times.append(moment)
        else:
            assert sum(moment - at < 2 * in_s for at in times) >= most
    assert most_in(times, in_s) <= 2 * most - 1


def test_bound_is_reached() -> None:
    check = LimitCheck([limit("account", 10, 100.0)])
    check.judge(candidate(), NOW)
    assert sum(passed(check, [candidate()] * 20, NOW + 99.99)) == 9
    later = sum(passed(check, [candidate()], NOW + 100 + step * 0.01)[0] for step in range(9_998))
    assert 9 + later == 2 * 10 - 2  # The one that began the period was sent at its begin.


def test_steady_messages_are_held_to_the_limit() -> None:
    check = LimitCheck([limit("account", 100, 100.0)])
    times = [at / 10 for at in range(50_000) if check.judge(candidate(), NOW + at / 10) is None]
    assert 0.97 < len(times) / 5_000 <= 1.0
    calm = LimitCheck([limit("account", 100, 100.0)])
    assert all(calm.judge(candidate(), NOW + at * 1.02) is None for at in range(5_000))


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=400),
    st.integers(1, 4),
    st.sampled_from([2, 6, 10]),
)
def test_generations_that_go_let_no_more_through_than_is_said(
    steps: list[tuple[int, int]], most: int, most_keys: int
) -> None:
    in_s, now = 100.0, 0
    one = limit("number", most, in_s)
    one = Limit(one.settings, Window(in_s, most_keys))
    check, window = LimitCheck([one]), one.window
    by_key: dict[int, list[float]] = defaultdict(list)
    gone: list[float] = []
    for key, after in steps:
        now += after
        before = window.forgotten
        if check.judge(candidate(str(key)), NOW + now) is None:
            by_key[key].append(now)
        else:
            assert sum(now - at < 2 * in_s for at in by_key[key]) >= most
        if window.forgotten > before:
            gone.append(now)
        assert window.keys <= most_keys
    for times in by_key.values():
        for at in times:
            inside = [one for one in times if at <= one < at + in_s]
            lost = sum(at <= one < at + in_s for one in gone)
            assert len(inside) <= 2 * most - 1 + lost * most


# Memory and clocks.


def test_a_large_generation_is_split_and_its_counts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    one = limit(most=2)
    check = LimitCheck([one])
    count = module.SPLIT_AT + 2_000
    for _ in range(2):
        assert all(passed(check, (candidate(str(number)) for number in range(count))))
    assert one.window.mask == module.SHARDS - 1
    assert one.window.keys == count
    assert not any(passed(check, (candidate(str(number)) for number in range(0, count, 7))))
    later = NOW + 2 * IN_S
    assert passed(check, [candidate("5")] * 3, later) == [True, True, False]
    assert passed(check, [candidate("5")], later + IN_S) == [False]


def test_what_is_forgotten_is_counted_and_freed_piece_by_piece() -> None:
    one = limit(most=1)
    window = Window(IN_S, 40_000)
    check = LimitCheck([Limit(one.settings, window)])
    largest = 0
    for number in range(100_000):
        check.judge(candidate(str(number)), NOW)
        kept = window.keys + sum(map(len, window.going))
        largest = max(largest, kept)
    assert window.keys <= 40_000
    assert window.forgotten == 100_000 - window.keys
    assert check.forgotten == window.forgotten
    assert largest <= 40_000 + module.SHARDS


def test_generation_that_ends_before_its_time_stays_in_the_window_for_as_long_as_it_was() -> None:
    window = Window(100.0, 10)
    check = LimitCheck([Limit(limit(most=2, in_s=100.0).settings, window)])
    assert passed(check, [candidate("1")] * 3) == [True, True, False]
    assert all(passed(check, (candidate(str(number)) for number in range(2, 7)), NOW + 2))
    assert (window.keys, window.period_s) == (6, 2.0)
    for age_s, is_accepted in ((50, False), (99, False), (101.1, True)):
        assert passed(check, [candidate("1")], NOW + age_s) == [is_accepted], age_s


def test_half_of_the_keys_stay_when_there_are_too_many() -> None:
    window = Window(IN_S, 10)
    check = LimitCheck([Limit(limit(most=1).settings, window)])
    for number in range(100):
        check.judge(candidate(str(number)), NOW)
        assert window.keys == number + 1 - window.forgotten
        assert window.keys >= min(number + 1, 6)
    assert passed(check, (candidate(str(number)) for number in range(95, 100))) == [False] * 5


def test_messages_that_were_held_may_come_in_another_order() -> None:
    check = LimitCheck([limit(most=2)])
    assert passed(check, [candidate()] * 2) == [True, True]
    for back_s in (0.9, 0.0, 0.5, 0.0, 0.7, 0.0):
        assert passed(check, [candidate()], NOW - back_s) == [False]
        assert passed(check, [candidate()], NOW + 0.4 - back_s) == [False]


def test_clock_that_goes_to_and_fro_forgets_nothing_of_a_longer_window() -> None:
    check = LimitCheck([limit("country", 10**6, 1.0), limit(most=2)])
    assert passed(check, [candidate()] * 2) == [True, True]
    for back_s in range(2, 40, 2):
        assert passed(check, [candidate()], NOW - back_s) == [False]
        assert passed(check, [candidate()], NOW + back_s) == [False]


@pytest.mark.parametrize("back_s", [0.5, IN_S - 1, IN_S + 1, 10 * IN_S, 1e9])
def test_clock_that_goes_back_locks_nobody_out_and_lets_nobody_through(back_s: float) -> None:
    check = LimitCheck([limit(most=2)])
    assert passed(check, [candidate()] * 3) == [True, True, False]
    now = NOW - back_s
    assert passed(check, [candidate()], now) == [False]
    assert passed(check, [candidate()], now + 3 * IN_S) == [True]


def test_clock_that_goes_ahead_empties_the_window() -> None:
    check = LimitCheck([limit(most=2)])
    assert passed(check, [candidate()] * 3) == [True, True, False]
    assert passed(check, [candidate()] * 3, NOW + 1e9) == [True, True, False]


# Reloads.


def of(*limits: LimitSettings) -> AccountSettings:
    return replace(ACCOUNT, limits=limits)


def test_limits_that_stay_go_on_after_a_reload_and_others_begin_anew() -> None:
    number, text = (LimitSettings(per=per, most=2, in_s=IN_S) for per in ("number", "text"))
    assert limit_checks(ACCOUNT, SETTINGS) == []
    (before,) = limit_checks(of(number, text), SETTINGS)
    assert before.judge(candidate(), NOW) is None
    more = replace(number, most=3, do="count")
    (after,) = limit_checks(of(text, more), SETTINGS, [before])
    assert isinstance(after, LimitCheck)
    words = ["at most 2 per text in 10m: 1 used", "at most 3 per number in 10m: 1 used"]
    assert after.explain(candidate(), NOW) == words
    (other,) = limit_checks(of(replace(number, in_s=60.0), number), SETTINGS, [after])
    assert isinstance(other, LimitCheck)
    assert [one.rsplit(" ", 2)[1] for one in other.explain(candidate(), NOW)] == ["0", "1"]


def test_two_equal_limits_do_not_share_what_they_count() -> None:
    one = LimitSettings(per="number", most=2, in_s=IN_S)
    (before,) = limit_checks(of(one), SETTINGS)
    (after,) = limit_checks(of(one, one), SETTINGS, [before])
    assert isinstance(after, LimitCheck)
    first, second = (limit.window for limit in after.limits)
    assert first is not second
    assert passed(after, [candidate()] * 3) == [True, True, False]


def test_message_before_and_after_a_reload_counts_in_one_window() -> None:
    one = LimitSettings(per="number", most=2, in_s=IN_S)
    (before,) = limit_checks(of(one), SETTINGS)
    before.judge(candidate(), NOW)
    (after,) = limit_checks(of(one), SETTINGS, [before])
    # Rules are built in a thread, while the old ones are in force.
    assert before.judge(candidate(), NOW + IN_S + 1) is None
    assert after.judge(candidate(), NOW + IN_S + 1) is not None
