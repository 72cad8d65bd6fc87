"""What somebody must be, to ask for something."""

from enum import Enum, auto

__all__ = ["Need"]


class Need(Enum):
    """What a request needs."""

    NOTHING = auto()
    """No login."""

    VIEWER = auto()
    """Anybody who is known."""

    OPERATOR = auto()
    """The role of an operator."""

    WHOLE_VIEWER = auto()
    """Anybody who may see every camera, because the answer names them all."""

    WHOLE_OPERATOR = auto()
    """An operator of every camera, because the command affects them all."""

    ADMIN = auto()
    """Who may change the cameras, the users and the settings themselves."""
