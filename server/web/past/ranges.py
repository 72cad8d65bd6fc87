"""Answers with files of a known size, or the part of one that is asked for (RFC 9110, 14)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import flask
from flask import Response

from server.loop import hub

__all__ = ["answer_file", "answer_part"]

PIECE_BYTES = 1 << 20

# A picture of the past stays what it is, but who may see it can change at any time.
NOT_KEPT = {"Cache-Control": "no-store", "Accept-Ranges": "bytes"}


def answer_part(
    nbytes: int,
    tag: str,
    name: str,
    read: Callable[[int, int], Iterator[bytes]],
    content_type: str = "video/mp4",
) -> Response:
    """Return the answer to the current request, GET or HEAD, for a file.

    Args:
        nbytes: The file's size.
        tag: The same for the same file only; quotes are added.
        name: Under which browsers save it.
        read: Yields the file from one byte up to another.
        content_type: Of the file.
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
    """Return the answer to the current request for a file on the disk.

    Args:
        path: The file.
        tag: The same for the same file only; quotes are added.
        name: Under which browsers save it.
        content_type: Of the file.
        nbytes: How much of it is there to be answered; None for all.

    Raises:
        OSError: If it cannot be opened.
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
                    return  # It was cut off meanwhile.
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
    """Yield the pieces, and let others work in between: a fast link would take all at once."""
    for piece in pieces:
        yield piece
        hub.sleep(0)
