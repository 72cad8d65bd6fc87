"""Fetch a path over HTTP."""

import urllib.error
import urllib.request

from tests.support.servers.server import PortholeServer

__all__ = ["get", "status_of"]


def status_of(server: PortholeServer, path: str) -> tuple[int, str]:
    """Return a path's status and text."""
    try:
        with urllib.request.urlopen(server.url + path, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def get(server: PortholeServer, path: str) -> str:
    """Return a path's response, whatever the status."""
    return status_of(server, path)[1]
