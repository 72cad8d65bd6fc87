"""The errors that one room raises for another, and where to find the rest.

::

    PortholeError
    ├── ConfigError       a setting cannot be used; ends the start with exit code 2
    │   ├── NotYetError   something the start needs is missing, perhaps not for long; exit code 75
    │   └── AccountError  a user or token cannot be added or changed as asked
    ├── SourceError       a source cannot be opened or read; the camera tries again
    │   ├── SourceEnded   a source has played to its end, which is not a fault
    │   ├── LoginRefused  a source refuses its user name or password; it is tried rarely
    │   ├── AddressRefused    an address set from the page leads somewhere forbidden
    │   └── PictureError  one picture cannot be decoded; the next one may be
    ├── ControlError      a source rejects a value; it keeps the one it has
    ├── EncodeError       a picture cannot be encoded as JPEG; the frame is dropped
    ├── ViewError         a saved view cannot be added or changed as asked
    └── RequestError      a client's request cannot be carried out; answered with its code

An error that is raised and caught within one room is defined where it is raised::

    capture/isolation/child.py         _CloseError         the server is done with the source
    capture/isolation/reader.py        WouldBlock          the next step may block
    capture/rtsp/client.py             _RedirectedError    a camera redirects to another address
    capture/rtsp/message.py            RtspError           FFmpeg may understand the camera
    capture/sources/http_client.py     NotHttpError        FFmpeg may understand the answer
    capture/processing/runner.py       LoadError           a processor cannot be imported
                                       _WrongResultError   a processor returned no picture
    capture/processing/sandbox.py      SandboxError        a picture was lost with its process
    config/load.py                     CameraError         a camera's setting cannot be used
    cluster/bus/messages.py            MessageError        bytes are not a valid message
    cluster/bus/frame_message.py       FrameMessageError   bytes are not a valid frame
    loop/concurrency.py                LimitBusy           the limit was reached for too long
    manage/cameras.py                  Conflict            two admins changed the same camera
    manage/form.py                     FormError           a form sent by the page is invalid
    manage/reach.py                    ReachError          an address may not be tried from the page
    recording/media/process.py         MediaError          a film or picture cannot be made
    web/auth/throttle.py               TooManyAttempts     passwords were tried too often
"""

from typing import Literal

__all__ = [
    "AccountError",
    "AddressRefused",
    "ConfigError",
    "ControlError",
    "EncodeError",
    "ErrorCode",
    "LoginRefused",
    "NotYetError",
    "PictureError",
    "PortholeError",
    "RequestError",
    "SourceEnded",
    "SourceError",
    "ViewError",
]

ErrorCode = Literal["bad_request", "unknown_camera", "forbidden", "rate_limited", "unavailable"]


class PortholeError(Exception):
    """An expected error, with a message meant for people."""


class ConfigError(PortholeError):
    """A setting cannot be used; the message names key, value and what would be accepted."""


class NotYetError(ConfigError):
    """The bus or an address of this machine is missing at the start; it may appear later."""


class AccountError(ConfigError):
    """A user or token cannot be added or changed as asked.

    Args:
        field: What it is about: ``name``, ``role`` or ``cameras``.
        message: What is wrong and what would be accepted, for a person.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class SourceError(PortholeError):
    """A source cannot be opened or read; the message says why and never holds a password."""


class SourceEnded(SourceError):
    """A source that plays once has come to its end."""


class LoginRefused(SourceError):
    """A source refuses its user name or password; trying again soon could lock the account."""


class AddressRefused(SourceError):
    """An address set from the page leads to a host where cameras are not allowed."""


class PictureError(SourceError):
    """One picture cannot be decoded; it is dropped, and the source continues."""


class ControlError(PortholeError):
    """A source rejects a value; names the control, the value asked for and the value it keeps."""


class EncodeError(PortholeError):
    """A picture cannot be encoded as JPEG."""


class ViewError(PortholeError):
    """A saved view cannot be added or changed as asked.

    Args:
        field: What it is about, such as ``name``; empty if there is no such view.
        message: What is wrong and what would be accepted, for a person.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RequestError(PortholeError):
    """A client's event cannot be carried out.

    Args:
        code: One of the wire protocol's error codes.
        message: What was wrong and what would be accepted, for a person.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
