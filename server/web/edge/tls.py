"""Which certificate the server shows: the settings' or its own, and always the newest one."""

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

# How soon a changed file or address is noticed.
CHECK_S = 5.0


class Source(Protocol):
    """Where a certificate comes from. All of it blocks on the disk: call it natively."""

    self_made: bool

    @property
    def is_there(self) -> bool:
        """Whether there is a certificate that :meth:`load` can be tried with."""

    def refresh(self) -> bool:
        """Return whether there is something new since the last time, after making it if needed.

        Raises:
            ConfigError: If that cannot be found out or made.
        """

    def load(self) -> tuple[ssl.SSLContext, "Certificate"]:
        """Return what is there now.

        Raises:
            ConfigError: If it cannot be used.
        """


class Tls:
    """The certificate in use, replaced while the server runs.

    Args:
        source: Where it comes from.

    Raises:
        ConfigError: If it cannot be used.

    Attributes:
        context: For new connections.
        certificate: The one in use.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            source.refresh()
        except ConfigError as error:
            if not source.is_there:
                raise
            log.error("the certificate that is there stays: %s", error)
        self.context, self.certificate = source.load()
        self._task: hub.Task | None = None
        self._warn()

    @property
    def self_made(self) -> bool:
        """Whether the certificate is signed by nobody else, so that browsers warn of it."""
        return self._source.self_made

    def open(self) -> None:
        """Watch for new certificates."""
        self._task = hub.spawn(self._watch)

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.kill()

    def _watch(self) -> None:
        told = ""
        while True:
            hub.rest(CHECK_S)
            try:
                found = hub.run_native(self._look)
            except (ConfigError, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    log.error("the certificate in use stays: %s", error)
                continue
            if found is not None:
                told = ""
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
            log.warning("the certificate is valid from %s on: is the clock right?", begins)


def choose_certificate(
    tls: str, cert: str | None, key: str | None, folder: Path, hosts: Callable[[], Iterable[str]]
) -> Tls | None:
    """Return what three settings ask for; None if they ask for no TLS.

    Args:
        tls: ``off`` or ``auto``; does not matter where ``cert`` is set.
        cert: ``tls_cert``.
        key: ``tls_key``.
        folder: The state folder, which keeps a certificate of our own.
        hosts: Returns the names and addresses for one.

    Raises:
        ConfigError: If a certificate cannot be used.
    """
    if cert is not None:
        return Tls(GivenCertificate(cert, key))
    if key is not None:
        raise ConfigError(
            f"tls_key = {key!r} is set, and tls_cert is not; accepted: both, or tls_cert alone "
            "with a file that contains certificate and key"
        )
    return Tls(OwnCertificate(folder, hosts)) if tls == "auto" else None
