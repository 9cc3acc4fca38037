"""simulators/ids.py."""

import pytest

from simulators.ids import LARGEST, SMALLEST, IdForms, MessageIds, id_forms
from simulators.units import UnitError


def test_hex_is_hexadecimal_in_responses_and_decimal_in_receipts() -> None:
    assert id_forms("hex") == id_forms("hex/decimal") == IdForms("hex", "decimal")


def test_both_ways_have_one_number() -> None:
    # The pair that an operator's users have seen.
    assert MessageIds(870928761).take(id_forms("hex")) == (b"33E95179", b"870928761")
    assert MessageIds(870928761).take(id_forms("decimal/hex")) == (b"870928761", b"33E95179")


@pytest.mark.parametrize("form", ["decimal", "text", "hex/hex"])
def test_other_forms_are_the_same_on_both_ways(form: str) -> None:
    in_response, in_receipt = MessageIds(SMALLEST).take(id_forms(form))
    assert in_response == in_receipt


@pytest.mark.parametrize("form", ["decimal", "text", "hex", "hex/hex"])
@pytest.mark.parametrize("first", [SMALLEST, 0x1FFF_FFF0, LARGEST])
def test_no_id_comes_twice(form: str, first: int) -> None:
    ids = MessageIds(first)
    taken = [ids.take(id_forms(form)) for _ in range(100)]
    assert len({a for a, _ in taken}) == len({b for _, b in taken}) == 100


@pytest.mark.parametrize("form", ["uuid", "", "hex/text", "text/decimal", "decimal/", 7])
def test_form_that_does_not_exist_is_refused(form: object) -> None:
    with pytest.raises(UnitError):
        id_forms(form)
