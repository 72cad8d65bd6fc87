"""Whether a camera's certificate must be valid, and FFmpeg's options for it."""

import ssl
from urllib.parse import urlsplit

from server.config.address import Address
from server.config.url import must_verify

__all__ = ["authorities", "tls_options"]

# Where Debian keeps the certificates of authorities; FFmpeg's TLS comes without any.
FALLBACK_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def authorities() -> str:
    """Return this machine's list of authorities."""
    return ssl.get_default_verify_paths().cafile or FALLBACK_AUTHORITIES


def tls_options(address: Address) -> dict[str, str]:
    """Return FFmpeg's options for a connection over TLS."""
    if not must_verify(address.verify, urlsplit(address.target).hostname or ""):
        return {"tls_verify": "0"}
    return {"tls_verify": "1", "ca_file": authorities()}
