"""The key that signs session cookies, the same on every node."""

from pathlib import Path

from server.cluster.bus import BUS_ERRORS, Bus, reason_of
from server.errors import ConfigError
from server.private import SECRET_BYTES, load_secret, make_folder, write_private

__all__ = ["share_secret"]


def share_secret(bus: Bus, folder: Path) -> None:
    """Make the state folder's key the one that all nodes use; the first node's becomes that.

    Each node keeps a copy, from which it is restored should Redis lose it.

    Raises:
        ConfigError: If the bus or the folder cannot be used, or what is on the bus is no key.
    """
    make_folder(folder)
    path = folder / "secret.key"
    own = load_secret(path)
    client = bus.client()
    key = bus.name("secret")
    try:
        client.set(key, own, nx=True)
        shared = client.get(key)
    except BUS_ERRORS as error:
        raise ConfigError(f"--bus: redis at {bus.place} {reason_of(error)}") from None
    finally:
        client.connection_pool.disconnect()
    if not isinstance(shared, bytes) or len(shared) != SECRET_BYTES:
        raise ConfigError(f"--bus: {key!r} at {bus.place} is no key of Porthole's; delete it there")
    if shared != own:
        try:
            write_private(path, shared)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(path)!r} cannot be written ({error.strerror}); "
                "accepted: a folder that can be written to"
            ) from error
