"""Passwords of clients: clear text or scrypt, compared in constant time.

A hash is written `scrypt$N$r$p$salt$key`, salt and key in base64. scrypt takes tens of
milliseconds and 16 MiB by design, so `verify` for a hash belongs in a thread.

Source: RFC 7914; the parameters are those that OWASP recommends for interactive logins.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

_N: Final = 2**14
_R: Final = 8
_P: Final = 5
_SALT_OCTETS: Final = 16
_KEY_OCTETS: Final = 32
_MOST_MEMORY_OCTETS: Final = 256 * 1024 * 1024
"""Memory that a hash in a configuration may ask for; a hash that asks for more is refused."""
_MOST_WORK: Final = 2**22
"""N x r x p of a hash in a configuration, at most: six times that of our own hashes, a few seconds.
With more, the client would no longer wait for the answer, and would keep the threads that check
passwords busy for all others."""


def is_hash(password: str) -> bool:
    """Return whether a configured password is a hash rather than clear text."""
    return password.startswith("scrypt$")


def hash_password(password: bytes, salt: bytes) -> str:
    """Return the hash to write into a configuration. `salt` is 16 random octets."""
    key = _derive(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${_b64(salt)}${_b64(key)}"


def check_hash(configured: str) -> str | None:
    """Return what is wrong with a hash in a configuration; None if it can be used."""
    try:
        salt, key, n, r, p = _parse(configured)
    except (ValueError, binascii.Error):
        return "is not of the form scrypt$N$r$p$salt$key; use `smpp-router hash-password`"
    if not salt or n & (n - 1) or n < 2:
        return "has no salt, or an N that is no power of two"
    if r < 1 or p < 1 or n.bit_length() > 16 * r:
        return "has an r or p below 1, or an N too large for its r"
    if len(key) != _KEY_OCTETS:
        return f"has a key of {len(key)} octets instead of {_KEY_OCTETS}: no password would fit"
    if 128 * n * r > _MOST_MEMORY_OCTETS:
        return "asks for more than 256 MiB of memory"
    if n * r * p > _MOST_WORK:
        return f"asks for too much time: N x r x p is more than {_MOST_WORK:_}"
    return None


def verify(configured: str, password: bytes) -> bool:
    """Return whether the password fits; slow where `configured` is a hash."""
    if not is_hash(configured):
        return hmac.compare_digest(configured.encode(), password)
    salt, key, n, r, p = _parse(configured)
    return hmac.compare_digest(_derive(password, salt, n, r, p), key)


def _derive(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password, salt=salt, n=n, r=r, p=p, maxmem=2 * _MOST_MEMORY_OCTETS, dklen=_KEY_OCTETS
    )


def _parse(configured: str) -> tuple[bytes, bytes, int, int, int]:
    _, n, r, p, salt, key = configured.split("$")
    decode = base64.b64decode
    return decode(salt, validate=True), decode(key, validate=True), int(n), int(r), int(p)


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
