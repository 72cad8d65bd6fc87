"""What is asked of other nodes, and what they answer."""

import secrets

from server import hub
from server.capture.watchable import Action
from server.cluster.bus import Bus
from server.cluster.messages import Reply, Request, Status
from server.cluster.outbox import Outbox
from server.errors import RequestError

__all__ = ["Requests"]

# A camera's node takes up to 3 s to release a device, and says so then.
DEADLINE_S = 3.3

MOST_WAITING = 256


class Requests:
    """Asks nodes, and gives each answer to the one who asked.

    Args:
        bus: For the names of channels.
        node: This node's id.
        outbox: Where to ask.
    """

    def __init__(self, bus: Bus, node: str, outbox: Outbox) -> None:
        self._bus = bus
        self._node = node
        self._outbox = outbox
        self._waiting: dict[str, tuple[str, hub.Signal]] = {}
        self._replies: dict[str, Reply] = {}

    def ask(
        self, owner: str, camera: str, who: str, action: Action, value: float | None
    ) -> Status | None:
        """Ask a camera's node for something and wait; return the camera's STATE after it.

        Raises:
            RequestError: What the node says, or ``unavailable`` if it says nothing in time.
        """
        if len(self._waiting) >= MOST_WAITING:
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
                fps=value if action == "fps" else None,
                quality=int(value) if action == "quality" and value is not None else None,
                who=who[:80] or "somebody",
            )
            self._outbox.say(self._bus.name("request", owner), request)
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
        """Give an answer to the one who waits for it, if it comes from the one who was asked."""
        owner, answered = self._waiting.get(reply.id, ("", None))
        if answered is not None and reply.node == owner:
            self._replies[reply.id] = reply
            answered.set()
