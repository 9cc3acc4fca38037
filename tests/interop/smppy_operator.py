"""An operator on smppy, which knows neither ids nor receipts nor refusals: PASSWORD.

It answers each message with a subscriber's. What it says is in scripts.py; of an answer to a
deliver_sm it can only say that it has read one. It reads one PDU at a time, whatever came with it.
"""

import asyncio
import json
import logging
import sys

from smppy import Application, SmppClient


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Answers(logging.Handler):
    """Its log is where answers are seen."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said.startswith("Command received") and said.endswith("deliver_sm_resp"):
            say("delivered")


class Operator(Application):  # type: ignore[misc]
    def __init__(self, password: str) -> None:
        super().__init__("smppy")
        self._password = password

    async def handle_bound_client(self, client: SmppClient) -> SmppClient | None:
        well = client.password == self._password
        say("bind", status="ESME_ROK" if well else "ESME_RBINDFAIL")
        return client if well else None

    async def handle_unbound_client(self, client: SmppClient) -> None:
        say("unbind")

    async def handle_sms_received(
        self, client: SmppClient, source_number: str, dest_number: str, text: str
    ) -> None:
        say("submit", number=dest_number, text=text)
        await client.send_sms(dest_number, source_number, "hello")


def main(password: str) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: say("error", what=repr(context)))
    app = Operator(password)
    app.logger.setLevel(logging.DEBUG)
    app.logger.addHandler(Answers())
    server = app.create_server(loop, "127.0.0.1", 0)
    say("listening", port=server.sockets[0].getsockname()[1])
    loop.run_forever()


main(*sys.argv[1:])
