"""router/settings/screens.py, warn_texts.py: how screens are written, and what is warned of."""

from pathlib import Path

import pytest

from router.check.phrases import LONGEST_PHRASE
from router.settings.lists import MOST_LINES_NAMED
from router.settings.warn_texts import text_warnings
from router.terms.names import AccountName, ScreenName
from router.terms.settings import LinkSettings, ListFile, TextSettings
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes

SCAM = ScreenName("scam")
BANK = AccountName("bank")


def written(account: str = "", more: str = "") -> str:
    """A configuration in which the bank has more keys, and so has the whole."""
    return changed(
        SMALL,
        ("lane: urgent}", f"lane: urgent{account}}}"),
        ("operators:", f"{more}\noperators:"),
    )


def with_screen(screen: str) -> str:
    return written(", screens: [scam]", f"screens: {{scam: {screen}}}")


def wrong(text: str, folder: Path | None = None) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in mistakes(text, folder=folder)]


def warned(text: str, folder: Path | None = None) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in text_warnings(loaded(text, folder=folder))]


def test_screen_has_phrases_files_of_them_and_links(tmp_path: Path) -> None:
    text = "# of the bank\nщи и чай # a meal\n\nfree money\nfree money\n"
    (tmp_path / "more.txt").write_text(text, encoding="utf-8")
    settings = loaded(
        with_screen(
            "{phrases: [täna, {file: more.txt}], links: {only: [shop.example]}, do: count}"
        ),
        folder=tmp_path,
    )
    screen = settings.screens[SCAM]
    assert screen.phrases == ("täna",)
    assert screen.phrase_files == (ListFile(file="more.txt", values=("free money", "щи и чай")),)
    assert (screen.links, screen.do) == (LinkSettings(only=("shop.example",)), "count")
    assert settings.accounts[BANK].screens == (SCAM,)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_file_with_a_mark_of_its_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "more.txt").write_text("täna", encoding=encoding)
    settings = loaded(with_screen("{phrases: {file: more.txt}}"), folder=tmp_path)
    assert settings.screens[SCAM].phrase_files[0].values == ("täna",)


def test_no_link_is_a_word_and_a_text_has_no_screen_by_default() -> None:
    settings = loaded(with_screen("{links: none}"))
    assert settings.screens[SCAM].links == LinkSettings()
    account = loaded(SMALL).accounts[BANK]
    assert (account.screens, account.signature, account.text) == ((), None, TextSettings())


def test_text_keys_of_account_and_country() -> None:
    settings = loaded(
        written(
            ", signature: ' Köök ', text: {replace: full, most_parts: 6}",
            "countries: {FR: {signature: end}}",
        )
    )
    account = settings.accounts[BANK]
    assert account.signature == "Köök"
    assert account.text == TextSettings(replace="full", most_parts=6)
    assert settings.countries["FR"].signature == "end"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (with_screen("{phrases: []}"), "screens.scam.phrases", "the list is empty"),
        (with_screen("{do: count}"), "screens.scam", "a screen looks for `phrases`"),
        (with_screen("{links: {}}"), "screens.scam.links", "links are `none`"),
        (with_screen("{links: {only: []}}"), "screens.scam.links.only", "the list is empty"),
        (with_screen("{links: some}"), "screens.scam.links", "one of none is wanted"),
        (
            with_screen("{links: {only: [https://a.b]}}"),
            "screens.scam.links.only[0]",
            "a host is wanted",
        ),
        (with_screen("{links: {only: ['*.a.b']}}"), "screens.scam.links.only[0]", "what is below"),
        (with_screen("{links: {only: [shop]}}"), "screens.scam.links.only[0]", "a host is wanted"),
        (with_screen("{phrases: {fil: x}}"), "screens.scam.phrases", "a phrase or {file: ...}"),
        (with_screen(f"{{phrases: {'x' * 81}}}"), "screens.scam.phrases", "a phrase has at most"),
        (with_screen(f"{{phrases: '{'.' * 1001}'}}"), "screens.scam.phrases", "a phrase has at"),
        (with_screen("{phrases: {file: gone}}"), "screens.scam.phrases.file", "the file cannot"),
        (written(", screens: [skam]", "screens: {scam: {links: none}}"), "accounts.bank.screens[0]",
         "unknown screen"),
        (written(", screens: [scam]"), "accounts.bank.screens[0]", "unknown screen"),
        (written(", signature: ''"), "accounts.bank.signature", "the signature is empty"),
        (written(f", signature: {'x' * 71}"), "accounts.bank.signature", "a signature has at most"),
        (written(", text: {replace: ful}"), "accounts.bank.text.replace", "one of none"),
        (written(", text: {most_parts: 0}"), "accounts.bank.text.most_parts", "a number from 1"),
        (written("", "countries: {Fr: {signature: end}}"), "countries.Fr", "a country is written"),
        (written("", "countries: {FR: {signature: up}}"), "countries.FR.signature", "one of start"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_path(text: str, path: str, message: str) -> None:
    (found,) = wrong(text)
    assert found[0] == path
    assert found[1].startswith(message)


def test_file_in_another_encoding_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_bytes(b"free money\nt\xe4na\n")
    (found,) = mistakes(with_screen("{phrases: {file: more.txt}}"), folder=tmp_path)
    assert (found.file, found.line) == (str(tmp_path / "more.txt"), 2)
    assert found.message == "is not in UTF-8: save the file in that encoding"


def test_every_bad_line_is_named_up_to_a_bound_and_none_is_quoted(tmp_path: Path) -> None:
    line = "secret" * LONGEST_PHRASE
    (tmp_path / "more.txt").write_text(f"{line}\n" * 50, encoding="utf-8")
    found = mistakes(with_screen("{phrases: {file: more.txt}}"), folder=tmp_path)
    assert len(found) == MOST_LINES_NAMED + 1
    assert all("secret" not in one.message for one in found)


def test_one_file_may_be_of_phrases_and_of_senders(tmp_path: Path) -> None:
    (tmp_path / "both.txt").write_text("free money\nx\n", encoding="utf-8")
    text = changed(
        with_screen("{phrases: {file: both.txt}}"), ('""', '"", sender: {file: both.txt}')
    )
    settings = loaded(text, folder=tmp_path)
    assert settings.routes[0].sender_files[0].values == ("free money", "x")
    assert settings.screens[SCAM].phrase_files[0].values == ("free money", "x")


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ("'!!'", "1 phrase has no letter and no digit, and is never found"),
        ("'!!', '💰'", "2 phrases have no letter and no digit, and are never found"),
        ("a", "1 phrase has one letter or digit only, which many texts have"),
        ("free, get free money", "1 phrase has another one within, and is not needed"),
        ("free, FREE!, fr\u0435e", "2 phrases have another one within, and are not needed"),
    ],
)
def test_phrase_that_does_not_do_what_is_meant_is_warned_of(phrases: str, message: str) -> None:
    text = with_screen(f"{{phrases: [winner, {phrases}]}}")
    assert warned(text) == [("screens.scam.phrases", message)]


def test_ten_thousand_phrases_are_read_and_looked_through(tmp_path: Path) -> None:
    lines = "".join(f"phrase number {one}\n" for one in range(10_000))
    (tmp_path / "more.txt").write_text(lines, encoding="utf-8")
    assert warned(with_screen("{phrases: {file: more.txt}}"), tmp_path) == []


def test_screen_that_no_account_names_is_warned_of() -> None:
    (found,) = warned(written("", "screens: {scam: {links: none}}"))
    assert found == (
        "screens.scam.links",
        "no account names this screen: no text passes through it",
    )


def test_signatures_that_say_nothing_or_are_missing_are_warned_of() -> None:
    country = "countries: {FR: {signature: end}}"
    assert warned(written(", signature: Bank", country)) == []
    assert warned(written("", country)) == [
        (
            "countries.FR.signature",
            "messages of accounts without a signature are refused there: bank",
        )
    ]
    assert warned(written(", signature: Bank")) == [
        ("accounts.bank.signature", "no country asks for one: it says nothing")
    ]
    assert warned(written(", signature: Õli", country)) == [
        (
            "accounts.bank.signature",
            "is not in the GSM alphabet: texts in GSM 7-bit that lack it are refused",
        )
    ]


@pytest.mark.parametrize(
    ("account", "operator", "is_warned"),
    [("", "", False), ("", "latin-1", True), ("latin-1", "", True), ("latin-1", "gsm", False)],
)
def test_operators_that_read_data_coding_0_otherwise_are_warned_of(
    account: str, operator: str, is_warned: bool
) -> None:
    own = f", data_coding_0: {account}" if account else ""
    text = written(f", text: {{replace: full}}{own}")
    if operator:
        text = changed(text, ("rate: 50/s}]", f"rate: 50/s}}]\n    data_coding_0: {operator}"))
    assert bool(warned(text)) is is_warned
