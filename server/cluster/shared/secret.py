"""The key that signs session cookies, the same on every node."""

from pathlib import Path

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.errors import ConfigError
from server.users.private import SECRET_BYTES, load_secret, make_folder, write_private

__all__ = ["Secret"]


class Secret:
    """The state folder's key, the same on all nodes; the first node's becomes the shared one.

    Args:
        bus: Holds the shared key.
        folder: The state folder, which keeps a copy.
    """

    def __init__(self, bus: Bus, folder: Path) -> None:
        self._bus = bus
        self._name = bus.name("secret")
        self._folder = folder
        self._key = b""

    def share(self) -> None:
        """Take the key from the bus, or put our own there if there is none.

        Raises:
            ConfigError: If the bus or the folder cannot be used, or the bus has no valid key.
        """
        make_folder(self._folder)
        path = self._folder / "secret.key"
        self._key = own = load_secret(path)
        client = self._bus.client()
        try:
            self.restore(client)
            shared = client.get(self._name)
        except BUS_ERRORS as error:
            raise self._bus.refusal(error) from None
        finally:
            client.connection_pool.disconnect()
        if not isinstance(shared, bytes) or len(shared) != SECRET_BYTES:
            raise ConfigError(
                f"--bus: {self._name!r} at {self._bus.place} is not a Porthole key; "
                "accepted: a different bus_prefix, if another program uses that name"
            )
        if shared != own:
            try:
                write_private(path, shared)
            except OSError as error:
                raise ConfigError(
                    f"--state: {str(path)!r} cannot be written ({error.strerror}); "
                    "accepted: a folder that can be written to"
                ) from error
        self._key = shared

    def restore(self, client: Client) -> None:
        """Put the key back if Redis has lost it, before a new node adds a different one."""
        client.set(self._name, self._key, nx=True)
