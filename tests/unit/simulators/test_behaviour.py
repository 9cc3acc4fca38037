"""simulators/behaviour.py."""

from dataclasses import fields

import pytest

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from simulators import behaviour, cli
from simulators.behaviour import READERS, Behaviour
from simulators.ledger import Ledger
from simulators.units import UnitError


def test_every_field_has_a_reader_and_a_line_of_help_and_no_other_does() -> None:
    names = {field.name for field in fields(Behaviour)}
    assert names == set(READERS) == set(cli.EXAMPLES)


def test_receipts_read_alike_from_a_command_line_and_from_a_file() -> None:
    expected = ((State.DELIVERED, 98.0), (State.UNDELIVERABLE, 2.0))
    assert behaviour.receipts("delivered:98,failed:2") == expected
    assert behaviour.receipts({"delivered": 98, "failed": 2}) == expected


def test_none_is_a_receipt_that_never_comes() -> None:
    assert behaviour.receipts("none:1") == ((None, 1.0),)
    assert behaviour.receipts("none") == ((None, 1.0),)


@pytest.mark.parametrize(
    "value", ["delivrd:1", "delivered:x", "delivered:-1", "delivered:0", {}, "delivered", 3]
)
def test_receipts_that_make_no_sense_are_refused(value: object) -> None:
    with pytest.raises(UnitError):
        behaviour.receipts(value)


def test_longest_prefix_comes_first() -> None:
    found = behaviour.statuses_by_destination("37:ESME_RINVDSTADR,372599:0x400")
    assert found == ((b"372599", 0x400), (b"37", v.ESME_RINVDSTADR))
    states = behaviour.receipts_by_destination("37:delivered,372599:none")
    assert states == ((b"372599", None), (b"37", State.DELIVERED))


def test_texts_of_receipts_are_read_by_weight() -> None:
    assert behaviour.receipt_texts("usual:9,0x:1") == (("usual", 9.0), ("0x", 1.0))


@pytest.mark.parametrize("value", ["odd:1", "usual:0", "usual", {"ucs2": "x"}, 3])
def test_texts_of_receipts_that_make_no_sense_are_refused(value: object) -> None:
    with pytest.raises(UnitError):
        behaviour.receipt_texts(value)


def test_state_by_destination_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnitError, match="delivrd"):
        behaviour.receipts_by_destination("37:delivrd")


@pytest.mark.parametrize("key", ["binds_rate", "disconnect_every", "read_pause", "inbound"])
@pytest.mark.parametrize("off", ["off", False])
def test_off_ends_what_an_earlier_phase_began(key: str, off: object) -> None:
    assert READERS[key](off) is None


def test_shares_of_more_than_the_whole_are_refused() -> None:
    with pytest.raises(UnitError, match="100%"):
        behaviour.changed(Behaviour(silent=0.6), {"nack": 0.5})


@pytest.mark.parametrize(
    "value",
    [
        {"rate": "5/s", "to": "x"},
        {"text": "x"},
        {"rate": "5/s", "source": "x"},
        {"rate": "5/s", "text": "x" * 255},
        {"rate": "5/s", "text": "ж" * 128},
    ],
)
def test_subscribers_messages_that_make_no_sense_are_refused(value: object) -> None:
    with pytest.raises(UnitError):
        behaviour.inbound(value)


def test_manual_names_every_key_every_scenario_and_every_field_of_the_totals() -> None:
    manual = (cli.SCENARIOS.parent / "README.md").read_text(encoding="utf-8")
    scenarios = {path.stem for path in cli.SCENARIOS.glob("*.yaml")}
    fields_of_totals = set(Ledger(b"", 1).totals()) - {"event"}
    missing = {
        name for name in (*READERS, *scenarios, *fields_of_totals) if f"`{name}`" not in manual
    }
    assert not missing
