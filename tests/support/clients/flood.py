"""Endless requests from a separate process: threads in a test would hold up its viewers."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections import Counter

__all__ = ["Flood"]


class Flood:
    """Connections that repeat one request, each as soon as the last is answered.

    Args:
        port: The server's.
        request: Its bytes.
        connections: How many there are.
    """

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self.answers: Counter[str] = Counter()
        """Number of answers by status; set when the flood is over."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(port), str(connections), str(len(request))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin
        self._process.stdin.write(request)
        self._process.stdin.flush()

    def __enter__(self) -> "Flood":
        """Wait for the first answer."""
        assert self._process.stdout
        assert self._process.stdout.readline() == b"answered\n"
        return self

    def __exit__(self, *_: object) -> None:
        told, _ = self._process.communicate(timeout=60)
        self.answers.update(json.loads(told))


def send(port: int, request: bytes, answers: Counter[str], ended: threading.Event) -> None:
    """Send a request again and again, on as few connections as the server allows."""
    while not ended.is_set():
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 10) as sock,
        ):
            answer = b"?"
            while answer and b"connection: close" not in answer.lower() and not ended.is_set():
                sock.sendall(request)
                answer = sock.recv(65536)
                answers[answer[9:12].decode()] += 1


def main() -> None:
    """Flood until standard input ends; then print the number of answers by status."""
    port, connections, size = map(int, sys.argv[1:])
    request = sys.stdin.buffer.read(size)
    answers, ended = Counter[str](), threading.Event()
    threads = [
        threading.Thread(target=send, args=(port, request, answers, ended))
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    while not answers:
        ended.wait(0.01)
    print("answered", flush=True)
    sys.stdin.buffer.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
