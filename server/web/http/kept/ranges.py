"""Answers with a file, or the range of it that was asked for (RFC 9110, section 14)."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import flask
from flask import Response

from server.loop import hub

__all__ = ["answer_file", "parse_range"]

# Read natively, so each read should be worth its 0.1 ms.
READ_BYTES = 1 << 18

NO_CACHE = {"Cache-Control": "private, no-cache"}


def answer_file(path: Path, size: int, tag: str, content_type: str) -> Response:
    """Return a response to the current request with a file, or the range that it asks for.

    Args:
        path: The file, which may grow.
        size: How much of it is answered.
        tag: Changes with the content.
        content_type: Of the file.

    Raises:
        OSError: If it cannot be opened.
    """
    request = flask.request
    entity = f'"{tag}"'
    headers = NO_CACHE | {"Accept-Ranges": "bytes", "ETag": entity}
    if entity in request.headers.get("If-None-Match", ""):
        return Response(status=304, headers=headers)
    begin, end, status = 0, size, 200
    text = request.headers.get("Range")
    if text is not None and request.headers.get("If-Range", entity) == entity:
        found = parse_range(text, size)
        if found is not None:
            begin, end = found
            if begin >= end:
                headers["Content-Range"] = f"bytes */{size}"
                return Response(status=416, headers=headers)
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
            status = 206
    headers["Content-Length"] = str(end - begin)
    if request.method == "HEAD":
        return Response(status=status, headers=headers, content_type=content_type)
    descriptor = hub.run_native(os.open, path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    body = _read(descriptor, begin, end)
    response = Response(body, status, headers, content_type=content_type)
    response.call_on_close(lambda: os.close(descriptor))
    return response


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range and the one after its last; None to ignore the header.

    The first is not before the second where nothing is left of the range.

    Args:
        text: The header; several ranges are ignored, as a server may.
        size: How large the whole is.
    """
    found = re.fullmatch(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    begin = int(found[1])
    end = min(size, int(found[2]) + 1) if found[2] else size
    if found[2] and int(found[2]) < begin:
        return None
    return begin, end


def _read(descriptor: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        data = hub.run_native(os.pread, descriptor, min(READ_BYTES, end - begin), begin)
        if not data:
            return  # It was cut; what was promised cannot be kept.
        yield data
        begin += len(data)
