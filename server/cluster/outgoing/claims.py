"""Claims on camera names: each belongs to one node, and expires when the node dies."""

import time
from collections.abc import Mapping
from typing import Any

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.bus.numbering import largest_seq
from server.errors import ConfigError
from server.loop import hub

__all__ = ["RENEW_S", "Claims"]

RENEW_S = 0.7
"""Period at which claims are renewed and cameras are announced."""

# A claim survives two lost renewals.
LIFETIME_S = 2.1

# Longest time that a start waits for the claims of a killed process to expire.
CLAIM_TIMEOUT_S = LIFETIME_S + 0.6
RETRY_PERIOD_S = 0.2

# Time for which a camera's last sequence number is kept after its node has gone.
SEQ_LIFETIME_S = 30 * 24 * 3600

# Takes each claim that is free or ours, and stores the camera's last sequence number with it.
# Returns, for each claim, 1 and that number, or 0 and the holder.
TAKE = """
local answers = {}
local count = #KEYS / 2
for i = 1, count do
    local holder = redis.call('GET', KEYS[i])
    if holder and holder ~= ARGV[1] then
        answers[i] = {0, holder}
    else
        redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
        if ARGV[3 + i] ~= '0' then
            redis.call('SET', KEYS[count + i], ARGV[3 + i], 'EX', ARGV[3])
        end
        answers[i] = {1, redis.call('GET', KEYS[count + i]) or '0'}
    end
end
return answers
"""

RELEASE = """
for i = 1, #KEYS do
    if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""


class Claims:
    """This node's claims. Every method may block on the bus.

    Args:
        bus: Holds the claims.
        node: This node's id.
        host: Name of this machine, for people.
        names: Names of the cameras to claim.
    """

    def __init__(self, bus: Bus, node: str, host: str, names: tuple[str, ...]) -> None:
        self._bus = bus
        self._holder = f"{node} {host}"
        self._names = names
        self.refused: dict[str, str] = {}
        """Hosts that hold claims we want, by camera."""

    def include(self, name: str) -> None:
        """Start renewing a claim that was already taken."""
        if name not in self._names:
            self._names = (*self._names, name)

    def exclude(self, name: str) -> None:
        """Stop renewing a claim, without releasing it."""
        self._names = tuple(one for one in self._names if one != name)
        self.refused.pop(name, None)

    def take_all(self) -> dict[str, int]:
        """Take every claim; return the last known sequence number of each camera.

        Raises:
            ConfigError: If a living node holds one of them, or the bus is unavailable.
        """
        deadline = time.monotonic() + CLAIM_TIMEOUT_S
        client = self._bus.client()
        try:
            while True:
                reached = self.renew(client, {})
                if not self.refused:
                    return reached
                if time.monotonic() > deadline:
                    break
                hub.sleep(RETRY_PERIOD_S)
            self.release(client)
        except BUS_ERRORS as error:
            raise self._bus.refusal(error) from None
        finally:
            client.connection_pool.disconnect()
        name, holder = next(iter(self.refused.items()))
        raise ConfigError(
            f"camera {name!r} is shared by another node, on {holder}; "
            "accepted: a name that no other camera on this bus has"
        )

    def renew(self, client: Client, seqs: Mapping[str, int]) -> dict[str, int]:
        """Take or keep the claims; return the last known sequence number of each camera we hold.

        Args:
            client: The calling green thread's client.
            seqs: Current sequence number of each camera that has one.
        """
        names = self._names  # May be replaced while waiting for the answer.
        if not names:
            return {}
        keys = [self._bus.name(kind, name) for kind in ("claim", "seq") for name in names]
        arguments = [self._holder, round(LIFETIME_S * 1000), SEQ_LIFETIME_S]
        arguments += [str(seqs.get(name, 0)) for name in names]
        answers: Any = client.eval(TAKE, len(keys), *keys, *arguments)
        reached = {}
        refused = {}
        for name, (ours, text) in zip(names, answers, strict=True):
            if name not in self._names:
                continue
            if ours:
                reached[name] = _number(text)
            else:
                refused[name] = _host(text)
        self.refused = refused
        return reached

    def release(self, client: Client) -> None:
        """Release the claims, so that other nodes can take the names immediately."""
        if self._names:
            keys = [self._bus.name("claim", name) for name in self._names]
            client.eval(RELEASE, len(keys), *keys, self._holder)


def _number(text: bytes) -> int:
    """Return a stored sequence number; 0 if invalid."""
    return int(text) if text.isdigit() and int(text) <= largest_seq() else 0


def _host(text: bytes) -> str:
    host = text.decode("utf-8", "replace").partition(" ")[2][:64]
    return "".join(one for one in host if one.isprintable()) or "an unnamed machine"
