"""router/wiring/cli.py: the commands, what they print where, and their exit status."""

import getpass
import io
import json
import sys
from pathlib import Path

import pytest

from router.accept.passwords import verify
from router.enqueue.sqlite_file import opened
from router.telemetry.core import COMPILED, DEMAND, INTERPRETED, running
from router.wiring.cli import DEFAULT_URL, main
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded

Said = tuple[int, str, str]
Capture = pytest.CaptureFixture[str]
COMMANDS = (
    *("run", "check", "explain", "routes", "plan", "length", "schema", "hash-password"),
    *("status", "reload", "drain", "resume", "clock", "rescue"),
)
FAULTY = changed(SMALL, ("rate: 50/s", "rate: 50"), ("lane: urgent", "lane: urgnt"))


class Terminal(io.StringIO):
    """Standard input where a person sits."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "router.yaml"
    path.write_text(CONTRACT, encoding="utf-8")
    return path


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.yaml"
    path.write_text(FAULTY, encoding="utf-8")
    return path


def said(capsys: Capture, *arguments: str | Path) -> Said:
    """Exit status, standard output and standard error of one command."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as exit_:  # argparse's way to say 2, and 0 after --help.
        status = int(str(exit_.code))
    output = capsys.readouterr()
    return status, output.out, output.err


# Usage.


def test_help_names_every_command(capsys: Capture) -> None:
    status, out, _ = said(capsys, "--help")
    assert status == 0
    names = {line.split()[0] for line in out.splitlines() if line.startswith("    ")}
    assert names >= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(capsys: Capture, name: str) -> None:
    status, out, _ = said(capsys, name, "--help")
    assert (status, out.startswith(f"usage: smpp-router {name}")) == (0, True)


def test_output_that_cannot_be_written_is_one_line_and_no_traceback(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert main(["schema"]) == 1
    told = "smpp-router: the output cannot be written: No space left on device"
    assert capsys.readouterr().err.splitlines() == [told]


def test_version_is_a_result(capsys: Capture) -> None:
    status, out, err = said(capsys, "--version")
    assert (status, err) == (0, "")
    assert out.startswith("smpp-router ")
    assert f"({running()} core, CPython 3." in out


@pytest.mark.parametrize("arguments", [("--version",), ("run", "no such file")])
def test_core_that_is_not_the_demanded_one_ends_the_command(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    other = COMPILED if running() == INTERPRETED else INTERPRETED
    monkeypatch.setenv(DEMAND, other)
    status, _, err = said(capsys, *arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert f"but the core is {running()}" in err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("run",),
        ("check",),
        ("drain",),
        ("clock",),
        ("clock", "doubt"),
        ("schema", "x.yaml"),
        ("length",),
        ("length", "Tere", "--account", "bank"),
        ("length", "Tere", "--config", "x.yaml"),
        ("length", "\udcff"),
        ("length", "x" * 10_001),
        ("explain", "x.yaml"),
        ("explain", "x.yaml", "--account", "bank"),
        ("explain", "--account", "bank", "--to", "372"),
        ("explain", "x.yaml", "--running", "--account", "bank", "--to", "372"),
        ("routes",),
        ("routes", "x.yaml", "--running"),
        ("routes", "x.yaml", "--to", "37x"),
        ("check", "x.yaml", "--against"),
        ("plan", "x.yaml", "--against", "y.yaml"),
        ("plan", "x.yaml", "--traffic", "z.csv"),
        ("explain", "x.yaml", "--account", "bank", "--to", "372", "--priority", "256"),
        ("explain", "x.yaml", "--account", "bank", "--to", "372", "--priority", "-1"),
        ("explain", "x.yaml", "--account", "bank", "--to", "372", "--from", "Ж"),
        ("explain", "x.yaml", "--account", "bank", "--to", "372", "--text", "\udcff"),
        ("status", "--url", "127.0.0.1:9464"),
        ("status", "--url", "file:///etc/passwd"),
        ("status", "--url", "http://127.0.0.1:x"),
        ("status", "--watch", "--json"),
        ("status", "telia", "--account", "bank"),
    ],
)
def test_wrong_usage_exits_with_2_and_prints_no_result(
    capsys: Capture, arguments: tuple[str, ...]
) -> None:
    status, out, err = said(capsys, *arguments)
    assert (status, out) == (2, "")
    assert "usage: smpp-router" in err


# check


def test_check_of_a_good_configuration_prints_its_warnings_only(
    capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(SMALL, encoding="utf-8")
    status, out, err = said(capsys, "check", path)
    assert (status, out) == (
        0,
        f"{path}:2:16: warning: journal.url: keeps nothing: for trials only\n",
    )
    assert err == f"{path}: 0 mistakes, 1 warning\n"


def test_check_prints_all_mistakes_at_once_with_their_places(capsys: Capture, faulty: Path) -> None:
    status, out, err = said(capsys, "check", faulty)
    first, second = out.splitlines()
    assert status == 1
    assert first.startswith(f"{faulty}:5:")
    assert "did you mean 'urgent'?" in first
    assert second.startswith(f"{faulty}:8:")
    assert "operators.telia.binds[0].rate: " in second
    assert err == f"{faulty}: 2 mistakes, 0 warnings\n"


def test_check_as_json_is_one_document(capsys: Capture, faulty: Path) -> None:
    status, out, _ = said(capsys, "check", faulty, "--json")
    document = json.loads(out)
    assert (status, document["ok"], len(document["mistakes"])) == (1, False, 2)
    assert document["mistakes"][0]["line"] == 5
    assert document["mistakes"][0]["suggestion"] == "urgent"


def test_check_as_json_tells_mistakes_at_one_place_apart_and_that_on_an_anchor_once(
    capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / "router.yaml"
    without = changed(SMALL, ('listen: [{address: "127.0.0.1:0"}]\n', ""))
    without = changed(without, ('journal: {url: "memory:"}\n', ""))
    path.write_text(
        changed(without, ("rate: 50/s}", "rate: 0/s}, *t"), ("[{name: t1", "[&t {name: t1"))
    )
    _, out, _ = said(capsys, "check", path, "--json")
    assert [(one["line"], one["path"]) for one in json.loads(out)["mistakes"]] == [
        (1, "journal"),
        (1, "listen"),
        (6, "operators.telia.binds[1].name"),
        (6, "operators.telia.binds[0].rate"),
    ]


def test_letter_that_the_terminal_has_not_is_shown_by_its_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "router.yaml").write_text("journäl: x\n", encoding="utf-8")
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["check", str(tmp_path)]) == 1
    assert b"journ\\xe4l: unknown key" in terminal.buffer.getvalue()


def test_check_of_a_file_that_is_not_there_is_a_mistake(capsys: Capture, tmp_path: Path) -> None:
    status, out, _ = said(capsys, "check", tmp_path / "none.yaml")
    assert status == 1
    assert "none.yaml" in out


# run


def test_run_with_a_faulty_configuration_tells_all_mistakes_and_does_not_start(
    capsys: Capture, faulty: Path
) -> None:
    status, out, err = said(capsys, "run", faulty)
    assert (status, out) == (1, "")
    assert err.count(f"{faulty}:") == 3
    assert err.endswith(f"{faulty}: 2 mistakes\n")


# length


def test_length_tells_what_makes_a_text_long(capsys: Capture) -> None:
    status, out, err = said(capsys, "length", "šokolaad \u2014 " * 8)
    assert (status, err) == (0, "")
    lines = [line.split(maxsplit=1)[-1] for line in out.splitlines()]
    assert "because of š (U+0161) at 1, 8 times" in out
    assert "2, the last with room for 46 units more" in lines
    assert "full: 88 septets, 1 part: 1 part fewer" in out


def test_length_reads_standard_input_without_its_last_end_of_line(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\nb€\n"))
    status, out, _ = said(capsys, "length", "-", "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["characters"], found["units"], found["parts"]) == (4, 5, 1)


def test_length_for_an_account_shows_what_its_text_becomes(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    keys = "lane: urgent, text: {replace: full, most_parts: 2}}"
    path.write_text(changed(SMALL, ("lane: urgent}", keys)), encoding="utf-8")
    of_bank = ("--account", "bank", "--config", path)
    status, out, _ = said(capsys, "length", "šokolaad " * 9, *of_bank, "--json")
    told = json.loads(out)["for_account"]
    assert status == 0
    assert (told["goes_as"], told["refused"]) == ("sokolaad " * 9, "")
    assert told["notes"] == ["text: replaced (full): 2 parts become 1"]
    status, out, _ = said(capsys, "length", "Tere" * 100, *of_bank)
    assert status == 1
    assert (
        "refused    too_long (more than 2 parts); the client hears ESME_RINVMSGLEN (0x00000001)"
        in out
    )
    assert said(capsys, "length", "x", "--account", "bnak", "--config", path)[0] == 2


def test_length_with_a_faulty_configuration_exits_with_1(capsys: Capture, faulty: Path) -> None:
    assert said(capsys, "length", "x", "--account", "bank", "--config", faulty)[0] == 1


# explain


def test_explain_tells_where_a_message_would_go(capsys: Capture, config: Path) -> None:
    status, out, err = said(
        capsys, "explain", config, "--account", "shop", "--to", "+3725123456", "--text", "Tere"
    )
    assert (status, err) == (0, "")
    assert "number     3725123456 (from '+3725123456')\n" in out
    assert "\noperators  70 % (weight 70): telia, then elisa\n           30 %" in out


def test_explain_of_a_message_that_is_refused_exits_with_1(capsys: Capture, config: Path) -> None:
    status, out, _ = said(capsys, "explain", config, "--account", "bank", "--to", "3581999000")
    assert status == 1
    assert "refused    refused_by_route; the client hears ESME_RINVDSTADR (0x0000000B)" in out


def test_explain_asks_about_another_time(capsys: Capture, tmp_path: Path) -> None:
    rule = 'refuse: [{hours: "21:00-08:00", zone: UTC, reason: night}]\n'
    path = tmp_path / "router.yaml"
    path.write_text(changed(CONTRACT, ("routes:\n", f"{rule}routes:\n")), encoding="utf-8")
    question = ("explain", path, "--account", "bank", "--to", "372123", "--at")
    assert said(capsys, *question, "2026-11-29T12:00+00:00")[0] == 0
    status, out, _ = said(capsys, *question, "2026-11-29T22:00Z")
    assert (status, "refused    night; " in out) == (1, True)
    assert said(capsys, *question, "later")[0] == 2


def test_explain_as_json_is_one_document(capsys: Capture, config: Path) -> None:
    arguments = ("--account", "shop", "--to", "372", "--priority", "3", "--from", "Shop", "--json")
    status, out, _ = said(capsys, "explain", config, *arguments)
    document = json.loads(out)
    assert (status, document["accepted"], document["lane"]) == (0, True, "alert")
    assert document["plans"][0]["operators"] == ["telia", "elisa"]


def test_explain_of_an_account_that_is_not_there_names_the_nearest(
    capsys: Capture, config: Path
) -> None:
    status, out, err = said(capsys, "explain", config, "--account", "bnak", "--to", "372")
    assert (status, out) == (2, "")
    assert "there is no account 'bnak'; did you mean 'bank'? known accounts are bank, shop" in err


def test_explain_with_a_faulty_configuration_tells_its_mistakes(
    capsys: Capture, faulty: Path
) -> None:
    status, out, err = said(capsys, "explain", faulty, "--account", "bank", "--to", "372")
    assert (status, out) == (1, "")
    assert "2 mistakes" in err


# schema


def test_schema_is_one_json_document_on_standard_output(capsys: Capture) -> None:
    status, out, err = said(capsys, "schema")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "accounts" in document["properties"]


# hash-password


def test_hash_of_a_line_of_standard_input_proves_that_password(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" s3 re \r\nmore\n"))
    status, out, err = said(capsys, "hash-password")
    assert (status, err) == (0, "")
    assert verify(out.strip(), b" s3 re ")
    assert out.count("\n") == 1


def test_two_hashes_of_one_password_differ(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = set()
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
        hashes.add(said(capsys, "hash-password")[1])
    assert len(hashes) == 2


def test_password_that_is_longer_than_smpp_allows_is_hashed_with_a_warning(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("ninechars\n"))
    status, out, err = said(capsys, "hash-password")
    assert (status, out.startswith("scrypt$")) == (0, True)
    assert "many clients cannot send it" in err
    assert "ninechars" not in err


@pytest.mark.parametrize("line", ["", "\n"])
def test_empty_password_is_not_hashed(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(line))
    assert said(capsys, "hash-password") == (1, "", "the password is empty\n")


@pytest.mark.parametrize(("again", "status"), [("secret", 0), ("secert", 1)])
def test_password_from_a_terminal_is_typed_twice_and_never_shown(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, again: str, status: int
) -> None:
    typed = iter(["secret", again])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _: next(typed))
    found, out, err = said(capsys, "hash-password")
    assert (found, out.startswith("scrypt$")) == (status, status == 0)
    assert ("the two passwords differ" in err) == (status == 1)


# status


def test_status_looks_where_commands_are_taken_by_default(capsys: Capture) -> None:
    assert DEFAULT_URL in said(capsys, "status", "--help")[1]
    assert f"http://{loaded(CONTRACT).control_listen}" == DEFAULT_URL


def test_rescue_says_what_it_has_rescued_of_each_table(capsys: Capture, tmp_path: Path) -> None:
    damaged, rescued = tmp_path / "damaged.db", tmp_path / "router.db"
    opened(damaged, 1000).close()

    status, out, err = said(capsys, "rescue", str(damaged), str(rescued))

    assert (status, err) == (0, "")
    assert "message    0 rows\n" in out
    assert "meta       1 row\n" in out
    status, out, err = said(capsys, "rescue", str(damaged), str(rescued), "--json")
    assert (status, out) == (1, "")
    assert f"{rescued}: this exists" in err
    rescued.unlink()
    _, out, _ = said(capsys, "rescue", str(damaged), str(rescued), "--json")
    tables = json.loads(out)["tables"]
    assert {"table": "meta", "rows": 1, "lost": 0, "is_whole": True} in tables
