"""The container files, as far as possible without Docker: they parse, and all names exist."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from server.config.models import server_options
from tests.support.servers.server import ROOT, PortholeServer

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Read compose.yaml as Docker does, without variable substitution."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


def test_copied_files_exist_and_are_not_ignored() -> None:
    """The Dockerfile's sources exist in the project, and its ignore file lets them through."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    passed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.M)

    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in passed, source
    code = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--", *copied], capture_output=True)
    assert code.stdout.count(b".py\n") > 50


def test_image_installs_the_libraries_opencv_needs() -> None:
    """The image and deploy/prepare.sh install the same libraries."""
    prepare = (DEPLOY / "prepare.sh").read_text(encoding="utf-8")
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")

    needed = re.search(r"import cv2' 2>/dev/null \|\| install_packages (.+)", prepare)
    installed = re.search(r"--no-install-recommends (.+) \\", image)

    assert needed
    assert installed
    assert set(needed[1].split()) == set(installed[1].split())


def test_health_check_queries_the_server(start_server: Callable[..., PortholeServer]) -> None:
    """The image's check passes where a server answers, and fails where none does."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    found = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.M)
    assert found
    _, *arguments = json.loads(found[1])
    server = start_server("test:")

    codes = []
    for port in (server.port, 9):
        command = ["env", f"PORTHOLE_PORT={port}", sys.executable, *arguments]
        codes.append(subprocess.run(command, capture_output=True, check=False).returncode)

    assert codes == [0, 1]


def test_compose_services_are_consistent(compose: dict[str, Any]) -> None:
    """Volumes, networks and dependencies are defined, and every mounted file is shipped."""
    services = compose["services"]

    assert set(services) == {"redis", "camera", "web1", "web2", "nginx"}
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        assert set(service["networks"]) <= set(compose["networks"]), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("./"):
                # Users supply the certificate's folder.
                assert (DEPLOY / source).exists() or source == "./tls", mount
            else:
                assert source in compose["volumes"], mount
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[other].get("healthcheck", {}) != {"disable": True}, name


def test_environment_variables_are_known_settings(compose: dict[str, Any]) -> None:
    """Every PORTHOLE_ variable is one that the server reads."""
    known = {option.variable for option in server_options()}
    known |= {"PORTHOLE_BUS"}  # Until the roles that read it are in this tree.

    for service in compose["services"].values():
        for variable in service.get("environment", ()):
            assert variable in known or not variable.startswith("PORTHOLE_"), variable


def test_nginx_proxies_to_the_web_nodes(compose: dict[str, Any]) -> None:
    """The command's sed finds both nodes in nginx.conf, and replaces them with the containers."""
    services = compose["services"]
    expected = [services[name]["networks"]["inside"]["ipv4_address"] for name in ("web1", "web2")]
    command = services["nginx"]["command"][2].partition(" && ")[0].partition(" > ")[0]
    command = shlex.split(command.replace("/porthole.conf", str(DEPLOY / "nginx.conf")))

    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert re.findall(r"^    server (\S+) max_fails", made, re.M) == [
        f"{ip}:8000" for ip in expected
    ]
    proxy = services["nginx"]["networks"]["inside"]["ipv4_address"]
    assert services["web1"]["environment"]["PORTHOLE_TRUSTED_PROXIES"] == proxy
