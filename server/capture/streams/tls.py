"""TLS settings for connections to cameras, our own and FFmpeg's."""

import ssl
from urllib.parse import urlsplit

from server.config.address import Address
from server.config.url import must_verify

__all__ = ["make_context", "tls_options"]

# Debian's file of certificate authorities; FFmpeg's TLS comes without any.
FALLBACK_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def make_context(verify: bool) -> ssl.SSLContext:
    """Return a TLS context; without ``verify`` it accepts cameras' self-signed certificates."""
    if verify:
        return ssl.create_default_context(cafile=_authorities())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _authorities() -> str:
    """Return the path of this machine's list of certificate authorities."""
    return ssl.get_default_verify_paths().cafile or FALLBACK_AUTHORITIES


def tls_options(address: Address) -> dict[str, str]:
    """Return FFmpeg's options for a connection over TLS."""
    if not must_verify(address.verify, urlsplit(address.target).hostname or ""):
        return {"tls_verify": "0"}
    return {"tls_verify": "1", "ca_file": _authorities()}
