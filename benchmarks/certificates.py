"""A certificate for localhost that nobody else has signed, for tests that speak TLS."""

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")


def self_signed(folder: Path) -> Path:
    """`server.crt` for localhost and 127.0.0.1; its key, `server.key`, is beside it."""
    assert OPENSSL is not None
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "server.crt"


def authority(folder: Path, name: str = "clients") -> Path:
    """An authority that signs clients' certificates: `NAME.ca.crt`; its key is beside it."""
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-keyout", str(folder / f"{name}.ca.key"), "-out", str(folder / f"{name}.ca.crt")),
    )
    return folder / f"{name}.ca.crt"


def signed(
    authority: Path, file: str, common_name: str = "", alternatives: str = "", days: int = 2
) -> Path:
    """A certificate that the authority has signed: `FILE.crt`; its key, `FILE.key`, is beside it.

    `alternatives` are its alternative names as openssl writes them: `DNS:a,URI:b`.
    """
    folder = authority.parent
    crt, key, csr = (folder / f"{file}.{end}" for end in ("crt", "key", "csr"))
    subject = f"/O=test/CN={common_name}" if common_name else "/O=test"
    more = ("-addext", f"subjectAltName={alternatives}") if alternatives else ()
    _openssl(
        *("req", "-new", *_NEW_KEY, "-nodes", "-subj", subject, *more),
        *("-keyout", str(key), "-out", str(csr)),
    )
    _openssl(
        *("x509", "-req", "-in", str(csr), "-CA", str(authority), "-days", str(days)),
        *("-CAkey", str(authority.with_suffix(".key")), "-copy_extensions", "copy"),
        *("-out", str(crt)),
    )
    return crt


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def _openssl(*arguments: str) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True)
