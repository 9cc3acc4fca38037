"""Sockets that systemd hands over: between two processes clients wait, and none is refused."""

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import Child, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.settings import Address
from router.wiring.activation import Passed, passed
from tests.e2e.scene import Peer, configuration, written


def listen_at(*sockets: socket.socket) -> tuple[str, str]:
    ports = [one.getsockname()[1] for one in sockets]
    listeners = ", ".join(f'{{address: "127.0.0.1:{port}"}}' for port in ports)
    return 'listen: [{address: "127.0.0.1:0"}]', f"listen: [{listeners}]"


def test_clients_that_come_while_one_process_follows_another_are_served(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack, "--silent", "100%")
    listens = stand.listening(stack)
    port = listens.getsockname()[1]
    text = configuration(
        operator.port,
        listen_at(listens),
        ("bind_timeout: 2s", "bind_timeout: 10m, response_timeout: 10m"),
    )
    text += "stop_within: 10m\n"
    first = stand.router(stack, text, tmp_path, sockets=[listens])
    assert first.child.event("router.listening")["passed"] is True
    first.until_bound(3)
    unbound = stack.enter_context(Peer(port))
    bound = stack.enter_context(Peer(port))
    bound.bind("bank")
    assert bound.submit("37255500001").command_status == v.ESME_ROK
    until("in flight", lambda: first.samples().sum("bind_window_in_use") == 1)

    first.child.signal(signal.SIGTERM)
    first.child.event("router.draining")

    assert unbound.is_closed() == []  # It may connect anew, and will be served.
    waiting = stack.enter_context(Peer(port))
    waiting.send(p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"shop", password=b"secret01"))
    assert bound.submit("37255500001").command_status == v.ESME_RSYSERR
    assert first.samples().sum("client_binds", account="shop") == 0
    first.child.signal(signal.SIGTERM)
    assert first.child.ends() == 0
    again = stand.router(stack, text, tmp_path, sockets=[listens])

    assert waiting.hears(v.BIND_TRANSCEIVER | v.RESPONSE).command_status == v.ESME_ROK
    assert waiting.submit("37255500002").command_status == v.ESME_ROK
    assert again.ports == [port]


def test_listener_without_a_socket_opens_its_own_and_says_so(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack)
    listens = stand.listening(stack)
    other = ', {address: "127.0.0.1:0"}]'
    old, new = listen_at(listens)
    text = configuration(operator.port, (old, new.removesuffix("]") + other))
    router = stand.router(stack, text, tmp_path, sockets=[listens])
    told = router.child.event("router.not_handed_over")
    assert told["address"] == "127.0.0.1:0"
    for port in router.ports:
        with Peer(port) as client:
            assert client.bind("bank").command_status == v.ESME_ROK


@pytest.mark.parametrize("is_tcp", [True, False])
def test_socket_that_no_listener_is_for_is_told_and_nothing_starts(
    is_tcp: bool, stack: ExitStack, tmp_path: Path
) -> None:
    listens = stand.listening(stack) if is_tcp else stack.enter_context(socket.socket())
    path = written(tmp_path, configuration(1))
    command = ["-m", "router.wiring.cli", "run", str(path)]
    child = stack.enter_context(Child("router", command, sockets=[listens]))
    assert child.ends() == 1
    said = str(child.event("router.not_started")["error"])
    port = listens.getsockname()[1]
    assert (f"systemd's 127.0.0.1:{port}" if is_tcp else "no listening TCP socket") in said


def test_socket_has_its_address_and_its_name_and_is_not_inherited(stack: ExitStack) -> None:
    listens = stand.listening(stack)
    number = listens.fileno()
    os.set_inheritable(number, True)
    told = {"LISTEN_PID": "42", "LISTEN_FDS": "1"}
    address = Address(host="127.0.0.1", port=listens.getsockname()[1])
    assert passed({**told, "LISTEN_FDNAMES": "smpp"}, 42, number) == [
        Passed(number, address, "smpp")
    ]
    assert not os.get_inheritable(number)
    assert passed(dict(told), 42, number) == [Passed(number, address, "")]


def test_what_is_no_listening_tcp_socket_is_refused(stack: ExitStack) -> None:
    connects = stack.enter_context(socket.socket())
    local = stack.enter_context(socket.socket(socket.AF_UNIX))
    with open(os.devnull, "rb") as file:
        for number in (connects.fileno(), local.fileno(), file.fileno()):
            told = {"LISTEN_PID": "42", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smpp"}
            with pytest.raises(OSError, match=rf"descriptor {number} \(smpp\) is no listening"):
                passed(told, 42, number)
