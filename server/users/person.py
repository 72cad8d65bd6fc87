"""The identity and permissions of a user or machine."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["OPEN", "Kind", "Person", "Role"]

Role = Literal["viewer", "operator", "admin"]

Kind = Literal["user", "token", "embed", "open", "local"]


@dataclass(frozen=True, slots=True)
class Person:
    """A user or machine with its permissions.

    Attributes:
        name: The name people see; None if no login is needed.
        role: Viewers watch, operators also control, admins also change cameras and users.
        cameras: Names of the cameras this person may know of, and no others; None for all.
        kind: A ``user`` has a password, a ``token`` is a machine, ``embed`` is a token with which
            other pages show one camera; on a server without users everybody is ``open``, and
            ``local`` is a program on the server's own machine.
        generation: Changes with any change to the account, including its password.
        clips: Whether an embed token also gives access to clips and pictures of the past.
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
