"""Why a source cannot be read: what failed, where, and how to fix it; never the URL, which may
contain a password.
"""

import errno
import os
import ssl
from http import HTTPStatus
from urllib.parse import urlsplit

from server.config.address import Address
from server.errors import LoginRefused, SourceError
from server.loop import native

__all__ = [
    "DEFAULT_PORTS",
    "explain",
    "explain_file",
    "explain_status",
    "host_of",
    "no_certificate",
    "no_host",
]

# HTTP's reasons, and those that RTSP adds (RFC 2326, 7.1.1).
REASONS = {one.value: one.phrase for one in HTTPStatus} | {
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    551: "Option Not Supported",
}

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def host_of(address: Address) -> str:
    """Return the host and port of a URL for messages; for anything else, its public form."""
    if address.scheme not in DEFAULT_PORTS:
        return address.public
    parts = urlsplit(address.target)
    host = parts.hostname or ""
    return f"{host}:{parts.port or DEFAULT_PORTS[address.scheme]}"


def explain(error: Exception, address: Address, timeout_s: float) -> SourceError:
    """Return the error to raise for one of FFmpeg's.

    Args:
        error: What PyAV raised, opening or reading.
        address: What was opened; a stream from a command has no host.
        timeout_s: The timeout that applied.
    """
    import av.error

    host = host_of(address)
    match error:
        case av.error.HTTPUnauthorizedError():
            return explain_status(401, address)
        case av.error.HTTPForbiddenError():
            return explain_status(403, address)
        case av.error.HTTPNotFoundError():
            return explain_status(404, address)
        case av.error.HTTPClientError() | av.error.HTTPServerError():
            return SourceError(f"{host} answers with an error ({_status(error)})")
        case av.error.ExitError() | TimeoutError():
            return SourceError(f"{host} did not answer within {timeout_s:g} s")
        case ConnectionRefusedError():
            return SourceError(
                f"{host} cannot be reached (Connection refused); is it on, and is the port right?"
            )
        case EOFError():
            return SourceError(f"{host} ended the stream")
        case av.error.InvalidDataError():
            return SourceError(f"{host} answers, but sends no video that FFmpeg can read")
        case av.error.ProtocolNotFoundError():
            return SourceError(f"{host} refers to a protocol that is not allowed here")
        case OSError(errno=errno.EPROTONOSUPPORT):
            return explain_status(461, address)
        case OSError(errno=errno.EIO) if address.scheme in DEFAULT_PORTS:
            return SourceError(_why_input_output(address, host, timeout_s))
        case OSError():
            return SourceError(f"{host} cannot be reached ({_text(error)})")
    return SourceError(f"{host} answers, but FFmpeg cannot read it ({_text(error)})")


def explain_status(status: int, address: Address) -> SourceError:
    """Return the error to raise for an RTSP or HTTP status that is an error."""
    host = host_of(address)
    match status:
        case 401 | 403:
            return _refused(host, address, status == 403)
        case 404:
            return SourceError(f"{host} has no such stream (404 Not Found); check the URL's path")
        case 461:
            return SourceError(_no_transport(host, address))
    words = f"{status} {REASONS.get(status, '')}".strip()
    return SourceError(f"{host} answers with an error ({words})")


def no_host(name: str) -> str:
    """Return the message for a host name that cannot be resolved."""
    return f"the host {name} is unknown; check the spelling"


def no_certificate(host: str, error: ssl.SSLCertVerificationError) -> str:
    """Return the message for a certificate that cannot be verified."""
    return f"{host} has a certificate that is not valid ({error.verify_message})"


def explain_file(error: Exception, path: str) -> SourceError:
    """Return the error to raise for one of FFmpeg's about a file."""
    import av.error

    if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
        return SourceError(f"the file {path} cannot be read ({_text(error)})")
    return SourceError(f"the file {path} holds no video that FFmpeg can read")


def _refused(host: str, address: Address, forbidden: bool) -> LoginRefused:
    status = "403 Forbidden" if forbidden else "401 Unauthorized"
    if "@" in urlsplit(address.target).netloc:
        return LoginRefused(f"{host} refuses the user name or password ({status})")
    return LoginRefused(
        f"{host} wants a user name and a password ({status}); accepted: "
        f"{address.scheme}://NAME:PASSWORD@HOST/..."
    )


def _no_transport(host: str, address: Address) -> str:
    if address.scheme not in ("rtsp", "rtsps") or address.transport == "auto":
        return f"{host} offers no transport that works here (461 Unsupported Transport)"
    other = "udp" if address.transport == "tcp" else "tcp"
    return (
        f"{host} does not send over {address.transport.upper()} (461 Unsupported Transport); "
        f'accepted: transport = "{other}" or "auto"'
    )


def _why_input_output(address: Address, host: str, timeout_s: float) -> str:
    """Return the cause of FFmpeg's input/output error: an unknown host, or a failure of TLS."""
    parts = urlsplit(address.target)
    name, port = parts.hostname or "", parts.port or DEFAULT_PORTS[address.scheme]
    socket = native.socket
    try:
        socket.getaddrinfo(name, port)
    except OSError:
        return no_host(name)
    if address.scheme in ("rtsps", "https") and not address.guarded:
        context = ssl.create_default_context()
        try:
            with (
                socket.create_connection((name, port), timeout_s) as connection,
                context.wrap_socket(connection, server_hostname=name),
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            return no_certificate(host, error)
        except ssl.SSLError as error:
            return f"the TLS handshake with {host} failed ({error.reason or 'no reason given'})"
        except OSError as error:
            return f"{host} cannot be reached ({error.strerror or error})"
    return f"{host} answers, but sends no video that FFmpeg can read"


def _status(error: Exception) -> str:
    import av.error

    if isinstance(error, av.error.HTTPBadRequestError):
        return "400 Bad Request"
    if isinstance(error, av.error.HTTPTooManyRequestsError):
        return "429 Too Many Requests"
    return "4xx" if isinstance(error, av.error.HTTPClientError) else "5xx"


def _text(error: Exception) -> str:
    """Return an error's text without the file name, which may be a URL."""
    number, text = getattr(error, "errno", None), getattr(error, "strerror", None)
    if text:
        return str(text)
    return os.strerror(number) if number else type(error).__name__
