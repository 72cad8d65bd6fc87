"""Commands sent to other nodes, and their answers."""

from server.cluster.bus.bus import Bus
from server.cluster.bus.messages import Reply, Status, request_of
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming.answers import Answers
from server.commands import CameraCommand
from server.errors import RequestError

__all__ = ["Requests"]

# The node may need 3 s to release a device before it answers.
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
        self._answers: Answers[Reply] = Answers(MAX_PENDING, DEADLINE_S)

    def ask(self, owner_id: str, who: str, command: CameraCommand) -> Status | None:
        """Send a command to a camera's node; block for the answer; return the camera's new STATE.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """

        def send(key: str) -> None:
            request = request_of(command, id=key, node=self._node, who=who[:80] or "somebody")
            self._outbox.send(self._bus.name("request", owner_id), request)

        reply = self._answers.wait(owner_id, send)
        if reply.error is not None:
            raise RequestError(reply.error, reply.message)
        return reply.camera

    def on_reply(self, reply: Reply) -> None:
        """Deliver an answer to its pending request."""
        self._answers.take(reply.id, reply.node, reply)
