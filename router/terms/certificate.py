"""When a certificate expires: the one field that the ssl module does not tell of our own.

Source: RFC 5280, 4.1 (Certificate, Validity); X.690 (DER).
"""

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Final

_PEM: Final = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END", re.DOTALL)
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_LONG: Final = 0x80
"""From here on the first octet of a length says how many follow."""


def expires_utc(pem: bytes) -> float | None:
    """Return when the first of the certificates of a chain to expire does, as Unix time.

    None if none can be read: whoever loads it for use says what is wrong.
    """
    found = []
    for written in _PEM.findall(pem):
        try:
            found.append(_not_after(b64decode(written)))
        except (ValueError, IndexError):
            continue
    return min(found, default=None)


def _not_after(der: bytes) -> float:
    """Return notAfter of one certificate. Raises ValueError, IndexError."""
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, rest = _element(signed)
    if tag == _VERSION:
        _, _, rest = _element(rest)
    for _ in ("signature", "issuer"):  # Behind the serial number.
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("no validity where it should be")
    _, _, rest = _element(validity)
    tag, written, _ = _element(rest)
    digits = written.decode("ascii")
    if tag == _UTC_TIME:  # Years 1950 to 2049, in two digits.
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and the content of the first element, and what follows it."""
    tag, length, begin = der[0], der[1], 2
    if length >= _LONG:
        begin += length - _LONG
        length = int.from_bytes(der[2:begin])
    end = begin + length
    if end > len(der):
        raise ValueError("an element ends behind the end")
    return tag, der[begin:end], der[end:]
