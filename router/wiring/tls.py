"""TLS of a listener: a certificate that may be replaced, and what to do with a failed handshake.

The loop tells nobody of one, so it is noted where it happens. Who it was is not known there.
"""

import ssl
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from router.terms.certificate import expires_utc
from router.terms.settings import TlsSettings


class Loaded(NamedTuple):
    """A certificate and its key as they stood in their files."""

    context: ssl.SSLContext
    digest: bytes
    """Of the two files, to see whether one is another when they are read again."""
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
    return Loaded(context, digest.digest(), expires_utc(chain))


class Certificate:
    """The certificate of one listener. Each connection has the one that is in force when it comes.

    A listener keeps the context that it was opened with, so that context looks here at the start of
    each handshake. To load another certificate into it would not do: were the second file of the
    two faulty, neither would be left.
    """

    def __init__(self, first: Loaded, failed: Callable[[str], None]) -> None:
        """`failed` is told why a handshake failed."""
        self.now = first
        self.context: Final = first.context
        """For the listener."""
        self.context.sslobject_class = noting(failed)
        self.context.sni_callback = self._choose

    @property
    def expires_utc(self) -> float | None:
        """When the certificate in force expires; None where that cannot be read."""
        return self.now.expires_utc

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self.now.context


def noting(failed: Callable[[str], None]) -> type[ssl.SSLObject]:
    """Return the object for one TLS connection, which reports its failed handshake."""

    class Connection(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise  # The handshake goes on when more has come.
            except ssl.SSLError as error:
                failed(error.reason or type(error).__name__)
                raise

    return Connection


def about(error: OSError, what: str) -> OSError:
    """Return the error with the file or key that it is about."""
    return OSError(error.errno, f"{what}: {error.strerror or error}")
