"""The certificate in use: given in the settings or self-made, and always the newest."""

import datetime
import logging
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from server.errors import ConfigError
from server.loop import hub
from server.web.edge.certificate_sources import GivenCertificate, OwnCertificate

if TYPE_CHECKING:
    from server.web.edge.certificate import Certificate

__all__ = ["Tls", "choose_certificate"]

log = logging.getLogger(__name__)

# Period of checks for changed files and addresses.
CHECK_S = 5.0


class Source(Protocol):
    """A source of certificates. Its methods block on the disk: call them on a native thread."""

    self_made: bool

    @property
    def is_there(self) -> bool:
        """Whether there may be a certificate for :meth:`load`."""

    def refresh(self) -> bool:
        """Create a certificate if needed; return whether there is a new one.

        Raises:
            ConfigError: If the check or the creation fails.
        """

    def load(self) -> tuple[ssl.SSLContext, "Certificate"]:
        """Return the current certificate.

        Raises:
            ConfigError: If it cannot be used.
        """


class Tls:
    """The certificate in use, replaced while the server runs.

    Args:
        source: Provides the certificate.

    Raises:
        ConfigError: If no certificate can be used.

    Attributes:
        context: TLS context for new connections.
        certificate: The certificate in use.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            source.refresh()
        except ConfigError as error:
            if not source.is_there:
                raise
            log.error("using the existing certificate: %s", error)
        self.context, self.certificate = source.load()
        self._task: hub.Task | None = None
        self._warn()

    @property
    def self_made(self) -> bool:
        """Whether the certificate is self-signed, so that browsers warn of it."""
        return self._source.self_made

    def open(self) -> None:
        """Watch for new certificates."""
        self._task = hub.spawn(self._watch)

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.kill()

    def _watch(self) -> None:
        logged = ""
        while True:
            hub.rest(CHECK_S)
            try:
                found = hub.run_native(self._look)
            except (ConfigError, OSError) as error:
                if str(error) != logged:
                    logged = str(error)
                    log.error("keeping the certificate in use: %s", error)
                continue
            if found is not None:
                logged = ""
                self.context, self.certificate = found
                log.info("new certificate, SHA-256 %s", self.certificate.fingerprint)
                self._warn()

    def _look(self) -> tuple[ssl.SSLContext, "Certificate"] | None:
        return self._source.load() if self._source.refresh() else None

    def _warn(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        begins, ends = self.certificate.begins, self.certificate.ends
        if ends <= now:
            log.warning("the certificate expired on %s: clients reject it; renew it", ends)
        elif begins > now:
            log.warning("the certificate is not valid before %s: is the clock right?", begins)


def choose_certificate(
    tls: str, cert: str | None, key: str | None, folder: Path, hosts: Callable[[], Iterable[str]]
) -> Tls | None:
    """Return the certificate that the settings ask for; None for no TLS.

    Args:
        tls: The setting ``tls``: ``off`` or ``auto``; ignored if ``cert`` is set.
        cert: The setting ``tls_cert``.
        key: The setting ``tls_key``.
        folder: The state folder, which keeps a self-made certificate.
        hosts: Returns the names and addresses for a self-made certificate.

    Raises:
        ConfigError: If a certificate cannot be used.
    """
    if cert is not None:
        return Tls(GivenCertificate(cert, key))
    if key is not None:
        raise ConfigError(
            f"tls_key = {key!r} is set, but tls_cert is not; accepted: both, or tls_cert alone "
            "with a file that contains certificate and key"
        )
    return Tls(OwnCertificate(folder, hosts)) if tls == "auto" else None
