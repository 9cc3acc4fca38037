"""TLS of a listener: a certificate that may be replaced, and the names that clients show."""

import asyncio
import ssl
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple, cast

from router.smpp.link import Transport
from router.terms.certificate import expires_utc
from router.terms.settings import TlsSettings


class Loaded(NamedTuple):
    """A certificate and its key as they stood in their files."""

    context: ssl.SSLContext
    digest: bytes
    """Of the files and of what is asked of clients: whether it is another when it is read again."""
    expires_utc: float | None
    """When the first certificate of the chain expires; None where that cannot be read."""


def loaded(tls: TlsSettings) -> Loaded:
    """Read a certificate and its key, in any thread. Raises OSError that names the files."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        chain = tls.certificate.read_bytes()
        digest = sha256(chain)
        digest.update(sha256(tls.key.read_bytes()).digest())
    except OSError as error:
        what = f"{tls.certificate} and {tls.key} are no certificate and its key"
        raise about(error, what) from error
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
            digest.update(sha256(tls.client_ca.read_bytes()).digest())
        except OSError as error:
            raise about(error, f"{tls.client_ca} has no certificate of an authority") from error
        is_required = tls.client_certificate == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
        digest.update(tls.client_certificate.encode())
    return Loaded(context, digest.digest(), expires_utc(chain))


class Certificate:
    """The certificate of one listener. Each connection has the one that is in force when it comes.

    Another one comes with a context of its own. To load it into the old one would not do: were the
    second file of the two faulty, neither would be left; and what an earlier authority of clients
    has vouched for could go on by a resumed session.
    """

    def __init__(self, first: Loaded) -> None:
        self.now = first

    @property
    def expires_utc(self) -> float | None:
        """When the certificate in force expires; None where that cannot be read."""
        return self.now.expires_utc


def shown_names(transport: Transport) -> frozenset[str]:
    """Return the names of the certificate that the peer has shown, and that was verified.

    Those are its common names, and the DNS names and URIs among its alternative names; none without
    a certificate, and none where no authority of clients is configured.
    """
    peer = cast("asyncio.Transport", transport).get_extra_info("peercert")
    return names_of(peer or {})


def names_of(certificate: Mapping[str, object]) -> frozenset[str]:
    """Return the names of a certificate as `ssl.SSLSocket.getpeercert` tells of it."""
    found: set[str] = set()
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
    for part in subject:
        found |= {name for kind, name in part if kind == "commonName"}
    others = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    return frozenset(found | {name for kind, name in others if kind in ("DNS", "URI")})


def about(error: OSError, what: str) -> OSError:
    """Return the error with the file or key that it is about."""
    return OSError(error.errno, f"{what}: {error.strerror or error}")
