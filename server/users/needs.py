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

    VIEWER_OF_ALL = auto()
    """Anybody who may see every camera, because the answer names them all."""

    OPERATOR_OF_ALL = auto()
    """An operator of every camera, because the command affects them all."""

    ADMIN = auto()
    """Permission to change cameras, users and settings."""
