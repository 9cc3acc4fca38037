"""router/wiring/activation.py: sockets that systemd hands over, and whose they are."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from router.terms.settings import Address
from router.wiring.activation import Passed, matched, passed

PID = 42


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def environment(count: str = "1", pid: int = PID, names: str = "smpp") -> dict[str, str]:
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": count, "LISTEN_FDNAMES": names, "HOME": "/"}


def handed_over(stack: ExitStack, *, listens: bool = True, family: int = socket.AF_INET) -> int:
    """A descriptor as a child has it; `passed` makes a socket of it, which is closed as well."""
    number = socket.socket(family).detach()
    opened = socket.socket(fileno=os.dup(number))
    if family == socket.AF_INET:
        opened.bind(("127.0.0.1", 0))
    if listens:
        opened.listen()
    opened.close()
    stack.callback(closed, number)
    return number


def closed(number: int) -> None:
    with suppress(OSError):
        os.close(number)


def test_without_systemd_there_are_none() -> None:
    assert passed({}, PID) == []


def test_what_is_meant_for_another_process_is_left_alone_and_told_to_no_child() -> None:
    for_other = environment(pid=41)
    assert passed(for_other, PID) == []
    assert for_other == {"HOME": "/"}


def test_socket_has_its_address_and_its_name_and_is_not_inherited(stack: ExitStack) -> None:
    number = handed_over(stack)
    os.set_inheritable(number, True)
    (one,) = passed(environment(), PID, first=number)
    stack.enter_context(one.socket)
    assert (one.address.host, one.name) == ("127.0.0.1", "smpp")
    assert one.address.port == one.socket.getsockname()[1]
    assert not os.get_inheritable(number)


def test_socket_without_a_name_has_none(stack: ExitStack) -> None:
    number = handed_over(stack)
    (one,) = passed({"LISTEN_PID": str(PID), "LISTEN_FDS": "1"}, PID, first=number)
    stack.enter_context(one.socket)
    assert one.name == ""


def test_what_is_no_listening_tcp_socket_is_refused(stack: ExitStack) -> None:
    pipe = os.pipe()
    for number in pipe:
        stack.callback(closed, number)
    for number in (
        handed_over(stack, listens=False),
        handed_over(stack, family=socket.AF_UNIX, listens=False),
        pipe[0],
    ):
        with pytest.raises(OSError, match=rf"descriptor {number} \(smpp\) is no listening TCP"):
            passed(environment(), PID, first=number)


def at(host: str, port: int, stack: ExitStack) -> Passed:
    return Passed(stack.enter_context(socket.socket()), Address(host=host, port=port), "smpp")


def test_each_listener_gets_the_socket_of_its_address(stack: ExitStack) -> None:
    first, second = at("0.0.0.0", 2776, stack), at("::1", 2775, stack)
    listeners = [
        Address(host="0:0:0:0:0:0:0:1", port=2775),
        Address(host="127.0.0.1", port=2775),
        Address(host="0.0.0.0", port=2776),
    ]
    assert matched(listeners, [first, second]) == [second.socket, None, first.socket]
    assert matched(listeners, []) == [None, None, None]


@pytest.mark.parametrize("host", ["::", "127.0.0.1", "localhost", "0.0.0.0"])
def test_socket_that_is_of_no_listener_is_refused(host: str, stack: ExitStack) -> None:
    one = at("0.0.0.0", 2775, stack)
    listener = Address(host=host, port=2776 if host == "0.0.0.0" else 2775)
    with pytest.raises(OSError, match=r"systemd's 0\.0\.0\.0:2775 \(of smpp\)"):
        matched([listener], [one])


def test_second_socket_at_one_address_is_refused(stack: ExitStack) -> None:
    two = [at("0.0.0.0", 2775, stack), at("0.0.0.0", 2775, stack)]
    with pytest.raises(OSError, match=r"systemd's 0\.0\.0\.0:2775"):
        matched([two[0].address], two)
