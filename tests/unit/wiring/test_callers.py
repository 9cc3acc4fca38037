"""router/wiring/callers.py: whose a socket is, as the kernel writes it."""

import sys
from typing import Final

import pytest

from router.wiring.callers import owner

HEAD: Final = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
V4: Final = (
    "   {n}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}"
    "        0 1 1 0 20"
)
pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="written for such a machine")


def lines(state: str = "01") -> list[str]:
    """Both ends of a connection over loopback, each with its owner, and a listener."""
    ends = "0100007F:1F90", "0100007F:D431"
    return [
        HEAD,
        V4.format(n=0, local=ends[0], remote="00000000:0000", state="0A", uid=5),
        V4.format(n=1, local=ends[0], remote=ends[1], state="01", uid=999),
        V4.format(n=2, local=ends[1], remote=ends[0], state=state, uid=1000),
    ]


def test_owner_is_that_of_the_peers_end_and_not_of_ours() -> None:
    here, peer = ("127.0.0.1", 8080), ("127.0.0.1", 54321)
    assert owner(lines(), peer, here) == 1000
    assert owner(lines(), here, peer) == 999
    assert owner(lines(), ("127.0.0.1", 54320), here) is None
    assert owner([], peer, here) is None


@pytest.mark.parametrize("state", ["04", "05", "08", "0A"])
def test_socket_that_its_program_has_closed_is_nobodys(state: str) -> None:
    assert owner(lines(state), ("127.0.0.1", 54321), ("127.0.0.1", 8080)) is None


def test_owner_is_found_with_ipv6() -> None:
    line = V4.format(
        n=0,
        local="00000000000000000000000001000000:D431",
        remote="00000000000000000000000001000000:1F90",
        state="01",
        uid=7,
    )
    assert owner([HEAD, line], ("::1", 54321), ("::1", 8080)) == 7
