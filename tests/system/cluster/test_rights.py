"""The permissions of each role on the bus, set by the documentation's own commands."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from server.users.users import UsersFile
from tests.support.browser.visitor import Visitor
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import PASSWORD, RedisServer
from tests.support.servers.server import ROOT, PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# Users created in Redis persist.
pytestmark = pytest.mark.usefixtures("own_redis")

USERS_PASSWORD = "correct horse"


def documented_users() -> list[list[str]]:
    """Return the commands of docs/scaling.md that create users, split into words."""
    text = (ROOT / "docs" / "scaling.md").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("ACL SETUSER ")]
    return [shlex.split(line.replace(">PASSWORD", f"'>{PASSWORD}'")) for line in lines]


@pytest.fixture
def urls(bus: RedisServer) -> dict[str, str]:
    """The bus's URL for each role, with users created as documented."""
    with bus.client() as client:
        for words in documented_users():
            assert client.execute_command(*words)
    return {
        role: f"redis://porthole-{role}:{PASSWORD}@127.0.0.1:{bus.port}/0"
        for role in ("camera", "web")
    }


def test_documented_permissions_suffice(
    urls: dict[str, str],
    bus: RedisServer,
    start_node: Start,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """Everything works with the documented users, and Redis denies nothing.

    An operator's command is in the audit log of the camera's node.
    """
    UsersFile(tmp_path / "web").add_user("ada", "operator", None, USERS_PASSWORD)
    token = UsersFile(tmp_path / "web").add_token("desk", "operator", None)
    camera = start_node("camera", "door=test:?fps=10", "--bus", urls["camera"], state="camera")
    web = start_node("web", "--bus", urls["web"], state="web")
    viewer = wait_until(lambda: connect(web, auth={"token": token}))
    # The camera's node may not have been discovered yet.
    wait_until(lambda: viewer.call("watch", {"camera": "door"})["ok"])
    viewer.pump(lambda: len(viewer.arrivals) > 5, 10)
    assert viewer.call("quality", {"camera": "door", "quality": 40})["ok"]
    visitor = Visitor(web)
    assert visitor.log_in("ada", "wrong")[0] == 401
    assert visitor.log_in("ada", USERS_PASSWORD)[0] == 303
    assert camera.stop() == 0

    with bus.client() as client:
        assert client.acl_log() == []
        assert client.keys("porthole:limits*"), "tries of passwords are not counted on the bus"
        assert client.get("porthole:seq:door")
    audit = (tmp_path / "camera" / "audit.log").read_text().splitlines()
    entry = json.loads(audit[-1])
    assert entry.pop("at")
    assert entry.pop("from").startswith("node ")
    assert entry == {
        "who": "desk",
        "what": "quality",
        "result": "ok",
        "by": "bus",
        "camera": "door",
        "value": 40,
    }


def test_bus_users_are_limited_to_their_role(urls: dict[str, str]) -> None:
    """A stolen camera node password can neither create users nor sign logins.

    A web node's password can neither claim cameras nor flush Redis.
    """
    with redis.Redis.from_url(urls["camera"]) as client:
        for key in ("people", "secret", "logins", "logins-number", "logins-epoch", "limits:x"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.get(f"porthole:{key}")
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.set(f"porthole:{key}", "x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.eval("return redis.call('GET', KEYS[1])", 1, "porthole:people")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.keys("*")
    with redis.Redis.from_url(urls["web"]) as client:
        for key in ("claim:door", "seq:door", "elsewhere"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.set(f"porthole:{key}", "x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
