"""router/settings/conditions.py and lists.py: how rules are written, and what is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from router.settings.lists import LARGEST_BYTES, MOST_LINES_NAMED
from router.settings.load import load
from router.settings.mistakes import Mistake
from router.terms.settings import DaySpan, ListFile, Settings
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes

ROUTES: Final = 'routes: [{destination: "", to: [telia]}]'
GROUP: Final = f"prefixes: {{premium: {{file: premium.csv}}}}\n{ROUTES}"
BAD: Final = f"refuse: [{{sender: {{file: bad.txt}}}}]\n{ROUTES}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, routes: str, files: Mapping[str, str | bytes] | None = None) -> Settings:
    """The settings with these routes, and with these files beside them."""
    for name, content in (files or {}).items():
        octets = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(octets)
    return loaded(changed(SMALL, (ROUTES, routes)), folder=folder)


def wrong(
    folder: Path, routes: str, files: Mapping[str, str | bytes] | None = None
) -> list[Mistake]:
    for name, content in (files or {}).items():
        octets = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(octets)
    return mistakes(changed(SMALL, (ROUTES, routes)), folder=folder)


def route(conditions: str) -> str:
    return f"routes: [{{{conditions}, to: [telia]}}]"


# What is read.


def test_conditions_of_a_route_take_one_value_or_a_list(folder: Path) -> None:
    (one,) = read(
        folder, route('destination: ["370", "371"], account: bank, sender: [A, "B*"]')
    ).routes
    assert (one.destination, one.account, one.sender) == (("370", "371"), ("bank",), ("A", "B*"))
    (one,) = read(folder, route('destination: "", service_type: [OTP, ""]')).routes
    assert (one.destination, one.service_type) == (("",), ("OTP", ""))


def test_rule_that_refuses_says_by_default_what_is_final(folder: Path) -> None:
    rules = "refuse: [{sender: CASINO*}, {lane: [slow], status: 0x0A, reason: sleep}]\n" + ROUTES
    first, second = read(folder, rules).refuse
    assert (first.sender, first.status, first.reason) == (("CASINO*",), 0x45, "refused_by_rule")
    assert (second.lane, second.status, second.reason) == (("slow",), 0x0A, "sleep")
    assert first.line == second.line > 0


def test_group_is_a_list_of_prefixes_or_a_file(folder: Path) -> None:
    rules = 'prefixes: {near: ["370", "371"], premium: {file: premium.csv, column: 2}}\n' + route(
        'destination: ["372", {prefixes: [near, premium]}, {prefixes: near}]'
    )
    settings = read(folder, rules, {"premium.csv": "a,372900\nb,372901\na,372900\n"})
    groups = {name: one.prefixes for name, one in settings.prefixes.items()}
    assert groups == {"near": ("370", "371"), "premium": ("372900", "372901")}
    assert (settings.routes[0].destination, settings.routes[0].groups) == (
        ("372",),
        ("near", "premium"),
    )


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("372900\n372901\n", "1"),
        ("Prefix,Name\n372900,x\n372901,y\n", "1"),
        ("Prefix;Name\r\n+372 900;x\r\n00372901;y\r\n", "1"),
        ("\ufeffName\tPrefix\nx\t372900\ny\t00372 90 1\n", "prefix"),
        ('"Network, name"|"Prefix"\n"a, b"|"372900"\n\n# end\nc|372901\n', "2"),
        ("# sent 2026-11-01\nName,Prefix\nx,372900\ny,372901", "Prefix"),
        ("Name;Prefix\ncaf\xe9;372900\nx;372901\n".encode("latin-1"), "2"),
        ("Prefix,Name\n372900,x\n372901,y\n".encode("utf-16"), "1"),
        (b"372900\r372901\r", "1"),
        ("+372\xa0900\n+ 372\u202f901\n".encode(), "1"),
        ("E.164;Name\n372900;x\n372901;y\n", "1"),
        ("Name;Prefix 1\nx;372900\ny;372901\n", "2"),
        ("sep=;\r\n372900;1,5\r\n372901;2,5\r\n", "1"),
        ('"SEP=\t"\nName,Prefix\tPrefix\na,b,c\t372900\nd\t372901\n', "prefix"),
    ],
)
def test_csv_is_read_as_operators_send_it(folder: Path, content: str | bytes, column: str) -> None:
    rules = f"prefixes: {{premium: {{file: p.csv, column: {column}}}}}\n{ROUTES}"
    (group,) = read(folder, rules, {"p.csv": content}).prefixes.values()
    assert group.prefixes == ("372900", "372901")


def test_file_of_senders_has_one_in_each_line(folder: Path) -> None:
    text = "# who\n\nCASINO* # and all of theirs\nBad Guy\r\n  +3725551\t# tab\nBad Guy\n#1\nA#1\n"
    (rule,) = read(folder, BAD, {"bad.txt": text}).refuse
    assert rule.sender_files == (
        ListFile(file="bad.txt", values=("+3725551", "A#1", "Bad Guy", "CASINO*")),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_senders_have_characters_of_latin_1(folder: Path, encoding: str) -> None:
    rules = BAD.replace("{file: bad.txt}", "[{file: bad.txt}, 'Ärä,*']")
    (rule,) = read(folder, rules, {"bad.txt": "Äasino\nÿ*\n".encode(encoding)}).refuse
    assert (rule.sender_files[0].values, rule.sender) == (("Äasino", "ÿ*"), ("Ärä,*",))


@pytest.mark.parametrize("text", ["", "# nobody is left\n\n"])
def test_file_of_senders_may_hold_none(folder: Path, text: str) -> None:
    (rule,) = read(folder, BAD, {"bad.txt": text}).refuse
    assert rule.sender_files == (ListFile(file="bad.txt", values=()),)


def test_files_are_among_those_that_are_watched(folder: Path) -> None:
    settings = read(folder, BAD, {"bad.txt": "x"})
    assert folder / "bad.txt" in settings.files
    before = settings.digest
    assert read(folder, BAD, {"bad.txt": "y"}).digest != before
    assert read(folder, BAD, {"bad.txt": "x\n# more\n"}).digest == before


def test_hours_days_and_zone_are_read(folder: Path) -> None:
    when = 'hours: ["08:00-12:00", "22:00-06:00"], days: [mon-wed, SAT, sat], zone: Europe/Tallinn'
    (one,) = read(folder, route(f'destination: "", {when}')).routes
    assert one.hours == (DaySpan(480, 720), DaySpan(1320, 360))
    assert one.days == ("mon", "tue", "wed", "sat")
    assert one.zone == ZoneInfo("Europe/Tallinn")
    (one,) = read(folder, route('destination: "", hours: 08:00-24:00, days: sat-mon')).routes
    assert (one.hours, one.days) == ((DaySpan(480, 1440),), ("sat", "sun", "mon"))


def test_rules_and_groups_may_stand_in_several_files(folder: Path) -> None:
    (folder / "a.yaml").write_text(SMALL + 'prefixes: {a: ["1"]}\nrefuse: [{sender: A}]\n')
    (folder / "b.yaml").write_text('prefixes: {b: ["2"]}\nrefuse: [{sender: B}]\n')
    settings = load(folder, {})
    assert list(settings.prefixes) == ["a", "b"]
    assert [rule.sender for rule in settings.refuse] == [("A",), ("B",)]


# What is wrong.


@pytest.mark.parametrize(
    ("rules", "path", "says", "meant"),
    [
        (route('destination: "372*"'), "routes[0].destination", "begin so", "372"),
        (route('destination: ["372", "+370"]'), "routes[0].destination[1]", "without +", "370"),
        (route("destination: []"), "routes[0].destination", "would never hold", None),
        (route('destination: ["1", "1"]'), "routes[0].destination[1]", "already", None),
        (route("destination: {prefixes: x}"), "routes[0].destination.prefixes", "unknown", None),
        (route("destination: {prefix: x}"), "routes[0].destination", "prefixes", None),
        (route('destination: "", sender: "*INO"'), "routes[0].sender", "at the end", None),
        (route('destination: "", sender: "*"'), "routes[0].sender", "leave the key out", None),
        (route('destination: "", sender: "C*O*"'), "routes[0].sender", "at the end", None),
        (route(f'destination: "", sender: {"x" * 21}'), "routes[0].sender", "20 characters", None),
        (route('destination: "", sender: "Łasino"'), "routes[0].sender", "Latin-1", None),
        (route('destination: "", sender: "Casin\\x85"'), "routes[0].sender", "no text", None),
        (route('destination: "", account: ban*'), "routes[0].account", "pattern: write a list",
         None),
        (route('destination: "", account: [bank, bnak]'), "routes[0].account[1]", "unknown",
         "bank"),
        (route('destination: "", service_type: "O*"'), "routes[0].service_type", "senders only",
         None),
        (route('destination: "", lane: "sl*"'), "routes[0].lane", "no pattern", None),
        (route('destination: "", hours: 8-20'), "routes[0].hours", "08:00-20:00", None),
        (route('destination: "", hours: 08:00-08:00'), "routes[0].hours", "never hold", None),
        (route('destination: "", hours: 08:00-25:00'), "routes[0].hours", "24:00", None),
        (route('destination: "", hours: 24:00-06:00'), "routes[0].hours", "24:00", None),
        (route('destination: "", hours: []'), "routes[0].hours", "never hold", None),
        (route('destination: "", days: monday'), "routes[0].days", "mon, tue", "mon"),
        (route('destination: "", days: mon-fry'), "routes[0].days", "mon-fri", None),
        (route('destination: "", zone: UTC'), "routes[0].zone", "without hours", None),
        (route('destination: "", days: sat, zone: Europe/Talinn'), "routes[0].zone", "time zone",
         "Europe/Tallinn"),
        (f"refuse: [{{reason: x}}]\n{ROUTES}", "refuse[0]", "every message", None),
        (f"refuse: [{{}}]\n{ROUTES}", "refuse[0]", "every message", None),
        (f"refuse: [{{sender: A, status: ESME_RTHROTTLED}}]\n{ROUTES}", "refuse[0].status",
         "for ever", "ESME_RSUBMITFAIL"),
        (f"refuse: [{{sender: A, status: 0x14}}]\n{ROUTES}", "refuse[0].status", "for ever",
         "ESME_RSUBMITFAIL"),
        (f"refuse: [{{sender: A, reason: 'two words'}}]\n{ROUTES}", "refuse[0].reason", "one word",
         None),
        (f"refuse: [{{sender: A, reason: no_route}}]\n{ROUTES}", "refuse[0].reason", "itself",
         None),
        (f"refuse: [{{sender: A, lane: [slow, slwo]}}]\n{ROUTES}", "refuse[0].lane[1]", "unknown",
         "slow"),
        (f'prefixes: {{a: ["372", ""]}}\n{ROUTES}', "prefixes.a[1]", "every number", None),
        (f"prefixes: {{a: []}}\n{ROUTES}", "prefixes.a", "empty", None),
        (f'prefixes: {{a: "372"}}\n{ROUTES}', "prefixes.a", "a list of prefixes", None),
        (f"prefixes: {{a: }}\n{ROUTES}", "prefixes.a", "a list of prefixes", None),
        *[
            (f"prefixes: {{a: {{file: a.csv, column: {column}}}}}\n{ROUTES}",
             "prefixes.a.column", "is no number", None)
            for column in ("0", "-1", "1.5", "007", "1e3", "'0'", "' '")
        ],
        (f"prefixes: {{a: {{column: 1}}}}\n{ROUTES}", "prefixes.a.file", "missing", None),
        (f"prefixes: {{a: {{file: no.csv}}}}\n{ROUTES}", "prefixes.a.file", "No such file", None),
        (f"prefixes: {{a: {{file: ., column: 1}}}}\n{ROUTES}", "prefixes.a.file", "no regular",
         None),
        (f"{ROUTES}\ninbound: [{{keyword: WIN*, to: bank}}]", "inbound[0].keyword", "whole word",
         None),
    ],
)  # fmt: skip
def test_rule_that_is_not_well_written_is_refused(
    folder: Path, rules: str, path: str, says: str, meant: str | None
) -> None:
    found = [one for one in wrong(folder, rules) if one.path == path]
    assert [(says in one.message, one.suggestion) for one in found] == [(True, meant)], found


def test_reasons_are_bounded_because_they_label_metrics(folder: Path) -> None:
    rules = "".join(f"\n  - {{sender: A{n}, reason: r{n}}}" for n in range(101))
    (mistake,) = wrong(folder, f"refuse:{rules}\n{ROUTES}")
    assert (mistake.path, "100 at most" in mistake.message) == ("refuse", True)


def test_lane_of_a_route_takes_no_list_and_none_is_suggested(folder: Path) -> None:
    found = wrong(folder, 'routes: [{destination: "", to: [telia], lane: "sl*"}]')
    assert [(one.path, one.message) for one in found] == [
        ("routes[0].lane", "the name of one lane is wanted here, no pattern")
    ]
    (found_in_list,) = wrong(folder, f'refuse: [{{lane: "sl*"}}]\n{ROUTES}')
    assert found_in_list.message.endswith("write a list")


def test_rule_for_every_message_may_say_so(folder: Path) -> None:
    (rule,) = read(folder, f'refuse: [{{destination: ""}}]\n{ROUTES}').refuse
    assert rule.destination == ("",)


def test_every_bad_line_is_named_up_to_a_bound(folder: Path) -> None:
    lines = ["Good", "*bad", "x" * 21, "G\u0142od", *["a*b"] * 100]
    found = wrong(folder, BAD, {"bad.txt": "\n".join(lines)})
    file = str(folder / "bad.txt")
    named = [one for one in found if one.line]
    assert {one.file for one in found} == {file}
    assert [one.line for one in named] == list(range(2, MOST_LINES_NAMED + 2))
    assert {one.path for one in found} == {"refuse[0].sender.file"}
    (more,) = [one.message for one in found if not one.line]
    assert more == f"{103 - MOST_LINES_NAMED} more lines are wrong"
    # The file may be another one than was meant, and not everybody may read it.
    assert not any("bad" in one.message or "a*b" in one.message for one in found)


@pytest.mark.parametrize(
    ("content", "says", "line"),
    [
        ("", "no prefix", 9),
        ("Prefix,Name\n", "no prefix", 9),
        ("372900\nabc\n", "digits", 2),
        ("372900\n\n# x\n37290012345678901234567\n", "20 digits", 4),
        ("372900,x\n,y\n", "no prefix in this column", 2),
        ('372900\n"372901\n372902\n', "no CSV: a quote opens here", 2),
        ('372900\n"372901\n372902\n"372903"\n', "no CSV: a quote opens here", 2),
        ('372900\n"372901\n372902"\n', "a quote opens here", 2),
        ('372900\n"372901', "no CSV: a quote opens here", 2),
        ('372900\n"372901"x\n', "no CSV: ',' expected", 2),
        ("372900\n\x00\n", "digits", 2),
        ("sep=;\n372900;1\n372900 1;2\n", "digits", 3),
        # What would be another prefix without what is no digit.
        ("372900\n37250-37259\n", "may be a range", 2),
        ("372900\n44 7700 - 44 7799\n", "may be a range", 2),
        ("372900\n+37250 \u2013 59\n", "may be a range", 2),
        ("372900\n00372-901\n", "without a dash", 2),
        ("372900\n37255.0\n", "decimal number: a price, or", 2),
        ("372900\n0.05\n", "decimal number", 2),
        ('372900\n"0,05"\n', "decimal number", 2),
        ("3.72E+05\n372900\n", "decimal number", 1),
        ("372900\n3e-05\n", "decimal number", 2),
        ("372900\n+44(0)7700\n", "only then spaces", 2),
        ("372900\n372 901\n", "only then spaces", 2),
        ("372900\n37250/37251\n", "a prefix is written in digits", 2),
        ("372900\n00\n", "a prefix is written in digits", 2),
        ("372900\n+00372\n", "a prefix is written in digits", 2),
        ("372900\n\u0663\n", "a prefix is written in digits", 2),
        ("Premium 2026\nPrefix\n372900\n", "if this is a heading", 2),
        ("2026: all of them\n372900\n", "if this is a heading", 1),
    ],
)
def test_bad_line_of_a_csv_is_named(folder: Path, content: str, says: str, line: int) -> None:
    (mistake,) = wrong(folder, GROUP, {"premium.csv": content})
    assert (mistake.line, says in mistake.message) == (line, True), mistake


def test_only_the_first_lines_may_be_a_heading_and_no_cell_is_a_destination(folder: Path) -> None:
    rows = "\n".join(["Prefix", *["372900"] * 20, "Prefix 2"])
    (mistake,) = wrong(folder, GROUP, {"premium.csv": rows})
    assert (mistake.line, "heading" in mistake.message) == (22, False)
    assert "destination" not in mistake.message


def test_name_of_two_columns_is_told(folder: Path) -> None:
    rules = GROUP.replace("premium.csv", "premium.csv, column: Prefix")
    (mistake,) = wrong(folder, rules, {"premium.csv": "Prefix;Name;prefix \n372;x;373\n"})
    assert "twice: write its number" in mistake.message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_told(folder: Path, encoding: str) -> None:
    (mistake,) = wrong(folder, GROUP, {"premium.csv": "372900\n372901\n".encode(encoding)})
    assert "UTF-16" in mistake.message
    (mistake,) = wrong(folder, BAD, {"bad.txt": "CASINO".encode(encoding)})
    assert "UTF-16" in mistake.message


@pytest.mark.parametrize(
    "line",
    [
        "CASINO;blocked", '"Quoted"', "'Quoted'", "A,B", "D\tnote", "Account;Sender", "A\0B",
        "\x1b[1mA", "A\x1b", "A\x85", '"A # b"',
    ],
)  # fmt: skip
def test_line_with_more_than_a_sender_is_a_mistake(folder: Path, line: str) -> None:
    (mistake,) = wrong(folder, BAD, {"bad.txt": f"Good\n{line}\nGood too\n"})
    assert (mistake.line, "one sender in each line" in mistake.message) == (2, True), mistake


def test_column_that_is_not_there_is_told(folder: Path) -> None:
    rules = GROUP.replace("premium.csv", "premium.csv, column: Prefix")
    (mistake,) = wrong(folder, rules, {"premium.csv": "Name,Number\nx,372\n"})
    assert "no such column" in mistake.message
    rules = GROUP.replace("premium.csv", "premium.csv, column: 3")
    found = wrong(folder, rules, {"premium.csv": "Name,Number\nx,372\ny,373\n"})
    assert [(one.line, "no prefix in this column" in one.message) for one in found] == [
        (1, True), (2, True), (3, True),
    ]  # fmt: skip


def test_huge_file_is_refused_and_not_read(folder: Path) -> None:
    with (folder / "premium.csv").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    (mistake,) = wrong(folder, GROUP)
    assert "larger than 64 MiB" in mistake.message


def test_file_that_two_rules_name_is_read_and_its_mistakes_are_told_once(folder: Path) -> None:
    rules = "refuse: [{sender: {file: bad.txt}}, {account: bank, sender: [A, {file: bad.txt}]}]\n"
    found = wrong(folder, rules + ROUTES, {"bad.txt": "*bad"})
    assert len(found) == 1
    first, second = read(folder, rules + ROUTES, {"bad.txt": "Bad"}).refuse
    assert first.sender_files[0].values is second.sender_files[0].values


def test_name_of_a_file_from_the_environment_is_not_shown(folder: Path) -> None:
    (folder / "secret-name").write_text("*bad")
    text = changed(SMALL, (ROUTES, BAD.replace("bad.txt", '"${FILE}"')))
    found = mistakes(text, {"FILE": "secret-name"}, folder)
    assert found
    assert not any("secret-name" in str(one) for one in found)
