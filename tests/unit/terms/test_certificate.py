"""router/terms/certificate.py: notAfter, of certificates that openssl has made."""

import pytest

from router.terms.certificate import expires_utc

SOON = (
    "MIIBbDCCAROgAwIBAgIUYyNvvU0StnYBFwvBBO5zQWCmhnYwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwB"
    "YTAeFw0yNjExMjkxNzUwMDVaFw0yNjEyMDExNzUwMDVaMAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIB"
    "BggqhkjOPQMBBwNCAARUU7PO0LHEPv/cmhXvYd6eefTQAAi1ldsxxUzfLNsw419+IrxWiDlSaenZCAaL"
    "RpWKOg/9KQPIOdQenKC3yPKZo1MwUTAdBgNVHQ4EFgQUB45NgGaCPEt+qG/NaJz01xSQnTEwHwYDVR0j"
    "BBgwFoAUB45NgGaCPEt+qG/NaJz01xSQnTEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBE"
    "AiBZMcrSu9p0nk+7pRooUepYxn+KK8nXctX3aUZ5Tt7gfgIgVOnBDidkJfnEPBwA8gzchi4qjuAjEkOc"
    "orpBqWU6D28="
)
"""`openssl req -x509 -newkey ec -days 2`: its time has a year of two digits."""
LATE = (
    "MIIBbzCCARWgAwIBAgIULK9pllfnR9HqgGl05g3ElTyxyAgwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwB"
    "YjAgFw0yNjExMjkxNzUxMDlaGA8yMDgxMDkwMTE3NTEwOVowDDEKMAgGA1UEAwwBYjBZMBMGByqGSM49"
    "AgEGCCqGSM49AwEHA0IABPoHkf4z+3VqHJF9l8Jf0GYFMEJNbGc+jlwmwY7l1Vns/x2NCGicSbd8Slea"
    "b/MQ8e15DbwB5T68VATNV65ysiWjUzBRMB0GA1UdDgQWBBSDG9ZYv5pSvQ8//NfqiHD4KQeomjAfBgNV"
    "HSMEGDAWgBSDG9ZYv5pSvQ8//NfqiHD4KQeomjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA"
    "MEUCIAT9EmAX2Qy4PZt5v0UZ4iAkPvFuXjYf1KKA12k/RgyGAiEA/5PmzLi1yigT3+l8mpi+RTqYos08"
    "jIa12Wcx9JrWtM0="
)
"""The same with `-days 20000`: a year of four digits."""
SOON_UTC, LATE_UTC = 1_796_147_405.0, 3_523_974_669.0
"""As `openssl x509 -enddate` says."""


def pem(*bodies: str) -> bytes:
    """A file of certificates, as openssl writes them, and some text that people add."""
    lines = []
    for body in bodies:
        lines += ["subject=CN = a", "-----BEGIN CERTIFICATE-----"]
        lines += [body[at : at + 64] for at in range(0, len(body), 64)]
        lines += ["-----END CERTIFICATE-----", ""]
    return "\n".join(lines).encode()


def test_time_is_as_openssl_says() -> None:
    assert expires_utc(pem(SOON)) == SOON_UTC
    assert expires_utc(pem(LATE)) == LATE_UTC


@pytest.mark.parametrize("chain", [(SOON, LATE), (LATE, SOON)])
def test_chain_holds_until_its_first_certificate_expires(chain: tuple[str, str]) -> None:
    assert expires_utc(pem(*chain)) == SOON_UTC


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"no certificate",
        pem(""),
        pem("AAAA"),
        pem("MIIB"),
        pem("x" * 7),
        pem(SOON[:200]),
        pem(LATE[:64] + LATE[128:]),
    ],
)
def test_what_cannot_be_read_has_no_time(octets: bytes) -> None:
    assert expires_utc(octets) is None


def test_a_damaged_certificate_does_not_hide_the_others() -> None:
    assert expires_utc(pem(SOON[:200], LATE)) == LATE_UTC


def test_no_octets_make_it_fail() -> None:
    whole = pem(SOON)
    for at in range(len(whole)):
        expires_utc(whole[:at] + b"A" + whole[at + 1 :])
