"""HTTP client for cameras: login, redirects, TLS, timeouts, and errors in plain words.

No message contains a URL, because that could contain a password. It has one connection at a time:
many cameras do not accept a second one.
"""

import http.client
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from urllib3 import disable_warnings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ReadTimeoutError

from server.capture.sources.multipart import MAX_PICTURE_BYTES
from server.capture.streams.source_errors import no_host
from server.config.address import Address
from server.config.reserved import is_refused, refusal_of
from server.config.url import must_verify
from server.errors import AddressRefused, LoginRefused, SourceError
from server.loop import native

__all__ = ["Answer", "Client", "NotHttpError"]

MAX_REDIRECTS = 5

# About what a socket buffers: a picture comes in one or two pieces.
READ_BYTES = 64 << 10

MAX_PAGE_BYTES = 16 << 10
MAX_TITLE = 60
TITLE = re.compile(r"<title[^>]*>([^<]{1,200})</title", re.IGNORECASE)

# Start connecting again after this time: the kernel resends a SYN only after 1, 3 and 7 s, which is
# late for a host that comes back meanwhile.
ATTEMPT_S = 1.5

REDIRECTS = (301, 302, 303, 307, 308)
NOT_MODIFIED = 304


class NotHttpError(SourceError):
    """The response is not valid HTTP; FFmpeg may still understand it."""


class Answer:
    """A response whose body is still arriving; use from one thread.

    Args:
        response: The streamed response of ``requests``.
        host: The host and port, for messages.
    """

    def __init__(self, response: requests.Response, host: str) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.host = host
        self._response = response
        # Some cameras compress although that was not requested.
        self._read1 = partial(response.raw.read1, decode_content=True)
        if not self.ends and "Content-Encoding" not in response.headers:
            # Bypass urllib3, which adds half to the cost of receiving a picture, and http.client.
            # They need not find the end of a response whose connection is not reused, and a
            # multipart stream does not end where its Content-Length says.
            below = getattr(response.raw, "_original_response", None)
            self._read1 = below.fp.read1 if below and below.fp else self._read1

    @property
    def kind(self) -> str:
        """The media type in lower case, without parameters; empty if there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_short(self) -> bool:
        """Whether its Content-Length may be that of a single picture."""
        length = self.headers.get("Content-Length", "")
        if self.kind.startswith("multipart/") and not length.strip("0"):
            return False  # It has parts, whatever the length says.
        return length.isdecimal() and int(length[:12]) <= MAX_PICTURE_BYTES

    @property
    def ends(self) -> bool:
        """Whether its end can be found, so that its connection can be reused."""
        return self.is_short or bool(getattr(self._response.raw, "chunked", False))

    def read(self) -> bytes:
        """Return the bytes that have arrived; wait if there are none; empty at the end.

        Raises:
            TimeoutError: If nothing arrives in time.
        """
        try:
            data: bytes = self._read1(READ_BYTES)
        except (ReadTimeoutError, TimeoutError):
            raise TimeoutError from None
        except (HTTPError, OSError, ValueError, http.client.HTTPException):
            return b""  # The connection broke off, or a chunk was cut short.
        return data

    def title(self, page: bytes) -> str:
        """Return the title of a web page that begins with ``page``; empty if it has none."""
        try:
            while len(page) < MAX_PAGE_BYTES and b"</title" not in page.lower():
                data = self.read()
                if not data:
                    break
                page += data
        except TimeoutError:
            pass  # Report the page without its title.
        found = TITLE.search(page.decode(errors="replace"))
        words = " ".join(found[1].split()) if found else ""
        return "".join(letter for letter in words if letter.isprintable())[:MAX_TITLE]

    def close(self) -> None:
        """Close its connection, unless the body has been read to its end."""
        self._response.close()


class Client:
    """Sends GET requests to one address.

    Args:
        address: The URL with its user name and password, and whether to verify TLS.
        timeout_s: Limit for connecting, and then for each read.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._verify = address.verify
        self._session = _new_session(address.guarded)
        self._url = address.target
        self._origin = urlsplit(address.target)
        self._kept_alive = False  # The host may still close the connection.
        self._login = _Login(self._origin) if self._origin.username is not None else None

    def get(self, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a GET request and return the response, after redirects; its status is 2xx or 304.

        The next request starts where the redirects ended.

        Raises:
            LoginRefused: If the user name and password are missing or wrong.
            SourceError: If it cannot be reached or answers with an error.
        """
        deadline = time.monotonic() + self._timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(headers or {}, deadline)
            if answer.status not in REDIRECTS or "Location" not in answer.headers:
                self._check(answer)
                return answer
            answer.close()
            self._follow(answer)
        raise SourceError(f"{answer.host} redirects more than {MAX_REDIRECTS} times")

    @property
    def url(self) -> str:
        """The URL of the next request, with user name and password if they are sent there."""
        parts = urlsplit(self._url)
        login, at, _ = self._origin.netloc.rpartition("@")
        if not at or "@" in parts.netloc or not self._is_trusted(parts):
            return self._url
        return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()

    def close(self) -> None:
        """Close its connection."""
        self._session.close()

    def _send(self, headers: Mapping[str, str], deadline: float) -> Answer:
        parts = urlsplit(self._url)
        while True:
            connect_s = max(0.1, deadline - time.monotonic())
            if parts.scheme == "http":  # For https this includes the handshake, which may be slow.
                connect_s = min(connect_s, ATTEMPT_S)
            try:
                response = self._session.get(
                    _without_login(parts),
                    headers=headers,
                    auth=self._login if self._is_trusted(parts) else None,
                    timeout=(connect_s, self._timeout_s),
                    verify=_certificates() if self._verifies(parts.hostname or "") else False,
                    allow_redirects=False,
                    stream=True,
                )
                break
            except (requests.RequestException, HTTPError, OSError, ValueError, KeyError) as error:
                if not self._may_retry(error, deadline):
                    # Hide the cause: its text could contain the URL.
                    kind = NotHttpError if _is_not_http(error) else SourceError
                    raise kind(_explain(error, parts, self._timeout_s)) from None
        self._kept_alive = True
        return Answer(response, _host_and_port(parts))

    def _may_retry(self, error: Exception, deadline: float) -> bool:
        if self._kept_alive and _was_closed(error):
            # The camera closed the idle connection just as the request was sent.
            self._kept_alive = False
            return True
        return isinstance(error, requests.ConnectTimeout) and time.monotonic() < deadline

    def _check(self, answer: Answer) -> None:
        if answer.status < 300 or answer.status == NOT_MODIFIED:
            return
        answer.close()
        words = f"{answer.status} {http.client.responses.get(answer.status, '')}".strip()
        if answer.status not in (401, 403):
            raise SourceError(f"{answer.host} answers {words}")
        if self._login is None:
            hint = "give its user name and password as in http://NAME:PASSWORD@HOST/"
        elif not self._is_trusted(urlsplit(self._url)):
            hint = "the password is not sent there, because it is not the host that was asked"
        else:
            hint = "check the user name and password"
        raise LoginRefused(f"{answer.host} answers {words}; {hint}")

    def _follow(self, answer: Answer) -> None:
        """Follow a redirect."""
        # Never two connections at a time, even to two ports of one camera.
        self._session.close()
        self._url = urljoin(self._url, answer.headers["Location"])
        try:
            parts = urlsplit(self._url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise SourceError(f"{answer.host} redirects to something that is not http or https")

    def _is_trusted(self, parts: SplitResult) -> bool:
        """Return whether the login may be sent there: to the same host, not from https to http."""
        return parts.hostname == self._origin.hostname and (
            parts.scheme == "https" or self._origin.scheme == "http"
        )

    def _verifies(self, host: str) -> bool:
        return must_verify(self._verify, host)


class _Login(HTTPDigestAuth):
    """Logs in with Digest or Basic, as the camera asks; sends nothing before it asks."""

    def __init__(self, parts: SplitResult) -> None:
        name, password = unquote(parts.username or ""), unquote(parts.password or "")
        super().__init__(name, password)
        # As bytes, because ``requests`` would encode text as Latin-1.
        self._basic = HTTPBasicAuth(name.encode(), password.encode())
        self._is_basic = False

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return self._basic(r) if self._is_basic else super().__call__(r)

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        challenge = r.headers.get("WWW-Authenticate", "").lower()
        # Some cameras want Basic but send no challenge.
        if r.status_code not in (401, 403) or "digest" in challenge or self._is_basic:
            return super().handle_401(r, **kwargs)
        self._is_basic = True
        r.close()
        request = self._basic(r.request.copy())
        retried: requests.Response = r.connection.send(request, **kwargs)
        retried.request = request
        return retried


def _new_session(guarded: bool) -> requests.Session:
    session = requests.Session()
    if guarded:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _GuardedAdapter())
    # No proxies and no passwords from the environment or ~/.netrc.
    session.trust_env = False
    session.headers.update({"User-Agent": "Porthole", "Accept": "*/*"})
    session.headers["Accept-Encoding"] = "identity"
    # Skipping verification of a camera's certificate is a documented setting.
    disable_warnings(InsecureRequestWarning)
    return session


class _GuardedAdapter(HTTPAdapter):
    """Closes a connection to a link-local address before anything is sent.

    It checks the connected address itself, also after each redirect: a name may resolve to another
    address each time.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = {"http": _Pool, "https": _PoolOverTls}
        self.poolmanager.pool_classes_by_scheme = pools


class _Connection(HTTPConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn(), self.host)


class _ConnectionOverTls(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn(), self.host)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _PoolOverTls(HTTPSConnectionPool):
    ConnectionCls = _ConnectionOverTls


def _checked(socket: Any, host: str) -> Any:
    if is_refused(socket.getpeername()[0]):
        socket.close()
        raise AddressRefused(refusal_of(host))
    return socket


def _without_login(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _host_and_port(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _certificates() -> str | bool:
    """Return the path of this machine's CA certificates; True for those of ``requests``."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _explain(error: BaseException, parts: SplitResult, timeout_s: float) -> str:
    """Return why a request failed, in words for people."""
    host = _host_and_port(parts)
    causes = tuple(_causes(error))

    def cause(kind: Any) -> Any:
        return next((one for one in causes if isinstance(one, kind)), None)

    if cause(native.socket.gaierror):
        return no_host(parts.hostname or "")
    if unverified := cause(ssl.SSLCertVerificationError):
        return (
            f"{host} shows a TLS certificate that is not valid ({unverified.verify_message}); "
            "verify = false accepts it"
        )
    if insecure := cause(ssl.SSLError):
        reason = (insecure.reason or "unknown").replace("_", " ").lower()
        return f"{host} cannot be reached over TLS ({reason})"
    if cause(requests.ConnectTimeout):
        return f"{host} did not answer within {timeout_s:g} s"
    if cause((requests.ReadTimeout, ReadTimeoutError)):
        return f"{host} accepts the connection, but sends nothing for {timeout_s:g} s"
    if _was_closed(error):
        return f"{host} closed the connection without an answer"
    if _is_not_http(error):
        return f"{host} answers, but not in valid HTTP"
    failed = next((one for one in causes if isinstance(one, OSError) and one.strerror), None)
    return f"{host} cannot be reached ({failed.strerror if failed else type(error).__name__})"


def _is_not_http(error: BaseException) -> bool:
    kinds = (http.client.HTTPException, requests.exceptions.InvalidHeader, KeyError)
    closed = _was_closed(error) or isinstance(error, requests.Timeout)
    return not closed and any(isinstance(one, kinds) for one in _causes(error))


def _was_closed(error: BaseException) -> bool:
    # http.client.RemoteDisconnected is a ConnectionResetError, too.
    return any(isinstance(one, ConnectionResetError | BrokenPipeError) for one in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
