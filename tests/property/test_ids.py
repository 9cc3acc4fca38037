"""router/enqueue/ids.py: whatever the number and the form, a client's id finds its message."""

from hypothesis import given
from hypothesis import strategies as st

from router.enqueue.ids import client_id_of, in_receipt, router_id_of
from router.terms.names import RouterId
from router.terms.settings import ClientIdForm, MessageIdForms

MOST = 10**15 - 1
FORMS: st.SearchStrategy[ClientIdForm] = st.sampled_from(("decimal", "hex", "uuid", "hex8"))
EXACT: st.SearchStrategy[ClientIdForm] = st.sampled_from(("decimal", "hex", "uuid"))
numbers = st.integers(10**13, MOST).map(RouterId)


@given(st.integers(0, MOST).map(RouterId), EXACT, st.integers(0, MOST).map(RouterId))
def test_an_id_is_found_again_in_any_form(
    number: RouterId, form: ClientIdForm, latest: RouterId
) -> None:
    assert router_id_of(client_id_of(number, form), form, latest) == number


@given(st.integers(0, MOST), st.integers(0, 2**32 - 1))
def test_the_newest_with_the_same_eight_digits_is_found(number: int, since: int) -> None:
    one, latest = RouterId(number), RouterId(number + since * 100)
    found = router_id_of(client_id_of(one, "hex8"), "hex8", latest)
    assert found == one


@given(st.integers(0, MOST).map(RouterId), st.integers(0, MOST).map(RouterId), FORMS)
def test_two_numbers_have_one_id_only_where_eight_digits_repeat(
    one: RouterId, other: RouterId, form: ClientIdForm
) -> None:
    same = client_id_of(one, form) == client_id_of(other, form)
    if form == "hex8":
        assert same == ((one // 100 - other // 100) % 2**32 == 0)
    else:
        assert same == (one == other)


@given(st.binary(max_size=70), FORMS, numbers)
def test_any_octets_are_an_id_or_none(said: bytes, form: ClientIdForm, latest: RouterId) -> None:
    found = router_id_of(said, form, latest)
    if found is not None:
        assert router_id_of(client_id_of(found, form), form, latest) == found


@given(numbers, st.integers(0, 254), FORMS, FORMS, FORMS)
def test_an_id_in_a_receipt_is_one_that_the_client_can_know(
    first: RouterId, place: int, told: ClientIdForm, response: ClientIdForm, receipt: ClientIdForm
) -> None:
    """`told` was the form when the message was answered, and may have changed since."""
    client_id = client_id_of(first, told)
    later = RouterId(first + place * 100)
    written = in_receipt(client_id, later, MessageIdForms(response=response, receipt=receipt))
    if told != response or response == receipt:
        assert written == client_id
    elif told != "hex8":
        assert written == client_id_of(first, receipt)
