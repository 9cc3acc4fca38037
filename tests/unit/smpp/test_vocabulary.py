"""router/smpp/vocabulary.py: words as in the specification, and a name for every number."""

import pytest

from router.smpp import vocabulary as v

OURS = {name: value for name, value in vars(v).items() if isinstance(value, int)}
ESME = {name: value for name, value in OURS.items() if name.startswith("ESME_")}


def test_statuses_are_those_of_the_specification() -> None:
    assert {name: v.STATUS_BY_NAME[name] for name in ESME} == ESME


def test_every_status_has_one_name() -> None:
    assert {v.STATUS_BY_NAME[name]: name for name in v.STATUS_BY_NAME} == v.STATUS_NAMES


@pytest.mark.parametrize(
    "request_id", [id_ for id_ in range(0x200) if v.command_name(id_)[:2] != "0x"]
)
def test_response_is_named_after_its_request(request_id: int) -> None:
    name = v.command_name(request_id)
    response = v.command_name(request_id | v.RESPONSE)
    if request_id in (v.OUTBIND, v.ALERT_NOTIFICATION):
        assert response.startswith("0x")  # They have none.
    elif request_id < 0x110:
        assert response == f"{name}_resp"


def test_responses_are_their_requests_with_the_bit() -> None:
    for name, value in OURS.items():
        if name.endswith("_RESP"):
            assert value == OURS[name.removesuffix("_RESP")] | v.RESPONSE
    assert v.GENERIC_NACK == v.RESPONSE


@pytest.mark.parametrize(
    ("command_id", "name"),
    [
        (v.SUBMIT_SM, "submit_sm"),
        (v.SUBMIT_SM_RESP, "submit_sm_resp"),
        (v.BROADCAST_SM, "broadcast_sm"),
        (v.GENERIC_NACK, "generic_nack"),
        (0x00010203, "0x00010203"),
        (0xFFFFFFFF, "0xFFFFFFFF"),
    ],
)
def test_every_command_has_a_word_or_a_number(command_id: int, name: str) -> None:
    assert v.command_name(command_id) == name


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0, "ESME_ROK"),
        (0x58, "ESME_RTHROTTLED"),
        (0x401, "0x00000401"),
        (0x4FF, "0x000004FF"),
        (0x500, "other"),
        (0xFFFFFFFF, "other"),
    ],
)
def test_every_status_has_a_word_a_number_or_other(status: int, name: str) -> None:
    assert v.status_name(status) == name


def test_names_of_statuses_are_few() -> None:
    """They are labels of metrics; a peer must not be able to invent new ones for ever."""
    assert len({v.status_name(status) for status in range(0, 100_000, 7)} | {"other"}) < 1300
