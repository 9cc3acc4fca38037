"""An operator on smpp34, which others wrote, in Rust: the far end of tests with other clients."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

import smpp34
from smpp34 import Esme, SubmitSmEvent

from benchmarks.processes import DEADLINE_S
from benchmarks.stand import Router
from router.smpp import vocabulary as v
from tests.e2e.scene import configuration, free_port
from tests.interop import recorder

T = TypeVar("T")
BINDS: Final = 3
REFUSED: Final = "37255599999"


class Smsc:
    """An operator: takes messages, and delivers a receipt for each over any of its binds."""

    def __init__(self, port: int) -> None:
        self.server = smpp34.Server("127.0.0.1", port, system_id="rust")
        self.submits: list[SubmitSmEvent] = []
        self.refused_receipts = 0
        self.words: dict[str, tuple[str, ...]] = {}
        """By number, the states that its receipts report one after the other, if not DELIVRD."""
        self._binds: list[Esme] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, Esme):
                self._binds.append(event)
            elif isinstance(event, SubmitSmEvent):
                if event.destination_addr == REFUSED:
                    event.reject(v.ESME_RINVDSTADR)
                    continue
                self.submits.append(event)
                event.accept(f"R{len(self.submits)}")
                task = asyncio.create_task(self._receipt(event, f"R{len(self.submits)}"))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _receipt(self, submit: SubmitSmEvent, message_id: str) -> None:
        bind = self._binds[len(self.submits) % len(self._binds)]
        for word in self.words.get(submit.destination_addr, ("DELIVRD",)):
            answer = await bind.deliver_sm(
                submit.source_addr,
                f"id:{message_id} sub:001 dlvrd:001 submit date:2611260129 "
                f"done date:2611260130 stat:{word} err:000 text:".encode(),
                source_addr=submit.destination_addr,
                source_addr_ton=submit.dest_addr_ton,
                source_addr_npi=submit.dest_addr_npi,
                dest_addr_ton=submit.source_addr_ton,
                dest_addr_npi=submit.source_addr_npi,
                esm_class=4,
            )
            self.refused_receipts += not answer.is_success


async def between(stack: ExitStack, folder: Path, *changes: tuple[str, str]) -> tuple[Smsc, Router]:
    """An operator that serves, and a router, whose configuration is changed, with its binds up."""
    port = free_port(stack)  # Its server does not tell which one the kernel chose.
    smsc = Smsc(port)
    await smsc.server.start()
    serving = asyncio.create_task(smsc.serve())
    stack.callback(serving.cancel)
    router = await asyncio.to_thread(recorder.router, stack, configuration(port, *changes), folder)
    await asyncio.to_thread(router.until_bound, BINDS)
    return smsc, router


def run(coroutine: Coroutine[object, object, T]) -> T:
    """Run it to its end, which must come."""
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))
