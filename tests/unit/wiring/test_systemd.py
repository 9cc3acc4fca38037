"""router/wiring/systemd.py: what systemd hears while a start takes long."""

import threading
from queue import SimpleQueue

import pytest

from router.wiring import systemd

DEADLINE_S = 60.0


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[str]:
    """What systemd is told."""
    found: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr(systemd, "notify", found.put)
    return found


def test_systemd_waits_for_as_long_as_a_start_takes(
    heard: SimpleQueue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "STARTING_EVERY_S", 0.001)

    with systemd.starting():
        said = [heard.get(timeout=DEADLINE_S) for _ in range(2)]

    assert said == ["EXTEND_TIMEOUT_USEC=60000000"] * 2
    assert not [thread for thread in threading.enumerate() if thread.name == "starting"]


def test_a_quick_start_says_nothing(heard: SimpleQueue[str]) -> None:
    with systemd.starting():
        pass

    assert heard.empty()
