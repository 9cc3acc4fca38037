"""router/wiring/reload_view.py: what came of a reload, for people."""

from dataclasses import asdict
from typing import cast

import pytest

from router.settings.mistakes import Mistake
from router.wiring.reload import Reloaded, Result
from router.wiring.reload_view import lines_of


def told(result: Result, **more: object) -> dict[str, object]:
    """The document of a reload that changed nothing else."""
    document = Reloaded(
        result=result,
        reason="",
        changes=[],
        changes_left_out=0,
        needs_restart=[],
        stays=[],
        mistakes=[],
        mistakes_left_out=0,
        warnings=[],
        warnings_left_out=0,
        took_s=0.1,
        in_force_since_utc=1e9,
    )
    return {**cast("dict[str, object]", document), **more}


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        (told("unchanged"), ["the configuration is the one in force"]),
        (
            told(
                "applied",
                changes=["operators.telia.binds.telia-3.rate: 50/s -> 80/s"],
                stays=["account shop: one bind over the new limit stays until it leaves"],
                warnings=["x.yaml:3: routes[1]: can never match"],
            ),
            [
                "operators.telia.binds.telia-3.rate: 50/s -> 80/s",
                "account shop: one bind over the new limit stays until it leaves",
                "warning: x.yaml:3: routes[1]: can never match",
                "applied",
            ],
        ),
        (
            told("applied", changes=["accounts.a1: added"], changes_left_out=7),
            ["accounts.a1: added", "and 7 more", "applied"],
        ),
        (
            told("partly", changes=["node: 1 -> 2", "accounts.a: added"], needs_restart=["node"]),
            [
                "node: 1 -> 2 (after a restart)",
                "accounts.a: added",
                "applied, but for what needs a restart",
            ],
        ),
        (
            told(
                "partly",
                changes=["accounts.b: formerly a; it is said how", "accounts.b.queue: 1 -> 2"],
                needs_restart=["accounts.b.formerly"],
            ),
            [
                "accounts.b: formerly a; it is said how (after a restart)",
                "accounts.b.queue: 1 -> 2",
                "applied, but for what needs a restart",
            ],
        ),
        (
            told("applied", warnings=["x.yaml:3: routes[1]: can never match"], warnings_left_out=4),
            ["warning: x.yaml:3: routes[1]: can never match", "and 4 more warnings", "applied"],
        ),
        (
            told(
                "rejected",
                mistakes=[{"text": "x.yaml:3:5: node: is no number"}],
                mistakes_left_out=9,
            ),
            ["x.yaml:3:5: node: is no number", "and 9 more"],
        ),
        (
            told("needs_restart", changes=["node: 1 -> 2"], needs_restart=["node"]),
            ["node: 1 -> 2"],
        ),
        (
            told(
                "rejected",
                mistakes=[
                    {**asdict(one), "text": str(one)}
                    for one in (Mistake("x.yaml", 3, 5, "node", "is no number"),)
                ],
            ),
            ["x.yaml:3:5: node: is no number"],
        ),
    ],
)
def test_lines_say_what_was_applied_or_why_nothing_was(
    document: dict[str, list[object]], lines: list[str]
) -> None:
    assert lines_of(document) == lines
