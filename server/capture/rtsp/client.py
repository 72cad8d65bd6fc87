"""RTSP client: logs in, follows redirects and collects the pictures that arrive."""

import random
import ssl
import time
from collections import deque
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from server.capture.rtsp.assembler import AccessUnit, Assembler
from server.capture.rtsp.connection import Connection
from server.capture.rtsp.description import ABSOLUTE, Media
from server.capture.rtsp.login import Login
from server.capture.rtsp.message import (
    Request,
    Response,
    RtspError,
    format_request,
    format_response,
)
from server.capture.rtsp.payloads import make_payloads
from server.capture.rtsp.rtp import (
    GOODBYE,
    SENDER_REPORT,
    is_rtcp,
    read_packet,
    read_reports,
    write_report,
)
from server.capture.rtsp.session import Session, describe, set_up
from server.capture.rtsp.splitter import DOLLAR, Frame, Splitter
from server.capture.streams.source_errors import (
    explain,
    explain_status,
    host_of,
    no_certificate,
    no_host,
)
from server.config.address import Address
from server.errors import SourceError
from server.loop import native

__all__ = ["MAX_REDIRECTS", "Client", "connect", "follow", "open_client"]

MAX_REDIRECTS = 5

# Attempts for one request: the nonce may be stale twice in a row.
MAX_LOGINS = 3

UNAUTHORIZED, UNSUPPORTED_TRANSPORT = 401, 461

# Status codes of a camera that does not support a method.
UNKNOWN_METHOD = (405, 501, 551)


class _RedirectedError(Exception):
    """The camera redirects to the URL in this error's text."""


def open_client(address: Address, timeout_s: float) -> "Client":
    """Connect to a camera and start its video.

    Args:
        address: The camera's address.
        timeout_s: Limit for opening, and then for each read.

    Raises:
        RtspError: If only FFmpeg can read it.
        LoginRefused: If the user name or password is rejected.
        SourceError: If it cannot be opened; says why.
    """
    parts = urlsplit(address.target)
    deadline = time.monotonic() + timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        client = Client(connect(address, parts, timeout_s, deadline), address, parts, timeout_s)
        try:
            client.open(deadline)
            return client
        except _RedirectedError as redirected:
            client.close()
            parts = follow(address, str(redirected), parts)
        except (OSError, EOFError) as error:
            client.close()
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
                raise explain(error, address, timeout_s) from None
            raise RtspError("it closed the connection") from None
        except BaseException:
            client.close()
            raise
    raise SourceError(f"{host_of(address)} redirects more than {MAX_REDIRECTS} times")


def connect(address: Address, parts: SplitResult, timeout_s: float, deadline: float) -> Connection:
    """Connect to a camera.

    Args:
        address: The camera's address.
        parts: The current URL, after redirects.
        timeout_s: The configured limit, for error messages.
        deadline: When to give up, in monotonic seconds.

    Raises:
        RtspError: If the TLS handshake fails.
        SourceError: If it cannot or must not be reached; says why.
    """
    left_s = max(0.1, deadline - time.monotonic())
    try:
        return Connection(parts, left_s, address.verify, address.guarded)
    except (native.socket.gaierror, UnicodeError):
        raise SourceError(no_host(parts.hostname or "")) from None
    except ssl.SSLCertVerificationError as error:
        raise SourceError(no_certificate(host_of(address), error)) from None
    except ssl.SSLError:
        raise RtspError("the TLS handshake failed") from None
    except OSError as error:
        raise explain(error, address, timeout_s) from None


def follow(address: Address, location: str, before: SplitResult) -> SplitResult:
    """Return a redirect's target; the login is kept for the same host and scheme only."""
    try:
        parts = urlsplit(location)
        usable = ABSOLUTE.match(location) and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or (parts.scheme == "rtsps" and address.scheme == "rtsp"):
        raise SourceError(f"{host_of(address)} refers to a protocol that is not allowed here")
    login, at, _ = before.netloc.rpartition("@")
    same = (parts.scheme, parts.hostname) == (before.scheme, before.hostname)
    if "@" not in parts.netloc and at and same:
        parts = parts._replace(netloc=f"{login}@{parts.netloc}")
    return parts


class Client:
    """An RTSP session with a connected camera. For one thread.

    Args:
        connection: The connection to the camera; :meth:`close` closes it.
        address: The configured address, for error messages.
        parts: The camera's URL, with its user name and password.
        timeout_s: Limit for each read, once it is open.

    Attributes:
        video: The video it sends, once it is open.
        ended: Whether the camera has ended the stream (RTCP BYE or TEARDOWN).
    """

    video: Media

    def __init__(
        self, connection: Connection, address: Address, parts: SplitResult, timeout_s: float
    ) -> None:
        self._connection = connection
        self._address = address
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._login: Login | None = None
        if "@" in parts.netloc:
            self._login = Login(parts.username or "", parts.password or "")
        self._timeout_s = timeout_s
        self._deadline: float | None = None
        self._splitter = Splitter()
        self._requests = 0
        self._session: Session | None = None
        self._assembler: Assembler | None = None
        self._channel = self._reports = -1
        self._started = False  # Whether a packet of the video has arrived.
        self._source = random.getrandbits(32)
        self._takes_parameters = False
        self._unanswered: Request | None = None  # The last keep-alive request.
        self._alive_at = 0.0
        self.ended = False

    @property
    def units(self) -> deque[AccessUnit]:
        """The pictures that have arrived; the caller removes those it takes."""
        assert self._assembler is not None
        return self._assembler.units

    def open(self, deadline: float) -> None:
        """Start the video and wait for its first packet.

        Args:
            deadline: When to give up, in monotonic seconds.

        Raises:
            RtspError: If only FFmpeg can read it.
            SourceError: If the camera refuses; says why.
            OSError: If the connection is lost or times out.
            EOFError: If the camera closes the connection.
        """
        self._deadline = deadline
        offer = describe(self._ask, self._url)
        if offer.video is None:
            sound = " (sound only)" if offer.has_sound else ""
            raise SourceError(f"{host_of(self._address)} sends no video{sound}")
        self.video = offer.video
        self._takes_parameters = offer.takes_parameters
        self._session = session = set_up(self._ask, offer.base, offer.video)
        self._channel, self._reports = session.channel, session.reports
        self._assembler = Assembler(make_payloads(offer.video.codec))
        self._ask(session.request("PLAY", ("Range", "npt=0.000-")))
        self._splitter.lenient = True
        self._process_buffer()
        while not self._started and not self.ended:
            self.receive()
        self._deadline = None
        self._connection.set_timeout(self._timeout_s)
        self._alive_at = time.monotonic() + session.alive_s

    def receive(self) -> None:
        """Wait for data and process it.

        Raises:
            RtspError: If it is not valid RTSP.
            OSError: If the connection is lost or times out.
            EOFError: If the camera closes the connection.
        """
        self._fill_buffer()
        self._process_buffer()

    def keep_alive(self, now: float) -> None:
        """Send a keep-alive request if one is due; raises OSError."""
        if now < self._alive_at or self._session is None:
            return
        self._alive_at = now + self._session.alive_s
        method = "GET_PARAMETER" if self._takes_parameters else "OPTIONS"
        self._unanswered = self._session.request(method)
        self._send(self._unanswered)

    def close(self) -> None:
        """Send TEARDOWN, without waiting for the response, and close the connection."""
        if self._session is not None and not self.ended:
            with suppress(OSError, RtspError):
                self._connection.set_timeout(0.0)
                self._send(self._session.request("TEARDOWN"))
        self._connection.close()

    def _ask(self, request: Request) -> Response:
        """Send a request and return the response; raise an error for a refusal or a redirect."""
        for _ in range(MAX_LOGINS):
            self._send(request)
            answer = self._wait_for_answer()
            refused = answer.status == UNAUTHORIZED
            if not refused or self._login is None:
                break
            if not self._login.accept(answer.all_of("www-authenticate")):
                break
        if 300 <= answer.status < 400 and answer.header("location"):
            raise _RedirectedError(answer.header("location"))
        if answer.status == UNSUPPORTED_TRANSPORT and self._address.transport == "auto":
            raise RtspError("it does not send over the RTSP connection")
        unknown = request.method == "OPTIONS" and answer.status in UNKNOWN_METHOD
        if not 200 <= answer.status < 300 and not unknown:
            raise explain_status(answer.status, self._address)
        return answer

    def _send(self, request: Request) -> None:
        self._requests += 1
        if self._login is not None:
            login = self._login.header(request.method, request.url)
            if login:
                headers = (("Authorization", login), *request.headers)
                request = Request(headers, method=request.method, url=request.url)
        self._connection.write(format_request(request, self._requests))

    def _wait_for_answer(self) -> Response:
        while True:
            item = self._splitter.take()
            if item is None:
                self._fill_buffer()
            elif not isinstance(item, Response):
                self._on_unsolicited(item)
            elif item.status >= 200:
                return item

    def _fill_buffer(self) -> None:
        if self._deadline is not None:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.set_timeout(left_s)
        self._splitter.add(self._connection.read(self._splitter.room()))

    def _process_buffer(self) -> None:
        splitter, assembler = self._splitter, self._assembler
        assert assembler is not None
        prefix, rtp_start = DOLLAR << 8 | self._channel, 0x8000 | self.video.payload_type
        while True:
            while assembler.take_unit(splitter, prefix, rtp_start):
                pass
            item = splitter.take()
            if item is None:
                return
            if isinstance(item, Response):
                self._on_keep_alive_response(item)
            else:
                self._on_unsolicited(item)

    def _on_unsolicited(self, item: Frame | Request) -> None:
        if isinstance(item, Frame):
            self._on_frame(*item)
        else:
            self._on_request(item)

    def _on_frame(self, channel: int, data: memoryview) -> None:
        if is_rtcp(data):
            self._on_reports(data)
            return
        packet = read_packet(data)
        if self._assembler is None or packet is None:
            return
        if packet.payload_type != self.video.payload_type:
            return
        if not self._started:
            self._channel = channel  # Some cameras do not use the channel they announced.
            self._started = True
        if channel != self._channel:
            return
        self._assembler.add(packet)

    def _on_reports(self, data: memoryview) -> None:
        for kind in read_reports(data):
            if kind == GOODBYE:
                self.ended = True
            elif kind == SENDER_REPORT and self._assembler is not None:
                source = int.from_bytes(data[4:8], "big")
                report = write_report(self._source, source, self._assembler.order.newest)
                head = bytes((DOLLAR, self._reports & 255)) + len(report).to_bytes(2, "big")
                self._connection.write(head + report)

    def _on_request(self, request: Request) -> None:
        self._connection.write(format_response(request))
        self.ended = self.ended or request.method == "TEARDOWN"

    def _on_keep_alive_response(self, answer: Response) -> None:
        """Log in again, or use another method, if a keep-alive request was rejected."""
        request, self._unanswered = self._unanswered, None
        if request is None:
            return
        if answer.status == UNAUTHORIZED and self._login is not None:
            if self._login.renew(answer.all_of("www-authenticate")):
                self._send(request)
        elif answer.status in UNKNOWN_METHOD:
            self._takes_parameters = False
