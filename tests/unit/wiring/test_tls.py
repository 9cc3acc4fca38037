"""router/wiring/tls.py: which names a client's certificate has."""

import pytest

from router.wiring.tls import names_of


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        ({}, set()),
        ({"subject": ((("organizationName", "Bank"),), (("commonName", "bank"),))}, {"bank"}),
        ({"subject": ((("commonName", "a"), ("commonName", "b")),)}, {"a", "b"}),
        (
            {
                "subject": ((("commonName", "bank"),),),
                "subjectAltName": (
                    ("DNS", "bank.example"),
                    ("URI", "urn:smpp:bank"),
                    ("IP Address", "192.0.2.1"),
                    ("email", "a@bank.example"),
                    ("DirName", ((("commonName", "another"),),)),
                ),
            },
            {"bank", "bank.example", "urn:smpp:bank"},
        ),
    ],
)
def test_names_are_common_names_and_those_of_dns_and_uris(
    certificate: dict[str, object], names: set[str]
) -> None:
    assert names_of(certificate) == names
