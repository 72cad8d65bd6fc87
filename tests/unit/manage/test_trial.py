"""Why a source gives no picture, as the page shows it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from server.config.address import parse_address
from server.errors import LoginRefused, SourceError
from server.manage.trial import Trials, short_reason


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SourceError("10.0.0.7:80 answers 404 My secret page"), "it answers 404 Not Found"),
        (SourceError("10.0.0.7:80 answers 599 Secret"), "it sends nothing that can be shown"),
        (SourceError("10.0.0.7:80 answers 401 Realm"), "refuses the user name or the password"),
        (LoginRefused("Digest realm=secret"), "refuses the user name or the password"),
        (SourceError("h:1 cannot be reached (Connection refused)"), "nothing answers"),
        (SourceError("h:554 did not answer within 5 s"), "does not answer in time"),
        (SourceError("the host camra is unknown; check the spelling"), "no such host"),
        (SourceError("/dev/video7 does not exist; devices here: none"), "no such device"),
        (SourceError("SSH-2.0-OpenSSH_9.2 secret"), "it sends nothing that can be shown"),
    ],
)
def test_reasons_do_not_repeat_the_servers_words(error: Exception, told: str) -> None:
    """This machine may reach servers that an admin may not, so their text is never shown."""
    reason = short_reason(error)

    assert told in reason
    assert "ecret" not in reason


def test_trial_returns_a_picture_and_the_source_size() -> None:
    """The picture is scaled down for the form, but the size given is the source's."""
    picture = Trials().picture(parse_address("test:?size=1280x720", Path()))

    assert cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR).shape[1] == 640
    assert (picture.width, picture.height) == (1280, 720)
