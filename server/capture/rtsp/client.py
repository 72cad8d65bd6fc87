"""Talks to a camera over RTSP: logs in, follows redirects, and gathers the pictures that come."""

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
from server.capture.rtsp.payloads import payloads_of
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
from server.capture.streams.words import explain, explain_status, host_of, no_certificate, no_host
from server.config.address import Address
from server.errors import SourceError
from server.loop import native

__all__ = ["MAX_REDIRECTS", "Client", "connect", "follow", "open_client"]

MAX_REDIRECTS = 5

# Of one request: a nonce may be too old, and the next one too.
MAX_LOGINS = 3

UNAUTHORIZED, UNSUPPORTED_TRANSPORT = 401, 461

# How a camera says that it does not know a method.
UNKNOWN_METHOD = (405, 501, 551)


class _RedirectedError(Exception):
    """The camera says where to ask instead."""


def open_client(address: Address, timeout_s: float) -> "Client":
    """Connect to a camera and have it send its video.

    Args:
        address: Of the camera.
        timeout_s: How long that may take, and then each read.

    Raises:
        RtspError: If it is to be read by FFmpeg.
        LoginRefused: If the user name or password is refused.
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
            raise RtspError("it closes the connection") from None
        except BaseException:
            client.close()
            raise
    raise SourceError(f"{host_of(address)} redirects more than {MAX_REDIRECTS} times")


def connect(address: Address, parts: SplitResult, timeout_s: float, deadline: float) -> Connection:
    """Connect to a camera.

    Args:
        address: Of the camera.
        parts: The URL of where it is by now, after redirects.
        timeout_s: How long it may take, for messages.
        deadline: When to give up, in monotonic seconds.

    Raises:
        RtspError: If it does not speak TLS.
        SourceError: If it cannot be reached, or must not be; says why.
    """
    left_s = max(0.1, deadline - time.monotonic())
    try:
        return Connection(parts, left_s, address.verify, address.guarded)
    except (native.socket.gaierror, UnicodeError):
        raise SourceError(no_host(parts.hostname or "")) from None
    except ssl.SSLCertVerificationError as error:
        raise SourceError(no_certificate(host_of(address), error)) from None
    except ssl.SSLError:
        raise RtspError("it does not speak TLS as it should") from None
    except OSError as error:
        raise explain(error, address, timeout_s) from None


def follow(address: Address, location: str, before: SplitResult) -> SplitResult:
    """Return where a redirect leads, with the user name and password that are used there."""
    try:
        parts = urlsplit(location)
        usable = ABSOLUTE.match(location) and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or (parts.scheme == "rtsps" and address.scheme == "rtsp"):
        raise SourceError(f"{host_of(address)} refers to a protocol that is not allowed here")
    login, at, _ = before.netloc.rpartition("@")
    if "@" not in parts.netloc and at and parts.scheme == before.scheme:
        parts = parts._replace(netloc=f"{login}@{parts.netloc}")
    return parts


class Client:
    """A camera that is connected to. For one thread.

    Args:
        connection: To the camera; :meth:`close` closes it.
        address: What was to be opened, for messages to people.
        parts: The URL of the camera, with its user name and password.
        timeout_s: How long each read may take, once it is open.

    Attributes:
        video: What it sends, once it is open.
        over: Whether it has said that nothing more will come.
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
        self._begun = False  # Whether a packet of the video has come.
        self._source = random.getrandbits(32)
        self._takes_parameters = False
        self._asked: Request | None = None  # The sign of life that was not answered yet.
        self._alive_at = 0.0
        self.over = False

    @property
    def units(self) -> deque[AccessUnit]:
        """The pictures that have come; who takes one removes it."""
        assert self._assembler is not None
        return self._assembler.units

    def open(self, deadline: float) -> None:
        """Have the video sent, and wait for its first packet.

        Args:
            deadline: When to give up, in monotonic seconds.

        Raises:
            RtspError: If it is to be read by FFmpeg.
            SourceError: If the camera refuses; says why.
            OSError: If the connection is lost, or is silent for too long.
            EOFError: If the camera closes it.
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
        self._assembler = Assembler(payloads_of(offer.video.codec))
        self._ask(session.request("PLAY", ("Range", "npt=0.000-")))
        self._splitter.lenient = True
        self._take()
        while not self._begun and not self.over:
            self.receive()
        self._deadline = None
        self._connection.set_timeout(self._timeout_s)
        self._alive_at = time.monotonic() + session.alive_s

    def receive(self) -> None:
        """Wait until something arrives, and take it.

        Raises:
            RtspError: If it is nothing that can be understood.
            OSError: If the connection is lost, or is silent for too long.
            EOFError: If the camera closes it.
        """
        self._fill()
        self._take()

    def keep_alive(self, now: float) -> None:
        """Show the camera that we are there, if it is time; raises OSError."""
        if now < self._alive_at or self._session is None:
            return
        self._alive_at = now + self._session.alive_s
        method = "GET_PARAMETER" if self._takes_parameters else "OPTIONS"
        self._asked = self._session.request(method)
        self._send(self._asked)

    def close(self) -> None:
        """Say that we leave, without waiting for an answer, and close the connection."""
        if self._session is not None and not self.over:
            with suppress(OSError, RtspError):
                self._connection.set_timeout(0.0)
                self._send(self._session.request("TEARDOWN"))
        self._connection.close()

    def _ask(self, request: Request) -> Response:
        """Send a request, and return the answer; a refusal is raised, and so is a redirect."""
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
            raise RtspError("it does not send in the connection")
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
                self._fill()
            elif not isinstance(item, Response):
                self._on_unasked(item)
            elif item.status >= 200:
                return item

    def _fill(self) -> None:
        if self._deadline is not None:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.set_timeout(left_s)
        self._splitter.add(self._connection.read(self._splitter.room()))

    def _take(self) -> None:
        splitter, assembler = self._splitter, self._assembler
        assert assembler is not None
        mark, first = DOLLAR << 8 | self._channel, 0x8000 | self.video.payload_type
        while True:
            while assembler.take_unit(splitter, mark, first):
                pass
            item = splitter.take()
            if item is None:
                return
            if isinstance(item, Response):
                self._on_late_answer(item)
            else:
                self._on_unasked(item)

    def _on_unasked(self, item: Frame | Request) -> None:
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
        if not self._begun:
            self._channel = channel  # Some cameras use another than they said.
            self._begun = True
        if channel != self._channel:
            return
        self._assembler.add(packet)

    def _on_reports(self, data: memoryview) -> None:
        for kind in read_reports(data):
            if kind == GOODBYE:
                self.over = True
            elif kind == SENDER_REPORT and self._assembler is not None:
                source = int.from_bytes(data[4:8], "big")
                report = write_report(self._source, source, self._assembler.order.newest)
                head = bytes((DOLLAR, self._reports & 255)) + len(report).to_bytes(2, "big")
                self._connection.write(head + report)

    def _on_request(self, request: Request) -> None:
        self._connection.write(format_response(request))
        self.over = self.over or request.method == "TEARDOWN"

    def _on_late_answer(self, answer: Response) -> None:
        """Take the answer to a sign of life."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        if answer.status == UNAUTHORIZED and self._login is not None:
            if self._login.renew(answer.all_of("www-authenticate")):
                self._send(asked)
        elif answer.status in UNKNOWN_METHOD:
            self._takes_parameters = False
