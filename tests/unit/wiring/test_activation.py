"""router/wiring/activation.py: whose the sockets are that systemd hands over."""

import pytest

from router.terms.settings import Address
from router.wiring.activation import Passed, matched, passed


def at(number: int, host: str, port: int = 2775) -> Passed:
    return Passed(number, Address(host=host, port=port), "smpp")


def test_without_systemd_there_are_none() -> None:
    assert passed({}, 42) == []


def test_what_is_meant_for_another_process_is_left_alone_and_told_to_no_child() -> None:
    environment = {"LISTEN_PID": "41", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smpp", "HOME": "/"}
    assert passed(environment, 42) == []
    assert environment == {"HOME": "/"}


def test_each_listener_gets_the_socket_of_its_address() -> None:
    listeners = [
        Address(host="0:0:0:0:0:0:0:1", port=2775),
        Address(host="127.0.0.1", port=2775),
        Address(host="0.0.0.0", port=2776),
    ]
    assert matched(listeners, [at(3, "0.0.0.0", 2776), at(4, "::1")]) == [4, None, 3]
    assert matched(listeners, []) == [None, None, None]


@pytest.mark.parametrize("host", ["::", "127.0.0.1", "localhost", "0.0.0.0"])
def test_socket_that_is_of_no_listener_is_refused(host: str) -> None:
    listener = Address(host=host, port=2776 if host == "0.0.0.0" else 2775)
    with pytest.raises(OSError, match=r"systemd's 0\.0\.0\.0:2775 \(of smpp\)"):
        matched([listener], [at(3, "0.0.0.0")])


def test_second_socket_at_one_address_is_refused() -> None:
    two = [at(3, "0.0.0.0"), at(4, "0.0.0.0")]
    with pytest.raises(OSError, match=r"systemd's 0\.0\.0\.0:2775"):
        matched([two[0].address], two)
