"""Answers with a file of known size, or the requested part of it (RFC 9110, section 14)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import flask
from flask import Response

from server.loop import hub

__all__ = ["answer_file", "answer_part"]

PIECE_BYTES = 1 << 20

# Permissions can change at any time, so browsers must not cache.
NOT_KEPT = {"Cache-Control": "no-store", "Accept-Ranges": "bytes"}


def answer_part(
    nbytes: int,
    tag: str,
    name: str,
    read: Callable[[int, int], Iterator[bytes]],
    content_type: str = "video/mp4",
) -> Response:
    """Return the response with a file to the current request, GET or HEAD.

    Args:
        nbytes: Size of the file.
        tag: Identifies the file; becomes the ETag, with quotes added.
        name: File name for browsers to save it under.
        read: Yields the file's bytes from a start up to an end.
        content_type: The content type.
    """
    request = flask.request
    headers = NOT_KEPT | {
        "ETag": f'"{tag}"',
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    begin, end, status = 0, nbytes, 200
    wanted = request.range
    same = request.if_range.etag in (None, tag) and request.if_range.date is None
    if wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1 and same:
        found = wanted.range_for_length(nbytes)
        if found is None:
            headers["Content-Range"] = f"bytes */{nbytes}"
            return Response(b"", 416, headers)
        (begin, end), status = found, 206
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{nbytes}"
    headers["Content-Length"] = str(end - begin)
    body = iter(()) if request.method == "HEAD" else _give_way(read(begin, end))
    return Response(body, status, headers, content_type=content_type)


def answer_file(
    path: Path, tag: str, name: str, content_type: str = "video/mp4", nbytes: int | None = None
) -> Response:
    """Return the response with a file on disk to the current request.

    Args:
        path: The file.
        tag: Identifies the file; becomes the ETag, with quotes added.
        name: File name for browsers to save it under.
        content_type: The content type.
        nbytes: Bytes to serve of a file that may still grow; None for all.

    Raises:
        OSError: If the file cannot be opened.
    """
    file = hub.run_native(_open, path)
    try:
        if nbytes is None:
            nbytes = hub.run_native(path.stat).st_size

        def read(begin: int, end: int) -> Iterator[bytes]:
            file.seek(begin)
            while begin < end:
                piece = hub.run_native(file.read, min(PIECE_BYTES, end - begin))
                if not piece:
                    return  # The file was truncated meanwhile.
                begin += len(piece)
                yield piece

        response = answer_part(nbytes, tag, name, read, content_type)
    except BaseException:
        file.close()
        raise
    response.call_on_close(file.close)
    return response


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _give_way(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces, and let other green threads run in between, even on a fast link."""
    for piece in pieces:
        yield piece
        hub.sleep(0)
