"""Requests and responses of RTSP 1.0 (RFC 2326). No I/O."""

import re
from dataclasses import dataclass

__all__ = [
    "CONTROL",
    "Request",
    "Response",
    "RtspError",
    "format_request",
    "format_response",
    "is_first_line",
    "read_head",
    "read_number",
]

STATUS_LINE = re.compile(r"RTSP/\d+\.\d+ +(\d{3})\b")
REQUEST_LINE = re.compile(r"([A-Z_]+) +(\S+) +RTSP/\d+\.\d+")

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Headers = tuple[tuple[str, str], ...]


class RtspError(Exception):
    """The server sent something that this reader does not support; FFmpeg may."""


@dataclass(frozen=True, slots=True)
class _Message:
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the first value of a header, given in lower case; empty if there is none."""
        return next((value for one, value in self.headers if one == name), "")

    def all_of(self, name: str) -> list[str]:
        """Return all values of a header, given in lower case."""
        return [value for one, value in self.headers if one == name]

    @property
    def length(self) -> int:
        """The length of the body in bytes."""
        return read_number(self.header("content-length"))


@dataclass(frozen=True, slots=True)
class Response(_Message):
    """A response; its header names are in lower case."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """A request; the header names of a received one are in lower case."""

    method: str = ""
    url: str = ""


def is_first_line(line: bytes) -> bool:
    """Return whether a line can be the first of a message."""
    text = line.decode("utf-8", "replace")
    return bool(STATUS_LINE.match(text) or REQUEST_LINE.match(text))


def read_head(head: bytes) -> Request | Response:
    """Parse the head of a message.

    Args:
        head: Its lines, up to the empty one.

    Raises:
        RtspError: If it is not an RTSP message.
    """
    first, *lines = re.split(r"\r?\n", head.decode("utf-8", "replace").strip())
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and headers:  # A folded header.
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip().lower(), value.strip()))
    if answered := STATUS_LINE.match(first):
        return Response(tuple(headers), status=int(answered[1]))
    if asked := REQUEST_LINE.match(first):
        return Request(tuple(headers), method=asked[1], url=asked[2])
    raise RtspError("its answer is not RTSP")


def format_request(request: Request, sequence: int) -> bytes:
    """Return a request's bytes, with ``sequence`` as its number.

    Raises:
        RtspError: If text that came from the server would inject a header or a request.
    """
    lines = [
        f"{request.method} {request.url} RTSP/1.0",
        f"CSeq: {sequence}",
        "User-Agent: Porthole",
        *(f"{name}: {value}" for name, value in request.headers),
    ]
    if any(CONTROL.search(line) for line in lines) or " " in request.url:
        raise RtspError("an address or a header holds control characters")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("utf-8", "surrogateescape")


def format_response(request: Request) -> bytes:
    """Return the response to a server's request; only keep-alive requests are accepted."""
    known = {"OPTIONS", "GET_PARAMETER", "SET_PARAMETER"}
    status = "200 OK" if request.method in known else "501 Not Implemented"
    sequence = CONTROL.sub("", request.header("cseq"))
    public = f"Public: {', '.join(sorted(known))}\r\n" if request.method == "OPTIONS" else ""
    return f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{public}\r\n".encode()


def read_number(text: str, otherwise: int = 0) -> int:
    """Parse a number of up to ten digits; return ``otherwise`` if it is not one."""
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else otherwise
