"""Which node owns which camera: one claim a name, which dies with its node."""

import time
from collections.abc import Mapping
from typing import Any

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.bus.numbering import largest_seq
from server.errors import ConfigError
from server.loop import hub

__all__ = ["RENEW_S", "Claims"]

RENEW_S = 0.7
"""How often claims are renewed and presence is told."""

# A claim outlives two renewals that were lost.
LIFETIME_S = 2.1

# How long a start waits for the claims of an earlier life that was killed.
PATIENCE_S = LIFETIME_S + 0.6
PATIENCE_STEP_S = 0.2

# The newest number of a camera is remembered for so long after its node has gone.
SEQ_LIFETIME_S = 30 * 24 * 3600

# Takes each claim that is free or ours, and keeps each camera's newest number beside it. Answers
# for each with 1 and the number, or with 0 and the one who has it.
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

GIVE_BACK = """
for i = 1, #KEYS do
    if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""


class Claims:
    """This node's claims. Every method may wait for the bus.

    Args:
        bus: Where they are.
        node: This node's id.
        host: The name of its machine, for people.
        names: Of its cameras.
    """

    def __init__(self, bus: Bus, node: str, host: str, names: tuple[str, ...]) -> None:
        self._bus = bus
        self._holder = f"{node} {host}"
        self._names = names
        self._keys = [bus.name("claim", name) for name in names]
        self._keys += [bus.name("seq", name) for name in names]
        self.refused: dict[str, str] = {}
        """Who has what is not ours, by camera."""

    def take_all(self) -> dict[str, int]:
        """Take every claim; return the newest number that each camera is known to have reached.

        Raises:
            ConfigError: If another node has one and is alive, or the bus is not there.
        """
        deadline = time.monotonic() + PATIENCE_S
        client = self._bus.client()
        try:
            while True:
                reached = self.renew(client, {})
                if not self.refused:
                    return reached
                if time.monotonic() > deadline:
                    break
                hub.sleep(PATIENCE_STEP_S)
            self.give_back(client)
        except BUS_ERRORS as error:
            raise self._bus.refusal(error) from None
        finally:
            client.connection_pool.disconnect()
        name, holder = next(iter(self.refused.items()))
        raise ConfigError(
            f"camera {name!r} is shared by another node on this bus, on {holder}; "
            "accepted: a name of its own for each"
        )

    def renew(self, client: Client, seqs: Mapping[str, int]) -> dict[str, int]:
        """Take or keep the claims; return the newest known number of each camera that is ours.

        Args:
            client: Of the calling green thread.
            seqs: The newest number of each camera now, if there is one.
        """
        if not self._names:
            return {}
        arguments = [self._holder, round(LIFETIME_S * 1000), SEQ_LIFETIME_S]
        arguments += [str(seqs.get(name, 0)) for name in self._names]
        answers: Any = client.eval(TAKE, len(self._keys), *self._keys, *arguments)
        reached = {}
        refused = {}
        for name, (ours, text) in zip(self._names, answers, strict=True):
            if ours:
                reached[name] = _number(text)
            else:
                refused[name] = _host(text)
        self.refused = refused
        return reached

    def give_back(self, client: Client) -> None:
        """Let others have the names at once."""
        if self._names:
            count = len(self._names)
            client.eval(GIVE_BACK, count, *self._keys[:count], self._holder)


def _number(text: bytes) -> int:
    """Return a kept number; 0 for anything that cannot be one."""
    return int(text) if text.isdigit() and int(text) <= largest_seq() else 0


def _host(text: bytes) -> str:
    host = text.decode("utf-8", "replace").partition(" ")[2][:64]
    return "".join(sign for sign in host if sign.isprintable()) or "an unnamed machine"
