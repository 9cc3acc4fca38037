"""tests/fuzz/__main__.py and the targets: wrong usage is told, and a planted fault is found."""

from pathlib import Path

import pytest

from router.report import inbound
from router.smpp import pdu as p
from router.smpp import receipt
from router.smpp.session import Session
from router.steps import receipts
from tests.fuzz import __main__ as command
from tests.fuzz.octets import Octets, in_pieces
from tests.fuzz.targets import TARGETS, corpus


@pytest.mark.parametrize(
    "wrong", [["nonsense"], ["--tiem", "5"], ["--time", "soon"], ["replay"], ["add", "nonsense"]]
)
def test_wrong_usage_is_known_before_anything_runs(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = command.main(wrong)
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2
    assert capsys.readouterr().out == ""


def test_without_atheris_it_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert command.main(["--time", "1"]) == 2
    assert "make fuzz" in capsys.readouterr().err


def test_input_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one"
    file.write_bytes(b"\0\0\0\0\x10")
    assert command.main(["replay", "framer", str(file)]) == 0
    assert "nothing found" in capsys.readouterr().out


def test_choices_come_from_the_octets_in_their_order() -> None:
    octets = Octets(b"\x05\x02abc\x01")
    assert (octets.number(), octets.some(), octets.next(1), octets.is_over) == (
        *(5, b"ab", b"c", False),
    )
    assert (octets.one_of("xy"), octets.is_over, octets.number(), octets.rest()) == (
        *("y", True, 0, b""),
    )


def test_pieces_are_the_stream_and_none_is_empty() -> None:
    assert in_pieces(b"abcdef", (2, 0)) == [b"ab", b"c", b"de", b"f"]
    assert in_pieces(b"", (1,)) == []


def finds(name: str) -> bool:
    """Whether a target finds anything with what is kept for it."""
    for octets in corpus(name):
        try:
            TARGETS[name].check(octets)
        except (AssertionError, p.BodyError, IndexError, ValueError, OverflowError):
            return True
    return False


@pytest.mark.parametrize(
    ("name", "where", "what", "planted"),
    [
        ("view", p, "fitting", lambda octets: octets),
        ("view", p, "relay", lambda octets, number: octets[:12] + number.to_bytes(4) + octets[15:]),
        ("framer", p.Framer, "rest", b""),
        ("tlvs", p.Sm, "tlv", lambda sm, tag: sm.tlvs_by_tag().get(tag)),
        ("binds", p, "_ID_ENDS", 70_000),
        ("receipt_text", receipt, "_three_digits", lambda err: (err, b"")),
        ("session", Session, "_count_unbound", lambda session: session._out.append(bytes(16))),
        ("pair", Session, "_overdue", lambda session, now: []),
        ("router", receipts, "with_fields_cut", lambda pdu: pdu.octets.index(b"no such octets")),
    ],
)
def test_kept_inputs_find_a_planted_fault(
    name: str, where: object, what: str, planted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, what, planted)
    assert finds(name), f"{name} does not notice another {what}"


def test_first_word_is_looked_for_up_to_a_length() -> None:
    assert inbound.FIRST_WORD_OCTETS % 2 == 0, "half a character of UCS-2 would be cut"
