"""Whether a camera's certificate must be valid, and FFmpeg's options for it."""

import ipaddress
import ssl
from urllib.parse import urlsplit

from server.config.address import Address
from server.loop import native

__all__ = ["must_verify", "tls_options"]

# Where Debian keeps the certificates of authorities; FFmpeg's TLS comes without any.
FALLBACK_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def must_verify(address: Address) -> bool:
    """Return whether a certificate must be valid: as set, or unless the host is a private one.

    Cameras in a home have certificates that nobody vouches for.
    """
    if address.verify is not None:
        return address.verify
    host = urlsplit(address.target).hostname or ""
    try:
        found = native.socket.getaddrinfo(host, None)
        return any(not ipaddress.ip_address(one[4][0].split("%")[0]).is_private for one in found)
    except (OSError, ValueError):
        return True


def tls_options(address: Address) -> dict[str, str]:
    """Return FFmpeg's options for a connection over TLS."""
    if not must_verify(address):
        return {"tls_verify": "0"}
    authorities = ssl.get_default_verify_paths().cafile or FALLBACK_AUTHORITIES
    return {"tls_verify": "1", "ca_file": authorities}
