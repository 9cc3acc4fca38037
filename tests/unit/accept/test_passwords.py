"""router/accept/passwords.py: clear text and scrypt, and hashes that nobody should be made to run.

The test vectors are those of RFC 7914, section 12: the first 32 of their 64 octets, which are the
key of that length.
"""

import base64
import hashlib
from typing import Final

import pytest

from router.accept.passwords import check_hash, hash_password, is_hash, verify

SALT: Final = b"sixteen octets.."
KEY: Final = bytes(32)
RFC_NACL: Final = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
RFC_SODIUM: Final = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


def written(
    n: object = 16, r: object = 1, p: object = 1, salt: bytes = SALT, key: bytes = KEY
) -> str:
    """A hash with these parameters, right or wrong."""
    texts = [base64.b64encode(octets).decode() for octets in (salt, key)]
    return "$".join(["scrypt", str(n), str(r), str(p), *texts])


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password(b"secret01", SALT)


def test_password_fits_its_own_hash_and_no_other_does(hashed: str) -> None:
    assert is_hash(hashed)
    assert check_hash(hashed) is None
    assert verify(hashed, b"secret01")
    assert not verify(hashed, b"secret02")


def test_hash_shows_nothing_of_the_password(hashed: str) -> None:
    assert "secret01" not in hashed
    assert base64.b64encode(b"secret01").decode().rstrip("=") not in hashed


def test_another_salt_makes_another_hash(hashed: str) -> None:
    assert hash_password(b"secret01", SALT[::-1]).split("$")[-1] != hashed.split("$")[-1]


@pytest.mark.parametrize(
    ("password", "salt", "n", "p", "key"),
    [
        (b"password", b"NaCl", 1024, 16, RFC_NACL),
        (b"pleaseletmein", b"SodiumChloride", 16384, 1, RFC_SODIUM),
    ],
)
def test_vectors_of_the_rfc_are_met(password: bytes, salt: bytes, n: int, p: int, key: str) -> None:
    hashed = written(n, 8, p, salt, bytes.fromhex(key))
    assert check_hash(hashed) is None
    assert verify(hashed, password)
    assert not verify(hashed, password[:-1])


@pytest.mark.parametrize(
    "wrong", [b"", b"secret0", b"secret011", b"Secret01", b"secret01\0", b"\xff"]
)
def test_clear_text_fits_only_itself(wrong: bytes) -> None:
    assert not is_hash("secret01")
    assert verify("secret01", b"secret01")
    assert not verify("secret01", wrong)


def test_hash_itself_is_no_password() -> None:
    hashed = written(key=hashlib.scrypt(b"secret01", salt=SALT, n=16, r=1, p=1, dklen=32))
    assert verify(hashed, b"secret01")
    assert not verify(hashed, hashed.encode())


def test_clear_text_outside_ascii_is_compared_as_utf_8() -> None:
    assert verify("løsen", "løsen".encode())
    assert not verify("løsen", "løsen".encode("latin-1"))


@pytest.mark.parametrize(
    "malformed",
    [
        "scrypt$",
        "scrypt$16",
        "scrypt$16$1$1$c2FsdA==",
        written() + "$",
        written(n="x"),
        written(r="1.0"),
        written(p=""),
        written().replace("=", "é"),
        written().rstrip("="),
        written().replace("=", "*="),
        written(n="9" * 5000),
    ],
)
def test_malformed_hash_is_refused_with_what_to_do(malformed: str) -> None:
    assert is_hash(malformed)
    wrong = check_hash(malformed)
    assert wrong is not None
    assert "smpp-router hash-password" in wrong


@pytest.mark.parametrize(
    ("hostile", "says"),
    [
        (written(salt=b""), "no salt"),
        *[(written(n=n), "no power of two") for n in (3, 1000, 16383, 1, 0, -16, -1)],
        *[(written(r=r), "below 1") for r in (0, -1)],
        *[(written(p=p), "below 1") for p in (0, -1)],
        (written(n=2**16), "too large for its r"),
        (written(n=2**20, r=8), "256 MiB"),
        (written(n=2, r=2**21), "256 MiB"),
        (written(n=2**1000, r=8), "too large for its r"),
        (written(p=10**9), "too much time"),
        (written(p=10**30), "too much time"),
        (written(n=2**14, r=8, p=1000), "too much time"),
        (written(key=b""), "key of 0 octets"),
        (written(key=bytes(31)), "key of 31 octets"),
        (written(key=bytes(64)), "key of 64 octets"),
    ],
)
def test_hostile_hash_is_refused_with_its_fault(hostile: str, says: str) -> None:
    wrong = check_hash(hostile)
    assert wrong is not None
    assert says in wrong


@pytest.mark.parametrize(
    ("n", "r", "p"), [(2, 1, 1), (2**15, 1, 1), (2**14, 8, 5), (2**17, 8, 1), (2**18, 8, 2)]
)
def test_strong_hash_within_the_limits_is_accepted(n: int, r: int, p: int) -> None:
    assert check_hash(written(n, r, p)) is None


@pytest.mark.parametrize(("n", "r", "p"), [(2, 1, 1), (2**15, 1, 1), (2, 64, 3), (1024, 3, 2)])
def test_accepted_hash_can_be_run(n: int, r: int, p: int) -> None:
    assert check_hash(written(n, r, p)) is None
    assert not verify(written(n, r, p), b"secret01")
