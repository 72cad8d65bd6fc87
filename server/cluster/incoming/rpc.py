"""Requests to other nodes, and their replies."""

import secrets
from typing import Any

from server.capture.interface import SOURCES_OWN, Action, Argument, PresetOrder, Setting
from server.cluster.bus.bus import Bus
from server.cluster.bus.messages import Reply, Request, Status
from server.cluster.bus.outbox import Outbox
from server.errors import RequestError
from server.loop import hub

__all__ = ["Requests", "argument_of", "write_argument"]

# A camera's node takes up to 3 s to release a device, and replies then.
DEADLINE_S = 3.3

MAX_PENDING = 256


class Requests:
    """Sends requests to nodes, and returns each reply to its caller.

    Args:
        bus: Names the channels.
        node: This node's id.
        outbox: Sends the requests.
    """

    def __init__(self, bus: Bus, node: str, outbox: Outbox) -> None:
        self._bus = bus
        self._node = node
        self._outbox = outbox
        self._waiting: dict[str, tuple[str, hub.Signal]] = {}
        self._replies: dict[str, Reply] = {}

    def ask(
        self, owner: str, camera: str, who: str, action: Action, value: Argument
    ) -> Status | None:
        """Send a request to a camera's node and wait; return the camera's STATE afterwards.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not reply in time.
        """
        if len(self._waiting) >= MAX_PENDING:
            raise RequestError("rate_limited", "too many requests; wait a second")
        key = secrets.token_hex(8)
        answered = hub.Signal()
        self._waiting[key] = owner, answered
        try:
            request = Request(
                id=key,
                node=self._node,
                camera=camera,
                action=action,
                who=who[:80] or "somebody",
                **write_argument(action, value),
            )
            self._outbox.send(self._bus.name("request", owner), request)
            answered.wait(DEADLINE_S)
            reply = self._replies.pop(key, None)
        finally:
            del self._waiting[key]
        if reply is None:
            raise RequestError("unavailable", "the camera's node does not answer")
        if reply.error is not None:
            raise RequestError(reply.error, reply.message)
        return reply.camera

    def on_reply(self, reply: Reply) -> None:
        """Hand a reply to the caller waiting for it, if it comes from the node that was asked."""
        owner, answered = self._waiting.get(reply.id, ("", None))
        if answered is not None and reply.node == owner:
            self._replies[reply.id] = reply
            answered.set()


def write_argument(action: Action, value: Argument) -> dict[str, Any]:
    """Return an action's argument as the fields of a request."""
    match value:
        case Setting():
            return {"control": value.control, "value": value.value}
        case PresetOrder():
            return {"preset": value.preset, "do": value.do}
        case None:
            return {}
    return {action: int(value) if action == "quality" and value != SOURCES_OWN else value}


def argument_of(request: Request) -> Argument:
    """Return the argument of a request's action.

    Raises:
        RequestError: ``bad_request`` if it is missing.
    """
    if request.action in ("control", "reset"):
        lacks = request.action == "control" and (request.control is None or request.value is None)
        value: Argument = Setting(request.control, request.value)
    elif request.action == "preset":
        lacks = request.preset is None or request.do is None
        value = PresetOrder(request.preset or "", request.do or "apply")
    elif request.action in ("fps", "quality"):
        value = request.fps if request.action == "fps" else request.quality
        lacks = value is None
    else:
        return None
    if lacks:
        raise RequestError("bad_request", f"{request.action}: what it takes is missing")
    return value
