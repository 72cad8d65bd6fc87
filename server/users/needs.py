"""Permission levels of requests and commands."""

from enum import Enum, auto

__all__ = ["Need"]


class Need(Enum):
    """The permission that a request needs."""

    NOTHING = auto()
    """No login."""

    VIEWER = auto()
    """Any person or token with access."""

    OPERATOR = auto()
    """The role of an operator, or admin."""

    WHOLE_VIEWER = auto()
    """Anybody who may see every camera, because the answer names them all."""

    WHOLE_OPERATOR = auto()
    """An operator of every camera, because the command affects them all."""

    ADMIN = auto()
    """Permission to change cameras, users and settings."""
