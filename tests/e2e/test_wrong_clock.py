"""A start whose clock is far from the time that the journal knew last, as a person meets it.

The clock of this machine is left alone: the journal is made to have ended three days ago.
"""

import json
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.processes import until
from router.wiring.wall_clock import is_synchronised
from tests.e2e.scene import Peer, configuration, smpp_router

STOPPED_S: Final = 3 * 86_400.0
VALID_FOR_A_DAY: Final = ("{name: bulk}", "{name: bulk, validity: 24h}")


@pytest.mark.skipif(is_synchronised(), reason="a time service keeps this clock right: no doubt")
def test_what_the_clock_says_is_over_waits_until_a_person_believes_it(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack)
    url = f'"sqlite:///{tmp_path}/router.db"'
    away = (f"127.0.0.1:{operator.port}", "127.0.0.1:1")
    kept = ('"memory:"', url)
    first = stand.router(stack, configuration(operator.port, kept, VALID_FOR_A_DAY, away), tmp_path)
    with Peer(first.port) as client:
        client.bind("bank")
        for number in range(3):
            assert client.submit(f"3725550000{number}").command_status == 0
    first.child.stop()
    with closing(sqlite3.connect(tmp_path / "router.db")) as database, database:
        ago = (STOPPED_S, STOPPED_S)
        database.execute(
            "UPDATE message SET accepted_utc = accepted_utc - ?, expires_utc = expires_utc - ?,"
            " checksum = NULL",  # As in a file of an earlier version.
            ago,
        )
        database.execute("UPDATE meta SET known_utc = known_utc - ?", ago[:1])

    again = stand.router(stack, configuration(operator.port, kept, VALID_FOR_A_DAY), tmp_path)

    doubted = again.child.event("clock.doubted")
    assert doubted["ahead_s"] == pytest.approx(STOPPED_S, abs=300.0)
    assert "`smpp-router clock believe`" in str(doubted["cure"])
    until("waits", lambda: json.loads(again.http("/v1/status"))["clock"]["waiting"] == 3)
    with Peer(again.port) as client:
        client.bind("bank")
        assert client.submit("37255500009").command_status == 0
    until("the rest goes", lambda: again.samples().sum("sends_total", status="ESME_ROK") == 1)
    assert again.samples().sum("outcomes_total", outcome="expired") == 0

    command = ("clock", "believe", "--url", f"http://{again.control}")
    believed = smpp_router(*command)
    assert believed.stdout.startswith("the clock is believed; it was 2592")
    again.child.event("clock.believed")
    until("over", lambda: again.samples().sum("outcomes_total", outcome="expired") == 3)
    assert smpp_router(*command).stdout == "the clock was believed already\n"
    assert operator.totals()["submits"] == 1
