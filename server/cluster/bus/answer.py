"""What the answers of nodes have in common: a head, and facts as JSON; binary data follows.

::

    kind  version  request    node      length  facts
    2     1        8 bytes    8 bytes   uint32  as many bytes, JSON
"""

import struct
from typing import TypeVar

from server.cluster.bus.messages import Message, MessageError, parse_message

__all__ = ["pack_head", "unpack_head"]

HEAD = struct.Struct("!2sB8s8sI")

VERSION = 1

Facts = TypeVar("Facts", bound=Message)


def pack_head(kind: bytes, request: str, node: str, facts: Message) -> bytes:
    """Return the beginning of an answer.

    Args:
        kind: Two letters.
        request: Id of what is answered, 16 hexadecimal digits.
        node: Id of the node that answers, likewise.
        facts: What there is besides the data.
    """
    told = facts.model_dump_json().encode()
    return HEAD.pack(kind, VERSION, bytes.fromhex(request), bytes.fromhex(node), len(told)) + told


def unpack_head(
    kind: bytes, facts: type[Facts], message: bytes, max_bytes: int
) -> tuple[str, str, Facts, int]:
    """Return request, node and facts of an answer, and where its data begins.

    Raises:
        MessageError: If the message is not a valid one of this kind and version.
    """
    if not HEAD.size < len(message) <= max_bytes:
        raise MessageError(f"not an answer: {len(message)} bytes")
    found, version, request, node, length = HEAD.unpack_from(message)
    if (found, version) != (kind, VERSION):
        raise MessageError("not the answer that is expected, or of another version")
    begin = HEAD.size + length
    told = parse_message(facts, message[HEAD.size : begin])
    return request.hex(), node.hex(), told, begin
