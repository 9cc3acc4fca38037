"""benchmarks/kill.py: a router that is killed again and again loses nothing that it acknowledged.

How much is sent twice and how long a start takes depend on the machine: that is not asked here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import DEADLINE_S, ROOT

KILLS = 2


def test_nothing_is_lost_by_kills_under_load(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "kill", "--kills", str(KILLS)),
            *("--rate", "400", "--results", str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * DEADLINE_S,
    )

    results = list(tmp_path.glob("kill*.json"))  # The compiled core's has another name.
    assert results, ended.stderr
    numbers = json.loads(results[0].read_text(encoding="utf-8"))["numbers"]
    assert numbers["kills"] == KILLS
    assert numbers["accepted"] > 0
    assert numbers["never_delivered"] == 0, numbers
    assert numbers["receipts_missing"] == 0, numbers
    assert numbers["wrong"] == 0, numbers
    assert numbers["records_missing"] == numbers["records_twice"] == 0, numbers
    assert numbers["receipts"] == {"delivered": numbers["accepted"]}
