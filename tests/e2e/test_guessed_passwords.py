"""Who guesses a password that is kept as a hash locks nobody out: real threads, real hashes."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import stand
from router.accept.passwords import hash_password
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, changed, configuration

GUESSERS: Final = 20
ELSEWHERE: Final = "127.0.0.66"


def test_guesses_lock_neither_the_client_nor_other_clients_out(
    stack: ExitStack, tmp_path: Path
) -> None:
    hashes = [hash_password(word, os.urandom(16)) for word in (b"secret01", b"secret02")]
    text = changed(
        configuration(1),
        ("bank: {password: secret01", f"bank: {{password: {hashes[0]}"),
        ("shop: {password: secret01", f"shop: {{password: {hashes[1]}"),
        ("max_binds: 20", "max_binds: 1"),
        ("bind_timeout: 2s", "bind_timeout: 1m"),  # A slow machine may take long for 20 hashes.
    )
    router = stand.router(stack, text, tmp_path)
    guessers = [stack.enter_context(Peer(router.port, source=ELSEWHERE)) for _ in range(GUESSERS)]
    for number, guesser in enumerate(guessers):
        name = b"bank" if number % 4 else b"nobody"
        guesser.send(p.bind(v.BIND_TRANSCEIVER, 1, system_id=name, password=b"wrong"))

    with Peer(router.port) as bank, Peer(router.port) as shop, Peer(router.port) as another:
        assert bank.bind("bank", "secret01").command_status == v.ESME_ROK
        assert shop.bind("shop", "secret02").command_status == v.ESME_ROK
        assert another.bind("bank", "secret01").command_status == v.ESME_RBINDFAIL

    statuses = {one.hears(v.BIND_TRANSCEIVER | v.RESPONSE).command_status for one in guessers}
    assert statuses == {v.ESME_RINVPASWD}
    failed = router.samples().by("reason", "failed_binds_total")
    assert failed.pop("too_many_binds") == 1
    # Behind ten wrong ones the others are not compared any more, and hear the same.
    assert failed.keys() <= {"wrong_credentials", "blocked"}
    assert sum(failed.values()) == GUESSERS
