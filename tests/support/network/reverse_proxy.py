"""Run each proxy that Porthole ships a configuration for, with that file on other ports."""

import os
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.support.servers.server import ROOT, wait_until

__all__ = ["Apache", "Caddy", "Haproxy", "Proxy", "find_program", "free_ports"]


class Proxy(ABC):
    """One proxy in front of a server, using the file that Porthole ships.

    Args:
        folder: Where it writes its files.
        certificate: A folder with cert.pem and key.pem.
        nodes: The ports of Porthole servers; all but nginx use the first.
    """

    shipped: str
    """Name of the file in deploy/."""

    def __init__(self, folder: Path, certificate: Path, nodes: Sequence[int]) -> None:
        self.folder = folder
        self.port, self.plain_port = free_ports(2)
        self.url = f"https://127.0.0.1:{self.port}/"
        self.access_log = folder / "access.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self._set_up(certificate, nodes)

    @abstractmethod
    def _set_up(self, certificate: Path, nodes: Sequence[int]) -> None:
        """Write the configuration, adapted to the test."""

    @abstractmethod
    def _command(self, check: bool) -> list[str]:
        """Return the command that runs it, or checks its configuration."""

    def _read(self, *changes: tuple[str, str]) -> str:
        """Return the shipped file with some text replaced."""
        text = (ROOT / "deploy" / self.shipped).read_text(encoding="utf-8")
        for shipped, here in changes:
            assert shipped in text, f"{shipped!r} in {self.shipped}"
            text = text.replace(shipped, here)
        return text

    def check(self) -> subprocess.CompletedProcess[str]:
        """Check the configuration with the proxy itself; return its verdict."""
        return subprocess.run(
            self._command(check=True),
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self._command(check=False),
                env=self._environment(),
                stdout=output,
                stderr=output,
            )
        wait_until(self._answers)

    def stop(self) -> None:
        """End it and its workers."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def logged(self) -> str:
        """Return everything it has logged."""
        paths = (*self.folder.glob("*.log"), self.folder / "output")
        return "".join(path.read_text(encoding="utf-8") for path in paths)

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.logged()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Caddy(Proxy):
    """Caddy, without its admin endpoint and its own certificate authority."""

    shipped = "Caddyfile"

    def _set_up(self, certificate: Path, nodes: Sequence[int]) -> None:
        options = f"http_port {self.plain_port}\n\thttps_port {self.port}\n\tadmin off"
        text = self._read(
            ("{\n\t# Its own", f"{{\n\t{options}\n\n\t# Its own"),
            ("\ncameras.example {", "\nhttps://127.0.0.1 {\n\tbind 127.0.0.1"),
            ("127.0.0.1:8000", f"127.0.0.1:{nodes[0]}"),
            ("/etc/porthole/tls", str(certificate)),
            ("/var/log/caddy/porthole.log", str(self.access_log)),
        )
        (self.folder / "Caddyfile").write_text(text, encoding="utf-8")

    def _command(self, check: bool) -> list[str]:
        what = "validate" if check else "run"
        return [find_program("caddy"), what, "--config", str(self.folder / "Caddyfile")]

    def _environment(self) -> dict[str, str]:
        # Caddy stores its data there.
        home = {name: str(self.folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        return super()._environment() | home


class Haproxy(Proxy):
    """HAProxy, logging to its output instead of the system log."""

    shipped = "haproxy.cfg"

    def _set_up(self, certificate: Path, nodes: Sequence[int]) -> None:
        pem = self.folder / "haproxy.pem"
        parts = [certificate / "cert.pem", certificate / "key.pem"]
        pem.write_bytes(b"".join(part.read_bytes() for part in parts))
        text = self._read(
            ("/etc/porthole/tls/haproxy.pem", str(pem)),
            ("bind :80", f"bind 127.0.0.1:{self.plain_port}"),
            ("bind :443", f"bind 127.0.0.1:{self.port}"),
            ("127.0.0.1:8000", f"127.0.0.1:{nodes[0]}"),
            ("log /dev/log local0", "log stdout format raw local0"),
        )
        (self.folder / "haproxy.cfg").write_text(text, encoding="utf-8")

    def _command(self, check: bool) -> list[str]:
        how = "-c" if check else "-db"
        return [find_program("haproxy"), how, "-f", str(self.folder / "haproxy.cfg")]


class Apache(Proxy):
    """Apache, with the modules in its file and the surrounding settings of Debian."""

    shipped = "apache.conf"

    AROUND = """
ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
Mutex file:{folder} default
{modules}
{user}
ServerName 127.0.0.1
Listen 127.0.0.1:{plain}
Listen 127.0.0.1:{port}
Include {folder}/porthole.conf
"""
    MODULES = (
        *("mpm_event", "authz_core", "alias", "setenvif", "socache_shmcb"),
        *("ssl", "headers", "proxy", "proxy_http"),
    )

    def _set_up(self, certificate: Path, nodes: Sequence[int]) -> None:
        text = self._read(
            ("*:80>", f"127.0.0.1:{self.plain_port}>"),
            ("*:443>", f"127.0.0.1:{self.port}>"),
            ("127.0.0.1:8000", f"127.0.0.1:{nodes[0]}"),
            ("https://cameras.example/", f"https://127.0.0.1:{self.port}/"),
            ("/etc/porthole/tls", str(certificate)),
            ("${APACHE_LOG_DIR}/porthole.log", str(self.access_log)),
        )
        folder = Path("/usr/lib/apache2/modules")
        modules = "\n".join(
            f"LoadModule {name}_module {folder}/mod_{name}.so" for name in self.MODULES
        )
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        around = self.AROUND.format(
            folder=self.folder, modules=modules, user=user, plain=self.plain_port, port=self.port
        )
        (self.folder / "porthole.conf").write_text(text, encoding="utf-8")
        (self.folder / "apache2.conf").write_text(around, encoding="utf-8")

    def _command(self, check: bool) -> list[str]:
        how = ("-t",) if check else ("-D", "FOREGROUND")
        return [find_program("apache2"), *how, "-f", str(self.folder / "apache2.conf")]


def find_program(name: str) -> str:
    """Return a program's path; /usr/sbin is not always on PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    assert found, f"there is no {name}; deploy/prepare.sh development installs it"
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
