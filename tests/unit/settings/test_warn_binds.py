"""router/settings/warn_binds.py: binds that look like copies of each other by mistake."""

from dataclasses import replace
from typing import Final

import pytest

from router.settings.load import warnings
from router.settings.mistakes import Mistake
from tests.unit.settings.configurations import SMALL, changed, loaded

BIND: Final = '{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}'
COPY: Final = BIND.replace("t1", "e1")
OUTBIND: Final = (
    '{name: t1, outbind: {listen: "127.0.0.1:0", system_id: x, password: y}, system_id: a,'
    " password: b, rate: 50/s}"
)


def with_binds(*telia: str, elisa: tuple[str, ...] = ()) -> str:
    """A configuration with these binds of one operator or of two."""
    text = changed(SMALL, ("memory:", "sqlite:///r.db"), (f"[{BIND}]", f"[{', '.join(telia)}]"))
    if not elisa:
        return text
    other = f"  elisa:\n    binds: [{', '.join(elisa)}]\n"
    to_both = '{destination: "", to: [telia, elisa]}'
    return changed(
        text, ('{destination: "", to: [telia]}', to_both), ("routes:", other + "routes:")
    )


def told(text: str) -> list[Mistake]:
    return warnings(loaded(text))


def test_equal_binds_of_one_operator_are_how_capacity_is_bought() -> None:
    assert told(with_binds(*(BIND.replace("t1", f"t{number}") for number in range(30)))) == []
    outbinds = (OUTBIND.replace("t1", f"t{number}") for number in range(30))
    assert told(with_binds(*outbinds)) == []


def test_equal_binds_of_two_operators_are_one_warning_with_both_places() -> None:
    more = COPY.replace("e1", "e2")
    (warning,) = told(with_binds(BIND, BIND.replace("t1", "t2"), elisa=(COPY, more)))
    assert (warning.line, warning.path) == (10, "operators.elisa.binds[0].name")
    before, _, after = warning.message.partition(" (")
    assert before == "operators.telia.binds[0]"
    assert after.partition("router.yaml:8)")[2] == (
        " binds to the same address with the same system_id and type: each operator is paced for "
        "itself, so together they can exceed the contract; receipts of one may come to the other, "
        "which does not know their messages"
    )


@pytest.mark.parametrize(
    ("kind", "says", "says_not"),
    [
        ("type: transmitter, rate: 50/s", "the contract", "receipts"),
        ("type: receiver", "receipts", "the contract"),
    ],
)
def test_what_may_happen_depends_on_the_type(kind: str, says: str, says_not: str) -> None:
    equal = [changed(one, ("rate: 50/s", kind)) for one in (BIND, COPY)]
    # So that each operator sends and receives.
    own = [BIND.replace("t1", f"own{at}").replace("0.1:1", f"0.{at}:1") for at in (2, 3)]
    (warning,) = told(with_binds(equal[0], own[0], elisa=(equal[1], own[1])))
    assert says in warning.message
    assert says_not not in warning.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"127.0.0.1:1"', '"127.0.0.1:2"'),
        ('"127.0.0.1:1"', '"127.0.0.2:1"'),
        ("system_id: a", "system_id: A"),
        ("rate:", "type: transmitter, rate:"),
        ("rate:", "system_type: WEB, rate:"),
    ],
)
def test_binds_of_two_operators_that_differ_are_no_warning(old: str, new: str) -> None:
    receives = '{name: e2, address: "127.0.0.9:1", system_id: a, password: b, type: receiver}'
    assert told(with_binds(BIND, elisa=(changed(COPY, (old, new)), receives))) == []


def test_receivers_of_two_operators_may_each_have_numbers_of_their_own() -> None:
    shared = '{name: %s, address: "127.0.0.3:1", system_id: a, password: b, type: receiver}'
    own = [shared.replace("type", f'address_range: "^1230{n}$", type') for n in (1, 2)]
    other = COPY.replace("0.1:1", "0.2:1")
    assert told(with_binds(BIND, own[0] % "r1", elisa=(other, own[1] % "r2"))) == []
    assert len(told(with_binds(BIND, own[0] % "r1", elisa=(other, own[0] % "r2")))) == 1


def test_one_of_several_addresses_is_enough_and_a_host_has_no_case() -> None:
    telia = BIND.replace('"127.0.0.1:1"', "[SMSC.example:1, b.example:1]")
    elisa = COPY.replace('"127.0.0.1:1"', "[c.example:1, b.example:1, smsc.example:1]")
    (warning,) = told(with_binds(telia, elisa=(elisa,)))
    assert warning.path == "operators.elisa.binds[0].name"


def test_outbinds_of_two_operators_have_to_be_told_apart() -> None:
    copy = OUTBIND.replace("t1", "e1")
    (warning,) = told(with_binds(OUTBIND, elisa=(copy,)))
    assert "which of the two operators is calling cannot be told" in warning.message
    assert told(with_binds(OUTBIND, elisa=(changed(copy, ("password: y", "password: z")),))) == []
    assert told(with_binds(OUTBIND, elisa=(changed(copy, ("system_id: x", "system_id: z")),))) == []


def test_other_password_for_the_same_system_id_is_one_warning_without_any_of_them() -> None:
    names = ["t2", "t3", "t4"]
    others = [BIND.replace("t1", name).replace("password: b", "password: Zq7w") for name in names]
    (warning,) = told(with_binds(BIND, *others))
    assert (warning.line, warning.path) == (8, "operators.telia.binds[1].password")
    assert "differs from that of operators.telia.binds[0] (" in warning.message
    assert "Zq7w" not in str(warning)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"127.0.0.1:1"', '"127.0.0.1:2"'),
        ("system_id: a", "system_id: b"),
        ("rate:", "system_type: WEB, rate:"),
    ],
)
def test_other_password_for_something_else_is_no_warning(old: str, new: str) -> None:
    other = BIND.replace("t1", "t2").replace("password: b", "password: c")
    assert told(with_binds(BIND, changed(other, (old, new)))) == []


def test_address_that_is_bound_to_with_and_without_tls_is_one_warning() -> None:
    others = [BIND.replace("t1", name).replace("rate", "tls: true, rate") for name in ("t2", "t3")]
    (warning,) = told(with_binds(BIND, *others))
    assert warning.path == "operators.telia.binds[1].name"
    assert warning.message.startswith(
        "it binds with TLS to an address to which operators.telia.binds[0] ("
    )
    assert warning.message.endswith(" binds without: one of the two will fail")
    assert told(with_binds(*others)) == []


def test_settings_made_without_files_are_compared_too() -> None:
    settings = loaded(with_binds(BIND, elisa=(COPY,)))
    (warning,) = warnings(replace(settings, places={}))
    assert warning.message.startswith("operators.telia.binds[0] binds to the same address")


def test_value_of_the_environment_is_in_no_warning() -> None:
    values = {"name": "Zq7w1", "address": "Zq7w2:1", "system_id": "Zq7w3", "password": "Zq7w4"}
    bind = ", ".join([*(f"{key}: '${{{key}}}'" for key in values), "rate: 50/s"])
    copy = changed(bind, ("${name}", "e1"))
    text = with_binds(
        f"{{{bind}}}", elisa=(f"{{{copy}}}", f"{{{copy.replace('e1', 'e2')}, tls: true}}")
    )
    found = warnings(loaded(text, values))
    assert len(found) == 2
    assert "Zq7w" not in "".join(map(str, found))
