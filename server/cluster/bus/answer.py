"""The common form of nodes' answers: a head, facts as JSON, then binary data.

::

    kind  version  request    node      length  facts
    2     1        8 bytes    8 bytes   uint32  ``length`` bytes, JSON
"""

import struct
from typing import TypeVar

from server.cluster.bus.messages import Message, MessageError, parse_message

__all__ = ["pack_head", "unpack_head"]

HEAD = struct.Struct("!2sB8s8sI")

VERSION = 1

Facts = TypeVar("Facts", bound=Message)


def pack_head(kind: bytes, request: str, node: str, facts: Message) -> bytes:
    """Return the head and facts of an answer.

    Args:
        kind: Two letters.
        request: Id of the request, 16 hexadecimal digits.
        node: Id of the answering node, 16 hexadecimal digits.
        facts: The JSON part.
    """
    text = facts.model_dump_json().encode()
    return HEAD.pack(kind, VERSION, bytes.fromhex(request), bytes.fromhex(node), len(text)) + text


def unpack_head(
    kind: bytes, facts: type[Facts], message: bytes, max_bytes: int
) -> tuple[str, str, Facts, int]:
    """Return an answer's request id, node id and facts, and the offset of its data.

    Raises:
        MessageError: If the message is not a valid one of this kind and version.
    """
    if not HEAD.size < len(message) <= max_bytes:
        raise MessageError(f"not an answer: {len(message)} bytes")
    found, version, request, node, length = HEAD.unpack_from(message)
    if (found, version) != (kind, VERSION):
        raise MessageError("not the expected kind of answer, or of another version")
    begin = HEAD.size + length
    parsed = parse_message(facts, message[HEAD.size : begin])
    return request.hex(), node.hex(), parsed, begin
