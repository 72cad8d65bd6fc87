"""What a saved view shows, and what remains for a user who may not see every camera."""

import pytest

from server.views.query import MAX_QUERY, clean, limited_to, with_renamed


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("?layout=2x2&order=door,yard&page=2", "layout=2x2&order=door,yard&page=2"),
        ("order=", "order="),
        ("group=North wing&sort=group", "group=North+wing&sort=group"),
        ("patrol=20&through=cameras:door,yard", "patrol=20&through=cameras:door,yard"),
        ("token=porthole_secret&view=kiosk&manage=people&camera=door", "camera=door"),
        ("", ""),
        ("filter=" + "x" * MAX_QUERY, None),
        ("&".join(f"a{number}=1" for number in range(100)), None),
    ],
)
def test_only_view_parameters_are_kept(given: str, kept: str | None) -> None:
    """A view never contains a token, and is no longer than an address may be."""
    assert clean(given) == kept


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("layout=1&order=door,safe,yard", "layout=1&order=door,yard"),
        ("order=safe", "order="),
        ("camera=door", "camera=door"),
        ("camera=safe", None),
        ("group=Outside", "group=Outside"),
        ("group=Vault", None),
        ("patrol=9&through=cameras:safe,yard", "patrol=9&through=cameras:yard"),
        ("patrol=9&through=cameras:safe", "patrol=9&through=cameras"),
        ("patrol=9&through=views:0123456789ab", "patrol=9&through=views:0123456789ab"),
    ],
)
def test_hidden_cameras_are_removed_from_a_view(query: str, left: str | None) -> None:
    """A view of only such a camera, or such a group, is dropped."""
    assert limited_to(query, {"door", "yard"}.__contains__, {"Outside"}) == left


def test_renamed_camera_stays_in_the_view() -> None:
    """It is renamed wherever it occurs; cameras with a similar name are left alone."""
    query = "camera=door&order=yard,door,door-2&patrol=5&through=cameras:door"

    assert with_renamed(query, "door", "gate") == (
        "camera=gate&order=yard,gate,door-2&patrol=5&through=cameras:gate"
    )
    assert with_renamed("order=yard&filter=door", "door", "gate") == "order=yard&filter=door"
