"""Who somebody is, as far as permissions are concerned."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["OPEN", "Kind", "Person", "Role"]

Role = Literal["viewer", "operator", "admin"]

Kind = Literal["user", "token", "embed", "open", "local"]


@dataclass(frozen=True, slots=True)
class Person:
    """A user or machine, as far as permissions are concerned.

    Attributes:
        name: The name people see; None if no login is needed.
        role: Viewers see, operators also control, admins also change cameras and users.
        cameras: Names of the only cameras this person may know of; None for all.
        kind: A ``user`` has a password, a ``token`` is a machine, ``embed`` is a token with which
            other pages show one camera; on a server without users everybody is ``open``, and
            ``local`` is a program on the server's own machine.
        generation: Changes with everything else about the person, and with the password.
        clips: Whether an embed token is for clips and pictures of the past, too.
    """

    name: str | None
    role: Role
    cameras: frozenset[str] | None = None
    kind: Kind = "user"
    generation: str = ""
    clips: bool = False

    @property
    def operates(self) -> bool:
        """Whether this person may control the cameras that they see."""
        return self.role != "viewer"

    @property
    def administers(self) -> bool:
        """Whether this person may change cameras and users: everybody on a server without users."""
        return (self.role == "admin" and self.cameras is None) or self.kind == "open"

    def sees(self, camera: str) -> bool:
        """Return whether this person may know of a camera."""
        return self.cameras is None or camera in self.cameras


OPEN = Person(None, "operator", kind="open")
"""Everybody, on a server without users."""
