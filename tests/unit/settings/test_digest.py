"""router/settings/digest.py: equal where two configurations say the same, and only there."""

from pathlib import Path
from typing import Final

import pytest

from router.settings.digest import DIGITS, canonical
from router.settings.load import load
from router.terms.settings import Settings
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded

ROUTES: Final = 'routes: [{destination: "", to: [telia]}]'
TWO_ROUTES: Final = 'routes: [{destination: "372", to: [telia]}, {destination: "", to: [telia]}]'
PASSWORDS: Final = ("secret01", "password: b,")


def of(text: str, folder: Path) -> str:
    return loaded(text, folder=folder).digest


@pytest.mark.parametrize(
    "change",
    [
        ("rate: 50/s", "rate: 51/s"),
        ("lane: urgent", "lane: slow"),
        ("{name: urgent}, {name: slow}", "{name: slow}, {name: urgent}"),
        (ROUTES, TWO_ROUTES),
        (ROUTES, ROUTES.replace("to: [telia]", "to: {telia: 1}")),
        (ROUTES, ROUTES.replace("to: [telia]", "to: [telia], lane: slow")),
        ("system_id: a,", "system_id: c,"),
        (ROUTES, f"{ROUTES}\nsession: {{bind_timeout: 6s}}"),
    ],
)
def test_whatever_is_said_counts(change: tuple[str, str], tmp_path: Path) -> None:
    assert of(changed(SMALL, change), tmp_path) != of(SMALL, tmp_path)


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (SMALL, ("lanes: [", "# a comment\n\nlanes:    [")),
        (SMALL, (ROUTES, f"{ROUTES}\nsession: {{bind_timeout: 5s}}")),
        (SMALL, ("rate: 50/s", 'rate: "50/s"')),
        (
            changed(SMALL, (ROUTES, TWO_ROUTES)),
            (
                TWO_ROUTES,
                'routes: [{destination: "", to: [telia]}, {destination: "372", to: [telia]}]',
            ),
        ),
    ],
)
def test_how_it_is_written_does_not_count(
    text: str, change: tuple[str, str], tmp_path: Path
) -> None:
    assert of(changed(text, change), tmp_path) == of(text, tmp_path)


def test_order_of_accounts_and_of_what_is_found_by_a_key_does_not_count(tmp_path: Path) -> None:
    shop = "  shop: {password: secret02, lane: slow, lane_by_priority: {KEYS}}\n"
    bank = "  bank: {password: secret01, lane: urgent}\n"

    def with_accounts(accounts: str) -> str:
        return of(changed(SMALL, (bank, accounts)), tmp_path)

    there = with_accounts(bank + shop.replace("KEYS", "1: slow, 2: urgent"))
    assert with_accounts(shop.replace("KEYS", "2: urgent, 1: slow") + bank) == there
    assert with_accounts(shop.replace("KEYS", "2: slow, 1: urgent") + bank) != there


def test_order_of_rules_for_one_prefix_counts(tmp_path: Path) -> None:
    one = '{destination: "", account: bank, to: [telia]}'
    two = '{destination: "", to: [telia]}'
    there = changed(SMALL, (ROUTES, f"routes: [{one}, {two}]"))
    back = changed(SMALL, (ROUTES, f"routes: [{two}, {one}]"))
    assert of(there, tmp_path) != of(back, tmp_path)


@pytest.mark.parametrize("secret", PASSWORDS)
def test_values_of_secrets_are_not_in_it(secret: str, tmp_path: Path) -> None:
    other = secret.replace("secret01", "another1").replace("password: b", "password: c")
    assert of(changed(SMALL, (secret, other)), tmp_path) == of(SMALL, tmp_path)
    text = "\n".join(canonical(loaded(CONTRACT, {"BANK_PASSWORD": "hidden77"})))
    assert "hidden77" not in text
    assert "password" not in text


def test_names_of_files_and_of_their_folder_do_not_count(tmp_path: Path) -> None:
    def spread(folder: Path, *parts: tuple[str, str]) -> Settings:
        folder.mkdir()
        for name, text in parts:
            (folder / name).write_text(text, encoding="utf-8")
        return load(folder, {})

    rest, routes = changed(SMALL, (ROUTES, "")), f"{ROUTES}\n"
    one = spread(tmp_path / "one", ("a.yaml", rest), ("b.yaml", routes))
    two = spread(tmp_path / "two", ("z.yaml", rest), ("c.yaml", routes))
    assert one.digest == two.digest == of(SMALL, tmp_path)


def test_content_of_named_files_counts_and_their_name_does_not(tmp_path: Path) -> None:
    def with_files(certificate: str, content: str) -> str:
        for name, text in ((certificate, content), ("key.pem", "the key")):
            (tmp_path / name).write_text(text, encoding="utf-8")
        tls = f"tls: {{certificate: {certificate}, key: key.pem}}"
        return of(changed(SMALL, ('"127.0.0.1:0"', f'"127.0.0.1:0", {tls}')), tmp_path)

    first = with_files("one.pem", "the chain")
    assert with_files("two.pem", "the chain") == first
    assert with_files("one.pem", "another chain") != first


def test_it_is_short_enough_to_be_compared_by_people(tmp_path: Path) -> None:
    digest = of(SMALL, tmp_path)
    assert len(digest) == DIGITS
    assert int(digest, 16) >= 0
