"""Sources of the server's certificate: files named in the settings, or the state folder.

Everything here blocks on the disk: call it on a native thread once the server runs.
"""

import datetime
import os
import shlex
import ssl
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from server.errors import ConfigError
from server.users.private import PrivateFile, explain

if TYPE_CHECKING:
    from server.web.edge.certificate import Certificate

__all__ = ["MAX_HOSTS", "GivenCertificate", "OwnCertificate", "make_context"]

# Renewed this long before it expires.
RENEW_DAYS = 30

# A certificate that is not valid yet was made while the clock was ahead; or the clock is now
# behind, as at the boot of a machine without a battery. After this time, assume the former.
EARLY_S = 86400.0

# No machine has more names and addresses; earlier ones stay while there is room.
MAX_HOSTS = 64

MAX_FILE_BYTES = 1024 * 1024

# For TLS 1.2, only ciphers with forward secrecy and authenticated encryption, as all of TLS 1.3.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class GivenCertificate:
    """The certificate named by ``tls_cert`` and ``tls_key``.

    Args:
        cert: Path of a PEM file with the certificate and its chain.
        key: Path of a PEM file with the key; None if it is in ``cert``.
    """

    self_made = False

    def __init__(self, cert: str, key: str | None) -> None:
        self._cert, self._key = cert, key
        self._seen: list[tuple[int, ...] | None] = []
        self.is_there = True  # If not, load() raises the reason.

    def refresh(self) -> bool:
        """Return whether one of the files has been replaced or changed."""
        seen = [_signature(path) for path in (self._cert, self._key or self._cert)]
        changed, self._seen = seen != self._seen, seen
        return changed

    def load(self) -> tuple[ssl.SSLContext, "Certificate"]:
        """Load the files as they are now.

        Raises:
            ConfigError: If they cannot be used; names the file, the fault and the way out.
        """
        from server.web.edge.certificate import read_certificate

        context = make_context()
        pem = _read("tls_cert", self._cert)
        if b"-----BEGIN CERTIFICATE-----" not in pem:
            raise ConfigError(
                f"tls_cert = {self._cert!r} contains no certificate; accepted: a file in PEM with "
                "the server's certificate, followed by its chain"
            )
        setting = "tls_cert" if self._key is None else "tls_key"
        path = self._key or self._cert
        key = pem if self._key is None else _read("tls_key", path)
        if b"PRIVATE KEY-----" not in key:
            also = ", and tls_key is not set" if self._key is None else ""
            raise ConfigError(
                f"{setting} = {path!r} contains no private key{also}; accepted: tls_key with the "
                "path of the key in PEM, or a tls_cert that contains both"
            )
        if b"ENCRYPTED" in key:
            raise ConfigError(
                f"{setting} = {path!r} contains a key with a passphrase, which nobody can type "
                "when the server starts; accepted: a key without one, as written by "
                f"`openssl pkey -in {shlex.quote(path)} -out NEW`"
            )
        try:
            certificate = read_certificate(pem)
            context.load_cert_chain(self._cert, path, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigError(
                    f"{setting} = {path!r} does not belong to tls_cert = {self._cert!r}; "
                    "accepted: the key for which the certificate was made"
                ) from error
            reason = (error.reason or "not readable").replace("_", " ").lower()
            raise ConfigError(
                f"tls_cert = {self._cert!r} with its key cannot be used ({reason}); accepted: "
                "a certificate and its key in PEM"
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"tls_cert = {self._cert!r} cannot be used ({error}); accepted: a certificate in "
                "PEM, followed by its chain"
            ) from error
        return context, certificate


class OwnCertificate:
    """A certificate that the server creates and keeps in its state folder.

    It is renewed before it expires, and when the machine gets a name or address that is not in it.
    The key stays the same, so that clients that pinned it still accept it. Users have to accept
    each new certificate in their browsers again; to renew rarely, it keeps the hosts of the
    previous one.

    Args:
        folder: The state folder.
        hosts: Returns the names and addresses it must contain.
        now: Returns the time.
        steady: Returns monotonic seconds.
    """

    self_made = True

    def __init__(
        self,
        folder: Path,
        hosts: Callable[[], Iterable[str]],
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cert = PrivateFile(folder / "tls-cert.pem")
        self._key = PrivateFile(folder / "tls-key.pem")
        self._hosts, self._now, self._steady = hosts, now, steady
        self._early_at: float | None = None  # When it was first found not valid yet.
        self._loaded = b""

    @property
    def is_there(self) -> bool:
        """Whether there is a certificate that can be loaded."""
        return bool(self._loaded)

    def refresh(self) -> bool:
        """Create a certificate if needed; return whether there is a new one.

        Raises:
            ConfigError: If the state folder cannot be used; an existing certificate can still be
                loaded.
        """
        from server.web.edge.certificate import is_key, make_key, owns

        before, file = self._loaded, self._key
        try:
            key = file.read() or b""
            if not is_key(key):
                key = make_key()
                file.replace(key)
            file = self._cert
            old = file.read() or b""
            owned = owns(key, old)
            if owned:
                self._loaded = old
            new = self._renew(key, old if owned else b"")
            if new != old:
                file.replace(new)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(file.path)!r} cannot be used ({explain(error, file.path)}); "
                "accepted: a folder whose files can be read and written"
            ) from error
        self._loaded = new
        return new != before

    def load(self) -> tuple[ssl.SSLContext, "Certificate"]:
        """Return the certificate that :meth:`refresh` has found or created."""
        from server.web.edge.certificate import read_certificate

        context = make_context()
        context.load_cert_chain(self._cert.path, self._key.path, password="")
        return context, read_certificate(self._loaded)

    def _renew(self, key: bytes, pem: bytes) -> bytes:
        """Return the certificate, or a new one if it is missing or needs renewal."""
        from server.web.edge.certificate import certifiable, make_certificate, read_certificate

        needed = certifiable(self._hosts())[:MAX_HOSTS]
        now = self._now()
        before: frozenset[str] = frozenset()
        if pem:
            certificate = read_certificate(pem)
            before = certificate.hosts
            left = certificate.ends - now
            lasts = left > datetime.timedelta(days=RENEW_DAYS)
            if (
                before.issuperset(needed)
                and lasts
                and not self._has_long_been_early(certificate.begins > now)
            ):
                return pem
        hosts = [*needed, *sorted(before.difference(needed))]
        return make_certificate(key, hosts[:MAX_HOSTS], now)

    def _has_long_been_early(self, early: bool) -> bool:
        if not early:
            self._early_at = None
            return False
        if self._early_at is None:
            self._early_at = self._steady()
        return self._steady() - self._early_at > EARLY_S


def make_context() -> ssl.SSLContext:
    """Return a context, without a certificate yet, for TLS 1.2 and 1.3 and HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # Let clients choose the cipher: they know whether their processor accelerates AES.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _read(setting: str, path: str) -> bytes:
    try:
        # Non-blocking, because opening a pipe would block forever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(MAX_FILE_BYTES)
            reason = "it is not a regular file"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ConfigError(
        f"{setting} = {path!r} cannot be read ({reason}); accepted: the path of a file in PEM that "
        "the server's account may read"
    )


def _signature(path: str) -> tuple[int, ...] | None:
    """Return values that change when a file changes or a link points to another file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
