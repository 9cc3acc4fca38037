"""router/settings/senders.py and the keys of limits: how they are written, and what is wrong."""

from pathlib import Path

import pytest

from router.settings.difference import difference
from router.terms.settings import LimitSettings, ListFile, SenderReplacement
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes

LANE = "lane: urgent}"
RATE = "rate: 50/s}]\n"
OPERATORS = "operators:\n"


def account(keys: str) -> str:
    return changed(SMALL, (LANE, f"lane: urgent, {keys}}}"))


def country(keys: str) -> str:
    return changed(SMALL, (OPERATORS, f"countries: {{{keys}}}\n{OPERATORS}"))


def operator(keys: str) -> str:
    return changed(SMALL, (RATE, f"{RATE}    senders: {{{keys}}}\n"))


def test_senders_are_read_from_the_list_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("# Registered\nBank  until 2027-01-31\n12302 # ours\n")
    text = account("senders: {only: [Shop until 2027-01-31, {file: more.txt}], default: Bank}")
    senders = loaded(text, folder=tmp_path).accounts["bank"].senders  # type: ignore[index]
    assert senders is not None
    assert senders.only == ("Shop until 2027-01-31",)
    values = ("12302", "Bank until 2027-01-31")
    assert senders.only_files == (ListFile(file="more.txt", values=values),)
    assert senders.default == "Bank"


def test_one_file_may_be_a_list_of_senders_and_a_condition_of_routes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Shop\nBank\n")
    text = account("senders: {only: {file: a.txt}}")
    text = changed(text, ('{destination: ""', '{destination: "", sender: {file: a.txt}'))
    assert loaded(text, folder=tmp_path).routes[0].sender_files[0].values == ("Bank", "Shop")
    (tmp_path / "a.txt").write_text("Shop until 2027-01-31\n")
    (one,) = mistakes(text, folder=tmp_path)
    assert one.path == "routes[0].sender.file"


def test_norway_is_a_country() -> None:
    settings = loaded(country("NO: {senders: {kinds: [short]}}"))
    assert list(settings.countries) == ["NO"]


def test_operators_leave_the_rest_to_others_or_replace_the_sender() -> None:
    for keys, otherwise in (
        ("kinds: [short]", None),
        ("kinds: [short], otherwise: next", None),
        ('kinds: [short], otherwise: {replace: "12302"}', SenderReplacement(replace="12302")),
    ):
        senders = loaded(operator(keys)).operators["telia"].senders  # type: ignore[index]
        assert senders is not None
        assert senders.otherwise == otherwise


def test_limits_are_read() -> None:
    text = account("limits: [{per: text, most: 5, in: 60m, lanes: [slow], do: count}]")
    (limit,) = loaded(text).accounts["bank"].limits  # type: ignore[index]
    assert limit == LimitSettings(per="text", most=5, in_s=3600.0, lanes=("slow",), do="count")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "path", "message", "suggestion"),
    [
        (account("senders: {}"), "senders", "write `only`, `default`, or both", None),
        (account("senders: {only: []}"), "senders.only", "the list is empty", None),
        (account("senders: {only: [A1, A1]}"), "senders.only[1]", "stands in the list", None),
        (account('senders: {only: ["123", "+123 until 2027-01-31"]}'), "senders.only[1]", "in the",
         None),
        (account("senders: {only: Shop*}"), "senders.only", "stands for nothing here", None),
        (account("senders: {only: Šop}"), "senders.only", "only ASCII", None),
        (account(f"senders: {{only: {'A' * 21}}}"), "senders.only", "at most 20", None),
        (account("senders: {only: A1 until 2027-02-29}"), "senders.only", "no such day", None),
        (account("senders: {only: A1 until 31.01.2027}"), "senders.only", "followed by", None),
        (account("senders: {only: A1 until}"), "senders.only", "followed by", None),
        (account("senders: {default: A1B2C3D4E5F6}"), "senders.default", "11 letters", None),
        (account("senders: {default: A until 2027-01-31}"), "senders.default", "11 let", None),
        (account("senders: {only: Shop, default: shop}"), "senders.default", "not among", None),
        (account("senders: {only: {files: a}}"), "senders.only", "a sender or {file: ...}", None),
        (account("limits: [{per: texts, most: 5, in: 1h}]"), "limits[0].per", "one of", "text"),
        (account("limits: [{per: text, most: 200 EUR, in: 1h}]"), "limits[0].most", "number", None),
        (account("limits: [{per: text, most: 0, in: 1h}]"), "limits[0].most", "from 1", None),
        (account("limits: [{per: text, most: 5, in: 60}]"), "limits[0].in", "a duration is", "60s"),
        (account("limits: [{per: text, most: 5, in: 400d}]"), "limits[0].in", "1s to 31d", None),
        (account("limits: [{per: text, most: 5, in: 1h, lanes: [slo]}]"), "limits[0].lanes[0]",
         "unknown lane", "slow"),
        (account("limits: [{per: text, most: 5, in: 1h, countries: [UK]}]"),
         "limits[0].countries[0]", "two capital letters", "GB"),
    ],
)  # fmt: skip
def test_mistake_is_named_by_its_path(
    text: str, path: str, message: str, suggestion: str | None
) -> None:
    (one,) = mistakes(text)
    assert one.path == f"accounts.bank.{path}"
    assert message in one.message
    assert one.suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (country("ee: {senders: {kinds: [short]}}"), "countries.ee", "two capital"),
        (country("XX: {senders: {kinds: [short]}}"), "countries.XX", "two capital"),
        (country("EE: {senders: {}}"), "countries.EE.senders", "write `kinds`, `only`"),
        (country("EE: {senders: {kinds: [short], exempt: [long]}}"), "countries.EE.senders.exempt",
         "says nothing without `only`"),
        (operator("otherwise: next"), "operators.telia.senders", "write `kinds`, `only`"),
        (operator("kinds: [short], otherwise: {replace: Bank}"),
         "operators.telia.senders.otherwise", "no sender that `kinds` and `only` let through"),
        (operator("kinds: [short], otherwise: last"), "operators.telia.senders.otherwise",
         "next or a mapping"),
        (operator("kinds: [alpha]"), "operators.telia.senders.kinds[0]", "one of alphanumeric"),
    ],
)  # fmt: skip
def test_mistake_of_a_country_or_operator_is_named(text: str, path: str, message: str) -> None:
    (one,) = mistakes(text)
    assert one.path == path
    assert message in one.message


def test_wrong_lines_of_a_file_are_named_up_to_a_bound_and_never_quoted(tmp_path: Path) -> None:
    lines = [f"Secret{number} until never" for number in range(30)]
    (tmp_path / "a.txt").write_text("\n".join(["Shop", *lines]))
    found = mistakes(account("senders: {only: {file: a.txt}}"), folder=tmp_path)
    assert [one.line for one in found] == [0, *range(2, 22)]
    assert "10 more lines are wrong" in str(found[0])
    assert not any("Secret" in str(one) for one in found)


def test_a_sender_from_the_environment_is_not_shown() -> None:
    text = account('senders: {only: Shop, default: "${SENDER}"}')
    (one,) = mistakes(text, {"SENDER": "Hidden"})
    assert "Hidden" not in str(one)


def test_a_change_of_a_list_is_told_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Shop\n")
    text = account("senders: {only: [{file: a.txt}, Bank]}")
    before = loaded(text, folder=tmp_path)
    (tmp_path / "a.txt").write_text("Shop\nOther\n")
    after = loaded(text, folder=tmp_path)
    (change,) = difference(before, after).changes
    assert str(change) == "accounts.bank.senders.only: changed"
