"""Commands sent to other nodes, and their answers."""

import secrets

from server.cluster.bus.bus import Bus
from server.cluster.bus.messages import Reply, Status, request_of
from server.cluster.bus.outbox import Outbox
from server.commands import CameraCommand
from server.errors import RequestError
from server.loop import hub

__all__ = ["Requests"]

# A camera's node may take 3 s to release a device before it answers.
DEADLINE_S = 3.3

MAX_PENDING = 256


class Requests:
    """Sends commands to nodes and waits for their answers.

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

    def ask(self, owner_id: str, who: str, command: CameraCommand) -> Status | None:
        """Send a command to a camera's node and wait; return the camera's STATE after it.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """
        if len(self._waiting) >= MAX_PENDING:
            raise RequestError("rate_limited", "too many requests; wait a second")
        key = secrets.token_hex(8)
        answered = hub.Signal()
        self._waiting[key] = owner_id, answered
        try:
            request = request_of(command, id=key, node=self._node, who=who[:80] or "somebody")
            self._outbox.send(self._bus.name("request", owner_id), request)
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
        """Hand an answer to whoever waits for it, if it is from the node that was asked."""
        owner_id, answered = self._waiting.get(reply.id, ("", None))
        if answered is not None and reply.node == owner_id:
            self._replies[reply.id] = reply
            answered.set()
