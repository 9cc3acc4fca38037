"""Writes docs/CONFORMANCE.md from what the router does: `python -m tests.conformance`.

Every cell is an answer that a router in memory has just given: each operation is sent to it in each
state, over each version, from both sides. A test fails when the page says something else.
"""

import ast
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import structlog

from router.accept.server import ClientLink
from router.forward.bind import OperatorLink
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.smpp.states import BOUND, State
from router.terms.names import OperatorName
from router.terms.settings import BindType, Settings
from tests.doubles import Client, Operator, Router, World, contract_settings
from tests.peers import FarEnd, data_sm

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "CONFORMANCE.md"
SEQUENCE: Final = 77
"""Of the request whose answer is looked for."""
VERSIONS: Final = {"3.3": v.VERSION_3_3, "3.4": v.VERSION_3_4, "5.0": v.VERSION_5_0}
STATES: Final = ("OPEN", "BOUND_TX", "BOUND_RX", "BOUND_TRX", "UNBINDING")
BINDS: Final = {
    "BOUND_TX": v.BIND_TRANSMITTER,
    "BOUND_RX": v.BIND_RECEIVER,
    "BOUND_TRX": v.BIND_TRANSCEIVER,
    "UNBINDING": v.BIND_TRANSCEIVER,
}
BANK: Final = (5, 0, b"BANK")
NUMBER: Final = (1, 1, b"37255512345")
UNKNOWN_COMMAND: Final = 0x00010001


class Operation(NamedTuple):
    """One operation, as it is tried."""

    command_id: int
    octets: bytes
    """The request, with the number SEQUENCE."""
    does: str
    """What the router does with it where it is in its place."""
    tests: tuple[str, ...]
    """The tests that show it: file::function."""


def _request(command_id: int, body: bytes = b"") -> bytes:
    return p.build(command_id, 0, SEQUENCE, body)


def _sm(command_id: int, source: tuple[int, int, bytes], to: tuple[int, int, bytes]) -> bytes:
    return p.sm(command_id, SEQUENCE, source=source, destination=to, short_message=b"Tere")


def _bind(command_id: int) -> bytes:
    return p.bind(command_id, SEQUENCE, system_id=b"bank", password=b"secret01")


_ABOUT: Final = b"4711\0" + p.address(*BANK)
_MULTI: Final = (
    b"\0" + p.address(*BANK) + b"\1\1" + p.address(*NUMBER) + b"\0\0\0\0\0\1\0\0\0\4Tere"
)
_JOURNEY: Final = "tests/journey"

FROM_CLIENTS: Final = (
    Operation(
        v.BIND_TRANSCEIVER, _bind(v.BIND_TRANSCEIVER),
        "bound, where name, address, password and limit allow it; transmitter and receiver alike",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_second_bind_request_is_already_bound",),
    ),
    Operation(
        v.SUBMIT_SM, _sm(v.SUBMIT_SM, BANK, NUMBER),
        "accepted when the journal has it; else refused with a status",
        (f"{_JOURNEY}/test_promise.py", "tests/e2e/test_journey.py"),
    ),
    Operation(
        v.DATA_SM, data_sm(SEQUENCE, source=BANK, destination=NUMBER),
        "as a submit_sm; operators that do not serve it are passed over",
        (f"{_JOURNEY}/test_full_operators.py",),
    ),
    Operation(
        v.SUBMIT_MULTI, _request(v.SUBMIT_MULTI, _MULTI),
        "one message for each number, under one message_id; distribution lists are refused",
        (f"{_JOURNEY}/test_submit_multi.py",),
    ),
    Operation(
        v.QUERY_SM, _request(v.QUERY_SM, _ABOUT),
        "the state of a message: from the queue, from what operators have, from the records",
        (f"{_JOURNEY}/test_client_requests.py",),
    ),
    Operation(
        v.CANCEL_SM,
        _request(v.CANCEL_SM, b"\0" + _ABOUT + p.address(*NUMBER)),
        "cancels what still waits, by id or by numbers and service_type; what an operator has is"
        " asked of that operator, where it takes cancel_sm",
        (f"{_JOURNEY}/test_client_requests.py",),
    ),
    Operation(
        v.REPLACE_SM, _request(v.REPLACE_SM, _ABOUT + b"\0\0\1\0\3new"),
        "replaces the text, and the times, of what still waits",
        (f"{_JOURNEY}/test_client_requests.py",),
    ),
    Operation(
        v.ENQUIRE_LINK, _request(v.ENQUIRE_LINK), "answered, bound or not",
        (f"{_JOURNEY}/test_sessions.py::test_enquire_link_is_answered_before_a_bind",),
    ),
    Operation(
        v.UNBIND, _request(v.UNBIND), "answered when all else is answered",
        (f"{_JOURNEY}/test_sessions.py::test_an_unbind_is_answered_after_everything_else",),
    ),
    Operation(
        v.BROADCAST_SM, _request(v.BROADCAST_SM, b"\0"), "not served",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_that_is_not_served_is_answered_with_a_generic_nack",),
    ),
    Operation(
        v.QUERY_BROADCAST_SM, _request(v.QUERY_BROADCAST_SM, b"1\0\0\0\0"), "not served",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_that_is_not_served_is_answered_with_a_generic_nack",),
    ),
    Operation(
        v.CANCEL_BROADCAST_SM, _request(v.CANCEL_BROADCAST_SM, b"\0"), "not served",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_that_is_not_served_is_answered_with_a_generic_nack",),
    ),
    Operation(
        v.DELIVER_SM, _sm(v.DELIVER_SM, NUMBER, BANK), "a client may not deliver",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_client_may_not_deliver",),
    ),
    Operation(
        v.ALERT_NOTIFICATION, _request(v.ALERT_NOTIFICATION, p.address(*NUMBER) + p.address(*BANK)),
        "a client may not notify; there is no answer to it",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_without_an_answer_is_only_counted",),
    ),
    Operation(
        v.OUTBIND, _request(v.OUTBIND, b"bank\0secret01\0"),
        "a client may not call; there is no answer to it",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_without_an_answer_is_only_counted",),
    ),
    Operation(
        UNKNOWN_COMMAND, _request(UNKNOWN_COMMAND), "a command that no version has",
        (f"{_JOURNEY}/test_wrong_input.py::test_an_unknown_command_is_answered_with_a_generic_nack",),
    ),
)  # fmt: skip
"""What clients send; the router is the message centre."""

FROM_OPERATORS: Final = (
    Operation(
        v.DELIVER_SM, _sm(v.DELIVER_SM, NUMBER, (0, 0, b"12302")),
        "a receipt is matched, a message goes to its account; ESME_ROK when the journal has it",
        (f"{_JOURNEY}/test_receipts.py", f"{_JOURNEY}/test_inbound.py"),
    ),
    Operation(
        v.DATA_SM, data_sm(SEQUENCE, source=NUMBER, destination=(0, 0, b"12302")),
        "as a deliver_sm", (f"{_JOURNEY}/test_inbound.py",),
    ),
    Operation(
        v.ALERT_NOTIFICATION,
        _request(v.ALERT_NOTIFICATION, p.address(*NUMBER) + p.address(0, 0, b"12302")),
        "taken; there is no answer to it",
        (f"{_JOURNEY}/test_wrong_input.py::test_a_command_without_an_answer_is_only_counted",),
    ),
    Operation(
        v.OUTBIND, _request(v.OUTBIND, b"agg1\0pw1\0"),
        "where it is expected (`outbind`), the router binds; elsewhere ignored",
        (f"{_JOURNEY}/test_connectors.py",),
    ),
    FROM_CLIENTS[7],
    Operation(
        v.UNBIND, _request(v.UNBIND),
        "answered; what is in flight is in doubt, and the router binds anew",
        (f"{_JOURNEY}/test_sessions.py",),
    ),
    Operation(
        v.SUBMIT_SM, _sm(v.SUBMIT_SM, BANK, NUMBER), "an operator may not submit",
        (f"{_JOURNEY}/test_wrong_input.py::test_an_operator_that_asks_what_it_may_not_is_refused",),
    ),
    Operation(
        v.QUERY_SM, _request(v.QUERY_SM, _ABOUT), "an operator may not ask",
        (f"{_JOURNEY}/test_wrong_input.py::test_an_operator_that_asks_what_it_may_not_is_refused",),
    ),
    Operation(
        v.BROADCAST_SM, _request(v.BROADCAST_SM, b"\0"), "not served",
        (f"{_JOURNEY}/test_wrong_input.py::test_an_operator_that_asks_what_it_may_not_is_refused",),
    ),
    FROM_CLIENTS[-1],
)  # fmt: skip
"""What operators send; the router is the ESME."""


@cache
def _settings() -> Settings:
    with TemporaryDirectory() as folder:
        return contract_settings(Path(folder))


def _router() -> Router:
    return Router(World(), _settings())


# One cell.


def _to_client(operation: Operation, state: str, version: int) -> str:
    """What a client is answered."""
    router = _router()
    router.operator("telia")
    client = Client(router.world, router)
    if state != "OPEN":
        client.bind(command_id=BINDS[state], version=version)
        router.world.run(0.5)
        assert client.link.session.state in BOUND
    return _answer(router, client.far, client.link, operation, state)


def _to_operator(operation: Operation, state: str, version: int) -> str:
    """What an operator is answered."""
    router = _router()
    router.client()
    (bind, *_) = router.journey.operators[OperatorName("telia")].binds
    kind: BindType = _TYPES.get(state, "transceiver")
    bind.settings = replace(bind.settings, type=kind, interface_version=version)
    far = Operator(router.world, router, bind)
    if state == "OPEN":  # It has asked to be bound, and was not answered.
        far.far.on_pdu = lambda _: None
    router.world.run(0.5)
    assert state == "OPEN" or far.link.session.state in BOUND
    return _answer(router, far.far, far.link, operation, state)


_TYPES: Final[dict[str, BindType]] = {
    "BOUND_TX": "transmitter", "BOUND_RX": "receiver",
}  # fmt: skip


def _answer(
    router: Router,
    far: FarEnd,
    link: ClientLink | OperatorLink,
    operation: Operation,
    state: str,
) -> str:
    if state == "UNBINDING":
        far.on_pdu = lambda _: None  # It does not answer the unbind.
        link.session.unbind(router.world.now)
        router.write_soon(link)
        router.world.run(0.1)
        assert link.session.state is State.UNBINDING
    before = len(far.received)
    far.send(operation.octets)
    router.world.run(1.0)
    answers = [pdu for _, pdu in far.received[before:] if pdu.sequence_number == SEQUENCE]
    told = [_told(pdu) for pdu in answers if pdu.command_id & v.RESPONSE]
    return ", ".join(told) or ("ends" if far.closed else "no answer")


def _told(pdu: Pdu) -> str:
    status = v.status_name(pdu.command_status)
    return f"generic_nack {status}" if pdu.command_id == v.GENERIC_NACK else status


# The tables.

Cell = Callable[[Operation, str, int], str]


def _rows(operations: tuple[Operation, ...], cell: Cell) -> Iterator[str]:
    for operation in operations:
        by_version = {
            name: tuple(cell(operation, state, version) for state in STATES)
            for name, version in VERSIONS.items()
        }
        name = f"`{v.command_name(operation.command_id)}`"
        for cells in dict.fromkeys(by_version.values()):
            versions = [one for one, of in by_version.items() if of == cells]
            where = "" if len(versions) == len(VERSIONS) else f" ({', '.join(versions)})"
            yield f"| {name}{where} | {' | '.join(cells)} |"


def _table(operations: tuple[Operation, ...], cell: Cell) -> Iterator[str]:
    yield f"| operation | {' | '.join(STATES)} |"
    yield "|---|" + "---|" * len(STATES)
    yield from _rows(operations, cell)
    yield ""
    yield "| operation | what the router does | shown by |"
    yield "|---|---|---|"
    for operation in operations:
        tests = ", ".join(f"`{one}`" for one in operation.tests)
        yield f"| `{v.command_name(operation.command_id)}` | {operation.does} | {tests} |"


# What the router writes, by version.


def _tags(octets: bytes) -> str:
    names = {
        v.SC_INTERFACE_VERSION: "sc_interface_version",
        v.RECEIPTED_MESSAGE_ID: "receipted_message_id",
        v.MESSAGE_STATE: "message_state",
        v.NETWORK_ERROR_CODE: "network_error_code",
        0x001D: "additional_status_info_text",
        0x0428: "congestion_state",
    }
    found: list[str] = []
    at = 0
    while at + 4 <= len(octets):
        tag, length = int.from_bytes(octets[at : at + 2]), int.from_bytes(octets[at + 2 : at + 4])
        found.append(names.get(tag, f"0x{tag:04X}"))
        at += 4 + length
    return ", ".join(found) or "none"


def _behind_text(pdu: Pdu) -> bytes:
    """What stands behind the one C-octet string of a body."""
    _, _, rest = pdu.octets[p.HEADER_OCTETS :].partition(b"\0")
    return rest


def _written() -> Iterator[str]:
    yield "| PDU | 3.3 | 3.4 | 5.0 |"
    yield "|---|---|---|---|"
    cells: dict[str, list[str]] = {
        "bind response": [], "submit_sm_resp, accepted": [], "submit_sm_resp, refused": [],
        "receipt": [],
    }  # fmt: skip
    for version in VERSIONS.values():
        router = _router()
        telia = router.operator("telia")
        client = Client(router.world, router)
        bound = client.bind(version=version)
        router.world.run(0.5)
        taken, refused = client.submit(), client.submit(b"999")
        router.world.run(0.5)
        telia.report(b"1")
        router.world.run(0.5)
        (receipt,) = client.receipts
        sm = p.Sm(receipt)
        cells["bind response"].append(_tags(_behind_text(client.answers[bound])))
        cells["submit_sm_resp, accepted"].append(_tags(_behind_text(client.answers[taken])))
        refusal = client.answers[refused]
        behind = refusal.octets[p.HEADER_OCTETS :].removeprefix(b"\0")
        cells["submit_sm_resp, refused"].append(_tags(behind))
        cells["receipt"].append(_tags(sm.octets[sm.tlvs_at :]))
    for name, of in cells.items():
        yield f"| {name} | {' | '.join(of)} |"


# Limits of fields.


class Field(NamedTuple):
    """A field of a request of clients whose length is tried."""

    operation: str
    name: str
    octets: Callable[[int], bytes]
    """The request in which the field has so many octets."""
    most: int
    """More than the limit."""


def _submit(**fields: object) -> bytes:
    usual: dict[str, object] = {"source": BANK, "destination": NUMBER, "short_message": b"Tere"}
    return p.sm(v.SUBMIT_SM, SEQUENCE, **(usual | fields))  # type: ignore[arg-type]


FIELDS: Final = (
    Field("submit_sm", "service_type", lambda n: _submit(service_type=b"C" * n), 8),
    Field("submit_sm", "source_addr", lambda n: _submit(source=(5, 0, b"1" * n)), 25),
    Field("submit_sm", "short_message", lambda n: _submit(short_message=b"a" * n), 255),
    Field(
        "submit_sm", "message_payload",
        lambda n: _submit(short_message=b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"a" * n)), 65_535,
    ),
    Field("submit_sm", "a vendor's TLV", lambda n: _submit(tlvs=p.tlv(0x1400, b"a" * n)), 65_535),
    Field("submit_sm", "TLVs, counted", lambda n: _submit(tlvs=p.tlv(0x1400, b"") * n), 200),
    Field(
        "cancel_sm", "service_type",
        lambda n: _request(v.CANCEL_SM, b"C" * n + b"\0" + _ABOUT + p.address(*NUMBER)), 8,
    ),
)  # fmt: skip


def _limits() -> Iterator[str]:
    yield "| operation | field | longest, octets | a longer one is answered |"
    yield "|---|---|---|---|"
    for field in FIELDS:
        usual = _status_of(field, 1)
        longest, status = field.most, ""
        if _status_of(field, field.most) != usual:
            low, high = 1, field.most
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _status_of(field, middle) == usual else (low, middle)
            longest, status = low, _status_of(field, high)
        yield f"| {field.operation} | {field.name} | {longest} | {status or '-'} |"


def _status_of(field: Field, octets: int) -> str:
    router = _router()
    client = Client(router.world, router)
    client.bind()
    router.world.run(0.5)
    client.far.send(field.octets(octets))
    router.world.run(2.0)
    answer = client.answers.get(SEQUENCE)
    return "no answer" if answer is None else _told(answer)


# The page.


def page() -> str:
    """docs/CONFORMANCE.md, whole."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return "\n".join([*_page(), ""])
    finally:
        structlog.reset_defaults()


def _page() -> Iterator[str]:
    yield "# Conformance"
    yield ""
    yield "Written by `python -m tests.conformance`, which sends each operation to a router in each"
    yield "state and writes down what it answers; do not edit. A test fails when the router answers"
    yield "otherwise. Versions share a row where they are answered alike."
    yield ""
    yield "[interop.md](interop.md) has the libraries that others wrote, and what each has been"
    yield "seen to do with the router; Wireshark's dissector reads what it writes meanwhile."
    yield ""
    yield "`no answer` is what an operation without an answer gets, and a request that waits."
    yield ""
    yield "## The router as message centre: what clients send"
    yield ""
    yield from _table(FROM_CLIENTS, _to_client)
    yield ""
    yield "## The router as ESME: what operators send"
    yield ""
    yield from _table(FROM_OPERATORS, _to_operator)
    yield ""
    yield "## TLVs that the router writes of its own, by the version of the client's bind"
    yield ""
    yield from _written()
    yield ""
    yield "## Limits of fields"
    yield ""
    yield "Found by trying. A system_id, a password, a system_type, a message_id and the addresses"
    yield "of a data_sm may have 64 octets: real clients use more than the specification has. Of"
    yield "what operators send, 255 octets of a message_id and of an error code are read, the first"
    yield "100 TLVs, the first 4,096 octets of a receipt's text, and a keyword in the first 1,000."
    yield ""
    yield from _limits()


def missing_tests() -> Iterator[str]:
    """The tests that the page names and that there are not."""
    for operation in (*FROM_CLIENTS, *FROM_OPERATORS):
        for one in operation.tests:
            path, _, name = one.partition("::")
            file = ROOT / path
            if not file.is_file() or (
                name
                and name
                not in {
                    node.name
                    for node in ast.walk(ast.parse(file.read_text()))
                    if isinstance(node, ast.FunctionDef)
                }
            ):
                yield one


if __name__ == "__main__":
    PAGE.write_text(page())
