"""query_sm, cancel_sm and replace_sm of clients that others wrote: node-smpp and python-smpplib."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from smpplib import consts
from smpplib.client import Client

from benchmarks import stand
from benchmarks.processes import DEADLINE_S, until
from benchmarks.stand import Router
from tests.e2e.scene import PASSWORD, Peer, configuration, free_port
from tests.interop import recorder, scripts
from tests.interop.rust_operator import Smsc, run

JOURNAL = ('url: "memory:"', 'url: "sqlite:///router.db"')
BINDS = 3
NUMBER, FAILED = "37255512345", "37259912345"


def asked(
    stack: ExitStack, router: Router, *steps: str, script: str = "node_requests.js"
) -> list[dict[str, object]]:
    """What node-smpp, or another, reads as the answers to these steps."""
    child = scripts.start(stack, script, str(router.port), PASSWORD, *steps)
    assert child.ends() == 0, "\n".join(child.lines)
    answers = child.events("answer")
    assert [one["step"] for one in answers] == [step.partition(" ")[0] for step in steps]
    return [{key: one[key] for key in one if key not in ("event", "step")} for one in answers]


def statuses(answers: list[dict[str, object]]) -> list[object]:
    return [str(one["status"]).removeprefix("ESME_") for one in answers]


def standing(answer: dict[str, object]) -> tuple[object, ...]:
    return answer["state"], answer["is_dated"], answer["error_code"]


@pytest.mark.shows(
    *("node-smpp", "client", "transmitter", "submit", "query_sm", "cancel_sm", "replace_sm"),
    "refused requests",
)
def test_node_asks_before_and_after_the_operator_took_it_and_when_it_is_over(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    text = configuration(port, JOURNAL)
    router = recorder.router(stack, text, tmp_path)
    first, second = asked(
        stack, router, f"submit {NUMBER} to be replaced", f"submit {NUMBER} to be cancelled"
    )
    one, other = first["id"], second["id"]
    answers = asked(
        stack,
        router,
        *(f"query {one}", f"replace {one} another text", f"query {one}"),
        *(f"cancel {other}", f"query {other}", f"cancel {other}", f"replace {other} late"),
        *("query 4711", "cancel 4711", "replace 4711 nobody"),
    )
    assert statuses(answers) == [
        *("ROK", "ROK", "ROK"),
        *("ROK", "ROK", "RCANCELFAIL", "RREPLACEFAIL"),  # It is over.
        *("RINVMSGID", "RINVMSGID", "RINVMSGID"),
    ]
    assert [standing(answers[n]) for n in (0, 2)] == [("ENROUTE", False, 0)] * 2
    assert standing(answers[4]) == ("DELETED", True, 0)

    operator = stand.operator(stack, "--receipts", "none", port=port)
    router.until_bound(BINDS)
    router.until_sent(1)
    answers = asked(stack, router, f"query {one}", f"cancel {one}", f"replace {one} late")
    assert statuses(answers) == ["ROK", "RCANCELFAIL", "RREPLACEFAIL"]
    assert standing(answers[0]) == ("ENROUTE", False, 0)
    operator.totals()

    options = ("--receipt-delay", "10ms", "--receipts-by-destination", "372599:failed")
    stand.operator(stack, *options, port=port)
    router.until_bound(BINDS)
    submits = (f"submit {NUMBER} hello", f"submit {FAILED} hello")
    delivered, failed = (answer["id"] for answer in asked(stack, router, *submits))
    with Peer(router.port) as client:
        client.bind("bank")
        said = [receipt.short_message for receipt in client.hears_all(3)]
    assert sorted(words for one in said for words in one.split() if b"stat:" in words) == [
        *(b"stat:DELETED", b"stat:DELIVRD", b"stat:UNDELIV"),
    ]
    (err,) = (one.split(b"err:")[1][:3] for one in said if b"UNDELIV" in one)

    def are_over(router: Router) -> None:
        answers = asked(stack, router, f"query {delivered}", f"query {failed}", f"query {other}")
        assert [standing(answer) for answer in answers] == [
            ("DELIVERED", True, 0),
            ("UNDELIVERABLE", True, int(err)),
            ("DELETED", True, 0),
        ]

    are_over(router)
    router.child.stop()
    are_over(recorder.router(stack, text, tmp_path))  # From the file of records alone.


@pytest.mark.shows("node-smpp", "client", "cancel_sm", "replace_sm", "query_sm")
@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
def test_what_was_answered_holds_though_the_router_is_killed_right_then(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    text = configuration(port, JOURNAL)
    router = recorder.router(stack, text, tmp_path)
    submits = [f"submit {NUMBER} text {n}" for n in range(3)]
    ids = [answer["id"] for answer in asked(stack, router, *submits)]
    steps = (f"cancel {ids[0]}", f"replace {ids[1]} another text")
    answers = asked(stack, router, *steps)
    router.child.kill()
    assert statuses(answers) == ["ROK", "ROK"]

    async def campaign() -> tuple[Smsc, list[bytes], list[dict[str, object]]]:
        smsc = Smsc(port)
        await smsc.server.start()
        serving = asyncio.create_task(smsc.serve())
        stack.callback(serving.cancel)
        router = await asyncio.to_thread(recorder.router, stack, text, tmp_path)
        await asyncio.to_thread(router.until_sent, 2)

        def heard() -> list[bytes]:
            with Peer(router.port) as client:
                client.bind("bank")
                return [receipt.short_message for receipt in client.hears_all(3)]

        said = await asyncio.to_thread(heard)
        queries = [f"query {one}" for one in ids]
        return smsc, said, await asyncio.to_thread(asked, stack, router, *queries)

    smsc, said, answers = run(campaign())
    # Over two binds, so in either order.
    assert sorted(one.short_message for one in smsc.submits) == [b"another text", b"text 2"]
    assert sum(b"stat:DELETED" in one for one in said) == 1
    assert sum(b"stat:DELIVRD" in one for one in said) == 2
    assert [standing(answer) for answer in answers] == [
        ("DELETED", True, 0),
        *[("DELIVERED", True, 0)] * 2,
    ]


@pytest.mark.shows(
    *("smpp.twisted3", "client", "transmitter", "submit", "query_sm", "cancel_sm"),
    *("refused requests", "unbind"),
)
def test_twisted_asks_about_what_waits(stack: ExitStack, tmp_path: Path) -> None:
    text = configuration(free_port(stack), JOURNAL)
    router = recorder.router(stack, text, tmp_path)
    steps = (
        *(f"submit {NUMBER} hello", "query -1", "cancel -2", "query -3"),
        *("query 4711", "cancel 4711"),
    )
    answers = asked(stack, router, *steps, script="twisted_requests.py")
    assert statuses(answers) == [*["ROK"] * 4, "RINVMSGID", "RINVMSGID"]
    assert standing(answers[1]) == ("ENROUTE", False, 0)
    assert standing(answers[3]) == ("DELETED", True, 0)


@pytest.mark.shows("node-smpp", "client", "data_sm", "query_sm", "cancel_sm")
def test_node_submits_by_data_sm_and_asks_about_it(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port(stack)
    router = recorder.router(stack, configuration(port, JOURNAL), tmp_path)
    steps = (f"data {NUMBER} hello", f"data {NUMBER} other", "query -2", "cancel -3", "query -4")
    answers = asked(stack, router, *steps)
    assert statuses(answers) == ["ROK"] * 5
    assert standing(answers[2]) == ("ENROUTE", False, 0)
    assert standing(answers[4]) == ("DELETED", True, 0)
    assert answers[0]["id"] != answers[1]["id"]
    stand.operator(stack, "--receipt-delay", "10ms", port=port)
    with Peer(router.port) as client:
        client.bind("bank")
        receipts = [sm.short_message for sm in client.hears_all(2)]
    said = {words[1]: one for one in receipts if (words := one.replace(b":", b" ").split())}
    of = {str(answers[n]["id"]).encode(): state for n, state in ((0, b"DELETED"), (1, b"DELIVRD"))}
    assert said.keys() == of.keys()
    assert all(b"stat:%b " % state in said[one] for one, state in of.items())


@pytest.mark.shows("smpplib", "client", "transceiver", "query_sm")
def test_smpplib_reads_the_answer_to_its_query(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port(stack)
    router = recorder.router(stack, configuration(port, JOURNAL), tmp_path)
    with Peer(router.port) as peer:
        peer.bind("bank")
        message_id = peer.submit(NUMBER, source=b"BANK").octets[16:-1]

    client = Client("127.0.0.1", router.port, DEADLINE_S, allow_unknown_opt_params=True)
    heard: list[Any] = []
    client.query_resp_handler = heard.append
    client.connect()
    stack.callback(client.disconnect)
    client.bind_transceiver(system_id="bank", password=PASSWORD)

    def state() -> tuple[int, bytes]:
        client.query_message(
            message_id=message_id.decode(),
            source_addr_ton=consts.SMPP_TON_ALNUM,
            source_addr_npi=0,
            source_addr="BANK",
        )
        client.read_once()
        pdu = heard.pop()
        assert pdu.message_id == message_id
        return pdu.message_state, pdu.final_date

    assert state() == (consts.SMPP_MESSAGE_STATE_ENROUTE, b"")
    stand.operator(stack, port=port)
    router.until_bound(BINDS)
    router.until_sent(1)
    accepted = consts.SMPP_MESSAGE_STATE_ACCEPTED  # Nobody asked for a receipt.
    until("it is over", lambda: state()[0] == accepted or None)
    assert state()[1].endswith(b"000+")
    assert client.unbind().command == "unbind_resp"
    client.state = consts.SMPP_CLIENT_STATE_OPEN


@pytest.mark.shows("node-smpp", "client", "cancel_sm", "query_sm")
def test_cancel_is_passed_on_to_an_operator_that_takes_it(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack, "--receipt-delay", "600s", "--cancel-sm", "100%")
    takes = ("    reconnect:", "    cancel_sm: true\n    reconnect:")
    router = recorder.router(stack, configuration(operator.port, JOURNAL, takes), tmp_path)
    router.until_bound(BINDS)
    (submitted,) = asked(stack, router, f"submit {NUMBER} hello")
    router.until_sent(1)
    answers = asked(stack, router, f"cancel {submitted['id']}", f"query {submitted['id']}")
    assert statuses(answers) == ["ROK", "ROK"]
    assert answers[1]["state"] in ("ENROUTE", "DELETED")  # Until, or after, the operator's receipt.
    with Peer(router.port) as client:
        client.bind("bank")
        (receipt,) = client.hears_all(1)
    assert b"stat:DELETED" in receipt.short_message
    router.child.stop()
    assert operator.totals()["asked"] == 1
