"""router/wiring/systemd.py: what systemd hears while a start takes long."""

import threading
from queue import SimpleQueue

from router.wiring import systemd

DEADLINE_S = 60.0


def test_systemd_waits_for_as_long_as_a_start_takes() -> None:
    heard: SimpleQueue[str] = SimpleQueue()

    with systemd.starting(every_s=0.001, tell=heard.put):
        said = [heard.get(timeout=DEADLINE_S) for _ in range(2)]

    assert said == ["EXTEND_TIMEOUT_USEC=60000000"] * 2
    assert not [thread for thread in threading.enumerate() if thread.name == "starting"]


def test_systemd_waits_longer_than_a_stop_may_take() -> None:
    said: list[str] = []
    systemd.stopping_within(120.0, tell=said.append)
    assert said == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=130000000"]


def test_a_quick_start_says_nothing() -> None:
    heard: SimpleQueue[str] = SimpleQueue()

    with systemd.starting(tell=heard.put):
        pass

    assert heard.empty()
