"""router/check/screens.py: what screens refuse and count, in whole texts and over parts."""

from collections.abc import Sequence

import pytest

from router.check.heard import HeardParts
from router.check.policy import Candidate, Note
from router.check.screens import Screen, Screens
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import ScreenName
from router.terms.outcome import Refusal
from router.terms.settings import LinkSettings, ListFile, ScreenSettings
from tests.unit.check.submitted import NOW_UTC, SHOP, candidate, of_text, part, sm

SCAM = ScreenSettings(
    name=ScreenName("scam"),
    phrases=("free money",),
    phrase_files=(ListFile(file="more.txt", values=("vabanda",)),),
)
WATCHED = ScreenSettings(name=ScreenName("watched"), phrases=("money",), do="count")
LINKS = ScreenSettings(name=ScreenName("links"), links=LinkSettings(only=("shop.example",)))
COUNTED = Note("screen", "counted", "screen watched")
REFUSED = Refusal("screened", 0x45, "screen scam")


def screens(
    *settings: ScreenSettings, is_latin_1: bool = False, heard: HeardParts | None = None
) -> Screens:
    heard = HeardParts() if heard is None else heard
    return Screens([Screen(one) for one in settings], heard, is_latin_1=is_latin_1)


def verdicts(check: Screens, ones: Sequence[Candidate]) -> list[Refusal | None]:
    return [check.judge(one, NOW_UTC) for one in ones]


@pytest.mark.parametrize(
    "text",
    [
        "Get FREE, money now",
        "free\nmoney",
        "get ƒree money",
        "get fr\u0435\u0435 money €",
        "vabanda",
        "vabanda \u4e00",
        "\U0001d41f\U0001d42b\U0001d41e\U0001d41e money",
        "free money " * 30,
    ],
)
def test_text_with_a_phrase_is_refused_and_the_refusal_names_the_screen(text: str) -> None:
    one = of_text(text)
    assert screens(SCAM).judge(one, NOW_UTC) == REFUSED
    assert one.notes == []


@pytest.mark.parametrize("text", ["", "carefree money", "free beer", "money free", "€ tere š"])
def test_text_without_one_passes(text: str) -> None:
    one = of_text(text)
    assert screens(SCAM, LINKS).judge(one, NOW_UTC) is None
    assert one.notes == []


def test_counting_screen_lets_pass_and_the_next_one_is_asked() -> None:
    one = of_text("free money")
    assert screens(WATCHED, SCAM).judge(one, NOW_UTC) == REFUSED
    assert one.notes == [COUNTED]


def test_what_was_found_is_told_only_to_who_tries() -> None:
    for text, settings, told in (
        ("free money", SCAM, "screen scam: the phrase 'free money'"),
        ("see evil.com", LINKS, "screen links: a link to evil.com"),
        ("http://[", LINKS, "screen links: a link to a host that cannot be read"),
    ):
        one = of_text(text)
        trial = Candidate(SHOP, one.sm, "", SHOP.lane, is_trial=True)
        refused, tried = (screens(settings).judge(each, NOW_UTC) for each in (one, trial))
        assert refused == Refusal("screened", 0x45, told.partition(":")[0])
        assert tried == Refusal("screened", 0x45, told)
    trial = Candidate(SHOP, of_text("money").sm, "", SHOP.lane, is_trial=True)
    screens(WATCHED).judge(trial, NOW_UTC)
    assert trial.notes == [COUNTED._replace(words="screen watched: the phrase 'money'")]


def test_link_to_another_host_is_refused() -> None:
    check = screens(LINKS)
    assert check.judge(of_text("see https://www.shop.example/x."), NOW_UTC) is None
    assert check.judge(of_text("see https://shop.example@evil.com"), NOW_UTC) is not None


def test_text_is_read_in_the_alphabet_that_it_has() -> None:
    check = screens(ScreenSettings(name=ScreenName("x"), phrases=("täna",)))
    for message, data_coding in (
        (b"T\x7bna", 0),
        (b"T\xe4na", 3),
        ("täna".encode("utf-16-be"), 8),
        (b"T\x7bna \x1be", 0x10),
    ):
        assert check.judge(candidate(sm(message, data_coding)), NOW_UTC) is not None
    of_latin = screens(ScreenSettings(name=ScreenName("x"), phrases=("täna",)), is_latin_1=True)
    assert of_latin.judge(candidate(sm(b"T\xe4na")), NOW_UTC) is not None


def test_payload_and_data_sm_are_read_too() -> None:
    check = screens(SCAM)
    assert check.judge(candidate(sm(b"free money", is_payload=True)), NOW_UTC) == REFUSED
    body = b"\0" + p.address(5, 0, b"Shop") + p.address(1, 1, b"372") + b"\0\0\0"
    octets = p.build(v.DATA_SM, 0, 1, body + p.tlv(v.MESSAGE_PAYLOAD, b"free money"))
    one = candidate(p.Sm(p.Framer(2**20).feed(octets)[0]))
    assert check.judge(one, NOW_UTC) == REFUSED


def test_data_for_programs_is_not_read() -> None:
    check = screens(SCAM)
    ports = b"\6\5\4\x0b\x84\x23\xf0"
    for one in (
        sm(b"free money", 4),
        sm(b"free money", 0xF5),
        sm(ports + b"free money", esm_class=0x40),
        sm(b"free money", tlvs=p.tlv(0x020A, b"\0\1")),
    ):
        assert check.judge(candidate(one), NOW_UTC) is None


@pytest.mark.parametrize("by_tlvs", [False, True])
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (1, 3, 2)])
def test_phrase_over_two_parts_is_found_when_the_later_one_comes(
    order: tuple[int, ...], by_tlvs: bool
) -> None:
    texts = {1: "you get fr", 2: "ee mon", 3: "ey today"}
    check = screens(SCAM)
    ones = [part(texts[number], number, 3, by_tlvs=by_tlvs) for number in order]
    assert verdicts(check, ones) == [None, None, REFUSED]


def test_part_with_a_phrase_of_its_own_is_refused_and_so_are_those_behind_it() -> None:
    check = screens(SCAM)
    ones = [part("hello ", 1, 3), part("free money ", 2, 3), part("bye", 3, 3)]
    assert verdicts(check, ones) == [None, REFUSED, REFUSED]
    assert verdicts(check, [part("hello ", 1, 3)]) == [REFUSED]  # The client sends all again.
    other = [part("another ", 1, 3), part("message ", 2, 3), part("now", 3, 3)]
    assert verdicts(check, other) == [None, None, None]


def test_word_that_goes_on_in_the_next_part_is_not_taken_for_a_phrase() -> None:
    check = screens(ScreenSettings(name=ScreenName("x"), phrases=("free", "dom")))
    assert verdicts(check, [part("be free", 1, 2), part("dom fighter", 2, 2)]) == [None, None]
    assert verdicts(check, [part("dom fighter", 2, 2), part("be free", 1, 2)]) == [None, None]
    assert check.judge(part("be free", 1, 2), NOW_UTC) is None
    assert check.judge(part(" dom", 2, 2), NOW_UTC) is not None


def test_word_at_the_very_begin_and_end_of_a_message_is_whole() -> None:
    check = screens(ScreenSettings(name=ScreenName("x"), phrases=("free", "dom")))
    assert check.judge(part("free beer ", 1, 2), NOW_UTC) is not None
    assert check.judge(part("the dom", 2, 2, 8), NOW_UTC) is not None


def test_link_over_two_parts_is_read_whole() -> None:
    check = screens(LINKS)
    good = [part("see http://sh", 1, 2), part("op.example/x", 2, 2)]
    assert verdicts(check, good) == [None, None]
    bad = [part("see http://shop.example", 1, 2, 8), part(".evil.com/x", 2, 2, 8)]
    assert [one is None for one in verdicts(check, bad)] == [True, False]


def test_phrase_is_counted_once_whatever_neighbours_come() -> None:
    check = screens(WATCHED)
    ones = [part("your money ", 1, 3), part("and more", 2, 3), part(" money", 3, 3)]
    verdicts(check, ones)
    assert [one.notes for one in ones] == [[COUNTED], [], []]


def test_parts_of_others_are_other_messages() -> None:
    check = screens(SCAM)
    assert check.judge(part("free ", 1, 2, 7), NOW_UTC) is None
    assert check.judge(part("money", 2, 2, 8), NOW_UTC) is None
    assert check.judge(part("money", 2, 3, 7), NOW_UTC) is None
    assert check.judge(part("money", 2, 2, 7, by_tlvs=True), NOW_UTC) is None
    assert check.judge(part("money", 2, 2, 7), NOW_UTC) == REFUSED


def test_parts_are_remembered_over_a_reload_and_not_by_a_trial() -> None:
    heard = HeardParts()
    before, after = screens(SCAM, heard=heard), screens(SCAM, LINKS, heard=heard)
    assert before.judge(part("free ", 1, 2), NOW_UTC) is None
    trial = Candidate(SHOP, part("money", 2, 2).sm, "", SHOP.lane, is_trial=True)
    assert before.judge(trial, NOW_UTC) is not None
    assert after.judge(part("money", 2, 2), NOW_UTC) == REFUSED


def test_memory_of_parts_is_not_asked_for_texts_of_one_part() -> None:
    heard = HeardParts()
    screens(SCAM, heard=heard).judge(of_text("free money"), NOW_UTC)
    assert len(heard) == 0
