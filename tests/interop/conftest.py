"""What these tests start from: something that ends all that it started, and reads what passed.

After each test tshark reads what the router has written to its peers, and the test fails if any of
it is malformed. Where tshark is missing only that is left out, which the summary tells.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import recorder


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExitStack]:
    """Children and clients of one test."""
    with recorder.recording() as recording:
        with ExitStack() as held:
            yield held
        if recorder.TSHARK is None:
            return
        reading = recorder.read(recording, tmp_path / "interop.pcap")
    node: pytest.Item = request.node
    node.user_properties.append(("read_by_tshark", reading.pdus))
    assert not reading.wrong, "\n".join(["what the router wrote is malformed:", *reading.wrong])
