"""router/settings/declared.py: types and texts of fields, as an interpreted class tells them."""

from dataclasses import is_dataclass
from typing import get_type_hints

import pytest

from router.settings.declared import texts_of, types_of
from router.telemetry.core import INTERPRETED, running
from router.terms import settings

CLASSES = [
    one
    for one in vars(settings).values()
    if is_dataclass(one) and isinstance(one, type) and one.__module__ == settings.__name__
]


@pytest.mark.skipif(running() != INTERPRETED, reason="a compiled class does not keep its types")
@pytest.mark.parametrize("part", CLASSES)
def test_types_are_those_of_the_class(part: type) -> None:
    assert types_of(part) == get_type_hints(part)
    assert list(types_of(part)) == list(get_type_hints(part))


def test_text_is_what_stands_below_a_field() -> None:
    texts = texts_of(settings.TlsSettings)
    assert texts == {
        "": "A certificate for a listener.",
        "certificate": "The certificate chain, PEM.",
        "key": "Its private key, PEM.",
        "client_ca": (
            "Authorities that may have signed the certificates of clients, PEM. Without this key "
            "no client is asked for a certificate."
        ),
        "client_certificate": (
            "With `client_ca`: whether a client without a certificate may connect. With `optional` "
            "only accounts with a `certificate` need one; a certificate that is shown has to be "
            "good all the same."
        ),
    }


def test_text_of_several_lines_is_one_line() -> None:
    assert "\n" not in texts_of(settings.JournalSettings)["keep_records_s"]
