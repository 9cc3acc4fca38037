"""router/settings/reference.py: config/README.md says what the program does."""

import re
from pathlib import Path

import pytest

from router.settings import reference
from router.settings.keys import SETTINGS
from router.settings.parts import key_of
from router.settings.reference import BEGINS, page_with_keys

PAGE = Path(__file__).parents[3] / "config" / "README.md"


def test_the_page_is_not_stale() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_keys(page) == page, "python -m router.settings.reference config/README.md"


def test_the_page_keeps_what_stands_before_the_keys() -> None:
    page = page_with_keys(f"# Words\n\n{BEGINS}\nstale\n")
    assert page.startswith(f"# Words\n\n{BEGINS}\n\n## Top level\n")
    assert "stale" not in page


def test_a_page_without_the_line_is_refused() -> None:
    with pytest.raises(SystemExit, match="no line"):
        page_with_keys("# Words\n")


@pytest.mark.parametrize(
    "row",
    [
        "| `bind_timeout` | duration: 10ms to 10m | `5s` |"
        " A connection that has not bound after this time",
        "| `max_pdu` | size: 1KiB to 16MiB | `70000B` |",
        "| `commit_every` | duration: 0ms to 1s | `2ms` |",
        "| `messages` | percent: `0%` to `100%` | `1%` |",
        "| `allow_from` | list of network: `10.0.0.0/8`, or one address | `127.0.0.0/8`, `::1/128`",
        "| `interface_version` | version: `3.3`, `3.4` or `5.0` | `3.4` |",
        "or a number such as `0x00000400` | `ESME_RSYSERR`, `ESME_RX_T_APPN` | The statuses",
        "| `accepted_is_final` | truth: `true` or `false` | `false` |",
        '| `system_type` | text: at most 64 characters | `""` |',
        "| `destination` | digits: without + or 00; `{prefixes: name}`, or a list of those |"
        " **required** |",
        "| `password` | secret: text, `{file: path}`, or a list of those | **required** |",
        "| `to` | operators: a list of names, or `{name: weight}` |  |",
    ],
)
def test_a_key_has_its_kind_bounds_default_and_meaning(row: str) -> None:
    assert row in PAGE.read_text(encoding="utf-8")


def test_every_part_has_its_heading_and_every_key_a_meaning() -> None:
    page = page_with_keys(BEGINS)
    assert re.findall(r"^## `(.*)`$", page, re.MULTILINE) == [
        *("listen[]", "listen[].tls", "listen[].proxy", "session", "session.failed_binds"),
        *("journal", "records", "telemetry"),
        *("telemetry.log", "control"),
        *(
            "lanes[]",
            "accounts.NAME",
            "accounts.NAME.message_id",
            "accounts.NAME.dialect",
            "accounts.NAME.dialect.message_id",
            "accounts.NAME.retries",
            "accounts.NAME.numbers",
            "accounts.NAME.privacy",
            *("accounts.NAME.senders", "accounts.NAME.text", "accounts.NAME.limits[]"),
            "operators.NAME",
            "operators.NAME.binds[]",
        ),
        *("operators.NAME.binds[].outbind", "operators.NAME.binds[].tls"),
        *("operators.NAME.message_id", "operators.NAME.numbers"),
        *("operators.NAME.senders", "operators.NAME.senders.otherwise"),
        "operators.NAME.reconnect",
        "operators.NAME.breaker",
        "operators.NAME.receipts",
        *("operators.NAME.on_status.NAME", "prefixes.NAME"),
        *("countries.NAME", "countries.NAME.senders", "screens.NAME", "screens.NAME.links"),
        *("refuse[]", "routes[]", "inbound[]"),
    ]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(not row.endswith("|  |") for row in rows)
    assert {f"`{key_of(name)}`" for name in SETTINGS.readers} <= {row.split()[1] for row in rows}


def test_the_command_writes_the_page_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGINS}\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["reference", str(page)])
    reference.main()
    assert "## `lanes[]`" in page.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["reference"])
    with pytest.raises(SystemExit, match="usage"):
        reference.main()
