"""TLS of a listener: the certificate, and what to do with a failed handshake.

The loop tells nobody of one, so it is noted where it happens. Who it was is not known there.
"""

import ssl
from collections.abc import Callable

from router.terms.settings import ListenSettings


def context_of(
    listen: ListenSettings, path: str, failed: Callable[[str], None]
) -> ssl.SSLContext | None:
    """Return the TLS context; None without TLS. `failed` is told why a handshake failed.

    Raises OSError that names the setting, which stands at `path`.
    """
    tls = listen.tls
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = noting(failed)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        what = f"{path}: {tls.certificate} and {tls.key} are no certificate and its key"
        raise about(error, what) from error
    return context


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
