"""The shipped nginx.conf on other ports, and an nginx of one's own that runs it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.live.conftest import ROOT, wait_until

__all__ = ["CONFIGURATION", "Nginx", "find_nginx"]

CONFIGURATION = ROOT / "deploy" / "nginx.conf"

# What a distribution's own nginx.conf would say around it; nothing outside of one folder.
AROUND = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log info;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # Debian's compresses unless told otherwise.
    gzip on;
    include {folder}/porthole.conf;
}}
"""


def find_nginx() -> str:
    """Return nginx's path; /usr/sbin is not on everybody's."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    assert found, "there is no nginx; deploy/prepare.sh development installs it"
    return found


class Nginx:
    """One nginx with the shipped configuration.

    Args:
        folder: For all that it writes.
        certificate: A folder with cert.pem and key.pem.
        nodes: The ports of two Porthole servers.
    """

    def __init__(self, folder: Path, certificate: Path, nodes: Sequence[int]) -> None:
        self.folder = folder
        self.port, self.plain_port = free_ports(2)
        self.url = f"https://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None
        text = CONFIGURATION.read_text(encoding="utf-8")
        for shipped, here in (
            ("server 127.0.0.1:8001 ", f"server 127.0.0.1:{nodes[0]} "),
            ("server 127.0.0.1:8002 ", f"server 127.0.0.1:{nodes[1]} "),
            ("listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            # There may be no IPv6 here.
            ("listen [::]:80;", ""),
            ("listen [::]:443 ssl sndbuf=256k;", ""),
            ("/etc/porthole/tls/cert.pem", str(certificate / "cert.pem")),
            ("/etc/porthole/tls/key.pem", str(certificate / "key.pem")),
        ):
            assert text.count(shipped) == 1, f"{shipped!r} in {CONFIGURATION}"
            text = text.replace(shipped, here)
        folder.mkdir()
        # Started by root, workers would be nobody, who may not enter a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "porthole.conf").write_text(text, encoding="utf-8")
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        self._command = [
            *(find_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf")),
            *("-e", str(folder / "error.log")),
        ]

    def check(self) -> subprocess.CompletedProcess[str]:
        """Have nginx read the configuration and say what it thinks of it."""
        return subprocess.run(
            [*self._command, "-t"], capture_output=True, text=True, timeout=30, check=False
        )

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def stop(self) -> None:
        """End it and its workers."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
