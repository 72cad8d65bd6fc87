"""Run nginx with the shipped nginx.conf on other ports."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.support.network.reverse_proxy import Proxy, find_program

__all__ = ["Nginx"]

# The parts of a distribution's nginx.conf around ours, with everything in one folder.
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


class Nginx(Proxy):
    """An nginx in front of two Porthole servers, or of the same one twice."""

    shipped = "nginx.conf"

    def _set_up(self, certificate: Path, nodes: Sequence[int]) -> None:
        text = self._read(
            ("server 127.0.0.1:8001 ", f"server 127.0.0.1:{nodes[0]} "),
            ("server 127.0.0.1:8002 ", f"server 127.0.0.1:{nodes[-1]} "),
            ("listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            # There may be no IPv6 here.
            ("listen [::]:80;", ""),
            ("listen [::]:443 ssl sndbuf=256k;", ""),
            ("/etc/porthole/tls", str(certificate)),
            ("/var/log/nginx/porthole.log", str(self.access_log)),
        )
        # Started by root, workers would run as nobody, who cannot enter a test's folder.
        user = "user root;" if os.geteuid() == 0 else ""
        around = AROUND.format(folder=self.folder, user=user)
        (self.folder / "porthole.conf").write_text(text, encoding="utf-8")
        (self.folder / "nginx.conf").write_text(around, encoding="utf-8")

    def _command(self, check: bool) -> list[str]:
        return [
            *(find_program("nginx"), "-p", str(self.folder)),
            *("-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log")),
            *(("-t",) if check else ()),
        ]
