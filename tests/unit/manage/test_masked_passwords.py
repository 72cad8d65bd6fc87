"""Source passwords that a form shows as dots."""

import pytest

from server.config.models import ServerSettings
from server.manage.form import FormError, read_camera
from server.manage.masked_passwords import restore_secrets

SOURCE = "rtsp://joe:s3cret@10.0.0.7:554/live?token=abc&size=2"
PUBLIC = "rtsp://···@10.0.0.7:554/live?token=···&size=···"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (PUBLIC, SOURCE),
        ("rtsp://···@10.0.0.7:554/other", "rtsp://joe:s3cret@10.0.0.7:554/other"),
        (
            "rtsp://···@10.0.0.7:554/live?token=···&size=9",
            "rtsp://joe:s3cret@10.0.0.7:554/live?token=abc&size=9",
        ),
        ("rtsp://ann:new@10.0.0.7:554/live", "rtsp://ann:new@10.0.0.7:554/live"),
        ("rtsp://10.0.0.7:554/live", "rtsp://10.0.0.7:554/live"),
        ("test:", "test:"),
    ],
)
def test_masked_password_is_restored(sent: str, kept: str) -> None:
    """An admin can change a camera's path without knowing its password."""
    assert restore_secrets(sent, PUBLIC, SOURCE) == kept


@pytest.mark.parametrize(
    "sent",
    [
        "rtsp://···@evil.example:554/live",
        "rtsp://···@10.0.0.7:555/live",
        "http://···@10.0.0.7:554/live",
        "rtsp://10.0.0.8/live?token=···",
    ],
)
def test_a_password_is_not_sent_to_another_host(sent: str) -> None:
    """Otherwise somebody who may not read it could have it sent to their own host."""
    with pytest.raises(FormError, match="type it again"):
        restore_secrets(sent, PUBLIC, SOURCE)


@pytest.mark.parametrize("sent", ["rtsp://10.0.0.7:554/live?other=···", "···", "file:···"])
def test_dots_without_a_stored_password_are_rejected(sent: str) -> None:
    """Otherwise a password of three dots would be saved."""
    with pytest.raises(FormError, match="type it again"):
        restore_secrets(sent, PUBLIC, SOURCE)


def test_mask_matches_the_public_form_of_an_address() -> None:
    """A parsed address is masked with the same dots as in these tests."""
    _, camera = read_camera({"name": "door", "source": SOURCE}, ServerSettings(), None)

    assert camera.address.public == PUBLIC
