"""While one peer floods the router, another client is served, and memory does not grow."""

import pytest

from benchmarks.attacked import ATTACKS, MOST_GROWN_MB, Attack, under
from benchmarks.certificates import OPENSSL
from benchmarks.processes import number

SECONDS = 2
QUICK = {"client enquire_link", "stranger submit_sm", "operator deliver_sm"}


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(one, id=one.name, marks=[] if one.name in QUICK else [pytest.mark.long])
        for one in ATTACKS
    ],
)
def test_other_client_is_served_while_one_peer_floods(attack: Attack) -> None:
    if attack.tls and OPENSSL is None:
        pytest.skip("needs openssl to make a certificate")
    found = under(attack, SECONDS)
    assert found["refused"] == {}
    assert number(found, "flood_pdus_per_s") > 0
    assert number(found, "peak_grown_mb") <= MOST_GROWN_MB
