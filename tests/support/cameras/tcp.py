"""A server that gives every client the same answer, or none."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

__all__ = ["answer_with"]


@pytest.fixture
def answer_with() -> Iterator[Callable[..., int]]:
    """Return a function that starts a server giving one answer or none; it returns the port."""
    over = threading.Event()
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: bytes | None, tls: ssl.SSLContext | None = None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(2)
                    try:
                        if tls is not None:
                            connection = tls.wrap_socket(connection, server_side=True)
                        connection.recv(65536)
                        if answer is None:
                            over.wait(20)
                        else:
                            connection.sendall(answer)
                    except OSError:
                        pass  # The client has hung up.
                    finally:
                        connection.close()

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    over.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)
